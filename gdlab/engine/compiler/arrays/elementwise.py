"""C statements for elementwise operations over the same shape, in one loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gdlab.engine.compiler.arrays.buffers import EACH_EXAMPLE, Buffers, loops, number, shared_loops
from gdlab.engine.compiler.arrays.graph import Node, View
from gdlab.engine.compiler.dispatch import CONVERSIONS
from gdlab.engine.compiler.operations import Operations
from gdlab.engine.compiler.program import Operand, Program
from gdlab.engine.compiler.source import operand_text, statements

_MAX_LINES = 6000


def statements_of(group: Sequence[Node], stored: set[Node], buffers: Buffers) -> str:
    """Return one loop that computes a group of nodes.

    Args:
        group: elementwise nodes; the operands of each that are among them lie at the same place.
        stored: the nodes that are needed after the loop.
        buffers: where the arrays lie.
    """
    program = Program(_MAX_LINES)
    operations = Operations(program, is_double=buffers.is_double)
    values: dict[Node, Operand] = {}
    space = _Space.of(group)

    def operand(arg: Any, node: Node) -> Any:
        if not isinstance(arg, View):
            return arg
        if arg.node in values:
            return np.asarray(values[arg.node], dtype=object)
        return np.asarray(program.apply(space.at(arg, node, buffers)), dtype=object)

    for node in group:
        details = {key: operand(value, node) for key, value in node.details.items()}
        args = [operand(arg, node) for arg in node.args]
        values[node] = _apply(operations, node, args, details)
    kept = [node for node in group if node in stored]
    lines = list(statements(program, [values[node] for node in kept], buffers.is_double))
    lines += [
        f"{space.at(node.whole(), node, buffers)} = "
        f"{operand_text(values[node], buffers.is_double)};"
        for node in kept
    ]
    end = "}" if group[0].per_example else "}\nBARRIER"
    return f"{space.heads(group[0].per_example)} {{\n" + "\n".join([*lines, end])


def _apply(operations: Operations, node: Node, args: Sequence[Any], details: Any) -> Operand:
    """Return one number of a node from one of each operand."""
    name = node.name
    if name in ("clone", *CONVERSIONS):
        number = args[0].item() if isinstance(args[0], np.ndarray) else args[0]
        if details.get("dtype") in _INTEGERS:
            return operations.number("(T)(long)({0})", number)
        return number
    result = operations.table[name](*args, **details)
    return np.asarray(result, dtype=object).item()


_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8)


@dataclass(frozen=True)
class _Space:
    """The loops over a group's shape: axes of size 1 are left out, others merged.

    Attributes:
        sizes: the sizes of the axes that are left.
        merged: for each axis of the shape, whether it continues the one before.
    """

    sizes: tuple[int, ...]
    merged: tuple[bool, ...]

    @classmethod
    def of(cls, group: Sequence[Node]) -> "_Space":
        """Return the loops over the shape of a group."""
        views = [_squeeze(view, node) for node in group for view in (node.whole(), *node.operands)]
        sizes = views[0].sizes
        merged = [False] + [
            all(view.strides[d - 1] == view.strides[d] * sizes[d] for view in views)
            for d in range(1, len(sizes))
        ]
        space = cls(sizes, tuple(merged[: len(sizes)]))
        return cls(space._merge(views[0]).sizes, space.merged)

    def _merge(self, view: View) -> View:
        """Return a view without axes of size 1 with some of its axes merged."""
        sizes, strides = [], []
        for size, stride, is_merged in zip(view.sizes, view.strides, self.merged, strict=True):
            if is_merged:
                sizes[-1], strides[-1] = sizes[-1] * size, stride
            else:
                sizes.append(size)
                strides.append(stride)
        return View(view.node, view.offset, tuple(sizes), tuple(strides))

    def at(self, view: View, node: Node, buffers: Buffers) -> str:
        """Return the expression for an operand's number of a node."""
        values = view.node.values
        if values is not None and values.ndim == 0:
            return number(float(values))
        indices = [f"i{axis}" for axis in range(len(self.sizes))]
        return buffers.at(self._merge(_squeeze(view, node)), indices)

    def heads(self, per_example: bool) -> str:
        """Return the heads of the loops."""
        if not per_example:
            return shared_loops(self.sizes)[0]
        return loops(self.sizes)[0] + EACH_EXAMPLE


def _squeeze(view: View, node: Node) -> View:
    """Return an operand of a node in the node's shape, without axes of size 1."""
    wide = view.broadcast(node.sizes)
    axes = [axis for axis, size in enumerate(node.sizes) if size > 1]
    sizes, strides = ([values[axis] for axis in axes] for values in (wide.sizes, wide.strides))
    return View(view.node, view.offset, tuple(sizes), tuple(strides))
