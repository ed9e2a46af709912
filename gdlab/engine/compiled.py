"""Steps by a program of one row, compiled to run over all of them.

Shapes: D dimensions, K records of a chunk, n rows still running (padded), S numbers of an
optimizer's state, C columns.
"""

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from gdlab.engine.batch import Batch
from gdlab.engine.compiler.library import load_function
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.compiler.source import c_source
from gdlab.engine.compiler.step import Step, trace_step
from gdlab.engine.eager import noise_of
from gdlab.engine.records import ChunkRecords, ChunkSummary
from gdlab.engine.rows import Rows
from gdlab.engine.status import Status
from gdlab.fields.declared import Number, map_numbers
from gdlab.numerics.autodiff import norms, value_and_gradient
from gdlab.numerics.rowwise import LANES
from gdlab.optimizers.base import State

_WORTH_A_THREAD = 2**16
_LONGEST_MESSAGE = 120
_AGREEMENT = {torch.float64: 1e-9, torch.float32: 1e-3}


class Compiled:
    """How the rows of a batch advance once their step is compiled.

    Raises:
        Uncompilable: it cannot be, in words why.
    """

    def __init__(self, rows: Rows) -> None:
        x = rows.x
        if x.device.type != "cpu":
            raise Uncompilable(f"device={x.device.type}: steps are compiled for the CPU alone")
        if rows.optimizer.needs:
            raise Uncompilable("an optimizer that evaluates the loss itself has no compiled form")
        if not rows.optimizer.is_traceable:
            raise Uncompilable("a torch optimizer has no compiled form")
        if rows.loss.minibatch is not None:
            raise Uncompilable("minibatches have no compiled form")
        if rows.schedule_state:
            raise Uncompilable("a schedule that follows the loss has no compiled form")
        # The optimizer's state: views of one piece of memory that the steps write into.
        self._state: State | None = None
        self._memory = x
        try:
            self._function = load_function(c_source(_step(rows), x.dtype), "advance")
            self._check(rows)
        except Uncompilable:
            raise
        except Exception as error:  # of custom code: eager steps show what it raises
            what = " ".join(str(error).split())[:_LONGEST_MESSAGE]
            raise Uncompilable(f"{type(error).__name__}: {what}") from error

    def __call__(self, rows: Rows, length: int, interrupted: Callable[[], bool]) -> ChunkRecords:
        """Make up to `length` new records; `rows` is left at the next point."""
        is_over = interrupted()
        trace = rows.begin_records(1 if is_over else length)
        if trace.error is not None:
            return trace
        trace.points[rows.done] = rows.x.T
        if rows.state is not self._state:  # the first chunk, or rows have left
            self._memory = _stacked(list(rows.state.values()), rows.x)
            rows.state = self._state = _split(rows, self._memory)
        trace.screen = ChunkSummary(*self._run(rows, trace, self._memory))
        trace.screen.at.add_(rows.done)
        if is_over:
            trace.stopped = Status.INTERRUPTED
        rows.x = trace.points[-1].T
        return trace

    def _run(self, rows: Rows, trace: ChunkRecords, state: Tensor) -> Tensor:
        """Let the compiled steps write the new records; what they sum up (5, n)."""
        done, n, count = rows.done, len(rows.x), len(trace.loss) - rows.done
        rates, noise = trace.rates, noise_of(rows, rows.numbers(len(trace.loss)))
        if rates.stride(1) != 1:
            rates = rates.contiguous()
        noise = trace.points if noise is None else noise.expand_as(trace.x).contiguous()
        held, summary = _stacked(_columns(rows), rows.x), rows.x.new_empty((5, n))
        records = [_pointer(t[done:]) for t in (trace.points, trace.loss, trace.norm, rates)]
        others = [_pointer(t) for t in (noise[done:], held, state, summary)]
        stride = ctypes.c_long(rates.stride(0))

        def part(begin: int, end: int) -> None:
            sizes = [ctypes.c_long(value) for value in (begin, end, n, count)]
            self._function(*sizes, *records, stride, *others)

        threads = min(rows.batch.threads, n // LANES, n * count // _WORTH_A_THREAD)
        if threads <= 1:
            part(0, n)
        else:
            bounds = [LANES * (n // LANES * t // threads) for t in range(threads + 1)]
            list(_pool(threads).map(part, bounds[:-1], bounds[1:]))
        return summary

    def _check(self, rows: Rows) -> None:
        """Compare the first losses and gradient norms with those that torch computes.

        Raises:
            Uncompilable: they differ, as where Python decides something by the numbers.
        """
        loss, grad = value_and_gradient(rows.loss, rows.x)
        x, state = rows.x, rows.state
        found = self(rows, 1, lambda: False)
        rows.x, rows.state, self._state = x, state, None
        near = _AGREEMENT[x.dtype]
        pairs = (found.loss[0], loss), (found.norm[0], norms(grad.T[None])[0][0])
        for one, other in pairs:
            # What overflows or is no number in one of them is looked at again by the judge.
            known = torch.isfinite(one) & torch.isfinite(other)
            if not torch.allclose(one[known], other[known], rtol=near, atol=near):
                raise Uncompilable("its compiled form gives other values than torch")


def _step(rows: Rows) -> Step:
    """The step of the first row, which is that of all."""

    def first(value: Number) -> Number:
        return value[:1] if isinstance(value, Tensor) else value

    return trace_step(
        rows.loss.with_columns(first),
        map_numbers(rows.optimizer, first),
        rows.x[:1],
        {name: leaf[:1] for name, leaf in rows.state.items()},
        rows.noise is not None,
        value_and_gradient,
    )


def _columns(rows: Rows) -> list[Tensor]:
    """The columns of the loss, then of the optimizer, in the order in which a step meets them."""
    held: list[Tensor] = []

    def collect(value: Number) -> Number:
        if isinstance(value, Tensor):
            held.append(value)
        return value

    rows.loss.with_columns(collect)
    map_numbers(rows.optimizer, collect)
    return held


def _stacked(tensors: list[Tensor], x: Tensor) -> Tensor:
    """Tensors (n, …) as the rows of one (S, n); at least one, that there be memory."""
    flat = [tensor.reshape(len(x), -1).T for tensor in tensors] or [x.new_zeros((1, len(x)))]
    return torch.cat(flat).contiguous()


def _split(rows: Rows, state: Tensor) -> State:
    """The leaves of an optimizer's state out of (S, n)."""
    leaves, first = {}, 0
    for name, leaf in rows.state.items():
        size = leaf[0].numel()
        leaves[name] = state[first : first + size].T.reshape(leaf.shape)
        first += size
    return leaves


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


def why_not_compiled(batch: Batch) -> str | None:
    """Why the step of a batch cannot be compiled, in words; None where it can."""
    try:
        Compiled(Rows.of(replace(batch, mode="compiled")))
    except Uncompilable as error:
        return str(error)
    return None


def explain_fallback(batch: Batch, mode: str) -> str | None:
    """What to say where a batch that should be compiled was computed in eager mode."""
    if (batch.mode, mode) != ("compiled", "eager"):
        return None
    return f"eager, not compiled: {why_not_compiled(batch)}"


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="gdlab")
