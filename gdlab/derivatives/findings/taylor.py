"""The tangent plane, the second-order Taylor model and the total differential.

Shapes: D dimensions, m distances.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives import arguments
from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.findings.hessian import eigendecomposition
from gdlab.derivatives.findings.second_differences import flaw_of_hessian
from gdlab.derivatives.methods.finite_differences import (
    EPSILON,
    Convergence,
    convergence,
    values_at,
)
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import linear_combination, offset_from
from gdlab.numerics.autodiff import hessian_products

_DISTANCES = 34  # halving, from 1 to 1e-10
_LARGEST_DISTANCE = 1.0
_SHOWN = (0, 1, 2, 4, 7, 10)
_QUADRATIC_SHOWN = 3  # dimensions
_LEGEND = (
    "error: |loss − model|, at a distance along this direction; "  # noqa: RUF001
    "slope: of log error against log distance, plane 2, second order 3, or more"
)


@dataclass(frozen=True)
class Model:
    """A model of the loss near a point.

    Attributes:
        equation: the model as text.
        values: its values at decreasing distances along a direction (m,).
        errors: absolute differences from the loss (m,).
        convergence: how the errors shrink with the distance: slope 2 for a tangent plane, 3 for a
            second-order model.
    """

    equation: str
    values: Tensor
    errors: Tensor
    convergence: Convergence


@dataclass(frozen=True)
class Taylor(Finding):
    """The Taylor models of the loss at a point.

    Attributes:
        expanded: the equation of the tangent plane, multiplied out; empty if that overflows.
        direction: the unit direction (D,) along which the errors are measured.
        choice: how it was chosen, for use after it.
        distances: distances from the point, decreasing (m,).
        values: the loss at these distances (m,).
        plane: the tangent plane f(a) + ∇f(a) · (x − a).
        second: the plane plus ½ (x − a)ᵀ H (x − a).
        flaw: why there is no tangent plane; None if there is one.
        flaw_of_hessian: why there is no second-order model; None if there is one.
    """

    expanded: str
    direction: Tensor
    choice: str
    distances: Tensor
    values: Tensor
    plane: Model
    second: Model
    flaw: str | None
    flaw_of_hessian: str | None

    def section(self) -> Section:
        """Return the equations and the errors at increasing distances."""
        title = "Tangent plane and Taylor model"
        if self.flaw is not None:
            return Section(title, [("plane", f"none: {self.flaw}")])
        lines = [("plane", f"z = {self.expanded}")] if self.expanded else []
        if self.expanded != self.plane.equation:
            lines.append(("" if lines else "plane", f"z = {self.plane.equation}"))
        if self.flaw_of_hessian is not None:
            lines.append(("second order", f"no Hessian: {self.flaw_of_hessian}"))
        elif len(self.direction) <= _QUADRATIC_SHOWN:
            lines.append(("second order", f"z = {self.second.equation}"))
        lines.append(("errors along", f"{vector(self.direction, 6)}, {self.choice}"))
        header = ("distance", "loss", "plane", "error", "second order", "error")
        rows = [self._row(k) for k in reversed(_SHOWN)]
        slopes = self.plane.convergence.words, self.second.convergence.words
        rows.append(("slope", "", "", slopes[0], "", slopes[1]))
        if self.flaw_of_hessian is not None:
            header, rows = header[:4], [row[:4] for row in rows]
        return Section(title, lines, Table(header, rows), legend=_LEGEND)

    def _row(self, k: int) -> tuple[str, ...]:
        cells = [number(self.distances[k], 3), number(self.values[k])]
        for model in (self.plane, self.second):
            cells += [number(model.values[k]), number(model.errors[k], 2)]
        return tuple(cells)


def taylor(at: LossAtPoint, direction: "Tensor | Sequence[float] | None" = None) -> Taylor:
    """Compute the first- and second-order Taylor models of a loss at a point.

    Args:
        at: the loss and the point.
        direction: the nonzero direction (D,) along which errors are measured. None for steepest
            ascent; without one, that of the largest curvature; if this is 0, the one of a few along
            which the loss varies most.

    Raises:
        SettingError: the direction is zero or is not D finite numbers.
    """
    x, value, gradient, matrix = at.x, at.value, at.slopes, at.hessian
    along, choice = _choose(at)
    if direction is not None:
        along, choice = arguments.as_direction(direction, at.names, "direction"), "as given"
    distance = _LARGEST_DISTANCE * 2.0 ** -torch.arange(_DISTANCES, dtype=x.dtype)
    values = values_at(at.loss, x + distance[:, None] * along)
    slope, curvature = gradient @ along, along @ matrix @ along
    plane = value + distance * slope
    second = plane + distance**2 / 2 * curvature
    # The points are rounded too, which changes the loss by its slope.
    size = EPSILON * x.abs().max()  # first, so that no product overflows
    rounding = EPSILON * torch.maximum(values.abs(), value.abs()) + size * slope.abs()
    curved = rounding + size * distance * curvature.abs()

    def make_model(equation: str, predicted: Tensor, rounding: Tensor) -> Model:
        errors = (values - predicted).abs()
        return Model(equation, predicted, errors, convergence(distance, errors, rounding))

    deviations = [offset_from(name, float(a)) for name, a in zip(at.names, x, strict=True)]
    slopes = list(zip(gradient.tolist(), deviations, strict=True))
    intercept = float(value - gradient @ x)
    expanded = [*zip(gradient.tolist(), at.names, strict=True), (intercept, "")]
    tangent = [(float(value), ""), *slopes]
    return Taylor(
        expanded=linear_combination(expanded) if math.isfinite(intercept) else "",
        direction=along,
        choice=choice,
        distances=distance,
        values=values,
        plane=make_model(linear_combination(tangent), plane, rounding),
        second=make_model(
            linear_combination([*tangent, *_quadratic_terms(matrix, deviations)]), second, curved
        ),
        flaw=at.flaw_of_slopes,
        flaw_of_hessian=flaw_of_hessian(at),
    )


def _choose(at: LossAtPoint) -> tuple[Tensor, str]:
    """Choose a unit direction (D,) along which the loss varies, and say how."""
    if at.ascent is not None:
        return at.ascent, "that of steepest ascent"
    if len(at.x) == 1:
        return torch.ones_like(at.x), "the only direction"
    values, vectors = eigendecomposition(at.hessian)
    if bool(values[-1].abs() > EPSILON * values.abs().max()):
        return vectors[:, -1], "that of the largest curvature"
    lines = torch.cat((torch.eye(len(at.x)).to(at.x), at.differentiability.oblique))
    lines = torch.cat((lines, vectors.T)) if bool(vectors.isfinite().all()) else lines
    changes = (values_at(at.loss, at.x + _LARGEST_DISTANCE * lines) - at.value).abs()
    changes = torch.where(changes.isfinite(), changes, -1.0)
    if not bool((changes > 0).any()):
        return lines[0], f"though the loss changes along none of {len(lines)} directions"
    return lines[changes.argmax()], f"the one of {len(lines)} directions with the largest change"


def _quadratic_terms(matrix: Tensor, deviations: list[str]) -> list[tuple[float, str]]:
    """Return the terms of ½ (x − a)ᵀ H (x − a); none in more than three dimensions."""
    if len(deviations) > _QUADRATIC_SHOWN:
        return []
    return [
        (float(matrix[i, i]) / 2, f"{deviations[i]}²")
        if i == j
        else (float(matrix[i, j]), f"{deviations[i]} {deviations[j]}")
        for i in range(len(deviations))
        for j in range(i, len(deviations))
    ]


@dataclass(frozen=True)
class Differential(Finding):
    """The total differential df = Σ ∂f/∂xᵢ dxᵢ of a step and the true change.

    Attributes:
        step: dx (D,).
        terms: ∂f/∂xᵢ dxᵢ (D,).
        equation: their sum as text.
        df: the sum.
        second: df + ½ dxᵀ H dx; None if not requested.
        change: f(x + dx) − f(x).
        flaw: why there is no differential; None if there is one.
    """

    step: Tensor
    terms: Tensor
    equation: str
    df: float
    second: float | None
    change: float
    flaw: str | None

    def section(self) -> Section:
        """Return the differential, the true change and their difference."""
        if self.flaw is not None:
            lines = [("df", f"none: {self.flaw}"), ("true change", number(self.change))]
            return Section("Total differential", [("step", vector(self.step)), *lines])
        lines = [
            ("step", vector(self.step)),
            ("df", f"{self.equation} = {number(self.df)}"),
            ("true change", number(self.change)),
            ("error of df", number(abs(self.change - self.df), 3)),
        ]
        if self.second is not None:
            error = f"error {number(abs(self.change - self.second), 3)}"
            lines.append(("df + ½ dxᵀH dx", f"{number(self.second)}, {error}"))
        return Section("Total differential", lines)


def differential(
    at: LossAtPoint, step: "Tensor | Sequence[float]", *, curved: bool = True
) -> Differential:
    """Compute the total differential of a loss at a point for a step.

    Args:
        at: the loss and the point.
        step: dx (D,).
        curved: whether to add the second-order term, which needs second derivatives.

    Raises:
        SettingError: the step is not D finite numbers.
    """
    step = arguments.as_point(step, at.names, "step")
    terms = at.gradient * step
    df = float(terms.sum())
    summands = [
        (slope, f"({number(dx)})")
        for slope, dx in zip(at.gradient.tolist(), step.tolist(), strict=True)
    ]
    change = values_at(at.loss, (at.x + step)[None])[0] - at.value
    second = None
    if curved and not at.missing_curvatures:
        product = hessian_products(at.loss, at.x[None])(step[None])[0]
        second = df + float(step @ product) / 2
    equation = linear_combination(summands)
    return Differential(step, terms, equation, df, second, float(change), at.flaw_of_slopes)
