"""The board of a cluster, for an actor of its own, which starts faster without torch."""

from collections.abc import Sequence

import numpy as np


class Counts:
    """Whether to stop, and the rows by status of each shard that runs.

    Args:
        shards: the number of shards.
        statuses: the number of statuses.
    """

    def __init__(self, shards: int, statuses: int) -> None:
        self._none = np.zeros(statuses, dtype=np.int64)
        self._rows: dict[int, np.ndarray] = {}
        self._has_ended = np.zeros(shards, dtype=bool)
        self._is_stopped = False

    def note(self, shard: int, counts: np.ndarray) -> bool:
        """Note how many rows of a shard have each status; return whether it should stop."""
        if not self._has_ended[shard]:
            self._rows[shard] = counts
        return self._is_stopped

    def stop(self) -> set[int]:
        """Ask all shards to stop; return those that have noted anything and not ended."""
        self._is_stopped = True
        return set(self._rows)

    def read(self, ended: Sequence[int]) -> np.ndarray:
        """Return the rows by status of the shards that run.

        Args:
            ended: the shards that ended since the last call; what is said of them later is too
                late.
        """
        for shard in ended:
            self._has_ended[shard] = True
            self._rows.pop(shard, None)
        return sum(self._rows.values(), self._none)
