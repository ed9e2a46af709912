"""The texts shown before and after a run."""

import shlex
from pathlib import Path

from gdlab import theory
from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.schedules import Constant

_MAX_COORDINATES = 6


def warning(settings: Settings) -> str | None:
    """Return a warning before the run if theory says that it must diverge."""
    if not isinstance(settings.schedule, Constant):
        return None
    limit = theory.stability_limit(settings.objective, settings.optimizer)
    if limit is None or settings.lr <= float(limit):
        return None
    loss, optimizer = settings.name("loss"), settings.name("optimizer")
    return (
        f"lr={settings.lr:g} is above {settings.optimizer.stability_formula()} = {limit:.3g}, the "
        f"stability limit of {optimizer} on this {loss}: the run must diverge"
    )


def explanation(settings: Settings, batch: Batch, outcome: Outcome) -> str | None:
    """Explain why a run diverged, if the curvature at its start tells."""
    if outcome.status != Status.DIVERGED or not isinstance(settings.schedule, Constant):
        return None
    limit = theory.local_stability_limit(batch.loss, settings.optimizer, batch.start[0])
    if limit is None or settings.lr <= limit:
        return None
    formula = settings.optimizer.stability_formula()
    return (
        f"lr={settings.lr:g} is above {formula} = {limit:.3g} at the start; "
        f"try lr ≤ {theory.round_down(limit):g}"
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
    lines = [("steps", f"{outcome.steps} of {settings.steps}"), ("loss", _loss(outcome))]
    lines.append(("gradient norm", f"{outcome.grad_norm:.6g}"))
    lines.append(("point", _point(settings, outcome)))
    metrics = {name: value for name, value in outcome.metrics.items() if value is not None}
    lines += [(name, f"{value:.6g}") for name, value in metrics.items()]
    if outcome.distance is not None:
        lines.append(("distance", f"{outcome.distance:.6g} to the nearest known minimizer"))
    return lines


def _loss(outcome: Outcome) -> str:
    text = f"{outcome.final_loss:.8g}"
    if outcome.suboptimality is not None and outcome.suboptimality != outcome.final_loss:
        text += f", {outcome.suboptimality:.3g} above the minimum"
    if outcome.best_loss < outcome.final_loss:
        text += f" (best {outcome.best_loss:.8g} at step {outcome.best_step})"
    return text


def _point(settings: Settings, outcome: Outcome) -> str:
    names = settings.objective.names[:_MAX_COORDINATES]
    pairs = zip(names, outcome.x.tolist(), strict=False)
    more = len(outcome.x) - len(names)
    text = ", ".join(f"{name}={value:.6g}" for name, value in pairs)
    return text + (f", … ({more} more)" if more > 0 else "")


def prediction_lines(settings: Settings, measured: float | None) -> list[tuple[str, str]]:
    """Return the lines of theory: the measured and the predicted rate, and the fastest lr."""
    loss, optimizer = settings.objective, settings.optimizer
    predicted = theory.predicted_rate(settings)
    lines = []
    if predicted is not None:
        rate = "too few steps to measure" if measured is None else f"{measured:.4g} per step"
        lines.append(("rate", f"{rate} (theory {predicted.per_step:.4g}, {optimizer.theory})"))
    limit, best = theory.stability_limit(loss, optimizer), theory.optimum(loss, optimizer)
    parts = (
        [] if limit is None else [f"stable below lr={limit:.4g} = {optimizer.stability_formula()}"]
    )
    if best is not None:
        momentum = f", momentum={best.momentum:.4g}" if best.momentum else ""
        parts.append(f"fastest with lr={best.lr:.4g}{momentum}")
    return lines + ([("theory", f"{'; '.join(parts)} ({optimizer.theory})")] if parts else [])
