"""The board of a cluster, for an actor of its own, which starts faster without torch."""

from collections.abc import Sequence

import numpy as np


class Counts:
    """Whether to stop, the rows by status of each shard that runs, and which shards began anew.

    Args:
        shards: the number of shards.
        statuses: the number of statuses.
    """

    def __init__(self, shards: int, statuses: int) -> None:
        self._none = np.zeros(statuses, dtype=np.int64)
        self._rows: dict[int, np.ndarray] = {}
        self._again: dict[int, int] = {}
        self._has_ended = np.zeros(shards, dtype=bool)
        self._is_stopped = False

    def begin(self, shard: int, tries: int) -> bool:
        """Note that a shard begins, perhaps anew; return whether it should stop."""
        self._rows.pop(shard, None)
        if tries > 1:
            self._again[shard] = tries
        return self._is_stopped

    def note(self, shard: int, counts: np.ndarray) -> bool:
        """Note how many rows of a shard have each status; return whether it should stop."""
        if not self._has_ended[shard]:
            self._rows[shard] = counts
        return self._is_stopped

    def stop(self) -> None:
        """Ask all shards to stop."""
        self._is_stopped = True

    def read(self, ended: Sequence[int]) -> tuple[np.ndarray, dict[int, int]]:
        """Return the rows by status of the shards that run, and which began anew.

        Args:
            ended: the shards that ended since the last call; what is said of them later is too
                late.

        Returns:
            The rows, and of each shard that began anew how often it has begun.
        """
        for shard in ended:
            self._has_ended[shard] = True
            self._rows.pop(shard, None)
        again, self._again = self._again, {}
        return sum(self._rows.values(), self._none), again
