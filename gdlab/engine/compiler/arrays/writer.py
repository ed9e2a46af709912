"""Writes a C program of loops over arrays from what is traced.

A program is a frame, `frame.c` or `measure.c`, with functions for what differs.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import torch
from torch import Tensor

from gdlab.engine.compiler.arrays.buffers import Buffers
from gdlab.engine.compiler.arrays.graph import View, contiguous, make_node
from gdlab.engine.compiler.arrays.source import Statements
from gdlab.engine.compiler.arrays.tracer import ArrayTracer
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.compiler.source import definitions
from gdlab.fields.declared import Number
from gdlab.numerics.rowwise import VECTOR_BYTES

_BLOCK_BYTES = 2**19  # half of a common second-level cache
_TILE_BYTES = 2**15  # of a common first-level cache
_STRIP = 8  # vectors: fewer wait for each other's results, more leave the first-level cache
_ALIGNMENT = 16  # numbers
_BARRIERS = re.compile(r"(BARRIER\n)+")
_STRIDES = {
    "x": "D",
    "column": "CP",
    "state": "SP",
    "base": "1",
    "step": "0",
    "memory": "HP",
    "rate": "1",
    "value": "1",
    "slope": "DP",
    "norm": "1",
    "at": "D",
    "after": "D",
}
"""The arrays that functions take and give, and the distance between those of two runs, if any."""


@dataclass(frozen=True)
class ArrayProgram:
    """A program, and what it needs.

    Attributes:
        source: documented in its frame.
        tables: tables (N, …) of which it takes all examples, or some.
        work: numbers of memory for each thread.
        block: how many runs are computed together.
    """

    source: str
    tables: list[Tensor]
    work: int
    block: int = 1


def align(count: int) -> int:
    """Return how many numbers of memory an array of `count` numbers takes."""
    return -(-count // _ALIGNMENT) * _ALIGNMENT


def pad(count: int, dtype: torch.dtype) -> int:
    """Return a number of examples padded to whole vectors."""
    lanes = VECTOR_BYTES // dtype.itemsize
    return -(-count // lanes) * lanes


def _copy_of_input(view: View) -> View:
    """Return a copy of an input, which another output may overwrite, and other views unchanged."""
    if view.node.kind != "input":
        return view
    copy = make_node("elementwise", "clone", [view], view.sizes, contiguous(view.sizes))
    return copy.whole()


class Writer:
    """Traces parts of a program, and writes a C function for each.

    Args:
        dtype: of the numbers.
        threads: of a block of a GPU that computes a run; 0 for a processor.

    Attributes:
        tracer: follows tensors.
    """

    def __init__(self, dtype: torch.dtype, threads: int = 0) -> None:
        self.tracer = ArrayTracer()
        self._threads = threads
        self._dtype, self._is_double = dtype, dtype == torch.float64
        self._functions: list[str] = []
        self._columns = 0
        self._shared = self._per_example = self._per_loop = 0

    def follow_column(self, value: Number) -> Number:
        """Follow a setting that differs between runs."""
        if not isinstance(value, Tensor):
            return value
        self._columns += 1
        return self.tracer.follow(value, f"(column + {self._columns - 1})")

    def follow_weight(self, like: Tensor) -> Tensor:
        """Follow the weight (1,) of the chosen example in a mean; 0 for padding."""
        return self.tracer.follow(like.new_ones(1), "weight", per_example=True)

    def write(self, name: str, arguments: Sequence[str], outputs: Mapping[str, View]) -> None:
        """Write a function that computes outputs, and then stores them where they are named.

        It computes several runs: tile by tile of the examples, those of each.
        """
        outputs = {
            target: _copy_of_input(view)
            for target, view in outputs.items()
            if (view.node.name, view.is_whole) != (target, True)
        }
        buffers = Buffers(self._is_double)
        stages = Statements(buffers).write(list(outputs.values()))
        stores = [buffers.store(view, target) for target, view in outputs.items()]
        names = [*arguments, *(name for name in _STRIDES if name in outputs)]
        places = [f"T *const {each} = {each}_ + r * {_STRIDES[each]};" for each in names]
        run = ["for (int r = 0; r < rows; r++) {", *places, "T *const work = work_ + r * SHARED;"]
        run += buffers.declarations
        lines = [*buffers.constants, *run, stages.before, "}"]
        if stages.inside:
            lines += ["FOR_EACH_TILE {", "TILE_BEGINS", *run, stages.inside, "}", "}"]
        lines += [*run, stages.after, *stores, "BARRIER", "}"]
        body = _BARRIERS.sub("BARRIER\n", "\n".join(lines))
        taken = ", ".join(f"T *{each}_" for each in names)
        taken = f"int rows, {taken}, const Examples *examples, T *work_, T *tile"
        self._functions.append(
            f"FUNCTION void {name}({taken})\n{{\nT *const strip = tile + TILES;\n" + body + "\n}\n"
        )
        self._shared = max(self._shared, buffers.shared)
        self._per_example = max(self._per_example, buffers.per_example)
        self._per_loop = max(self._per_loop, buffers.per_loop)

    def finish(
        self, frames: Sequence[str], sizes: Mapping[str, int], examples: int, minibatch: int = 0
    ) -> tuple[str, dict[str, int]]:
        """Return the C source, and the constants that it defines.

        Args:
            frames: the names of C files, of which the last one takes the functions.
            sizes: constants; of each there is one more, padded, whose name ends with P.
            examples: their number; 0 for a loss that is no mean over examples.
            minibatch: the number of examples in a minibatch; 0 for none.
        """
        if examples and not self.tracer.tables:
            raise Uncompilable("the loss takes no examples from tables")
        tile = self._tile(examples)
        sizes = {**sizes, "C": self._columns}
        block = self._block(sum(sizes.get(name, 0) for name in ("D", "D", "S")) + self._shared)
        constants = {
            **sizes,
            **{f"{name}P": align(size) for name, size in sizes.items()},
            "B": block,
            "M": tile,
            "STRIP": self._strip,
            "TILES": self._per_example * tile,
            "TILE": self._per_example * tile + self._per_loop * self._strip,
            "TABLES": len(self.tracer.tables),
            "SHARED": self._shared,
            "PART": sum(self._widths) * pad(minibatch, self._dtype),
        }
        return self._source(frames, constants), constants

    @property
    def _widths(self) -> list[int]:
        """The number of numbers that an example has in each table."""
        return [table[0].numel() for table in self.tracer.tables]

    def _block(self, numbers: int) -> int:
        """The number of runs that are computed together: as many as fit into the cache."""
        if self._threads:
            return 1
        fit = _BLOCK_BYTES // (self._dtype.itemsize * numbers)
        return max(each for each in (1, 2, 4, 8) if each <= max(fit, 1))

    @property
    def _strip(self) -> int:
        """The number of examples in a strip."""
        if self._threads:
            return self._threads
        return _STRIP * VECTOR_BYTES // self._dtype.itemsize

    def _tile(self, examples: int) -> int:
        """The number of examples in a tile: as many as fit into the cache, and equal tiles."""
        size, count = self._dtype.itemsize, max(examples, 1)
        numbers = self._per_example + sum(self._widths)
        fit = max(self._strip, _TILE_BYTES // (size * max(numbers, 1)))
        return pad(math.ceil(count / math.ceil(count / fit)), self._dtype)

    def _source(self, frames: Sequence[str], constants: Mapping[str, int]) -> str:
        """The C source: definitions, kernels, and the functions in their frame.

        What a GPU needs instead of the definitions is `cuda.source.definitions`.
        """
        package = files("gdlab.engine.compiler")
        *parts, frame = ((package / name).read_text("utf-8") for name in frames)
        numbers = ", ".join(f"{name} = {value}" for name, value in constants.items())
        widths = f"CONSTANT long widths[] = {{{', '.join(map(str, self._widths)) or '0'}}};"
        functions = "\n".join(self._functions)
        head = [] if self._threads else definitions(functions.splitlines(), self._is_double)
        body = frame.replace("/* FUNCTIONS */", f"{widths}\n\n{functions}")
        head += ["#define IS_DOUBLE"] if self._is_double else []
        return "\n".join([*head, f"enum {{ {numbers} }};", *parts, body])
