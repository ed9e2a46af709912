"""Sums over examples, moved from results to where they cost least.

The gradient of a mean over examples is linear in what autograd carries backward. So the sum over
examples is taken early: of the product of a layer's slopes and its inputs, a matrix product over
the examples, and not of the matrices of the examples.
"""

from gdlab.engine.compiler.arrays.graph import Argument, Node, View


class Totals:
    """The sums of arrays over all examples, each as a node that examples share."""

    def __init__(self) -> None:
        self._totals: dict[Node, Node] = {}

    def of(self, view: View) -> View:
        """Return the sum of a view over all examples."""
        return view.of(self._of_node(view.node))

    def product(self, a: View, b: View) -> View:
        """Return the sum of the products of two arrays of one number each."""
        pair = (View(each.node, each.offset, (1, 1, 1), (0, 0, 0)) for each in (a, b))
        return Node("outer", "product", tuple(pair), (1, 1, 1), (0, 0, 0), False).whole()

    def _of_node(self, node: Node) -> Node:
        if node not in self._totals:
            self._totals[node] = self._linear(node) or Node(
                "total", "total", (node.whole(),), node.sizes, node.strides, False
            )
        return self._totals[node]

    def _linear(self, node: Node) -> Node | None:
        """Return the total of a node by those of its operands; None if it is not linear in them."""
        args = node.args
        if node.kind == "product" and _depend(args[0]) and _depend(args[1]):
            return Node("outer", "outer", args, node.sizes, node.strides, False)
        if node.kind == "elementwise" and node.name == "mul" and all(map(_depend, args)):
            return self._outer_of_factors(node)
        if not _is_linear(node):
            return None
        summed: tuple[Argument, ...] = tuple(
            self.of(arg) if isinstance(arg, View) and _depend(arg) else arg for arg in args
        )
        return Node(
            node.kind, node.name, summed, node.sizes, node.strides, False, dict(node.details)
        )

    def _outer_of_factors(self, node: Node) -> Node | None:
        """Return the total of a product of a column and a row; None if the factors are not such."""
        sizes = node.sizes
        views = [arg.broadcast(sizes) for arg in node.operands]
        axes = [d for d, size in enumerate(sizes) if size > 1]
        mine = [[d for d in axes if view.strides[d]] for view in views]
        if any(len(each) > 1 for each in mine) or set(mine[0]) & set(mine[1]):
            return None

        def size_and_strides(view: View, own: list[int]) -> tuple[int, int, int]:
            d = own[0] if own else None
            return (1, 0, 0) if d is None else (sizes[d], view.strides[d], node.strides[d])

        (m, row, out_row), (n, column, out_column) = map(size_and_strides, views, mine)
        a = View(views[0].node, views[0].offset, (1, m, 1), (0, row, 0))
        b = View(views[1].node, views[1].offset, (1, 1, n), (0, 0, column))
        details = {"strides": (0, out_row, out_column)}
        return Node("outer", "outer", (a, b), sizes, node.strides, False, details)


def _depend(arg: Argument) -> bool:
    """Whether an operand differs between examples."""
    return isinstance(arg, View) and arg.node.per_example


def _is_zero(arg: Argument) -> bool:
    """Whether an operand is the number 0 or zeros."""
    if not isinstance(arg, View):
        return arg == 0
    values = arg.node.values
    return values is not None and not values.any()


def _is_linear(node: Node) -> bool:
    """Whether a node is linear in those of its operands that differ between examples."""
    args = node.args
    if node.kind in ("join", "assign"):
        return all(_depend(arg) or _is_zero(arg) for arg in args)
    if node.kind == "reduce":
        return node.name in ("sum", "mean")
    if node.kind == "product":
        return True
    if node.kind != "elementwise":
        return False
    if node.name in ("add", "sub"):
        return all(_depend(arg) or _is_zero(arg) for arg in args[:2])
    if node.name in ("neg", "clone", "copy"):
        return True
    if node.name == "mul":
        return sum(map(_depend, args)) == 1
    return node.name == "div" and not _depend(args[1])
