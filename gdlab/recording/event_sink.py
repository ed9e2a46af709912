"""The event file of a run: scalars, settings and hyperparameters for TensorBoard."""

import re
from collections.abc import Mapping
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from gdlab.config.settings import Settings
from gdlab.console import visible
from gdlab.engine.history import History
from gdlab.engine.metrics import SHARPNESS
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.fields.declared import find_field
from gdlab.fields.formatting import format_value
from gdlab.recording.event_file import EventWriter
from gdlab.recording.thinning import thinned_steps
from gdlab.theory import predicted_rate

_MAX_COORDINATES = 4
_MARKUP = re.compile(r"[\\`*\[\]]|(?<![^\W_])_|_(?![^\W_])")  # an underscore inside a word is none
_BOUND, _EDGE = "theory/suboptimality", "2/lr"
_WITHOUT_EFFECT = ("record.", "engine.", "summary.")  # on the result


class EventSink:
    """A sink that writes a run's event file.

    Scalars: loss, grad_norm, lr, distance and suboptimality (where known, with its bound where
    theory has one), up to four coordinates, and the metrics, with 2/lr next to the sharpness; at
    most 1,000 points of each, always the first and the last. Quantities computed only at steps 0,
    n, 2n, … have points only there. Texts: the settings, and the loss's `about`. Hyperparameters:
    the settings, with the last values of the scalars as metrics.

    Args:
        directory: the run's directory.
        settings: the run's settings.
        flush_seconds: as in `EventWriter`.
    """

    def __init__(self, directory: Path, settings: Settings, *, flush_seconds: float = 1.0) -> None:
        self.writer = EventWriter(directory, flush_seconds=flush_seconds)
        self._metrics = settings.metrics
        has_gaps = settings.loss.minibatch is not None
        self._loss_every = settings.record.full_loss_every if has_gaps else 1
        periods = (1, self._loss_every, *(metric.every for metric in self._metrics.values()))
        self._steps = _steps_by_period(settings.most_steps, frozenset(periods))
        names = settings.objective.names
        self._coordinates = names if len(names) <= _MAX_COORDINATES else ()
        self._last: History | None = None
        flat = settings.flat()
        texts = {key: visible(format_value(value)) for key, value in flat.items()}
        lines = "\n".join(f"{key}: {text}" for key, text in texts.items())
        self.writer.text("settings", f"```yaml\n{lines}\n```")
        about = "\n".join(
            visible(f"{title}: {text}") for title, text in settings.objective.about.items()
        )
        if about:
            self.writer.text("about", f"```text\n{about}\n```")
        self.writer.hparams(directory.name, _hparams(settings, flat, texts))
        self._rate, self._first = predicted_rate(settings), None
        charts = {}
        if self._rate is not None:
            charts["suboptimality against its bound"] = ("suboptimality", _BOUND)
        if SHARPNESS in self._metrics:
            charts["sharpness against 2/lr"] = (SHARPNESS, _EDGE)
        if charts:
            self.writer.charts(charts)

    def write(self, piece: History) -> None:
        """Write the records to show, except the last one, which may be the run's last."""
        if len(piece) == 0:
            return
        if self._last is not None:
            piece = History.join([self._last, piece])
        self._last = piece.take(np.array([-1]))
        self._write_scalars(piece.take(slice(-1)))

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Write the last record and how the run ended."""
        if self._last is not None:
            self._write_scalars(self._last, is_last=True)
        if outcome is not None:
            self.writer.text("outcome", f"**{outcome.status}**: {as_markdown(outcome.reason)}")
        self.writer.end_session(outcome is not None and outcome.status != Status.FAILED)
        self.writer.close()

    def _write_scalars(self, records: History, *, is_last: bool = False) -> None:
        """Write records, each tag at its own steps; the last record has a point of every tag.

        A run's last record has no learning rate.
        """
        if len(records) == 0:
            return
        tags: dict[int, dict[str, np.ndarray]] = {every: {} for every in self._steps}
        full = tags[self._loss_every]
        full |= {"loss": records.loss, "grad_norm": records.grad_norm}
        if records.suboptimality is not None:
            full["suboptimality"] = records.suboptimality
            if self._rate is not None:
                self._first = records.suboptimality[0] if self._first is None else self._first
                full[_BOUND] = self._rate.bound(records.step, self._first)
        tags[1] |= {f"x/{name}": records.x[:, i] for i, name in enumerate(self._coordinates)}
        if records.distance is not None:
            tags[1]["distance"] = records.distance
        for name, values in records.metrics.items():
            tags[self._metrics[name].every][name] = values
        if not np.isnan(records.lr).any():
            tags[1]["lr"] = records.lr
            if SHARPNESS in self._metrics:
                with np.errstate(over="ignore"):
                    edge = 2 / records.lr.astype(np.float64)
                tags[self._metrics[SHARPNESS].every][_EDGE] = edge
        for every, values in tags.items():
            rows = slice(None) if is_last else np.isin(records.step, self._steps[every])
            steps = records.step[rows]
            if len(steps) and values:
                self.writer.scalars(steps, {k: v[rows] for k, v in values.items()})


def as_markdown(text: str) -> str:
    """Return Markdown that shows a text as it is: no markup, HTML or formula."""
    plain = _MARKUP.sub(r"\\\g<0>", escape(visible(text), quote=False))
    return plain.replace("$", "&#36;")


@lru_cache(maxsize=16)  # shared by the runs of a group
def _steps_by_period(steps: int, periods: frozenset[int]) -> Mapping[int, np.ndarray]:
    """Return the steps at which to show a quantity, by the period at which it is computed."""
    thinned = thinned_steps(steps)
    return {every: np.unique(thinned // every * every) for every in sorted(periods)}


def _hparams(
    settings: Settings, flat: Mapping[str, Any], texts: Mapping[str, str]
) -> dict[str, bool | int | float | str]:
    """Return the settings that are set and affect the result.

    The declared type decides whether a cell is a number, a bool or a text, not the value: a column
    of the HParams table with cells of two types cannot be sorted or filtered.
    """
    cells = {}
    for key, value in flat.items():
        if value is not None and not key.startswith(_WITHOUT_EFFECT):
            field = find_field(settings, key)
            is_text = field is None or field.scalar is None
            cells[key] = texts[key] if is_text else value
    return cells
