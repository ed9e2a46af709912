"""The records that the steps of a chunk make, before it is known where each run ends.

Shapes: K records of a chunk, D dimensions, n rows (padding included).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.engine.status import Status
from gdlab.errors import is_device_lost, raise_if_signaled


@dataclass(frozen=True)
class ChunkSummary:
    """Extremes of a chunk's new records, for each row: each (n,).

    Attributes:
        min_norm: the smallest gradient norm.
        min_loss: the smallest loss.
        best_record: the record of the chunk that has the smallest loss.
        zero_if_finite: 0 if every number was finite, else NaN.
        max_abs_loss: the largest |loss|.
    """

    min_norm: Tensor
    min_loss: Tensor
    best_record: Tensor
    zero_if_finite: Tensor
    max_abs_loss: Tensor


@dataclass
class ChunkRecords:
    """The records of a chunk, padding included, and what ended it early.

    Attributes:
        points: the points (K, D, n) and room for the next one: (K + 1, D, n).
        loss: losses at the points (K, n).
        norm: gradient norms at the points (K, n).
        rates: learning rates of the steps that leave the points (K, n).
        finite: whether each gradient is finite (K, n); None where a finite norm says so.
        has_loss: which records have a loss and a gradient (K,), the others NaN; None for all.
        summary: the extremes of the new records, in compiled mode.
        stalled: in which records a row's optimizer could not progress (K, n); None for none.
        counts: evaluations up to each record (K, n); None where the step number tells.
        stop_status: how all rows ended, where an exception or an interruption ended them.
        error: the exception.
        event: when the numbers are there, of steps that a GPU still takes; None for now.
    """

    points: Tensor
    loss: Tensor
    norm: Tensor
    rates: Tensor
    finite: Tensor | None = None
    has_loss: Tensor | None = None
    summary: ChunkSummary | None = None
    stalled: Tensor | None = None
    counts: Tensor | None = None
    stop_status: Status = Status.RUNNING
    error: BaseException | None = None
    event: torch.cuda.Event | None = None

    def wait(self) -> None:
        """Let the current stream of a GPU wait until the numbers are there."""
        if self.event is not None:
            torch.cuda.current_stream().wait_event(self.event)

    @property
    def x(self) -> Tensor:
        """The points (K, D, n)."""
        return self.points[: len(self.loss)]

    def fail(self, error: BaseException) -> None:
        """End all rows with an exception, but raise that of a signal's handler or a lost device."""
        raise_if_signaled(error)
        if is_device_lost(error):
            raise error
        self.stop_status, self.error = Status.FAILED, error

    def truncate(self, count: int) -> None:
        """Keep only the first `count` records."""
        self.loss, self.norm = self.loss[:count], self.norm[:count]
        self.has_loss = None if self.has_loss is None else self.has_loss[:count]
        self.stalled = None if self.stalled is None else self.stalled[:count]
        self.counts = None if self.counts is None else self.counts[:count]
