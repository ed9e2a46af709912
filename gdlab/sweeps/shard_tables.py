"""The tables of a sweep's shards while it runs: on disk, and some in memory too."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gdlab.engine.status import Status
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.names import SHARDS
from gdlab.recording.parquet import write_table
from gdlab.sweeps.plan import Group
from gdlab.sweeps.result_files import read_shard, shard_name

if TYPE_CHECKING:
    import pyarrow as pa

_KEPT = 2**26  # bytes of tables that are kept in memory, so that small sweeps read none again


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
        self._bytes, self._written = 0, set[int]()
        files = VerifiedFiles(directory)
        for number in shards:
            if shard_name(SHARDS, number) in files:
                self._written.add(number)
                self._keep(number, self._read(files, number))

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
            self._keep(number, table)

    def read(self) -> list["pa.Table"]:
        """Return all tables, in the order of their shards.

        Raises:
            RecordError: one was damaged meanwhile.
        """
        files = VerifiedFiles(self._directory)
        return [
            self._kept[number] if number in self._kept else self._read(files, number)
            for number in self
        ]

    def _keep(self, number: int, table: "pa.Table") -> None:
        if self._bytes + table.nbytes <= _KEPT:
            self._bytes += table.nbytes
            self._kept[number] = table

    def _read(self, files: VerifiedFiles, number: int) -> "pa.Table":
        return read_shard(files, shard_name(SHARDS, number), self._shards[number].runs)
