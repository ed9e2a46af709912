"""The value of a sympy expression to all digits of a float.

Sympy's own `evalf` computes the parts of a sum again for each digit that cancels, and so on in the
sums inside: its time grows exponentially with nesting. Here each part is computed once.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy

_DIGITS = (50, 100, 200, 400)
_SPARE, _AGREEMENT = 5, 1e-20
_MOST_BITS = 1_000_000
"""Of the power of two of a part: exp(exp(exp(10))) would not fit in memory."""


def evaluate(expression: "sympy.Expr", at: "Mapping[sympy.Symbol, float]") -> float:
    """Evaluate an expression at a point, then round; NaN if the value is not real and finite.

    It is computed with more and more digits until two values agree; 0 if none do, since all digits
    of a difference cancel.

    Args:
        expression: with no other symbols than those of the point.
        at: the numbers.
    """
    import sympy

    if expression.has(sympy.Derivative, sympy.Subs):  # of a function that sympy cannot derive
        return math.nan
    value: Any = sympy.nan
    for digits in _DIGITS:
        previous, value = value, _value(expression, at, digits)
        if not value.is_zero and (value.is_Rational or _agree(previous, value)):
            return float(value)
    return 0.0 if value.is_Float or value.is_zero else math.nan


def _agree(a: Any, b: Any) -> bool:
    return a.is_Float and b.is_Float and bool(abs(a - b) <= _AGREEMENT * abs(b))


def _value(expression: Any, at: "Mapping[sympy.Symbol, float]", digits: int) -> Any:
    """Evaluate an expression with a number of digits, from the innermost parts outwards."""
    import sympy

    values: dict[Any, Any] = {symbol: sympy.Float(number, digits) for symbol, number in at.items()}
    to_visit = [expression]
    while to_visit:
        part = to_visit.pop()
        missing = [each for each in part.args if each not in values]
        if missing:
            to_visit += [part, *missing]
        elif part not in values:
            values[part] = _apply(part, [values[each] for each in part.args], digits)
    return values[expression]


def _apply(part: Any, args: list[Any], digits: int) -> Any:
    """Evaluate one part, given the values of its arguments; NaN if it is not finite."""
    import sympy
    from sympy.functions.elementary.piecewise import ExprCondPair

    if isinstance(part, (sympy.Piecewise, ExprCondPair)):
        return part.func(*args)  # a branch that is not taken may be NaN
    if sympy.nan in args:
        return sympy.false if part.is_Boolean else sympy.nan
    value = part.func(*args) if args else part
    if not isinstance(value, sympy.Expr) or value.is_Rational:
        return value
    if part.is_Add and value.is_Float:
        # The last digits are rounding, and at a kink their sign would choose a side.
        smallest = sympy.Float(10, digits) ** (_SPARE - digits) * max(map(abs, args))
        return value if abs(value) > smallest else sympy.Integer(0)
    return _round(value if value.is_Float else value.evalf(digits))


def _round(value: Any) -> Any:
    """Return a number; 0 if it is too small to go on with, NaN if it is too large or not real."""
    import sympy

    if value.is_Float and not value.is_zero:
        exponent = value._mpf_[2] + value._mpf_[3]
        if abs(exponent) > _MOST_BITS:
            return sympy.nan if exponent > 0 else sympy.Float(0)
    return value if value.is_real else sympy.nan
