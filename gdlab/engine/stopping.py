"""How and where the runs of a chunk ended, read off its records.

If a chunk comes with a summary, only the rows that may have ended are examined record by record.

Shapes: D dimensions, K records of the chunk, n rows, m rows that are examined.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.engine.chunk import Chunk, Mode, PaddedChunk
from gdlab.engine.records import ChunkRecords, ChunkSummary
from gdlab.engine.rows import Rows
from gdlab.engine.status import Status
from gdlab.numerics.autodiff import norms, value_and_gradient
from gdlab.numerics.rowwise import LANES


@dataclass
class _Endings:
    """How and where rows ended, each (m,).

    Attributes:
        status: how, or `Status.RUNNING`.
        record: the record at which the run ended, or the last one.
        is_dropped: whether that record is not part of the run: its numbers are not finite.
        best_loss: the smallest loss of the run's records.
        best_record: the record that has it.
    """

    status: Tensor
    record: Tensor
    is_dropped: Tensor
    best_loss: Tensor
    best_record: Tensor


def find_endings(rows: Rows, records: ChunkRecords, mode: Mode) -> Chunk:
    """Find how and where each run of a chunk ended, and return the chunk."""
    live, n = rows.live, len(records.loss)
    if n == 0:
        return _empty_chunk(rows, records, mode)
    targets = rows.targets_from(records.loss[0])
    out_of_patience = _wait(rows, records)
    if records.summary is None:
        endings = _endings_from_records(rows, records, slice(0, live), out_of_patience)
    else:
        endings = _endings_from_summary(rows, records, records.summary)
        is_candidate = may_have_ended(records.summary, rows)[:live]
        if out_of_patience is not None:
            is_candidate |= out_of_patience.any(0)
        candidates = is_candidate.nonzero()[:, 0]
        if len(candidates):
            exact = vars(_endings_from_records(rows, records, candidates, out_of_patience))
            for name, values in vars(endings).items():
                values[candidates] = exact[name]
    is_running = endings.status == Status.RUNNING
    goes_on = is_running & (records.stop_status == Status.RUNNING)
    count = endings.record + 1 - (endings.is_dropped | goes_on).int()
    if records.has_loss is not None and records.stop_status != Status.FAILED:
        _compute_last_losses(rows, records, endings, torch.where(goes_on, 0, count))
    evaluations = _count_evaluations(rows, records, endings)
    x = records.x.movedim(1, 2)
    return Chunk(
        first=rows.first,
        rows=rows.index[:live],
        x=x[:, :live],
        loss=records.loss[:, :live],
        grad_norm=records.norm[:, :live],
        lr=records.rates[:n, :live],
        count=count,
        status=torch.where(is_running, int(records.stop_status), endings.status),
        best_loss=endings.best_loss,
        best_step=rows.first + endings.best_record,
        evaluations=evaluations,
        counts=None if records.counts is None else records.counts[:, :live],
        targets=None if targets is None else targets[:, :live],
        obstacle=rows.index[:live] * 0 if rows.oracle is None else rows.oracle.obstacle[:live, 0],
        padded=padded_records(rows, x, records.loss),
        metrics=rows.batch.metrics,
        mode=mode,
        error=records.error,
    )


def _count_evaluations(rows: Rows, records: ChunkRecords, endings: _Endings) -> Tensor:
    """The evaluations of each live row: (live,)."""
    if rows.oracle is None or records.counts is None:
        return rows.first + endings.record + 1
    # A row whose patience ran out was charged to the end of the chunk.
    at_end = records.counts[:, : rows.live].gather(0, endings.record[None])[0]
    is_early = endings.status == Status.EARLY_STOPPED
    return torch.where(is_early, at_end, rows.oracle.count[: rows.live])


def _endings_from_summary(rows: Rows, records: ChunkRecords, summary: ChunkSummary) -> _Endings:
    """The endings of rows that did not end early: still running, or out of steps."""
    live, n = rows.live, len(records.loss)
    is_last = rows.first + n - 1 == rows.batch.last_step
    record = torch.full((live,), n - 1, device=records.loss.device)
    return _Endings(
        status=torch.full_like(record, int(Status.MAX_STEPS if is_last else Status.RUNNING)),
        record=record,
        is_dropped=torch.zeros_like(record, dtype=torch.bool),
        best_loss=summary.min_loss[:live].clone(),
        best_record=summary.best_record[:live].long(),
    )


def may_have_ended(summary: ChunkSummary, rows: Rows) -> Tensor:
    """Return whether a row may have met a criterion or has a number that is not finite: (n,)."""
    stop = rows.batch.stop
    candidates = (summary.min_norm <= stop.grad_tol) | summary.zero_if_finite.isnan()
    if stop.loss is not None:
        candidates |= summary.min_loss <= stop.loss
    if rows.targets is not None:
        candidates |= summary.min_loss <= rows.targets[-1]
    if stop.max_loss is not None:
        candidates |= summary.max_abs_loss > stop.max_loss
    return candidates


def _wait(rows: Rows, records: ChunkRecords) -> Tensor | None:
    """Whether a live row's patience had run out at a record (K, live); None without patience."""
    live = rows.live
    if rows.patience is None or records.stop_status == Status.FAILED:
        return None
    loss = rows.loss.with_columns(lambda column: column[:live])
    x = records.x.movedim(1, 2)[:, :live]
    rows.patience, ran_out = rows.patience.after(loss, x, rows.first, rows.pending_count)
    return ran_out


def _endings_from_records(
    rows: Rows, records: ChunkRecords, index: slice | Tensor, out_of_patience: Tensor | None
) -> _Endings:
    """The endings of the rows `index`, from all of their records and what `_wait` returned."""
    stop, n = rows.batch.stop, len(records.loss)
    loss = records.loss[:, index]
    norm, finite = _norms_and_finiteness(rows, records, index)
    is_finite_loss = torch.isfinite(loss)
    finite = finite & torch.isfinite(records.x[:, :, index]).all(1)
    if records.has_loss is None:
        finite &= is_finite_loss
    else:
        finite &= is_finite_loss | ~records.has_loss[:, None].to(loss.device)
    is_last = torch.arange(rows.first, rows.first + n, device=loss.device) == rows.batch.last_step
    status = torch.full(loss.shape, int(Status.RUNNING), device=loss.device)
    # A later assignment takes precedence over an earlier one.
    status[is_last] = int(Status.MAX_STEPS)
    if records.counts is not None and stop.evaluations is not None:
        status[records.counts[:, index] >= stop.evaluations] = int(Status.MAX_STEPS)
    if out_of_patience is not None:
        status[out_of_patience[:, index]] = int(Status.EARLY_STOPPED)
    if records.stalled is not None:
        status[records.stalled[:, index]] = int(Status.STALLED)
    if stop.loss is not None:
        status[loss <= stop.loss] = int(Status.TARGET)
    if rows.targets is not None:
        status[loss <= rows.targets[-1, index]] = int(Status.TARGET)
    status[norm <= stop.grad_tol] = int(Status.CONVERGED)
    if stop.max_loss is not None:
        status[loss.abs() > stop.max_loss] = int(Status.DIVERGED)
    status[~finite] = int(Status.DIVERGED)

    has_ended = status != Status.RUNNING
    any_ended = has_ended.any(0)
    end = torch.where(any_ended, has_ended.int().argmax(0), n - 1)
    is_dropped = any_ended & ~finite.gather(0, end[None])[0] & (end > 0)
    record = torch.arange(n, device=loss.device)[:, None]
    counts = (record <= end - is_dropped.int()) & is_finite_loss
    best_loss, best_record = torch.where(counts, loss, torch.inf).min(0)
    return _Endings(status.gather(0, end[None])[0], end, is_dropped, best_loss, best_record)


def _compute_last_losses(
    rows: Rows, records: ChunkRecords, endings: _Endings, count: Tensor
) -> None:
    """Compute the loss and its gradient at the last of the `count` records of runs that ended.

    A run may end between two records that have them, for instance when it is interrupted.
    """
    assert records.has_loss is not None
    last = (count - 1).clamp(min=0)
    row = ((count > 0) & ~records.has_loss.to(count.device)[last]).nonzero()[:, 0]
    if len(row) == 0:
        return
    last = last[row]
    loss = rows.loss.with_columns(lambda column: column[row])
    value, grad = value_and_gradient(loss, records.x[last, :, row])
    records.loss[last, row], records.norm[last, row] = value, norms(grad.T[None])[0][0]
    better = value < endings.best_loss[row]
    endings.best_loss[row] = torch.where(better, value, endings.best_loss[row])
    endings.best_record[row] = torch.where(better, last, endings.best_record[row])


def _norms_and_finiteness(
    rows: Rows, records: ChunkRecords, index: slice | Tensor
) -> tuple[Tensor, Tensor]:
    """The gradient norms (K, m), and whether the gradients are finite.

    A norm may overflow although the gradient does not; such gradients are computed again.
    """
    norm = records.norm[:, index]
    if records.finite is not None:
        return norm, records.finite[:, index]
    finite = torch.isfinite(norm)
    record, column = (norm.isinf() & records.loss[:, index].isfinite()).nonzero().T
    if len(record):
        row = torch.arange(records.loss.shape[1], device=norm.device)[index][column]
        loss = rows.loss.with_columns(lambda values: values[row])
        grad = value_and_gradient(loss, records.x[record, :, row])[1]
        finite[record, column] = grad.isfinite().all(1)
    return norm, finite


def _empty_chunk(rows: Rows, records: ChunkRecords, mode: Mode) -> Chunk:
    """The chunk of a batch whose first evaluation raised: it has no records."""
    live = rows.live
    x = rows.x[:live]
    empty, zeros = x.new_empty((0, live)), torch.zeros(live, dtype=torch.int64, device=x.device)
    losses, points = x.new_empty((0, len(rows.x))), x.new_empty((0, *rows.x.shape))
    return Chunk(
        first=0,
        rows=rows.index[:live],
        x=x.new_empty((0, *x.shape)),
        loss=empty,
        grad_norm=empty,
        lr=empty,
        count=zeros,
        status=torch.full_like(zeros, int(records.stop_status)),
        best_loss=torch.full_like(x[:, 0], torch.inf),
        best_step=zeros,
        evaluations=zeros,
        counts=None,
        targets=None,
        obstacle=zeros,
        padded=padded_records(rows, points, losses),
        metrics=rows.batch.metrics,
        mode=mode,
        error=records.error,
    )


def padded_records(rows: Rows, x: Tensor, loss: Tensor) -> PaddedChunk:
    """Return records (K, n, D) and (K, n), given with the padding rows, as a chunk has them."""
    batch = rows.batch
    has_few_lanes = batch.mode == "compiled" and batch.lanes < LANES
    return PaddedChunk(rows.loss, x, loss, batch.lanes, has_few_lanes)
