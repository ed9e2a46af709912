"""Symbolic derivatives of a loss's formula.

Shapes: D dimensions.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gdlab.derivatives.methods import algebra
from gdlab.derivatives.methods.evaluation import evaluate
from gdlab.derivatives.wording import proven_in_words, shorten
from gdlab.losses.base import Loss

if TYPE_CHECKING:
    import sympy

    from gdlab.derivatives.methods.germs import Bend

_SAME = 1e-7  # of the largest derivative: how far autograd's may be from it
_MOST_SYMBOLS = 5  # of a formula whose derivatives at a kink are worked out
_MOST_OPERATIONS = 1_500  # times D: sympy differentiates this twice within seconds


@dataclass(frozen=True)
class Proven:
    """Partial derivatives that a formula proves at a point.

    Attributes:
        values: (D,) or (D, D); entry [i, j] is ∂/∂xⱼ (∂f/∂xᵢ). NaN if there is none or if it is not
            decided.
        decided: whether it is decided, likewise.
    """

    values: Tensor
    decided: Tensor

    @property
    def missing(self) -> Tensor:
        """Whether it is proven that there is none."""
        return self.decided & self.values.isnan()

    def words(self, *index: int) -> str:
        """Format one of them."""
        return proven_in_words(float(self.values[index]), bool(self.decided[index]))


class Symbolic:
    """A loss's formula in the names of its coordinates.

    Attributes:
        symbols: the coordinates, real.
        expression: the loss.
    """

    def __init__(self, symbols: tuple[sympy.Symbol, ...], expression: sympy.Expr) -> None:
        self.symbols, self.expression = symbols, expression
        self._derived: dict[tuple[int, ...], sympy.Expr] = {(): expression}
        self._bends: dict[tuple[float, ...], Bend] = {}

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

    def decide(self, x: Tensor, *by: int) -> float | None:
        """Return a partial derivative at a point (D,) where it is proven.

        Where the formula may bend, its derivative by sympy has a value even if there is none. The
        derivative is then worked out from its definition: NaN if there is none, None if this is not
        decided.
        """
        from gdlab.derivatives.methods import germs

        bend = self._find_bend(x)
        if bend is germs.Bend.NOWHERE:
            value = self.at(x, *sorted(by))
            return None if math.isnan(value) else value
        if bend is not germs.Bend.HERE or len(self.symbols) > _MOST_SYMBOLS:
            return None
        point = algebra.substitutions(self.symbols, x)
        return germs.derivative_at(self.expression, point, [self.symbols[i] for i in by])

    def decide_all(self, x: Tensor, order: int) -> Proven:
        """Return the first or second partial derivatives at a point (D,), where proven."""
        dim = len(self.symbols)
        found = [self.decide(x, *by) for by in itertools.product(range(dim), repeat=order)]
        shape = (dim,) * order
        known = [math.nan if value is None else value for value in found]
        values = torch.tensor(known, dtype=x.dtype)
        decided = torch.tensor([value is not None for value in found])
        return Proven(values.reshape(shape), decided.reshape(shape))

    def bends_nowhere(self, x: Tensor) -> bool:
        """Return whether the formula is smooth near a point (D,): no derivative is missing."""
        from gdlab.derivatives.methods import germs

        return self._find_bend(x) is germs.Bend.NOWHERE

    def _find_bend(self, x: Tensor) -> Bend:
        key = tuple(x.tolist())
        if key not in self._bends:
            from gdlab.derivatives.methods import germs

            point = algebra.substitutions(self.symbols, x)
            self._bends[key] = germs.find_bend(self.expression, point)
        return self._bends[key]

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

    @cached_property
    def has_no_kinks(self) -> bool:
        """Whether the formula is smooth wherever it has a value, except at the domain's edge."""
        import sympy

        powers: Any = self.expression.atoms(sympy.Pow)
        roots = [power.base for power in powers if not power.exp.is_integer]
        is_plain = all(root.is_positive for root in roots) and not self.expression.has(sympy.atan2)
        return self.is_smooth and is_plain

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
        these a derivative at every point. Nor is it at the edge of a domain.
        """
        if not self.is_smooth or not self.bends_nowhere(x):
            return False
        exact = self.gradient(x) if autograd.ndim == 1 else self.hessian(x)
        return bool(((autograd - exact).abs() <= _SAME * exact.abs().amax()).all())

    def words(self, *by: int) -> str:
        """Format a partial derivative, or the loss, as it would be typed; shortened if it is long.

        Where a derivative does not exist since the loss or a lower one bends, it says so.
        """
        if not by:
            return shorten(algebra.format_shortest(self.expression))
        symbols = [self.symbols[i] for i in by]
        before = [
            (self.partial(*by[:count]), symbols[count - 1], symbols[count])
            for count in range(1, len(by))
        ]
        return shorten(algebra.format_derivative(self.partial(*by), before))
