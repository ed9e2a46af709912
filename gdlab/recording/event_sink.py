"""The event file of a run: scalars, settings and hyperparameters for TensorBoard."""

import time
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from gdlab.config.settings import GROUPS, Settings
from gdlab.console import visible
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.fields.declared import Configured, find_field, flatten
from gdlab.fields.formatting import format_value
from gdlab.fields.remembered import remembered
from gdlab.recording.curves import Curves
from gdlab.recording.event_file import EventWriter
from gdlab.recording.run_text import as_block, summarize, trial_name
from gdlab.recording.thinning import MAX_POINTS

_WITHOUT_EFFECT = ("record", "engine", "summary")  # on the result

Cell: TypeAlias = bool | int | float | str
"""A value in the HParams table."""


class EventSink:
    """A sink that writes a run's event file.

    Scalars: those of `Curves`. Texts, by name as TensorBoard sorts them: the outcome, the problem
    (the loss's `about`) and the settings. Hyperparameters: how the run ended and its settings, with
    the last values of the scalars as metrics; TensorBoard keeps the first record of them, so it is
    written at the end.

    Args:
        directory: the run's directory.
        settings: the run's settings.
        flush_seconds: as in `EventWriter`.
        points: the most points of a scalar.
    """

    def __init__(
        self,
        directory: Path,
        settings: Settings,
        *,
        flush_seconds: float = 1.0,
        points: int = MAX_POINTS,
    ) -> None:
        self.writer = EventWriter(directory, flush_seconds=flush_seconds)
        self._began = time.time()
        self._name = trial_name(directory)
        self._curves = Curves(settings, points)
        self._last: History | None = None
        texts, self._cells = _texts_and_cells(settings)
        self.writer.text("settings", as_block(texts, "yaml"))
        if settings.objective.about:
            self.writer.text("problem", as_block(settings.objective.about, "text"))
        if self._curves.charts:
            self.writer.charts(self._curves.charts)

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
            self.writer.text("outcome", summarize(outcome))
            # In capitals: the table sorts its columns by that, and shows only the first five.
            self._cells |= {"Status": str(outcome.status), "Steps": outcome.steps}
            self._cells |= {"Diagnosis": outcome.diagnosis} if outcome.diagnosis else {}
        self.writer.hparams(self._name, self._cells, began=self._began)
        self.writer.end_session(outcome is not None and outcome.status != Status.FAILED)
        self.writer.close()

    def _write_scalars(self, records: History, *, is_last: bool = False) -> None:
        for steps, values in self._curves.points(records, is_last=is_last):
            self.writer.scalars(steps, values)


def _texts_and_cells(settings: Settings) -> tuple[dict[str, str], dict[str, Cell]]:
    """Return all settings as texts, and the cells of those that are set and affect the result."""
    texts: dict[str, str] = {}
    cells: dict[str, Cell] = {}
    for key, value in settings.settings().items():
        if isinstance(value, Configured):
            if key in GROUPS:
                texts[key] = settings.name(key)
                cells[key] = visible(texts[key])
            inner_texts, inner_cells = _of_part(value, key)
            texts |= inner_texts
            cells |= {} if key in _WITHOUT_EFFECT else inner_cells
        elif key != "choices":
            texts[key] = format_value(value)
            cells |= _cell(settings, key, value, texts[key])
    return texts, cells


@remembered
def _of_part(owner: Configured, key: str) -> tuple[dict[str, str], dict[str, Cell]]:
    """Return the settings of a part, which may be shared by many runs, likewise."""
    texts: dict[str, str] = {}
    cells: dict[str, Cell] = {}
    for name, value in flatten(owner).items():
        texts[f"{key}.{name}"] = text = format_value(value)
        cells |= {f"{key}.{name}": cell for cell in _cell(owner, name, value, text).values()}
    return texts, cells


def _cell(owner: Configured, name: str, value: Any, text: str) -> dict[str, Cell]:
    """Return the cell of a setting by its name; none if it is not set.

    The declared type decides whether a cell is a number, a bool or a text, not the value: a column
    of the HParams table with cells of two types cannot be sorted or filtered.
    """
    if value is None:
        return {}
    field = find_field(owner, name)
    return {name: visible(text) if field is None or field.scalar is None else value}
