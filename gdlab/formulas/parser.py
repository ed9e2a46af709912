"""From the text of a formula to the steps of a machine with a stack, by precedence climbing.

It knows numbers, names, the signs + - * / ** ( ) and comma, and nothing else.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gdlab.fields.suggestions import did_you_mean
from gdlab.formulas.functions import CONSTANTS, FUNCTIONS, NO_NAMES, OPERATORS, Function
from gdlab.formulas.tokens import Refused, Token, tokens

LONGEST, DEEPEST, MOST_STEPS, HIGHEST_POWER = 2_000, 60, 500, 64

_OTHER_NAMES = {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "fabs": "abs",
    "maximum": "max",
    "minimum": "min",
    "pow": "**",
}
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}
_UNARY_BINDING = 3

Step = float | str | Function
"""Push a number (an int stays one), push the value of a name, or apply a function."""


def read(text: str) -> "Parser":
    """A text that was read as a formula: its names and steps.

    Raises:
        Refused: it is none, or too large a one.
    """
    if len(text) > LONGEST:
        raise Refused(LONGEST + 1, f"a formula has at most {LONGEST:,} characters")
    parser = Parser(tokens(text))
    parser.whole()
    return parser


@dataclass
class _Operand:
    """A part of the formula: where its steps begin, and its value where it holds no name."""

    at: int
    folded_at: int
    value: float | None = None


@dataclass
class Parser:
    """Turns tokens into steps, by precedence climbing."""

    tokens: list[Token]
    place: int = 0
    depth: int = 0
    names: dict[str, int] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    folded: list[Step] = field(default_factory=list)
    operands: list[_Operand] = field(default_factory=list)

    @property
    def token(self) -> Token:
        """The one to be read next."""
        return self.tokens[self.place]

    def whole(self) -> None:
        """All tokens are one formula."""
        if self.token.kind == "end":
            raise Refused(1, "the formula is empty")
        self.formula()
        if self.token.kind != "end":
            raise Refused(self.token.column, self._left_over())

    def formula(self, least: int = 1) -> None:
        """An operand, and the operators after it that bind at least so strongly."""
        self.operand()
        while _BINDING.get(self.token.text, 0) >= least:
            sign = self.take()
            binding = _BINDING[sign.text]
            first = self.token
            if sign.text == "**":
                self.nested(sign, lambda: self.formula(_UNARY_BINDING))
                self._check_exponent(first)
            else:
                self.formula(binding + 1)
            if sign.text == "/" and self.operands[-1].value == 0:
                raise Refused(first.column, "division by zero")
            self.apply(OPERATORS[sign.text], sign)

    def operand(self) -> None:
        """A number, a name, a call, or a formula with a sign or in brackets."""
        token = self.take()
        if token.text in ("+", "-"):
            self.nested(token, lambda: self.formula(_UNARY_BINDING))
            if token.text == "-":
                self.apply(OPERATORS["negative"], token)
        elif token.text == "(":
            self.nested(token, self.formula)
            self.close(token)
        elif token.kind == "number":
            self.push_number(token)
        elif token.kind == "name" and self.token.text == "(":
            self.call(token)
        elif token.kind == "name":
            self.push_name(token)
        elif token.kind == "end":
            raise Refused(token.column, "the formula ends where a value should follow")
        else:
            raise Refused(token.column, f"a value should stand before '{token.text}'")

    def call(self, name: Token) -> None:
        """A function and its arguments; max and min take any number from two on."""
        function = FUNCTIONS.get(name.text)
        if function is None:
            raise Refused(name.column, _no_function(name.text))
        bracket = self.take()
        count = 0
        while count == 0 or self.token.text == ",":
            if count:
                self.take()
            self.nested(bracket, self.formula)
            count += 1
            if function.is_open and count > 1:
                self.apply(function, name)
        self.close(bracket)
        if count < function.arity or (count > function.arity and not function.is_open):
            needs = f"{function.arity} value" + ("s" if function.arity > 1 else "")
            raise Refused(name.column, f"{name.text} takes {needs}, not {count}")
        if not function.is_open:
            self.apply(function, name)

    def take(self) -> Token:
        """The next token."""
        token = self.token
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def nested(self, at: Token, inner: Callable[[], None]) -> None:
        """What lies one level deeper."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise Refused(at.column, f"nested more than {DEEPEST} deep")
        inner()
        self.depth -= 1

    def close(self, bracket: Token) -> None:
        """The bracket is closed here."""
        if self.token.kind == "end":
            raise Refused(bracket.column, "'(' is never closed")
        if self.token.text != ")":
            raise Refused(self.token.column, self._left_over())
        self.take()

    def push_number(self, token: Token) -> None:
        """A number: whole where it is written so."""
        is_whole = token.text.isdecimal()
        value = float(token.text)
        if not math.isfinite(value):
            raise Refused(token.column, f"{token.text[:20]} is too large a number")
        self._push(int(token.text) if is_whole else value, value, token)

    def push_name(self, token: Token) -> None:
        """A constant, or a name whose value comes later."""
        if token.text in FUNCTIONS:
            raise Refused(token.column, f"{token.text} is a function: {token.text}(…)")
        if token.text.lower() in NO_NAMES:
            raise Refused(token.column, f"{token.text} is neither a number nor a name")
        if token.text not in CONSTANTS:
            self.names.setdefault(token.text, token.column)
        self._push(token.text, CONSTANTS.get(token.text), token)

    def _push(self, step: Step, value: float | None, token: Token) -> None:
        self.operands.append(_Operand(len(self.steps), len(self.folded), value))
        self.steps.append(step)
        self.folded.append(step if value is None else value)
        self._check_size(token)

    def apply(self, function: Function, token: Token) -> None:
        """Apply a function to the last operands; what holds no name is computed now."""
        args = self.operands[-function.arity :]
        del self.operands[-function.arity :]
        whole = _Operand(args[0].at, args[0].folded_at)
        self.steps.append(function)
        values = [arg.value for arg in args if arg.value is not None]
        if len(values) < len(args):
            self.folded.append(function)
        else:
            whole.value = _computed(function, values, token)
            self.folded[whole.folded_at :] = [whole.value]
        self.operands.append(whole)
        self._check_size(token)

    def _check_size(self, token: Token) -> None:
        if len(self.steps) > MOST_STEPS:
            what = f"more than {MOST_STEPS} numbers, names and operations"
            raise Refused(token.column, what)

    def _check_exponent(self, token: Token) -> None:
        value = self.operands[-1].value
        if value is not None and not abs(value) <= HIGHEST_POWER:
            span = f"from -{HIGHEST_POWER} to {HIGHEST_POWER}"
            raise Refused(token.column, f"an exponent must be {span}, not {value:g}")

    def _left_over(self) -> str:
        """What is wrong where an operator should stand, or the end."""
        token, before = self.token, self.tokens[self.place - 1]
        if token.text == ")":
            return "')' closes nothing"
        if token.text == ",":
            return "',' stands only between the values of a function"
        if token.text == "(" and before.kind == "name":
            return _no_function(before.text)
        return f"an operator is missing before '{token.text}'; a product is written *"


def _computed(function: Function, values: Sequence[float], token: Token) -> float:
    """A function of numbers, which must be a finite number."""
    try:
        value = function.number(*values)
    except (ValueError, OverflowError, ZeroDivisionError):
        value = math.nan
    if not math.isfinite(value):
        shown = ", ".join(f"{value:g}" for value in values)
        raise Refused(token.column, f"{token.text} of {shown} is no finite number")
    return float(value)


def _no_function(name: str) -> str:
    """What is wrong with a call of what is no function."""
    other = _OTHER_NAMES.get(name.lower())
    meant = f", did you mean {other}?" if other else did_you_mean(name.lower(), FUNCTIONS)
    product = "" if meant else f"; a product is written {name}*(…)"
    return f"there is no function {name}{meant}{product}"
