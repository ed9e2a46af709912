"""The board of an executor: the driver's request to stop, and the shards' progress.

Shapes: n rows.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.status import Status

if TYPE_CHECKING:
    import pyarrow as pa


class Statuses(Protocol):
    """A progress report: the statuses of some rows, including those that still run."""

    @property
    def status(self) -> Tensor:
        """The statuses of the rows: (n,)."""
        ...


class Board(Protocol):
    """The driver's side of the board: it asks all shards to stop, and hears of their progress."""

    def stop(self) -> None:
        """Ask all shards to stop."""
        ...

    def new_counts(self) -> Statuses | None:
        """Return what the driver has not heard yet; None if there is nothing to hear now."""
        ...


class ShardBoard(Protocol):
    """A shard's side of the board: it asks whether to stop, and reports its progress."""

    def is_stopped(self) -> bool:
        """Whether shards should stop; each asks at every step."""
        ...

    def note(self, shard: int, rows: Statuses) -> None:
        """Report the statuses of a shard's rows.

        Args:
            shard: its position among the shards being run.
            rows: those that ended since its last report, and those that still run.
        """
        ...


@dataclass(frozen=True, eq=False)
class ProgressUpdate:
    """The progress of all shards since the last update.

    Attributes:
        status: of the rows that ended since then, and of those that still run: (n,).
    """

    status: Tensor


def counted(before: np.ndarray, rows: Statuses) -> np.ndarray:
    """Count the rows of a shard by status.

    Args:
        before: what its last report counted, 0 for each status at first.
        rows: those that ended since then, and those that still run.
    """
    counts = np.bincount(rows.status.cpu().numpy(), minlength=len(Status))
    counts[1:] += before[1:]
    return counts


def count_rows(table: "pa.Table") -> np.ndarray:
    """Count the rows of the table of a shard that ended by status."""
    counts = np.zeros(len(Status), dtype=np.int64)
    for found in table["status"].value_counts().to_pylist():
        counts[Status[found["values"].upper()]] = found["counts"]
    return counts


class Told:
    """What the driver has heard."""

    def __init__(self) -> None:
        self._counts = np.zeros(len(Status), dtype=np.int64)

    def update(self, counts: np.ndarray) -> ProgressUpdate:
        """Return the rows that ended since the last call, and those that still run.

        Args:
            counts: of all rows by status; fewer than before where a shard began anew.
        """
        fresh = np.maximum(counts - self._counts, 0)
        fresh[Status.RUNNING] = counts[Status.RUNNING]
        self._counts = np.maximum(counts, self._counts)
        return ProgressUpdate(torch.from_numpy(np.repeat(np.arange(len(Status)), fresh)))


class FileBoard:
    """A board that the processes of one machine share: a few numbers in a memory-mapped file.

    On Linux the file is in memory, so that nothing is left even if the process is killed.

    Row 0 of the numbers says whether to stop; row 1 + s counts the rows of shard s by status.
    A pickled board is its path.

    Args:
        path: of its file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._rows = np.asarray(np.memmap(path, np.int64, "r+")).reshape(-1, len(Status))
        self._told = Told()

    def __reduce__(self) -> tuple[type["FileBoard"], tuple[str]]:
        return FileBoard, (self._path,)

    @classmethod
    @contextmanager
    def for_shards(cls, shards: int) -> Iterator["FileBoard"]:
        """Create a board for a number of shards; its file is deleted afterwards."""
        with _open_shared() as (file, path):
            file.write(np.zeros((1 + shards, len(Status)), dtype=np.int64).tobytes())
            file.flush()
            yield cls(path)

    def stop(self) -> None:
        """Ask all shards to stop."""
        self._rows[0, 0] = 1

    def is_stopped(self) -> bool:
        """Whether shards should stop."""
        return self._rows.item(0) != 0

    def note(self, shard: int, rows: Statuses) -> None:
        """Count the rows of a shard by status."""
        self._rows[1 + shard] = counted(self._rows[1 + shard], rows)

    def new_counts(self) -> ProgressUpdate:
        """Return the rows that ended since the last call, and those that still run."""
        return self._told.update(self._rows[1:].sum(0))


@contextmanager
def _open_shared() -> Iterator[tuple[IO[bytes], str]]:
    """Open a new file that other processes can open too, by its path."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("gdlab"), "wb") as file:
            yield file, f"/proc/{os.getpid()}/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile(prefix="gdlab-") as file:
            yield file, file.name
