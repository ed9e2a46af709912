"""The loop: a batch of runs advances together, a chunk of steps at a time.

A run is a row. Inside a chunk there are no masks: every row steps on, and how and where each run
ended is read off the chunk's record afterwards. Rows that ended leave at the end of the chunk. One
thread advances a batch, so that no result depends on how many there are.

Shapes: R runs, D dimensions, K records of a chunk, n rows still running (padded).
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from gdlab import rng
from gdlab.batch import Batch, Chunk
from gdlab.judge import judge
from gdlab.rows import Rows, Trace, by_rows
from gdlab.status import Status
from gdlab.threads import one_thread

_FIRST_CHUNK, _LONGEST_CHUNK, _CHUNK_BYTES = 32, 256, 2**25


def advance(batch: Batch, interrupted: Callable[[], bool] = lambda: False) -> Iterator[Chunk]:
    """Run a batch to the end of its every run, yielding what happened by chunks.

    Each record of each run is yielded once, in order, and a run's last record together with its
    status. An exception of the loss or the rule ends all runs of the batch as `FAILED`.

    Args:
        batch: the runs.
        interrupted: asked at every step; runs end as `INTERRUPTED` once it says true.
    """
    rows, length = Rows.of(batch), _FIRST_CHUNK
    while rows is not None:
        with one_thread():
            trace = _advance(rows, min(length, _longest(rows)), interrupted)
            chunk = judge(rows, trace)
            rows = rows.after(trace, chunk.status)
        yield chunk
        length *= 2


def value_and_gradient(loss: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Values (n,) and gradients (n, D) at points (n, D), by torch autograd."""
    x = x.detach().requires_grad_()
    value = loss(x)
    if value.shape != x.shape[:-1]:
        shapes = f"{tuple(value.shape)} for points {tuple(x.shape)}"
        raise ValueError(f"the loss returned values of shape {shapes}, not {tuple(x.shape[:-1])}")
    # Each value depends on its own row alone, so the gradient of the sum holds every gradient.
    (grad,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), by_rows(grad)


def _longest(rows: "Rows") -> int:
    """How many records of n rows a chunk may hold; a function of shapes alone."""
    x, chosen = rows.x, rows.loss.minibatch or 0
    record = x.element_size() * (2 * x.numel() + 3 * len(x)) + 8 * chosen * len(x)
    return max(1, min(_LONGEST_CHUNK, _CHUNK_BYTES // record))


def _advance(rows: Rows, length: int, interrupted: Callable[[], bool]) -> Trace:
    """Make up to `length` new records; `rows` is left at the next point."""
    batch, held = rows.batch, rows.held
    first = rows.first + (held is not None)
    last = min(first + length, batch.steps + 1)
    number = torch.arange(rows.first, last, device=rows.x.device)
    trace = Trace([], [], [], rows.schedule.rates(number, rows.lr, batch.steps))
    if held is not None:
        trace.x, trace.loss, trace.grad = [held[0]], [held[1]], [held[2]]
    lr = trace.rates[..., None].unbind()
    noise, chosen = _noise(rows, number), _chosen(rows, number)
    try:
        for step in range(first, last):
            x, k = rows.x, step - rows.first
            loss, grad = value_and_gradient(rows.loss, x)
            trace.x.append(x)
            trace.loss.append(loss)
            trace.grad.append(grad)
            if step == batch.steps:
                break
            if interrupted():
                trace.stopped = Status.INTERRUPTED
                break
            if chosen is not None:
                grad = value_and_gradient(partial(rows.loss.partial, chosen=chosen[k]), x)[1]
            if noise is not None:
                grad = grad + noise[k].T
            rows.x, rows.state = rows.rule.update(x, grad, rows.state, lr[k])
            if rows.x.shape != x.shape:
                shapes = f"{tuple(rows.x.shape)} for points {tuple(x.shape)}"
                raise ValueError(f"the optimizer returned points of shape {shapes}")
    except Exception as error:
        trace.stopped, trace.error = Status.FAILED, error
    return trace


def _noise(rows: Rows, number: Tensor) -> Tensor | None:
    """The noise of a chunk's steps: (K, D, n)."""
    if rows.noise is None:
        return None
    coordinate = torch.arange(rows.x.shape[1], device=rows.x.device)
    step = number[:, None, None]
    normal = rng.normal(rows.seed, rng.Stream.NOISE, step, coordinate[:, None])
    return normal.to(rows.x.dtype) * rows.noise.T


def _chosen(rows: Rows, number: Tensor) -> Tensor | None:
    """The examples of a chunk's minibatches: (K, n, B)."""
    loss = rows.loss
    if loss.minibatch is None or loss.examples is None:
        return None
    chosen = rng.minibatches(rows.seed[: rows.live], number, loss.examples, loss.minibatch)
    return chosen[:, torch.arange(len(rows.x)).clamp(max=rows.live - 1)]
