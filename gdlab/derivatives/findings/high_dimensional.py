"""The derivatives of a loss of many dimensions: nothing that is as large as its Hessian.

Shapes: D dimensions, k eigenvalues, m distances.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives import arguments
from gdlab.derivatives.arguments import format_setting
from gdlab.derivatives.finding import Finding, Section, Table, number
from gdlab.derivatives.point import LossAtPoint
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian_products
from gdlab.numerics.lanczos import lanczos
from gdlab.numerics.rowwise import by_rows

DISTANCES = tuple(round(-1 + 0.1 * step, 1) for step in range(21))
"""How far slices go to either side of the point, unless told otherwise."""

_COMPONENTS = 8
_ROWS = 11
"""So many distances of a slice are shown."""


@dataclass(frozen=True)
class Component:
    """A component of the gradient, by the name of its coordinate."""

    name: str
    value: float


@dataclass(frozen=True)
class Slice:
    """The loss along a straight line through the point.

    Attributes:
        direction: what the line follows, in a word.
        distances: from the point along the unit direction (m,).
        losses: the loss there (m,).
    """

    direction: str
    distances: Tensor
    losses: Tensor


@dataclass(frozen=True)
class HighDimensional(Finding):
    """What is found out at a point without writing down a Hessian.

    Attributes:
        dim: D.
        value: the loss.
        grad_norm: ‖g‖.
        components: the largest of the gradient in magnitude.
        hessian_gradient_norm: ‖H g‖, how fast the gradient turns or grows along itself.
        gradient_curvature: gᵀHg/‖g‖², the second derivative along the gradient; None where g = 0.
        eigenvalues: the greatest of the Hessian (k,), greatest first; NaN where it is not finite.
        errors: within so much of each, but for rounding, there is an eigenvalue (k,).
        max_stable_lr: 2/λ_max, the largest stable lr of gradient descent here; None where λ_max ≤ 0
            or not finite.
        products: how many products of the Hessian with a vector that took.
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
        """The finding in words, the slices as a table."""
        lines = [("dimensions", f"{self.dim:,}"), ("value", number(self.value))]
        lines.append(("gradient norm", number(self.grad_norm)))
        largest = ", ".join(f"{c.name}: {number(c.value, 4)}" for c in self.components)
        lines.append(("largest components", largest))
        lines.append(("‖H g‖", number(self.hessian_gradient_norm)))
        lines.append(("curvature along the gradient", number(self.gradient_curvature)))
        for place, (value, error) in enumerate(zip(self.eigenvalues, self.errors, strict=True), 1):
            lines.append((f"eigenvalue {place}", f"{number(value)} ± {number(error, 2)}"))
        if self.max_stable_lr is not None:
            lines.append(("2/λ_max", f"{number(self.max_stable_lr)}, the largest stable lr here"))
        how = f"{self.products} products of the Hessian with a vector (Lanczos)"
        notes = [f"The eigenvalues took {how}; the Hessian would have {self.dim**2:,} entries."]
        if bool(self.eigenvalues.isnan().any()):
            notes.append("The Hessian is not finite here.")
        elif self.max_stable_lr is None:
            notes.append("The loss curves upwards nowhere here: no lr is too large for stability.")
        return Section("Many dimensions", lines, self._table(), notes)

    def _table(self) -> Table | None:
        """The losses along the lines, at some of the distances; None where there is no line."""
        if not self.slices:
            return None
        distances = self.slices[0].distances
        count = min(_ROWS, len(distances))
        shown = torch.linspace(0, len(distances) - 1, count).round().long().tolist()
        header = ["distance", *(line.direction for line in self.slices)]
        rows = [
            [number(distances[at], 4), *(number(line.losses[at]) for line in self.slices)]
            for at in shown
        ]
        return Table(header, rows)


def high_dimensional(
    place: LossAtPoint,
    *,
    k: int = 3,
    directions: Mapping[str, Tensor] | None = None,
    distances: Sequence[float] = DISTANCES,
    tolerance: float = 1e-6,
) -> HighDimensional:
    """Value, gradient, greatest eigenvalues and slices of a loss at a point of many dimensions.

    It takes memory for about 64 points.

    Args:
        place: the loss and the point.
        k: how many eigenvalues; no more than D are found.
        directions: of the slices by name (D,); None for steepest descent and the eigenvector of
            λ_max.
        distances: from the point along the unit directions, where the slices are computed.
        tolerance: of the eigenvalues, relative.

    Raises:
        SettingError: the gradient is not finite there; a direction has the wrong length, or is
            zero or not finite.
    """
    loss, x, grad, ascent = place.loss, place.x, place.gradient, place.ascent
    if not bool(grad.isfinite().all()):
        raise SettingError(f"{format_setting(x, 'at')}: the gradient is not finite there")
    product = hessian_products(loss, x[None])
    pairs = lanczos(product, x[None], min(k, loss.dim), tolerance=tolerance)
    sharpest = float(pairs.values[0, 0])
    turned = product(by_rows((grad if ascent is None else ascent)[None]))[0]
    if directions is None:
        directions = {} if ascent is None else {"steepest descent": -ascent}
        directions["top eigenvector"] = pairs.vectors[0, 0]
    return HighDimensional(
        dim=loss.dim,
        value=float(place.value),
        grad_norm=place.grad_norm,
        components=_largest(loss, grad),
        hessian_gradient_norm=place.grad_norm * float(turned.norm()),
        gradient_curvature=None if ascent is None else float(ascent @ turned),
        eigenvalues=pairs.values[0],
        errors=pairs.errors[0],
        max_stable_lr=2 / sharpest if sharpest > 0 else None,
        products=pairs.products,
        slices=[slice_along(loss, x, name, v, distances) for name, v in directions.items()],
    )


def slice_along(
    loss: Loss, x: Tensor, name: str, direction: Tensor, distances: Sequence[float] = DISTANCES
) -> Slice:
    """The loss along a direction (D,) from a point (D,), in either sense.

    Raises:
        SettingError: the direction has the wrong length, is zero or not finite.
    """
    unit = arguments.as_direction(direction, loss.names, name).to(x)
    with torch.no_grad():  # one by one, since so many points may be larger than memory
        losses = [loss((x + far * unit)[None])[0] for far in distances]
    return Slice(name, torch.tensor(distances, dtype=x.dtype), torch.stack(losses).cpu())


def _largest(loss: Loss, grad: Tensor) -> list[Component]:
    """The components of largest magnitude, largest first."""
    order = grad.abs().argsort(descending=True, stable=True)[:_COMPONENTS].tolist()
    return [Component(loss.names[at], float(grad[at])) for at in order]
