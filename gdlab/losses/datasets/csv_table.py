"""Tables in CSV files.

A CSV file is read block by block. If it holds anything but finite numbers it is read again as a
whole, and if that fails on a cell, a slow third pass finds the line.
"""

import contextlib
import csv
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from gdlab.errors import SettingError, first_line
from gdlab.losses.datasets.columns import Table, shorten
from gdlab.losses.datasets.files import open_text

_LONGEST_HEADER = 10_000
_BOOLEANS = {"0", "1", "true", "True", "TRUE", "false", "False", "FALSE"}

Choose = Callable[..., Sequence[str]]
"""Chooses columns of a file, given the names of all, and of those that are an index."""


class CsvTable(Table):
    """A CSV file with a header. Blanks around the names of columns do not count."""

    @classmethod
    def read(cls, path: Path) -> "CsvTable":
        """Read a file.

        Raises:
            SettingError: it cannot be read, has no rows, or two columns have the same name.
        """
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        options = arrow_csv.ConvertOptions(strings_can_be_null=False)
        try:
            with open_text(path) as file:
                if not file.read(1):
                    raise SettingError(f"data={path}: the file is empty")
            with open_text(path) as file:
                table = arrow_csv.read_csv(file, convert_options=options)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            is_uneven = " columns, got " in str(error)
            way = _other_separator(path) if is_uneven else ""
            what = f"not a readable CSV file ({first_line(error)}){way}"
            raise SettingError(f"data={path}: {what}") from error
        try:
            names = table.column_names
        except UnicodeDecodeError as error:
            what = "the header is not UTF-8 text; save the file as UTF-8"
            raise SettingError(f"data={path}: {what}") from error
        return cls(path, table.rename_columns([name.strip() for name in names]))

    def _describe_bad_cell(self, name: str, numbers: np.ndarray | None) -> str:
        """Give the line of the first cell that leaves no way to read the column.

        A column may hold true and false instead of numbers, which may then be 1 and 0 only.
        """
        readings = {"a number": _is_finite, "true or false": _BOOLEANS.__contains__}
        with (
            io.TextIOWrapper(
                open_text(Path(self.source)), "utf-8-sig", "replace", newline=""
            ) as file,
            contextlib.suppress(csv.Error),  # a cell too long for the reader
        ):
            rows = csv.reader(file)
            lines = (cells for cells in rows if cells)  # Arrow skips empty lines
            column = [title.strip() for title in next(lines)].index(name)
            for cells in lines:
                cell = cells[column] if column < len(cells) else ""
                left = {what: fits for what, fits in readings.items() if fits(cell)}
                if not left:
                    what = next(iter(readings))
                    what = "a finite number" if what == "a number" and _is_number(cell) else what
                    is_empty = "the cell is empty" if not cell.strip() else ""
                    said = is_empty or f"{shorten(cell)!r} is not {what}"
                    return f"line {rows.line_num}, column {name}: {said}"
                readings = left
        return f"a value in column {name} is not a {'' if numbers is None else 'finite '}number"


def _other_separator(path: Path) -> str:
    """Say which mark separates the names in a file's header, where it is no comma."""
    with io.TextIOWrapper(open_text(path), "utf-8-sig", "replace") as file:
        header = file.readline(_LONGEST_HEADER)
    marks = {";": "semicolons", "\t": "tabs", "|": "bars"}
    found = [name for mark, name in marks.items() if mark in header and "," not in header]
    return f"; {found[0]} separate its columns, where commas must" if found else ""


def stream_columns(path: Path, choose: Choose) -> tuple[Sequence[str], Sequence[np.ndarray]] | None:
    """Read the chosen columns of a file block by block, in a fraction of the whole table's memory.

    Returns:
        Their names, and blocks (K, n) of their K columns for n rows each; None if anything is
        unusual: reading the whole table then tells what.

    Raises:
        SettingError: the columns cannot be chosen.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        with open_text(path) as file, arrow_csv.open_csv(file) as reader:
            titles = {title.strip(): title for title in reader.schema.names}
            if len(titles) < len(reader.schema.names):
                return None
        wanted = choose(list(titles))
        kinds = {titles[name]: pa.float64() for name in wanted}
        options = arrow_csv.ConvertOptions(column_types=kinds, include_columns=list(kinds))
        with (
            open_text(path) as file,
            arrow_csv.open_csv(file, convert_options=options) as reader,
        ):
            blocks = [np.stack([c.to_numpy(False) for c in batch.columns]) for batch in reader]
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return None
    return wanted, blocks


def _is_number(cell: str) -> bool:
    """Return whether Arrow reads a cell as a number; Python also reads 1_000 as one."""
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell


def _is_finite(cell: str) -> bool:
    return _is_number(cell) and math.isfinite(float(cell))


def holds_numbers(header: Sequence[str]) -> bool:
    """Return whether a header is a row of numbers rather than names."""
    return all(map(_is_finite, header))
