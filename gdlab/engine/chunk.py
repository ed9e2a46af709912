"""The output of the engine: a chunk of consecutive records.

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
        fallback_reason: why a batch that was to be compiled ran in eager mode.
    """

    name: str
    fallback_reason: str | None = None


@dataclass(frozen=True)
class PaddedChunk:
    """A chunk's points (K, n, D) and losses (K, n) including the padding rows, and their loss.

    Reductions over D round by the number of rows, so they are computed before the padding is cut.
    The number of rows is a multiple of `lanes`.

    Attributes:
        has_few_lanes: whether compiled steps took fewer rows than `LANES` at once. What torch
            computes from them gets more padding.
    """

    function: Loss
    x: Tensor
    loss: Tensor
    lanes: int
    has_few_lanes: bool

    def fill(self, x: Tensor) -> tuple[Loss, Tensor]:
        """Return the loss and points (…, n, D) with the last row repeated to whole `LANES`."""
        n = x.shape[-2]
        if not self.has_few_lanes or (n % LANES == 0 and x.stride(-2) == 1):
            return self.function, x
        rows = torch.arange(n + -n % LANES, device=x.device).clamp(max=n - 1)
        filled = by_rows(x[..., rows, :].movedim(-2, 0)).movedim(0, -2)
        return self.function.with_columns(lambda column: column[rows]), filled

    def distance(self, x: Tensor) -> Tensor | None:
        """Return the distances (…, n) of points (…, n, D) to the nearest known minimizer."""
        if self.function.minimizers is None:
            return None
        if x.ndim == 3 and x.shape[1] == 1 and self.has_few_lanes:
            # The records of the only row take the lanes.
            records = torch.arange(len(x) + -len(x) % LANES).clamp(max=len(x) - 1)
            function, filled = self.function, by_rows(x[records, 0])[:, None]
        else:
            function, filled = self.fill(x)
        distance = function.distance(filled)
        return None if distance is None else distance[tuple(map(slice, x.shape[:-1]))]


@dataclass(frozen=True)
class Chunk:
    """K consecutive records of n rows. Record k of a row is its point after k steps.

    Attributes:
        first: the step number of the first record.
        rows: the row of the batch that each row is: (n,).
        x: points (K, n, D).
        loss: losses at the points: (K, n); NaN where not computed.
        grad_norm: norms of the full, noise-free gradients at the points: (K, n), likewise.
        lr: learning rates of the steps that leave the points: (K, n).
        count: number of the K records that belong to each row's run: (n,).
        status: how each row's run ended, or `Status.RUNNING`: (n,).
        best_loss: the smallest finite loss of each row's records; infinity if there is none: (n,).
        best_step: the step of the record that first had it: (n,).
        evaluations: gradients computed so far for each row's run: (n,).
        counts: gradients computed up to each record (K, n), where an optimizer asks for more than
            one a record; else None.
        targets: the losses to be reached (J, n); None for none.
        obstacle: codes of `Obstacle`, for rows that stalled: (n,).
        padded: the same records with the padding rows.
        metrics: the metrics recorded at intervals.
        mode: how the steps were computed.
        error: the exception that ended the rows whose status is `Status.FAILED`.
        best_x: the points with these losses (n, D), in a chunk that has no points: x is (0, n, D),
            and its records are the last ones of more, in all of which no row ended.
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
    counts: Tensor | None
    targets: Tensor | None
    obstacle: Tensor
    padded: PaddedChunk
    metrics: Mapping[str, Metric]
    mode: Mode
    error: BaseException | None
    best_x: Tensor | None = None

    def best_points(self, rows: Tensor) -> Tensor:
        """Return the points with the smallest losses of m rows (m,): (m, D)."""
        if self.best_x is not None:
            return self.best_x[rows]
        return self.x[self.best_step[rows] - self.first, rows]

    def evaluations_at(self, record: Tensor, rows: Tensor) -> Tensor:
        """Return the gradients computed up to one record of each of m rows (m,): (m,)."""
        return self.first + record + 1 if self.counts is None else self.counts[record, rows]

    @cached_property
    def distance(self) -> Tensor | None:
        """Distances (K, n) to the nearest known minimizer; None where none is known."""
        with one_thread():
            distance = self.padded.distance(self.padded.x)
        return None if distance is None else distance[:, : len(self.rows)]

    @cached_property
    def suboptimality(self) -> Tensor | None:
        """The losses (K, n) above the known minimum; None where it is unknown."""
        above = self.padded.function.suboptimality(self.padded.loss)
        return None if above is None else above[:, : len(self.rows)]

    @property
    def last(self) -> Tensor:
        """The index of the last record of each row's run so far: (n,)."""
        return (self.count - 1).clamp(min=0)

    def last_distance(self) -> Tensor | None:
        """Compute the distances (n,) at the last records only, which costs K times less."""
        with one_thread():
            distance = self.padded.distance(self._last_padded_points())
        return None if distance is None else distance[: len(self.rows)]

    def last_suboptimality(self) -> Tensor | None:
        """Compute the losses (n,) above the known minimum at the last records only."""
        losses = self.padded.loss
        columns = torch.arange(losses.shape[1], device=losses.device)
        above = self.padded.function.suboptimality(losses[self._last_padded_records(), columns])
        return None if above is None else above[: len(self.rows)]

    @cached_property
    def last_metrics(self) -> dict[str, Tensor]:
        """The metrics (n,) at the last records of the rows that ended; NaN for the others."""
        values = {name: torch.full_like(self.best_loss, torch.nan) for name in self.metrics}
        ended = torch.nonzero(self.status != Status.RUNNING)[:, 0]
        if not self.metrics or len(ended) == 0 or len(self.loss) == 0:
            return values
        function = self.padded.function
        lanes = LANES if self.padded.has_few_lanes else self.padded.lanes
        padding = -len(ended) % lanes if function.elementwise else 0
        rows = torch.cat((ended, ended[-1:].expand(padding)))
        function = function.with_columns(lambda column: column[rows])
        points = by_rows(self.padded.x[self.last[rows], rows])[None]
        with one_thread():
            for name, metric in self.metrics.items():
                values[name][ended] = metric.function(function, points)[0, : len(ended)]
        return values

    def compute_metric(self, name: str, records: range) -> Tensor:
        """Compute a metric at k of the K records: (k, n)."""
        metric, function, live = self.metrics[name].function, self.padded.function, len(self.rows)
        x = self.padded.x[records.start : records.stop : records.step]
        if not function.elementwise:  # padding does not affect the bits
            function, x = function.with_columns(lambda column: column[:live]), x[:, :live]
        else:
            function, x = self.padded.fill(x)
        with one_thread():
            return metric(function, x)[:, :live]

    def _last_padded_points(self) -> Tensor:
        """The points at the last records, padding included: (n, D)."""
        rows = torch.arange(self.padded.x.shape[1], device=self.last.device)
        return self.padded.x[self._last_padded_records(), rows].T.contiguous().T

    def _last_padded_records(self) -> Tensor:
        """The last record of each row; padding rows have that of the last live row."""
        rows = torch.arange(self.padded.loss.shape[1], device=self.last.device)
        return self.last[rows.clamp(max=len(self.last) - 1)]
