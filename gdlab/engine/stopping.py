"""Reading off a chunk's records how and where its runs ended.

Where a chunk comes with its summary, most rows need no second look: only those that may have ended.

Shapes: D dimensions, K records of the chunk, n rows, m rows that are looked at.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.engine.batch import Stop
from gdlab.engine.chunk import Chunk, Mode, PaddedChunk
from gdlab.engine.records import ChunkRecords, ChunkSummary
from gdlab.engine.rows import Rows
from gdlab.engine.status import Status
from gdlab.numerics.autodiff import norms, value_and_gradient


@dataclass
class _Ends:
    """How and where rows ended, each (m,).

    Attributes:
        status: how, or `Status.RUNNING`.
        at: the record that said so, or the last one.
        lost: whether that record is no part of the run: its numbers are not finite.
        best: the least loss of the run's records.
        best_at: the record that has it.
    """

    status: Tensor
    at: Tensor
    lost: Tensor
    best: Tensor
    best_at: Tensor


def find_endings(rows: Rows, trace: ChunkRecords, mode: Mode) -> Chunk:
    """Read off a chunk's record how and where each of its runs ended."""
    live, n = rows.live, len(trace.loss)
    if n == 0:
        return _stillborn(rows, trace, mode)
    if trace.screen is None:
        ends = _ends(rows, trace, slice(0, live))
    else:
        ends = _presumed(rows, trace, trace.screen)
        suspects = _suspects(trace.screen, rows.batch.stop)[:live].nonzero()[:, 0]
        if len(suspects):
            found = vars(_ends(rows, trace, suspects))
            for name, values in vars(ends).items():
                values[suspects] = found[name]
    running = ends.status == Status.RUNNING
    going_on = running & (trace.stopped == Status.RUNNING)
    count = ends.at + 1 - (ends.lost | going_on).int()
    if trace.measured is not None and trace.stopped != Status.FAILED:
        _measure_last(rows, trace, ends, torch.where(going_on, 0, count))
    x = trace.x.movedim(1, 2)
    return Chunk(
        first=rows.first,
        rows=rows.index[:live],
        x=x[:, :live],
        loss=trace.loss[:, :live],
        grad_norm=trace.norm[:, :live],
        lr=trace.rates[:n, :live],
        count=count,
        status=torch.where(running, int(trace.stopped), ends.status),
        best_loss=ends.best,
        best_step=rows.first + ends.best_at,
        evaluations=rows.first + ends.at + 1 if rows.oracle is None else rows.oracle.count[:live],
        whole=PaddedChunk(rows.loss, x, trace.loss),
        metrics=rows.batch.metrics,
        mode=mode,
        error=trace.error,
    )


def _presumed(rows: Rows, trace: ChunkRecords, screen: ChunkSummary) -> _Ends:
    """How rows that are no suspects ended: not at all, or with the last step."""
    live, n = rows.live, len(trace.loss)
    is_last = rows.first + n - 1 == rows.batch.steps
    at = torch.full((live,), n - 1, device=trace.loss.device)
    return _Ends(
        status=torch.full_like(at, int(Status.MAX_STEPS if is_last else Status.RUNNING)),
        at=at,
        lost=torch.zeros_like(at, dtype=torch.bool),
        best=screen.loss[:live].clone(),
        best_at=screen.at[:live].long(),
    )


def _suspects(screen: ChunkSummary, stop: Stop) -> Tensor:
    """Which rows may have ended, or lost their finite numbers: (n,)."""
    suspects = (screen.norm <= stop.grad_tol) | screen.finite.isnan()
    if stop.loss is not None:
        suspects |= screen.loss <= stop.loss
    if stop.max_loss is not None:
        suspects |= screen.size > stop.max_loss
    return suspects


def _ends(rows: Rows, trace: ChunkRecords, which: "slice | Tensor") -> _Ends:
    """How and where some rows ended, from their every record."""
    stop, n = rows.batch.stop, len(trace.loss)
    loss = trace.loss[:, which]
    norm, finite = _gradients(rows, trace, which)
    known = torch.isfinite(loss)
    finite = finite & torch.isfinite(trace.x[:, :, which]).all(1)
    finite &= known if trace.measured is None else known | ~trace.measured[:, None].to(loss.device)
    at_end = torch.arange(rows.first, rows.first + n, device=loss.device) == rows.batch.steps
    ended = torch.full(loss.shape, int(Status.RUNNING), device=loss.device)
    ended[at_end] = int(Status.MAX_STEPS)
    if trace.stalled is not None:
        ended[trace.stalled[:, which]] = int(Status.STALLED)
    if stop.loss is not None:
        ended[loss <= stop.loss] = int(Status.TARGET)
    ended[norm <= stop.grad_tol] = int(Status.CONVERGED)
    if stop.max_loss is not None:
        ended[loss.abs() > stop.max_loss] = int(Status.DIVERGED)
    ended[~finite] = int(Status.DIVERGED)

    has_ended = ended != Status.RUNNING
    any_ended = has_ended.any(0)
    at = torch.where(any_ended, has_ended.int().argmax(0), n - 1)
    lost = any_ended & ~finite.gather(0, at[None])[0] & (at > 0)
    record = torch.arange(n, device=loss.device)[:, None]
    seen = (record <= at - lost.int()) & known
    best, best_at = torch.where(seen, loss, torch.inf).min(0)
    return _Ends(ended.gather(0, at[None])[0], at, lost, best, best_at)


def _measure_last(rows: Rows, trace: ChunkRecords, ends: _Ends, count: Tensor) -> None:
    """Compute the loss and its gradient at the last of the `count` records of runs that ended.

    A run that ends between two records that have them (interrupted, say) is given them there.
    """
    assert trace.measured is not None
    last = (count - 1).clamp(min=0)
    row = ((count > 0) & ~trace.measured.to(count.device)[last]).nonzero()[:, 0]
    if len(row) == 0:
        return
    last = last[row]
    loss = rows.loss.with_columns(lambda column: column[row])
    value, grad = value_and_gradient(loss, trace.x[last, :, row])
    trace.loss[last, row], trace.norm[last, row] = value, norms(grad.T[None])[0][0]
    better = value < ends.best[row]
    ends.best[row] = torch.where(better, value, ends.best[row])
    ends.best_at[row] = torch.where(better, last, ends.best_at[row])


def _gradients(rows: Rows, trace: ChunkRecords, which: "slice | Tensor") -> tuple[Tensor, Tensor]:
    """The gradients' norms (K, m), and whether the gradients are finite.

    Norms alone do not tell those that overflow from gradients that do, nor those that vanish from
    zeros: where it matters the gradients are computed once more.
    """
    norm = trace.norm[:, which]
    if trace.finite is not None:
        return norm, trace.finite[:, which]
    finite = torch.isfinite(norm)
    zero = norm == 0
    if rows.batch.stop.grad_tol > 0:
        zero &= zero.cumsum(0) == 1  # the run has ended there
    record, place = ((zero | norm.isinf()) & trace.loss[:, which].isfinite()).nonzero().T
    if len(record):
        row = torch.arange(trace.loss.shape[1], device=norm.device)[which][place]
        loss = rows.loss.with_columns(lambda column: column[row])
        grad = value_and_gradient(loss, trace.x[record, :, row])[1]
        exact, is_finite = norms(grad.T[None])
        norm[record, place], finite[record, place] = exact[0], is_finite[0]
        trace.norm[record, row] = exact[0]
    return norm, finite


def _stillborn(rows: Rows, trace: ChunkRecords, mode: Mode) -> Chunk:
    """The chunk of a batch whose first evaluation raised: no record at all."""
    live = rows.live
    x = rows.x[:live]
    empty, zeros = x.new_empty((0, live)), torch.zeros(live, dtype=torch.int64, device=x.device)
    return Chunk(
        first=0,
        rows=rows.index[:live],
        x=x.new_empty((0, *x.shape)),
        loss=empty,
        grad_norm=empty,
        lr=empty,
        count=zeros,
        status=torch.full_like(zeros, int(trace.stopped)),
        best_loss=torch.full_like(x[:, 0], torch.inf),
        best_step=zeros,
        evaluations=zeros,
        whole=PaddedChunk(
            rows.loss, x.new_empty((0, *rows.x.shape)), x.new_empty((0, len(rows.x)))
        ),
        metrics=rows.batch.metrics,
        mode=mode,
        error=trace.error,
    )
