"""The directional derivative and the slope along the level curve.

Shapes: D dimensions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives import arguments
from gdlab.derivatives.differentiability import Flaw
from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.methods.finite_differences import Convergence, convergence
from gdlab.derivatives.methods.local_behavior import local_behavior
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import LEGEND


@dataclass(frozen=True)
class Slope:
    """The slope of a loss in a unit direction, by two methods.

    Attributes:
        direction: the unit vector (D,).
        autograd: the inner product of the gradient and the direction.
        differences: the limit of central differences in the direction.
        uncertainty: uncertainty of that limit.
        error: how the error of the central differences shrinks with the step.
        flaw: a sentence on the slopes to both sides where there is no one slope; None if there is.
    """

    direction: Tensor
    autograd: float
    differences: float
    uncertainty: float
    error: Convergence
    flaw: str | None = None


@dataclass(frozen=True)
class Directional(Finding):
    """The directional derivative Dᵤf = ∇f · u = ‖∇f‖ cos θ.

    Attributes:
        slope: the slope in the direction.
        angle: the angle θ to the gradient, in degrees; None if the gradient is zero or not finite.
        tangent: the slope along the level curve, which must be 0; None without a level curve.
        flaw: why there is no gradient; None if there is one.
    """

    slope: Slope
    angle: float | None
    tangent: Slope | None
    flaw: str | None

    def section(self) -> Section:
        """Return the directional derivative, its angle and the slope along the level curve."""
        lines = [("direction", f"{_unit(self.slope)} (unit vector)")]
        if self.angle is not None:
            lines.append(("angle", f"{number(self.angle, 6)}° to the gradient"))
        rows = [_row("Dᵤf = ∇f · u", self.slope)]
        notes = []
        if self.tangent is not None:
            lines.append(("level curve", f"tangent {_unit(self.tangent)}"))
            rows.append(_row("along the level curve", self.tangent))
        elif self.slope.flaw is not None:
            notes.append(self.slope.flaw)
        elif self.flaw is not None:
            notes.append(f"The slope need not be ∇f · u: {self.flaw}.")
        else:
            reason = "the gradient is zero or not finite, or D = 1"
            notes.append(f"No level curve passes through the point: {reason}.")
        header = ("", "autograd", "differences", "±", "error slope")
        return Section("Directional derivative", lines, Table(header, rows), notes, LEGEND)


def _unit(slope: Slope) -> str:
    return vector(slope.direction, 6)


def _row(name: str, slope: Slope) -> tuple[str, ...]:
    if slope.flaw is not None:
        return name, number(slope.autograd), "none", "–", "–"  # noqa: RUF001
    numbers = number(slope.autograd), number(slope.differences), number(slope.uncertainty, 2)
    return name, *numbers, slope.error.words


def directional(at: LossAtPoint, direction: "Tensor | Sequence[float]") -> Directional:
    """Compute the slope of a loss at a point in a nonzero direction (D,) of any length.

    Raises:
        SettingError: the direction is zero or is not D finite numbers.
    """
    unit = arguments.as_direction(direction, at.names, "direction")
    slope, ascent = _slope(at, unit), at.ascent
    angle = None
    if ascent is not None:
        # From two norms: the cosine is flat at 0° and loses half of the digits.
        angle = math.degrees(
            2 * math.atan2(float((unit - ascent).norm()), float((unit + ascent).norm()))
        )
    tangent = None if ascent is None else tangent_of_level_curve(ascent, unit)
    return Directional(slope, angle, None if tangent is None else _slope(at, tangent), at.flaw)


def tangent_of_level_curve(ascent: Tensor, near: Tensor) -> Tensor | None:
    """Return the unit direction (D,) orthogonal to `ascent` and closest to `near`.

    None in one dimension.
    """
    if len(ascent) < 2:
        return None
    axis = torch.zeros_like(ascent)
    axis[ascent.abs().argmin()] = 1.0
    for start in (near, axis):
        across = start - (start @ ascent) * ascent
        if across.norm() > 0.1 * start.norm():
            across = across - (across @ ascent) * ascent  # twice suffices for orthogonality
            return across / across.norm()
    raise AssertionError("the axis of the smallest component is far from the gradient")


def _slope(at: LossAtPoint, unit: Tensor) -> Slope:
    d, limit, uncertainty = at.differences_along(unit)
    exact = at.gradient @ unit
    error = convergence(d.h[0], (d.central[0] - exact).abs(), d.rounding[0])
    flaw = _flaw_along(at, unit, exact) if at.flaws else None
    return Slope(unit, float(exact), float(limit[0]), float(uncertainty[0]), error, flaw)


def _flaw_along(at: LossAtPoint, unit: Tensor, slope: Tensor) -> str | None:
    """Return a sentence on why there is no slope along a direction (D,); None if there is one."""
    behavior = local_behavior(at.loss, at.x, unit[None], slope[None])[0]
    if not behavior.has_no_derivative:
        return None
    return Flaw(vector(unit, 6), behavior, float(at.value), float(slope)).sentence
