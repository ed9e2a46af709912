"""The tables of a sweep's shards while it runs: on disk, and some in memory too."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gdlab.engine.status import Status
from gdlab.numerics.memory import release_memory
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.names import SHARDS
from gdlab.recording.parquet import write_table
from gdlab.sweeps.plan import Group
from gdlab.sweeps.result_files import read_shard, shard_name
from gdlab.sweeps.table import in_order, joined_schema, with_schema

if TYPE_CHECKING:
    import pyarrow as pa

_KEPT = 2**24  # bytes of tables that are kept in memory, so that small sweeps read none again
ROWS = 2**14
"""Runs of the table of a sweep that are in memory together, and in a group of its file."""


class ShardTables:
    """The tables of the shards that ended.

    Args:
        directory: the sweep's, which may hold tables of an earlier process.
        shards: all shards, by their numbers.

    Raises:
        RecordError: a table in the directory is damaged.
    """

    def __init__(self, directory: Path, shards: Mapping[int, Group]) -> None:
        self._directory, self._shards = directory, shards
        self._kept: dict[int, pa.Table] = {}
        self._schemas: dict[int, pa.Schema] = {}
        self._equal: dict[pa.Schema, pa.Schema] = {}  # equal schemas are one object
        self._bytes, self._written = 0, set[int]()
        self._runs = 0  # added since memory was released
        files = VerifiedFiles(directory)
        for number in shards:
            if shard_name(SHARDS, number) in files:
                self._written.add(number)
                self._take(number, self._read(files, number))

    def __len__(self) -> int:
        return len(self._written | self._kept.keys())

    def __iter__(self) -> Iterator[int]:
        """Yield the numbers of the shards that ended, in order."""
        return iter(sorted(self._written | self._kept.keys()))

    def __contains__(self, number: int) -> bool:
        return number in self._written or number in self._kept

    def add(self, number: int, table: "pa.Table") -> None:
        """Take the table of a shard, and write it if the shard was not interrupted."""
        if str(Status.INTERRUPTED) in table["status"].unique().to_pylist():
            self._kept[number] = table
        else:
            write_table(self._directory, shard_name(SHARDS, number), table)
            self._written.add(number)
        self._take(number, table)
        self._runs += len(table)
        if self._runs >= ROWS:
            self._runs = 0
            release_memory()

    def schema(self) -> "pa.Schema":
        """Return the schema of the table of the sweep, into which all tables go."""
        return joined_schema([self._schemas[number] for number in self])

    def parts(self, schema: "pa.Schema") -> Iterator["pa.Table"]:
        """Yield the rows of all tables in the order of their runs, `ROWS` at a time.

        Args:
            schema: that of the table of the sweep.

        Raises:
            RecordError: a table was damaged meanwhile.
        """
        files = VerifiedFiles(self._directory)
        numbers = sorted(self, key=lambda number: self._shards[number].runs[0])
        tables = (self._kept[n] if n in self._kept else self._read(files, n) for n in numbers)
        return in_order((with_schema(table, schema) for table in tables), ROWS)

    def _take(self, number: int, table: "pa.Table") -> None:
        self._schemas[number] = self._equal.setdefault(table.schema, table.schema)
        if number not in self._kept and self._bytes + table.nbytes <= _KEPT:
            self._bytes += table.nbytes
            self._kept[number] = table

    def _read(self, files: VerifiedFiles, number: int) -> "pa.Table":
        return read_shard(files, shard_name(SHARDS, number), self._shards[number].runs)
