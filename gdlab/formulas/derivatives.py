"""Derivatives of formulas as text: where the function bends, there is none.

This module imports sympy; import it only where sympy is needed.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sympy

from gdlab.formulas.formula import format_expression
from gdlab.formulas.kinks import Kinked, Share, Sign
from gdlab.formulas.printing import sides

_JUMPS = (sympy.sign, sympy.Heaviside, sympy.Piecewise, Share, Sign)


def in_words(expression: sympy.Expr, show: Callable[[sympy.Expr], str] = format_expression) -> str:
    """Format a derivative, and say where it does not exist or jumps.

    Plain words stand in place of Dirac's delta. Where a derivative jumps, its formula has a value,
    which is not a derivative.

    Args:
        expression: the derivative.
        show: formats an expression.

    >>> x, y = sympy.symbols("x y", real=True)
    >>> in_words(2 * x * sympy.DiracDelta(y) + x)
    'x, but none where y = 0'
    >>> in_words(sympy.sign(x)), in_words(x * sympy.sign(x))
    ('sign(x), for x ≠ 0', 'x*sign(x)')
    """
    deltas: Any = expression.atoms(sympy.DiracDelta)
    regular = without_deltas(expression)
    missing = {_zeros(delta.args[0]) for delta in deltas if _counts(delta, expression)}
    jumps = {place for jump in regular.atoms(*_JUMPS) for place in _places(jump, regular)}
    text = show(regular)
    if jumps - missing:
        text += f", for {' and '.join(_join(sorted(jumps - missing), '≠'))}"
    if missing:
        text += f", but none where {' or '.join(_join(sorted(missing), '='))}"
    return text


def without_deltas(expression: sympy.Expr) -> Any:
    """Return a derivative as it is where the function does not bend."""
    deltas: Any = expression.atoms(sympy.DiracDelta)
    return expression.xreplace({delta: sympy.Integer(0) for delta in deltas})


def _places(jump: Any, expression: Any) -> list[tuple[str, str]]:
    """Return where a part of an expression jumps, and the expression with it."""
    if not isinstance(jump, sympy.Piecewise):
        return [_zeros(gap) for gap in _gaps(jump)] if _counts(jump, expression) else []
    pieces: Any = jump.args
    (first, condition), *others = pieces
    relations: Any = condition.atoms(sympy.core.relational.Relational)
    step = sum((first - value for value, _ in others), start=sympy.Integer(0))
    gaps = [each.lhs - each.rhs for each in relations if not isinstance(each, sympy.Eq)]
    return [_zeros(gap) for gap in gaps if not _is_zero_where(step, gap)]


def _gaps(jump: Any) -> Sequence[Any]:
    """Return what is zero where a function jumps."""
    return jump.args if isinstance(jump, Kinked) else jump.args[:1]


def _counts(part: Any, expression: Any) -> bool:
    """Tell whether a delta or jump in an expression counts: its factor is not zero where it is."""
    stand_in = sympy.Dummy()
    factor = expression.xreplace({part: stand_in}).diff(stand_in)
    return not all(_is_zero_where(factor, gap) for gap in _gaps(part))


def _is_zero_where(factor: Any, argument: Any) -> bool:
    """Tell whether a factor is zero wherever an argument is.

    Only arguments that are linear in each symbol are solved; for others the answer is no.
    """
    for symbol in argument.free_symbols:
        if not argument.is_polynomial(symbol) or sympy.degree(argument, symbol) != 1:
            return False
        if any(
            factor.subs(symbol, zero).is_zero is not True for zero in sympy.solve(argument, symbol)
        ):
            return False
    return True


def _zeros(argument: Any) -> tuple[str, str]:
    """Write the two sides that are equal where an argument is zero, such as x and y."""
    pair = sorted(sides(argument), key=lambda side: (side.is_number, str(side)))
    left, right = map(format_expression, pair)
    return left, right


def _join(places: Iterable[tuple[str, str]], sign: str) -> list[str]:
    return [f"{left} {sign} {right}" for left, right in places]
