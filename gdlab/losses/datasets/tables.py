"""Tables of numbers, from CSV and Parquet files and from memory, checked cell by cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import did_you_mean
from gdlab.losses.datasets.columns import Table, shorten
from gdlab.losses.datasets.csv_table import Choose, CsvTable, holds_numbers, stream_columns
from gdlab.losses.datasets.files import is_parquet, locate, readable
from gdlab.losses.datasets.memory_table import MemoryTable
from gdlab.losses.datasets.parquet_table import ParquetTable
from gdlab.paths import DATA

Data: TypeAlias = str | MemoryTable
"""The name of a data set that ships with gdlab, the path of a file, or a table in memory."""

MAX_NUMBERS = 2**27
"""The number of float64 numbers that fit into 1 GiB."""

_OTHER_MARKS = ";\t|"  # which separate columns in some files


@dataclass(frozen=True, repr=False)
class Examples:
    """N examples: features (N, P), targets (N,) and the names of the features.

    With an intercept, the features have a last column of ones, which has no name.

    Attributes:
        features: (N, P); of a custom dataset (N, ...).
        targets: (N,) or (N, C).
        names: of the features.
        validation: the examples that are held out; None for none.
        classes: the texts of labels 0, 1, …; none where the targets are given as numbers.
    """

    features: np.ndarray
    targets: np.ndarray
    names: tuple[str, ...]
    validation: "Examples | None" = None
    classes: tuple[str, ...] = ()

    @property
    def all_targets(self) -> np.ndarray:
        """The targets, followed by those of the examples that are held out."""
        if self.validation is None:
            return self.targets
        return np.concatenate((self.targets, self.validation.targets))

    def __repr__(self) -> str:
        count, features = self.features.shape
        return f"Examples({count} with {features} features)"


def read_examples(
    data: Data,
    target: str | None,
    features: tuple[str, ...] | None,
    *,
    intercept: bool = False,
    labels: bool = False,
) -> Examples:
    """Read a named data set, a CSV or Parquet file with a header, or a table in memory.

    Args:
        data: the name of a data set that ships with gdlab, a path, or a table.
        target: the column to predict; None for the last one.
        features: the columns to predict it from; None for all others.
        intercept: whether to append a column of ones to the features.
        labels: whether the targets may be classes, so that texts are labels in alphabetical order.

    Raises:
        SettingError: names the file or table, the column or cell that cannot be used.
    """
    if isinstance(data, MemoryTable):
        choose = partial(_choose_columns, data, target, features)
        return _from_table(data, choose, intercept, labels)
    path = locate(data)
    choose = partial(_choose_columns, path, target, features)
    with readable(path):
        if is_parquet(path):
            return _from_table(ParquetTable.read(path), choose, intercept, labels)
        examples = _stream(path, choose, intercept)
        if examples is not None:
            return examples
        return _from_table(CsvTable.read(path), choose, intercept, labels)


def _stream(path: Path, choose: Choose, intercept: bool) -> Examples | None:
    """Read a CSV file block by block; return None if anything but finite numbers is there."""
    streamed = stream_columns(path, choose)
    if streamed is None:
        return None
    (*wanted, _), blocks = streamed
    n = sum(block.shape[1] for block in blocks)
    examples, last = Examples(_matrix(n, len(wanted), intercept), np.empty(n), tuple(wanted)), 0
    for block in blocks:
        first, last = last, last + block.shape[1]
        examples.features[first:last, : len(wanted)] = block[:-1].T
        examples.targets[first:last] = block[-1]
    with np.errstate(over="ignore", invalid="ignore"):  # a sum needs no memory
        is_finite = np.isfinite(examples.features.sum() + examples.targets.sum())
    return examples if n and is_finite else None


def _from_table(table: Table, choose: Choose, intercept: bool, labels: bool = False) -> Examples:
    """Return the chosen columns of a table, each checked; see `read_examples`."""
    *wanted, target = choose(table.columns.column_names, table.index)
    matrix = _matrix(len(table), len(wanted), intercept)
    for column, name in enumerate(wanted):
        matrix[:, column] = _numbers(table, name, wanted)
    found = table.labels(target) if labels else None
    targets, classes = (_numbers(table, target, wanted), ()) if found is None else found
    return Examples(matrix, targets, tuple(wanted), classes=classes)


def _numbers(table: Table, name: str, wanted: Sequence[str]) -> np.ndarray:
    """Return a column as numbers (N,); an error says what to do about one of texts."""
    try:
        return table.numbers(name)
    except SettingError as error:
        raise SettingError(f"{error}{_way_around(table, name, wanted)}") from None


def _way_around(table: Table, name: str, wanted: Sequence[str]) -> str:
    """Return what to do about a column of texts; nothing where it has a number."""
    if not table.is_text(name):
        return ""
    if name not in wanted:
        return "; choose another loss.target, or a loss of classes, such as loss=softmax"
    left = [other for other in wanted if not table.is_text(other)]
    if not left:
        return ""
    return (
        "; make a column of 0 and 1 of each of its values (pandas.get_dummies), or leave out the "
        f"columns of text: loss.features=[{','.join(left)}]"
    )


def _matrix(n: int, p: int, intercept: bool) -> np.ndarray:
    """Allocate n examples of p features, with a column of ones where there is an intercept."""
    return np.ones((n, p + 1)) if intercept else np.empty((n, p))


def _choose_columns(
    source: Path | MemoryTable,
    target: str | None,
    features: tuple[str, ...] | None,
    names: Sequence[str],
    index: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return the names of the features and of the target, last.

    Args:
        source: the file or the table.
        target: the column that was asked for, or None.
        features: the columns that were asked for, or None.
        names: of the columns.
        index: the names of columns that pandas calls the index of the table.
    """
    if isinstance(source, Path):
        _refuse_to_numbers(source, names)
    no_index = f" (the index of pandas, {', '.join(index)}, is not a column)" if index else ""
    target = (names or ("",))[-1] if target is None else _match(target, names)
    if names and target not in names:
        known = f"{did_you_mean(target, names)}; it has {', '.join(names)}{no_index}"
        raise SettingError(f"target={target}: no such column in {_short(source)}{known}")
    others = tuple(name for name in names if name != target)
    features = others if features is None else tuple(_match(name, names) for name in features)
    for name in features:
        if name not in others:
            what = f"{name} is not one of {', '.join(others)}{no_index}"
            raise SettingError(f"features={format_value(features)}: {what}")
    repeated = [name for i, name in enumerate(features) if name in features[:i]]
    if repeated:
        what = f"{repeated[0]} occurs more than once"
        raise SettingError(f"features={format_value(features)}: {what}")
    if not features:
        what = f"needs at least one column besides the target {target}".rstrip()
        if any(mark in target for mark in _OTHER_MARKS):
            what += "; commas must separate the columns"
        raise SettingError(f"data={source}: {what}{no_index}")
    if "" in (*features, target):
        what = f"column {names.index('') + 1} has no name; name it, or choose columns with features"
        raise SettingError(f"data={source}: {what}")
    return *features, target


def _short(source: Path | MemoryTable) -> Path | MemoryTable | str:
    """Return a data set of gdlab by its name, other sources as they are."""
    return source.stem if isinstance(source, Path) and source.parent == DATA else source


def _match(name: str, names: Sequence[str]) -> str:
    """Return the name of a column as the table has it: without blanks around it."""
    return name if name in names else name.strip()


def _refuse_to_numbers(path: Path, names: Sequence[str]) -> None:
    """Refuse a file without a header; pandas names columns 0, 1, 2, … by default."""
    is_counted = list(names) == [str(i) for i in range(len(names))]
    if holds_numbers(names) and not is_counted:
        what = f"the header must hold names, but holds the numbers {shorten(', '.join(names))}"
        raise SettingError(f"data={path}: {what}")
