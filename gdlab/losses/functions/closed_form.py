"""Losses with a closed form, written once for both torch tensors and sympy symbols.

Shapes: D dimensions, N terms, M minimizers, R runs. Inside a formula the coordinate axis comes
first, so that `x[0]` is the first coordinate of every point, `u, v = x` unpacks them, and a column
(R,) broadcasts with (D, ..., R).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Loss
from gdlab.losses.functions.torch_or_sympy import (
    Mathematics,
    sympy_functions,
    to_integer,
    torch_functions,
)

if TYPE_CHECKING:
    import sympy

Window = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Known:
    """What is known about a function.

    Values with fewer than D entries are repeated: the start (−1.2, 1) is (−1.2, 1, −1.2, 1) in four
    dimensions, and one pair of bounds applies to all axes.

    Attributes:
        start: the default start of a run (D,).
        minimizers: all known global minimizers (M, D).
        minimum: the value there.
        window: lower and upper bounds for plots (D, 2).
        domain: lower and upper bounds within which the function is to be minimized (D, 2).
        curvature: least and greatest eigenvalue of the Hessian, if it is constant.
    """

    start: Sequence[float]
    minimizers: Sequence[Sequence[float]] | None = None
    minimum: float | None = None
    window: Window | None = None
    domain: Window | None = None
    curvature: tuple[float, float] | None = None


class Formula(Loss):
    """A loss given by its formula. Subclasses define `value` and `known`.

    It has as many dimensions as its start, unless it is `Scalable`.
    """

    known: ClassVar[Known]

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the values (...) at the coordinates x (D, ...), with the functions of m."""
        raise NotImplementedError(f"{type(self).__name__} must implement value")

    def __call__(self, x: Tensor) -> Tensor:
        """Return the values at points (..., D), with torch's functions."""
        return self.value(torch_functions(x), x.movedim(-1, 0))

    def symbolic(self, x: "tuple[sympy.Symbol, ...]") -> "sympy.Expr | None":
        """Return the formula with sympy's functions; None if a field is a column."""
        if any(isinstance(value, Tensor) for value in self.settings().values()):
            return None
        return self.with_columns(to_integer).value(sympy_functions(), np.array(x, dtype=object))

    @property
    def dim(self) -> int:
        """The length of the start."""
        return len(self.known.start)

    @property
    def start(self) -> Tensor:
        """As published."""
        return self._repeat(self.known.start, 0)

    @property
    def minimizers(self) -> Tensor | None:
        """As published."""
        known = self.known.minimizers
        return None if known is None else self._repeat(known, 1)

    @property
    def minimum(self) -> Number | None:
        """As published."""
        return self.known.minimum

    @property
    def window(self) -> Tensor | None:
        """As published, or the domain."""
        known = self.known.window or self.known.domain
        return None if known is None else self._repeat(known, 0)

    @property
    def domain(self) -> Tensor | None:
        """As published."""
        return None if self.known.domain is None else self._repeat(self.known.domain, 0)

    @property
    def curvature(self) -> tuple[Number, Number] | None:
        """As published."""
        return self.known.curvature

    def _repeat(self, values: Any, axis: int) -> Tensor:
        """Return values as a tensor, repeated to D entries along an axis."""
        tensor = self.tensor(values)
        index = torch.arange(self.dim, device=tensor.device) % tensor.shape[axis]
        return tensor.index_select(axis, index)


class Scalable(Formula):
    """A formula for any number of dimensions.

    Attributes:
        dim: dimensions D.
    """

    dim: int = setting(default=2, ge=1, le=1_000_000)  # type: ignore[assignment]  # a field takes the property's place


class SumOfSquares(Formula):
    """A loss that is the sum of the squares of its terms. Subclasses define `terms`."""

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the N terms (N, ...) at the coordinates x (D, ...)."""
        raise NotImplementedError(f"{type(self).__name__} must implement terms")

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the sum of the squares of the terms."""
        return (self.terms(m, x) ** 2).sum(0)

    def residuals(self, x: Tensor) -> Tensor:
        """Return the terms (..., N) at points (..., D)."""
        return self.terms(torch_functions(x), x.movedim(-1, 0)).movedim(0, -1)
