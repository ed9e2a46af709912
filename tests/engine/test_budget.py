"""The budget of evaluations: a run ends at the first step at which it is used up."""

from dataclasses import replace

import pytest
import torch
from helpers.batches import assert_same_bits, finish, make_batch, rows_of

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.loop import ChunkSizes
from gdlab.engine.status import Status
from gdlab.losses import Rosenbrock
from gdlab.optimizers import LBFGS, SGD, LineSearchDescent, Optimizer

OPTIMIZERS = [
    (SGD(), [1e-3, 2e-3]),
    (LineSearchDescent(line_search="armijo"), [1.0, 0.1]),
    (LBFGS(), [1.0, 0.3]),
]


def batch_of(optimizer: Optimizer, lr: list[float], budget: int | None, steps: int = 60) -> Batch:
    stop = Stop(evaluations=budget)
    return make_batch(Rosenbrock(), optimizer, lr, start=(-1.2, 1.0), steps=steps, stop=stop)


def test_a_loop_by_hand_ends_at_the_same_point() -> None:
    x, evaluations, loss = torch.tensor([-1.2, 1.0], dtype=torch.float64), 0, Rosenbrock()
    while True:
        at = x.clone().requires_grad_()
        (grad,) = torch.autograd.grad(loss(at), at)
        evaluations += 1
        if evaluations == 37:
            break
        x = x - 1e-3 * grad
    for mode in ("eager", "compiled"):
        (run,) = finish(replace(batch_of(SGD(), [1e-3], 37), mode=mode))
        assert (run.outcome.status, run.outcome.steps) == (Status.MAX_STEPS, 36)
        assert run.outcome.evaluations == 37
        # Observed 2e-16.
        assert torch.allclose(torch.from_numpy(run.outcome.x), x, rtol=0, atol=1e-14)
        assert run.outcome.reason.startswith(
            "the budget stop.evaluations=37 was used up at step 36 with the gradient norm still"
        )


@pytest.mark.parametrize(("optimizer", "lr"), OPTIMIZERS)
def test_a_run_ends_at_the_first_step_that_reaches_the_budget(
    optimizer: Optimizer, lr: list[float]
) -> None:
    spent = [finish(batch_of(optimizer, lr, None, steps))[0].outcome for steps in range(1, 5)]
    counts = [1] + [outcome.evaluations for outcome in spent]
    for budget in {b for count in counts for b in (count - 1, count) if b > 0}:
        run = finish(batch_of(optimizer, lr, budget))[0].outcome
        first = next(step for step, count in enumerate(counts) if count >= budget)
        assert (run.status, run.steps, run.evaluations) == (
            Status.MAX_STEPS,
            first,
            counts[first],
        )


@pytest.mark.parametrize(("optimizer", "lr"), OPTIMIZERS)
def test_neither_other_runs_nor_chunks_matter(optimizer: Optimizer, lr: list[float]) -> None:
    for budget in (2, 33, 34):
        together = batch_of(optimizer, lr, budget)
        sizes = ChunkSizes(first=3, longest=3)
        for row, run in enumerate(finish(together)):
            assert_same_bits(finish(rows_of(together, [row]))[0], run)
            assert_same_bits(finish(together, sizes=sizes)[row], run)


def test_other_endings_come_first() -> None:
    far = batch_of(SGD(), [1e-3], 10_000, steps=7)
    (run,) = finish(far)
    assert "the step limit steps=7 was reached" in run.outcome.reason
    target = Stop(evaluations=5, loss=1e9)
    (run,) = finish(make_batch(Rosenbrock(), start=(-1.2, 1.0), stop=target))
    assert run.outcome.status == Status.TARGET
