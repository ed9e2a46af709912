"""The slope in a direction, and along the level curve.

Shapes: D dimensions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives import arguments
from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.methods.finite_differences import Convergence, Differences, convergence
from gdlab.derivatives.point import LossAtPoint


@dataclass(frozen=True)
class Slope:
    """The slope of a loss in a unit direction, two ways.

    Attributes:
        direction: of length 1 (D,).
        autograd: the gradient's inner product with the direction.
        differences: the limit of central differences along it.
        uncertainty: of that limit.
        error: how the errors of the central differences shrink with the step.
    """

    direction: Tensor
    autograd: float
    differences: float
    uncertainty: float
    error: Convergence


@dataclass(frozen=True)
class Directional(Finding):
    """The directional derivative Dᵤf = ∇f · u = ‖∇f‖ cos θ.

    Attributes:
        slope: along the direction.
        angle: θ to the gradient, in degrees; None where the gradient is zero or not finite.
        tangent: along the level curve, where the slope must vanish; None where there is no curve.
    """

    slope: Slope
    angle: float | None
    tangent: Slope | None

    def section(self) -> Section:
        """The directional derivative and its angle, the slope along the level curve below it."""
        lines = [("direction", f"{_unit(self.slope)}, of length 1")]
        if self.angle is not None:
            lines.append(("angle", f"{number(self.angle, 6)}° to the gradient"))
        rows = [_row("Dᵤf = ∇f · u", self.slope)]
        notes = []
        if self.tangent is not None:
            lines.append(("level curve", f"runs along {_unit(self.tangent)}"))
            rows.append(_row("along the level curve", self.tangent))
        else:
            what = "the gradient is zero or not finite, or D = 1"
            notes.append(f"No level curve goes through the point: {what}.")
        header = ("", "autograd", "differences", "±", "slope of the error")
        return Section("Directional derivative", lines, Table(header, rows), notes)


def _unit(slope: Slope) -> str:
    return vector(slope.direction, 6)


def _row(name: str, slope: Slope) -> tuple[str, ...]:
    numbers = number(slope.autograd), number(slope.differences), number(slope.uncertainty, 2)
    return name, *numbers, slope.error.words


def directional(place: LossAtPoint, direction: "Tensor | Sequence[float]") -> Directional:
    """The slope of a loss at a point in a direction (D,) of any length but zero.

    Raises:
        SettingError: the direction has not D finite numbers, or is zero.
    """
    unit = arguments.as_direction(direction, place.names, "direction")
    slope, ascent = _slope(place, unit), place.ascent
    angle = None
    if ascent is not None:
        # By two lengths, not by the cosine, which is flat at 0° and loses half of the digits.
        angle = math.degrees(
            2 * math.atan2(float((unit - ascent).norm()), float((unit + ascent).norm()))
        )
    tangent = None if ascent is None else tangent_of_level_curve(ascent, unit)
    return Directional(slope, angle, None if tangent is None else _slope(place, tangent))


def tangent_of_level_curve(ascent: Tensor, beside: Tensor) -> Tensor | None:
    """A unit direction (D,) at right angles to that of ascent, the nearest to another direction.

    None where there is but one dimension.
    """
    if len(ascent) < 2:
        return None
    axis = torch.zeros_like(ascent)
    axis[ascent.abs().argmin()] = 1.0
    for start in (beside, axis):
        across = start - (start @ ascent) * ascent
        if across.norm() > 0.1 * start.norm():
            across = across - (across @ ascent) * ascent  # twice is enough to be orthogonal
            return across / across.norm()
    raise AssertionError("an axis that the gradient has least of is far from it")


def _slope(place: LossAtPoint, unit: Tensor) -> Slope:
    found = Differences.along(place.loss, place.x, unit[None])
    limit, uncertainty = found.limit()
    exact = place.gradient @ unit
    error = convergence(found.h[0], (found.central[0] - exact).abs(), found.rounding[0])
    return Slope(unit, float(exact), float(limit[0]), float(uncertainty[0]), error)
