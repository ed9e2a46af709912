"""Where the arrays of a graph lie in memory, and how C addresses their numbers.

Arrays that all examples share lie in `work`. The others lie in `tile`, with the examples along
their last axis, M at once, or in `strip`, STRIP at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gdlab.engine.compiler.arrays.graph import Node, View, contiguous

_ALIGNMENT = 16  # numbers; a buffer begins at a multiple of 64 bytes

EACH_EXAMPLE = "FOR_EACH_EXAMPLE"
"""The head of the loop over the w examples of the strip that begins at example v of a tile."""


@dataclass
class Buffers:
    """Where the arrays of graphs lie in memory.

    Attributes:
        is_double: whether numbers are of double precision.
        shared: numbers taken by arrays that all examples share.
        per_example: numbers, for each example of a tile, taken by the other arrays.
        names: the C name of each node's array.
        per_loop: numbers, for each example of a strip, taken by those of `within_loop`.
        within_loop: arrays that differ between examples and live for a strip of them.
        constants: declarations of the arrays whose numbers are known.
        declarations: of the others.
    """

    is_double: bool
    shared: int = 0
    per_example: int = 0
    names: dict[Node, str] = field(default_factory=dict)
    per_loop: int = 0
    within_loop: set[Node] = field(default_factory=set)
    constants: list[str] = field(default_factory=list)
    declarations: list[str] = field(default_factory=list)

    def name(self, node: Node) -> str:
        """Return the C name of a node's array, which gets its place in memory at first."""
        if node not in self.names:
            self.names[node] = node.name if node.kind == "input" else f"b{len(self.names)}"
            if node.kind != "input":
                self._declare(node)
        return self.names[node]

    def _declare(self, node: Node) -> None:
        """Declare a node's array."""
        name = self.names[node]
        if node.values is not None:
            numbers = ", ".join(number(value) for value in node.values.flatten().tolist())
            self.constants.append(f"CONSTANT T {name}[] = {{{numbers}}};")
            return
        if node in self.within_loop:
            place = f"strip + {self.per_loop} * STRIP"
            self.per_loop += node.numbers
        elif node.per_example:
            place = f"tile + {self.per_example} * M"
            self.per_example += node.numbers
        else:
            place = f"work + {self.shared}"
            self.shared += -(-node.numbers // _ALIGNMENT) * _ALIGNMENT
        self.declarations.append(f"T *const {name} = {place};")

    def at(self, view: View, indices: Sequence[str]) -> str:
        """Return the expression for a number of a view."""
        place = offset(view.offset, view.strides, indices)
        name = self.name(view.node)
        if view.node in self.within_loop:
            return f"{name}[({place}) * STRIP + u + l]"
        if view.node.per_example:
            return f"{name}[({place}) * {self.stride(view.node)} + v + u + l]"
        return f"{name}[{place}]"

    def start(self, view: View, place: str = "") -> str:
        """Return the expression for the address of a view, `place` numbers further."""
        place = f"{view.offset}{place and ' + '}{place}"
        if view.node.per_example:
            return f"{self.name(view.node)} + ({place}) * {self.stride(view.node)}"
        return f"{self.name(view.node)} + {place}"

    def store(self, view: View, target: str) -> str:
        """Return the statement that copies an array that examples share to a pointer, in order."""
        heads, indices = shared_loops(view.sizes)
        place = offset(0, contiguous(view.sizes), indices)
        return f"{heads}{target}[{place}] = {self.at(view, indices)};"

    def stride(self, node: Node) -> str:
        """Return the distance between two numbers of an array, for the same example."""
        if not node.per_example:
            return "1"
        return "examples->stride" if node.name.startswith("table") else "M"


def offset(first: int, strides: Sequence[int], indices: Sequence[str]) -> str:
    """Return the C expression for a place in an array."""
    terms = [
        index if stride == 1 else f"{stride} * {index}"
        for stride, index in zip(strides, indices, strict=True)
        if stride
    ]
    return " + ".join(([str(first)] if first or not terms else []) + terms)


def number(value: float) -> str:
    """Write a number exactly, as C does."""
    text = float(value).hex().replace("nan", "NOT_A_NUMBER").replace("inf", "INFINITE")
    return f"(T)({text})"


def loops(sizes: Sequence[int], names: str = "i") -> tuple[str, list[str]]:
    """Return the heads of nested loops over a shape, and the index of each axis."""
    axes, indices = _axes(sizes, names)
    return "".join(_head(index, size) for index, size in axes), indices


def shared_loops(sizes: Sequence[int]) -> tuple[str, list[str]]:
    """Return the same for numbers that threads may compute in any order: one loop is divided."""
    axes, indices = _axes(sizes, "i")
    if not axes:
        return "ALONE ", indices
    *outer, (index, size) = axes
    return "".join(_head(*axis) for axis in outer) + f"FOR_EACH({index}, {size}) ", indices


def _axes(sizes: Sequence[int], names: str) -> tuple[list[tuple[str, int]], list[str]]:
    """The index and size of each axis of more than one number, and the index of each axis."""
    indices = [f"{names}{axis}" if size > 1 else "0" for axis, size in enumerate(sizes)]
    axes = [(i, size) for i, size in zip(indices, sizes, strict=True) if size > 1]
    return axes, indices


def _head(index: str, size: int) -> str:
    return f"for (long {index} = 0; {index} < {size}; {index}++) "
