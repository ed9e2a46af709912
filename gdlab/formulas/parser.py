"""Parse the text of a formula into steps for a stack machine, by precedence climbing.

The grammar has numbers, names, commas, the signs + - * / ** ( ), comparisons, and the words `and`,
`or` and `not`, and nothing else. A part of a formula is either a number or a condition.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gdlab.fields.suggestions import did_you_mean
from gdlab.formulas.conditions import COMPARISONS
from gdlab.formulas.functions import (
    CONDITIONS,
    CONSTANTS,
    ELSE,
    FUNCTIONS,
    OPERATORS,
    RESERVED_NAMES,
    THEN,
    Function,
)
from gdlab.formulas.tokens import FormulaError, Token, tokenize

LONGEST, DEEPEST, MOST_STEPS, HIGHEST_POWER = 2_000, 60, 500, 64

_SHORTEST = 3
"""Letters of a name that is more likely meant as a function than as a factor."""

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
    "piecewise": "where",
    "if": "where",
    "ifelse": "where",
    "select": "where",
    "heaviside": "where",
}
_BINDING = {"or": 1, "and": 2, "+": 5, "-": 5, "*": 6, "/": 6, "**": 8}
_BINDING |= dict.fromkeys(COMPARISONS, 4)
_NOT_BINDING, _UNARY_BINDING = 3, 7
_IN_PIECES = "write where(condition, a, b)"

_OPERATORS = {**OPERATORS, **CONDITIONS}

Step = float | str | Function
"""Push a number (an int stays an int), push the value of a name, or apply a function."""


def read(text: str) -> "Parser":
    """Parse a text as a formula, and return the parser, which has its names and steps.

    Raises:
        FormulaError: not a valid formula, or too large.
    """
    if len(text) > LONGEST:
        raise FormulaError(LONGEST + 1, f"a formula has at most {LONGEST:,} characters")
    parser = Parser(tokenize(text))
    parser.parse_all()
    return parser


@dataclass
class _Operand:
    """A part of the formula: where its steps begin, its value if it is constant, and its kind."""

    start: int
    folded_start: int
    value: float | None = None
    is_condition: bool = False


@dataclass
class Parser:
    """Turns tokens into steps, by precedence climbing."""

    tokens: list[Token]
    position: int = 0
    depth: int = 0
    names: dict[str, int] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    folded: list[Step] = field(default_factory=list)
    operands: list[_Operand] = field(default_factory=list)

    @property
    def token(self) -> Token:
        """The next token."""
        return self.tokens[self.position]

    def parse_all(self) -> None:
        """Parse all tokens as one formula."""
        if self.token.kind == "end":
            raise FormulaError(1, "the formula is empty")
        self.parse_formula()
        if self.token.kind != "end":
            raise FormulaError(self.token.column, self._explain_unexpected())
        if self.operands[-1].is_condition:
            raise FormulaError(1, f"a condition is no number; {_IN_PIECES}")

    def parse_formula(self, min_binding: int = 1) -> None:
        """Parse an operand and the operators after it that bind at least this strongly."""
        self.parse_operand()
        while _BINDING.get(self.token.text, 0) >= min_binding:
            sign = self.take()
            binding = _BINDING[sign.text]
            first = self.token
            if sign.text in COMPARISONS:
                self.parse_comparison(sign)
                continue
            if sign.text == "**":
                self.parse_nested(sign, lambda: self.parse_formula(_UNARY_BINDING))
                self._check_exponent(first)
            else:
                self.parse_formula(binding + 1)
            if sign.text == "/" and self.operands[-1].value == 0:
                raise FormulaError(first.column, "division by zero")
            self.apply(_OPERATORS[sign.text], sign)

    def parse_comparison(self, sign: Token) -> None:
        """Parse the right side of a comparison; a chain `a < b < c` is `a < b and b < c`."""
        self.parse_formula(_BINDING[sign.text] + 1)
        right = self.operands[-1]
        steps, folded = self.steps[right.start :], self.folded[right.folded_start :]
        self.apply(CONDITIONS[sign.text], sign)
        if self.token.text in COMPARISONS:
            again = replace(right, start=len(self.steps), folded_start=len(self.folded))
            self.operands.append(again)
            self.steps += steps
            self.folded += folded
            self.parse_comparison(self.take())
            self.apply(CONDITIONS["and"], sign)

    def parse_operand(self) -> None:
        """Parse a number, a name, a call, or a formula with a sign or in brackets."""
        token = self.take()
        if token.text in ("+", "-"):
            self.parse_nested(token, lambda: self.parse_formula(_UNARY_BINDING))
            if token.text == "-":
                self.apply(OPERATORS["negative"], token)
        elif token.text == "not":
            self.parse_nested(token, lambda: self.parse_formula(_NOT_BINDING))
            self.apply(CONDITIONS["not"], token)
        elif token.text == "(":
            self.parse_nested(token, self.parse_formula)
            self.close(token)
        elif token.kind == "number":
            self.push_number(token)
        elif token.text in _OPERATORS:
            raise FormulaError(token.column, f"a value is missing before '{token.text}'")
        elif token.kind == "name" and self.token.text == "(":
            self.parse_call(token)
        elif token.kind == "name":
            self.push_name(token)
        elif token.kind == "end":
            raise FormulaError(token.column, "the formula ends where a value is expected")
        else:
            raise FormulaError(token.column, f"a value is missing before '{token.text}'")

    def parse_call(self, name: Token) -> None:
        """Parse the call of a function; max and min take two or more arguments."""
        function = FUNCTIONS.get(name.text)
        if function is None:
            raise FormulaError(name.column, _explain_unknown(name.text))
        bracket = self.take()
        count = 0
        while count == 0 or self.token.text == ",":
            if count:
                self.take()
                if count <= len(function.branches):
                    self.apply(function.branches[count - 1], name)
            self.parse_nested(bracket, self.parse_formula)
            count += 1
        self.close(bracket)
        if count < function.arity or (count > function.arity and not function.is_variadic):
            needs = "1 argument" if function.arity == 1 else f"{function.arity} arguments"
            raise FormulaError(name.column, f"{name.text} takes {needs}, not {count}")
        self.apply(function.of(count), name)

    def take(self) -> Token:
        """Return the next token and move past it."""
        token = self.token
        self.position = min(self.position + 1, len(self.tokens) - 1)
        return token

    def parse_nested(self, at: Token, parse: Callable[[], None]) -> None:
        """Parse one level deeper, inside the token `at`."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise FormulaError(at.column, f"nested more than {DEEPEST} levels deep")
        parse()
        self.depth -= 1

    def close(self, bracket: Token) -> None:
        """Move past the bracket that closes this one."""
        if self.token.kind == "end":
            raise FormulaError(bracket.column, "'(' is never closed")
        if self.token.text != ")":
            raise FormulaError(self.token.column, self._explain_unexpected())
        self.take()

    def push_number(self, token: Token) -> None:
        """Push a number, as an int if it is written as one."""
        is_whole = token.text.isdecimal()
        value = float(token.text)
        if not math.isfinite(value):
            raise FormulaError(token.column, f"{token.text[:20]} is too large a number")
        self._push(int(token.text) if is_whole else value, value, token)

    def push_name(self, token: Token) -> None:
        """Push a constant, or a name whose value is given at evaluation."""
        if token.text in FUNCTIONS:
            raise FormulaError(token.column, f"{token.text} is a function; write {token.text}(…)")
        if token.text.lower() in RESERVED_NAMES:
            raise FormulaError(token.column, f"{token.text} cannot be used as a number or a name")
        if token.text not in CONSTANTS:
            self.names.setdefault(token.text, token.column)
        self._push(token.text, CONSTANTS.get(token.text), token)

    def _push(self, step: Step, value: float | None, token: Token) -> None:
        self.operands.append(_Operand(len(self.steps), len(self.folded), value))
        self.steps.append(step)
        self.folded.append(step if value is None else value)
        self._check_size(token)

    def apply(self, function: Function, token: Token) -> None:
        """Apply a function to the last operands; if they are constant, compute it now."""
        args = self.operands[-function.arity :]
        del self.operands[-function.arity :]
        for i, arg in enumerate(args):
            if arg.is_condition != (i < function.conditions):
                raise FormulaError(token.column, _explain_kind(arg.is_condition, token))
        start, folded_start = args[0].start, args[0].folded_start
        result = _Operand(start, folded_start, is_condition=function.is_condition)
        self.steps.append(function)
        values = [arg.value for arg in args if arg.value is not None]
        if len(values) < len(args) or function in (THEN, ELSE):
            self.folded.append(function)
        else:
            result.value = _compute(function, values, token)
            self.folded[result.folded_start :] = [result.value]
        self.operands.append(result)
        self._check_size(token)

    def _check_size(self, token: Token) -> None:
        if len(self.steps) > MOST_STEPS:
            raise FormulaError(
                token.column, f"more than {MOST_STEPS} numbers, names and operations"
            )

    def _check_exponent(self, token: Token) -> None:
        value = self.operands[-1].value
        if value is not None and not abs(value) <= HIGHEST_POWER:
            span = f"from -{HIGHEST_POWER} to {HIGHEST_POWER}"
            raise FormulaError(token.column, f"an exponent must be {span}, not {value:g}")

    def _explain_unexpected(self) -> str:
        """Say what is wrong with a token where an operator or the end is expected."""
        token, previous = self.token, self.tokens[self.position - 1]
        if token.text == ")":
            return "')' has no matching '('"
        if token.text == ",":
            return "',' is only allowed between the arguments of a function"
        if token.text == "(" and previous.kind == "name":
            return _explain_unknown(previous.text)
        if token.text in ("if", "else"):
            return f"'{token.text}' is not allowed; {_IN_PIECES}"
        return f"an operator is missing before '{token.text}'; write a product with *"


def _compute(function: Function, values: Sequence[float], token: Token) -> float:
    """Compute a function of numbers; the result must be finite."""
    try:
        value = function.number(*values)
    except (ValueError, OverflowError, ZeroDivisionError):
        value = math.nan
    if not math.isfinite(value):
        shown = ", ".join(f"{value:g}" for value in values)
        raise FormulaError(token.column, f"{token.text} of {shown} is not finite")
    return float(value)


def _explain_kind(is_condition: bool, token: Token) -> str:
    """Say what is wrong with a condition in place of a number, or the reverse."""
    if is_condition:
        return f"'{token.text}' needs numbers, and got a condition; {_IN_PIECES}"
    return f"'{token.text}' needs a condition, such as x > 0, and got a number"


def _explain_unknown(name: str) -> str:
    """Say what is wrong with a call of an unknown function."""
    synonym = _OTHER_NAMES.get(name.lower())
    hint = f", did you mean {synonym}?" if synonym else did_you_mean(name.lower(), FUNCTIONS)
    if hint:
        return f"unknown function {name}{hint}"
    known = "" if len(name) < _SHORTEST else f"; the functions are {', '.join(sorted(FUNCTIONS))}"
    return f"unknown function {name}{known}; write a product as {name}*(…)"
