"""Compiled steps, one run after the other: over the examples or the coordinates of each.

Shapes: D dimensions, K records of a chunk, n rows still running, N examples, B examples of a
minibatch, S numbers of an optimizer's state, C columns.
"""

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from gdlab.engine.compiled import Compiled, collect_columns, first_row, pointer, pool, stack
from gdlab.engine.compiler.arrays.program import BLOCK, pad, trace_program
from gdlab.engine.compiler.library import load_function
from gdlab.engine.eager import draw_noise
from gdlab.engine.records import ChunkRecords
from gdlab.engine.rows import Rows

_NUMBERS_PER_THREAD = 2**20  # products of examples and weights; fewer are not worth a thread


class CompiledByRow(Compiled):
    """Advances the rows of a batch by their compiled step, one row after the other."""

    def _load(self, rows: Rows) -> None:
        loss, optimizer, x, state, has_noise = first_row(rows)
        self._program = trace_program(loss, optimizer, x, state, has_noise)
        self._function = load_function(self._program.source, "advance")
        examples = loss.examples or 1
        dtype = rows.x.dtype
        tables = [table.to(dtype).contiguous() for table in self._program.tables]
        self._examples, self._columns = tables, [_columns_of(table) for table in tables]
        self._weight = _weights(examples, rows.x)
        self._part_weight = _weights(loss.minibatch or 1, rows.x)
        threads = max(1, min(rows.batch.threads, len(rows.x)))
        # A multiple of a cache line, so that every array begins at one.
        self._work = rows.x.new_empty((threads, pad(self._program.work, dtype)))
        self._count = examples

    def _run(self, rows: Rows, records: ChunkRecords, state: Tensor) -> Tensor:
        """Let the compiled steps write the new records, and return their summary (5, n)."""
        pending, n = rows.pending_count, len(rows.x)
        steps = rows.step_numbers(len(records.loss))
        count = len(steps) - pending
        summary, columns = rows.x.new_empty((5, n)), stack(collect_columns(rows), rows.x)
        noise = draw_noise(rows, steps)
        noise = None if noise is None else noise.expand_as(records.x).contiguous()
        rates = records.rates if records.rates.stride(1) == 1 else records.rates.contiguous()
        has_loss = records.has_loss
        has_loss = torch.ones(len(steps), dtype=torch.bool) if has_loss is None else has_loss
        by_record = records.points, records.loss, records.norm, rates, noise
        chunk = _chunk_type(len(self._examples))(
            *(_address(values, pending) for values in by_record),
            *map(_address, (columns, state, summary)),
            _address(rows.seed),
            _address(self._part_weight),
            _address(has_loss, pending),
            n,
            count,
            rates.stride(0),
            rows.first + pending,
            _addresses(self._examples),
            _addresses(self._columns),
            _address(self._weight),
            len(self._weight),
            len(self._weight),
        )

        def run_rows(begin: int, end: int, thread: int) -> None:
            bounds = ctypes.c_long(begin), ctypes.c_long(end)
            self._function(*bounds, ctypes.byref(chunk), pointer(self._work[thread]))

        numbers = n * count * self._count * rows.x.shape[1]
        threads = min(len(self._work), -(-n // BLOCK), numbers // _NUMBERS_PER_THREAD)
        if threads <= 1:
            run_rows(0, n, 0)
        else:
            bounds = [n * t // threads for t in range(threads + 1)]
            list(pool(threads).map(run_rows, bounds[:-1], bounds[1:], range(threads)))
        return summary


def _columns_of(table: Tensor) -> Tensor:
    """Return a table (N, …) with its numbers first and its padded examples last."""
    columns = table.reshape(len(table), -1).T
    last = columns[:, -1:].expand(-1, pad(len(table), table.dtype) - len(table))
    return torch.cat((columns, last), 1).contiguous()


def _weights(count: int, like: Tensor) -> Tensor:
    """Return the weights of examples in their mean; those of the padding are 0."""
    weights = like.new_zeros(pad(count, like.dtype))
    weights[:count] = 1 / count
    return weights


def _address(tensor: Tensor | None, first: int = 0) -> int | None:
    """The address of the numbers of a tensor from an index on."""
    return None if tensor is None else tensor[first:].data_ptr()


def _addresses(tensors: Sequence[Tensor]) -> Any:
    """The addresses of tensors, as an array that is never empty."""
    return (ctypes.c_void_p * (len(tensors) + 1))(*map(_address, tensors))


@cache
def _chunk_type(tables: int) -> type[ctypes.Structure]:
    """The structure `Chunk` of `frame.c`, for programs with so many tables."""
    names = (
        *("point", "loss", "norm", "rate", "noise", "column", "memory", "summary"),
        *("seed", "part_weight", "has_loss"),
    )
    counts = ("runs", "records", "rate_stride", "step")
    addresses = ctypes.c_void_p * (tables + 1)
    examples = [("example", addresses), ("table", addresses), ("weight", ctypes.c_void_p)]
    fields = [(name, ctypes.c_void_p) for name in names]
    fields += [(name, ctypes.c_long) for name in counts]
    fields += [*examples, ("stride", ctypes.c_long), ("count", ctypes.c_long)]
    return type("Chunk", (ctypes.Structure,), {"_fields_": fields})
