"""The Parquet files of a run, written by chunk."""

import io
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.errors import RecordError
from gdlab.recording.files import write_atomically
from gdlab.recording.parquet import read_parquet

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROWS_AT_ONCE = 65_536
_SNAPSHOTS = 10
_MEASURED = ("loss", "grad_norm", "lr")


class HistoryFile:
    """A sink that writes `history.parquet`: step, loss, grad_norm, lr, x0 …, metrics by name.

    What was not computed at a step, such as the loss between full evaluations, is null.

    Where the points have more than `max_coords` coordinates the rest is left out, and a few whole
    points, at geometrically spaced steps, go to `snapshots.parquet` (step, x).
    The file appears under its name when the run is over; until then it ends in `.partial`.

    Args:
        directory: the run's directory.
        dim: the dimensions of the points.
        max_coords: how many of them are kept.
        steps: how many steps the run may take.
        metrics: the names of the loss's metrics.
        durable: whether the file shall outlast a failure of power.
    """

    def __init__(
        self,
        directory: Path,
        dim: int,
        max_coords: int,
        steps: int,
        metrics: Sequence[str] = (),
        *,
        durable: bool = True,
    ) -> None:
        self._durable = durable
        self._path = directory / "history.parquet"
        self._partial = directory / ".history.parquet.partial"
        self._coordinates = min(dim, max_coords)
        self._schema = _schema(self._coordinates, tuple(metrics))
        self._waiting: list[History] = []
        self._snapshots: list[History] | None = [] if dim > max_coords else None
        self._snapshot_steps = _snapshot_steps(steps)
        self._last: History | None = None
        self._writer: pq.ParquetWriter | None = None

    def write(self, piece: History) -> None:
        """Take in records; they are written when there are enough of them."""
        self._waiting.append(piece)
        if self._snapshots is not None and len(piece):
            chosen = np.isin(piece.step, self._snapshot_steps) | (piece.step == 0)
            self._snapshots.append(piece.take(chosen))
            self._last = piece.take(np.array([len(piece) - 1]))
        if sum(map(len, self._waiting)) >= _ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            # Only now: a sweep has more runs than a process may have open files.
            self._writer = _opened(self._partial, self._schema)
        if self._waiting:
            records = History.join(self._waiting)
            self._waiting = []
            self._writer.write_table(_table(records, self._coordinates, self._schema))

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Write what is left and give the file its name."""
        try:
            self._flush()
        finally:
            if self._writer is not None:
                self._writer.close()
        if self._durable:
            with self._partial.open("rb") as file:
                os.fsync(file.fileno())
        self._partial.replace(self._path)
        if self._snapshots and self._last is not None:
            records = History.join([*self._snapshots, self._last])
            _, first = np.unique(records.step, return_index=True)
            _write_snapshots(self._path.with_name("snapshots.parquet"), records.take(first))


def _opened(path: Path, schema: "pa.Schema") -> "pq.ParquetWriter":
    import pyarrow.parquet as pq

    # Numbers that hardly ever repeat make a dictionary slow to find and longer than they are.
    return pq.ParquetWriter(path, schema, write_page_checksum=True, use_dictionary=False)


@lru_cache(maxsize=16)  # the runs of a group have one
def _snapshot_steps(steps: int) -> np.ndarray:
    return np.unique(np.geomspace(1, steps, _SNAPSHOTS - 1).astype(np.int64))


@lru_cache(maxsize=16)
def _schema(coordinates: int, metrics: tuple[str, ...]) -> "pa.Schema":
    import pyarrow as pa

    names = [*_MEASURED, *(f"x{i}" for i in range(coordinates)), *metrics]
    return pa.schema([("step", pa.int64()), *((name, pa.float64()) for name in names)])


def _table(records: History, coordinates: int, schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa

    # A run whose loss is NaN ends there: before the end, NaN is what was not computed.
    is_last = np.isnan(records.lr)
    arrays = [
        _arrow(column, np.float64, valid=is_last | ~np.isnan(column))
        for column in (records.loss, records.grad_norm)
    ]
    arrays.append(_arrow(records.lr, np.float64, valid=~is_last))
    arrays += [_arrow(column, np.float64) for column in records.x[:, :coordinates].T]
    for column in records.metrics.values():
        arrays.append(_arrow(column, np.float64, valid=~np.isnan(column)))
    step = _arrow(records.step, np.int64)
    return pa.Table.from_arrays([step, *arrays], schema=schema)


def _arrow(column: np.ndarray, dtype: type, valid: np.ndarray | None = None) -> "pa.Array":
    """A column as Arrow's: its memory is shared, for `pyarrow.array` would import pandas."""
    import pyarrow as pa

    numbers = np.ascontiguousarray(column, dtype=dtype)
    bits = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [bits, pa.py_buffer(numbers)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(numbers.dtype), len(numbers), buffers)


def _write_snapshots(path: Path, records: History) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    points = pa.array(list(records.x.astype(np.float64)), type=pa.list_(pa.float64()))
    content = io.BytesIO()
    pq.write_table(pa.table({"step": records.step, "x": points}), content)
    write_atomically(path, content.getvalue())


def read_history(path: Path) -> History:
    """The records of a `history.parquet`, as they were written.

    Raises:
        RecordError: the file is missing or damaged.
    """
    table = read_parquet(path)
    names, first = table.column_names, ["step", *_MEASURED]
    points = [f"x{i}" for i in range(len(names)) if f"x{i}" in names]
    if names[: len(first)] != first or not points:
        raise RecordError(f"{path}: missing or damaged (it holds no history)")
    found = {name: table[name].to_numpy() for name in names}
    step, loss, norm, lr = (found.pop(name) for name in first)
    x = np.stack([found.pop(name) for name in points], 1)
    return History(step, loss, norm, lr, x, metrics=found)
