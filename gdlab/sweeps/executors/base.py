"""The protocol of executors: submit a shard, get a future of its table.

A new executor is one file with a class that follows `Executor`, and one line in `table.EXECUTORS`.
Everything else asks the class's attributes, never its name.
"""

import importlib
from collections.abc import Callable
from concurrent.futures import Executor as PoolExecutor
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gdlab.sweeps.executors.board import Board, Statuses
from gdlab.sweeps.executors.sizes import ShardCost
from gdlab.sweeps.executors.table import EXECUTORS
from gdlab.sweeps.executors.work import Work

if TYPE_CHECKING:
    import pyarrow as pa


class ShardLost(ChildProcessError):
    """What a shard's future raises where it has no table, through no fault of its runs.

    The other shards go on.
    """


class ProcessDied(ShardLost):
    """What a shard's future raises where its process died; the shard is run again.

    `strerror` says how, with the process as its subject.
    """


@dataclass(frozen=True)
class Job:
    """What an executor is opened for.

    Attributes:
        shards: the number of shards to run, at least one.
        cores: the number of cores of this machine to use, where it runs on this machine.
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

        Raises:
            ShardLost, ProcessDied: in the future; see there.

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
    def shares_disk(self) -> bool:
        """Whether shards run where the sweep's directory is, so that they may write into it."""
        ...

    @property
    def needs_pickling(self) -> bool:
        """Whether shards are sent to other processes."""
        ...

    @property
    def cost(self) -> ShardCost | None:
        """What a shard costs, for its size; None if only `engine.max_rows` limits that."""
        ...

    def cores(self) -> int:
        """Return the number of cores on which shards run.

        Raises:
            SettingError: what the executor needs is not there.
        """
        ...

    def open(self, job: Job) -> AbstractContextManager[Session]:
        """Get ready to run shards; the end of the block ends every process it started.

        Raises:
            ChildProcessError: inside the block, a process that ran a shard died.
        """
        ...


def find_executor(given: str | PoolExecutor) -> Executor:
    """Return the executor of a name in the table, or that of a pool that was handed over."""
    if not isinstance(given, str):
        from gdlab.sweeps.executors.handed import Handed

        return Handed(given)
    module, _, kind = EXECUTORS[given].rpartition(".")
    return getattr(importlib.import_module(module), kind)()


def passed_on(
    future: "Future[Any]",
    explain: Callable[[Exception], Exception | None],
    read: "Callable[[Any], pa.Table | None]" = lambda table: table,
) -> "Future[pa.Table | None]":
    """Return a future of the table of another future.

    Args:
        future: the other one.
        explain: what to raise in place of what that raises; None for a shard that did not begin.
        read: makes the table of what it returns.
    """
    answer: Future[pa.Table | None] = Future()

    def pass_on(done: "Future[pa.Table | None]") -> None:
        try:
            answer.set_result(read(done.result()))
        except Exception as error:
            explained = explain(error)
            if explained is None:
                answer.set_result(None)
            else:
                answer.set_exception(explained)

    future.add_done_callback(pass_on)
    return answer
