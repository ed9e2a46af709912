"""Steps by torch's own kernels, one operation after the other.

Shapes: R runs, D dimensions, K records of a chunk, n rows still running (padded).
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from gdlab.engine.records import ChunkRecords
from gdlab.engine.rows import Rows
from gdlab.engine.status import Status
from gdlab.numerics import rng
from gdlab.numerics.autodiff import norms, value_and_gradient
from gdlab.optimizers.oracle import OracleOptimizer
from gdlab.schedules.base import Memory


def advance(rows: Rows, length: int, interrupted: Callable[[], bool]) -> ChunkRecords:
    """Make up to `length` new records; `rows` is left at the next point."""
    batch, done = rows.batch, rows.done
    trace = rows.begin_records(length)
    if trace.error is not None:
        return trace
    number = rows.numbers(len(trace.loss))
    lr = trace.rates[..., None].unbind()
    noise, chosen = noise_of(rows, number), _chosen(rows, number)
    trace.measured = _measured(rows, number)
    grads: dict[int, Tensor] = {}
    count = done
    try:
        for k in range(done, len(trace.loss)):
            x = grad = rows.x
            if trace.measured is None or trace.measured[k]:
                loss, grad = _measure(rows, x)
                trace.loss[k], grads[k] = loss, grad.T
            else:
                trace.loss[k] = trace.norm[k] = torch.nan
            trace.points[k], count = x.T, k + 1
            if rows.first + k == batch.steps:
                break
            if interrupted():
                trace.stopped = Status.INTERRUPTED
                break
            at = rows.optimizer.query(x, rows.state)
            if chosen is not None:
                grad = value_and_gradient(partial(rows.loss.partial, chosen=chosen[k]), at)[1]
            elif at is not x:
                grad = value_and_gradient(rows.loss, at)[1]
            if noise is not None:
                grad = grad + noise[k].T
            if rows.schedule_state:
                trace.rates[k], rows.schedule_state = _followed(rows, rows.first + k, trace.loss[k])
            if rows.oracle is None:
                rows.x, rows.state = rows.optimizer.update(x, grad, rows.state, lr[k])
            elif not _informed(rows, trace, k, grad, lr[k]):
                break
            if rows.x.shape != x.shape:
                shapes = f"{tuple(rows.x.shape)} for points {tuple(x.shape)}"
                raise ValueError(f"the optimizer returned points of shape {shapes}")
    except Exception as error:
        trace.stopped, trace.error = Status.FAILED, error
    trace.cut(count)
    trace.finite = torch.ones_like(trace.loss, dtype=torch.bool)
    if grads:
        at = slice(done, None) if trace.measured is None else torch.tensor(list(grads))
        trace.norm[at], trace.finite[at] = norms(torch.stack(list(grads.values())))
    return trace


def _measure(rows: Rows, x: Tensor) -> tuple[Tensor, Tensor]:
    """Losses (n,) and gradients (n, D) of a record, by the oracle of an optimizer that has one."""
    return value_and_gradient(rows.loss, x) if rows.oracle is None else rows.oracle.start(x)


def _informed(rows: Rows, trace: ChunkRecords, k: int, grad: Tensor, lr: Tensor) -> bool:
    """The step from record k by an optimizer with an oracle; whether there was a row to step.

    Rows that have ended rest, unlike with other optimizers: their searches would keep the others
    waiting.
    """
    optimizer, oracle, stop = rows.optimizer, rows.oracle, rows.batch.stop
    assert isinstance(optimizer, OracleOptimizer) and oracle is not None
    if trace.stalled is None:
        trace.stalled = torch.zeros_like(trace.loss, dtype=torch.bool)
    loss, (norm, finite) = trace.loss[k], norms(grad.T[None])
    oracle.end(~finite[0] | ~loss.isfinite() | ~rows.x.isfinite().all(1))
    oracle.end((norm[0] <= stop.grad_tol) | oracle.stalled[:, 0])
    if stop.loss is not None:
        oracle.end(loss <= stop.loss)
    if stop.max_loss is not None:
        oracle.end(loss.abs() > stop.max_loss)
    if not oracle.awake.any():
        return False
    rows.x, rows.state = optimizer.update_with_oracle(rows.x, grad, rows.state, lr, oracle)
    trace.stalled[k] = oracle.stalled[:, 0]
    return True


def _followed(rows: Rows, step: int, loss: Tensor) -> tuple[Tensor, Memory]:
    """The rates (n,) of a step by a schedule that follows the losses, and what it remembers."""
    return rows.schedule.lr(step, rows.lr, rows.schedule_state, loss, rows.batch.steps)


def noise_of(rows: Rows, number: Tensor) -> Tensor | None:
    """The noise of a chunk's steps: (K, D, n)."""
    if rows.noise is None:
        return None
    coordinate = torch.arange(rows.x.shape[1], device=rows.x.device)
    step = number[:, None, None]
    place = rows.seed, rng.Stream.NOISE, step, coordinate[:, None]
    standard = rng.normal(*place) if rows.dof is None else rng.student_t(*place, rows.dof)
    return standard.to(rows.x.dtype) * rows.noise.T


def _measured(rows: Rows, number: Tensor) -> Tensor | None:
    """Of which of a chunk's records the loss is computed (K,), on the CPU; None for all."""
    batch = rows.batch
    if batch.full_every == 1 or rows.loss.minibatch is None:
        return None
    return ((number % batch.full_every == 0) | (number == batch.steps)).cpu()


def _chosen(rows: Rows, number: Tensor) -> Tensor | None:
    """The examples of a chunk's minibatches: (K, n, B)."""
    loss = rows.loss
    if loss.minibatch is None or loss.examples is None:
        return None
    chosen = rng.minibatches(rows.seed[: rows.live], number, loss.examples, loss.minibatch)
    return chosen[:, torch.arange(len(rows.x)).clamp(max=rows.live - 1)]
