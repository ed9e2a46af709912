"""Functions of rows as compiled loops, against the same functions called as they are."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from helpers.batches import finish, make_batch
from torch import Tensor

from gdlab.engine.batch import Batch
from gdlab.engine.compiler.kernels import Kernels
from gdlab.engine.compiler.program import Uncompilable
from gdlab.losses import Ackley, HelicalValley, Loss, Quadratic, Rosenbrock
from gdlab.numerics.autodiff import hessian
from gdlab.numerics.rowwise import LANES, normalize
from gdlab.optimizers import BFGS, LBFGS, LevenbergMarquardt, Newton, Optimizer
from gdlab.optimizers.oracle import evaluate, residuals


class Pair(NamedTuple):
    """Numbers and truths of rows."""

    number: Tensor
    truth: Tensor


def mix(loss: Loss, given: tuple[Pair, float], named: dict[str, Tensor]) -> dict[str, Any]:
    """Use every kind of argument, and return every kind of result."""
    pair, factor = given
    small, unit = normalize(named["matrix"][:, 0])
    truth = ~pair.truth & (pair.number > factor).any(1, keepdim=True)
    chosen = torch.where(truth, small * unit, named["matrix"].sum(1)).all(1, keepdim=True)
    parts = torch.cat((pair.number, small), 1).split(2, 1)
    return {"pair": Pair(named["matrix"] * factor, chosen), "parts": tuple(parts), "one": truth}


def points(loss: Loss, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return points of `LANES` rows near the start."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((LANES, loss.dim), generator=generator, dtype=torch.float64)
    return (loss.tensor(loss.start) + 0.1 * noise).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_arguments_and_results_keep_their_form(dtype: torch.dtype) -> None:
    x = points(Rosenbrock(), dtype)
    matrix = torch.stack((x, 1e-30 * x, 0 * x), 2)
    arguments = (Pair(x, x[:, :1] > -1.2), 0.25), {"matrix": matrix}
    compiled, expected = (
        Kernels(LANES)(mix, Rosenbrock(), *arguments),
        mix(Rosenbrock(), *arguments),
    )
    assert isinstance(compiled["pair"], Pair)
    assert list(compiled) == list(expected)
    for one, other in zip(_flat(compiled), _flat(expected), strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def _flat(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value
    return [tensor for item in items for tensor in _flat(item)]


@pytest.mark.parametrize(
    ("function", "loss"),
    [
        (evaluate, Ackley()),
        (hessian, Ackley()),
        (residuals, HelicalValley()),
        (hessian, Quadratic(condition=torch.linspace(1, 9, LANES, dtype=torch.float64))),
    ],
)
def test_derivatives_are_those_of_torch(function: Any, loss: Loss) -> None:
    x = points(loss)
    compiled, expected = Kernels(LANES)(function, loss, x), function(loss, x)
    for one, other in zip(_flat([compiled]), _flat([expected]), strict=True):
        # Observed 4e-16 of the largest.
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13 * float(other.abs().max()))


def test_a_function_that_cannot_be_compiled_is_called() -> None:
    def sort(loss: Loss, x: Tensor) -> Tensor:
        return x.sort(1).values

    kernels, loss = Kernels(LANES), Rosenbrock()
    with pytest.raises(Uncompilable, match="sort"):
        kernels.compile(sort, loss, points(loss))
    assert torch.equal(kernels(sort, loss, points(loss)), points(loss).sort(1).values)


def batch(optimizer: Optimizer, mode: str) -> Batch:
    """Return three runs."""
    loss = HelicalValley()
    made = make_batch(loss, optimizer, [1.0] * 3, start=points(loss)[:3], steps=60)
    return dataclasses.replace(made, mode=mode)


@pytest.mark.parametrize(
    "optimizer", [BFGS(), LBFGS(), Newton(line_search="armijo"), LevenbergMarquardt()]
)
def test_searches_find_the_same_minimum_with_as_many_evaluations(optimizer: Optimizer) -> None:
    eager, compiled = finish(batch(optimizer, "eager")), finish(batch(optimizer, "compiled"))
    for one, other in zip(eager, compiled, strict=True):
        assert (one.outcome.mode, other.outcome.mode) == ("eager", "compiled")
        assert one.outcome.status == other.outcome.status
        assert one.outcome.evaluations == other.outcome.evaluations
        # Observed 3e-11: 40 steps carry the rounding errors of the first ones on.
        np.testing.assert_allclose(one.history.x, other.history.x, rtol=1e-8, atol=1e-9)
