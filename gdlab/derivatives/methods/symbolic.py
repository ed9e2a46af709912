"""Symbolic derivatives: the loss's formula, differentiated and evaluated symbolically.

Shapes: D dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gdlab.derivatives.methods import algebra
from gdlab.derivatives.wording import shortened
from gdlab.losses.base import Loss

if TYPE_CHECKING:
    import sympy

_MOST_OPERATIONS = 1_500  # times D: what sympy differentiates twice within seconds


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
        symbols = algebra.symbols(loss.names)
        expression = algebra.formula(loss, symbols)
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
        return algebra.number_of(self.partial(*by), algebra.values(self.symbols, x))

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
        return shortened(algebra.brief(self.partial(*by)))
