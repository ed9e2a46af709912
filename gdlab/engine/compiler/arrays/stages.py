"""When the arrays of a graph are computed: before the examples, for each tile of them, or after.

A tile of examples is passed by kernels, such as matrix products, and between them by loops over
strips of a few vectors, in which all else is computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gdlab.engine.compiler.arrays.graph import Node
from gdlab.engine.compiler.program import Uncompilable


@dataclass(frozen=True)
class Stages:
    """The statements of graphs: before the examples, for each tile of them, and after them."""

    before: str
    inside: str
    after: str


def is_kernel(node: Node) -> bool:
    """Whether a node is computed for a tile of examples at once."""
    if node.kind == "product":
        a, b = node.operands
        return a.node.per_example != b.node.per_example
    return node.kind in ("outer", "total")


def levels_of(stage: Sequence[Node]) -> dict[Node, int]:
    """The number of each node's loop over a tile, as late as the kernels that follow it allow."""
    level: dict[Node, int] = {}
    for node in stage:
        known = [(level[o.node], is_kernel(o.node)) for o in node.operands if o.node in level]
        level[node] = max((number + after for number, after in known), default=0)
    latest: dict[Node, int] = {}
    for node in reversed(stage):
        if not is_kernel(node):
            level[node] = latest.get(node, level[node])
        for operand in node.operands:
            latest[operand.node] = min(latest.get(operand.node, level[node]), level[node])
    return level


def after_totals(nodes: Sequence[Node]) -> set[Node]:
    """The nodes that depend on a sum over all examples."""
    after: set[Node] = set()
    for node in nodes:
        if any(o.node in after or o.node.kind in ("total", "outer") for o in node.operands):
            if node.per_example:
                raise Uncompilable("an example that depends on the others has no compiled form")
            after.add(node)
    return after
