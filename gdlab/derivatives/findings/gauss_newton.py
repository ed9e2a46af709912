"""Sums and means of squares: the residuals' Jacobian, and the Hessian that it stands for.

Shapes: N residuals, D dimensions.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gdlab.derivatives.arguments import format_setting
from gdlab.derivatives.finding import Finding, Section, number, vector
from gdlab.derivatives.methods.finite_differences import central_differences
from gdlab.derivatives.methods.residuals import (
    residual_jacobian,
    residuals_at,
    squares_factor,
    vector_jacobian_product,
)
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import keep_if_small, matrix
from gdlab.errors import SettingError
from gdlab.losses.base import Loss

MOST_NUMBERS = 2**20
"""A matrix of more numbers is formed only where that is asked for."""

_AGREE = 1e-8


@dataclass(frozen=True)
class Curvature:
    """The Gauss-Newton matrix c JᵀJ beside the Hessian H = c JᵀJ + c Σ rᵢ ∇²rᵢ.

    Matrices of more than 4,096 numbers are not kept.

    Attributes:
        gauss_newton: c JᵀJ (D, D).
        hessian: H (D, D).
        rest: H − c JᵀJ (D, D), the residuals' own curvature c Σ rᵢ ∇²rᵢ.
        gauss_newton_norm: the Frobenius norm of c JᵀJ.
        hessian_norm: that of H.
        rest_norm: that of H − c JᵀJ.
    """

    gauss_newton: Tensor | None
    hessian: Tensor | None
    rest: Tensor | None
    gauss_newton_norm: float
    hessian_norm: float
    rest_norm: float

    @classmethod
    def of(cls, whole: Tensor, jacobian: Tensor, factor: float) -> "Curvature":
        """Both at a point, given H (D, D), J (N, D) and c."""
        gauss_newton = factor * jacobian.T @ jacobian
        rest = whole - gauss_newton
        return cls(
            gauss_newton=keep_if_small(gauss_newton),
            hessian=keep_if_small(whole),
            rest=keep_if_small(rest),
            gauss_newton_norm=float(gauss_newton.norm()),
            hessian_norm=float(whole.norm()),
            rest_norm=float(rest.norm()),
        )

    @property
    def share(self) -> float:
        """The residuals' own curvature beside the whole, as norms."""
        return self.rest_norm / self.hessian_norm if self.hessian_norm else 0.0

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The two matrices and their difference."""
        return [
            ("c·JᵀJ", _shown(self.gauss_newton, self.gauss_newton_norm)),
            ("Hessian H", _shown(self.hessian, self.hessian_norm)),
            ("c·Σ rᵢ∇²rᵢ", f"H less c·JᵀJ: {_shown(self.rest, self.rest_norm)}"),
        ]

    @property
    def note(self) -> str:
        """What the difference means for a step."""
        if self.share <= _AGREE:
            return "c·JᵀJ is the whole Hessian here: a Gauss-Newton step is Newton's."
        share = f"{100 * self.share:.3g} % of the Hessian as norms go"
        return f"c·JᵀJ leaves out the residuals' own curvature, {share}."


@dataclass(frozen=True)
class ResidualJacobian:
    """The Jacobian J = ∂rᵢ/∂xⱼ of N residuals by D coordinates.

    Attributes:
        values: J (N, D) by autograd, where it has no more than 4,096 numbers.
        norm: its Frobenius norm.
        rank: its rank.
        disagreement: the largest difference between J and the same by central differences.
    """

    values: Tensor | None
    norm: float
    rank: int
    disagreement: float

    @classmethod
    def of(cls, loss: Loss, x: Tensor, jacobian: Tensor) -> "ResidualJacobian":
        """What there is to say of J at a point x (D,)."""
        differences = central_differences(partial(residuals_at, loss), x)
        away = float((differences - jacobian).abs().max())
        rank = int(torch.linalg.matrix_rank(jacobian))
        return cls(keep_if_small(jacobian), float(jacobian.norm()), rank, away)


@dataclass(frozen=True)
class Residuals(Finding):
    """A loss as ½ c Σ rᵢ², with the derivatives of its residuals r.

    Attributes:
        count: the number N of residuals.
        dim: the number D of dimensions.
        values: r (N,), where there are no more than 4,096.
        value: the loss.
        factor: c, 2 for a sum of squares and 2/N for a mean.
        jacobian: J; None where it was not formed.
        gradient: c Jᵀr (D,).
        disagreement: the largest difference between that and the gradient of the loss by autograd.
        agrees: whether that is rounding.
        curvature: what J says of the Hessian; None where that was not formed.
    """

    count: int
    dim: int
    values: Tensor | None
    value: float
    factor: float
    jacobian: ResidualJacobian | None
    gradient: Tensor
    disagreement: float
    agrees: bool
    curvature: Curvature | None

    def section(self) -> Section:
        """The residuals, J, the gradient and the curvature."""
        lines = [("loss", f"f = {self._loss()} = {number(self.value)}")]
        if self.values is not None:
            lines.append(("residuals", f"r = {vector(self.values)}"))
        if self.jacobian is not None:
            j, most = self.jacobian, min(self.count, self.dim)
            beside = f"{number(j.disagreement, 2)} from central differences at most"
            lines += [
                ("J = ∂rᵢ/∂xⱼ", f"{_shown(j.values, j.norm)}, {beside}"),
                ("rank of J", f"{j.rank} of at most {most}"),
            ]
        same = f"{number(self.disagreement, 2)} from autograd's at most"
        lines.append(("gradient", f"c·Jᵀr = {vector(self.gradient)}, {same}"))
        if self.curvature is not None:
            lines += self.curvature.lines
        return Section("Least squares: the residuals behind the loss", lines, notes=self._notes())

    def _loss(self) -> str:
        """The loss of its residuals."""
        n = f"{self.count:,}"
        if self.factor == 2:
            return f"Σ rᵢ² of {n} residuals (c = 2)"
        if self.factor == 2 / self.count:
            return f"(1/{n}) Σ rᵢ² of {n} residuals (c = 2/{n})"
        return f"½ c Σ rᵢ² of {n} residuals (c = {number(self.factor, 6)})"

    def _notes(self) -> list[str]:
        """What does not agree, what was not formed, what the curvature means."""
        notes = []
        if not self.agrees:
            notes.append("The gradient is not c·Jᵀr: the residuals are not those of the loss.")
        if self.jacobian is None:
            size = f"J has {self.count:,} by {self.dim:,} numbers"
            notes.append(f"{size}, more than are formed unasked; Jᵀr takes one pass back.")
        elif self.curvature is None:
            size = f"JᵀJ and the Hessian have {self.dim:,} by {self.dim:,} numbers"
            notes.append(f"{size}, more than are formed unasked.")
        else:
            notes.append(self.curvature.note)
        return notes


def residuals(place: LossAtPoint, most_numbers: int = MOST_NUMBERS) -> Residuals | None:
    """What the residuals of a loss say about it at a point; None where it has none.

    The loss is ½ c Σ rᵢ², its gradient c Jᵀr and its Hessian c JᵀJ + c Σ rᵢ ∇²rᵢ.

    Args:
        place: the loss and the point.
        most_numbers: J and the Hessian are formed where they have no more numbers.

    Raises:
        SettingError: the residuals or their derivatives are not finite there; they are all 0
            wherever they were asked for.
    """
    loss, x, direct = place.loss, place.x, place.gradient
    found = loss.residuals(x[None])
    if found is None:
        return None
    r = found[0].detach()
    if not bool(r.isfinite().all() and direct.isfinite().all()):
        raise SettingError(
            f"{format_setting(x, 'at')}: the residuals and the gradient must be finite"
        )
    c = squares_factor(loss, x)
    jacobian = residual_jacobian(loss, x) if len(r) * len(x) <= most_numbers else None
    pulled = c * (vector_jacobian_product(loss, x, r) if jacobian is None else jacobian.T @ r)
    curvature = None
    if jacobian is not None and len(x) ** 2 <= most_numbers:
        curvature = Curvature.of(place.hessian, jacobian, c)
    away, scale = float((pulled - direct).abs().max()), float(direct.abs().max())
    return Residuals(
        count=len(r),
        dim=len(x),
        values=keep_if_small(r),
        value=float(place.value),
        factor=c,
        jacobian=None if jacobian is None else ResidualJacobian.of(loss, x, jacobian),
        gradient=pulled,
        disagreement=away,
        agrees=away <= _AGREE * max(1.0, scale),
        curvature=curvature,
    )


def _shown(values: Tensor | None, norm: float) -> str:
    return f"norm {number(norm, 6)}" if values is None else matrix(values)
