"""Reading off a chunk's records how and where its runs ended.

Shapes: D dimensions, K records of the chunk, n rows.
"""

import torch
from torch import Tensor

from gdlab.batch import Chunk, Padded
from gdlab.rows import Rows, Trace
from gdlab.status import Status


def judge(rows: Rows, trace: Trace) -> Chunk:
    """Read off a chunk's record how and where each of its runs ended."""
    live, stop, n = rows.live, rows.batch.stop, len(trace.x)
    if n == 0:
        return _stillborn(rows, trace)
    x, loss = torch.stack([point.T for point in trace.x]), torch.stack(trace.loss)
    whole = Padded(rows.loss, x.movedim(1, 2), loss)
    x, loss = x[..., :live], loss[:, :live]
    # The padding goes after the reductions over D, which round by the number of rows.
    norm, finite = (v[:, :live] for v in _norm(torch.stack([g.T for g in trace.grad])))
    finite = finite & torch.isfinite(loss) & torch.isfinite(x).all(1)
    at_end = torch.arange(rows.first, rows.first + n, device=x.device) == rows.batch.steps
    ended = torch.full(loss.shape, int(Status.RUNNING), device=x.device)
    ended[at_end] = int(Status.MAX_STEPS)
    if stop.loss is not None:
        ended[loss <= stop.loss] = int(Status.TARGET)
    ended[norm <= stop.grad_tol] = int(Status.CONVERGED)
    if stop.max_loss is not None:
        ended[loss.abs() > stop.max_loss] = int(Status.DIVERGED)
    ended[~finite] = int(Status.DIVERGED)

    has_ended = ended != Status.RUNNING
    any_ended = has_ended.any(0)
    at = torch.where(any_ended, has_ended.int().argmax(0), n - 1)
    status = ended.gather(0, at[None])[0]
    is_lost = any_ended & ~finite.gather(0, at[None])[0] & (at > 0)
    going_on = 1 if trace.stopped == Status.RUNNING else 0
    count = torch.where(any_ended, at + 1 - is_lost.int(), n - going_on)
    status = torch.where(any_ended, status, int(trace.stopped))
    return Chunk(
        first=rows.first,
        rows=rows.index[:live],
        x=x.movedim(1, 2),
        loss=loss,
        grad_norm=norm,
        lr=trace.rates[:n, :live],
        count=count,
        status=status,
        evaluations=rows.first + at + 1,
        whole=whole,
        error=trace.error,
    )


def _stillborn(rows: Rows, trace: Trace) -> Chunk:
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
        evaluations=zeros,
        whole=Padded(rows.loss, x.new_empty((0, *rows.x.shape)), x.new_empty((0, len(rows.x)))),
        error=trace.error,
    )


def _norm(grad: Tensor) -> tuple[Tensor, Tensor]:
    """Norms (K, n) of gradients (K, D, n), and whether each gradient is finite.

    Squares of numbers past 1e154 overflow and those of numbers under 1e-162 vanish; the gradients
    where that may be are scaled first.
    """
    norm = grad.square().sum(1).sqrt()
    is_exact = torch.isfinite(norm) & (norm > 0)
    if bool(is_exact.all()):
        return norm, is_exact
    largest = grad.abs().amax(1)
    scaled = largest * (grad / largest[:, None]).square().sum(1).sqrt()
    norm = torch.where(is_exact, norm, torch.where(largest == 0, largest, scaled))
    return norm, torch.isfinite(largest)
