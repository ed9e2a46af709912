"""Steps do not depend on the scale of the loss where the rule does not.

A loss is multiplied by powers of two, over the whole range of a dtype. That changes no digit of
its gradients, and so no bit of the points: of rules whose steps do not depend on the scale, or of
rules whose steps are proportional to lr times the gradient if lr is divided by the same powers.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from helpers.batches import finish, make_batch
from torch import Tensor

from gdlab.engine.batch import Batch, Stop
from gdlab.fields.declared import Number
from gdlab.losses import Loss
from gdlab.optimizers import (
    BFGS,
    LBFGS,
    SGD,
    AdGD,
    BarzilaiBorwein,
    ConjugateGradient,
    GaussNewton,
    LevenbergMarquardt,
    LineSearchDescent,
    Lion,
    Newton,
    NormalizedGradient,
    Optimizer,
    Polyak,
    Rprop,
    ScheduleFree,
    SignSGD,
)

EXPONENTS = {torch.float32: range(-92, 99, 2), torch.float64: range(-960, 970, 30)}
"""Values and gradients along the paths are normal numbers with each of these powers of two."""


class Valley(Loss):
    """root² · ((1 − x)² + 4 (y − bend x²)²)."""

    dim: int = 2  # type: ignore[assignment]
    minimum = 0.0
    root: Number = 1.0
    bend: float = 0.5

    @property
    def start(self) -> Tensor:
        return self.tensor([-0.9, 1.3])

    @property
    def is_quadratic(self) -> bool:
        return self.bend == 0

    def residuals(self, x: Tensor) -> Tensor:
        x, y = x.unbind(-1)
        root = self.root[..., None] if isinstance(self.root, Tensor) else self.root
        return torch.stack((1 - x, 2 * (y - self.bend * x**2)), -1) * root

    def __call__(self, x: Tensor) -> Tensor:
        return self.residuals(x).square().sum(-1)


@dataclass(frozen=True)
class Case:
    """A rule, and the power of the scale that lr has."""

    optimizer: Optimizer
    lr: float = 1.0
    power: int = 0
    bend: float = 0.5
    steps: int = 4

    def __str__(self) -> str:
        return repr(self.optimizer)


SEARCHES = ("wolfe", "armijo")
CASES = [
    *(Case(rule, 0.1) for rule in (NormalizedGradient(), SignSGD(momentum=0.5), Lion(), Rprop())),
    Case(Polyak()),
    *(Case(BFGS(line_search=search), steps=6) for search in SEARCHES),
    *(Case(LBFGS(line_search=search, history=3), steps=6) for search in SEARCHES),
    *(Case(ConjugateGradient(beta=beta)) for beta in ("fr", "pr+", "hs")),
    Case(ConjugateGradient(line_search="exact"), bend=0.0, steps=2),
    Case(LineSearchDescent(line_search="exact"), bend=0.0),
    *(Case(Newton(line_search=search), bend=0.1, steps=3) for search in ("none", "armijo")),
    Case(GaussNewton(line_search="armijo"), steps=3),
    Case(LevenbergMarquardt()),
    *(Case(LineSearchDescent(line_search=search), 0.1, -1) for search in SEARCHES),
    *(Case(rule, 0.01, -1) for rule in (SGD(momentum=0.5), AdGD(), ScheduleFree())),
    *(Case(BarzilaiBorwein(variant=variant), 0.01, -1) for variant in (1, 2)),
]


def batch_of(case: Case, dtype: torch.dtype) -> Batch:
    """One run for each power of two."""
    scales = [math.ldexp(1.0, k) for k in EXPONENTS[dtype]]
    roots = torch.tensor([math.ldexp(1.0, k // 2) for k in EXPONENTS[dtype]], dtype=dtype)
    loss = Valley(bend=case.bend).to(dtype, torch.device("cpu")).unchecked(root=roots)
    rates = [case.lr * scale**case.power for scale in scales]
    batch = make_batch(loss, case.optimizer, rates, steps=case.steps, stop=Stop(grad_tol=0.0))
    return replace(batch, lr=batch.lr.to(dtype), noise=batch.noise.to(dtype))


@pytest.mark.parametrize("dtype", EXPONENTS, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_steps_are_the_same_at_every_scale(case: Case, dtype: torch.dtype) -> None:
    runs = finish(batch_of(case, dtype))
    middle = runs[EXPONENTS[dtype].index(0)].history.x
    assert np.isfinite(middle).all()
    assert len(middle) == case.steps + 1
    assert (middle[1:] != middle[:-1]).any(1).all()
    for run in runs:
        assert np.array_equal(run.history.x, middle)
