"""C statements that compute one node, by its kind."""

from collections.abc import Callable, Mapping, Sequence

from gdlab.engine.compiler.arrays.buffers import (
    EACH_EXAMPLE,
    Buffers,
    loops,
    number,
    offset,
    shared_loops,
)
from gdlab.engine.compiler.arrays.graph import Kind, Node, View
from gdlab.engine.compiler.expressions import NUMBERS

_STARTS = {"sum": "0", "mean": "0", "prod": "1", "amax": "-INFINITE", "amin": "INFINITE"}
_FEW_PLACES = 16
"""Of so few, each is compared with the index of an example, so that no number is read alone."""

_OF_RUNS = {"sum": "sum_of", "mean": "sum_of", "amax": "greatest_of"}
_STEPS = {
    **dict.fromkeys(("sum", "mean"), "({0} + {1})"),
    "prod": "({0} * {1})",
    "amax": NUMBERS["maximum"],
    "amin": NUMBERS["minimum"],
}


def _each(node: Node) -> str:
    """The head of the loop over the examples of a tile; none for a shared array."""
    return EACH_EXAMPLE if node.per_example else ""


def _loops(node: Node, sizes: Sequence[int]) -> tuple[str, list[str]]:
    """The heads of loops over numbers of a node, which threads may compute in any order."""
    return loops(sizes) if node.per_example else shared_loops(sizes)


def _reduce(buffers: Buffers, node: Node) -> str:
    """A reduction: over numbers that lie one after the other at once, else number by number."""
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
    target = buffers.at(node.whole(), places)
    each, source = _each(node), buffers.at(view, index)
    if node.name == "argmax":
        (axis,) = axes
        first = buffers.at(view, ["0" if d == axis else i for d, i in enumerate(index)])
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
        start = buffers.start(view, offset(0, view.strides, places))
        lines[:2] = [f"{target} = {_OF_RUNS[node.name]}({count}, {start});"]
    return f"{heads} {{\n" + "\n".join(lines) + "\n}"


def _product(buffers: Buffers, node: Node) -> str:
    """Matrix products; by a kernel where one of the two arrays is shared by all examples."""
    a, b = node.operands
    if a.node.per_example == b.node.per_example:
        return _product_by_loops(buffers, node)
    (batch, m, k), n = a.sizes, b.sizes[2]
    out, start, stride = node.strides, buffers.start, buffers.stride
    name, own = buffers.name(node), stride(node)
    # The kernel computes the numbers along that axis of the result which the shared array has, for
    # a tile of examples: once for each of the `count` places along the other axis.
    shared, other, axis, count = (a, b, 1, n) if b.node.per_example else (b, a, 2, m)
    height, beside = (m, 2) if axis == 1 else (n, 1)
    target = f"{name} + (h * {out[0]} + i * {out[beside]}) * {own}"
    source = start(other, f"h * {other.strides[0]} + i * {other.strides[beside]}")
    row, column, step = shared.strides[axis], shared.strides[beside], other.strides[axis]
    return (
        f"for (long h = 0; h < {batch}; h++) for (long i = 0; i < {count}; i++)\n"
        f"product({height}, {k}, m, {start(shared, f'h * {shared.strides[0]}')}, {row}, "
        f"{column}, {source}, {step} * {stride(other.node)}, {target}, {out[axis]} * {own});"
    )


def _product_by_loops(buffers: Buffers, node: Node) -> str:
    """Matrix products of two arrays that both differ between examples, or both do not."""
    a, b = node.operands
    (batch, m, k), n = a.sizes, b.sizes[2]
    target, each = buffers.at(node.whole(), ("h", "i", "j")), _each(node)
    factors = buffers.at(a, ("h", "i", "k")), buffers.at(b, ("h", "k", "j"))
    heads = (("h", batch), ("i", m), ("j", n))
    return (
        " ".join(f"for (long {i} = 0; {i} < {size}; {i}++)" for i, size in heads)
        + f" {{\n{each} {target} = 0;\n"
        f"for (long k = 0; k < {k}; k++) {each} {target} += {' * '.join(factors)};\n}}"
    )


def _outer(buffers: Buffers, node: Node) -> str:
    """The sum of matrix products over the examples of a tile, added to that of the others."""
    a, b = node.operands
    out = node.details.get("strides", node.strides)
    (batch, m, k), n = a.sizes, b.sizes[2]
    start, stride = buffers.start, buffers.stride
    first = start(a, f"h * {a.strides[0]} + k * {a.strides[2]}")
    second = start(b, f"h * {b.strides[0]} + k * {b.strides[1]}")
    return (
        f"for (long h = 0; h < {batch}; h++) for (long k = 0; k < {k}; k++)\n"
        f"outer({m}, {n}, m, {first}, {a.strides[1]} * {stride(a.node)}, {second}, "
        f"{b.strides[2]} * {stride(b.node)}, {buffers.name(node)} + h * {out[0]}, "
        f"{out[1]}, {out[2]});"
    )


def _total(buffers: Buffers, node: Node) -> str:
    """The sum over the examples of a tile, added to that of the others."""
    view = next(node.operands)
    heads, indices = loops(view.sizes)
    place = offset(0, view.strides, indices)
    target = buffers.at(node.whole(), indices)
    return f"{heads} {target} += sum_of(m, {buffers.start(view, place)});"


def _join(buffers: Buffers, node: Node) -> str:
    """Copies one array after the other."""
    axis, lines, done = node.details["axis"], [], 0
    for view in node.operands:
        heads, indices = _loops(node, view.sizes)
        moved = View(node, done * node.strides[axis], view.sizes, node.strides)
        target, source = buffers.at(moved, indices), buffers.at(view, indices)
        lines.append(f"{heads} {_each(node)} {target} = {source};")
        done += view.sizes[axis]
    return "\n".join(lines)


def _assign(buffers: Buffers, node: Node) -> str:
    """A copy of an array, then what replaces a part of it."""
    base, source = node.args
    start, sizes, strides = node.details["part"]
    heads, indices = _loops(node, node.sizes)
    target, each = buffers.at(node.whole(), indices), _each(node)
    lines = [f"{heads} {each} {target} = {_number(buffers, base, node.sizes, indices)};"]
    lines += [] if node.per_example else ["BARRIER"]
    heads, indices = _loops(node, sizes)
    target = buffers.at(View(node, start, sizes, strides), indices)
    lines.append(f"{heads} {each} {target} = {_number(buffers, source, sizes, indices)};")
    return "\n".join(lines)


def _number(
    buffers: Buffers, arg: View | float, sizes: Sequence[int], indices: Sequence[str]
) -> str:
    """The expression for a number of an operand, broadcast to a shape."""
    if not isinstance(arg, View):
        return number(arg)
    if arg.node.values is not None and arg.node.values.ndim == 0:
        return number(float(arg.node.values))
    return buffers.at(arg.broadcast(sizes), indices)


def _gather(buffers: Buffers, node: Node) -> str:
    """The numbers at the indices: of few places each is compared with the index."""
    source, index = node.operands
    heads, indices = loops(node.sizes)
    at, axis = buffers.at(index, indices), node.details["axis"]
    target, each = buffers.at(node.whole(), indices), _each(node)

    def number(place: str) -> str:
        chosen = [place if d == axis else i for d, i in enumerate(indices)]
        return buffers.at(source, chosen)

    size = source.sizes[axis]
    if not node.per_example or size > _FEW_PLACES:
        return f"{heads} {each} {target} = {number(f'(long){at}')};"
    lines = [f"{each} {target} = {number('0')};"]
    lines += [
        f"{each} {target} = {at} == {c} ? {number(str(c))} : {target};" for c in range(1, size)
    ]
    return f"{heads} {{\n" + "\n".join(lines) + "\n}"


def _scatter(buffers: Buffers, node: Node) -> str:
    """A copy of an array, then what is added at the indices, likewise."""
    base, index, values = node.args
    assert isinstance(index, View)
    heads, indices = loops(node.sizes)
    each, target = _each(node), buffers.at(node.whole(), indices)
    lines = [f"{heads} {each} {target} = {_number(buffers, base, node.sizes, indices)};"]
    heads, indices = loops(index.sizes)
    at, axis = buffers.at(index, indices), node.details["axis"]
    number = _number(buffers, values, index.sizes, indices)

    def place(chosen: str) -> str:
        places = [chosen if d == axis else i for d, i in enumerate(indices)]
        return buffers.at(node.whole(), places)

    if not node.per_example or node.sizes[axis] > _FEW_PLACES:
        return "\n".join([*lines, f"{heads} {each} {place(f'(long){at}')} += {number};"])
    added = [
        f"{each} {place(c)} = {at} == {c} ? {place(c)} + {number} : {place(c)};"
        for c in map(str, range(node.sizes[axis]))
    ]
    return "\n".join([*lines, f"{heads} {{", *added, "}"])


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


STATEMENTS: Mapping[Kind, Callable[[Buffers, Node], str]] = {
    "reduce": _reduce,
    "product": _product,
    "outer": _outer,
    "total": _total,
    "join": _join,
    "assign": _assign,
    "gather": _gather,
    "scatter": _scatter,
}
"""What writes the statements of a node that is not elementwise, by its kind."""

DIVIDED = ("outer", "join", "assign")
"""Kinds of nodes that examples share whose statements divide their numbers between threads."""
