"""Formulas as sympy expressions, where sympy can work with these within seconds.

Sympy computes at once whatever it can: ((2*x)**64)**64 becomes 2**4096*x**4096, and so on until no
memory is left. Numbers are therefore bounded before they are computed.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdlab.formulas.functions import OPERATORS, Function
from gdlab.formulas.parser import Step
from gdlab.formulas.stack import run

if TYPE_CHECKING:
    import sympy

# Past these, sympy may take minutes for a derivative; with nested kinks the time is exponential.
_MOST_STEPS, _MOST_KINKS = 100, 8
_MOST_BITS = 1024
"""Of a number, as in a float: up to 1e308."""
_TALLEST = 20
"""Levels of an expression: sympy is recursive, and takes several of Python's calls for a level."""


def to_sympy(steps: Sequence[Step], values: "Mapping[str, sympy.Expr]") -> "sympy.Expr | None":
    """Evaluate the steps of a formula with sympy; integers and their ratios stay exact.

    Args:
        steps: as written.
        values: an expression for each name.

    Returns:
        The expression; None if sympy might take minutes, or if it is not real and finite.
    """
    kinks = sum(step.kinks for step in steps if isinstance(step, Function))
    if len(steps) > _MOST_STEPS or kinks > _MOST_KINKS:
        return None
    import sympy

    constants = {"pi": sympy.pi, "e": sympy.E}

    def number(value: float) -> "sympy.Expr":
        return sympy.Integer(value) if isinstance(value, int) else sympy.Float(value)

    def apply(function: Function, args: Sequence[Any]) -> Any:
        if sympy.nan in args or (function is OPERATORS["**"] and not _is_small_power(*args)):
            return sympy.nan
        if function is OPERATORS["**"] and args[0].is_Rational and args[1].is_number:
            # Powers of ratios have many digits.
            is_exact = args[0].is_Integer and args[1].is_Integer and args[1] > 0
            args = [args[0] if is_exact else sympy.Float(args[0]), args[1]]
        result = function.symbol(sympy, *args)
        return result if _is_real_and_small(result) else sympy.nan

    result = run(steps, lambda name: constants.get(name) or values[name], number, apply)
    return None if result is sympy.nan else result


def _is_small_power(base: Any, exponent: Any) -> bool:
    """Whether a power has no long numbers; a number in the base may be raised at once."""
    import sympy

    if not exponent.is_number:
        return True
    bits = max((_bits(number) for number in base.atoms(sympy.Rational)), default=0)
    return bool(bits * abs(exponent) <= 64 * _MOST_BITS)


def _is_real_and_small(expression: Any) -> bool:
    """Whether an expression is real and finite, and has neither long numbers nor many levels."""
    import sympy

    if expression.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan, sympy.I):
        return False
    numbers = expression.atoms(sympy.Number)
    if expression.is_number and not expression.is_Number:
        numbers.add(expression.evalf())  # such as exp(exp(10))
    return all(_bits(number) <= _MOST_BITS for number in numbers) and _is_flat(expression)


def _bits(number: Any) -> float:
    """Return the bits of a ratio's longer part, or of the exponent of a float's power of two."""
    if number.is_Rational:
        return max(abs(number.p).bit_length(), number.q.bit_length())
    return abs(number._mpf_[2] + number._mpf_[3]) if number.is_Float else float("inf")


def _is_flat(expression: Any) -> bool:
    """Whether an expression has at most `_TALLEST` levels."""
    level = {expression}
    for _ in range(_TALLEST):
        level = {part for whole in level for part in whole.args}
    return not level
