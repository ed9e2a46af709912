"""Losses and formulas as sympy expressions.

Shapes: D dimensions of a loss, V variables.
"""

import math
from collections.abc import Sequence
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


def symbols(names: Sequence[str]) -> "tuple[sympy.Symbol, ...]":
    """Make real symbols."""
    import sympy

    return tuple(sympy.Symbol(name, real=True) for name in names)


def loss_formula(loss: Loss, of: "tuple[sympy.Symbol, ...]") -> "sympy.Expr | None":
    """Return the loss as an expression in D symbols.

    None if it has no formula, or one so large that sympy would take long.
    """
    expression = loss.symbolic(of) if loss.dim <= _MOST_DIMENSIONS else None
    return expression if expression is not None and is_small(expression) else None


def is_small(expression: "sympy.Expr") -> bool:
    """Whether sympy can differentiate an expression within a second or two."""
    return expression.count_ops() <= _MOST_OPERATIONS


def substitutions(of: "Sequence[sympy.Symbol]", x: Tensor) -> "dict[sympy.Symbol, float]":
    """Map the V symbols to the coordinates of a point (V,)."""
    return dict(zip(of, x.tolist(), strict=True))


def format_shortest(expression: "sympy.Expr") -> str:
    """Format an expression; common factors are taken out if that is shorter.

    A polynomial is factored completely.
    """
    import sympy

    common: Any = sympy.factor_terms(expression)
    text = min(format_expression(expression), format_expression(common), key=len)
    if (
        expression.count_ops() > _MOST_FACTORED
        or not expression.is_polynomial()
        or expression.atoms(sympy.Float)
        or math.prod(int(power.exp) for power in expression.atoms(sympy.Pow)) > _HIGHEST_FACTORED
    ):
        return text
    factors: Any = sympy.factor(expression)
    return min(text, format_expression(factors), key=len)


def format_derivative(
    expression: "sympy.Expr", before: "Sequence[tuple[sympy.Expr, Any, Any]]" = ()
) -> str:
    """Format a derivative as `format_shortest`, with plain words in place of Dirac's delta.

    Args:
        expression: the derivative.
        before: those of lower order that were differentiated to get it, as `in_words` takes them.
    """
    from gdlab.formulas.derivatives import in_words

    return in_words(expression, format_shortest, before)


def format_factor(expression: "sympy.Expr") -> str:
    """Format a derivative for use in a product, without words on where it does not exist."""
    from gdlab.formulas.derivatives import without_deltas

    return format_shortest(without_deltas(expression))


@dataclass(frozen=True)
class SymbolicComposition:
    """A loss whose coordinates are formulas, as sympy expressions.

    Attributes:
        variables: the V symbols.
        whole: the composition.
        partials: the partial derivatives of the loss with respect to its D coordinates.
        inner: for each variable, the derivatives of the D coordinates with respect to it.
        slopes: for each variable, the derivative of the composition.
    """

    variables: "tuple[sympy.Symbol, ...]"
    whole: "sympy.Expr"
    partials: "list[sympy.Expr]"
    inner: "list[list[sympy.Expr]]"
    slopes: "list[sympy.Expr]"

    @classmethod
    def of(
        cls, loss: Loss, names: Sequence[str], formulas: Formulas
    ) -> "SymbolicComposition | None":
        """Compose a loss with formulas; None if there is no expression, or it is too large.

        Args:
            loss: the loss.
            names: the names of its D coordinates.
            formulas: a formula for each coordinate; their variables have other names.
        """
        import sympy

        coordinates, variables = symbols(names), symbols(formulas.names)
        outer, inner = loss_formula(loss, coordinates), formulas.symbolic(variables)
        if outer is None or inner is None:
            return None
        expressions: Any = tuple(inner)
        whole = loss.symbolic(expressions)
        if whole is None or not is_small(whole):
            return None
        return cls(
            variables,
            whole,
            [sympy.diff(outer, coordinate) for coordinate in coordinates],
            [[sympy.diff(formula, by) for formula in inner] for by in variables],
            [sympy.diff(whole, by) for by in variables],
        )
