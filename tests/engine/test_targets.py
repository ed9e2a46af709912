"""Targets: the evaluations at which a run first reaches each, compared with its whole history."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.batches import assert_same_bits, finish, make_batch, rows_of

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.loop import ChunkSizes
from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.losses import Rosenbrock, StyblinskiTang
from gdlab.optimizers import LBFGS, SGD, Adam, LineSearchDescent, Optimizer

ACCURACIES = (0.1, 0.09999999, 1e-2, 1e-4)
CASES = [
    (SGD(), [1e-3, 2e-3, 1e-5], "eager"),
    (Adam(), [0.1, 0.03, 1e-4], "compiled"),
    (LBFGS(), [1.0, 0.3, 0.1], "eager"),
    (LineSearchDescent(line_search="armijo"), [1.0, 0.1, 1e-3], "eager"),
]


def batch_of(optimizer: Optimizer, lr: list[float], mode: str, stop: Stop) -> Batch:
    batch = make_batch(Rosenbrock(), optimizer, lr, start=(-1.2, 1.0), steps=120, stop=stop)
    return replace(batch, mode=mode)


def evaluations_at(optimizer: Optimizer, rate: float, mode: str, step: int) -> int:
    """The evaluations of a run that ends at a step, with nothing but `steps` to end it."""
    if step == 0:
        return 1
    batch = replace(batch_of(optimizer, [rate], mode, Stop(grad_tol=0)), steps=step)
    return finish(batch)[0].outcome.evaluations


@pytest.mark.parametrize(("optimizer", "lr", "mode"), CASES)
def test_evaluations_are_those_of_the_first_record_under_the_target(
    optimizer: Optimizer, lr: list[float], mode: str
) -> None:
    free = finish(batch_of(optimizer, lr, mode, Stop(grad_tol=0)))
    asked = finish(batch_of(optimizer, lr, mode, Stop(grad_tol=0, targets=ACCURACIES)))
    for rate, whole, run in zip(lr, free, asked, strict=True):
        loss = whole.history.loss
        for accuracy in ACCURACIES:
            under = np.flatnonzero(loss <= accuracy * 24.2)  # f(−1.2, 1) = 24.2, f* = 0
            found = run.outcome.metrics[f"evaluations_to_{accuracy}"]
            if len(under):
                assert found == evaluations_at(optimizer, rate, mode, int(under[0]))
            else:
                assert found is None
        end = np.flatnonzero(loss <= ACCURACIES[-1] * 24.2)
        assert (run.outcome.status == Status.TARGET) == bool(len(end))
        if len(end):
            assert run.outcome.steps == end[0]
            assert "0.0001 of the start's height above the minimum" in run.outcome.reason


@pytest.mark.parametrize(("optimizer", "lr", "mode"), CASES[:3])
def test_neither_other_runs_nor_chunks_matter(
    optimizer: Optimizer, lr: list[float], mode: str
) -> None:
    together = batch_of(optimizer, lr, mode, Stop(targets=ACCURACIES))
    sizes = ChunkSizes(first=1, longest=3)
    for row, run in enumerate(finish(together)):
        assert_same_bits(finish(rows_of(together, [row]))[0], run)
        other = finish(together, sizes=sizes)[row]
        assert_same_bits(other, run)
        assert other.outcome.metrics == run.outcome.metrics


def test_the_minimum_may_be_given_or_be_that_of_the_loss() -> None:
    known = StyblinskiTang().minimum
    assert isinstance(known, float)
    runs = [
        finish(make_batch(StyblinskiTang(), SGD(), [0.01], stop=Stop(targets=(0.5,), minimum=low)))
        for low in (None, known, -1e6)
    ]
    first, same, never = (run[0].outcome.metrics["evaluations_to_0.5"] for run in runs)
    assert first == same
    assert first is not None
    assert never is None


@pytest.mark.parametrize("targets", [(), (0.1, 0.1), (1e-3, 0.1), (1.0,), (0.0,)])
def test_targets_are_decreasing_numbers_between_0_and_1(targets: tuple[float, ...]) -> None:
    with pytest.raises(SettingError, match=r"targets"):
        Stop(targets=targets)
