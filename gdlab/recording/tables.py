"""The Parquet files of a run: written by chunk, read back as pandas tables."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.errors import SettingError
from gdlab.history import History
from gdlab.outcome import Outcome

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_ROWS_AT_ONCE = 65_536
_SNAPSHOTS = 10


class HistoryFile:
    """A sink that writes `history.parquet`: step, loss, grad_norm, lr, x0 … .

    Where the points have more than `max_coords` coordinates the rest is left out, and a few whole
    points, at geometrically spaced steps, go to `snapshots.parquet` (step, x).
    The file appears under its name when the run is over; until then it ends in `.partial`.

    Args:
        directory: the run's directory.
        dim: the dimensions of the points.
        max_coords: how many of them are kept.
        steps: how many steps the run may take.
    """

    def __init__(self, directory: Path, dim: int, max_coords: int, steps: int) -> None:
        import pyarrow.parquet as pq

        self._path = directory / "history.parquet"
        self._partial = directory / ".history.parquet.partial"
        self._coordinates = min(dim, max_coords)
        self._waiting: list[History] = []
        self._snapshots: list[History] | None = [] if dim > max_coords else None
        self._snapshot_steps = np.unique(np.geomspace(1, steps, _SNAPSHOTS - 1).astype(np.int64))
        self._last: History | None = None
        self._writer = pq.ParquetWriter(self._partial, _schema(self._coordinates))

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
        if self._waiting:
            records = History.join(self._waiting)
            self._waiting = []
            self._writer.write_table(_table(records, self._coordinates))

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Write what is left and give the file its name."""
        try:
            self._flush()
        finally:
            self._writer.close()
        self._partial.replace(self._path)
        if self._snapshots and self._last is not None:
            records = History.join([*self._snapshots, self._last])
            _, first = np.unique(records.step, return_index=True)
            _write_snapshots(self._path.with_name("snapshots.parquet"), records.take(first))


def _schema(coordinates: int) -> "pa.Schema":
    import pyarrow as pa

    names = ["loss", "grad_norm", "lr", *(f"x{i}" for i in range(coordinates))]
    return pa.schema([("step", pa.int64()), *((name, pa.float64()) for name in names)])


def _table(records: History, coordinates: int) -> "pa.Table":
    import pyarrow as pa

    points = records.x[:, :coordinates].T
    columns = [records.loss, records.grad_norm, records.lr, *points]
    arrays = [pa.array(column.astype(np.float64)) for column in columns]
    arrays[2] = pa.array(records.lr.astype(np.float64), mask=np.isnan(records.lr))
    return pa.Table.from_arrays([pa.array(records.step), *arrays], schema=_schema(coordinates))


def _write_snapshots(path: Path, records: History) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    points = pa.array(list(records.x.astype(np.float64)), type=pa.list_(pa.float64()))
    pq.write_table(pa.table({"step": records.step, "x": points}), path)


@dataclass(frozen=True)
class Recorded:
    """What was read back from a run's directory.

    Attributes:
        directory: where it was read from.
        results: the fields of `result.json` as a table of one row, the point as x0, x1, … .
        config: the configuration as it was composed.
    """

    directory: Path
    results: "pd.DataFrame"
    config: dict[str, Any]

    def history(self) -> "pd.DataFrame":
        """One row a record: step, loss, grad_norm, lr, x0 … .

        Raises:
            SettingError: the file is missing or damaged.
        """
        return _read_table(self.directory / "history.parquet")


def load(directory: str | Path) -> Recorded:
    """Read a run's directory. Nothing in it is imported, evaluated or unpickled.

    Raises:
        SettingError: there is no run, or one of its files is damaged; it names the file.
    """
    import pandas as pd
    import yaml

    directory = Path(directory)
    if not (directory / "result.json").is_file():
        raise SettingError(f"{directory}: holds no run (no result.json)")
    result = _read(directory / "result.json", json.loads)
    versions, point = result.pop("versions"), result.pop("x")
    result |= {f"versions.{name}": version for name, version in versions.items()}
    result |= {f"x{i}": value for i, value in enumerate(point)}
    config = _read(directory / ".hydra" / "config.yaml", yaml.safe_load)
    return Recorded(directory, pd.DataFrame([result]), config)


def _read(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """A text file as a mapping."""
    import yaml

    try:
        values = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingError(f"{path}: missing or damaged ({_line(error)})") from error
    if not isinstance(values, dict):
        raise SettingError(f"{path}: missing or damaged (it holds no settings)")
    return values


def _read_table(path: Path) -> "pd.DataFrame":
    """A Parquet file as a table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise SettingError(f"{path}: missing or damaged ({_line(error)})") from error


def _line(error: Exception) -> str:
    return str(error).splitlines()[0]
