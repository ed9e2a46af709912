"""Losses written once as a formula, for torch's tensors and for sympy's symbols alike.

Shapes: D dimensions, N terms. Inside a formula the coordinates come first, so that `x[0]` is a
coordinate of every point, `u, v = x` names them, and a column (R,) meets (D, ..., R) as it is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from gdlab.fields import Number, setting
from gdlab.losses.base import Loss

if TYPE_CHECKING:
    import sympy

Window = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Known:
    """What is known about a function.

    What has fewer than D entries is repeated: (−1.2, 1) starts four dimensions at (−1.2, 1, −1.2,
    1), and one side stands for all.

    Attributes:
        start: where a run starts (D,).
        minimizers: all known global minimizers (M, D).
        minimum: the value there.
        window: low and high of what is worth plotting (D, 2).
        domain: low and high of where the function is meant to be minimised (D, 2).
        curvature: least and greatest eigenvalue of the Hessian where it is constant.
    """

    start: Sequence[float]
    minimizers: Sequence[Sequence[float]] | None = None
    minimum: float | None = None
    window: Window | None = None
    domain: Window | None = None
    curvature: tuple[float, float] | None = None


class Mathematics(Protocol):
    """The functions of a formula; + − × ÷, powers, slices, `sum(0)` and `prod(0)` the arrays have.

    Every function takes and returns arrays with any axes.
    """

    pi: Any
    e: Any

    def exp(self, x: Any, /) -> Any:
        """The exponential function."""

    def log(self, x: Any, /) -> Any:
        """The natural logarithm."""

    def sin(self, x: Any, /) -> Any:
        """The sine."""

    def cos(self, x: Any, /) -> Any:
        """The cosine."""

    def atan(self, x: Any, /) -> Any:
        """The arc tangent."""

    def abs(self, x: Any, /) -> Any:
        """The absolute value; its slope at 0 is taken as 0."""

    def sqrt(self, x: Any) -> Any:
        """The square root; its slope at 0 is taken as 0, a subgradient instead of infinity."""

    def cos_sqrt(self, x: Any) -> Any:
        """The cosine of the square root, which has all derivatives at 0."""

    def atan2(self, y: Any, x: Any) -> Any:
        """The angle of (x, y) in (−π, π]; at the origin 0, with slope 0."""

    def power(self, x: Any, exponent: Any) -> Any:
        """A power of x ≥ 0; at 0 it is 0, with slope 0."""

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        """The x where the condition holds, elsewhere y."""

    def stack(self, terms: Sequence[Any]) -> Any:
        """Terms of the same shape (...) as one array (N, ...)."""

    def concat(self, terms: Sequence[Any]) -> Any:
        """Arrays (N, ...), (M, ...) and so on as one array (N + M + ..., ...)."""

    def column(self, values: Any) -> Any:
        """Numbers (N,) or (N, M) as an array (N, 1, ...) or (N, M, 1, ...) beside coordinates."""


class Formula(Loss):
    """A loss given by its formula. Subclasses define `value` and, in `known`, what is known.

    It has as many dimensions as its start, unless it is `Scalable`.
    """

    known: ClassVar[Known]

    def value(self, m: Mathematics, x: Any) -> Any:
        """The values (...) at the coordinates x (D, ...), with the functions of m."""
        raise NotImplementedError(f"{type(self).__name__} does not say its value")

    def __call__(self, x: Tensor) -> Tensor:
        """The formula at points (..., D), with torch's functions."""
        return self.value(_Torch(x), x.movedim(-1, 0))

    def symbolic(self, x: "tuple[sympy.Symbol, ...]") -> "sympy.Expr | None":
        """The formula of symbols, with sympy's functions; None where a field is a column."""
        if any(isinstance(value, Tensor) for value in self.settings().values()):
            return None
        return self.with_columns(_whole).value(_Sympy(), np.array(x, dtype=object))

    @property
    def dim(self) -> int:
        """As many as the start has."""
        return len(self.known.start)

    @property
    def start(self) -> Tensor:
        """As published."""
        return self._repeated(self.known.start, 0)

    @property
    def minimizers(self) -> Tensor | None:
        """As published."""
        known = self.known.minimizers
        return None if known is None else self._repeated(known, 1)

    @property
    def minimum(self) -> Number | None:
        """As published."""
        return self.known.minimum

    @property
    def window(self) -> Tensor | None:
        """As published, or the domain."""
        known = self.known.window or self.known.domain
        return None if known is None else self._repeated(known, 0)

    @property
    def domain(self) -> Tensor | None:
        """As published."""
        return None if self.known.domain is None else self._repeated(self.known.domain, 0)

    @property
    def curvature(self) -> tuple[Number, Number] | None:
        """As published."""
        return self.known.curvature

    def _repeated(self, values: Any, axis: int) -> Tensor:
        """Values as a tensor, with D entries along an axis."""
        given = self.tensor(values)
        index = torch.arange(self.dim, device=given.device) % given.shape[axis]
        return given.index_select(axis, index)


class Scalable(Formula):
    """A formula for any number of dimensions.

    Attributes:
        dim: dimensions D.
    """

    dim: int = setting(default=2, ge=1, le=1_000_000)  # type: ignore[assignment]  # a field takes the property's place


class SumOfSquares(Formula):
    """A loss that is the sum of the squares of its terms. Subclasses define `terms`."""

    def terms(self, m: Mathematics, x: Any) -> Any:
        """The N terms (N, ...) at the coordinates x (D, ...)."""
        raise NotImplementedError(f"{type(self).__name__} does not say its terms")

    def value(self, m: Mathematics, x: Any) -> Any:
        """The sum of their squares."""
        return (self.terms(m, x) ** 2).sum(0)

    def residuals(self, x: Tensor) -> Tensor:
        """The terms (..., N) at points (..., D)."""
        return self.terms(_Torch(x), x.movedim(-1, 0)).movedim(0, -1)


def _whole(number: Any) -> Any:
    """A whole number as sympy's integer, so that a symbolic power stays a polynomial."""
    import sympy

    return sympy.Integer(int(number)) if float(number).is_integer() else number


class _Torch:
    """Torch's functions, for points like those given (..., D)."""

    pi, e = math.pi, math.e
    exp, log = staticmethod(torch.exp), staticmethod(torch.log)
    sin, cos, atan = staticmethod(torch.sin), staticmethod(torch.cos), staticmethod(torch.atan)
    abs = staticmethod(torch.abs)

    def __init__(self, like: Tensor) -> None:
        self._like = like

    @staticmethod
    def sqrt(x: Tensor) -> Tensor:
        # Both choices of a `where` are differentiated, and infinity times zero is no number.
        is_zero = x == 0
        return torch.where(is_zero, 0.0, torch.where(is_zero, 1.0, x).sqrt())

    @staticmethod
    def cos_sqrt(x: Tensor) -> Tensor:
        # Σ (−x)ᵏ / (2k)!, whose tenth term is 4e-19 at 1; the root has no slope at 0.
        is_small = x < 1
        small, series = torch.where(is_small, x, 0.0), torch.zeros_like(x)
        for k in range(9, -1, -1):
            series = series * -small + 1 / math.factorial(2 * k)
        return torch.where(is_small, series, torch.where(is_small, 1.0, x).sqrt().cos())

    @staticmethod
    def atan2(y: Tensor, x: Tensor) -> Tensor:
        is_zero = (x == 0) & (y == 0)
        return torch.where(is_zero, 0.0, torch.atan2(y, torch.where(is_zero, 1.0, x)))

    @staticmethod
    def power(x: Tensor, exponent: Any) -> Tensor:
        is_zero = x == 0
        return torch.where(is_zero, 0.0, torch.where(is_zero, 1.0, x) ** exponent)

    @staticmethod
    def where(condition: Tensor, x: Any, y: Any) -> Tensor:
        return torch.where(condition, x, y)

    @staticmethod
    def stack(terms: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(terms))

    @staticmethod
    def concat(terms: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(terms))

    def column(self, values: Any) -> Tensor:
        like = self._like
        column = torch.as_tensor(np.asarray(values, np.float64)).to(like.device, like.dtype)
        return column.reshape(*column.shape, *(1,) * (like.ndim - 1))


class _Sympy:
    """Sympy's functions, elementwise on numpy's arrays of expressions."""

    def __init__(self) -> None:
        import sympy

        def elementwise(function: Any) -> Any:
            each = np.vectorize(function, otypes=[object])
            return lambda x: each(x) if isinstance(x, np.ndarray) else function(x)

        self.pi, self.e = sympy.pi, sympy.E
        self.exp, self.log, self.sqrt = map(elementwise, (sympy.exp, sympy.log, sympy.sqrt))
        self.sin, self.cos, self.atan = map(elementwise, (sympy.sin, sympy.cos, sympy.atan))
        self.abs = elementwise(sympy.Abs)

    def cos_sqrt(self, x: Any) -> Any:
        return self.cos(self.sqrt(x))

    @staticmethod
    def atan2(y: Any, x: Any) -> Any:
        import sympy

        return sympy.atan2(y, x)

    @staticmethod
    def power(x: Any, exponent: Any) -> Any:
        return x**exponent

    @staticmethod
    def where(condition: Any, x: Any, y: Any) -> Any:
        import sympy

        return sympy.Piecewise((x, condition), (y, True))

    @staticmethod
    def concat(terms: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(list(terms))

    @staticmethod
    def stack(terms: Sequence[Any]) -> np.ndarray:
        return np.array(list(terms), dtype=object)

    @staticmethod
    def column(values: Any) -> np.ndarray:
        return np.vectorize(_whole, otypes=[object])(np.asarray(values, np.float64))
