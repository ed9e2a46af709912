"""Conditions in formulas: numbers, 1 where the condition holds and 0 where it does not."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

COMPARISONS: Mapping[str, tuple[Callable[[Any, Any], Any], str]] = {
    "<": (operator.lt, "Lt"),
    "<=": (operator.le, "Le"),
    ">": (operator.gt, "Gt"),
    ">=": (operator.ge, "Ge"),
    "==": (operator.eq, "Eq"),
    "!=": (operator.ne, "Ne"),
}
"""Each comparison in Python, and the name of its class in sympy."""


def compare_numbers(holds: Callable[[Any, Any], Any]) -> Callable[[float, float], float]:
    """Return a comparison of floats."""
    return lambda a, b: float(holds(a, b))


def compare_tensors(holds: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Tensor]:
    """Return a comparison of tensors (...), one of which may be a float."""

    def compare(a: Any, b: Any) -> Tensor:
        return holds(a, b).to((a if isinstance(a, Tensor) else b).dtype)

    return compare


def both(a: Any, b: Any) -> Any:
    """Return whether both conditions hold."""
    return a * b


def either(a: Any, b: Any) -> Any:
    """Return whether at least one condition holds."""
    return a + b - a * b


def negate(a: Any) -> Any:
    """Return whether a condition does not hold."""
    return 1.0 - a


def choose(condition: float, a: float, b: float) -> float:
    """Return the first number if a condition holds, else the second."""
    return a if condition else b


def choose_tensors(condition: Any, a: Any, b: Any) -> Any:
    """Return `a` where a condition holds, else `b`; tensors (...) or floats."""
    if not isinstance(condition, Tensor):
        return choose(condition, a, b)
    # Of two floats, `torch.where` would make the default dtype.
    like = {"dtype": condition.dtype, "device": condition.device}
    return torch.where(condition != 0, torch.as_tensor(a, **like), torch.as_tensor(b, **like))


class Scope(dict[str, Any]):
    """The values of names inside a branch, which have slopes only where the branch is taken.

    A branch that is not taken may have infinite slopes, as x*y/(x**2 + y**2) at 0, and autograd
    would multiply them by 0, which is NaN. Here the slopes stop at the names: their values are the
    same in both branches, so that no value changes.

    Args:
        outside: the values around the branch.
        condition: where the branch is taken: a tensor (...), or a float for everywhere or nowhere.
    """

    def __init__(self, outside: Mapping[str, Any], condition: Any) -> None:
        super().__init__()
        self._outside, self._condition = outside, condition

    def __missing__(self, name: str) -> Any:
        value = self._outside[name]
        if isinstance(self._condition, Tensor):
            value = torch.where(self._condition != 0, value, value.detach())
        self[name] = value
        return value
