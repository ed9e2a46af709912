"""Derivatives by rule: the loss's formula, differentiated and evaluated symbolically.

Shapes: D dimensions.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gdlab.expressions import printed
from gdlab.losses.base import Loss

if TYPE_CHECKING:
    import sympy

_DIGITS = 40  # a formula may cancel many digits
_MOST_OPERATIONS = 1_500  # what sympy differentiates D times within seconds
_MOST_VARIABLES = 12
_LONGEST = 160


class Symbolic:
    """A loss's formula in the names of its coordinates.

    Attributes:
        symbols: the coordinates, real.
        expression: the loss.
    """

    def __init__(self, symbols: tuple[sympy.Symbol, ...], expression: sympy.Expr) -> None:
        self.symbols, self.expression = symbols, expression
        self._derived: dict[tuple[int, ...], sympy.Expr] = {(): expression}

    @classmethod
    def of(cls, loss: Loss) -> Symbolic | None:
        """The formula; None where there is none, or it is too large to differentiate."""
        import sympy

        if loss.dim > _MOST_VARIABLES:
            return None
        symbols = tuple(sympy.Symbol(name, real=True) for name in loss.names)
        expression = loss.symbolic(symbols)
        if expression is None or expression.count_ops() * loss.dim > _MOST_OPERATIONS:
            return None
        return cls(symbols, expression)

    def partial(self, *by: int) -> sympy.Expr:
        """The partial derivative by coordinates, the first one first."""
        if by not in self._derived:
            import sympy

            self._derived[by] = sympy.diff(self.partial(*by[:-1]), self.symbols[by[-1]])
        return self._derived[by]

    def at(self, x: Tensor, *by: int) -> float:
        """The value of a partial derivative at a point (D,); NaN where it has none."""
        return value_of(self.partial(*by), self.symbols, x)

    def gradient(self, x: Tensor) -> Tensor:
        """The gradient at a point (D,): (D,)."""
        return torch.tensor([self.at(x, i) for i in range(len(self.symbols))], dtype=x.dtype)

    def hessian(self, x: Tensor) -> Tensor:
        """The Hessian at a point (D,): (D, D)."""
        places = range(len(self.symbols))
        rows = [[self.at(x, *sorted((i, j))) for j in places] for i in places]
        return torch.tensor(rows, dtype=x.dtype)

    def words(self, *by: int) -> str:
        """A partial derivative as a person would type it, shortened where it is long."""
        return shortened(self.partial(*by))


def value_of(expression: sympy.Expr, symbols: Sequence[sympy.Symbol], x: Tensor) -> float:
    """An expression of symbols at a point (D,), with 40 digits and then rounded.

    NaN where it has no real value.
    """
    at = dict(zip(symbols, map(_digits, x.tolist()), strict=True))
    value: Any = expression.xreplace(at)
    try:
        return float(value.evalf(_DIGITS))
    except TypeError:  # no number, or a complex one
        return float("nan")


@cache
def _digits(value: float) -> sympy.Float:
    import sympy

    return sympy.Float(value, _DIGITS)


def shortened(expression: sympy.Expr) -> str:
    """An expression as a person would type it; the beginning of a long one."""
    text = printed(expression)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def multi_indices(dim: int, order: int) -> list[tuple[int, ...]]:
    """The distinct partial derivatives of an order, as the coordinates they are taken by."""
    return list(itertools.combinations_with_replacement(range(dim), order))
