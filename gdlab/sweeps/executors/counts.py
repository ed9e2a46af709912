"""The board of a cluster, for an actor of its own, which starts faster without torch."""

import numpy as np


class Counts:
    """Whether to stop, and for each shard how often it began and its rows by status.

    Args:
        shards: the number of shards.
        statuses: the number of statuses.
    """

    def __init__(self, shards: int, statuses: int) -> None:
        self._rows = np.zeros((shards, statuses), dtype=np.int64)
        self._tries = np.zeros(shards, dtype=np.int64)
        self._is_stopped = False

    def begin(self, shard: int) -> bool:
        """Note that a shard begins, perhaps anew; return whether it should stop."""
        self._tries[shard] += 1
        self._rows[shard] = 0
        return self._is_stopped

    def note(self, shard: int, counts: np.ndarray) -> bool:
        """Note how many rows of a shard have each status; return whether it should stop."""
        self._rows[shard] = counts
        return self._is_stopped

    def stop(self) -> None:
        """Ask all shards to stop."""
        self._is_stopped = True

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of all shards by status, and how often each shard began."""
        return self._rows.sum(0), self._tries
