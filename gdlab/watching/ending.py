"""How a watched loop ended: its outcome, and what it leaves in its directory.

Shapes: n rows.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from gdlab.config.settings import Settings
from gdlab.engine.batch import Stop
from gdlab.engine.history import History
from gdlab.engine.metrics import SHARPNESS
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.errors import where_raised
from gdlab.recording.digests import append_digest
from gdlab.recording.files import write_atomically
from gdlab.recording.history_file import HistoryFile
from gdlab.recording.names import HYDRA
from gdlab.recording.result_file import write_result
from gdlab.runs.batching import batch_of
from gdlab.theory.watched import Watched, diagnose_watched
from gdlab.watching.plane import principal_path
from gdlab.watching.points import Points
from gdlab.watching.records import MEASURED, Records

_CONFIG = ".hydra/config.yaml"
SKIPPED, PATH_EVERY, VARIANCE = "skipped_steps", "path_every", "path_variance"
_LAST = ("lr", SHARPNESS)
_FEWEST = 2  # records that say how a loop went on


@dataclass(frozen=True)
class Ended:
    """A loop that has ended.

    Attributes:
        settings: what was trained.
        outcome: how it ended.
        history: its records, the points in the plane of their principal components.
    """

    settings: Settings
    outcome: Outcome
    history: History


def write_config(directory: Path, config: Mapping[str, Any], choices: Mapping[str, str]) -> None:
    """Write what is trained, in the file and the form of the settings of a run."""
    path = directory / _CONFIG
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, yaml.safe_dump(dict(config), sort_keys=False).encode())
    about = {"hydra": {"runtime": {"choices": dict(choices)}}}
    write_atomically(path.with_name(HYDRA), yaml.safe_dump(about).encode())


def end_of(
    settings: Settings,
    records: Records,
    points: Points,
    skipped: int,
    error: BaseException | None,
) -> Ended:
    """Return how a loop ended, of which at least one step was recorded.

    Args:
        settings: what was trained.
        records: its rows.
        points: its path.
        skipped: the steps that the optimizer did not take.
        error: what ended it; None where it ended by itself.
    """
    history, shares = _history(records, points)
    names = {name for name in history.metrics if name not in MEASURED}
    loss = settings.loss.replace(columns=tuple(history.metrics), shares=tuple(shares.tolist()))
    settings = settings.unchecked(loss=loss)
    status = _status(records, error)
    last = history if status != Status.DIVERGED else history.take(np.isfinite(history.loss))
    metrics = {name: _last_known(history.metrics[name]) for name in sorted(names)}
    metrics |= {PATH_EVERY: points.stride, VARIANCE: float(shares.sum())}
    metrics |= {SKIPPED: skipped} if skipped else {}
    steps = records.count if status != Status.DIVERGED else max(0, records.last_finite)
    outcome = Outcome(
        status=status,
        reason=_reason(status, records, error, last),
        steps=steps,
        final_loss=_end(last.loss),
        best_loss=records.best.loss,
        best_step=records.best.step,
        grad_norm=_end(last.grad_norm),
        x=_last_point(history),
        metrics=metrics,
        evaluations=records.count,
        distance=None,
        suboptimality=None,
        lr_limit=None,
    )
    return Ended(settings, _diagnosed(settings, outcome, history, records), history)


def _history(records: Records, points: Points) -> tuple[History, np.ndarray]:
    """Return the records with their points in the plane, and the shares (2,) of the variance.

    Between steps of which the weights were kept, points lie on a straight line. There are none
    after the last finite loss.
    """
    columns = records.columns()
    step = columns.pop("step")
    kept, rows = points.steps_and_rows()
    last = max(0, records.last_finite)
    path, shares = principal_path(rows[kept <= last])
    steps = kept[kept <= last].numpy()
    x = np.stack([np.interp(step, steps, coordinate) for coordinate in path.T.numpy()], 1)
    x[step > last] = np.nan
    loss, norm, lr = (columns.pop(name) for name in MEASURED)
    return History(step, loss, norm, lr, x, metrics=columns), shares.numpy()


def _status(records: Records, error: BaseException | None) -> Status:
    if isinstance(error, Exception):
        return Status.FAILED
    if error is not None:
        return Status.INTERRUPTED
    return Status.MAX_STEPS if records.last_finite >= records.count - 1 else Status.DIVERGED


def _reason(status: Status, records: Records, error: BaseException | None, last: History) -> str:
    """Say how a loop ended, as a sentence; `last` has the records with a finite loss."""
    after = f"after {records.count:,} step{'s' * (records.count != 1)}"
    if error is not None:
        said = " ".join(f"{type(error).__name__} {after}: {error}".split()).removesuffix(":")
        return said + where_raised(error)
    if status == Status.DIVERGED:
        said = f"the loss is not finite from step {records.last_finite + 1:,} of the loop on"
        if not len(last):
            return said
        taken = f"lr={last.lr[-1]:.6g} and a gradient norm of {last.grad_norm[-1]:.3g}"
        return f"{said}, after a step with {taken}"
    return f"the loop ended {after}"


def _end(values: np.ndarray) -> float:
    return float(values[-1]) if len(values) else math.nan


def _last_known(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else None


def _last_point(history: History) -> np.ndarray:
    finite = history.x[np.isfinite(history.x).all(1)]
    return finite[-1] if len(finite) else history.x[-1]


def _diagnosed(settings: Settings, outcome: Outcome, history: History, records: Records) -> Outcome:
    """Return the outcome with what happened, where the loop ended by itself."""
    known = history.take(np.isfinite(history.loss))
    if outcome.status not in (Status.MAX_STEPS, Status.DIVERGED) or len(known) < _FEWEST:
        return outcome
    batch = batch_of(settings.unchecked(start=(0.0, 0.0), stop=Stop(grad_tol=0.0)))
    limit, step = _limit(settings, known)
    rates = [values for name, values in known.metrics.items() if name.startswith("lr_")]
    rates = [float(np.nan_to_num(values[-1])) for values in (known.lr, *rates)]
    regular = known.take(known.step % records.stride == 0)
    watched = Watched(regular.loss, regular.grad_norm, records.stride, max(rates), limit, step)
    found = diagnose_watched(batch, outcome, watched)[0]
    return dataclasses.replace(
        outcome,
        diagnosis=found.diagnosis,
        explanation=found.explanation,
        lr_limit=None if math.isnan(limit) else limit,
    )


def _limit(settings: Settings, history: History) -> tuple[float, int]:
    """Return the optimizer's largest stable lr at the last known sharpness, and its step."""
    sharpness = history.metrics.get(SHARPNESS, np.empty(0))
    known = np.flatnonzero(np.isfinite(sharpness))
    if not len(known) or sharpness[known[-1]] <= 0:
        return math.nan, 0
    limit = settings.optimizer.max_stable_lr(float(sharpness[known[-1]]))
    return math.nan if limit is None else float(limit), int(history.step[known[-1]])


def write_ended(directory: Path, ended: Ended, config: Mapping[str, Any], seconds: float) -> None:
    """Write the history, the result, what was trained, and the digests of a loop."""
    shares = list(ended.settings.loss.settings()["shares"])
    loss = {**config["loss"], "shares": shares}
    write_config(directory, {**config, "loss": loss}, ended.settings.choices)
    file = HistoryFile(directory, ended.settings)
    file.write(ended.history)
    file.close(ended.outcome, seconds)
    write_result(directory, ended.outcome, 0, seconds)
    for name in (_CONFIG, str(Path(_CONFIG).with_name(HYDRA))):
        append_digest(directory, name)
