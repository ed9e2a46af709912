"""C statements for a graph of operations on arrays, in the order and the loops in which they run.

Buffers lie in one block of memory. Arrays that differ between examples are stored with the examples
along their last axis, a tile of them at once.
"""

from collections.abc import Iterator, Sequence

from gdlab.engine.compiler.arrays.buffers import Buffers
from gdlab.engine.compiler.arrays.elementwise import statements_of
from gdlab.engine.compiler.arrays.graph import Node, View, in_order
from gdlab.engine.compiler.arrays.kinds import DIVIDED, STATEMENTS
from gdlab.engine.compiler.arrays.stages import Stages, after_totals, is_kernel, levels_of


class Statements:
    """Writes the statements of graphs, array by array.

    Attributes:
        buffers: where the arrays lie.
    """

    def __init__(self, buffers: Buffers) -> None:
        self.buffers = buffers

    def write(self, outputs: Sequence[View]) -> Stages:
        """Return the statements that compute the arrays of outputs."""
        nodes = in_order(outputs)
        after = after_totals(nodes)
        kept = {view.node for view in outputs}
        stages: dict[str, list[Node]] = {"before": [], "inside": [], "after": []}
        for node in nodes:
            if node.kind in ("input", "constant"):
                continue
            stage = "after" if node in after else "before"
            is_inside = node.per_example or node.kind in ("total", "outer")
            stages["inside" if is_inside else stage].append(node)
        before, after = (
            "\n".join(self._stage(stages[n], nodes, kept)) for n in ("before", "after")
        )
        inside = "\n".join(self._inside(stages["inside"], nodes))
        zeros = [
            f"FOR_EACH(i, {n.numbers}) {self.buffers.name(n)}[i] = 0;"
            for n in stages["inside"]
            if not n.per_example
        ]
        return Stages("\n".join([before, *zeros, *["BARRIER"][: len(zeros)]]), inside, after)

    def _inside(self, stage: list[Node], nodes: list[Node]) -> Iterator[str]:
        """The statements for a tile of examples: kernels, and between them loops over its strips.

        What is computed and used in the same loop needs memory for one strip only.
        """
        level = levels_of(stage)
        for each in range(max(level.values(), default=-1) + 1):
            part = [node for node in stage if level[node] == each]
            small = [node for node in part if not is_kernel(node)]
            used = {o.node for n in nodes if n not in small for o in n.operands}
            self.buffers.within_loop |= set(small) - used
            if small:
                yield "FOR_EACH_STRIP {\nSTRIP_BEGINS"
                yield from self._stage(small, nodes, set())
                yield "}"
            yield from self._stage([n for n in part if is_kernel(n)], nodes, set())

    def _stage(self, stage: list[Node], nodes: list[Node], kept: set[Node]) -> Iterator[str]:
        """The statements of nodes that are computed one after the other."""
        pending = dict.fromkeys(stage)
        while pending:
            first = next(n for n in pending if not any(o.node in pending for o in n.operands))
            if first.kind == "elementwise":
                group = _group(first, pending)
                used = kept | {o.node for n in nodes if n not in group for o in n.operands}
                yield statements_of(group, used & set(group), self.buffers)
            else:
                group = [first]
                yield _alone(first, STATEMENTS[first.kind](self.buffers, first))
            for node in group:
                del pending[node]


def _alone(node: Node, statements: str) -> str:
    """Return the statements of a node as those of one thread, unless they can be divided.

    A barrier lies behind them, and before them where they read what threads computed of examples.
    """
    if node.per_example:
        return statements
    lines = [statements] if node.kind in DIVIDED else ["ALONE {", statements, "}"]
    before = ["BARRIER"] if node.kind in ("outer", "total") else []
    return "\n".join([*before, *lines, "BARRIER"])


def _group(first: Node, pending: dict[Node, None]) -> list[Node]:
    """Elementwise operations over the same shape that can be computed number by number."""
    group = [first]
    shape = _shape(first)
    for node in pending:
        if node is first or node.kind != "elementwise" or _shape(node) != shape:
            continue
        waiting = [o for o in node.operands if o.node in pending]
        if all(o.node in group and is_same_place(o, node) for o in waiting):
            group.append(node)
    return group


def is_same_place(view: View, node: Node) -> bool:
    """Whether each number of a node needs just the number of an operand with the same index."""
    wide, own = view.broadcast(node.sizes), view.node
    if view.offset or len(own.sizes) > len(node.sizes):
        return False
    strides = own.whole().broadcast(node.sizes).strides
    return wide.strides == strides and _shape(own) == _shape(node)


def _shape(node: Node) -> tuple[tuple[int, ...], bool]:
    """The shape over which a node is computed, without axes of size 1."""
    return tuple(size for size in node.sizes if size > 1), node.per_example
