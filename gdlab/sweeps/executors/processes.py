"""Shards on all cores: a process for each, which ends with the sweep.

The processes are told nothing by signals: they heed neither Ctrl-C nor SIGTERM, and ask a board, a
few numbers in a file that all of them map, whether to stop. They say there how far they are. A
process whose parent is gone ends at once, since whoever resumes the sweep writes into the same
directories.
"""

import errno
import os
import pickle
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.sweeps.executors.work import SETTING, Statuses, Work, run_work

if TYPE_CHECKING:
    import pyarrow as pa
    from joblib.externals.loky import ProcessPoolExecutor

_SECONDS = 0.1  # between looks at the board, and at whether the parent is still there
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def cores() -> int:
    """How many cores this process may use."""
    import joblib

    return joblib.cpu_count()


@dataclass(frozen=True, eq=False)
class ProgressUpdate:
    """What progress is told of the rows of all processes since it was told last.

    Attributes:
        status: of those that ended since then, and of those that still run: (n,).
    """

    status: Tensor


class Board:
    """How far each shard is, and whether all shall stop, where all processes see it.

    Row 0 of its numbers says whether to stop, row 1 + s how many rows of shard s have which status.

    Args:
        path: of its file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._rows = np.asarray(np.memmap(path, np.int64, "r+")).reshape(-1, len(Status))
        self._told = np.zeros(len(Status), dtype=np.int64)

    @classmethod
    @contextmanager
    def of(cls, shards: int) -> Iterator["Board"]:
        """A new board for so many shards; its file is gone afterwards."""
        with tempfile.NamedTemporaryFile(prefix="gdlab-") as file:
            file.write(np.zeros((1 + shards, len(Status)), dtype=np.int64).tobytes())
            file.flush()
            yield cls(file.name)

    def stop(self) -> None:
        """Let all processes end."""
        self._rows[0, 0] = 1

    def is_stopped(self) -> bool:
        """Whether they shall."""
        return self._rows.item(0) != 0

    def note(self, place: int, rows: Statuses) -> None:
        """Write down what became of a shard's rows."""
        counts = np.bincount(rows.status.cpu().numpy(), minlength=len(Status))
        counts[1:] += self._rows[1 + place, 1:]
        self._rows[1 + place] = counts

    def new_counts(self) -> ProgressUpdate:
        """What was not told yet."""
        counts = self._rows[1:].sum(0)
        fresh = counts - self._told
        fresh[Status.RUNNING] = counts[Status.RUNNING]
        self._told = counts
        return ProgressUpdate(torch.from_numpy(np.repeat(np.arange(len(Status)), fresh)))


def run_by_processes(
    works: Iterator[Work],
    count: int,
    interrupted: Callable[[], bool],
    progress: Callable[[Statuses], None],
) -> Iterator[tuple[int, "pa.Table"]]:
    """Run shards on all cores; see `executors.run_shards`.

    Args:
        works: the shards.
        count: how many there are, one at the least.
        interrupted: whether to stop.
        progress: told what became of rows.

    Raises:
        ChildProcessError: a process died.
    """
    first, has_any = next(works), False
    waiting = enumerate(chain([first], works))
    processes = min(cores(), count)
    running: dict[Future[pa.Table | None], int] = {}
    with Board.of(count) as board, _pool(processes) as pool:
        while True:
            if interrupted():
                board.stop()
            else:  # one ahead for each process, so that none waits for its next shard
                for place, work in islice(waiting, 2 * processes - len(running)):
                    running[_submitted(pool, work, board, place)] = work.number
            done, _ = wait(running, _SECONDS, FIRST_COMPLETED)
            progress(board.new_counts())
            for future in done:
                number, table = running.pop(future), future.result()
                if table is not None:
                    has_any = True
                    yield number, table
            if not running:
                break
    if not has_any:
        yield first.number, run_work(first, interrupted, progress)


@contextmanager
def _pool(processes: int) -> Iterator["ProcessPoolExecutor"]:
    """Processes that end with the block.

    Raises:
        ChildProcessError: one of them died.
    """
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    # Whoever starts it while signals are blocked unblocks them.
    resource_tracker.ensure_running()
    pool = ProcessPoolExecutor(processes, initializer=_begin, initargs=(os.getpid(),))
    try:
        yield pool
    except BrokenProcessPool as error:
        died = "a process of the sweep died (killed, or out of memory)"
        raise ChildProcessError(errno.ECHILD, died) from error
    finally:
        pool.shutdown(kill_workers=True)


def _submitted(
    pool: "ProcessPoolExecutor", work: Work, board: Board, place: int
) -> "Future[pa.Table | None]":
    """A shard on its way to a process; the first ones start the processes."""
    import cloudpickle

    content = cloudpickle.dumps(work)
    # A process inherits what is blocked, and is told of no signal even while it starts.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        return pool.submit(_run, content, board.path, place)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(content: bytes, path: str, place: int) -> "pa.Table | None":
    """Run a shard, in a process of the pool; None where the sweep was stopped before.

    Raises:
        SettingError: what was sent cannot be read here.
    """
    board = Board(path)
    if board.is_stopped():
        return None
    try:
        work: Work = pickle.loads(content)
    except Exception as error:  # a class of a person's own may raise anything
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise SettingError(
            f"{SETTING}=processes: another process cannot load the sweep's classes ({what})"
        ) from error
    return run_work(work, board.is_stopped, lambda rows: board.note(place, rows))


def _begin(parent: int) -> None:
    """Heed no signal in this process, and end it once its parent is gone."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
