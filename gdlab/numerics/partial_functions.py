"""Which operation of a loss is undefined at a point, such as the logarithm of a negative number.

Shapes: n rows, D dimensions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_NAMES: Mapping[str, str] = {
    "log": "the logarithm",
    "log2": "the logarithm",
    "log10": "the logarithm",
    "log1p": "log1p",
    "sqrt": "the square root",
    "rsqrt": "the square root",
    "pow": "the power",
    "div": "the quotient",
    "reciprocal": "the quotient",
    "asin": "the arcsine",
    "acos": "the arccosine",
    "acosh": "acosh",
    "atanh": "atanh",
    "logit": "logit",
    "xlogy": "xlogy",
    "lgamma": "lgamma",
}
"""Operations of torch that are not defined everywhere, and what they are called."""

_DIVISIONS = frozenset({"div", "reciprocal"})


@dataclass(frozen=True)
class Undefined:
    """The first operation that is not defined at a point.

    Attributes:
        name: what it is called.
        argument: the number that lies outside its domain.
    """

    name: str
    argument: float

    def words(self, names: Sequence[str], point: Sequence[float]) -> str:
        """Say at which argument it is not defined.

        Args:
            names: the names of the D coordinates.
            point: the point (D,).

        >>> Undefined("the logarithm", -1.0).words(["x", "y"], [-1.0, 2.0])
        'x=-1, where the logarithm is not defined'
        """
        same = [name for name, x in zip(names, point, strict=False) if x == self.argument]
        where = f"{same[0] if same else 'the argument'}={self.argument:.3g}"
        return f"{where}, where {self.name} is not defined"


def find_undefined(function: Callable[[Tensor], Tensor], x: Tensor) -> list[Undefined | None]:
    """Find for each of n points (n, D) the first operation that is undefined there.

    An operation is blamed if its arguments are finite and its value is not; None where there is no
    such operation, or where its value is merely too large.

    Args:
        function: maps points (n, D) to values (n,).
        x: the points.
    """
    tracer = _Tracer(len(x))
    with torch.no_grad(), tracer:
        function(x)
    return tracer.found


class _Tracer(TorchDispatchMode):
    """Watches the operations of a function of n points."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._is_lost = torch.zeros(rows, dtype=torch.bool)
        self.found: list[Undefined | None] = [None] * rows

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False, so that torch does not import its own compiler."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and look at its value."""
        value = func(*args, **(kwargs or {}))
        if isinstance(value, Tensor) and value.is_floating_point() and self._has_rows(value):
            self._examine(func.overloadpacket.__name__.rstrip("_"), value.detach(), args)
        return value

    def _has_rows(self, value: Tensor) -> bool:
        return value.ndim > 0 and len(value) == len(self.found)

    def _examine(self, name: str, value: Tensor, args: Any) -> None:
        is_finite = torch.isfinite(value).flatten(1).all(1) if value.ndim > 1 else value.isfinite()
        new = ~is_finite.cpu() & ~self._is_lost
        if not bool(new.any()):
            return
        self._is_lost |= new
        if name in _NAMES:
            for row in new.nonzero()[:, 0].tolist():
                numbers = [self._numbers(arg, row) for arg in args[:2]]
                self.found[row] = _blame(name, numbers, value[row].flatten())

    def _numbers(self, arg: Any, row: int) -> Tensor:
        tensor = arg.detach() if isinstance(arg, Tensor) else torch.tensor(arg)
        return (tensor[row] if self._has_rows(tensor) else tensor).flatten()


def _blame(name: str, numbers: list[Tensor], value: Tensor) -> Undefined | None:
    """Return what is undefined among the entries of one row; None for an overflow."""
    if not all(bool(number.isfinite().all()) for number in numbers):
        return None
    at = int((~value.isfinite()).int().argmax())
    of = numbers[-1 if name == "div" else 0]
    argument = float(of[at if of.numel() > 1 else 0])
    is_overflow = bool(value[at].isinf()) and (name in ("pow", *_DIVISIONS)) and argument != 0
    return None if is_overflow else Undefined(_NAMES[name], argument)
