"""Memory for the points of consecutive chunks.

Shapes: K records of a chunk, D dimensions, n rows.
"""

from torch import Tensor

from gdlab.engine.buffers import BufferPool

_FEW_RECORDS = 16
_MOST_BYTES = 2**28


class PointMemory:
    """Takes memory for the points of one chunk after the other, from a pool.

    Chunks of few records lie one behind the other in the same memory, as long as there is room: a
    chunk begins with the last record of the one before and the next point, which need not be copied
    then.

    Args:
        pool: gives the memory.
        by_row: whether the numbers of a row lie together, else those of a coordinate.
    """

    def __init__(self, pool: BufferPool, by_row: bool) -> None:
        self._pool, self._by_row = pool, by_row
        self._all: Tensor | None = None
        self._first = 0  # the step number of its first record

    def go_on(self, first: int, count: int) -> Tensor | None:
        """Return the points (K + 1, D, n) of a chunk behind those of the chunk before.

        The last record of the chunk before is the first one, and the point after it the second.

        Args:
            first: the step number of the first record.
            count: the number of records.

        Returns:
            The points, or None if there is no room.
        """
        place = first - self._first
        if self._all is None or place + count >= len(self._all):
            return None
        return self._all[place : place + count + 1]

    def begin(self, first: int, count: int, most: int, x: Tensor) -> Tensor:
        """Return new memory for the points (K + 1, D, n) of a chunk of rows like x (n, D).

        Args:
            first: the step number of the first record.
            count: the number of records.
            most: the number of records from there to the end of the runs.
            x: the points of the rows.
        """
        n, dim = x.shape
        room = count
        if count < _FEW_RECORDS:
            fitting = _MOST_BYTES // (n * dim * x.element_size())
            room = max(count, min(_FEW_RECORDS, most, fitting))
        if self._by_row:
            points = self._pool.empty((room + 1, n, dim), x).transpose(1, 2)
        else:
            points = self._pool.empty((room + 1, dim, n), x)
        self._all, self._first = points, first
        return points[: count + 1]
