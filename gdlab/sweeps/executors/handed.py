"""Shards by an executor that the caller of `gdlab.sweep` hands over, and ends."""

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from errno import ECHILD
from typing import TYPE_CHECKING

import numpy as np

from gdlab.engine.status import Status
from gdlab.errors import SettingError, first_line
from gdlab.fields.formatting import format_value
from gdlab.numerics.threads import cores as available_cores
from gdlab.sweeps.executors.base import Job, passed_on
from gdlab.sweeps.executors.board import ProgressUpdate, Statuses, Told, count_rows
from gdlab.sweeps.executors.by_value import by_value
from gdlab.sweeps.executors.pickling import Packer, Parcel, run_parcel
from gdlab.sweeps.executors.sizes import ShardCost
from gdlab.sweeps.executors.work import Work

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = "a concurrent.futures.Executor"


class Handed:
    """Runs shards by any `concurrent.futures.Executor`, wherever its workers are.

    Nothing is known of them but that they run functions. So a shard that has begun runs to its end,
    and progress is told shard by shard.

    Args:
        pool: the executor.
    """

    shares_cores = True
    shares_disk = False
    needs_pickling = True
    cost = ShardCost(driver=1e-3, worker=8e-3)

    def __init__(self, pool: Executor) -> None:
        self._pool = pool

    def cores(self) -> int:
        """Return the number of cores of this machine: an executor does not tell its own."""
        return available_cores()

    @contextmanager
    def open(self, job: Job) -> Iterator["_Session"]:
        """Get ready to submit shards; those that have not begun are canceled in the end.

        Raises:
            ChildProcessError: the executor is broken, as one whose process died.
        """
        session = _Session(self._pool, job)
        try:
            with by_value():
                yield session
        except BrokenExecutor as error:
            raise ChildProcessError(ECHILD, f"the executor is broken ({error})") from error
        finally:
            session.board.stop()


class _Session:
    def __init__(self, pool: Executor, job: Job) -> None:
        self._pool, self._packer, self.board = pool, Packer(), _Board()
        self.capacity = job.shards  # the executor has a queue of its own

    def submit(self, work: Work, shard: int) -> "Future[pa.Table | None]":
        """Submit a shard.

        Raises:
            SettingError: the executor takes none any more, as one that was shut down.
        """
        parcel = self._packer.pack(work)
        try:
            future = self._pool.submit(_run, parcel)
        except BrokenExecutor:
            raise
        except RuntimeError as error:
            given = f"executor={format_value(self._pool)}"
            raise SettingError(f"{given}: takes no shard ({first_line(error)})") from error
        self.board.futures.append(future)
        return passed_on(future, lambda error: None if future.cancelled() else error)


class _Board:
    """Cancels shards that have not begun, and counts the rows of those that ended."""

    def __init__(self) -> None:
        self.futures: list[Future[pa.Table | None]] = []
        self._counts, self._told = np.zeros(len(Status), dtype=np.int64), Told()

    def stop(self) -> None:
        """Cancel what has not begun."""
        for future in self.futures:
            future.cancel()

    def new_counts(self) -> ProgressUpdate:
        """Return the rows of the shards that ended since the last call."""
        done = {future for future in self.futures if future.done()}
        self.futures = [future for future in self.futures if future not in done]
        for future in done:
            table = None if future.cancelled() or future.exception() else future.result()
            if table is not None:
                self._counts += count_rows(table)
        return self._told.update(self._counts)


class _Alone:
    """The board of a shard that nobody hears and nobody stops."""

    def is_stopped(self) -> bool:
        """Whether to stop: no."""
        return False

    def note(self, shard: int, rows: Statuses) -> None:
        """Tell nobody."""


def _run(parcel: Parcel) -> "pa.Table | None":
    """Run a shard, in a worker."""
    return run_parcel(parcel, _NAME, _Alone(), 0)
