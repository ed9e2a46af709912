"""The Parquet files of a run, written in blocks.

Shapes: n records, D dimensions.
"""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.errors import RecordError
from gdlab.losses.models.trained import network_blocks
from gdlab.recording.checkpoint import BestRecord
from gdlab.recording.digests import VerifiedFiles, append_digest, write_with_digest
from gdlab.recording.files import create, partial_name
from gdlab.recording.names import HISTORY, SNAPSHOTS
from gdlab.recording.parquet import read_parquet, write_table

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

LAYOUT = "layout"
"""The note in the footer with the names and shapes of a network's parameters, as JSON."""

_SNAPSHOTS = 10
_NUMBERS_IN_MEMORY = 2**20  # of a history that is written at once: 8 MiB
_MEASURED = ("loss", "grad_norm", "lr")


class HistoryFile:
    """A sink that writes `history.parquet`: step, loss, grad_norm, lr, x0 …, metrics by name.

    What was not computed at a step, such as the loss between full evaluations, is null.

    Coordinates past `record.max_coords` are left out; a few whole points, at geometrically spaced
    steps, then go to `snapshots.parquet` (step, x).
    The file gets its name when the run is over; until then the name ends in `.partial`.

    Args:
        directory: the run's directory.
        settings: the run's settings.
        durable: whether to fsync the file.
        block_rows: number of records that are written together.
        best: has the best record in the end, which is a snapshot too; None for none.
    """

    def __init__(
        self,
        directory: Path,
        settings: Settings,
        *,
        durable: bool = True,
        block_rows: int = 65_536,
        best: BestRecord | None = None,
    ) -> None:
        dim, max_coords = settings.loss.dim, settings.record.max_coords
        self._durable, self._block_rows = durable, block_rows
        self._directory, self._best = directory, best
        self._partial = directory / partial_name(HISTORY)
        self._coordinates = min(dim, max_coords)
        self._schema = _schema(self._coordinates, tuple(settings.metrics))
        self._layout = network_blocks(settings.objective)
        self._most_in_memory = _NUMBERS_IN_MEMORY // len(self._schema)
        self._waiting: list[History] = []
        self._snapshots: list[History] | None = [] if dim > max_coords else None
        self._snapshot_steps = _snapshot_steps(settings.most_steps)
        self._last: History | None = None
        self._file: pa.OSFile | None = None
        self._is_whole = True
        self._writer: pq.ParquetWriter | None = None

    def write(self, piece: History) -> None:
        """Take in records; they are written once there is a block of them."""
        self._waiting.append(piece)
        if self._snapshots is not None and len(piece):
            chosen = np.isin(piece.step, self._snapshot_steps) | (piece.step == 0)
            self._snapshots.append(piece.take(chosen))
            self._last = piece.take(np.array([len(piece) - 1]))
        if sum(map(len, self._waiting)) >= self._block_rows:
            self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            import pyarrow as pa

            # Opened late: a sweep has more runs than a process may have open files.
            create(self._partial).close()
            self._file = pa.OSFile(str(self._partial), "wb")  # a path would have its ~ expanded
            self._writer = _open_writer(self._file, self._schema)
        if self._waiting:
            self._writer.write_table(self._take_table())
            self._is_whole = True

    def _take_table(self) -> "pa.Table":
        records = History.join(self._waiting)
        self._waiting, self._is_whole = [], False  # until they are in the file
        return _to_table(records, self._coordinates, self._schema)

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Write the remaining records and give the file its name.

        If records could not be written, as on a full disk, the name stays partial.
        """
        if not self._is_whole:
            return
        if self._writer is None and sum(map(len, self._waiting)) <= self._most_in_memory:
            self._write_at_once()
        else:
            self._finish()
        if self._snapshots and self._last is not None:
            best = None if self._best is None else self._best.history
            chosen = [*self._snapshots, *([] if best is None else [best]), self._last]
            records = History.join(chosen)
            _, first = np.unique(records.step, return_index=True)
            _write_snapshots(self._directory, records.take(first))

    def _write_at_once(self) -> None:
        """Write the whole file, of which nothing was written before."""
        import pyarrow as pa

        content = pa.BufferOutputStream()
        with _open_writer(content, self._schema) as writer:
            if self._waiting:
                writer.write_table(self._take_table())
            self._note_layout(writer)
        write_with_digest(
            self._directory, HISTORY, content.getvalue().to_pybytes(), durable=self._durable
        )

    def _note_layout(self, writer: "pq.ParquetWriter") -> None:
        """Note the names and shapes of a network's parameters in the footer."""
        if self._layout:
            writer.add_key_value_metadata({LAYOUT: json.dumps(self._layout)})

    def _finish(self) -> None:
        """Write the rest of a file that was begun, or that is large."""
        self._flush()
        assert self._file is not None and self._writer is not None
        self._note_layout(self._writer)
        self._writer.close()
        self._file.close()
        if self._durable:
            with self._partial.open("rb") as file:
                os.fsync(file.fileno())
        append_digest(self._directory, HISTORY, self._partial, durable=self._durable)
        self._partial.replace(self._directory / HISTORY)


def _open_writer(file: "pa.NativeFile", schema: "pa.Schema") -> "pq.ParquetWriter":
    import pyarrow.parquet as pq

    # Numbers hardly ever repeat: a dictionary of them is slow to build and longer than they are.
    # Neighbors share their high bytes: with the k-th bytes of all values side by side, a history
    # of 1,000 smooth steps takes 24 kB; 38 kB as it was. Nobody asks its statistics.
    encodings = {
        name: "DELTA_BINARY_PACKED" if name == "step" else "BYTE_STREAM_SPLIT"
        for name in schema.names
    }
    return pq.ParquetWriter(
        file,
        schema,
        use_dictionary=False,
        column_encoding=encodings,
        compression="zstd",
        write_statistics=False,
        store_schema=False,
    )


@lru_cache(maxsize=16)  # shared by the runs of a group
def _snapshot_steps(steps: int) -> np.ndarray:
    return np.unique(np.geomspace(1, steps, _SNAPSHOTS - 1).astype(np.int64))


@lru_cache(maxsize=16)
def _schema(coordinates: int, metrics: tuple[str, ...]) -> "pa.Schema":
    import pyarrow as pa

    names = [*_MEASURED, *(f"x{i}" for i in range(coordinates)), *metrics]
    return pa.schema([("step", pa.int64()), *((name, pa.float64()) for name in names)])


def _to_table(records: History, coordinates: int, schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa

    # A run whose loss is NaN ends there: before the end, NaN means not computed.
    is_last = np.isnan(records.lr)
    arrays = [
        _to_arrow(column, np.float64, valid=is_last | ~np.isnan(column))
        for column in (records.loss, records.grad_norm)
    ]
    arrays.append(_to_arrow(records.lr, np.float64, valid=~is_last))
    arrays += [_to_arrow(column, np.float64) for column in records.x[:, :coordinates].T]
    for column in records.metrics.values():
        arrays.append(_to_arrow(column, np.float64, valid=~np.isnan(column)))
    step = _to_arrow(records.step, np.int64)
    return pa.Table.from_arrays([step, *arrays], schema=schema)


def _to_arrow(column: np.ndarray, dtype: type, valid: np.ndarray | None = None) -> "pa.Array":
    """Convert a column without a copy; `pyarrow.array` would import pandas."""
    import pyarrow as pa

    numbers = np.ascontiguousarray(column, dtype=dtype)
    bits = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [bits, pa.py_buffer(numbers)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(numbers.dtype), len(numbers), buffers)


def _write_snapshots(directory: Path, records: History) -> None:
    import pyarrow as pa

    points = pa.array(list(records.x.astype(np.float64)), type=pa.list_(pa.float64()))
    write_table(directory, SNAPSHOTS, pa.table({"step": records.step, "x": points}))


def read_history(directory: Path) -> History:
    """Read the records of a run's `history.parquet`, as they were written.

    Raises:
        RecordError: the file is missing or damaged.
    """
    files = VerifiedFiles(directory)
    table = read_parquet(files, HISTORY)
    names, first = table.column_names, ["step", *_MEASURED]
    points = [f"x{i}" for i in range(len(names)) if f"x{i}" in names]
    if names[: len(first)] != first or not points:
        raise RecordError(f"{files.path(HISTORY)}: missing or damaged (it holds no history)")
    columns = {name: table[name].to_numpy() for name in names}
    step, loss, norm, lr = (columns.pop(name) for name in first)
    x = np.stack([columns.pop(name) for name in points], 1)
    return History(step, loss, norm, lr, x, metrics=columns)
