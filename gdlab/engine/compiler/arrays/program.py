"""The C program of steps that are computed one run after the other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import torch
from torch import Tensor

from gdlab.engine.compiler.arrays.buffers import Buffers
from gdlab.engine.compiler.arrays.graph import View, contiguous, make_node
from gdlab.engine.compiler.arrays.source import Statements
from gdlab.engine.compiler.arrays.totals import Totals
from gdlab.engine.compiler.arrays.tracer import ArrayTracer
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.compiler.source import definitions
from gdlab.fields.declared import Number, map_numbers
from gdlab.losses.base import Loss
from gdlab.numerics import rng
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.numerics.rowwise import VECTOR_BYTES, norm
from gdlab.optimizers.base import Optimizer, State, check_step

BLOCK = 8  # rows whose points are written together
_TILE_BYTES = 2**19  # half of a common second-level cache
_FEWEST_EXAMPLES = 64  # of a tile
_INTRINSICS = "#ifdef __AVX512F__\n#include <immintrin.h>\n#endif"
_RESULTS = ("value", "slope", "norm", "at")


@dataclass(frozen=True)
class ArrayProgram:
    """The program, and the memory that it needs.

    Attributes:
        source: a function `advance`, documented in `frame.c`.
        tables: tables (N, …) of which each step takes all examples, or some.
        work: numbers of memory for each thread.
    """

    source: str
    tables: list[Tensor]
    work: int


def lanes_of(dtype: torch.dtype) -> int:
    """Return how many numbers a vector has; examples are padded to a multiple of it."""
    return VECTOR_BYTES // dtype.itemsize


def pad(count: int, dtype: torch.dtype) -> int:
    """Return a number of examples padded to whole vectors."""
    lanes = lanes_of(dtype)
    return -(-count // lanes) * lanes


def trace_program(
    loss: Loss, optimizer: Optimizer, x: Tensor, state: State, has_noise: bool
) -> ArrayProgram:
    """Trace the step of one run.

    Args:
        loss: its `Number` fields are columns (1,). If it is a mean over examples, it computes the
            loss of chosen ones.
        optimizer: its `Number` fields are columns (1, 1), or the number 0.
        x: a point (1, D).
        state: of the optimizer, for one run.
        has_noise: whether noise is added to the gradient.

    Raises:
        Uncompilable: something has no compiled form; the message says what.
    """
    writer = _Writer(x)
    loss = loss.with_columns(writer.follow_column)
    optimizer = map_numbers(optimizer, writer.follow_column)
    writer.write_gradient(loss, x)
    writer.write_length(x)
    queries = writer.write_query(optimizer, x, state)
    writer.write_update(optimizer, x, state)
    return writer.finish(x, state, loss, queries, has_noise)


def _copy_of_input(view: View) -> View:
    """Return a copy of an input, which another output may overwrite, and other views unchanged."""
    if view.node.kind != "input":
        return view
    copy = make_node("elementwise", "clone", [view], view.sizes, contiguous(view.sizes))
    return copy.whole()


class _Writer:
    """Traces the parts of a step, and writes a C function for each."""

    def __init__(self, x: Tensor) -> None:
        self.tracer = ArrayTracer()
        self._dtype, self._is_double = x.dtype, x.dtype == torch.float64
        self._functions: list[str] = []
        self._columns = 0
        self._shared = self._per_example = 0

    def follow_column(self, value: Number) -> Number:
        """Follow a setting that differs between runs."""
        if not isinstance(value, Tensor):
            return value
        self._columns += 1
        return self.tracer.follow(value, f"(column + {self._columns - 1})")

    def write_gradient(self, loss: Loss, x: Tensor) -> None:
        """Write the loss and its gradient, from a mean over examples if it is one."""
        trace = self._trace_whole if loss.examples is None else self._trace_example
        value, slope = trace(loss, self.tracer.follow(x, "x"))
        arguments = "const T *x, const T *column, const Examples *examples"
        self._write("gradient", arguments, {"value": value, "slope": slope})

    def _trace_whole(self, loss: Loss, point: Tensor) -> tuple[View, View]:
        """Trace the loss and its gradient."""
        with self.tracer:
            value, grad = value_and_gradient(loss, point)
        return self.tracer.view(value), self.tracer.view(grad)

    def _trace_example(self, loss: Loss, point: Tensor) -> tuple[View, View]:
        """Trace the loss of one example and its gradient, and take their means."""
        tracer, chosen = self.tracer, self.tracer.choose()
        weight = tracer.follow(point.new_ones(1), "weight", per_example=True)
        with tracer:
            leaf = point.detach().requires_grad_()
            value = loss.partial(leaf, chosen)
            if value.shape != (1,) or not value.requires_grad:
                raise Uncompilable("the loss of one example is not one number that depends on x")
            (grad,) = torch.autograd.grad(value, leaf, weight)
        totals = Totals()
        mean = totals.product(tracer.view(value.detach()), tracer.view(weight))
        return mean, totals.of(tracer.view(grad))

    def write_length(self, x: Tensor) -> None:
        """Write the norm of a gradient."""
        slope = self.tracer.follow(x, "slope")
        with self.tracer:
            result = norm(slope)
        self._write("length", "const T *slope", {"norm": self.tracer.view(result)})

    def write_query(self, optimizer: Optimizer, x: Tensor, state: State) -> bool:
        """Write the point at which the optimizer asks for the gradient; return whether it moves."""
        point, leaves = self.tracer.follow(x, "x"), self._follow_state(state)
        with self.tracer:
            at = optimizer.query(point, leaves)
        arguments = "const T *x, const T *column, const T *state"
        self._write("query", arguments, {"at": self.tracer.view(at)})
        return at is not point

    def write_update(self, optimizer: Optimizer, x: Tensor, state: State) -> None:
        """Write the next point and the next state."""
        tracer = self.tracer
        point, slope = tracer.follow(x, "x"), tracer.follow(x, "slope")
        rate, leaves = tracer.follow(x[:, :1], "rate"), self._follow_state(state)
        with tracer:
            after, new = check_step(optimizer.update(point, slope, leaves, rate), x)
        if {name: new[name].shape for name in new} != {name: state[name].shape for name in state}:
            raise Uncompilable("the optimizer changes the shape of its state")
        arguments = "T *x, const T *slope, const T *rate, const T *column, T *state"
        outputs, place = {"x": tracer.view(after)}, 0
        for name, leaf in state.items():
            outputs[f"(state + {place})"] = tracer.view(new[name])
            place += leaf.numel()
        self._write("update", arguments, outputs)

    def _follow_state(self, state: State) -> dict[str, Tensor]:
        """Follow the leaves of an optimizer's state."""
        leaves, place = {}, 0
        for name, leaf in state.items():
            if leaf.dtype != self._dtype:
                raise Uncompilable(f"the optimizer's state {name} has dtype {leaf.dtype}")
            leaves[name] = self.tracer.follow(leaf, f"(state + {place})")
            place += leaf.numel()
        return leaves

    def _write(self, name: str, arguments: str, outputs: dict[str, View]) -> None:
        """Write a function that computes outputs, and then stores them where they are named."""
        outputs = {
            target: _copy_of_input(view)
            for target, view in outputs.items()
            if (view.node.name, view.is_whole) != (target, True)
        }
        buffers = Buffers(self._is_double)
        body = Statements(buffers).write(list(outputs.values()))
        stores = [buffers.store(view, target) for target, view in outputs.items()]
        targets = "".join(f", T *{target}" for target in _RESULTS if target in outputs)
        lines = [*buffers.declarations, body, *stores]
        self._functions.append(
            f"static void {name}({arguments}, T *work, T *tile{targets})\n{{\n"
            + "\n".join(lines)
            + "\n}\n"
        )
        self._shared = max(self._shared, buffers.shared)
        self._per_example = max(self._per_example, buffers.per_example)

    def finish(
        self, x: Tensor, state: State, loss: Loss, queries: bool, has_noise: bool
    ) -> ArrayProgram:
        """Return the program."""
        tables, examples = self.tracer.tables, loss.examples or 0
        if examples and not tables:
            raise Uncompilable("the loss takes no examples from tables")
        tile = self._tile(examples, x.dtype)
        widths = [table[0].numel() for table in tables]
        part = sum(widths) * pad(loss.minibatch or 0, x.dtype)
        sizes = {
            "D": x.numel(),
            "S": sum(leaf.numel() for leaf in state.values()),
            "C": self._columns,
        }
        padded = {f"{name}P": -(-size // 16) * 16 for name, size in sizes.items()}
        constants = {
            **sizes,
            **padded,
            "B": BLOCK,
            "M": tile,
            "TILE": self._per_example * tile,
            "PART": part,
            "TABLES": len(tables),
            "N": examples,
            "SIZE": loss.minibatch or 0,
            "HALF_BITS": rng.half_bits(examples),
            "QUERIES": int(queries),
            "NOISY": int(has_noise),
        }
        block = BLOCK * sum(padded.values()) + 3 * padded["DP"]
        work = block + part + constants["TILE"] + self._shared
        return ArrayProgram(self._source(constants, widths), tables, work)

    def _tile(self, examples: int, dtype: torch.dtype) -> int:
        """The number of examples in a tile: as many as fit into the cache, and equal tiles."""
        fit = max(_FEWEST_EXAMPLES, _TILE_BYTES // (dtype.itemsize * max(self._per_example, 1)))
        tiles = math.ceil(max(examples, 1) / fit)
        return pad(math.ceil(max(examples, 1) / tiles), dtype)

    def _source(self, constants: dict[str, int], widths: Sequence[int]) -> str:
        """The C source: definitions, kernels, and the functions in their frame."""
        package = files("gdlab.engine.compiler.arrays")
        names = "kernels.c", "minibatches.c", "frame.c"
        *parts, frame = ((package / name).read_text("utf-8") for name in names)
        numbers = ", ".join(f"{name} = {value}" for name, value in constants.items())
        widths_of = f"static const long widths[] = {{{', '.join(map(str, widths))}}};"
        functions = "\n".join(self._functions)
        head = [_INTRINSICS, *definitions(functions.splitlines(), self._is_double)]
        body = frame.replace("/* FUNCTIONS */", f"{widths_of}\n\n{functions}")
        head += ["#define IS_DOUBLE"] if self._is_double else []
        return "\n".join([*head, f"enum {{ {numbers} }};", *parts, body])
