"""What is said on screen before and after a run, in words."""

import shlex
from pathlib import Path

from gdlab import theory
from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.schedules import Constant

_COORDINATES_SHOWN = 6


def warning(settings: Settings) -> str | None:
    """A warning where theory says that the run must diverge, before it starts."""
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
    """Why a run diverged, where the curvature at its start tells."""
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
    """The summary's lines: what, and its value in words; `rate` is measured, as far as it is."""
    view = f"python -m gdlab.view {shlex.quote(str(directory.parent))}"
    files = [("files", str(directory)), ("TensorBoard", view)]
    known = [*settings.objective.about.items(), *prediction_lines(settings, rate)]
    return [*outcome_lines(settings, outcome), *known, *files]


def outcome_lines(settings: Settings, outcome: Outcome) -> list[tuple[str, str]]:
    """The summary's lines that do not speak of files."""
    lines = [("steps", f"{outcome.steps} of {settings.steps}"), ("loss", _loss(outcome))]
    lines.append(("gradient norm", f"{outcome.grad_norm:.6g}"))
    lines.append(("point", _point(settings, outcome)))
    known = {name: value for name, value in outcome.metrics.items() if value is not None}
    lines += [(name, f"{value:.6g}") for name, value in known.items()]
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
    names = settings.objective.names[:_COORDINATES_SHOWN]
    pairs = zip(names, outcome.x.tolist(), strict=False)
    more = len(outcome.x) - len(names)
    shown = ", ".join(f"{name}={value:.6g}" for name, value in pairs)
    return shown + (f", … ({more} more)" if more > 0 else "")


def prediction_lines(settings: Settings, measured: float | None) -> list[tuple[str, str]]:
    """The summary's lines of theory: the measured rate beside the predicted one, and the best."""
    loss, optimizer = settings.objective, settings.optimizer
    predicted = theory.predicted_rate(settings)
    lines = []
    if predicted is not None:
        what = "too few steps to measure" if measured is None else f"{measured:.4g} per step"
        lines.append(("rate", f"{what} (theory {predicted.per_step:.4g}, {optimizer.theory})"))
    limit, best = theory.stability_limit(loss, optimizer), theory.optimum(loss, optimizer)
    words = (
        [] if limit is None else [f"stable below lr={limit:.4g} = {optimizer.stability_formula()}"]
    )
    if best is not None:
        momentum = f", momentum={best.momentum:.4g}" if best.momentum else ""
        words.append(f"fastest with lr={best.lr:.4g}{momentum}")
    return lines + ([("theory", f"{'; '.join(words)} ({optimizer.theory})")] if words else [])
