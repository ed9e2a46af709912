"""Outcomes: how ended runs are described."""

from collections.abc import Callable

import numpy as np
import pytest
from helpers.batches import Finished, finish, make_batch

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.status import Status
from gdlab.losses import Loss, McCormick, Quadratic, Rosenbrock, Schwefel
from gdlab.losses.function import Function
from gdlab.optimizers import SGD

ENDS: dict[str, tuple[Callable[[], Batch], Status, str]] = {
    "converged": (
        lambda: make_batch(Quadratic(), lr=[0.1], steps=1000),
        Status.CONVERGED,
        "the gradient norm fell to stop.grad_tol=1e-08 at step 175",
    ),
    "target": (
        lambda: make_batch(Quadratic(), lr=[0.1], steps=1000, stop=Stop(loss=1e-3)),
        Status.TARGET,
        "the loss fell to stop.loss=0.001 at step 30",
    ),
    "max_steps": (
        lambda: make_batch(Quadratic(), lr=[0.1], steps=12),
        Status.MAX_STEPS,
        "the step limit steps=12 was reached with the gradient norm still above "
        "stop.grad_tol=1e-08",
    ),
    "diverged": (
        lambda: make_batch(Rosenbrock(), lr=[0.01], steps=12),
        Status.DIVERGED,
        "the loss, its gradient or the point is no longer finite after step 5",
    ),
    "past max_loss": (
        lambda: make_batch(Rosenbrock(), lr=[0.01], steps=12, stop=Stop(max_loss=100)),
        Status.DIVERGED,
        "|loss| passed stop.max_loss=100 at step 2",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_reason_of_each_ending(name: str) -> None:
    make, status, reason = ENDS[name]
    (run,) = finish(make())
    assert run.outcome.status == status
    assert run.outcome.reason == reason


OUTSIDE = "; the point is outside the domain of the loss"
STARTS: dict[str, tuple[Loss, tuple[float, ...], bool]] = {
    "in a well": (McCormick(), (0.0, 0.0), False),
    "in the well beyond": (McCormick(), (-3.7, -4.7), True),
    "above in one coordinate": (McCormick(), (3.0, 4.5), True),
    "below in one coordinate": (Schwefel(dim=3), (400.0, 400.0, -510.0), True),
    "on the edge": (Schwefel(), (500.0, -500.0), False),
    "without a domain": (Rosenbrock(), (1e3, 1e3), False),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_run_that_left_the_domain_says_so(name: str) -> None:
    loss, start, is_outside = STARTS[name]
    (run,) = finish(make_batch(loss, lr=[1e-300], start=start, steps=1))
    steps = (
        "the step limit steps=1 was reached with the gradient norm still above stop.grad_tol=1e-08"
    )
    assert run.outcome.reason == steps + (OUTSIDE if is_outside else "")


def test_each_row_of_a_batch_is_checked_at_its_own_last_point() -> None:
    batch = make_batch(McCormick(), lr=[0.1, 0.9, 0.1], steps=200)
    inside, outside, other = (run.outcome for run in finish(batch))
    assert inside.reason == other.reason == f"the gradient norm fell to {at_step(inside.steps)}"
    assert outside.x.min() < -3.0
    assert outside.reason.endswith(OUTSIDE)
    assert "domain" not in inside.reason


def at_step(step: int) -> str:
    return f"stop.grad_tol=1e-08 at step {step}"


def test_the_reason_of_an_interruption() -> None:
    (run,) = finish(make_batch(Quadratic(), lr=[0.1]), interrupted=lambda: True)
    assert str(run.outcome.status) == "interrupted"
    assert run.outcome.reason == "interrupted after step 0"


def test_every_status_has_a_name() -> None:
    names = "running converged target max_steps diverged stalled failed interrupted early_stopped"
    assert [str(status) for status in Status] == names.split()


def assert_agrees_with_its_history(run: Finished) -> None:
    outcome, history = run.outcome, run.history
    best = int(np.argmin(history.loss))
    assert (outcome.best_loss, outcome.best_step) == (history.loss[best], history.step[best])
    assert outcome.final_loss == history.loss[-1]
    assert outcome.grad_norm == history.grad_norm[-1]
    assert outcome.x.tolist() == history.x[-1].tolist()
    assert outcome.steps == history.step[-1]
    assert outcome.distance == (None if history.distance is None else history.distance[-1])
    known = None if history.suboptimality is None else history.suboptimality[-1]
    assert outcome.suboptimality == known


AGREEING: dict[str, tuple[Loss, list[float]]] = {
    "oscillating": (Quadratic(condition=100), [0.001, 0.0195, 0.02, 0.0202]),
    "diverging": (Rosenbrock(), [1e-4, 1e-3, 5e-3, 1e-2, 1.0]),
    "without a known minimum": (Function(lambda x: (x**4).sum(), start=(1.0,)), [0.01, 0.6, 1.0]),
}


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("name", AGREEING)
def test_the_outcome_agrees_with_the_history(name: str, momentum: float) -> None:
    loss, rates = AGREEING[name]
    runs = finish(make_batch(loss, SGD(momentum=momentum), rates, steps=300))
    assert any(run.outcome.best_step < run.outcome.steps for run in runs)
    for run in runs:
        assert_agrees_with_its_history(run)


def test_the_first_of_equal_losses_is_the_best() -> None:
    flat = Function(lambda x: x.sum() - x.sum().detach(), start=(0.0,))
    (run,) = finish(make_batch(flat, lr=[1.0], steps=200))
    assert run.outcome.steps == 200
    assert (run.outcome.best_loss, run.outcome.best_step) == (0.0, 0)
