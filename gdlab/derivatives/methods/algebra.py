"""Losses and formulas in sympy's symbols.

Shapes: D dimensions of a loss, V variables.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from gdlab.derivatives.methods.formulas import Formulas
from gdlab.formulas.formula import format_expression
from gdlab.losses.base import Loss

if TYPE_CHECKING:
    import sympy

_MOST_DIMENSIONS, _MOST_OPERATIONS = 16, 1_000
_MOST_FACTORED, _HIGHEST_FACTORED = 50, 16
_DIGITS = 30


def symbols(names: Sequence[str]) -> "tuple[sympy.Symbol, ...]":
    """Real symbols."""
    import sympy

    return tuple(sympy.Symbol(name, real=True) for name in names)


def formula(loss: Loss, of: "tuple[sympy.Symbol, ...]") -> "sympy.Expr | None":
    """The loss as an expression of D symbols; None where there is none, or it is a large one.

    For these sympy takes long.
    """
    found = loss.symbolic(of) if loss.dim <= _MOST_DIMENSIONS else None
    return found if found is not None and is_small(found) else None


def is_small(expression: "sympy.Expr") -> bool:
    """Whether sympy derives it within a second or two."""
    return expression.count_ops() <= _MOST_OPERATIONS


def number_of(expression: "sympy.Expr", at: "Mapping[sympy.Symbol, float]") -> float:
    """The value at a point, computed with 30 digits and then rounded; NaN where it is not real."""
    import sympy
    from sympy.core.evalf import PrecisionExhausted

    digits: Any = {symbol: sympy.Float(value, _DIGITS) for symbol, value in at.items()}
    try:
        value = expression.evalf(_DIGITS, subs=digits, strict=True)
    except PrecisionExhausted:  # with ever more digits the terms go on cancelling
        return 0.0
    except ZeroDivisionError:  # as of 1/√x at 0
        return math.nan
    # δ(0), as of |x|'' at 0, is real and finite to sympy, but no number.
    return float(value) if value.is_Number and value.is_finite else math.nan


def values(of: "Sequence[sympy.Symbol]", x: Tensor) -> "dict[sympy.Symbol, float]":
    """The symbols (V) with the numbers of a point (V,)."""
    return dict(zip(of, x.tolist(), strict=True))


def brief(expression: "sympy.Expr") -> str:
    """An expression as text: a polynomial in factors, where that is shorter."""
    import sympy

    text = format_expression(expression)
    if (
        expression.count_ops() > _MOST_FACTORED
        or not expression.is_polynomial()
        or expression.atoms(sympy.Float)
        or math.prod(int(power.exp) for power in expression.atoms(sympy.Pow)) > _HIGHEST_FACTORED
    ):
        return text
    factors: Any = sympy.factor(expression)
    return min(text, format_expression(factors), key=len)


@dataclass(frozen=True)
class Composed:
    """A loss of coordinates that are formulas, in symbols.

    Attributes:
        variables: the V symbols.
        whole: the composition.
        partials: the loss's partial derivatives by its D coordinates.
        inner: for each variable the derivatives of the D coordinates by it.
        slopes: for each variable the derivative of the composition.
    """

    variables: "tuple[sympy.Symbol, ...]"
    whole: "sympy.Expr"
    partials: "list[sympy.Expr]"
    inner: "list[list[sympy.Expr]]"
    slopes: "list[sympy.Expr]"

    @classmethod
    def of(cls, loss: Loss, names: Sequence[str], formulas: Formulas) -> "Composed | None":
        """A composition; None where sympy has no formula, or too large a one.

        Args:
            loss: the loss.
            names: what its D coordinates are called.
            formulas: what they are; none of their variables has such a name.
        """
        import sympy

        coordinates, variables = symbols(names), symbols(formulas.names)
        outer, inner = formula(loss, coordinates), formulas.symbolic(variables)
        if outer is None or inner is None:
            return None
        whole: Any = outer.xreplace(dict(zip(coordinates, inner, strict=True)))
        if not is_small(whole):
            return None
        return cls(
            variables,
            whole,
            [sympy.diff(outer, one) for one in coordinates],
            [[sympy.diff(one, by) for one in inner] for by in variables],
            [sympy.diff(whole, by) for by in variables],
        )
