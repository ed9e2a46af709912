"""How runs end. On the slope −x with lr = 1, the point after k steps is exactly k."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from helpers.batches import Finished, finish, make_batch
from torch import Tensor

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.status import Status
from gdlab.fields.declared import Number
from gdlab.losses import Loss, Quadratic
from gdlab.losses.function import Function
from gdlab.optimizers import Optimizer
from gdlab.optimizers.base import State


class Slope(Loss):
    """−x up to an edge, and beyond it what `then` says."""

    dim: int = 1  # type: ignore[assignment]
    edge: Number = 5.0
    then: str = "nan loss"

    @property
    def start(self) -> Tensor:
        return self.tensor([0.0])

    def __call__(self, x: Tensor) -> Tensor:
        x = x[..., 0]
        over = x >= self.edge
        if self.then == "flat":
            return torch.where(over, -self.edge, -x)
        if self.then == "nan gradient":
            # The value is finite; the derivative of the root is infinite at 0, and 0 · ∞ is NaN.
            return -x + 0 * torch.sqrt(torch.where(over, 0 * x, 1 + 0 * x))
        value = {"nan loss": torch.nan, "inf loss": torch.inf, "-inf loss": -torch.inf}
        return torch.where(over, value[self.then], -x)


class Leap(Optimizer):
    """Plain steps that leap to infinity at the edge."""

    edge: float = 5.0

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        return torch.where(x >= self.edge, torch.inf, x + lr), state


class Decay(Loss):
    """exp(−x), whose value and gradient are finite at infinity."""

    dim: int = 1  # type: ignore[assignment]

    @property
    def start(self) -> Tensor:
        return self.tensor([0.0])

    def __call__(self, x: Tensor) -> Tensor:
        return torch.exp(-x[..., 0])


EDGES = list(range(1, 300))
"""Where runs end: at every record of the first four chunks, including their boundaries."""


def slope(edges: list[int], then: str, stop: Stop | None = None, steps: int = 400) -> Batch:
    edge = torch.tensor(edges, dtype=torch.float64)
    return make_batch(Slope(edge=edge, then=then), lr=[1.0] * len(edges), steps=steps, stop=stop)


def assert_ended(run: Finished, status: Status, steps: int, evaluations: int) -> None:
    """Assert that the run has each record once, its status, and no rate in the last record."""
    outcome, history = run.outcome, run.history
    assert (outcome.status, outcome.steps) == (status, steps)
    assert outcome.evaluations == evaluations
    assert history.step.tolist() == list(range(steps + 1))
    assert np.isfinite(history.x).all()
    assert np.isfinite(history.loss).all()
    assert not np.isnan(history.lr[:-1]).any()
    assert np.isnan(history.lr[-1])
    assert outcome.x.tolist() == history.x[-1].tolist()
    assert outcome.final_loss == history.loss[-1]
    assert outcome.grad_norm == history.grad_norm[-1]


@pytest.mark.parametrize("then", ["nan loss", "inf loss", "-inf loss", "nan gradient"])
def test_diverged_by_a_loss_or_gradient_that_is_not_finite(then: str) -> None:
    for edge, run in zip(EDGES, finish(slope(EDGES, then)), strict=True):
        assert_ended(run, Status.DIVERGED, edge - 1, edge + 1)
        assert run.history.x[:, 0].tolist() == list(range(edge))
        assert run.outcome.reason.endswith(f"no longer finite after step {edge - 1}")


def test_diverged_by_a_point_that_is_not_finite() -> None:
    for edge in (1, 5, 30, 31, 32, 33, 94, 95, 96):
        (run,) = finish(make_batch(Decay(), Leap(edge=float(edge)), [1.0], stop=Stop(grad_tol=0)))
        assert_ended(run, Status.DIVERGED, edge, edge + 2)
        assert run.history.x[:, 0].tolist() == list(range(edge + 1))


def test_diverged_above_max_loss_keeps_the_record_that_exceeds_it() -> None:
    batch = make_batch(Slope(edge=1e9), lr=[1.0], stop=Stop(max_loss=95.0))
    (run,) = finish(batch)
    assert_ended(run, Status.DIVERGED, 96, 97)
    assert run.outcome.final_loss == -96.0
    assert run.outcome.reason == "|loss| passed stop.max_loss=95 at step 96"


def test_diverged_at_the_start() -> None:
    (run,) = finish(make_batch(Slope(edge=-1.0, then="nan loss"), lr=[1.0]))
    assert (run.outcome.status, run.outcome.steps) == (Status.DIVERGED, 0)
    assert run.outcome.evaluations == 1
    assert len(run.history) == 1
    assert np.isnan(run.outcome.final_loss)
    assert run.outcome.best_loss == np.inf
    assert run.outcome.reason == "the loss, its gradient or the point is not finite at the start"


def test_converged_where_the_gradient_vanishes() -> None:
    for edge, run in zip(EDGES, finish(slope(EDGES, "flat")), strict=True):
        assert_ended(run, Status.CONVERGED, edge, edge + 1)
        assert run.outcome.grad_norm == 0.0


@pytest.mark.parametrize("tolerance", [1.0, np.nextafter(1.0, 0)])
def test_converged_at_or_below_the_tolerance(tolerance: float) -> None:
    (run,) = finish(make_batch(Slope(edge=1e9), lr=[1.0], steps=9, stop=Stop(grad_tol=tolerance)))
    status, steps = (Status.CONVERGED, 0) if tolerance == 1 else (Status.MAX_STEPS, 9)
    assert_ended(run, status, steps, steps + 1)


def test_converged_ends_the_run_at_the_first_record_that_passes() -> None:
    (run,) = finish(make_batch(Quadratic(), lr=[0.1], steps=1000))
    assert run.outcome.status == Status.CONVERGED
    assert (run.history.grad_norm[:-1] > 1e-8).all()
    assert run.history.grad_norm[-1] <= 1e-8


def test_a_flat_loss_alone_is_not_convergence() -> None:
    tiny = Function(lambda x: 1e-3 * x.sum() / (1 + 1e12), start=(0.0,))
    (run,) = finish(make_batch(tiny, lr=[1.0], steps=50, stop=Stop(grad_tol=1e-16)))
    assert run.outcome.status == Status.MAX_STEPS


def test_target_is_the_first_loss_at_or_below_it() -> None:
    for target in (1, 31, 32, 95, 96, 200):
        (run,) = finish(
            make_batch(Slope(edge=1e9), lr=[1.0], steps=400, stop=Stop(loss=-float(target)))
        )
        assert_ended(run, Status.TARGET, target, target + 1)
        assert run.outcome.reason == f"the loss fell to stop.loss=-{target} at step {target}"


@pytest.mark.parametrize("steps", [1, 2, 30, 31, 32, 33, 94, 95, 96, 97, 300])
def test_max_steps(steps: int) -> None:
    (run,) = finish(make_batch(Slope(edge=1e9), lr=[1.0], steps=steps))
    assert_ended(run, Status.MAX_STEPS, steps, steps + 1)
    assert run.outcome.best_step == steps
    assert run.outcome.best_loss == -float(steps)


def raising_at(call: int) -> Function:
    """A slope whose evaluation number `call` raises."""
    calls = iter(range(10_000))

    def value(x: Tensor) -> Tensor:
        if next(calls) == call:
            raise ZeroDivisionError("the well is dry")
        return -x.sum()

    return Function(value, start=(0.0,))


@pytest.mark.parametrize("call", [1, 2, 31, 32, 33, 95, 96])
def test_failed_keeps_the_records_before(call: int) -> None:
    for run in finish(make_batch(raising_at(call), lr=[1.0, 2.0], steps=200)):
        assert_ended(run, Status.FAILED, call - 1, call)
        reason = f"ZeroDivisionError after step {call - 1}: the well is dry"
        assert run.outcome.reason.startswith(f"{reason} (test_stopping.py, line ")


def test_failed_at_the_start_has_no_records() -> None:
    (run,) = finish(make_batch(raising_at(0), lr=[1.0]))
    assert (run.outcome.status, run.outcome.steps) == (Status.FAILED, 0)
    assert run.outcome.evaluations == 0
    assert len(run.history) == 0
    assert run.outcome.x.tolist() == [0.0]


# What a loss returns, and the message.
NO_VALUES: list[tuple[Callable[[Tensor], Any], str]] = [
    (
        lambda x: x**2,
        "the loss must return values of shape (R,) for points (R, 2), and gave shape (R, 2)",
    ),
    (
        lambda x: x.sum(),
        "the loss must return values of shape (R,) for points (R, 2), and gave shape ()",
    ),
    (lambda x: None, "the loss must return a tensor, and gave None"),
    (lambda x: x.sum(-1) > 0, "the loss must return real numbers, and gave torch.bool"),
    (lambda x: x.sum(-1) + 1j, "the loss must return real numbers, and gave torch.complex128"),
    (lambda x: x.detach().sum(-1), "the values of the loss do not depend on the points by torch"),
]


@pytest.mark.parametrize(("values", "message"), NO_VALUES)
def test_a_loss_that_returns_no_values_fails_and_says_why(
    values: Callable[[Tensor], Any], message: str
) -> None:
    class Wrong(Loss):
        dim: int = 2  # type: ignore[assignment]
        start: tuple[float, ...] = (1.0, 2.0)  # type: ignore[assignment]

        def __call__(self, x: Tensor) -> Tensor:
            return values(x)

    (run,) = finish(make_batch(Wrong(), lr=[0.1]))
    assert run.outcome.status == Status.FAILED
    assert message in run.outcome.reason


# What a function of one point returns, and the message.
NO_SCALAR: list[tuple[Callable[[Tensor], Any], str]] = [
    (lambda x: x**2, "shape (2,)"),
    (lambda x: x[:1], "shape (1,)"),
    (lambda x: x.outer(x), "shape (2, 2)"),
    (lambda x: 1.0, "a float"),
    (lambda x: 1, "an int"),
    (lambda x: None, "None"),
    (lambda x: [x.sum()], "a list"),
    (lambda x: (x.sum(), x), "a tuple"),
    (lambda x: np.float64(1), "a float64"),
]


@pytest.mark.parametrize(("function", "gave"), NO_SCALAR)
def test_a_function_that_returns_no_scalar_fails_and_says_why(
    function: Callable[[Tensor], Any], gave: str
) -> None:
    (run,) = finish(make_batch(Function(function, start=(1.0, 2.0)), lr=[0.1]))
    must = "the function of one point must return a scalar tensor"
    assert run.outcome.status == Status.FAILED
    assert run.outcome.reason.endswith(f"{must}, and gave {gave}")


def true_from(call: int) -> Callable[[], bool]:
    """A function that returns True from the given call on."""
    calls: Iterator[int] = iter(range(10_000))
    return lambda: next(calls) >= call


@pytest.mark.parametrize("step", [0, 1, 30, 31, 32, 33, 94, 95, 96, 250])
def test_interrupted_keeps_the_records(step: int) -> None:
    for run in finish(make_batch(Slope(edge=1e9), lr=[1.0, 1.0], steps=400), true_from(step)):
        assert_ended(run, Status.INTERRUPTED, step, step + 1)


def test_interrupting_leaves_ended_rows_as_they_ended() -> None:
    early, late = finish(slope([10, 1000], "flat", steps=2000), true_from(20))
    assert_ended(early, Status.CONVERGED, 10, 11)
    assert_ended(late, Status.INTERRUPTED, 20, 21)


def test_every_nth_record_and_the_last() -> None:
    edges = [1, 2, 9, 10, 11, 31, 32, 95, 96, 97, 200]
    for edge, run in zip(edges, finish(slope(edges, "flat"), every=5), strict=True):
        assert run.history.step.tolist() == sorted({*range(0, edge + 1, 5), edge})
        assert np.isnan(run.history.lr).tolist() == [False] * (len(run.history) - 1) + [True]
