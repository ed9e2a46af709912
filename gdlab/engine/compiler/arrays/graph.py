"""A graph of operations on the arrays of one run.

An array is what a tensor of torch is: a block of numbers, its storage, seen through an offset, a
shape and strides. Views of the same storage are different windows on one node, so that operations
that only move numbers need no code. The arrays of a node *per example* differ between examples;
those of the others are shared by all examples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

Kind: TypeAlias = Literal[
    "input",  # a named array that the step is given
    "constant",  # numbers that are known while tracing
    "elementwise",  # one of torch's operations, number by number
    "reduce",  # one of torch's reductions over some axes
    "product",  # matrix products (B, M, K) × (B, K, N)
    "join",  # arrays one after the other, along an axis
    "assign",  # an array with a part of it replaced
    "gather",  # the numbers at given indices along an axis
    "scatter",  # an array with numbers added at given indices along an axis
    "total",  # the sum of an array over all examples
    "outer",  # the sum of matrix products over all examples
]


@dataclass(frozen=True, eq=False)
class Node:
    """The result of an operation.

    Attributes:
        kind: what kind of operation it is.
        name: the operation's name in torch, or that of an input.
        args: its operands.
        sizes: the shape of the result.
        strides: the strides of its storage, in numbers.
        per_example: whether it differs between examples.
        details: what else the operation needs, such as axes.
        values: the numbers of a constant.
    """

    kind: Kind
    name: str
    args: "tuple[Argument, ...]"
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    per_example: bool
    details: dict[str, Any] = field(default_factory=dict)
    values: np.ndarray | None = None

    @property
    def numbers(self) -> int:
        """The size of its storage."""
        spans = (size - 1 for size in self.sizes)
        return 1 + sum(span * stride for span, stride in zip(spans, self.strides, strict=True))

    @property
    def operands(self) -> "Iterator[View]":
        """The views among its operands."""
        return (arg for arg in self.args if isinstance(arg, View))

    def whole(self) -> "View":
        """Return the view of all of it."""
        return View(self, 0, self.sizes, self.strides)


@dataclass(frozen=True)
class View:
    """A window on the storage of a node."""

    node: Node
    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it shows all of a node, as the node is."""
        return not self.offset and (self.sizes, self.strides) == (
            self.node.sizes,
            self.node.strides,
        )

    def of(self, node: Node) -> "View":
        """Return the same window on another node with the same storage."""
        return View(node, self.offset, self.sizes, self.strides)

    def broadcast(self, sizes: Sequence[int]) -> "View":
        """Return it with a shape to which its own broadcasts."""
        lead = len(sizes) - len(self.sizes)
        strides = [0] * lead + [
            0 if size == 1 else stride
            for size, stride in zip(self.sizes, self.strides, strict=True)
        ]
        return View(self.node, self.offset, tuple(sizes), tuple(strides))


Argument: TypeAlias = "View | float | bool"
"""An operand: a view, or a number."""


def make_node(
    kind: Any,
    name: str,
    args: Sequence[Any],
    sizes: tuple[int, ...],
    strides: tuple[int, ...],
    details: dict[str, Any] | None = None,
) -> Node:
    """Return a node that differs between examples if one of its operands does."""
    details = details or {}
    views = [arg for arg in (*args, *details.values()) if isinstance(arg, View)]
    per_example = any(view.node.per_example for view in views)
    return Node(kind, name, tuple(args), sizes, tuple(strides), per_example, details)


def with_axis(view: View, axis: int) -> View:
    """Return a view with one more axis, of size 1."""
    sizes, strides = list(view.sizes), list(view.strides)
    sizes.insert(axis, 1)
    strides.insert(axis, 0)
    return View(view.node, view.offset, tuple(sizes), tuple(strides))


def contiguous(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of numbers that lie one after the other."""
    strides, step = [], 1
    for size in reversed(sizes):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def in_order(outputs: Sequence[View]) -> list[Node]:
    """Return the nodes that outputs depend on; the operands of each come before it."""
    ordered: dict[Node, None] = {}
    stack = [(view.node, False) for view in outputs]
    while stack:
        node, are_operands_done = stack.pop()
        if node in ordered:
            continue
        if are_operands_done:
            ordered[node] = None
        else:
            stack.append((node, True))
            stack += [(operand.node, False) for operand in node.operands]
    return list(ordered)
