"""Shards on all cores: a pool of processes that ends with the sweep.

The processes ignore the signals that ask a command to end. They ask a board, a few numbers in a
file that all of them map, whether to stop, and report their progress there. A process whose parent
is gone ends at once, since whoever resumes the sweep writes into the same directories.
"""

import errno
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING

from gdlab.numerics.threads import cores as available_cores
from gdlab.runs.interruption import SIGNALS
from gdlab.sweeps.executors.base import Job
from gdlab.sweeps.executors.board import FileBoard
from gdlab.sweeps.executors.pickling import Packer, run_parcel
from gdlab.sweeps.executors.sizes import ShardCost
from gdlab.sweeps.executors.work import Work

if TYPE_CHECKING:
    import pyarrow as pa
    from loky import ProcessPoolExecutor

_NAME = "processes"
_SECONDS = 0.1  # between two looks at whether the parent is still there


class Processes:
    """Runs shards side by side, in one process for each core."""

    shares_cores = True
    shares_disk = True
    needs_pickling = True
    cost = ShardCost(driver=1e-3, worker=8e-3)

    def cores(self) -> int:
        """Return the number of cores that this process may use."""
        return available_cores()

    @contextmanager
    def open(self, job: Job) -> Iterator["_Session"]:
        """Get ready to start processes, which end with the block.

        Raises:
            ChildProcessError: one of them died.
        """
        processes = min(job.cores, job.shards)
        with FileBoard.for_shards(job.shards) as board, _open_pool(processes) as pool:
            yield _Session(pool, board, processes)


class _Session:
    def __init__(self, pool: "ProcessPoolExecutor", board: FileBoard, processes: int) -> None:
        self._pool, self._packer = pool, Packer()
        self.board = board
        self.capacity = 2 * processes  # one ahead for each, so that none waits for its next shard

    def submit(self, work: Work, shard: int) -> "Future[pa.Table | None]":
        """Send a shard to the pool; the first ones start its processes."""
        parcel = self._packer.pack(work)
        # A new process inherits which signals are blocked, so none reaches it while it starts.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            return self._pool.submit(run_parcel, parcel, _NAME, self.board, shard)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _open_pool(processes: int) -> Iterator["ProcessPoolExecutor"]:
    """Open a pool whose processes end with the block.

    Raises:
        ChildProcessError: one of them died.
    """
    from loky import BrokenProcessPool, ProcessPoolExecutor

    # Start it now: whoever starts it while signals are blocked unblocks them.
    resource_tracker.ensure_running()
    pool = ProcessPoolExecutor(processes, initializer=_begin, initargs=(os.getpid(),))
    try:
        yield pool
    except BrokenProcessPool as error:
        died = "a process of the sweep died (killed, or out of memory)"
        raise ChildProcessError(errno.ECHILD, died) from error
    finally:
        pool.shutdown(kill_workers=True)


def _begin(parent: int) -> None:
    """Ignore signals in this process, and end it once its parent is gone."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
