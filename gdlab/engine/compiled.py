"""Steps by a compiled program of one row, run over all rows.

Shapes: D dimensions, K records of a chunk, n rows still running (padded), S numbers of an
optimizer's state, C columns.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gdlab.engine.batch import Batch
from gdlab.engine.compiler.library import load_function
from gdlab.engine.compiler.program import Uncompilable, errors_as_uncompilable
from gdlab.engine.compiler.row_source import row_source
from gdlab.engine.compiler.source import c_source
from gdlab.engine.compiler.step import check_length, trace_step
from gdlab.engine.eager import draw_noise, records_with_loss
from gdlab.engine.parallel import in_parts
from gdlab.engine.records import ChunkRecords, ChunkSummary
from gdlab.engine.rows import Rows
from gdlab.engine.skipping import KEPT, Skip, Skipped
from gdlab.engine.stacking import collect_columns, pointer, rows_innermost, stack
from gdlab.engine.status import Status
from gdlab.fields.declared import Number, map_numbers
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import norms, value_and_gradient
from gdlab.numerics.rowwise import LANES
from gdlab.optimizers.base import Optimizer, State

_MOST_WRITTEN_OUT = 256  # examples × dimensions of a loss whose examples are all written out
_RUN_STEPS_PER_THREAD = 2**16  # fewer are not worth a thread
_LONG = 64  # dimensions of a point that fills vectors by itself
_FEWEST_COMPARED = 4  # rows
_COMPARED = 2**22  # products of rows, coordinates and examples, about 10 ms
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3}


@dataclass(frozen=True)
class StepInputs:
    """What the new steps of a chunk take besides points and state.

    Attributes:
        rates: the learning rates (K, n), of stride 1 over rows.
        noise: added to the gradients (K, D, n); anything where the step has none.
        columns: the settings that differ between rows (C, n).
    """

    rates: Tensor
    noise: Tensor
    columns: Tensor

    @classmethod
    def of(cls, rows: Rows, rates: Tensor) -> "StepInputs":
        """The inputs of the new records of rows, those after the pending one, with their rates."""
        pending, (n, dim) = rows.pending_count, rows.x.shape
        noise = draw_noise(rows, pending + len(rates))
        noise = rates if noise is None else noise.expand(-1, dim, n).contiguous()[pending:]
        columns = stack(collect_columns(rows.loss, rows.optimizer), rows.x)
        return cls(rows_innermost(rates), noise, columns)


class Compiled:
    """Advances the rows of a batch by its compiled step.

    Raises:
        Uncompilable: the step cannot be compiled; the message says why.
    """

    def __init__(self, rows: Rows) -> None:
        x = rows.x
        # The optimizer's state: views of one block of memory that the steps write into.
        self._state: State | None = None
        self._memory = x
        self.skip: Skip | None = None
        with errors_as_uncompilable():
            self._load(rows)
            self.compare_with_torch(rows)

    def release(self) -> None:
        """Give up the memory of the rows."""
        self._state, self._memory = None, self._memory.new_empty(0)

    def _load(self, rows: Rows) -> None:
        """Trace and compile the step of the rows."""
        step = trace_step(*first_row(rows), value_and_gradient)
        dtype, lanes = rows.x.dtype, rows.batch.lanes
        if lanes == 1:
            self._function = load_function(row_source(step, dtype), "advance")
            return
        self._function = load_function(c_source(step, dtype, lanes), "advance")
        self._unrecorded = c_source(step, dtype, lanes, recorded=False)
        self.skip = self._skip

    def __call__(self, rows: Rows, length: int, interrupted: Callable[[], bool]) -> ChunkRecords:
        """Make up to `length` new records, and leave `rows` at the next point."""
        is_interrupted = interrupted()
        records = rows.begin_records(1 if is_interrupted else length)
        if records.error is not None:
            return records
        begin = records.points[rows.pending_count]
        if begin.data_ptr() != rows.x.data_ptr():  # else the chunk before left it there
            begin.copy_(rows.x.T)
        if rows.state is not self._state:  # the first chunk, or rows have left
            self._memory = self._stack_state(rows)
            rows.state = self._state = unstack(rows.state, self._memory)
        records.has_loss = records_with_loss(rows, len(records.loss))
        summary = ChunkSummary(*self._run(rows, records, self._memory))
        if records.has_loss is None:
            summary.best_record.add_(rows.pending_count)
            records.summary = summary
        else:
            records.finite = records.norm.isfinite() | ~records.has_loss[:, None]
        if is_interrupted:
            records.stop_status = Status.INTERRUPTED
        rows.x = records.points[-1].T
        return records

    def _stack_state(self, rows: Rows) -> Tensor:
        """Copy the state of the optimizer to a block of memory (S, n)."""
        return stack(list(rows.state.values()), rows.x)

    def _run(self, rows: Rows, records: ChunkRecords, state: Tensor) -> Tensor:
        """Let the compiled steps write the new records, and return their summary (5, n)."""
        pending, n = rows.pending_count, len(rows.x)
        count = len(records.loss) - pending
        inputs, summary = StepInputs.of(rows, records.rates[pending:]), rows.x.new_empty((5, n))
        by_record = (records.points[pending:], records.loss[pending:], records.norm[pending:])
        rates = inputs.rates, inputs.rates.stride(0)
        others = inputs.noise, inputs.columns, state, summary
        _call(self._function, rows.batch, n, count, (*by_record, *rates, *others))
        return summary

    def _skip(self, rows: Rows, rates: Tensor) -> Skipped:
        """Take steps with rates (K, n), K ≥ W, without records, and leave `rows` as they are."""
        (count, n), dim = rates.shape, rows.x.shape[1]
        inputs, memory = StepInputs.of(rows, rates), self._stack_state(rows)
        points, best = rows.x.new_empty((3, dim, n)), rows.x.new_empty((dim, n))
        loss, norm, summary = (rows.x.new_empty((size, n)) for size in (KEPT, KEPT, 5))
        points[0] = rows.x.T
        by_record = points, loss, norm, inputs.rates, inputs.rates.stride(0)
        others = inputs.noise, inputs.columns, memory, summary, best
        self._run_without_records(rows.batch, n, count, (*by_record, *others))
        return Skipped(
            last=points[1],
            after=points[2].T,
            state=unstack(rows.state, memory),
            loss=loss,
            norm=norm,
            best=best,
            summary=ChunkSummary(*summary),
        )

    def _run_without_records(
        self, batch: Batch, n: int, count: int, arguments: tuple[Tensor | int, ...]
    ) -> None:
        """Take `count` steps of n rows that write the last `KEPT` losses and gradient norms."""
        function = load_function(self._unrecorded, "advance")
        _call(function, batch, n, count, (*arguments, KEPT))

    def compare_with_torch(self, rows: Rows) -> None:
        """Compare the first losses and gradient norms with those that torch computes.

        The same steps serve other rows of the same structure, compared anew.

        Raises:
            Uncompilable: they differ, for instance because Python branches on the numbers.
        """
        loss, grad = value_and_gradient(rows.loss, rows.x)
        x, state = rows.x, rows.state
        records = self(rows, 1, lambda: False)
        records.wait()
        rows.x, rows.state, self._state = x, state, None
        tolerance = _TOLERANCE[x.dtype]
        pairs = (records.loss[0], loss), (records.norm[0], norms(grad.T[None])[0][0])
        for compiled, expected in pairs:
            # `find_endings` computes overflows and NaN again.
            finite = torch.isfinite(compiled) & torch.isfinite(expected)
            if not torch.allclose(
                compiled[finite], expected[finite], rtol=tolerance, atol=tolerance
            ):
                raise Uncompilable("its compiled form gives other values than torch")


def _call(
    function: Callable[..., Any],
    batch: Batch,
    n: int,
    count: int,
    arguments: tuple[Tensor | int, ...],
) -> None:
    """Let a compiled function take `count` steps of n rows, a part of them on each thread."""
    sizes = ctypes.c_long(n), ctypes.c_long(count)
    others = [pointer(a) if isinstance(a, Tensor) else ctypes.c_long(a) for a in arguments]

    def run_rows(begin: int, end: int, _: int) -> None:
        function(ctypes.c_long(begin), ctypes.c_long(end), *sizes, *others)

    threads = min(batch.threads, n // LANES, n * count // _RUN_STEPS_PER_THREAD)
    in_parts(run_rows, n, threads, batch.lanes)


def compared_rows(batch: Batch) -> range:
    """Return the rows of a batch whose first losses tell whether its compiled steps are right.

    All rows take the same instructions. Of rows that are large, or losses over many examples, a few
    are compared, evenly spread over the batch.
    """
    rows = batch.parts()[0]
    most = max(_FEWEST_COMPARED, _COMPARED // (batch.loss.dim * (batch.loss.examples or 1)))
    return rows[:: -(-len(rows) // most)]


def ways(batch: Batch) -> tuple[bool, ...]:
    """Return whether to compile the step of a batch row by row, in the order in which to try.

    Row by row, the examples of a loss or the coordinates of a long point fill the vectors of the
    processor; otherwise many rows do, which can follow no schedule that follows the losses. The way
    never depends on the number of rows, so that a row has the same bits in every batch.
    """
    loss, examples = batch.loss, batch.loss.examples
    if batch.schedule.init(batch.lr):
        return (True,)
    if examples is not None:
        return (loss.minibatch is not None or examples * loss.dim > _MOST_WRITTEN_OUT,)
    return (True, False) if loss.dim >= _LONG else (False,)


def check_compilable(batch: Batch) -> None:
    """Refuse what has no compiled form, before any memory is taken for rows.

    Raises:
        Uncompilable: the message says why.
    """
    if ways(batch) == (False,):
        check_length(batch.loss.dim)
    if not batch.optimizer.is_traceable:
        raise Uncompilable("a torch optimizer has no compiled form")


def first_row(rows: Rows) -> tuple[Loss, Optimizer, Tensor, State, bool]:
    """Return what the step of the first row takes, which is that of all rows: with its noise."""
    state = {name: leaf[:1] for name, leaf in rows.state.items()}
    loss, optimizer = rows.loss.with_columns(first_of), map_numbers(rows.optimizer, first_of)
    return loss, optimizer, rows.x[:1], state, rows.noise is not None


def first_of(value: Number) -> Number:
    """Return the entry (1, …) of the first row of a column, and a number as it is."""
    return value[:1] if isinstance(value, Tensor) else value


def unstack(leaves: State, memory: Tensor) -> State:
    """Return leaves like those of a state as parts of a block of memory (S, n)."""
    parts, first = {}, 0
    for name, leaf in leaves.items():
        size = leaf[0].numel()
        parts[name] = memory[first : first + size].T.reshape(leaf.shape)
        first += size
    return parts
