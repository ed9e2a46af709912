"""The functions that a formula may hold: of numbers, of torch's tensors and of sympy's symbols."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e}

NO_NAMES = frozenset({"nan", "inf", "infinity", "none", "true", "false"})
"""What looks like a value, in small letters, and must not pass for a variable."""


@dataclass(frozen=True, eq=False)
class Function:
    """One function, three times.

    Attributes:
        number: of floats.
        tensor: of tensors (...), all but one of which may be floats.
        symbol: of sympy itself and its expressions.
        arity: how many values it takes.
        is_open: whether it takes more than that as well, two by two.
    """

    number: Callable[..., float]
    tensor: Callable[..., Any]
    symbol: Callable[..., Any]
    arity: int = 1
    is_open: bool = False


def sqrt(x: Tensor) -> Tensor:
    """The square root; its slope at 0 is taken as 0, a subgradient instead of infinity.

    So sqrt(x**2 + y**2) has a gradient at the origin, as |x| has.
    """
    # Both choices of a `where` are differentiated, and infinity times zero is no number.
    is_zero = x == 0
    return torch.where(is_zero, 0.0, torch.where(is_zero, 1.0, x).sqrt())


def _softplus(x: Tensor) -> Tensor:
    # torch's own is cut off at 20, where exp(-20) is still 2e-9.
    return torch.logaddexp(x, torch.zeros_like(x))


def _of_tensors(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Any, Any], Tensor]:
    """A function of two tensors as one of which either may be a float."""

    def mixed(a: Any, b: Any) -> Tensor:
        like = a if isinstance(a, Tensor) else b
        pair = (torch.as_tensor(value, dtype=like.dtype, device=like.device) for value in (a, b))
        return function(*pair)

    return mixed


def _named(name: str) -> Callable[..., Any]:
    """The function that sympy has under a name."""
    return lambda sympy, *args: getattr(sympy, name)(*args)


def _sign(x: float) -> float:
    return math.copysign(1.0, x) if x else 0.0


def _sigmoid(x: float) -> float:
    return 0.5 + 0.5 * math.tanh(0.5 * x)


def _log_of_base(base: int) -> Callable[..., Any]:
    return lambda sympy, x: sympy.log(x) / sympy.log(base)


OPERATORS: Mapping[str, Function] = {
    "+": Function(operator.add, operator.add, lambda _, a, b: a + b, 2),
    "-": Function(operator.sub, operator.sub, lambda _, a, b: a - b, 2),
    "*": Function(operator.mul, operator.mul, lambda _, a, b: a * b, 2),
    "/": Function(operator.truediv, operator.truediv, lambda _, a, b: a / b, 2),
    "**": Function(math.pow, torch.pow, lambda _, a, b: a**b, 2),
    "negative": Function(lambda a: -a, operator.neg, lambda _, a: -a),
}

_logistic = Function(_sigmoid, torch.sigmoid, lambda sympy, x: 1 / (1 + sympy.exp(-x)))
_log = Function(math.log, torch.log, _named("log"))

FUNCTIONS: Mapping[str, Function] = {
    **{
        name: Function(getattr(math, name), getattr(torch, name), _named(name))
        for name in ("sin", "cos", "tan", "asin", "acos", "atan", "exp", "erf")
    },
    **{
        name: Function(getattr(math, name), getattr(torch, name), _named(name))
        for name in ("sinh", "cosh", "tanh", "asinh", "acosh", "atanh")
    },
    "atan2": Function(math.atan2, _of_tensors(torch.atan2), _named("atan2"), 2),
    "sqrt": Function(math.sqrt, sqrt, _named("sqrt")),
    "log": _log,
    "ln": _log,
    "log2": Function(math.log2, torch.log2, _log_of_base(2)),
    "log10": Function(math.log10, torch.log10, _log_of_base(10)),
    "log1p": Function(math.log1p, torch.log1p, lambda sympy, x: sympy.log(1 + x)),
    "expm1": Function(math.expm1, torch.expm1, lambda sympy, x: sympy.exp(x) - 1),
    "abs": Function(math.fabs, torch.abs, _named("Abs")),
    "sign": Function(_sign, torch.sign, _named("sign")),
    "max": Function(max, _of_tensors(torch.maximum), _named("Max"), 2, is_open=True),
    "min": Function(min, _of_tensors(torch.minimum), _named("Min"), 2, is_open=True),
    "sigmoid": _logistic,
    "logistic": _logistic,
    "softplus": Function(
        lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
        _softplus,
        lambda sympy, x: sympy.log(1 + sympy.exp(x)),
    ),
}

KINKED = frozenset(FUNCTIONS[name] for name in ("abs", "sign", "max", "min"))
"""The functions that are not smooth."""
