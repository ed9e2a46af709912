"""Other settings to try after a run, tried before they are advised.

Shapes: R trials, D dimensions.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from gdlab.engine.batch import Batch
from gdlab.engine.loop import advance
from gdlab.engine.outcome import Outcome, Outcomes
from gdlab.engine.status import Status
from gdlab.optimizers import HeavyBall
from gdlab.schedules import Constant, Cosine
from gdlab.theory.diagnosis import Diagnosis, diagnose
from gdlab.theory.escaping import falls_to_zero
from gdlab.theory.raw_columns import standardized_if_uneven
from gdlab.theory.run_end import steps_taken
from gdlab.theory.sharpness import below_one, round_down
from gdlab.theory.slowness import Slowness

_MOST_STEPS, _FEWEST_STEPS = 1000, 50  # of a trial, or all steps of the run
_MOST_COSTLY_STEPS = 100  # of a trial of an optimizer that searches lines or solves equations
_MOST_WORK = 2 * 10**9  # coordinates times examples of all evaluations: about a second
_ALIKE = 1e-6  # of the fall of the loss; trials that differ by less are equally good
_LEVEL = 1 + 1e-9  # of the first gradient norm; that of |x| is the same everywhere
_LOST = (Status.DIVERGED, Status.FAILED, Status.INTERRUPTED)

_MOMENTUM = 0.9
"""The momentum that most would try first."""

_RESTLESS = (Diagnosis.UNSTABLE, Diagnosis.GROWING, Diagnosis.OSCILLATING)
"""Ends of trials that need advice themselves."""

_BELOW_LIMIT = (0.99, 0.5, 0.25, 0.1, 0.05, 0.01, 1e-3, 1e-4)
"""Shares of the stability limit to try; at the limit itself a run goes back and forth."""

_LOWER = (0.5, 0.1, 0.01, 0.2, 0.05, 1e-3, 1e-4, 1e-6)
"""Multiples of a learning rate that is too large, those first that are tried of a costly loss."""

_OTHER = (10.0, 0.1, 2.0, 100.0, 0.01, 0.5, 5.0, 1e3, 1e4)
"""Multiples of a learning rate that is too large or too small."""


class _Start(NamedTuple):
    """The loss, or its negative where it is maximized, and the gradient norm at the start."""

    cost: float
    norm: float


@dataclass(frozen=True)
class Trial:
    """A run with another setting.

    Attributes:
        change: the setting, as one would type it.
        steps: the number of steps taken.
        loss: the loss after them.
        has_converged: whether its gradient vanished.
        beaten: the loss of the run that it beats; NaN where they are not compared.
    """

    change: str
    steps: int
    loss: float
    has_converged: bool
    beaten: float = math.nan

    @classmethod
    def of(cls, change: str, end: Outcome, run: Outcome | None = None) -> "Trial":
        """Describe the end of a trial, and of the run that it beats."""
        beaten = math.nan if run is None else run.final_loss
        return cls(change, end.steps, end.final_loss, end.status == Status.CONVERGED, beaten)

    def __str__(self) -> str:
        loss = _apart(self.loss, self.beaten)
        return f"try {self.change}: the loss is {loss} after {steps_taken(self.steps)}"


def _apart(value: float, other: float) -> str:
    """Format a number with four digits, or more until another number looks different."""
    texts = [(f"{value:.{digits}g}", f"{other:.{digits}g}") for digits in range(4, 18)]
    return next((text for text, of_other in texts if text != of_other), texts[0][0])


def rates_below(lr: float, limit: float | None, default: float) -> list[float]:
    """Return learning rates to try, each of one digit, in place of one that is too large.

    Args:
        lr: the learning rate.
        limit: its stability limit; None if unknown.
        default: the optimizer's own learning rate, tried if it is lower and no limit is known.
    """
    if limit is None:
        return _of_one_digit(lr, [*(factor * lr for factor in _LOWER), min(lr, default)])
    return _of_one_digit(lr, (share * min(lr, limit) for share in _BELOW_LIMIT))


def rates_around(lr: float, limit: float | None) -> list[float]:
    """Return learning rates to try in place of one that may be too large or too small."""
    near_limit = [] if limit is None else [0.99 * limit, 0.5 * limit]
    return _of_one_digit(lr, [*near_limit, *(factor * lr for factor in _OTHER)])


def best_rate(batch: Batch, outcome: Outcome, rates: Sequence[float]) -> Trial | None:
    """Try learning rates, all at once, and return the best trial if it beats the run.

    Args:
        batch: the batch of one run.
        outcome: its end.
        rates: those to try, the most likely first: a costly loss allows a few only.
    """
    steps = min(batch.steps, _MOST_STEPS)
    rates = rates[: max(1, _affordable_steps(batch) // max(1, steps))]
    steps = _steps_of_trial(batch)
    if steps is None or not rates:
        return None
    several = _repeated(batch, len(rates))
    trials = replace(several, lr=batch.lr.new_tensor(rates), steps=steps)
    ends, first = _run(trials)
    good = [k for k in range(len(rates)) if _is_better(batch, ends[k], outcome, first)]
    while good:
        costs = {k: _cost(batch, ends[k].final_loss) for k in good}
        lowest = min(costs.values())
        alike = [k for k in good if costs[k] <= lowest + _ALIKE * (first.cost - lowest)]
        best = min(alike, key=lambda k: (ends[k].steps, costs[k], rates[k]))
        if _is_calm(trials, ends, best, outcome):
            return Trial.of(f"lr={rates[best]:g}", ends[best], outcome)
        good.remove(best)
    return None


def with_falling_rate(batch: Batch, outcome: Outcome) -> Trial | None:
    """Try a learning rate that falls; None if it falls already, or that does not beat the run."""
    steps = _steps_of_trial(batch)
    if not isinstance(batch.schedule, Constant) or steps is None or steps < batch.steps:
        return None
    ends, first = _run(replace(batch, schedule=Cosine(), steps=steps))
    end = ends[0]
    is_better = _is_better(batch, end, outcome, first)
    return Trial.of("schedule=cosine", end, outcome) if is_better else None


def with_momentum(batch: Batch, outcome: Outcome, ends: Slowness | None) -> Trial | None:
    """Try momentum after a run without it; None if it has none to set, or nothing beats the run.

    Args:
        batch: the batch of one run.
        outcome: its end.
        ends: the ends of the spectrum there, for which Polyak's settings are optimal; None if they
            are unknown.
    """
    optimizer, lr, steps = batch.optimizer, float(batch.lr[0]), _steps_of_trial(batch)
    is_without = getattr(optimizer, "momentum", None) == 0 and optimizer.coupled_decay == 0
    if steps is None or not is_without or optimizer.component(lr, 1.0) is None:
        return None
    tried = [(lr, _MOMENTUM)]
    best = None if ends is None else HeavyBall().optimum(ends.least, ends.largest)
    if best is not None and best.momentum is not None and best.momentum < 1:
        tried.append((float(f"{best.lr:.3g}"), float(below_one(float(best.momentum), 3))))
    good = []
    for rate, momentum in tried:
        other = replace(optimizer, momentum=momentum)  # pyright: ignore[reportCallIssue]
        trials = replace(batch, optimizer=other, lr=batch.lr.new_tensor([rate]), steps=steps)
        found, first = _run(trials)
        is_better = _is_better(batch, found[0], outcome, first)
        if is_better and _is_calm(trials, found, 0, outcome):
            change = f"optimizer.momentum={momentum}" + (f" lr={rate:g}" if rate != lr else "")
            good.append(Trial.of(change, found[0], outcome))
    return min(good, key=lambda trial: (trial.loss, trial.steps), default=None)


def with_standardized(batch: Batch) -> Trial | None:
    """Try a run over raw columns with standardized ones and the same learning rate.

    None if it has no raw columns on different scales, or the trial ends badly.
    """
    other, steps = standardized_if_uneven(batch.loss), _steps_of_trial(batch)
    if other is None or steps is None:
        return None
    loss = other.to(batch.start.dtype, batch.start.device)
    ends, first = _run(replace(batch, loss=loss, steps=steps))
    end = ends[0]
    return Trial.of("loss.standardize=true", end) if _descends(batch, end, first) else None


def _of_one_digit(lr: float, values: Iterable[float]) -> list[float]:
    """Round values down to one digit, each once, without one's own learning rate."""
    rounded = dict.fromkeys(round_down(value) for value in values if 0 < value < math.inf)
    return [value for value in rounded if value != lr]


def _affordable_steps(batch: Batch) -> int:
    """The steps that all trials may take, one after the other."""
    examples = batch.loss.minibatch or batch.loss.examples or 1
    return _MOST_WORK // (examples * max(1, batch.loss.dim))


def _steps_of_trial(batch: Batch) -> int | None:
    """The steps of a trial; None if too few are affordable, or a schedule needs all of them.

    They are counted, so that the answer does not depend on a clock.
    """
    most = _MOST_COSTLY_STEPS if batch.optimizer.needs else _MOST_STEPS
    steps = min(batch.steps, most, _affordable_steps(batch))
    needed = _FEWEST_STEPS if isinstance(batch.schedule, Constant) else batch.steps
    return steps if steps >= min(batch.steps, needed) else None


def _repeated(batch: Batch, count: int) -> Batch:
    """Return a batch that has the one run of a batch several times."""

    def repeat(column: torch.Tensor) -> torch.Tensor:
        return column.expand(count, *column.shape[1:])

    return replace(
        batch,
        seed=repeat(batch.seed),
        start=repeat(batch.start),
        noise=repeat(batch.noise),
        dof=None if batch.dof is None else repeat(batch.dof),
    )


def _run(batch: Batch) -> tuple[Outcomes, _Start]:
    """Run trials from the same start; return how they ended, and what the start is like."""
    short = replace(batch, mode="eager", full_every=batch.steps, intervals={})
    outcomes = Outcomes(short)
    for chunk in advance(short):
        outcomes.add(chunk)
    records = outcomes.evidence
    first = _Start(_cost(batch, float(records.first_loss[0])), float(records.first_norm[0]))
    return outcomes, first


def _cost(batch: Batch, loss: float) -> float:
    """Return what a run lowers."""
    return -loss if batch.optimizer.maximizes else loss


def _descends(batch: Batch, end: Outcome, first: _Start) -> bool:
    """Whether a trial lowered the loss, and not by means of growing gradients.

    A loss that falls while its gradient grows may have no minimum, as at a saddle.
    """
    is_lower = _cost(batch, end.final_loss) < first.cost
    return end.status not in _LOST and is_lower and end.grad_norm <= _LEVEL * first.norm


def _is_calm(trials: Batch, ends: Outcomes, row: int, run: Outcome) -> bool:
    """Whether a trial needs no advice itself, and did not end where all is flat, far away.

    Around a kink it oscillates as the run did, but closer.
    """
    diagnose(trials, ends, [row])
    end = ends[row]
    if end.diagnosis in _RESTLESS:
        return end.diagnosis == run.diagnosis == Diagnosis.OSCILLATING
    point = torch.from_numpy(end.x).to(trials.start)
    return end.status != Status.CONVERGED or not falls_to_zero(trials.loss, point)


def _is_better(batch: Batch, end: Outcome, run: Outcome, first: _Start) -> bool:
    """Whether a trial ended well, and lower than the run ended and ever was."""
    if not _descends(batch, end, first):
        return False
    if run.status in _LOST:
        return True
    cost = _cost(batch, end.final_loss)
    is_visible = not _cost(batch, run.final_loss) - cost <= _ALIKE * (first.cost - cost)
    # The best of many losses moved by noise is luck, and the best loss of an ascent its worst.
    is_luck = run.diagnosis == Diagnosis.NOISY or batch.optimizer.maximizes
    return is_visible and (is_luck or cost <= run.best_loss)
