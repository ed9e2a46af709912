"""Tables in Parquet files."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from gdlab.errors import SettingError, first_line, summarize_error
from gdlab.losses.datasets.columns import Table

if TYPE_CHECKING:
    import pyarrow as pa

_PANDAS = b"pandas"


class ParquetTable(Table):
    """A Parquet file. What pandas stored as the index of its table is not a column."""

    @classmethod
    def read(cls, path: Path) -> "ParquetTable":
        """Read a file.

        Raises:
            SettingError: it cannot be read, has no rows, or two columns have the same name.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.ParquetFile(path.absolute()).read()
        except (pa.ArrowException, OSError) as error:
            what = f"not a readable Parquet file ({first_line(error)})"
            raise SettingError(f"data={path}: {what}") from error
        index = _pandas_index(path, table)
        columns = table.drop_columns([name for name in table.column_names if name in index])
        stripped = columns.rename_columns([name.strip() for name in columns.column_names])
        return cls(path, stripped, index)


def _pandas_index(path: Path, table: "pa.Table") -> tuple[str, ...]:
    """Return the columns that hold the index of a table that pandas wrote.

    An index of consecutive numbers is written as a mapping, and needs no column.
    """
    written = (table.schema.metadata or {}).get(_PANDAS)
    try:
        index = [] if written is None else json.loads(written)["index_columns"]
        return tuple(name for name in index if isinstance(name, str))
    except (ValueError, KeyError, TypeError) as error:
        what = f"what pandas wrote about its index is damaged ({summarize_error(error)})"
        raise SettingError(f"data={path}: {what}") from error
