"""Straight-line arithmetic on scalars: what one run does in one step, written out.

A value is the result of one operation on other values. Equal operations are the same value, so
what is computed twice stands once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["number", "truth"]


class Uncompilable(Exception):
    """Why something cannot be compiled, in words."""


@dataclass(frozen=True)
class Value:
    """The result of an operation: the number of its line in the program."""

    line: int
    kind: Kind


Operand: TypeAlias = Value | float | bool
"""A value, or a constant."""


@dataclass
class Program:
    """Operations in order; the operands of each stand before it.

    Attributes:
        lines: for each value the C expression with places for its operands, and those.
        longest: the most lines there may be.
    """

    longest: int
    lines: list[tuple[str, tuple[Operand, ...]]] = field(default_factory=list)
    _known: dict[tuple[object, ...], Value] = field(default_factory=dict)

    def apply(self, expression: str, *operands: Operand, kind: Kind = "number") -> Value:
        """The value of an expression such as `({0} + {1})` of its operands.

        Raises:
            Uncompilable: the program grows too long.
        """
        # Constants by their text: 0.0 and -0.0 are equal, and nan is not equal to itself.
        key = (expression, *(o if isinstance(o, Value) else repr(o) for o in operands))
        if key not in self._known:
            if len(self.lines) >= self.longest:
                raise Uncompilable(f"a step of one run takes more than {self.longest} operations")
            self._known[key] = Value(len(self.lines), kind)
            self.lines.append((expression, operands))
        return self._known[key]

    def needed(self, results: Sequence[Operand]) -> list[int]:
        """The lines that results depend on, in order."""
        needed: set[int] = set()
        stack = [value.line for value in results if isinstance(value, Value)]
        while stack:
            line = stack.pop()
            if line not in needed:
                needed.add(line)
                stack += [o.line for o in self.lines[line][1] if isinstance(o, Value)]
        return sorted(needed)
