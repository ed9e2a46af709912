"""The records that a chunk of steps makes, before anyone knows which of them count.

Shapes: K records of a chunk, D dimensions, n rows (padding included).
"""

from dataclasses import dataclass

from torch import Tensor

from gdlab.engine.status import Status


@dataclass(frozen=True)
class ChunkSummary:
    """What a chunk's new records say of each row in short: each (n,).

    Attributes:
        norm: the least gradient norm.
        loss: the least loss.
        at: the record (of the chunk) that had it.
        finite: 0 where every number was finite, else NaN.
        size: the greatest |loss|.
    """

    norm: Tensor
    loss: Tensor
    at: Tensor
    finite: Tensor
    size: Tensor


@dataclass
class ChunkRecords:
    """The records of a chunk, padding included, and what ended it early.

    Attributes:
        points: the points (K, D, n), and room for the next one: (K + 1, D, n).
        loss: losses at the points (K, n).
        norm: norms of the gradients there (K, n).
        rates: learning rates of the steps that leave the points (K, n).
        finite: whether each gradient is finite (K, n); None for where its norm is.
        measured: which records have a loss and a gradient (K,), the others NaN; None for all.
        screen: what the records say in short, where that is known.
        stalled: in which records a row's optimizer said that it cannot go on (K, n); None for none.
        stopped: how all rows ended, where something ended them.
        error: the exception that did.
    """

    points: Tensor
    loss: Tensor
    norm: Tensor
    rates: Tensor
    finite: Tensor | None = None
    measured: Tensor | None = None
    screen: ChunkSummary | None = None
    stalled: Tensor | None = None
    stopped: Status = Status.RUNNING
    error: Exception | None = None

    @property
    def x(self) -> Tensor:
        """The points (K, D, n)."""
        return self.points[: len(self.loss)]

    def cut(self, count: int) -> None:
        """Leave the first `count` records alone."""
        self.loss, self.norm = self.loss[:count], self.norm[:count]
        self.measured = None if self.measured is None else self.measured[:count]
        self.stalled = None if self.stalled is None else self.stalled[:count]
