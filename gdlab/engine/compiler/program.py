"""A program of straight-line scalar arithmetic: one step of one run.

A value is the result of one operation on other values. Equal operations share one value, so that
common subexpressions are computed once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from gdlab.errors import CUSTOM_ERRORS, raise_if_signaled

_MAX_MESSAGE = 120

Kind: TypeAlias = Literal["number", "truth"]


class Uncompilable(Exception):
    """Something cannot be compiled; the message says why."""


@contextmanager
def errors_as_uncompilable() -> Iterator[None]:
    """Raise what custom code raises as `Uncompilable`: the eager steps will show it."""
    try:
        yield
    except Uncompilable:
        raise
    except CUSTOM_ERRORS as error:
        raise_if_signaled(error)
        message = " ".join(str(error).split())[:_MAX_MESSAGE]
        raise Uncompilable(f"{type(error).__name__}: {message}") from error


@dataclass(frozen=True)
class Value:
    """The result of an operation: the number of its line in the program."""

    line: int
    kind: Kind


Operand: TypeAlias = Value | float | bool
"""A value, or a constant."""


@dataclass
class Program:
    """Operations in order; the operands of each come before it.

    Attributes:
        max_lines: the maximum number of lines.
        lines: for each value, a C expression with placeholders, and its operands.
        kinds: for each value, what it is.
    """

    max_lines: int
    lines: list[tuple[str, tuple[Operand, ...]]] = field(default_factory=list)
    kinds: list[Kind] = field(default_factory=list)
    _values: dict[tuple[object, ...], Value] = field(default_factory=dict)

    def apply(self, expression: str, *operands: Operand, kind: Kind = "number") -> Value:
        """Apply an expression such as `({0} + {1})` to operands, and return the value.

        Raises:
            Uncompilable: the program becomes too long.
        """
        # Constants are compared as text: 0.0 equals -0.0, and nan does not equal itself.
        key = (expression, *(o if isinstance(o, Value) else repr(o) for o in operands))
        if key not in self._values:
            if len(self.lines) >= self.max_lines:
                raise Uncompilable(f"a step of one run takes more than {self.max_lines} operations")
            self._values[key] = Value(len(self.lines), kind)
            self.lines.append((expression, operands))
            self.kinds.append(kind)
        return self._values[key]

    def live_lines(self, results: Sequence[Operand]) -> list[int]:
        """The lines that the results depend on, in order."""
        live: set[int] = set()
        stack = [value.line for value in results if isinstance(value, Value)]
        while stack:
            line = stack.pop()
            if line not in live:
                live.add(line)
                stack += [o.line for o in self.lines[line][1] if isinstance(o, Value)]
        return sorted(live)
