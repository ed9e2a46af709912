"""Derivatives of formulas as text: where a lower derivative jumps, there is none.

This module imports sympy; import it only where sympy is needed.
"""

from collections.abc import Callable
from typing import Any

import sympy

from gdlab.formulas.formula import format_expression
from gdlab.formulas.printing import sides


def in_words(expression: sympy.Expr, show: Callable[[sympy.Expr], str] = format_expression) -> str:
    """Format a derivative, with plain words in place of Dirac's delta.

    Args:
        expression: the derivative.
        show: formats an expression.

    >>> x, y = sympy.symbols("x y", real=True)
    >>> in_words(2 * x * sympy.DiracDelta(y) + x)
    'x, but none where y = 0'
    """
    deltas: Any = expression.atoms(sympy.DiracDelta)
    regular: Any = expression.xreplace({delta: sympy.Integer(0) for delta in deltas})
    places = sorted({_zeros(delta.args[0]) for delta in deltas if _counts(delta, expression)})
    where = f", but none where {' or '.join(places)}" if places else ""
    return f"{show(regular)}{where}"


def _counts(delta: Any, expression: Any) -> bool:
    """Tell whether a delta in an expression counts: its factor is not zero where its argument is.

    Only arguments that are linear in each symbol are solved; other deltas are taken to count.
    """
    stand_in = sympy.Dummy()
    factor = expression.xreplace({delta: stand_in}).diff(stand_in)
    argument = delta.args[0]
    for symbol in argument.free_symbols:
        if not argument.is_polynomial(symbol) or sympy.degree(argument, symbol) != 1:
            return True
        if any(
            factor.subs(symbol, zero).is_zero is not True for zero in sympy.solve(argument, symbol)
        ):
            return True
    return False


def _zeros(argument: Any) -> str:
    """Write where an argument is zero, such as x = y."""
    left, right = sorted(sides(argument), key=lambda side: (side.is_number, str(side)))
    return f"{format_expression(left)} = {format_expression(right)}"
