"""The tangent plane, the Taylor model of second order and the total differential.

Shapes: D dimensions, m distances.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives import arguments
from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.findings.hessian import eigen
from gdlab.derivatives.methods.finite_differences import (
    EPSILON,
    Convergence,
    convergence,
    values_at,
)
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import linear_combination, offset_from
from gdlab.numerics.autodiff import hessian_products

_DISTANCES = 34  # they halve: from a unit to 1e-10
_WIDEST = 1.0
_SHOWN = (0, 1, 2, 4, 7, 10)
_QUADRATIC_SHOWN = 3


@dataclass(frozen=True)
class Model:
    """A model of the loss near a point.

    Attributes:
        equation: in words.
        values: at growing distances along a direction (m,).
        errors: how far the loss is from them (m,).
        convergence: how the errors shrink with the distance: slope 2 for a tangent plane, 3 for a
            model of second order.
    """

    equation: str
    values: Tensor
    errors: Tensor
    convergence: Convergence


@dataclass(frozen=True)
class Taylor(Finding):
    """The loss near a point, by its derivatives there.

    Attributes:
        expanded: the tangent plane's equation, multiplied out.
        direction: the unit direction (D,) along which the errors were measured.
        distances: falling (m,).
        values: of the loss at these distances (m,).
        plane: the tangent plane f(a) + ∇f(a) · (x − a).
        second: with ½ (x − a)ᵀ H (x − a) added.
    """

    expanded: str
    direction: Tensor
    distances: Tensor
    values: Tensor
    plane: Model
    second: Model

    def section(self) -> Section:
        """The equations, and the errors in growing distance."""
        lines = [("plane", f"z = {self.expanded}"), ("", f"z = {self.plane.equation}")]
        if len(self.direction) <= _QUADRATIC_SHOWN:
            lines.append(("second order", f"z = {self.second.equation}"))
        lines.append(("errors along", vector(self.direction, 6)))
        header = ("distance", "loss", "plane", "error", "second order", "error")
        rows = [self._row(k) for k in reversed(_SHOWN)]
        slopes = self.plane.convergence.words, self.second.convergence.words
        rows.append(("slope", "", "", slopes[0], "", slopes[1]))
        return Section("Tangent plane and Taylor model", lines, Table(header, rows))

    def _row(self, k: int) -> tuple[str, ...]:
        cells = [number(self.distances[k], 3), number(self.values[k])]
        for model in (self.plane, self.second):
            cells += [number(model.values[k]), number(model.errors[k], 2)]
        return tuple(cells)


def taylor(place: LossAtPoint, direction: "Tensor | Sequence[float] | None" = None) -> Taylor:
    """The Taylor models of a loss at a point.

    Args:
        place: the loss and the point.
        direction: (D,), of any length but zero, along which errors are measured; None for steepest
            ascent, where there is none the Hessian's last eigenvector, or else the last axis.

    Raises:
        SettingError: the direction has not D finite numbers, or is zero.
    """
    x, value, gradient, matrix = place.x, place.value, place.gradient, place.hessian
    along = place.ascent
    if direction is not None:
        along = arguments.as_direction(direction, place.names, "direction")
    elif along is None:
        along = eigen(matrix)[1][:, -1]
    if not bool(along.isfinite().all()):
        along = torch.eye(len(x), dtype=x.dtype)[-1]
    distance = _WIDEST * 2.0 ** -torch.arange(_DISTANCES, dtype=x.dtype)
    values = values_at(place.loss, x + distance[:, None] * along)
    slope, curvature = gradient @ along, along @ matrix @ along
    plane = value + distance * slope
    second = plane + distance**2 / 2 * curvature
    # The points are rounded too, which moves the loss by its slope there.
    moved = x.abs().max() * (slope.abs() + distance * curvature.abs())
    rounding = EPSILON * (torch.maximum(values.abs(), value.abs()) + moved)

    def model(equation: str, modelled: Tensor) -> Model:
        errors = (values - modelled).abs()
        return Model(equation, modelled, errors, convergence(distance, errors, rounding))

    away = [offset_from(name, float(a)) for name, a in zip(place.names, x, strict=True)]
    slopes = list(zip(gradient.tolist(), away, strict=True))
    at_zero = float(value - gradient @ x)
    expanded = [*zip(gradient.tolist(), place.names, strict=True), (at_zero, "")]
    tangent = [(float(value), ""), *slopes]
    return Taylor(
        expanded=linear_combination(expanded),
        direction=along,
        distances=distance,
        values=values,
        plane=model(linear_combination(tangent), plane),
        second=model(linear_combination([*tangent, *_quadratic(matrix, away)]), second),
    )


def _quadratic(matrix: Tensor, away: list[str]) -> list[tuple[float, str]]:
    """The terms of ½ (x − a)ᵀ H (x − a), where they are few."""
    if len(away) > _QUADRATIC_SHOWN:
        return []
    return [
        (float(matrix[i, i]) / 2, f"{away[i]}²")
        if i == j
        else (float(matrix[i, j]), f"{away[i]} {away[j]}")
        for i in range(len(away))
        for j in range(i, len(away))
    ]


@dataclass(frozen=True)
class Differential(Finding):
    """The total differential df = Σ ∂f/∂xᵢ dxᵢ of a step, beside the true change.

    Attributes:
        step: dx (D,).
        terms: ∂f/∂xᵢ dxᵢ (D,).
        equation: their sum in words.
        df: the sum.
        second: the sum with ½ dxᵀ H dx; None where that was not asked for.
        change: f(x + dx) − f(x).
    """

    step: Tensor
    terms: Tensor
    equation: str
    df: float
    second: float | None
    change: float

    def section(self) -> Section:
        """The differential beside the change, and what is between them."""
        lines = [
            ("step", vector(self.step)),
            ("df", f"{self.equation} = {number(self.df)}"),
            ("true change", number(self.change)),
            ("df is off by", number(abs(self.change - self.df), 3)),
        ]
        if self.second is not None:
            off = f"off by {number(abs(self.change - self.second), 3)}"
            lines.append(("with ½ dxᵀH dx", f"{number(self.second)}, {off}"))
        return Section("Total differential", lines)


def differential(
    place: LossAtPoint, step: "Tensor | Sequence[float]", *, curved: bool = True
) -> Differential:
    """The total differential of a loss at a point for a step.

    Args:
        place: the loss and the point.
        step: dx (D,).
        curved: whether to add the term of second order, for which the loss must have such
            derivatives.

    Raises:
        SettingError: the step has not D finite numbers.
    """
    step = arguments.as_point(step, place.names, "step")
    terms = place.gradient * step
    df = float(terms.sum())
    words = [
        (slope, f"({number(by)})")
        for slope, by in zip(place.gradient.tolist(), step.tolist(), strict=True)
    ]
    change = values_at(place.loss, (place.x + step)[None])[0] - place.value
    second = None
    if curved:
        turned = hessian_products(place.loss, place.x[None])(step[None])[0]
        second = df + float(step @ turned) / 2
    return Differential(step, terms, linear_combination(words), df, second, float(change))
