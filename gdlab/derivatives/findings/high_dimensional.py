"""Derivatives of a high-dimensional loss, without forming its Hessian.

Shapes: D dimensions, k eigenvalues, m distances.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives import arguments
from gdlab.derivatives.arguments import format_setting
from gdlab.derivatives.finding import Finding, Section, Table, number
from gdlab.derivatives.findings.hessian import has_negative
from gdlab.derivatives.point import LossAtPoint
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian_products
from gdlab.numerics.lanczos import lanczos
from gdlab.numerics.rowwise import by_rows, length

DISTANCES = tuple(round(-1 + 0.1 * step, 1) for step in range(21))
"""Default distances of slices from the point, to either side."""

_COMPONENTS = 8
_ROWS = 11
"""Maximum number of distances shown."""


@dataclass(frozen=True)
class Component:
    """A component of the gradient, with the name of its coordinate."""

    name: str
    value: float


@dataclass(frozen=True)
class Slice:
    """The loss along a line through the point.

    Attributes:
        direction: the name of the direction.
        distances: signed distances from the point (m,).
        losses: the loss at these distances (m,).
    """

    direction: str
    distances: Tensor
    losses: Tensor


@dataclass(frozen=True)
class HighDimensional(Finding):
    """What Hessian-vector products tell about a point.

    Attributes:
        dim: D.
        value: the loss.
        grad_norm: ‖g‖.
        components: the gradient's components of largest magnitude.
        hessian_gradient_norm: ‖H g‖, how fast the gradient changes along itself.
        gradient_curvature: gᵀHg/‖g‖², the second derivative along the gradient; None if g = 0.
        eigenvalues: the largest of the Hessian, descending (k,); NaN if it is not finite.
        errors: error bounds (k,): up to rounding, an eigenvalue lies this close to each.
        max_stable_lr: 2/λ_max: no larger lr of gradient descent is stable here, nor a smaller one
            if an eigenvalue that was not computed is negative. None if λ_max is not finite or ≤ 0,
            or if one that was computed is negative.
        products: the number of Hessian-vector products computed.
        slices: the loss along lines through the point.
    """

    dim: int
    value: float
    grad_norm: float
    components: Sequence[Component]
    hessian_gradient_norm: float
    gradient_curvature: float | None
    eigenvalues: Tensor
    errors: Tensor
    max_stable_lr: float | None
    products: int
    slices: Sequence[Slice]

    def section(self) -> Section:
        """Return the values as lines and the slices as a table."""
        lines = [("dimensions", f"{self.dim:,}"), ("value", number(self.value))]
        lines.append(("gradient norm", number(self.grad_norm)))
        largest = ", ".join(f"{c.name}: {number(c.value, 4)}" for c in self.components)
        lines.append(("largest components", largest))
        lines.append(("‖H g‖", number(self.hessian_gradient_norm)))
        lines.append(("curvature along the gradient", number(self.gradient_curvature)))
        for i, (value, error) in enumerate(zip(self.eigenvalues, self.errors, strict=True), 1):
            lines.append((f"eigenvalue {i}", f"{number(value)} ± {number(error, 2)}"))
        if self.max_stable_lr is not None:
            lines.append(("2/λ_max", f"{number(self.max_stable_lr)}, no larger lr is stable"))
        cost = f"{self.products} Hessian-vector products (Lanczos)"
        notes = [f"The eigenvalues took {cost}; the Hessian would have {self.dim**2:,} entries."]
        if bool(self.eigenvalues.isnan().any()):
            notes.append("The Hessian is not finite here.")
        elif self._has_negative:
            notes.append("An eigenvalue is negative: steps grow along its vector at every lr.")
        elif self.max_stable_lr is None:
            notes.append("The loss has no positive curvature here, so 2/λ_max is no limit of lr.")
        return Section("High-dimensional loss", lines, self._table(), notes)

    @property
    def _has_negative(self) -> bool:
        """Whether an eigenvalue that was computed is certainly negative."""
        return has_negative(self.eigenvalues + self.errors)

    def _table(self) -> Table | None:
        """Return the losses along the lines at some of the distances; None without lines."""
        if not self.slices:
            return None
        distances = self.slices[0].distances
        count = min(_ROWS, len(distances))
        shown = torch.linspace(0, len(distances) - 1, count).round().long().tolist()
        header = ["distance", *(line.direction for line in self.slices)]
        rows = [
            [number(distances[i], 4), *(number(line.losses[i]) for line in self.slices)]
            for i in shown
        ]
        return Table(header, rows)


def high_dimensional(
    at: LossAtPoint,
    *,
    k: int = 3,
    directions: Mapping[str, Tensor] | None = None,
    distances: Sequence[float] = DISTANCES,
    tolerance: float = 1e-6,
) -> HighDimensional:
    """Compute value, gradient, largest eigenvalues and slices of a high-dimensional loss.

    Needs memory for about 64 points.

    Args:
        at: the loss and the point.
        k: the number of eigenvalues, at most D.
        directions: directions (D,) of the slices by name; None for steepest descent and the
            eigenvector of λ_max.
        distances: signed distances from the point at which the slices are evaluated.
        tolerance: relative tolerance of the eigenvalues.

    Raises:
        SettingError: the gradient is not finite at the point; a direction has the wrong length, is
            zero or is not finite.
    """
    loss, x, grad, ascent = at.loss, at.x, at.gradient, at.ascent
    if not bool(grad.isfinite().all()):
        raise SettingError(f"{format_setting(x, 'at')}: the gradient is not finite there")
    product = hessian_products(loss, x[None])
    pairs = lanczos(product, x[None], min(k, loss.dim), tolerance=tolerance)
    sharpest = float(pairs.values[0, 0])
    is_negative = has_negative(pairs.values[0] + pairs.errors[0])
    along_gradient = product(by_rows((grad if ascent is None else ascent)[None]))[0]
    if directions is None:
        directions = {} if ascent is None else {"steepest descent": -ascent}
        directions["top eigenvector"] = pairs.vectors[0, 0]
    return HighDimensional(
        dim=loss.dim,
        value=float(at.value),
        grad_norm=at.grad_norm,
        components=_largest_components(loss, grad),
        hessian_gradient_norm=at.grad_norm * length(along_gradient),
        gradient_curvature=None if ascent is None else float(ascent @ along_gradient),
        eigenvalues=pairs.values[0],
        errors=pairs.errors[0],
        max_stable_lr=2 / sharpest if sharpest > 0 and not is_negative else None,
        products=pairs.products,
        slices=[slice_along(loss, x, name, v, distances) for name, v in directions.items()],
    )


def slice_along(
    loss: Loss, x: Tensor, name: str, direction: Tensor, distances: Sequence[float] = DISTANCES
) -> Slice:
    """Evaluate the loss along a line through a point (D,) with a direction (D,).

    Raises:
        SettingError: the direction has the wrong length, is zero or not finite.
    """
    unit = arguments.as_direction(direction, loss.names, name).to(x)
    with torch.no_grad():  # one by one: all points together may not fit into memory
        losses = [loss((x + distance * unit)[None])[0] for distance in distances]
    return Slice(name, torch.tensor(distances, dtype=x.dtype), torch.stack(losses).cpu())


def _largest_components(loss: Loss, grad: Tensor) -> list[Component]:
    """Return the components of largest magnitude, in descending order."""
    order = grad.abs().argsort(descending=True, stable=True)[:_COMPONENTS].tolist()
    return [Component(loss.names[i], float(grad[i])) for i in order]
