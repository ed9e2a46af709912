"""The driver's and the workers' sides of the board of a Ray cluster, an actor of its own."""

import time
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.engine.status import Status
from gdlab.sweeps.executors.board import ProgressUpdate, Statuses, Told, count_rows, counted

if TYPE_CHECKING:
    import pyarrow as pa

SECONDS = 0.5
"""Between an answer of the board and the next question."""

_LOOK = 0.05  # seconds between two looks for an answer
_FRESH = 1.0  # seconds


class DriverBoard:
    """The driver's side of the board, which it asks at most twice a second.

    What shards that ended counted it reads off their tables.

    Args:
        ray: the module.
        actor: the board.
        refs: the tasks of the shards that have not ended.
    """

    def __init__(self, ray: Any, actor: Any, refs: Mapping[int, Any]) -> None:
        self._ray, self._actor, self._refs = ray, actor, refs
        self._ended: list[tuple[int, np.ndarray]] = []
        self._counts, self._told = np.zeros(len(Status), dtype=np.int64), Told()
        self._next, self._is_stopped = 0.0, False

    def add(self, shard: int, table: "pa.Table") -> None:
        """Take note of a shard that ended; in any thread."""
        self._ended.append((shard, count_rows(table)))

    def stop(self) -> None:
        """Ask all shards to stop; those that have not begun, as far as one knows, are canceled.

        A new worker may take seconds to begin.
        """
        if self._is_stopped:
            return
        self._is_stopped = True
        answer = self._actor.stop.remote()
        is_there = self._ray.wait([answer], timeout=SECONDS)[0]  # the board may not have begun
        begun = self._ray.get(answer) if is_there else ()
        for shard, ref in list(self._refs.items()):
            if shard not in begun:
                self._ray.cancel(ref, force=True)

    def new_counts(self) -> ProgressUpdate | None:
        """Return the rows that ended since the last answer, and those that still run.

        None once shards were asked to stop: the driver only waits for them to end.
        """
        now = time.monotonic()
        if self._is_stopped or (now < self._next and self._refs):
            return None
        self._next = now + SECONDS
        ended, self._ended = self._ended, []
        running = self._ray.get(self._actor.read.remote([shard for shard, _ in ended]))
        self._counts = sum((counts for _, counts in ended), self._counts)
        return self._told.update(self._counts + running)


class WorkerBoard:
    """A worker's side of the board, which it asks at most twice a second and seldom waits for.

    Args:
        name: of the actor.
    """

    def __init__(self, name: str) -> None:
        self._ray = import_module("ray")
        self._actor = self._ray.get_actor(name)
        self._counts = np.zeros(len(Status), dtype=np.int64)
        self._shard, self._is_stopped, self._answer = 0, False, None
        self._heard, self._next = float("-inf"), 0.0

    def begin(self, shard: int) -> None:
        """Begin a shard.

        The board is asked, and waited for, where its last answer is old. So soon after the sweep
        is stopped, no shard that was queued begins.
        """
        self._shard, self._counts = shard, np.zeros(len(Status), dtype=np.int64)
        now = time.monotonic()
        if now > self._heard + _FRESH:
            self._hear(self._ray.get(self._actor.note.remote(shard, self._counts)), now)

    def is_stopped(self) -> bool:
        """Whether the shard should stop."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _LOOK
            if self._answer is None:
                self._answer = self._actor.note.remote(self._shard, self._counts)
            elif self._ray.wait([self._answer], timeout=0)[0]:
                self._hear(self._ray.get(self._answer), now)
        return self._is_stopped

    def note(self, shard: int, rows: Statuses) -> None:
        """Count the rows of the shard by status, for the next question."""
        self._counts = counted(self._counts, rows)

    def _hear(self, is_stopped: bool, now: float) -> None:
        self._is_stopped, self._heard = is_stopped, now
        self._answer, self._next = None, now + SECONDS


@lru_cache(maxsize=1)
def worker_board(name: str) -> WorkerBoard:
    """Return the board of a sweep; to find it takes as long as a small shard."""
    return WorkerBoard(name)
