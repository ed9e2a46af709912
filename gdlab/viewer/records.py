"""The records of a run, as many of them as can be seen.

Shapes: n records, K recorded coordinates.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.engine.metrics import SHARPNESS
from gdlab.errors import RecordError
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.names import HISTORY
from gdlab.recording.parquet import read_parquet
from gdlab.recording.thinning import thinned_steps
from gdlab.viewer.reading import ReadRun
from gdlab.viewer.values import is_number

if TYPE_CHECKING:
    import pyarrow as pa

MOST_RECORDS = 20_000
"""Of one run."""

MOST_KNOWN = 200
"""Records of a run that are kept because a quantity was computed there, for each quantity."""

_MEASURED = ("step", "loss", "grad_norm", "lr")
_COORDINATE = re.compile(r"x\d+", re.ASCII)
_MOST_METRICS = 8


@dataclass(frozen=True)
class Records:
    """Some of the records of a run, always the first and the last.

    Attributes:
        step: the steps (n,), increasing.
        x: the recorded coordinates of the points (n, K).
        loss: the losses (n,), NaN where they were not computed.
        grad_norm: the gradient norms (n,).
        lr: the learning rates (n,).
        sharpness: (n,); None where it was not recorded.
        recorded: the number of records in the file.
        metrics: other quantities (n,) by name, NaN where they were not computed.
    """

    step: np.ndarray
    x: np.ndarray
    loss: np.ndarray
    grad_norm: np.ndarray
    lr: np.ndarray
    sharpness: np.ndarray | None
    recorded: int
    metrics: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def occasional(self) -> list[np.ndarray]:
        """The quantities that may have been computed at some records only."""
        return [q for q in (self.sharpness, *self.metrics.values()) if q is not None]

    def __len__(self) -> int:
        return len(self.step)

    def take(self, rows: np.ndarray) -> "Records":
        """Return some of the records."""
        sharpness = None if self.sharpness is None else self.sharpness[rows]
        return Records(
            self.step[rows],
            self.x[rows],
            self.loss[rows],
            self.grad_norm[rows],
            self.lr[rows],
            sharpness,
            self.recorded,
            {name: values[rows] for name, values in self.metrics.items()},
        )


def read_records(directory: Path, most: int = MOST_RECORDS) -> Records:
    """Read at most so many records of a run, the early ones densely.

    Raises:
        RecordError: the file is missing or damaged.
    """
    table = read_parquet(VerifiedFiles(directory), HISTORY)
    missing = {*_MEASURED} - {*table.column_names}
    if missing or not len(table):
        what = f"no {', '.join(sorted(missing))}" if missing else "no records"
        raise RecordError(f"{HISTORY}: damaged ({what})")
    coordinates, others = _chosen(tuple(table.column_names))
    columns = {n: _numbers(table.column(n)) for n in (*_MEASURED, *coordinates, *others)}
    rows = _rows(len(table), most)
    if others:
        known = [evenly(np.flatnonzero(np.isfinite(columns[n])), MOST_KNOWN) for n in others]
        rows = np.unique(np.concatenate([rows, *known]))
    count, columns = len(table), {name: values[rows] for name, values in columns.items()}
    step = columns["step"]
    if not (np.isfinite(step).all() and (step[1:] > step[:-1]).all()):
        raise RecordError(f"{HISTORY}: damaged (its steps do not increase)")
    x = np.empty((len(rows), len(coordinates)))
    for k, name in enumerate(coordinates):
        x[:, k] = columns[name]
    metrics = {name: columns[name] for name in others}
    sharpness = metrics.pop(SHARPNESS, None)
    loss, norm, lr = (columns[name] for name in _MEASURED[1:])
    return Records(step, x, loss, norm, lr, sharpness, count, metrics)


@lru_cache(maxsize=256)
def _chosen(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the columns to read beside those of every history: coordinates, and a few metrics."""
    coordinates = [name for name in names if _COORDINATE.fullmatch(name)]
    metrics = [name for name in names if name not in (*_MEASURED, *coordinates)]
    left_out = {*metrics[_MOST_METRICS:]} - {SHARPNESS}
    return coordinates, [name for name in metrics if name not in left_out]


def evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many of some rows, evenly among them."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]


def end_of(run: ReadRun) -> Records | None:
    """Return the end of a run from its result, where its records cannot be read."""
    x, step = run.result.get("x"), run.result.get("steps")
    if not isinstance(x, list) or not is_number(step):
        return None
    names = ("final_loss", "grad_norm", "lr")
    loss, norm, lr = (np.array([_float(run.result.get(name))]) for name in names)
    point = np.array([[_float(value) for value in x]])
    return Records(np.array([float(step)]), point, loss, norm, lr, None, 0)


@lru_cache(maxsize=256)
def _rows(count: int, most: int) -> np.ndarray:
    """Return which of so many records to keep."""
    rows = thinned_steps(count - 1, max(2, most))
    return np.append(rows[rows < count - 1], count - 1)


def _numbers(column: "pa.ChunkedArray") -> np.ndarray:
    """Return a column of a table as float64 (n,), NaN where it is null.

    From its buffers: pyarrow's own conversion imports pandas, 50 MB and 0.4 s.

    Raises:
        RecordError: it holds no numbers.
    """
    import pyarrow as pa

    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise RecordError(f"{HISTORY}: damaged (a column holds no numbers)")
    if column.type not in (pa.float64(), pa.int64()):
        column = column.cast(pa.float64())
    kind = np.int64 if pa.types.is_integer(column.type) else np.float64
    chunks = [_chunk(chunk, kind) for chunk in column.chunks]
    return chunks[0] if len(chunks) == 1 else np.concatenate([np.empty(0), *chunks])


def _chunk(array: "pa.Array", kind: type) -> np.ndarray:
    """Return an array of a kind of number as float64 (n,), NaN where it is null."""
    validity, data = array.buffers()
    rows = slice(array.offset, array.offset + len(array))
    values = np.frombuffer(data, kind)[rows].astype(np.float64, copy=False)
    if not array.null_count:
        return values
    is_known = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")[rows]
    return np.where(is_known, values, np.nan)


def _float(value: Any) -> float:
    return float(value) if is_number(value) else float("nan")
