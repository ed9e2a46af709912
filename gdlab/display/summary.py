"""The texts shown before and after a run."""

import math
import shlex
from collections.abc import Iterator
from pathlib import Path

import torch

from gdlab import theory
from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.engine.targets import EVALUATIONS_TO
from gdlab.theory.run_end import steps_taken

_MAX_COORDINATES, _MAX_LISTED = 6, 16
_MUCH_LOWER = 0.5
_ROUNDING = 1e-13
"""The share of the loss by which it may differ from the known minimum; 1e-14 was seen."""
_ENDED_BY_ITSELF = (Status.CONVERGED, Status.MAX_STEPS, Status.DIVERGED)
_NO_CURE = (theory.Diagnosis.RAW, theory.Diagnosis.MINIMUM)
"""Standardized columns are advised already, or nothing is wrong."""

_TOO_LARGE = (
    theory.Diagnosis.UNSTABLE,
    theory.Diagnosis.GROWING,
    theory.Diagnosis.OSCILLATING,
    theory.Diagnosis.NOISY,
    theory.Diagnosis.OUTSIDE,
    None,
)
"""What a smaller learning rate may cure; a run may also diverge for no known reason."""

_TOO_LARGE_OR_SMALL = (theory.Diagnosis.DESCENDING, theory.Diagnosis.STANDSTILL)
_RESTLESS = (
    theory.Diagnosis.UNSTABLE,
    theory.Diagnosis.GROWING,
    theory.Diagnosis.OSCILLATING,
    theory.Diagnosis.NOISY,
)
"""What a falling learning rate may cure, if the run did not diverge."""


def warning(settings: Settings) -> str | None:
    """Return a warning before the run if lr is above the stability limit."""
    limit = theory.stability_limit.of(settings)
    if limit is None or settings.lr <= limit:
        return None
    loss, optimizer = settings.name("loss"), settings.name("optimizer")
    return (
        f"lr={settings.lr:g} is above {settings.optimizer.stability_formula()} = {limit:.3g}, the "
        f"stability limit of {optimizer} on this {loss}: the run diverges from almost every start"
    )


def explanation(settings: Settings, batch: Batch, outcome: Outcome) -> str | None:
    """Say what happened in a run, and what to try; None if nothing is known.

    Another setting is tried before it is named, and named only if it does better.
    """
    if outcome.status == Status.FAILED:
        return None  # its reason says all, and the loss may fail again
    if cured := _cured_by_standardizing(batch, outcome):
        return f"{outcome.explanation}; {cured}" if outcome.explanation else cured
    said = [outcome.explanation]
    limit = outcome.lr_limit
    if limit is None and outcome.diagnosis in _TOO_LARGE:
        # At the start, which would be too much work for each run of a sweep.
        limit = theory.local_stability_limit(batch.loss, settings.optimizer, batch.start[0])
        if limit is not None and settings.lr > limit:
            formula = settings.optimizer.stability_formula()
            said.append(f"lr={settings.lr:g} is above {formula} = {limit:.3g} at the start")
    escapes = _escapes(batch, outcome)
    if escapes:
        said.append(escapes)
    else:
        ends = _slowness(batch, outcome)
        said += [] if ends is None else [str(ends)]
        said += map(str, _advice(settings, batch, outcome, limit, ends))
    return "; ".join(text for text in said if text) or None


def _advice(
    settings: Settings,
    batch: Batch,
    outcome: Outcome,
    limit: float | None,
    ends: theory.Slowness | None,
) -> Iterator[theory.Trial]:
    """Yield what was tried and did better."""
    if outcome.status not in (Status.MAX_STEPS, Status.DIVERGED):
        return
    if outcome.diagnosis in _RESTLESS and outcome.status == Status.MAX_STEPS:
        falling = theory.with_falling_rate(batch, outcome)
        if falling is not None:
            yield falling
    if outcome.diagnosis in _TOO_LARGE:
        rates = theory.rates_below(settings.lr, limit, settings.optimizer.default_lr)
    elif outcome.diagnosis in _TOO_LARGE_OR_SMALL:
        rates = theory.rates_around(settings.lr, limit)
    else:
        return
    trial = theory.best_rate(batch, outcome, rates)
    # Shorter steps may reach the edge of the domain later.
    is_lost = outcome.diagnosis == theory.Diagnosis.OUTSIDE
    if trial is not None and (trial.has_converged or not is_lost):
        yield trial
    if outcome.diagnosis == theory.Diagnosis.DESCENDING:
        faster = theory.with_momentum(batch, outcome, ends)
        if faster is not None and (trial is None or faster.loss < _MUCH_LOWER * trial.loss):
            yield faster


def _slowness(batch: Batch, outcome: Outcome) -> theory.Slowness | None:
    """Return how slow the slowest direction is, of a run that goes on; None of others."""
    is_asked = outcome.diagnosis == theory.Diagnosis.DESCENDING
    return theory.slowness(batch, outcome) if is_asked else None


def _escapes(batch: Batch, outcome: Outcome) -> str | None:
    """Say that the loss falls towards 0 without a minimum, if it does where the run ended."""
    if outcome.diagnosis != theory.Diagnosis.DESCENDING:
        return None
    if not theory.falls_to_zero(batch.loss, torch.from_numpy(outcome.x).to(batch.start)):
        return None
    if hasattr(batch.loss, "penalty"):
        return (
            "the model separates the classes, so that the loss falls towards 0 as its parameters "
            "grow, without a minimum; loss.penalty=0.01 gives it one"
        )
    return "the loss falls towards 0 as the coordinates grow, and has no minimum there"


def _cured_by_standardizing(batch: Batch, outcome: Outcome) -> str | None:
    """Say what standardized columns change, as tried with the same lr; None if little."""
    if outcome.status not in _ENDED_BY_ITSELF or outcome.diagnosis in _NO_CURE:
        return None
    trial = theory.with_standardized(batch)
    if trial is None or trial.loss > _MUCH_LOWER * outcome.final_loss:
        return None
    return (
        f"with loss.standardize=true the loss is {trial.loss:.4g} after {steps_taken(trial.steps)}"
    )


def summary(
    settings: Settings, outcome: Outcome, directory: Path, rate: float | None
) -> list[tuple[str, str]]:
    """Return the lines of the summary, names and texts; `rate` is the measured one, if any."""
    files = [("files", str(directory))]
    if settings.record.events:
        view = f"python -m gdlab.view {shlex.quote(str(directory.parent))}"
        files.append(("TensorBoard", view))
    about = settings.objective.about.items()
    predictions = prediction_lines(settings, rate)
    return [*outcome_lines(settings, outcome), *about, *predictions, *files]


def outcome_lines(settings: Settings, outcome: Outcome) -> list[tuple[str, str]]:
    """Return the lines of the summary about the outcome."""
    lines = [("steps", f"{outcome.steps} of {settings.steps}")]
    if outcome.status != Status.FAILED or not math.isnan(outcome.final_loss):
        lines.append(("loss", _loss(outcome)))
    if not math.isnan(outcome.final_loss):
        lines.append(("gradient norm", f"{outcome.grad_norm:.6g}"))
    lines.append(("point", _point(settings, outcome)))
    metrics = {name: value for name, value in outcome.metrics.items() if value is not None}
    reached = {name: spent for name, spent in metrics.items() if name.startswith(EVALUATIONS_TO)}
    lines += [(k, f"{value:.6g}") for k, value in metrics.items() if k not in reached]
    if reached:
        words = [f"{n:.0f} to {name.removeprefix(EVALUATIONS_TO)}" for name, n in reached.items()]
        lines.append(("evaluations", ", ".join(words)))
    if outcome.distance is not None:
        lines.append(("distance", f"{outcome.distance:.6g} to the nearest known minimizer"))
    return lines


def _loss(outcome: Outcome) -> str:
    text = f"{outcome.final_loss + 0.0:.8g}"  # never -0
    above = outcome.suboptimality
    if above is not None and above != outcome.final_loss:
        is_lost = abs(above) <= _ROUNDING * abs(outcome.final_loss)
        where = "above the minimum" if above >= 0 else "below the known minimum"
        away = f"{abs(above):.3g} {where}"
        text += ", the known minimum up to rounding" if is_lost else f", {away}"
    best = f"{outcome.best_loss:.8g}"
    if outcome.best_loss < outcome.final_loss and best != f"{outcome.final_loss:.8g}":
        text += f" (best {best} at step {outcome.best_step})"
    return text


def _point(settings: Settings, outcome: Outcome) -> str:
    if len(outcome.x) > _MAX_LISTED:
        return f"{len(outcome.x):,} coordinates, in result.json"
    names = settings.objective.names[:_MAX_COORDINATES]
    pairs = zip(names, outcome.x.tolist(), strict=False)
    more = len(outcome.x) - len(names)
    text = ", ".join(f"{name}={value:.6g}" for name, value in pairs)
    return text + (f", … ({more} more)" if more > 0 else "")


def prediction_lines(settings: Settings, measured: float | None) -> list[tuple[str, str]]:
    """Return the lines of theory: the measured and the predicted rate, and the fastest lr."""
    predicted, source = theory.predicted_rate(settings), settings.optimizer.theory
    lines = []
    if predicted is not None:
        rate = "too few steps to measure" if measured is None else f"{_rate(measured)} per step"
        of_theory = f"theory {_rate(predicted.per_step)} from almost every start, {source}"
        lines.append(("rate", f"{rate} ({of_theory})"))
    if parts := [*_stability(settings), *_fastest(settings)]:
        lines.append(("theory", f"{'; '.join(parts)} ({source})"))
    return lines


def _rate(factor: float) -> str:
    """Format the factor of a step with four digits, or its distance from 1 where they are lost."""
    text = f"{factor:.4g}"
    if text != "1" or factor == 1:
        return text
    return f"1 {'-' if factor < 1 else '+'} {abs(1 - factor):.2g}"


def _stability(settings: Settings) -> Iterator[str]:
    """Say which constant lr are stable."""
    limit, negative = theory.stability_limit.of(settings), theory.growth.of(settings)
    if limit is not None:
        is_definite = theory.Premise.DEFINITE in theory.premises_of(settings)
        # Without a unique minimizer, nothing is known of what happens below.
        side = "stable below" if is_definite else "unstable above"
        yield f"{side} lr={limit:.4g} = {settings.optimizer.stability_formula()}"
    if negative is not None:
        why = f"the Hessian has the eigenvalue {negative:.4g}"
        yield f"grows at every lr from almost every start: {why}"


def _fastest(settings: Settings) -> Iterator[str]:
    """Say which constant lr and momentum are fastest."""
    best = theory.optimum.of(settings)
    if best is not None:
        momentum = ""
        if best.momentum is not None:
            momentum = f", momentum={theory.below_one(float(best.momentum), 4)}"
        limit = theory.stability_limit.of(settings)
        is_next = limit is not None and f"{limit:.4g}" == f"{best.lr:.4g}"
        yield f"fastest {'just below it' if is_next else f'with lr={best.lr:.4g}'}{momentum}"
