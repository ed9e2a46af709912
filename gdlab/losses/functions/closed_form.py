"""Losses written once as a formula, for torch's tensors and for sympy's symbols alike.

Shapes: D dimensions, N terms. Inside a formula the coordinates come first, so that `x[0]` is a
coordinate of every point, `u, v = x` names them, and a column (R,) meets (D, ..., R) as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Loss
from gdlab.losses.functions.torch_or_sympy import Mathematics, of_sympy, of_torch, whole

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
        return self.value(of_torch(x), x.movedim(-1, 0))

    def symbolic(self, x: "tuple[sympy.Symbol, ...]") -> "sympy.Expr | None":
        """The formula of symbols, with sympy's functions; None where a field is a column."""
        if any(isinstance(value, Tensor) for value in self.settings().values()):
            return None
        return self.with_columns(whole).value(of_sympy(), np.array(x, dtype=object))

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
        return self.terms(of_torch(x), x.movedim(-1, 0)).movedim(0, -1)
