"""Print sympy expressions as formulas are typed: pieces as `where`, equality as `==`.

This module imports sympy; import it only where sympy is needed.
"""

from typing import Any

import sympy
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

_RELATION, _AND, _OR, _NOT = (PRECEDENCE[name] for name in ("Relational", "And", "Or", "Not"))


def sides(difference: Any) -> tuple[Any, Any]:
    """Return two expressions with a difference: the terms with a minus sign are in the second."""
    terms = sympy.Add.make_args(difference)
    left = sympy.Add(*(term for term in terms if not term.could_extract_minus_sign()))
    return left, left - difference


class Typed(StrPrinter):
    """Prints functions, conditions and pieces as this package parses them.

    >>> x = sympy.Symbol("x", real=True)
    >>> Typed().doprint(sympy.Piecewise((1, sympy.Eq(x, 0)), (sympy.sin(x) / x, True)))
    'where(x == 0, 1, sin(x)/x)'
    """

    def _print_Piecewise(self, expr: Any) -> str:
        *pieces, (last, is_rest) = expr.args
        text = self._print(last)
        if is_rest is not sympy.true:
            pieces, text = expr.args, "undefined"
        for value, condition in reversed(pieces):
            text = f"where({self._print(condition)}, {self._print(value)}, {text})"
        return text

    def _print_Abs(self, expr: Any) -> str:
        return f"abs({self._print(expr.args[0])})"

    def _print_Max(self, expr: Any) -> str:
        return f"max({self.stringify(expr.args, ', ')})"

    def _print_Min(self, expr: Any) -> str:
        return f"min({self.stringify(expr.args, ', ')})"

    def _print_Heaviside(self, expr: Any) -> str:
        left, right = map(self._print, sides(expr.args[0]))
        return f"where({left} > {right}, 1, 0)"

    def _print_Relational(self, expr: Any) -> str:
        left, right = (self.parenthesize(side, _RELATION) for side in expr.args)
        return f"{left} {expr.rel_op} {right}"

    def _print_And(self, expr: Any) -> str:
        return self._join(expr, " and ", _AND)

    def _print_Or(self, expr: Any) -> str:
        return self._join(expr, " or ", _OR)

    def _print_Not(self, expr: Any) -> str:
        return f"not {self.parenthesize(expr.args[0], _NOT)}"

    def _join(self, expr: Any, word: str, precedence: int) -> str:
        args = sorted(expr.args, key=sympy.default_sort_key)
        return word.join(self.parenthesize(arg, precedence) for arg in args)
