"""The stack machine that evaluates a formula's steps with any kind of value."""

from collections.abc import Callable, Sequence
from typing import Any

from gdlab.formulas.functions import Function
from gdlab.formulas.parser import Step


def run(
    steps: Sequence[Step],
    value: Callable[[str], Any],
    number: Callable[[float], Any],
    apply: Callable[[Function, Sequence[Any]], Any],
) -> Any:
    """Run the steps on a stack, and return the value left there.

    Args:
        steps: of one formula.
        value: returns the value of a name.
        number: converts a number.
        apply: applies a function to its arguments.
    """
    stack: list[Any] = []
    for step in steps:
        if isinstance(step, Function):
            args = stack[-step.arity :]
            del stack[-step.arity :]
            stack.append(apply(step, args))
        else:
            stack.append(value(step) if isinstance(step, str) else number(step))
    return stack[0]
