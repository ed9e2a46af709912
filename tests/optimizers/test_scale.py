"""Steps do not depend on the scale of the loss where the rule does not.

A loss is multiplied by powers of two, over the whole range of a dtype. That changes no digit of
its gradients, and so no bit of the points: of rules whose steps do not depend on the scale, or of
rules whose steps are proportional to lr times the gradient if lr is divided by the same powers.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

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
    AdaBelief,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    Adan,
    AdGD,
    BarzilaiBorwein,
    ClipNorm,
    ConjugateGradient,
    GaussNewton,
    LevenbergMarquardt,
    LineSearchDescent,
    Lion,
    Muon,
    NAdam,
    Newton,
    NormalizedGradient,
    Optimizer,
    Polyak,
    RAdam,
    RMSprop,
    Rprop,
    ScheduleFree,
    SignSGD,
)

EXPONENTS = {torch.float32: range(-92, 99, 2), torch.float64: range(-960, 970, 30)}
"""Values and gradients along the paths are normal numbers with each of these powers of two."""


class Valley(Loss):
    """root² · ((1 − x)² + 4 (y − bend x²)²)."""

    dim: int = 2  # type: ignore[assignment]
    root: Number = 1.0
    bend: float = 0.5

    @property
    def minimum(self) -> float:
        return 0.0

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


def test_compiled_steps_are_those_of_torch_at_every_scale() -> None:
    batch = batch_of(Case(NormalizedGradient(), 0.1), torch.float64)
    for one, other in zip(finish(batch), finish(replace(batch, mode="compiled")), strict=True):
        assert np.array_equal(one.history.x, other.history.x)


MATRIX = [("weight", (2, 3))]


@pytest.mark.parametrize("optimizer", [ClipNorm(), Muon(eps=0.0, weight_decay=0.0)], ids=repr)
@pytest.mark.parametrize("dtype", EXPONENTS, ids=str)
def test_large_gradients_are_shortened_to_the_same_step(
    optimizer: Optimizer, dtype: torch.dtype
) -> None:
    scales = torch.tensor([[math.ldexp(1.0, k)] for k in EXPONENTS[dtype] if k > 50], dtype=dtype)
    grad = scales * torch.arange(1.0, 7.0, dtype=dtype)
    x = torch.zeros_like(grad)
    after, _ = optimizer.update(x, grad, optimizer.init(x, MATRIX), torch.ones_like(scales))
    assert (after != 0).any()
    assert torch.equal(after, after[:1].expand_as(after))


def test_tiny_gradients_are_not_clipped() -> None:
    grad = torch.tensor([[3e-170, 4e-170], [3e-320, 4e-320]], dtype=torch.float64)
    x, lr = torch.zeros_like(grad), torch.ones_like(grad[:, :1])
    after, _ = ClipNorm().update(x, grad, ClipNorm().init(x, MATRIX), lr)
    assert torch.equal(after, -grad)


# Differences and accumulated weights.


def test_a_variance_that_rounding_makes_negative_is_zero() -> None:
    """With constant g, v − m² = g² aᵏ (1 − aᵏ) for alpha a, and then the step is lr g / eps."""
    grad = torch.full((1, 200), 0.1, dtype=torch.float64)
    mean = grad * (1 + 1e-16 * torch.arange(200).double())
    optimizer, lr = RMSprop(centered=True), torch.ones_like(grad[:, :1])
    state = {"square": grad.square(), "mean": mean}
    after, _ = optimizer.update(torch.zeros_like(grad), grad, state, lr)
    assert after.isfinite().all()
    assert (after == -0.1 / 1e-8).sum() > 100


ADAPTIVE: list[type[Optimizer]] = [
    *(AdaBelief, Adadelta, Adagrad, Adam, Adamax, Adan, NAdam, RAdam, RMSprop),
]


@pytest.mark.parametrize("cls", ADAPTIVE)
@pytest.mark.parametrize("eps", [0.0, torch.zeros(1, 1).double()], ids=["number", "column"])
def test_a_coordinate_without_a_slope_rests_when_eps_is_0(
    cls: type[Optimizer], eps: Number
) -> None:
    optimizer, x = cls().replace(eps=eps), torch.ones(1, 2).double()
    grad, lr = torch.tensor([[0.0, 1.0]]).double(), torch.ones(1, 1).double()
    state = optimizer.init(x, [("x", (2,))])
    for _ in range(8):  # RAdam divides from step 6 on
        x, state = optimizer.update(x, grad, state, lr)
    assert float(x[0, 0]) == 1.0
    assert x.isfinite().all()


def weighted(rates: list[float], r: float = 0, weight_lr_power: float = 2) -> list[float]:
    """Points of schedule-free descent in float32 on the slope −x, by its definition in float64."""
    x = z = weights = 0.0
    points = []
    for k, lr in enumerate(rates, 1):
        z += lr
        weight = k**r * lr**weight_lr_power
        weights += weight
        x += weight / weights * (z - x)
        points.append(x)
    return points


@pytest.mark.parametrize("options", [{}, {"r": 2.0}, {"weight_lr_power": 5.0}], ids=str)
@pytest.mark.parametrize("growth", [1.0, 1.5, 10.0])
@pytest.mark.parametrize("first", [1e-30, 1e-23, 1e-18, 1e-3, 1e13, 1e25])
def test_weights_of_schedule_free_averages(
    first: float, growth: float, options: dict[str, Any]
) -> None:
    rates = [first * growth**k for k in range(12)]
    optimizer, grad = ScheduleFree().replace(**options), -torch.ones(1, 1)
    x = torch.zeros_like(grad)
    state = optimizer.init(x, [("x", (1,))])
    for lr, expected in zip(rates, weighted(rates, **options), strict=True):
        x, state = optimizer.update(x, grad, state, torch.full_like(grad, lr))
        assert float(x) == pytest.approx(expected, rel=1e-6)


def test_schedule_free_rests_while_lr_is_zero() -> None:
    grad = -torch.ones(1, 1)
    x = torch.zeros_like(grad)
    state = ScheduleFree().init(x, [("x", (1,))])
    for lr, expected in ((0.0, 0.0), (0.0, 0.0), (1.0, 1.0), (1.0, 1.5)):
        x, state = ScheduleFree().update(x, grad, state, torch.full_like(grad, lr))
        assert float(x) == expected
