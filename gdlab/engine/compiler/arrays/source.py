"""C statements for a graph of operations on arrays.

Buffers lie in one block of memory. Arrays that differ between examples are stored with the examples
along their last axis, a tile of them at once.
"""

from collections.abc import Iterator, Sequence

from gdlab.engine.compiler.arrays.buffers import (
    EACH_EXAMPLE,
    Buffers,
    loops,
    number,
    offset,
    shared_loops,
)
from gdlab.engine.compiler.arrays.elementwise import statements_of
from gdlab.engine.compiler.arrays.graph import Node, View, in_order
from gdlab.engine.compiler.arrays.stages import Stages, after_totals, is_kernel, levels_of
from gdlab.engine.compiler.expressions import NUMBERS

_STARTS = {"sum": "0", "mean": "0", "prod": "1", "amax": "-INFINITE", "amin": "INFINITE"}
_FEW_PLACES = 16
"""Of so few, each is compared with the index of an example, so that no number is read alone."""

_DIVIDED = ("outer", "join", "assign")
"""Kinds of nodes whose numbers are divided between threads."""

_OF_RUNS = {"sum": "sum_of", "mean": "sum_of", "amax": "greatest_of"}
_STEPS = {
    **dict.fromkeys(("sum", "mean"), "({0} + {1})"),
    "prod": "({0} * {1})",
    "amax": NUMBERS["maximum"],
    "amin": NUMBERS["minimum"],
}


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
                yield _alone(first, getattr(self, f"_{first.kind}")(first))
            for node in group:
                del pending[node]

    def _each(self, node: Node) -> str:
        """The head of the loop over the examples of a tile; none for a shared array."""
        return EACH_EXAMPLE if node.per_example else ""

    def _loops(self, node: Node, sizes: Sequence[int]) -> tuple[str, list[str]]:
        """The heads of loops over numbers of a node, which threads may compute in any order."""
        return loops(sizes) if node.per_example else shared_loops(sizes)

    def _reduce(self, node: Node) -> str:
        view = next(node.operands)
        axes = node.details["axes"]
        keeps = len(node.sizes) == len(view.sizes)
        kept = [d for d in range(len(view.sizes)) if d not in axes]
        heads, outer = loops([view.sizes[d] for d in kept], "i")
        inner_heads, inner = loops([view.sizes[d] for d in sorted(axes)], "j")
        index = [""] * len(view.sizes)
        for d, name in (*zip(kept, outer, strict=True), *zip(sorted(axes), inner, strict=True)):
            index[d] = name
        places = [index[d] if d in kept else "0" for d in range(len(index))] if keeps else outer
        target = self.buffers.at(node.whole(), places)
        each, source = self._each(node), self.buffers.at(view, index)
        if node.name == "argmax":
            (axis,) = axes
            first = self.buffers.at(view, ["0" if d == axis else i for d, i in enumerate(index)])
            return f"{heads} {each} {{\n{_argmax(target, source, first, view.sizes[axis])}\n}}"
        count = 1
        for axis in axes:
            count *= view.sizes[axis]
        lines = [f"{each} {target} = {_STARTS[node.name]};"]
        lines += [f"{inner_heads} {each} {target} = {_STEPS[node.name].format(target, source)};"]
        if node.name == "mean":
            lines += [f"{each} {target} /= {count};"]
        if not node.per_example and node.name in _OF_RUNS and _is_run(view, axes):
            places = ["0" if d in axes else index[d] for d in range(len(index))]
            start = self.buffers.start(view, offset(0, view.strides, places))
            lines[:2] = [f"{target} = {_OF_RUNS[node.name]}({count}, {start});"]
        return f"{heads} {{\n" + "\n".join(lines) + "\n}"

    def _product(self, node: Node) -> str:
        a, b = node.operands
        (batch, m, k), n = a.sizes, b.sizes[2]
        out, start, stride = node.strides, self.buffers.start, self.buffers.stride
        name, own = self.buffers.name(node), stride(node)
        head = f"for (long h = 0; h < {batch}; h++) "
        if a.node.per_example == b.node.per_example:
            indices = "h", "i", "j"
            target = self.buffers.at(node.whole(), indices)
            factors = self.buffers.at(a, ("h", "i", "k")), self.buffers.at(b, ("h", "k", "j"))
            each = self._each(node)
            return (
                f"{head} for (long i = 0; i < {m}; i++) for (long j = 0; j < {n}; j++) {{\n"
                f"{each} {target} = 0;\n"
                f"for (long k = 0; k < {k}; k++) {each} {target} += {' * '.join(factors)};\n}}"
            )
        shared, other, rows, count = (a, b, 1, n) if b.node.per_example else (b, a, 2, m)
        row, column = shared.strides[rows], shared.strides[3 - rows]
        step, along = other.strides[rows if rows == 1 else 2], other.strides[3 - rows]
        height = m if rows == 1 else n
        target = f"{name} + (h * {out[0]} + i * {out[3 - rows]}) * {own}"
        source = start(other, f"h * {other.strides[0]} + i * {along}")
        return (
            f"{head} for (long i = 0; i < {count}; i++)\n"
            f"product({height}, {k}, m, {start(shared, f'h * {shared.strides[0]}')}, {row}, "
            f"{column}, {source}, {step} * {stride(other.node)}, {target}, {out[rows]} * {own});"
        )

    def _outer(self, node: Node) -> str:
        a, b = node.operands
        out = node.details.get("strides", node.strides)
        (batch, m, k), n = a.sizes, b.sizes[2]
        start, stride = self.buffers.start, self.buffers.stride
        first = start(a, f"h * {a.strides[0]} + k * {a.strides[2]}")
        second = start(b, f"h * {b.strides[0]} + k * {b.strides[1]}")
        return (
            f"for (long h = 0; h < {batch}; h++) for (long k = 0; k < {k}; k++)\n"
            f"outer({m}, {n}, m, {first}, {a.strides[1]} * {stride(a.node)}, {second}, "
            f"{b.strides[2]} * {stride(b.node)}, {self.buffers.name(node)} + h * {out[0]}, "
            f"{out[1]}, {out[2]});"
        )

    def _total(self, node: Node) -> str:
        view = next(node.operands)
        heads, indices = loops(view.sizes)
        place = offset(0, view.strides, indices)
        target = self.buffers.at(node.whole(), indices)
        return f"{heads} {target} += sum_of(m, {self.buffers.start(view, place)});"

    def _join(self, node: Node) -> str:
        axis, lines, done = node.details["axis"], [], 0
        for view in node.operands:
            heads, indices = self._loops(node, view.sizes)
            moved = View(node, done * node.strides[axis], view.sizes, node.strides)
            target, source = self.buffers.at(moved, indices), self.buffers.at(view, indices)
            lines.append(f"{heads} {self._each(node)} {target} = {source};")
            done += view.sizes[axis]
        return "\n".join(lines)

    def _assign(self, node: Node) -> str:
        base, source = node.args
        start, sizes, strides = node.details["part"]
        heads, indices = self._loops(node, node.sizes)
        target, each = self.buffers.at(node.whole(), indices), self._each(node)
        lines = [f"{heads} {each} {target} = {self._number(base, node.sizes, indices)};"]
        lines += [] if node.per_example else ["BARRIER"]
        heads, indices = self._loops(node, sizes)
        target = self.buffers.at(View(node, start, sizes, strides), indices)
        lines.append(f"{heads} {each} {target} = {self._number(source, sizes, indices)};")
        return "\n".join(lines)

    def _number(self, arg: View | float, sizes: Sequence[int], indices: Sequence[str]) -> str:
        """The expression for a number of an operand, broadcast to a shape."""
        if not isinstance(arg, View):
            return number(arg)
        if arg.node.values is not None and arg.node.values.ndim == 0:
            return number(float(arg.node.values))
        return self.buffers.at(arg.broadcast(sizes), indices)

    def _gather(self, node: Node) -> str:
        source, index = node.operands
        heads, indices = loops(node.sizes)
        at, axis = self.buffers.at(index, indices), node.details["axis"]
        target, each = self.buffers.at(node.whole(), indices), self._each(node)

        def number(place: str) -> str:
            chosen = [place if d == axis else i for d, i in enumerate(indices)]
            return self.buffers.at(source, chosen)

        size = source.sizes[axis]
        if not node.per_example or size > _FEW_PLACES:
            return f"{heads} {each} {target} = {number(f'(long){at}')};"
        lines = [f"{each} {target} = {number('0')};"]
        lines += [
            f"{each} {target} = {at} == {c} ? {number(str(c))} : {target};" for c in range(1, size)
        ]
        return f"{heads} {{\n" + "\n".join(lines) + "\n}"

    def _scatter(self, node: Node) -> str:
        base, index, values = node.args
        assert isinstance(index, View)
        heads, indices = loops(node.sizes)
        each, target = self._each(node), self.buffers.at(node.whole(), indices)
        lines = [f"{heads} {each} {target} = {self._number(base, node.sizes, indices)};"]
        heads, indices = loops(index.sizes)
        at, axis = self.buffers.at(index, indices), node.details["axis"]
        number = self._number(values, index.sizes, indices)

        def place(chosen: str) -> str:
            places = [chosen if d == axis else i for d, i in enumerate(indices)]
            return self.buffers.at(node.whole(), places)

        if not node.per_example or node.sizes[axis] > _FEW_PLACES:
            return "\n".join([*lines, f"{heads} {each} {place(f'(long){at}')} += {number};"])
        added = [
            f"{each} {place(c)} = {at} == {c} ? {place(c)} + {number} : {place(c)};"
            for c in map(str, range(node.sizes[axis]))
        ]
        return "\n".join([*lines, f"{heads} {{", *added, "}"])


def _alone(node: Node, statements: str) -> str:
    """Return the statements of a node as those of one thread, unless they can be divided.

    A barrier lies behind them, and before them where they read what threads computed of examples.
    """
    if node.per_example:
        return statements
    lines = [statements] if node.kind in _DIVIDED else ["ALONE {", statements, "}"]
    before = ["BARRIER"] if node.kind in ("outer", "total") else []
    return "\n".join([*before, *lines, "BARRIER"])


def _argmax(target: str, source: str, first: str, size: int) -> str:
    """The statements that find the index of the first greatest number, as torch does with NaN."""
    return (
        f"T best = {first}; {target} = 0;\n"
        f"for (long j0 = 1; j0 < {size}; j0++) {{\n"
        f"const T s = {source};\n"
        f"if (s > best || (s != s && best == best)) best = s, {target} = j0;\n}}"
    )


def _is_run(view: View, axes: set[int]) -> bool:
    """Whether the numbers of some axes lie one after the other."""
    step = 1
    for axis in sorted(axes, reverse=True):
        if view.sizes[axis] > 1 and view.strides[axis] != step:
            return False
        step *= view.sizes[axis]
    return True


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
