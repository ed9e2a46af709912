"""Formulas that a person types, from text to torch and to sympy; nothing is ever evaluated as code.

A text is cut into numbers, names and the signs + - * / ** ( ) and comma, whatever else it holds is
refused, and so is what is long, deep or large. What remains is a sequence of steps for a machine
with a stack: push a number, push a name's value, apply one of the functions of `FUNCTIONS`.

Precedence is Python's: `-x**2` is −(x²), `2**-x` is allowed, `x**y**z` is x**(y**z).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from torch import Tensor

from gdlab.errors import SettingError
from gdlab.formulas.functions import KINKED, OPERATORS, Function
from gdlab.formulas.parser import Step, read
from gdlab.formulas.tokens import Refused

if TYPE_CHECKING:
    import sympy

# Beyond, sympy may take minutes over a derivative; for nested kinks the time grows exponentially.
_MOST_SYMBOLIC, _MOST_KINKS = 100, 8
_SHOWN = 80


@dataclass(frozen=True)
class Parsed:
    """A formula that was read.

    Attributes:
        text: as it was typed.
        names: what it is a function of, in order of appearance, with the columns (from 1) where.
        steps: as written, in the order of evaluation.
        folded: the same with every part that holds no name computed, in float64.
    """

    text: str
    names: Mapping[str, int]
    steps: tuple[Step, ...]
    folded: tuple[Step, ...]

    @property
    def is_small(self) -> bool:
        """Whether sympy derives it within seconds."""
        kinks = sum(step in KINKED for step in self.steps)
        return len(self.steps) <= _MOST_SYMBOLIC and kinks <= _MOST_KINKS

    def evaluate(self, values: Mapping[str, Tensor]) -> Tensor | float:
        """The formula of tensors: elementwise, so that their shapes broadcast.

        Args:
            values: for each of the names a tensor (...), all of one dtype and device.

        Returns:
            A tensor (...), or a float where there are no names.
        """
        return _run(self.folded, lambda name: values[name], float, lambda f, args: f.tensor(*args))

    def symbolic(self, values: "Mapping[str, sympy.Expr]") -> "sympy.Expr":
        """The formula of sympy's expressions, by name; whole numbers and their ratios are exact."""
        import sympy

        constants = {"pi": sympy.pi, "e": sympy.E}

        def number(value: float) -> "sympy.Expr":
            return sympy.Integer(value) if isinstance(value, int) else sympy.Float(value)

        def apply(function: Function, args: Sequence[Any]) -> Any:
            if function is OPERATORS["**"] and args[0].is_Rational and args[1].is_number:
                # A ratio's power of a power could have more digits than there is memory.
                is_short = args[0].is_Integer and args[1].is_Integer and args[1] > 0
                return (args[0] if is_short else sympy.Float(args[0])) ** args[1]
            return function.symbol(sympy, *args)

        return _run(self.steps, lambda name: constants.get(name) or values[name], number, apply)

    def gradient(self, variables: Sequence[str]) -> "list[sympy.Expr]":
        """The partial derivatives by some of the names, all names being real symbols."""
        import sympy

        symbols = {name: sympy.Symbol(name, real=True) for name in self.names}
        whole = self.symbolic(symbols)
        return [sympy.diff(whole, symbols.get(name, sympy.Symbol(name))) for name in variables]


def parse(text: str, setting: str = "formula") -> Parsed:
    """Read a formula.

    >>> parsed = parse("x**2 + 3*x*y + sin(pi*y)")
    >>> list(parsed.names), parsed.gradient(["x", "y"])
    (['x', 'y'], [2*x + 3*y, 3*x + pi*cos(pi*y)])

    Args:
        text: in the four operations, `**`, and the names of `gdlab.formulas.functions`.
        setting: what the text was given for, for errors.

    Raises:
        SettingError: it is no formula, or too large a one; the column (from 1) is named.
    """
    try:
        return _parsed(text)
    except Refused as refused:
        raise refusal(text, refused.column, refused.what, setting) from None


@lru_cache(maxsize=512)
def _parsed(text: str) -> Parsed:
    found = read(text)
    return Parsed(text, found.names, tuple(found.steps), tuple(found.folded))


def refusal(text: str, column: int, what: str, setting: str = "formula") -> SettingError:
    """The error for a formula, at one of its columns (from 1)."""
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    plain = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)
    return SettingError(f"{setting}={plain}: column {column}: {what}")


def printed(expression: "sympy.Expr") -> str:
    """An expression as a person would type it, whole floats as whole numbers."""
    import sympy

    floats = {n: float(n) for n in expression.atoms(sympy.Float)}
    whole = {n: sympy.Integer(int(value)) for n, value in floats.items() if value.is_integer()}
    return sympy.sstr(expression.xreplace(whole), full_prec=False)


def _run(
    steps: Sequence[Step],
    value: Callable[[str], Any],
    number: Callable[[float], Any],
    apply: Callable[[Function, Sequence[Any]], Any],
) -> Any:
    """The steps carried out with a stack."""
    stack: list[Any] = []
    for step in steps:
        if isinstance(step, Function):
            args = stack[-step.arity :]
            del stack[-step.arity :]
            stack.append(apply(step, args))
        else:
            stack.append(value(step) if isinstance(step, str) else number(step))
    return stack[0]
