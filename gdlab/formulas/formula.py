"""Parse formulas that a user types, and evaluate them with torch or sympy, never as code.

A text is split into numbers, names, commas and the signs + - * / ** ( ) < <= > >= == !=. Anything
else is refused, as are formulas that are too long, too deeply nested or too large. The result is a
sequence of steps for a stack machine: push a number, push the value of a name, apply a function of
`FUNCTIONS`.

Precedence is Python's: `-x**2` is −(x²), `2**-x` is allowed, `x**y**z` is x**(y**z), and
`0 < x < 1 or not y > 2` is ((0 < x) and (x < 1)) or (not (y > 2)).

A formula in pieces is `where(condition, a, b)`: `a` where the condition holds, else `b`. The
gradient at a point is that of the piece the point is in, as written: at a boundary it need not be a
derivative of the whole.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from torch import Tensor

from gdlab.errors import SettingError
from gdlab.formulas.conditions import Scope, negate
from gdlab.formulas.functions import ELSE, THEN, WHERE, Function
from gdlab.formulas.parser import Step, read
from gdlab.formulas.stack import run
from gdlab.formulas.symbolic import to_sympy
from gdlab.formulas.tokens import FormulaError

if TYPE_CHECKING:
    import sympy

_MOST_SHOWN = 80  # characters of a formula in an error
_LONG = 1e15  # whole floats from here on have more digits than are known


def alphabetical(names: Iterable[str]) -> tuple[str, ...]:
    """Return different names in the order of the alphabet; numbers in them by size, x2 before x10.

    >>> alphabetical(["y", "x10", "x", "x2"])
    ('x', 'x2', 'x10', 'y')
    """

    def key(name: str) -> list[tuple[str, int]]:
        parts = re.findall(r"(\D*)(\d*)", name)
        return [(letters, int(digits or -1)) for letters, digits in parts]

    return tuple(sorted(set(names), key=lambda name: (key(name), name)))


@dataclass(frozen=True)
class Parsed:
    """A parsed formula.

    Attributes:
        text: as it was typed.
        names: its variables and parameters in order of appearance, each with its first column
            (from 1).
        steps: as written, in the order of evaluation.
        folded: the same with constant parts computed, in float64.
    """

    text: str
    names: Mapping[str, int]
    steps: tuple[Step, ...]
    folded: tuple[Step, ...]

    def evaluate(self, values: Mapping[str, Tensor], natural: bool = False) -> Tensor | float:
        """Evaluate the formula with tensors, elementwise; their shapes broadcast.

        Args:
            values: a tensor (...) for each name, all of the same dtype and device.
            natural: whether autograd finds the infinite slopes of roots at 0 instead of 0.

        Returns:
            A tensor (...), or a float if the formula has no names.
        """
        scopes: list[Mapping[str, Any]] = [values]  # inside as many branches
        taken: list[Any] = []  # the conditions of those

        def apply(function: Function, args: Sequence[Any]) -> Any:
            if function is THEN:
                taken.append(args[0])
                scopes.append(Scope(scopes[-1], args[0]))
            elif function is ELSE:
                scopes[-1] = Scope(scopes[-2], negate(taken[-1]))
            elif function is WHERE:
                del scopes[-1], taken[-1]
            tensor = function.natural if natural and function.natural else function.tensor
            return tensor(*args)

        return run(self.folded, lambda name: scopes[-1][name], float, apply)

    def symbolic(self, values: "Mapping[str, sympy.Expr]") -> "sympy.Expr | None":
        """Evaluate the formula with sympy expressions; None if it is too large for sympy."""
        return to_sympy(self.steps, values)

    def gradient(self, variables: Sequence[str]) -> "list[sympy.Expr] | None":
        """Return the partial derivatives with respect to some names; all names are real symbols.

        None if the formula is too large for sympy.
        """
        import sympy

        symbols = {name: sympy.Symbol(name, real=True) for name in self.names}
        expression = self.symbolic(symbols)
        if expression is None:
            return None
        return [sympy.diff(expression, symbols.get(name, sympy.Symbol(name))) for name in variables]


def parse(text: str, setting: str = "formula") -> Parsed:
    """Parse a formula.

    >>> parsed = parse("x**2 + 3*x*y + sin(pi*y)")
    >>> list(parsed.names), parsed.gradient(["x", "y"])
    (['x', 'y'], [2*x + 3*y, 3*x + pi*cos(pi*y)])

    Args:
        text: with + - * / **, brackets, and the functions of `gdlab.formulas.functions`.
        setting: the setting that has the text, for errors.

    Raises:
        SettingError: not a valid formula, or too large; the error names the column (from 1).
    """
    try:
        return parse_cached(text)
    except FormulaError as error:
        raise formula_error(text, error.column, error.reason, setting) from None


@lru_cache(maxsize=512)
def parse_cached(text: str) -> Parsed:
    """Parse a formula, or return the result of an earlier call.

    Raises:
        FormulaError: not a valid formula, or too large.
    """
    parser = read(text)
    return Parsed(text, parser.names, tuple(parser.steps), tuple(parser.folded))


def formula_error(text: str, column: int, reason: str, setting: str = "formula") -> SettingError:
    """Return the error for a formula, with a reason at one of its columns (from 1)."""
    shown = text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
    plain = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)
    return SettingError(f"{setting}={plain}: column {column}: {reason}")


def format_expression(expression: "sympy.Expr") -> str:
    """Return an expression as a user would type it: short whole floats as integers."""
    import sympy

    from gdlab.formulas.printing import Typed

    floats = {n: float(n) for n in expression.atoms(sympy.Float)}
    is_short = {n: value.is_integer() and abs(value) < _LONG for n, value in floats.items()}
    whole = {n: sympy.Integer(int(value)) for n, value in floats.items() if is_short[n]}
    return Typed({"full_prec": False}).doprint(expression.xreplace(whole))
