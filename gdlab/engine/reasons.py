"""How and why a run ended, as a sentence."""

from dataclasses import dataclass

import numpy as np

from gdlab.engine.batch import Stop
from gdlab.engine.status import Status
from gdlab.errors import describe_gpu_memory, where_raised
from gdlab.optimizers.oracle import Obstacle

_NO_BETTER = "the optimizer found no better point after step {}"
_OBSTACLES = {
    Obstacle.NO_BETTER_POINT: _NO_BETTER,
    Obstacle.OUT_OF_TRIALS: "the search after step {} spent optimizer.max_trials without a lower"
    " loss; lower lr or raise max_trials",
    Obstacle.TOO_SHORT: f"{_NO_BETTER}: its steps are lost in the rounding of the point;"
    " a larger lr may help",
    Obstacle.NO_STEP: "the equations for the step after step {} have no finite solution, as with a"
    " singular matrix",
}
"""What ended a run that stalled after a number of steps."""

TOLD_BY_STEPS = (Status.CONVERGED, Status.MAX_STEPS)
"""Statuses whose sentence is the same for all runs of a batch that took as many steps."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The end of one run.

    Attributes:
        status: how it ended.
        steps: the number of steps taken.
        loss: the loss at the last point.
        norm: the gradient norm there.
        obstacle: what ended a run that stalled.
        error: what ended a run that failed.
        validated_every: the number of steps between two validation losses.
    """

    status: Status
    steps: int
    loss: float
    norm: float
    obstacle: Obstacle
    error: BaseException | None
    validated_every: int = 1


def describe_ending(end: Ending, stop: Stop, most: int) -> str:
    """Say what ended a run, and what to do about it.

    Args:
        end: of the run.
        stop: its stopping criteria.
        most: its maximum number of steps.
    """
    if end.status == Status.CONVERGED:
        return f"the gradient norm fell to stop.grad_tol={stop.grad_tol:g} at step {end.steps}"
    if end.status == Status.TARGET:
        return f"the loss fell to {_describe_target(end, stop)} at step {end.steps}"
    if end.status == Status.MAX_STEPS:
        above = f"the gradient norm still above stop.grad_tol={stop.grad_tol:g}"
        if stop.evaluations is not None and end.steps < most:
            used = f"the budget stop.evaluations={stop.evaluations} was used up at step {end.steps}"
            return f"{used} with {above}; raise it"
        return f"the step limit steps={end.steps} was reached with {above}"
    if end.status == Status.EARLY_STOPPED:
        assert stop.patience is not None
        lowest = end.steps - stop.patience * end.validated_every
        since = f"the stop.patience={stop.patience} values since, up to step {end.steps}"
        return f"the validation loss was lowest at step {lowest}; {since}, were not lower"
    if end.status == Status.STALLED:
        what = _OBSTACLES[end.obstacle].format(end.steps)
        return f"{what}; the gradient norm there is {end.norm:.3g}"
    if end.status == Status.DIVERGED:
        return _describe_divergence(end, stop)
    if end.error is not None:
        lacking = describe_gpu_memory(end.error)
        if lacking is not None:
            return f"{lacking} (after step {end.steps})"
        kind = type(end.error).__name__
        said = " ".join(f"{kind} after step {end.steps}: {end.error}".split())
        return said + where_raised(end.error)
    return f"{end.status} after step {end.steps}"


def _describe_target(end: Ending, stop: Stop) -> str:
    """Say which target a run reached."""
    if stop.loss is not None and end.loss <= stop.loss:
        return f"stop.loss={stop.loss:g}"
    assert stop.targets is not None
    return f"{end.loss:.6g}, within {stop.targets[-1]:g} of the start's height above the minimum,"


def _describe_divergence(end: Ending, stop: Stop) -> str:
    """Say what diverged."""
    if stop.max_loss is not None and abs(end.loss) > stop.max_loss:
        return f"|loss| passed stop.max_loss={stop.max_loss:g} at step {end.steps}"
    if end.steps == 0 and not (np.isfinite(end.loss) and np.isfinite(end.norm)):
        return "the loss, its gradient or the point is not finite at the start"
    return f"the loss, its gradient or the point is no longer finite after step {end.steps}"
