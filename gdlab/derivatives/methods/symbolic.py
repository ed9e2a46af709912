"""Symbolic derivatives of a loss's formula.

Shapes: D dimensions.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gdlab.derivatives.methods import algebra
from gdlab.derivatives.methods.evaluation import evaluate
from gdlab.derivatives.wording import shorten
from gdlab.losses.base import Loss

if TYPE_CHECKING:
    import sympy

_SAME = 1e-7  # of the largest derivative: how far autograd's may be from it
_MOST_OPERATIONS = 1_500  # times D: sympy differentiates this twice within seconds


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
        """Return a loss's formula; None if it has none, or one too large to differentiate."""
        symbols = algebra.symbols(loss.names)
        expression = algebra.loss_formula(loss, symbols)
        if expression is None or expression.count_ops() * loss.dim > _MOST_OPERATIONS:
            return None
        return cls(symbols, expression)

    def partial(self, *by: int) -> sympy.Expr:
        """Differentiate by coordinates, in the order given."""
        if by not in self._derived:
            import sympy

            self._derived[by] = sympy.diff(self.partial(*by[:-1]), self.symbols[by[-1]])
        return self._derived[by]

    def at(self, x: Tensor, *by: int) -> float:
        """Evaluate a partial derivative at a point (D,); NaN where it is undefined."""
        return evaluate(self.partial(*by), algebra.substitutions(self.symbols, x))

    def gradient(self, x: Tensor) -> Tensor:
        """Evaluate the gradient (D,) at a point (D,)."""
        return torch.tensor([self.at(x, i) for i in range(len(self.symbols))], dtype=x.dtype)

    def hessian(self, x: Tensor) -> Tensor:
        """Evaluate the Hessian (D, D) at a point (D,)."""
        indices = range(len(self.symbols))
        rows = [[self.at(x, *sorted((i, j))) for j in indices] for i in indices]
        return torch.tensor(rows, dtype=x.dtype)

    @cached_property
    def is_smooth(self) -> bool:
        """Whether no function in the formula has kinks or jumps."""
        import sympy

        from gdlab.formulas.kinks import Kinked

        rough = (sympy.Abs, sympy.sign, Kinked, sympy.Heaviside, sympy.Piecewise)
        return not self.expression.has(*rough)

    def is_at_boundary(self, x: Tensor) -> bool:
        """Whether a point (D,) is where a condition of a formula in pieces changes.

        There the formula is differentiated as the piece that the condition chooses.
        """
        import sympy

        at = algebra.substitutions(self.symbols, x)
        relations: Any = self.expression.atoms(sympy.core.relational.Relational)
        return any(evaluate(each.lhs - each.rhs, at) == 0 for each in relations)

    def proves(self, x: Tensor, autograd: Tensor) -> bool:
        """Whether autograd's gradient (D,) or Hessian (D, D) is that of a smooth formula.

        Nothing is proven by a formula with functions that have kinks or jumps: sympy, too, gives
        these a derivative at every point.
        """
        if not self.is_smooth:
            return False
        exact = self.gradient(x) if autograd.ndim == 1 else self.hessian(x)
        return bool(((autograd - exact).abs() <= _SAME * exact.abs().amax()).all())

    def words(self, *by: int) -> str:
        """Format a partial derivative, or the loss, as it would be typed; shortened if it is long.

        Where a derivative does not exist since the loss or a lower one bends, it says so.
        """
        show = algebra.format_derivative if by else algebra.format_shortest
        return shorten(show(self.partial(*by)))
