"""Tables of numbers read from CSV and Parquet files, checked cell by cell.

A CSV file is read block by block. Only where it holds anything but finite numbers is it read as a
whole, and where that met something that is no number looked at once more, slowly, to name the line.
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
from gdlab.paths import DATA

if TYPE_CHECKING:
    import pyarrow as pa

MOST_NUMBERS = 2**27
"""As many as fit into 1 GiB."""

_LONGEST_SHOWN = 60


def named_sets() -> list[str]:
    """The names of the data sets that ship with gdlab."""
    return sorted(path.stem for path in DATA.glob("*.csv"))


@dataclass(frozen=True)
class Examples:
    """N examples: features (N, P), targets (N,) and the names of the features.

    Where there is an intercept the features have one more column, of ones, which has no name.
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
        intercept: whether the features get a last column of ones.

    Raises:
        SettingError: the file, a column or a cell cannot be used; it names which.
    """
    path = locate(data)
    if path.suffix == ".parquet":
        return _from_table(path, _read_parquet(path), target, features, intercept)
    examples = _streamed(path, target, features, intercept)
    if examples is None:
        examples = _from_table(path, _read_csv(path), target, features, intercept)
    return examples


def _streamed(
    path: Path, target: str | None, features: tuple[str, ...] | None, intercept: bool
) -> Examples | None:
    """A CSV file read block by block, in a fraction of the memory of the whole as a table.

    None where anything is out of the ordinary: then the whole table tells what.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        with arrow_csv.open_csv(path) as reader:
            names = reader.schema.names
        if len(set(names)) < len(names):
            return None
        wanted, target = _chosen(path, names, target, features)
        kinds = dict.fromkeys((*wanted, target), pa.float64())
        options = arrow_csv.ConvertOptions(column_types=kinds, include_columns=list(kinds))
        with arrow_csv.open_csv(path, convert_options=options) as reader:
            blocks = [np.stack([c.to_numpy(False) for c in batch.columns]) for batch in reader]
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return None
    n, place = sum(block.shape[1] for block in blocks), list(kinds).index
    examples = Examples(_matrix(n, len(wanted), intercept), np.empty(n), wanted)
    columns, last = [place(name) for name in wanted], 0
    for block in blocks:
        first, last = last, last + block.shape[1]
        examples.features[first:last, : len(wanted)] = block[columns].T
        examples.targets[first:last] = block[place(target)]
    is_finite = np.isfinite(examples.features.sum()) and np.isfinite(examples.targets.sum())
    return examples if n and is_finite else None


def _from_table(
    path: Path,
    table: "pa.Table",
    target: str | None,
    features: tuple[str, ...] | None,
    intercept: bool,
) -> Examples:
    """The chosen columns of a table, each checked."""
    wanted, target = _chosen(path, table.column_names, target, features)
    matrix = _matrix(table.num_rows, len(wanted), intercept)
    for place, name in enumerate(wanted):
        matrix[:, place] = _numbers(path, table, name)
    return Examples(matrix, _numbers(path, table, target), wanted)


def _matrix(n: int, p: int, intercept: bool) -> np.ndarray:
    """Room for n examples of p features, beside them ones where there is an intercept."""
    return np.ones((n, p + 1)) if intercept else np.empty((n, p))


def _chosen(
    path: Path, names: list[str], target: str | None, features: tuple[str, ...] | None
) -> tuple[tuple[str, ...], str]:
    """The names of the features and of the target, out of those of a file."""
    _refuse_numbers(path, names)
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
    twice = [name for place, name in enumerate(features) if name in features[:place]]
    if twice:
        raise SettingError(f"features={format_value(features)}: {twice[0]} is there more than once")
    if not features:
        raise SettingError(f"data={path}: needs at least one column beside the target {target}")
    if "" in (*features, target):
        what = f"column {names.index('') + 1} has no name; give it one, or choose with features"
        raise SettingError(f"data={path}: {what}")
    return features, target


def _refuse_numbers(path: Path, names: list[str]) -> None:
    """Refuse a file without a header; the numbers 0, 1, 2, … are names that pandas gives."""
    is_counted = names == [str(place) for place in range(len(names))]
    if all(map(_is_finite, names)) and not is_counted:
        what = f"the header must hold names, and holds the numbers {_cut(', '.join(names))}"
        raise SettingError(f"data={path}: {what}")


def locate(data: str, made: Iterable[str] = ()) -> Path:
    """The file behind a name or a path.

    Args:
        data: the name of a data set that ships with gdlab, or a path.
        made: further names to offer, of data sets that are in no file.

    Raises:
        SettingError: there is none.
    """
    if data in named_sets():
        return DATA / f"{data}.csv"
    path = Path(data).expanduser()
    if path.is_file():
        return path
    what = "is not a file" if path.exists() else "no such file"
    names = [*made, *named_sets()]
    hint = did_you_mean(data, names)
    raise SettingError(f"data={data}: {what}{hint} (data sets: {', '.join(names)})")


def _read_parquet(path: Path) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise SettingError(f"data={path}: not a readable Parquet file ({_line(error)})") from error
    return _checked(path, table)


def _read_csv(path: Path) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    options = arrow_csv.ConvertOptions(strings_can_be_null=False)
    try:
        table = arrow_csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError) as error:
        if path.stat().st_size == 0:
            raise SettingError(f"data={path}: the file is empty") from error
        raise SettingError(f"data={path}: not a readable CSV file ({_line(error)})") from error
    return _checked(path, table)


def _checked(path: Path, table: "pa.Table") -> "pa.Table":
    try:
        names = table.column_names
    except UnicodeDecodeError as error:
        raise SettingError(f"data={path}: the header is not UTF-8 text") from error
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise SettingError(f"data={path}: more than one column is called {', '.join(double)}")
    if table.num_rows == 0:
        raise SettingError(f"data={path}: the file has no rows")
    return table


def _numbers(path: Path, table: "pa.Table", name: str) -> np.ndarray:
    """A column as finite float64 numbers."""
    import pyarrow as pa

    column = table.column(name)
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise SettingError(f"data={path}: {_first_bad(path, name, 'is not a number')}")
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    numbers = column.to_numpy().astype(np.float64)
    if not np.isfinite(numbers).all():
        raise SettingError(f"data={path}: {_first_bad(path, name, 'is not a finite number')}")
    return numbers


def _first_bad(path: Path, name: str, what: str) -> str:
    """Where a column's first cell stands that is no finite number, in words."""
    if path.suffix == ".parquet":
        return f"a value in column {name} {what}"
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.reader(file)
        with contextlib.suppress(csv.Error):  # a cell too long for the reader
            lines = (cells for cells in rows if cells)  # Arrow skips empty lines
            place = next(lines).index(name)
            for cells in lines:
                cell = cells[place] if place < len(cells) else ""
                if not _is_finite(cell):
                    return f"line {rows.line_num}, column {name}: {_cut(cell)!r} {what}"
    return f"a value in column {name} {what}"


def _is_finite(cell: str) -> bool:
    """Whether Arrow reads a cell as a finite number; Python allows 1_000 and other digits."""
    try:
        return cell.isascii() and "_" not in cell and bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _line(error: Exception) -> str:
    return str(error).splitlines()[0]
