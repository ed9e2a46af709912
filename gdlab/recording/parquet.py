"""Parquet and CSV tables."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from gdlab.errors import RecordError, first_line
from gdlab.recording.digests import VerifiedFiles, append_digest, write_with_digest
from gdlab.recording.files import written_atomically

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(files: VerifiedFiles, name: str) -> "pa.Table":
    """Read a Parquet file of a directory.

    Raises:
        RecordError: the file is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # `read_table` would import the reader of directories of files, which takes 0.1 s.
        with files.open(name) as file:
            content = _read_natively(file)
        with pq.ParquetFile(pa.BufferReader(content)) as table:
            return table.read(use_threads=content.size > _LARGE)
    except (pa.ArrowException, OSError) as error:
        what = f"missing or damaged ({first_line(error)})"
        raise RecordError(f"{files.path(name)}: {what}") from error


_LARGE = 2**20  # bytes; threads would take longer to read fewer
_CSV_ROWS = 2**15
_FORMULA_STARTS = ("=", "+", "-", "@")


def _read_natively(file: BufferedReader) -> "pa.Buffer":
    """Read a file into memory of Arrow.

    A thread of Arrow may let go of what it reads as late as while the process ends. If that is an
    object of Python, the thread asks for the interpreter's lock, and the process aborts.
    """
    import pyarrow as pa

    content = pa.allocate_buffer(os.fstat(file.fileno()).st_size)
    file.readinto(content)
    return content


def write_table(directory: Path, name: str, table: "pa.Table") -> None:
    """Write a Parquet file into a directory atomically, and its digest."""
    import pyarrow.parquet as pq

    content = io.BytesIO()
    pq.write_table(table, content)
    write_with_digest(directory, name, content.getvalue())


@contextmanager
def table_written(
    directory: Path, name: str, schema: "pa.Schema"
) -> Iterator[Callable[["pa.Table"], None]]:
    """Write what `write_table` does, of a table that comes in parts.

    Yields:
        A function that takes the parts in turn; each becomes a row group.
    """
    import pyarrow.parquet as pq

    def note(partial: Path) -> None:
        append_digest(directory, name, partial)

    with (
        written_atomically(directory / name, on_written=note) as file,
        pq.ParquetWriter(file, schema) as writer,
    ):
        yield lambda part: writer.write_table(part.combine_chunks())


def csv_of(table: "pa.Table") -> bytes:
    """Return a table for spreadsheets; a text that would start a formula gets a quote in front."""
    return b"".join(csv_parts(table))


def csv_parts(table: "pa.Table", *, header: bool = True) -> Iterator[bytes]:
    """Yield what `csv_of` returns, in parts: as a whole it takes more memory than the table.

    Args:
        table: the table, or a part of it.
        header: whether to begin with the names of the columns.
    """
    import pyarrow as pa
    from pyarrow import csv

    for first in range(0, max(1, len(table)), _CSV_ROWS):
        part = table.slice(first, _CSV_ROWS)
        columns = [
            pa.array([_quote_formula(text) for text in column.to_pylist()], pa.string())
            if pa.types.is_string(column.type)
            else column
            for column in part.columns
        ]
        content = io.BytesIO()
        options = csv.WriteOptions(include_header=header and not first)
        csv.write_csv(pa.table(columns, names=table.column_names), content, options)
        yield content.getvalue()


def _quote_formula(text: str | None) -> str | None:
    return f"'{text}" if text is not None and text.startswith(_FORMULA_STARTS) else text
