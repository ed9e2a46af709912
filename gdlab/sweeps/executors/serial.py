"""Shards one after the other, in this process."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from gdlab.engine.known_steps import KnownSteps
from gdlab.sweeps.executors.base import Job
from gdlab.sweeps.executors.board import Statuses
from gdlab.sweeps.executors.work import Work, run_work

if TYPE_CHECKING:
    import pyarrow as pa


class Serial:
    """Runs each shard while it is submitted."""

    shares_cores = False
    shares_disk = True
    needs_pickling = False
    cost = None

    def cores(self) -> int:
        """Return 1: this process runs one shard at a time."""
        return 1

    @contextmanager
    def open(self, job: Job) -> Iterator["_Session"]:
        """Get ready to run shards; there is nothing to free."""
        yield _Session(job)


class _Session:
    capacity = 1

    def __init__(self, job: Job) -> None:
        self.board = _DirectBoard(job)
        self._steps = KnownSteps()

    def submit(self, work: Work, shard: int) -> "Future[pa.Table | None]":
        """Run a shard to its end; an exception of it is raised here."""
        future: Future[pa.Table | None] = Future()
        board, steps = self.board, self._steps
        note = partial(board.note, shard)
        future.set_result(run_work(work, board.is_stopped, note, steps))
        return future


class _DirectBoard:
    """Passes every question and report on at once."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def stop(self) -> None:
        """Do nothing: no shard runs while the driver does."""

    def is_stopped(self) -> bool:
        """Whether the sweep is interrupted."""
        return self._job.interrupted()

    def note(self, shard: int, rows: Statuses) -> None:
        """Pass a report on."""
        self._job.progress(rows)

    def new_counts(self) -> None:
        """Return None: all reports were passed on."""
