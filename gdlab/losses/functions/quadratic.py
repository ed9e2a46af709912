"""Quadratic bowls: everything about them is known."""

from functools import cached_property
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Number, setting
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Loss, per_coordinate, per_point

if TYPE_CHECKING:
    import sympy


class Quadratic(Loss):
    """½ (x − c)ᵀ H (x − c): a bowl with the Hessian H and its minimum 0 at the center c.

    H is diagonal. Its eigenvalues run from 1 to `condition`, the condition number, or are given
    explicitly. A `Transform` with a rotation turns it into any other symmetric H.

    Attributes:
        dim: dimensions D.
        condition: the largest eigenvalue; the smallest is 1.
        spectrum: the spacing of the eigenvalues in between: linear or geometric.
        eigenvalues: the D eigenvalues, instead of `dim`, `condition` and `spectrum`.
        center: the minimizer c: D numbers, or one for all coordinates.
    """

    dim: int = setting(default=2, ge=1, le=1_000_000)  # type: ignore[assignment]  # a field takes the property's place
    condition: Number = setting(default=15.0, ge=1)
    spectrum: Literal["linear", "geometric"] = "linear"
    eigenvalues: tuple[float, ...] | None = None
    center: Number | tuple[float, ...] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.eigenvalues is not None:
            if not self.eigenvalues:
                raise SettingError("eigenvalues=[]: must hold at least one number")
            object.__setattr__(self, "dim", len(self.eigenvalues))
        if isinstance(self.center, tuple) and len(self.center) != self.dim:
            center = format_value(self.center)
            raise SettingError(f"center={center}: must be one number or {self.dim}, one per dim")

    @cached_property
    def spectrum_values(self) -> Tensor:
        """The eigenvalues λ of H: (D,), or (R, D) where `condition` is a column."""
        if self.eigenvalues is not None:
            return self.tensor(self.eigenvalues)
        condition = per_point(self.tensor(self.condition))
        t = self.tensor(torch.arange(self.dim, dtype=torch.float64) / max(self.dim - 1, 1))
        if self.dim == 1:
            return condition * torch.ones_like(t)
        return 1 + (condition - 1) * t if self.spectrum == "linear" else condition**t

    @cached_property
    def _center(self) -> Number:
        return per_coordinate(self, self.center)

    def __call__(self, x: Tensor) -> Tensor:
        """Return ½ Σ λᵢ (xᵢ − cᵢ)²."""
        return 0.5 * (self.spectrum_values * (x - self._center).square()).sum(-1)

    @property
    def start(self) -> Tensor:
        """One unit from the center along each axis."""
        return self.tensor(torch.ones(self.dim)) + self._center

    @property
    def minimizers(self) -> Tensor | None:
        """The center, if H is positive definite."""
        if self.eigenvalues is not None and min(self.eigenvalues) <= 0:
            return None
        return (self.tensor(torch.zeros(self.dim)) + self._center)[..., None, :]

    @property
    def minimum(self) -> Number | None:
        """0, if H has no negative eigenvalue."""
        return None if self.eigenvalues is not None and min(self.eigenvalues) < 0 else 0.0

    @property
    def window(self) -> Tensor:
        """Two units around the center."""
        center = self._center
        sides = self.tensor([-2.0, 2.0]).expand(self.dim, 2)
        return sides + (center[..., None] if isinstance(center, Tensor) else center)

    @property
    def curvature(self) -> tuple[Number, Number]:
        """The least and the greatest eigenvalue."""
        if self.eigenvalues is not None:
            return min(self.eigenvalues), max(self.eigenvalues)
        return (self.condition if self.dim == 1 else 1.0), self.condition

    def symbolic(self, x: "tuple[sympy.Symbol, ...]") -> "sympy.Expr | None":
        """Return the sum of squares; None if a field is a column."""
        import sympy

        if any(isinstance(value, Tensor) for value in (self.condition, self.center)):
            return None
        center = torch.broadcast_to(self.tensor(self._center), (self.dim,)).tolist()
        pairs = zip(self.spectrum_values.tolist(), x, center, strict=True)
        return sympy.Add(*(sympy.Float(h) * (xi - c) ** 2 / 2 for h, xi, c in pairs))
