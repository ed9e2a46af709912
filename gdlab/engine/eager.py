"""Steps by torch's own kernels, one operation after the other.

Shapes: R runs, D dimensions, K records of a chunk, n rows still running (padded), B examples of a
minibatch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gdlab.engine.records import ChunkRecords
from gdlab.engine.rows import Rows
from gdlab.engine.status import Status
from gdlab.errors import CUSTOM_ERRORS
from gdlab.numerics import rng
from gdlab.numerics.autodiff import norms, value_and_gradient
from gdlab.optimizers.base import check_step
from gdlab.optimizers.oracle import OracleOptimizer
from gdlab.schedules.base import Memory, check_next


@dataclass(frozen=True)
class _StepInputs:
    """What the steps of a chunk take besides the gradients of the full loss.

    Attributes:
        lr: the learning rate of each step (n, 1).
        noise: the gradient noise (K, D, n); None for none.
        minibatches: the examples (K, n, B); None for all.
    """

    lr: Sequence[Tensor]
    noise: Tensor | None
    minibatches: Tensor | None


def advance(rows: Rows, length: int, interrupted: Callable[[], bool]) -> ChunkRecords:
    """Make up to `length` new records, and leave `rows` at the next point."""
    pending = rows.pending_count
    records = rows.begin_records(length)
    if records.error is not None:
        return records
    length = len(records.loss)
    rates = records.rates[..., None].unbind()
    inputs = _StepInputs(rates, draw_noise(rows, length), _draw_minibatches(rows, length))
    records.has_loss = records_with_loss(rows, length)
    grads: dict[int, Tensor] = {}
    count = pending
    try:
        for k in range(pending, length):
            x = grad = rows.x
            if records.has_loss is None or records.has_loss[k]:
                loss, grad = _loss_and_gradient(rows, x)
                # A copy, because the optimizer may change its gradient in place.
                records.loss[k], grads[k] = loss, grad.T.clone()
                if records.counts is not None and rows.oracle is not None:
                    records.counts[k] = rows.oracle.count
            else:
                records.loss[k] = records.norm[k] = torch.nan
            records.points[k], count = x.T, k + 1
            if rows.first + k == rows.batch.last_step:
                break
            if interrupted():
                records.stop_status = Status.INTERRUPTED
                break
            if not _take_step(rows, records, k, grad, inputs):
                break
    except CUSTOM_ERRORS as error:
        records.fail(error)
    records.truncate(count)
    records.finite = torch.ones_like(records.loss, dtype=torch.bool)
    if grads:
        at = slice(pending, None) if records.has_loss is None else torch.tensor(list(grads))
        records.norm[at], records.finite[at] = norms(torch.stack(list(grads.values())))
    return records


def _take_step(
    rows: Rows, records: ChunkRecords, k: int, grad: Tensor, inputs: _StepInputs
) -> bool:
    """Take the step from record k, whose full gradient is given; return whether any row moved."""
    x = rows.x
    at = rows.optimizer.query(x, rows.state)
    if inputs.minibatches is not None:
        minibatch_loss = partial(rows.loss.partial, chosen=inputs.minibatches[k])
        grad = value_and_gradient(minibatch_loss, at)[1]
    elif at is not x:
        grad = value_and_gradient(rows.loss, at)[1]
    if inputs.noise is not None:
        grad = grad + inputs.noise[k].T
    if rows.schedule_state:
        records.rates[k], rows.schedule_state = _next_rates(
            rows, rows.first + k, records.loss[k].clone()
        )
    lr = inputs.lr[k].clone()  # steps may share the memory of their rates
    if rows.oracle is None:
        rows.x, rows.state = check_step(rows.optimizer.update(x, grad, rows.state, lr), x)
    elif not _step_with_oracle(rows, records, k, grad, lr):
        return False
    return True


def _loss_and_gradient(rows: Rows, x: Tensor) -> tuple[Tensor, Tensor]:
    """Losses (n,) and gradients (n, D) of a record, from the optimizer's oracle if it has one."""
    return value_and_gradient(rows.loss, x) if rows.oracle is None else rows.oracle.start(x)


def _step_with_oracle(rows: Rows, records: ChunkRecords, k: int, grad: Tensor, lr: Tensor) -> bool:
    """Step from record k with an optimizer that has an oracle; return whether any row stepped.

    Unlike with other optimizers, rows that have ended rest: their searches would delay the others.
    """
    optimizer, oracle, stop = rows.optimizer, rows.oracle, rows.batch.stop
    assert isinstance(optimizer, OracleOptimizer) and oracle is not None
    if records.stalled is None:
        records.stalled = torch.zeros_like(records.loss, dtype=torch.bool)
    loss, (norm, finite) = records.loss[k], norms(grad.T[None])
    oracle.end(~finite[0] | ~loss.isfinite() | ~rows.x.isfinite().all(1))
    oracle.end((norm[0] <= stop.grad_tol) | oracle.stalled[:, 0])
    if stop.loss is not None:
        oracle.end(loss <= stop.loss)
    if stop.max_loss is not None:
        oracle.end(loss.abs() > stop.max_loss)
    targets = rows.targets_from(records.loss[0])
    if targets is not None:
        oracle.end(loss <= targets[-1])
    if stop.evaluations is not None:
        oracle.end(oracle.count >= stop.evaluations)
    if not oracle.awake.any():
        return False
    stepped = optimizer.update_with_oracle(rows.x, grad, rows.state, lr, oracle)
    rows.x, rows.state = check_step(stepped, rows.x)
    records.stalled[k] = oracle.stalled[:, 0]
    return True


def _next_rates(rows: Rows, step: int, loss: Tensor) -> tuple[Tensor, Memory]:
    """The rates (n,) of a step under a schedule that follows the losses, and its next state."""
    returned = rows.schedule.lr(step, rows.lr, rows.schedule_state, loss, rows.batch.steps)
    return check_next(returned, rows.lr)


def draw_noise(rows: Rows, count: int) -> Tensor | None:
    """Draw the gradient noise of a chunk's K steps: (K, D, n); None without noise."""
    if rows.noise is None:
        return None
    steps = rows.step_numbers(count)
    coordinate = torch.arange(rows.x.shape[1], device=rows.x.device)
    counters = rows.seed, rng.Stream.NOISE, steps[:, None, None], coordinate[:, None]
    standard = rng.normal(*counters) if rows.dof is None else rng.student_t(*counters, rows.dof)
    return standard.to(rows.x.dtype) * rows.noise.T


def records_with_loss(rows: Rows, count: int) -> Tensor | None:
    """Which of a chunk's K records get the full loss (K,), on the CPU; None for all."""
    batch = rows.batch
    if batch.full_every == 1 or rows.loss.minibatch is None:
        return None
    steps = rows.step_numbers(count)
    return ((steps % batch.full_every == 0) | (steps == batch.last_step)).cpu()


def _draw_minibatches(rows: Rows, count: int) -> Tensor | None:
    """Draw the examples of a chunk's K minibatches: (K, n, B); None without minibatches."""
    loss = rows.loss
    if loss.minibatch is None or loss.examples is None:
        return None
    steps = rows.step_numbers(count)
    chosen = rng.minibatches(rows.seed[: rows.live], steps, loss.examples, loss.minibatch)
    return chosen[:, torch.arange(len(rows.x)).clamp(max=rows.live - 1)]
