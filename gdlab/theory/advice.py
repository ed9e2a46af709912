"""A learning rate to try after a run that diverged, tried before it is advised.

Shapes: D dimensions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from gdlab.engine.batch import Batch
from gdlab.engine.loop import advance
from gdlab.engine.outcome import Outcomes
from gdlab.engine.status import Status
from gdlab.theory.raw_columns import standardized_if_uneven
from gdlab.theory.sharpness import round_down

_MOST_STEPS, _FEWEST_STEPS = 300, 50  # of a trial, or all steps of the run
_MOST_EVALUATIONS = 1000  # of all trials together
_MOST_WORK = 2 * 10**9  # coordinates times examples of all evaluations: about a second
_MOST_TRIALS = 20
_BELOW = 0.99  # of the limit, where a run would go back and forth
_LOST = (Status.DIVERGED, Status.FAILED, Status.INTERRUPTED)


@dataclass(frozen=True)
class Trial:
    """A short run with another learning rate.

    Attributes:
        lr: the learning rate.
        steps: the number of steps taken.
        loss: the loss after them. It is below that at the start, and its gradient is smaller.
    """

    lr: float
    steps: int
    loss: float


def first_stable(batch: Batch, limit: float) -> Trial | None:
    """Return the first trial that lowers both the loss and its gradient; None if there is none.

    A loss that falls while its gradient grows may have no minimum, as at a saddle. The trials begin
    just below a limit and at least halve lr each time. Their cost is bounded in evaluations of the
    gradient, so that the answer does not depend on a clock.

    Args:
        batch: the batch of one run that diverged, with a constant schedule.
        limit: a learning rate above which the run is expected to diverge.
    """
    left = _affordable_evaluations(batch)
    for lr in _halved(_BELOW * limit):
        steps = min(batch.steps, _MOST_STEPS, left)
        if steps < min(batch.steps, _FEWEST_STEPS):
            return None
        trial, evaluations = _try(batch, lr, steps)
        if trial is not None:
            return trial
        left -= evaluations
    return None


def with_standardized(batch: Batch) -> Trial | None:
    """Try a run over raw columns with standardized ones and the same learning rate.

    None if it has no raw columns on different scales, or the trial ends badly.
    """
    other = standardized_if_uneven(batch.loss)
    steps = min(batch.steps, _MOST_STEPS, _affordable_evaluations(batch))
    if other is None or steps < min(batch.steps, _FEWEST_STEPS):
        return None
    trial = replace(batch, loss=other.to(batch.start.dtype, batch.start.device))
    return _try(trial, float(batch.lr[0]), steps)[0]


def _affordable_evaluations(batch: Batch) -> int:
    examples = batch.loss.minibatch or batch.loss.examples or 1
    return min(_MOST_EVALUATIONS, _MOST_WORK // (examples * max(1, batch.loss.dim)))


def _halved(limit: float) -> Iterator[float]:
    """Yield learning rates of one digit, each at most half of the one before."""
    for _ in range(_MOST_TRIALS):
        limit = round_down(limit)
        yield limit
        limit /= 2


def _try(batch: Batch, lr: float, steps: int) -> tuple[Trial | None, int]:
    """Run some steps with a learning rate; return the trial if it is good, and its evaluations."""
    rates = torch.full_like(batch.lr, lr)
    short = replace(batch, lr=rates, steps=steps, mode="eager", full_every=steps, intervals={})
    outcomes, chunks = Outcomes(short), advance(short)
    first = next(chunks)
    for chunk in (first, *chunks):
        outcomes.add(chunk)
    end = outcomes[0]
    if end.status in _LOST or not len(first.loss):
        return None, end.evaluations
    is_lower = end.final_loss < float(first.loss[0, 0])
    is_good = is_lower and end.grad_norm < float(first.grad_norm[0, 0])
    return (Trial(lr, end.steps, end.final_loss) if is_good else None), end.evaluations
