"""The columns of a table as numbers, each cell checked. A CSV file names a bad cell its own way.

Shapes: N rows.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gdlab.errors import SettingError

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST_SHOWN = 60


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """A table that was read from a file, or that lies in memory.

    Attributes:
        source: the path of the file, or what the table is called in errors.
        columns: with distinct names, without blanks around them.
        index: the names of columns that number or name the rows, and are not among the columns.
    """

    noun: ClassVar[str] = "file"

    source: Path | str
    columns: "pa.Table"
    index: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = self.columns.column_names
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            what = f"more than one column is named {', '.join(repeated)}"
            what += "; the first line must hold names" * all(map(_is_number, names))
            raise SettingError(f"data={self.source}: {what}")
        if self.columns.num_rows == 0:
            raise SettingError(f"data={self.source}: the {self.noun} has no rows")

    def __len__(self) -> int:
        return self.columns.num_rows

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as finite float64 numbers (N,); true is 1 and false is 0.

        Raises:
            SettingError: names the first cell that is not a finite number.
        """
        numbers = self._to_floats(name)
        if numbers is None or not np.isfinite(numbers).all():
            raise SettingError(f"data={self.source}: {self._describe_bad_cell(name, numbers)}")
        return numbers

    def labels(self, name: str) -> tuple[np.ndarray, tuple[str, ...]] | None:
        """Return the labels (N,) of a column of texts, and the texts in alphabetical order.

        None for a column of anything else. Label c stands for the c-th text.

        Raises:
            SettingError: a cell among texts is a number or empty, or the texts tell no classes.
        """
        if self._to_floats(name) is not None:
            return None
        cells = self.columns.column(name).to_pylist()
        if not all(isinstance(cell, str | None) for cell in cells):
            return None
        cells = [(cell or "").strip() for cell in cells]
        is_text = list(map(_is_text, cells))
        if 2 * sum(is_text) <= len(cells):  # numbers, with a text by mistake
            return None
        texts, labels = np.unique(cells, return_inverse=True)
        what = ""
        if not all(is_text):
            other = cells[is_text.index(False)] or "an empty cell"
            what = f"has texts and {other}; classes are all texts, or the numbers 0, 1, …"
        elif len(texts) == 1:
            what = f"its texts are all {shorten(repr(str(texts[0])))}, so they tell no classes"
        elif 2 < len(texts) == len(cells):
            what = f"its {len(cells):,} texts are all different, so they tell no classes"
        if what:
            raise SettingError(f"data={self.source}: column {name}: {what}")
        return labels.astype(np.float64), tuple(texts.tolist())

    def is_text(self, name: str) -> bool:
        """Tell whether no cell of a column is a number, and none is empty."""
        return all(_is_text(cell.as_py()) for cell in self.columns.column(name))

    def _to_floats(self, name: str) -> np.ndarray | None:
        """Return a column as float64 numbers, empty cells as NaN; None if its type is another."""
        import pyarrow as pa

        column, types = self.columns.column(name), pa.types
        if types.is_dictionary(column.type):  # a categorical column of pandas
            column = column.cast(column.type.value_type)
        if types.is_boolean(column.type):
            column = column.cast(pa.int8())
        elif types.is_decimal(column.type):
            column = column.cast(pa.float64())
        if not (types.is_integer(column.type) or types.is_floating(column.type)):
            return None
        return column.to_numpy().astype(np.float64)

    def _describe_bad_cell(self, name: str, numbers: np.ndarray | None) -> str:
        """Say which is the first cell of a column that is not a finite number.

        Args:
            name: of the column.
            numbers: what `_to_floats` returns.
        """
        import pyarrow as pa

        column = self.columns.column(name)
        row = _first_text(column) if numbers is None else int(np.isfinite(numbers).argmin())
        value = column[row].as_py()
        shown = repr(value) if isinstance(value, str) else str(value)
        cell = "null" if value is None else shorten(shown)
        what = "is not a number" if numbers is None or value is None else "is not a finite number"
        kind = "category" if pa.types.is_dictionary(column.type) else column.type
        return f"row {row + 1} of {len(self):,}, column {name} ({kind}): {cell} {what}"


def _first_text(column: "pa.ChunkedArray") -> int:
    """Return the first row of a column that no number could be read from; 0 if there is none."""
    return next((row for row, cell in enumerate(column) if not _is_number(cell.as_py())), 0)


def _is_text(cell: object) -> bool:
    """Tell whether a cell is neither empty nor a number."""
    return cell not in (None, "") and not _is_number(cell)


def _is_number(cell: object) -> bool:
    try:
        float(str(cell))
    except ValueError:
        return False
    return True


def shorten(text: str) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
