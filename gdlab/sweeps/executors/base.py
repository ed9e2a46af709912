"""The protocol of executors: submit a shard, get a future of its table.

A new executor is one file with a class that follows `Executor`, and one line in `table.EXECUTORS`.
Everything else asks the class's attributes, never its name.
"""

import importlib
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gdlab.sweeps.executors.board import Board, Statuses
from gdlab.sweeps.executors.table import EXECUTORS
from gdlab.sweeps.executors.work import Work

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Job:
    """What an executor is opened for.

    Attributes:
        shards: the number of shards to run, at least one.
        cores: the number of cores of this machine to use.
        interrupted: whether to stop; asked at every step.
        progress: receives the statuses of rows.
    """

    shards: int
    cores: int
    interrupted: Callable[[], bool]
    progress: Callable[[Statuses], None]


class Session(Protocol):
    """An open executor."""

    @property
    def board(self) -> Board:
        """Where the driver says stop and hears of progress."""
        ...

    @property
    def capacity(self) -> int:
        """The number of shards to keep submitted."""
        ...

    def submit(self, work: Work, shard: int) -> "Future[pa.Table | None]":
        """Start a shard.

        Args:
            work: the shard.
            shard: its position among the shards being run, for the board.

        Returns:
            A future of its table, or of None if it was stopped before it began. An executor that
            runs the shard right here returns a finished future.
        """
        ...


class Executor(Protocol):
    """Runs the shards of a sweep."""

    @property
    def shares_cores(self) -> bool:
        """Whether shards run side by side, so that each must use a single thread."""
        ...

    @property
    def needs_pickling(self) -> bool:
        """Whether shards are sent to other processes."""
        ...

    @property
    def shards_per_core(self) -> int:
        """How many shards to cut for each core; 0 if only `engine.max_rows` limits their size."""
        ...

    def open(self, job: Job) -> AbstractContextManager[Session]:
        """Get ready to run shards; the end of the block ends every process it started.

        Raises:
            ChildProcessError: inside the block, a process that ran a shard died.
        """
        ...


def find_executor(name: str) -> Executor:
    """Import and return the executor of a name in the table."""
    module, _, kind = EXECUTORS[name].rpartition(".")
    return getattr(importlib.import_module(module), kind)()
