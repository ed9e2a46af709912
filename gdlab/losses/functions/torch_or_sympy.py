"""The functions that a formula uses, for both torch tensors and sympy symbols.

Shapes: D dimensions, N and M terms. Coordinates lie along the first axis.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from gdlab.formulas.functions import sqrt


class Mathematics(Protocol):
    """The functions that a formula uses, applied elementwise to arrays of any shape.

    Arithmetic, powers, slices, `sum(0)` and `prod(0)` are those of the arrays themselves.
    """

    pi: Any
    e: Any

    def exp(self, x: Any, /) -> Any:
        """Return the exponential."""

    def log(self, x: Any, /) -> Any:
        """Return the natural logarithm."""

    def sin(self, x: Any, /) -> Any:
        """Return the sine."""

    def cos(self, x: Any, /) -> Any:
        """Return the cosine."""

    def atan(self, x: Any, /) -> Any:
        """Return the arc tangent."""

    def abs(self, x: Any, /) -> Any:
        """Return the absolute value; its derivative at 0 is defined as 0."""

    def sqrt(self, x: Any) -> Any:
        """Return the square root; its derivative at 0 is defined as 0 instead of infinity."""

    def cos_sqrt(self, x: Any) -> Any:
        """Return the cosine of the square root, which has all derivatives at 0."""

    def atan2(self, y: Any, x: Any) -> Any:
        """Return the angle of (x, y) in (−π, π]; at the origin 0, with derivative 0."""

    def power(self, x: Any, exponent: Any) -> Any:
        """Return a power of x ≥ 0; at 0 it is 0, with derivative 0."""

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        """Return x where the condition holds, elsewhere y."""

    def stack(self, terms: Sequence[Any]) -> Any:
        """Stack terms of the same shape (...) into one array (N, ...)."""

    def concat(self, terms: Sequence[Any]) -> Any:
        """Concatenate arrays (N, ...), (M, ...), … into one array (N + M + …, ...)."""

    def column(self, values: Any) -> Any:
        """Return numbers (N,) or (N, M) as (N, 1, ...) or (N, M, 1, ...), for coordinates."""


def torch_functions(like: Tensor) -> Mathematics:
    """Return torch's functions, for points with the dtype, device and number of axes of `like`."""
    return _Torch(like)


def sympy_functions() -> Mathematics:
    """Return sympy's functions, for numpy arrays of symbols."""
    return _Sympy()


def to_integer(number: Any) -> Any:
    """Return a whole number as a sympy integer, so that a symbolic power stays a polynomial."""
    import sympy

    return sympy.Integer(int(number)) if float(number).is_integer() else number


class _Torch:
    """Torch's functions."""

    pi, e = math.pi, math.e
    exp, log = staticmethod(torch.exp), staticmethod(torch.log)
    sin, cos, atan = staticmethod(torch.sin), staticmethod(torch.cos), staticmethod(torch.atan)
    abs, sqrt = staticmethod(torch.abs), staticmethod(sqrt)

    def __init__(self, like: Tensor) -> None:
        self._like = like

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
    """Sympy's functions, elementwise on numpy arrays of expressions."""

    def __init__(self) -> None:
        import sympy

        def elementwise(function: Any) -> Any:
            vectorized = np.vectorize(function, otypes=[object])
            return lambda x: vectorized(x) if isinstance(x, np.ndarray) else function(x)

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
        return np.vectorize(to_integer, otypes=[object])(np.asarray(values, np.float64))
