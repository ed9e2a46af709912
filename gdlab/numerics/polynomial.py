"""Degrees of polynomials, read off the operations that autograd recorded."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Degrees = Sequence[float]
"""The degrees of an operation's inputs: 0 for constants, infinity for no polynomial."""


def degree(value: Tensor) -> float:
    """Return an upper bound of the degree of a value as a polynomial of the leaves of its graph.

    It follows from the operations alone, not from numbers, so that it holds at all points; infinity
    where an operation is not known to be a polynomial. `x**3 - x**3` counts as cubic.

    >>> x = torch.ones(2, requires_grad=True)
    >>> degree((x[0] - 3) * x.sum()), degree(x.abs().sum())
    (2, inf)
    """
    found: dict[Any, float] = {None: 0}
    to_visit: list[Any] = [value.grad_fn]
    while to_visit:
        node = to_visit.pop()
        if node in found:
            continue
        inputs = [parent for parent, _ in node.next_functions]
        unknown = [parent for parent in inputs if parent not in found]
        if unknown:
            to_visit += [node, *unknown]
        else:
            found[node] = _degree_of(node, [found[parent] for parent in inputs])
    return found[value.grad_fn]


def _degree_of(node: Any, inputs: Degrees) -> float:
    """Return the degree of an operation's result."""
    rule = _RULES.get(node.name().rstrip("0123456789").removesuffix("Backward"), _no_polynomial)
    return max(inputs, default=1) if rule is None else rule(node, inputs)


def _no_polynomial(node: Any, inputs: Degrees) -> float:
    return math.inf if any(inputs) else 0


def _multiply(node: Any, inputs: Degrees) -> float:
    return sum(inputs)


def _multiply_and_add(node: Any, inputs: Degrees) -> float:
    added, *factors = inputs
    return max(added, sum(factors))


def _divide(node: Any, inputs: Degrees) -> float:
    return math.inf if any(inputs[1:]) else inputs[0]


def _square(node: Any, inputs: Degrees) -> float:
    return 2 * max(inputs)


def _raise_to_power(node: Any, inputs: Degrees) -> float:
    exponents = torch.as_tensor(node._saved_exponent)
    if any(inputs[1:]) or bool(((exponents < 0) | (exponents % 1 != 0)).any()):
        return math.inf
    return float(exponents.max()) * inputs[0] if inputs[0] else 0


_LINEAR = """
    Add Sub Rsub Neg Sum Mean Cumsum Clone Alias ToCopy View UnsafeView Reshape ReshapeAlias Expand
    Permute Transpose T Unsqueeze Squeeze Select Slice Split SplitWithSizes Unbind Index IndexSelect
    Gather Cat Stack Repeat Roll Flip Diagonal AsStrided Unfold Trace Tril Triu
    ConstantPadNd
"""

_RULES: Mapping[str, Callable[[Any, Degrees], float] | None] = {
    **dict.fromkeys(_LINEAR.split()),
    "torch::autograd::AccumulateGrad": None,
    **dict.fromkeys(("Mul", "Mm", "Bmm", "Mv", "Dot", "LinalgVecdot"), _multiply),
    **dict.fromkeys(("Addmm", "Addbmm", "Baddbmm", "Addmv", "Addr", "Addcmul"), _multiply_and_add),
    "Div": _divide,
    **dict.fromkeys(("MseLoss", "Var"), _square),
    "Pow": _raise_to_power,
}
"""By the name of the operation in autograd; None for the linear ones and the leaves."""
