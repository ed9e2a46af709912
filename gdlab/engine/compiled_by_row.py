"""Compiled steps, one run after the other: over the examples or the coordinates of each.

Shapes: D dimensions, K records of a chunk, n rows still running, N examples, B examples of a
minibatch, S numbers of an optimizer's state, C columns.
"""

import ctypes
from functools import cache

import torch
from torch import Tensor

from gdlab.engine.compiled import Compiled, first_of, first_row, unstack
from gdlab.engine.compiled_metric import compile_metrics
from gdlab.engine.compiler.arrays.program import OneRun, trace_program
from gdlab.engine.compiler.arrays.writer import align, pad
from gdlab.engine.compiler.library import load_function
from gdlab.engine.eager import draw_noise
from gdlab.engine.examples import Examples, address, addresses, examples_type, weights
from gdlab.engine.parallel import PRODUCTS_PER_THREAD, in_parts
from gdlab.engine.records import ChunkRecords
from gdlab.engine.rows import Rows
from gdlab.engine.stacking import collect_columns, pointer, rows_innermost, stack
from gdlab.fields.declared import map_numbers
from gdlab.numerics.rowwise import VECTOR_BYTES
from gdlab.optimizers.base import State
from gdlab.schedules.base import Memory, Schedule


class CompiledByRow(Compiled):
    """Advances the rows of a batch by their compiled step, one row after the other."""

    def _load(self, rows: Rows) -> None:
        schedule, memory = _first_of_schedule(rows)
        run = OneRun(*first_row(rows), schedule, memory, rows.batch.steps)
        loss, x = run.loss, run.x
        self._program = trace_program(run)
        # The state of a schedule that follows the losses, as that of the optimizer.
        self._schedule_state: State | None = None
        self._schedule_memory = rows.x
        self._function = load_function(self._program.source, "advance")
        examples = loss.examples or 1
        dtype = rows.x.dtype
        tables = [table.to(dtype).contiguous() for table in self._program.tables]
        self._all = Examples(tables, examples, rows.x)
        # Whole vectors are read, up to one past the last example.
        end = rows.x.new_zeros(VECTOR_BYTES // dtype.itemsize)
        self._tables = [torch.cat((table.flatten(), end)) for table in tables]
        self._part_weight = weights(loss.minibatch or 1, rows.x)
        threads = max(1, min(rows.batch.threads, len(rows.batch.lr)))
        # A multiple of a cache line, so that every array begins at one.
        self._work = rows.x.new_empty((threads, pad(self._program.work, dtype)))
        self.measures = compile_metrics(loss, x, threads)
        self._count = examples

    def release(self) -> None:
        """Give up the memory of the rows."""
        super().release()
        self._schedule_state, self._schedule_memory = None, self._memory

    def _stack_state(self, rows: Rows) -> Tensor:
        """Copy the state of the optimizer to a block of memory: (S, n), row after row."""
        return stack_rows(rows.state, rows.x)

    def compare_with_torch(self, rows: Rows) -> None:
        """Compare the first losses, gradient norms and rates with those that torch computes."""
        before = rows.schedule_state
        super().compare_with_torch(rows)
        rows.schedule_state, self._schedule_state = before, None

    def _run(self, rows: Rows, records: ChunkRecords, state: Tensor) -> Tensor:
        """Let the compiled steps write the new records, and return their summary (5, n)."""
        pending, n = rows.pending_count, len(rows.x)
        total = len(records.loss)
        count = total - pending
        followed = [rows.schedule] if rows.schedule_state else []
        columns = stack(collect_columns(rows.loss, rows.optimizer, *followed), rows.x)
        is_kept = rows.schedule_state is self._schedule_state
        if followed and not is_kept:  # the first chunk, or rows have left
            self._schedule_memory = stack_rows(rows.schedule_state, rows.x)
            rows.schedule_state = unstack(rows.schedule_state, self._schedule_memory)
            self._schedule_state = rows.schedule_state
        summary = rows.x.new_empty((5, n))
        noise = draw_noise(rows, total)
        noise = None if noise is None else noise.expand_as(records.x).contiguous()
        rates = rows_innermost(records.rates)
        has_loss = records.has_loss
        has_loss = torch.ones(total, dtype=torch.bool) if has_loss is None else has_loss
        by_record = records.points, records.loss, records.norm, rates, noise
        chunk = _chunk_type(len(self._tables))(
            *(address(values, pending) for values in by_record),
            *map(address, (columns, state, summary)),
            *map(address, (rows.lr, self._schedule_memory, rows.seed)),
            address(self._part_weight),
            address(has_loss, pending),
            n,
            count,
            rates.stride(0),
            rows.first + pending,
            addresses(self._tables),
            self._all.structure,
        )

        def run_rows(begin: int, end: int, thread: int) -> None:
            bounds = ctypes.c_long(begin), ctypes.c_long(end)
            self._function(*bounds, ctypes.byref(chunk), pointer(self._work[thread]))

        products = n * count * self._count * rows.x.shape[1]
        blocks = -(-n // self._program.block)
        in_parts(run_rows, n, min(len(self._work), blocks, products // PRODUCTS_PER_THREAD))
        return summary


def _first_of_schedule(rows: Rows) -> tuple[Schedule, Memory]:
    """Return the schedule of the first row, and its state."""
    memory = {name: leaf[:1] for name, leaf in rows.schedule_state.items()}
    return map_numbers(rows.schedule, first_of), memory


def stack_rows(leaves: State, x: Tensor) -> Tensor:
    """Copy the leaves of a state (n, …) to a block of memory: (S, n), row after row."""
    flat = [leaf.reshape(len(x), -1) for leaf in leaves.values()]
    memory = x.new_zeros((len(x), align(sum(leaf.shape[1] for leaf in flat))))
    first = 0
    for leaf in flat:
        memory[:, first : first + leaf.shape[1]] = leaf
        first += leaf.shape[1]
    return memory.T


@cache
def _chunk_type(tables: int) -> type[ctypes.Structure]:
    """The structure `Chunk` of `frame.c`, for programs with so many tables."""
    names = (
        *("point", "loss", "norm", "rate", "noise", "column", "state", "summary"),
        *("base", "memory", "seed", "part_weight", "has_loss"),
    )
    counts = ("runs", "records", "rate_stride", "step")
    fields = [(name, ctypes.c_void_p) for name in names]
    fields += [(name, ctypes.c_long) for name in counts]
    fields += [("example", ctypes.c_void_p * (tables + 1)), ("all", examples_type(tables))]
    return type("Chunk", (ctypes.Structure,), {"_fields_": fields})
