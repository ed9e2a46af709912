"""What the engine yields: a chunk of consecutive records.

Shapes: K records of a chunk, n rows of a chunk, D dimensions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gdlab.engine.metrics import Metric
from gdlab.engine.status import Status
from gdlab.losses.base import Loss
from gdlab.numerics.rowwise import LANES, by_rows
from gdlab.numerics.threads import one_thread


@dataclass(frozen=True)
class Mode:
    """How steps were computed.

    Attributes:
        name: "eager" or "compiled".
        why: where a compiled batch fell back to eager, why it did.
    """

    name: str
    why: str | None = None


@dataclass(frozen=True)
class PaddedChunk:
    """A chunk's points (K, n, D) and losses (K, n) with the padding of its rows, and their loss.

    What reduces over D rounds by the number of rows, so it is computed before they are cut off.
    """

    function: Loss
    x: Tensor
    loss: Tensor


@dataclass(frozen=True)
class Chunk:
    """What K consecutive records of n rows hold. Record k of a row is its point after k steps.

    Attributes:
        first: the step number of the first record.
        rows: which runs of the batch the rows are: (n,).
        x: points (K, n, D).
        loss: losses at the points: (K, n); NaN where it was not computed.
        grad_norm: norms of the full, noise-free gradients at the points: (K, n), likewise.
        lr: learning rates of the steps that leave the points: (K, n).
        count: how many of the K records belong to each row's run: (n,).
        status: how each row's run ended, or `Status.RUNNING`: (n,).
        best_loss: the least finite loss of each row's records; infinity where there is none: (n,).
        best_step: the step of the record that first had it: (n,).
        evaluations: gradients computed so far for each row's run: (n,).
        whole: what the rows are a part of.
        metrics: what is recorded of the points every so often.
        mode: how the steps were computed.
        error: the exception that ended the rows whose status is `Status.FAILED`.
    """

    first: int
    rows: Tensor
    x: Tensor
    loss: Tensor
    grad_norm: Tensor
    lr: Tensor
    count: Tensor
    status: Tensor
    best_loss: Tensor
    best_step: Tensor
    evaluations: Tensor
    whole: PaddedChunk
    metrics: Mapping[str, Metric]
    mode: "Mode"
    error: Exception | None

    @cached_property
    def distance(self) -> Tensor | None:
        """Distances (K, n) to the nearest known minimizer, where there is one."""
        with one_thread():
            distance = self.whole.function.distance(self.whole.x)
        return None if distance is None else distance[:, : len(self.rows)]

    @cached_property
    def suboptimality(self) -> Tensor | None:
        """How far the losses (K, n) lie above the known minimum, where there is one."""
        above = self.whole.function.suboptimality(self.whole.loss)
        return None if above is None else above[:, : len(self.rows)]

    @property
    def last(self) -> Tensor:
        """Which record is the last one of each row's run so far: (n,)."""
        return (self.count - 1).clamp(min=0)

    def last_distance(self) -> Tensor | None:
        """The distances (n,) at the last records alone, which costs K times less."""
        with one_thread():
            distance = self.whole.function.distance(self._last_points())
        return None if distance is None else distance[: len(self.rows)]

    def last_suboptimality(self) -> Tensor | None:
        """How far the losses (n,) at the last records alone lie above the known minimum."""
        every = self.whole.loss
        value = every[self._last_padded(), torch.arange(every.shape[1], device=every.device)]
        above = self.whole.function.suboptimality(value)
        return None if above is None else above[: len(self.rows)]

    @cached_property
    def last_metrics(self) -> dict[str, Tensor]:
        """The metrics (n,) at the last records of the rows that ended; NaN for the others."""
        found = {name: torch.full_like(self.best_loss, torch.nan) for name in self.metrics}
        ended = torch.nonzero(self.status != Status.RUNNING)[:, 0]
        if not self.metrics or len(ended) == 0 or len(self.loss) == 0:
            return found
        function = self.whole.function
        more = -len(ended) % LANES if function.elementwise else 0
        rows = torch.cat((ended, ended[-1:].expand(more)))
        function = function.with_columns(lambda column: column[rows])
        points = by_rows(self.whole.x[self.last[rows], rows])[None]
        with one_thread():
            for name, metric in self.metrics.items():
                found[name][ended] = metric.function(function, points)[0, : len(ended)]
        return found

    def measured(self, name: str, records: range) -> Tensor:
        """A metric (k, n) at some of the K records."""
        metric, function, live = self.metrics[name].function, self.whole.function, len(self.rows)
        x = self.whole.x[records.start : records.stop : records.step]
        if not function.elementwise:  # no bit hangs on the padding
            function, x = function.with_columns(lambda column: column[:live]), x[:, :live]
        with one_thread():
            return metric(function, x)[:, :live]

    def _last_points(self) -> Tensor:
        """The points at the last records, padding included: (n, D)."""
        rows = torch.arange(self.whole.x.shape[1], device=self.last.device)
        return self.whole.x[self._last_padded(), rows].T.contiguous().T

    def _last_padded(self) -> Tensor:
        """Which record is the last one of each row, padding included, as of the last live row."""
        rows = torch.arange(self.whole.loss.shape[1], device=self.last.device)
        return self.last[rows.clamp(max=len(self.last) - 1)]
