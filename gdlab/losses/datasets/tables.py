"""Tables of numbers read from CSV and Parquet files, checked cell by cell.

A CSV file is read block by block. If it holds anything but finite numbers it is read again as a
whole, and if that fails on a cell, a slow third pass finds the line.
"""

import contextlib
import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import did_you_mean
from gdlab.paths import DATA, user_path

if TYPE_CHECKING:
    import pyarrow as pa

MAX_NUMBERS = 2**27
"""The number of float64 numbers that fit into 1 GiB."""

_LONGEST_SHOWN = 60


def named_sets() -> list[str]:
    """Return the names of the data sets that ship with gdlab."""
    return sorted(path.stem for path in DATA.glob("*.csv"))


@dataclass(frozen=True)
class Examples:
    """N examples: features (N, P), targets (N,) and the names of the features.

    With an intercept, the features have a last column of ones, which has no name.
    """

    features: np.ndarray
    targets: np.ndarray
    names: tuple[str, ...]


def read_examples(
    data: str,
    target: str | None,
    features: tuple[str, ...] | None,
    *,
    intercept: bool = False,
) -> Examples:
    """Read a named data set, or a CSV or Parquet file with a header.

    Args:
        data: the name of a data set that ships with gdlab, or a path.
        target: the column to predict; None for the last one.
        features: the columns to predict it from; None for all others.
        intercept: whether to append a column of ones to the features.

    Raises:
        SettingError: names the file, column or cell that cannot be used.
    """
    path = locate(data)
    if path.suffix == ".parquet":
        return _from_table(path, _read_parquet(path), target, features, intercept)
    examples = _stream(path, target, features, intercept)
    if examples is None:
        examples = _from_table(path, _read_csv(path), target, features, intercept)
    return examples


def _stream(
    path: Path, target: str | None, features: tuple[str, ...] | None, intercept: bool
) -> Examples | None:
    """Read a CSV file block by block, in a fraction of the memory of the whole table.

    Return None if anything is unusual: reading the whole table then tells what.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        with arrow_csv.open_csv(path) as reader:
            names = reader.schema.names
        if len(set(names)) < len(names):
            return None
        wanted, target = _choose_columns(path, names, target, features)
        kinds = dict.fromkeys((*wanted, target), pa.float64())
        options = arrow_csv.ConvertOptions(column_types=kinds, include_columns=list(kinds))
        with arrow_csv.open_csv(path, convert_options=options) as reader:
            blocks = [np.stack([c.to_numpy(False) for c in batch.columns]) for batch in reader]
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return None
    n, position = sum(block.shape[1] for block in blocks), list(kinds).index
    examples = Examples(_matrix(n, len(wanted), intercept), np.empty(n), wanted)
    columns, last = [position(name) for name in wanted], 0
    for block in blocks:
        first, last = last, last + block.shape[1]
        examples.features[first:last, : len(wanted)] = block[columns].T
        examples.targets[first:last] = block[position(target)]
    is_finite = np.isfinite(examples.features.sum()) and np.isfinite(examples.targets.sum())
    return examples if n and is_finite else None


def _from_table(
    path: Path,
    table: "pa.Table",
    target: str | None,
    features: tuple[str, ...] | None,
    intercept: bool,
) -> Examples:
    """Return the chosen columns of a table, each checked."""
    wanted, target = _choose_columns(path, table.column_names, target, features)
    matrix = _matrix(table.num_rows, len(wanted), intercept)
    for column, name in enumerate(wanted):
        matrix[:, column] = _to_numbers(path, table, name)
    return Examples(matrix, _to_numbers(path, table, target), wanted)


def _matrix(n: int, p: int, intercept: bool) -> np.ndarray:
    """Allocate n examples of p features, with a column of ones where there is an intercept."""
    return np.ones((n, p + 1)) if intercept else np.empty((n, p))


def _choose_columns(
    path: Path, names: list[str], target: str | None, features: tuple[str, ...] | None
) -> tuple[tuple[str, ...], str]:
    """Return the names of the features and of the target, from those of a file."""
    _refuse_to_numbers(path, names)
    target = names[-1] if target is None else target
    if target not in names:
        what = f"no such column in {path}{did_you_mean(target, names)}; it has {', '.join(names)}"
        raise SettingError(f"target={target}: {what}")
    if features is None:
        features = tuple(name for name in names if name != target)
    for name in features:
        if name not in names or name == target:
            allowed = ", ".join(n for n in names if n != target)
            raise SettingError(f"features={format_value(features)}: {name} is not one of {allowed}")
    repeated = [name for i, name in enumerate(features) if name in features[:i]]
    if repeated:
        what = f"{repeated[0]} occurs more than once"
        raise SettingError(f"features={format_value(features)}: {what}")
    if not features:
        raise SettingError(f"data={path}: needs at least one column besides the target {target}")
    if "" in (*features, target):
        what = f"column {names.index('') + 1} has no name; name it, or choose columns with features"
        raise SettingError(f"data={path}: {what}")
    return features, target


def _refuse_to_numbers(path: Path, names: list[str]) -> None:
    """Refuse a file without a header; pandas names columns 0, 1, 2, … by default."""
    is_counted = names == [str(i) for i in range(len(names))]
    if all(map(_is_finite, names)) and not is_counted:
        what = f"the header must hold names, but holds the numbers {_shorten(', '.join(names))}"
        raise SettingError(f"data={path}: {what}")


def locate(data: str, generated: Iterable[str] = ()) -> Path:
    """Return the file of a data set, given by its name or its path.

    Args:
        data: the name of a data set that ships with gdlab, or a path.
        generated: names of data sets without a file, to suggest as well.

    Raises:
        SettingError: there is no such file.
    """
    if data in named_sets():
        return DATA / f"{data}.csv"
    path = user_path(data)
    if path.is_file():
        return path
    what = "is not a file" if path.exists() else "no such file"
    names = [*generated, *named_sets()]
    hint = did_you_mean(data, names)
    raise SettingError(f"data={data}: {what}{hint} (data sets: {', '.join(names)})")


def _read_parquet(path: Path) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise SettingError(
            f"data={path}: not a readable Parquet file ({_first_line(error)})"
        ) from error
    return _check_table(path, table)


def _read_csv(path: Path) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    options = arrow_csv.ConvertOptions(strings_can_be_null=False)
    try:
        table = arrow_csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError) as error:
        if path.stat().st_size == 0:
            raise SettingError(f"data={path}: the file is empty") from error
        raise SettingError(
            f"data={path}: not a readable CSV file ({_first_line(error)})"
        ) from error
    return _check_table(path, table)


def _check_table(path: Path, table: "pa.Table") -> "pa.Table":
    try:
        names = table.column_names
    except UnicodeDecodeError as error:
        raise SettingError(f"data={path}: the header is not UTF-8 text") from error
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SettingError(f"data={path}: more than one column is named {', '.join(repeated)}")
    if table.num_rows == 0:
        raise SettingError(f"data={path}: the file has no rows")
    return table


def _to_numbers(path: Path, table: "pa.Table", name: str) -> np.ndarray:
    """Return a column as finite float64 numbers."""
    import pyarrow as pa

    column = table.column(name)
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise SettingError(f"data={path}: {_bad_cell_message(path, name, 'is not a number')}")
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    numbers = column.to_numpy().astype(np.float64)
    if not np.isfinite(numbers).all():
        raise SettingError(
            f"data={path}: {_bad_cell_message(path, name, 'is not a finite number')}"
        )
    return numbers


def _bad_cell_message(path: Path, name: str, what: str) -> str:
    """Return a message with the line of the first cell in a column that is not a finite number."""
    if path.suffix == ".parquet":
        return f"a value in column {name} {what}"
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.reader(file)
        with contextlib.suppress(csv.Error):  # a cell too long for the reader
            lines = (cells for cells in rows if cells)  # Arrow skips empty lines
            column = next(lines).index(name)
            for cells in lines:
                cell = cells[column] if column < len(cells) else ""
                if not _is_finite(cell):
                    return f"line {rows.line_num}, column {name}: {_shorten(cell)!r} {what}"
    return f"a value in column {name} {what}"


def _is_finite(cell: str) -> bool:
    """Return whether Arrow reads a cell as a finite number; Python also reads 1_000 as one."""
    try:
        return cell.isascii() and "_" not in cell and bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
