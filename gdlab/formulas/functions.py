"""The functions allowed in a formula, for numbers, torch tensors and sympy expressions."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gdlab.formulas import conditions
from gdlab.formulas.conditions import COMPARISONS

CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e}

RESERVED_NAMES = frozenset(
    {"nan", "inf", "infinity", "none", "true", "false", "and", "or", "not", "if", "else"}
)
"""Names that look like values or operators, in lower case, and must not become variables."""


@dataclass(frozen=True, eq=False)
class Function:
    """A function in three versions.

    Attributes:
        number: takes floats.
        tensor: takes tensors (...); all but one argument may be floats.
        symbol: takes the sympy module and sympy expressions.
        arity: number of arguments.
        is_variadic: whether it takes more arguments too.
        kinks: the number of kinks or jumps.
        natural: takes tensors, if the slopes of `tensor` are 0 at some points where the true ones
            are infinite, and has those.
        conditions: the number of arguments that are conditions; these come first.
        is_condition: whether the result is a condition.
        branches: for each argument but the last, what begins after it; empty for nothing.
    """

    number: Callable[..., float]
    tensor: Callable[..., Any]
    symbol: Callable[..., Any]
    arity: int = 1
    is_variadic: bool = False
    kinks: int = 0
    natural: Callable[..., Any] | None = None
    conditions: int = 0
    is_condition: bool = False
    branches: "tuple[Function, ...]" = ()

    def of(self, count: int) -> "Function":
        """Return a variadic function for a number of arguments, with a kink for each pair."""
        return self if count == self.arity else replace(self, arity=count, kinks=count - 1)


def sqrt(x: Tensor) -> Tensor:
    """Compute the square root, with slope 0 at 0: a subgradient instead of infinity.

    This gives sqrt(x**2 + y**2) a gradient at the origin, as for |x|.
    """
    # Both branches of `torch.where` are differentiated, and infinity times zero is NaN.
    is_zero = x == 0
    return torch.where(is_zero, 0.0, torch.where(is_zero, 1.0, x).sqrt())


def power(x: Any, exponent: Any) -> Tensor:
    """Compute x to a power; where x is 0, a root has all derivatives 0 instead of infinity.

    A root is a power with a positive exponent that is not a whole number. So x**0.5 is sqrt(x) in
    all derivatives, and (x**2)**0.75 has the slope 0 at 0, where torch has ∞ · 0.

    Args:
        x: a tensor (...) or a float.
        exponent: a tensor (...), or a float if x is a tensor.
    """
    if isinstance(x, Tensor) and isinstance(exponent, Tensor):
        return _tensor_power(x, exponent)
    if not isinstance(x, Tensor) or exponent < 0 or exponent % 1 == 0:
        return torch.pow(x, exponent)
    is_zero = x == 0
    return torch.where(is_zero, 0.0, torch.pow(torch.where(is_zero, 1.0, x), exponent))


def _tensor_power(x: Tensor, exponent: Tensor) -> Tensor:
    """Compute x to a power in sums and products, so that a whole one is seen to be a polynomial."""
    is_zero = (x == 0) & (exponent > 0) & (exponent != exponent.floor())
    one, zero = x.new_ones(()), x.new_zeros(())
    # Zero is subtracted, not added, because −0 + 0 is 0.
    base, factor = x - torch.where(is_zero, -one, zero), torch.where(is_zero, zero, one)
    return torch.pow(base, exponent) * factor


def _softplus(x: Tensor) -> Tensor:
    # torch.nn.functional.softplus is cut off at 20, where exp(-20) is still 2e-9. Higher
    # derivatives of logaddexp have powers of exp(-x), and are 0 or NaN where these overflow
    # (pytorch#196704); there softplus is exp(x) to rounding.
    is_tail = x < math.log(torch.finfo(x.dtype).eps / 8)
    tail, body = torch.where(is_tail, x, 0.0), torch.where(is_tail, 0.0, x)
    return torch.where(is_tail, tail.exp(), torch.logaddexp(body, torch.zeros_like(x)))


def _maximum(*values: Tensor) -> Tensor:
    """Compute the maximum; where n of the values are equally large, each has the slope 1/n."""
    if len(values) == 2:
        return torch.maximum(*values)
    stack = torch.stack(torch.broadcast_tensors(*values))
    # The slope of `amax` by a smaller value is 0 times the slope that comes in, or NaN if that is
    # infinite; `torch.where` makes it 0.
    return torch.where(stack < stack.amax(0), -math.inf, stack).amax(0)


def _minimum(*values: Tensor) -> Tensor:
    return torch.minimum(*values) if len(values) == 2 else -_maximum(*(-value for value in values))


def _with_floats(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Extend a function of tensors so that all but one may be floats."""

    def convert_and_call(*values: Any) -> Tensor:
        like = next(value for value in values if isinstance(value, Tensor))
        tensors = (torch.as_tensor(each, dtype=like.dtype, device=like.device) for each in values)
        return function(*tensors)

    return convert_and_call


def _sympy_function(name: str) -> Callable[..., Any]:
    """Return the sympy function with a name."""
    return lambda sympy, *args: getattr(sympy, name)(*args)


def _kinked(name: str) -> Callable[..., Any]:
    """Return a function of `gdlab.formulas.kinks`, which imports sympy."""

    def apply(_: Any, *args: Any) -> Any:
        from gdlab.formulas import kinks

        return getattr(kinks, name)(*args)

    return apply


def _sign(x: float) -> float:
    return math.copysign(1.0, x) if x else 0.0


def _sigmoid(x: float) -> float:
    return 0.5 + 0.5 * math.tanh(0.5 * x)


def _same(a: Any) -> Any:
    return a


def _log_of_base(base: int) -> Callable[..., Any]:
    return lambda sympy, x: sympy.log(x) / sympy.log(base)


OPERATORS: Mapping[str, Function] = {
    "+": Function(operator.add, operator.add, lambda _, a, b: a + b, 2),
    "-": Function(operator.sub, operator.sub, lambda _, a, b: a - b, 2),
    "*": Function(operator.mul, operator.mul, lambda _, a, b: a * b, 2),
    "/": Function(operator.truediv, operator.truediv, lambda _, a, b: a / b, 2),
    "**": Function(math.pow, power, lambda _, a, b: a**b, 2, natural=torch.pow),
    "negative": Function(lambda a: -a, operator.neg, lambda _, a: -a),
}

CONDITIONS: Mapping[str, Function] = {
    **{
        sign: Function(
            conditions.compare_numbers(holds),
            conditions.compare_tensors(holds),
            _sympy_function(name),
            2,
            kinks=1,
            is_condition=True,
        )
        for sign, (holds, name) in COMPARISONS.items()
    },
    **{
        word: Function(
            apply, apply, _sympy_function(name), arity, conditions=arity, is_condition=True
        )
        for word, apply, name, arity in (
            ("and", conditions.both, "And", 2),
            ("or", conditions.either, "Or", 2),
            ("not", conditions.negate, "Not", 1),
        )
    },
}
"""Comparisons and what joins them."""

THEN = Function(_same, _same, lambda _, a: a, conditions=1, is_condition=True)
"""The condition of `where`, unchanged: its first branch begins."""

ELSE = Function(_same, _same, lambda _, a: a)
"""The first branch of `where`, unchanged: its second branch begins."""

WHERE = Function(
    conditions.choose,
    conditions.choose_tensors,
    lambda sympy, condition, a, b: sympy.Piecewise((a, condition), (b, True)),
    3,
    conditions=1,
    branches=(THEN, ELSE),
)

_logistic = Function(_sigmoid, torch.sigmoid, lambda sympy, x: 1 / (1 + sympy.exp(-x)))
_log = Function(math.log, torch.log, _sympy_function("log"))

FUNCTIONS: Mapping[str, Function] = {
    **{
        name: Function(getattr(math, name), getattr(torch, name), _sympy_function(name))
        for name in ("sin", "cos", "tan", "asin", "acos", "atan", "exp", "erf")
    },
    **{
        name: Function(getattr(math, name), getattr(torch, name), _sympy_function(name))
        for name in ("sinh", "cosh", "tanh", "asinh", "acosh", "atanh")
    },
    "atan2": Function(math.atan2, _with_floats(torch.atan2), _sympy_function("atan2"), 2),
    "sqrt": Function(math.sqrt, sqrt, _sympy_function("sqrt"), natural=torch.sqrt),
    "log": _log,
    "ln": _log,
    "log2": Function(math.log2, torch.log2, _log_of_base(2)),
    "log10": Function(math.log10, torch.log10, _log_of_base(10)),
    "log1p": Function(math.log1p, torch.log1p, lambda sympy, x: sympy.log(1 + x)),
    "expm1": Function(math.expm1, torch.expm1, lambda sympy, x: sympy.exp(x) - 1),
    "abs": Function(math.fabs, torch.abs, _kinked("absolute"), kinks=1),
    "sign": Function(_sign, torch.sign, _kinked("sign"), kinks=1),
    "max": Function(max, _with_floats(_maximum), _kinked("Maximum"), 2, True, kinks=1),
    "min": Function(min, _with_floats(_minimum), _kinked("Minimum"), 2, True, kinks=1),
    "sigmoid": _logistic,
    "logistic": _logistic,
    "softplus": Function(
        lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
        _softplus,
        lambda sympy, x: sympy.log(1 + sympy.exp(x)),
    ),
    "where": WHERE,
}
