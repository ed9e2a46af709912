"""Least-squares losses: the Jacobian of the residuals and the Gauss-Newton matrix.

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
from gdlab.numerics.rowwise import length

MOST_NUMBERS = 2**20
"""Default maximum number of entries of a matrix that is computed."""

_AGREE = 1e-8  # relative: smaller differences are rounding


@dataclass(frozen=True)
class Curvature:
    """The Gauss-Newton matrix c JᵀJ and the Hessian H = c JᵀJ + c Σ rᵢ ∇²rᵢ.

    Matrices of more than 4,096 numbers are dropped.

    Attributes:
        gauss_newton: c JᵀJ (D, D).
        hessian: H (D, D).
        rest: H − c JᵀJ (D, D), the curvature of the residuals c Σ rᵢ ∇²rᵢ.
        gauss_newton_norm: the Frobenius norm of c JᵀJ.
        hessian_norm: the Frobenius norm of H.
        rest_norm: the Frobenius norm of H − c JᵀJ.
    """

    gauss_newton: Tensor | None
    hessian: Tensor | None
    rest: Tensor | None
    gauss_newton_norm: float
    hessian_norm: float
    rest_norm: float

    @classmethod
    def of(cls, hessian: Tensor, jacobian: Tensor, factor: float) -> "Curvature":
        """Compare both matrices, given H (D, D), J (N, D) and c."""
        gauss_newton = factor * jacobian.T @ jacobian
        rest = hessian - gauss_newton
        return cls(
            gauss_newton=keep_if_small(gauss_newton),
            hessian=keep_if_small(hessian),
            rest=keep_if_small(rest),
            gauss_newton_norm=length(gauss_newton),
            hessian_norm=length(hessian),
            rest_norm=length(rest),
        )

    @property
    def share(self) -> float:
        """The norm of the residuals' curvature relative to that of the Hessian."""
        return self.rest_norm / self.hessian_norm if self.hessian_norm else 0.0

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The two matrices and their difference."""
        return [
            ("c·JᵀJ", _format(self.gauss_newton, self.gauss_newton_norm)),
            ("Hessian H", _format(self.hessian, self.hessian_norm)),
            ("c·Σ rᵢ∇²rᵢ", f"H - c·JᵀJ = {_format(self.rest, self.rest_norm)}"),
        ]

    @property
    def note(self) -> str:
        """What the difference means for a Gauss-Newton step."""
        if self.share <= _AGREE:
            return "c·JᵀJ equals the Hessian here: a Gauss-Newton step is a Newton step."
        share = f"{100 * self.share:.3g} % of the Hessian's norm"
        return f"c·JᵀJ omits the curvature of the residuals, {share}."


@dataclass(frozen=True)
class ResidualJacobian:
    """The Jacobian J = ∂rᵢ/∂xⱼ of N residuals by D coordinates.

    Attributes:
        values: J (N, D) by autograd; None if it has more than 4,096 numbers.
        norm: its Frobenius norm.
        rank: its rank.
        disagreement: the largest difference between J and central differences.
    """

    values: Tensor | None
    norm: float
    rank: int
    disagreement: float

    @classmethod
    def of(cls, loss: Loss, x: Tensor, jacobian: Tensor) -> "ResidualJacobian":
        """Summarize J at a point x (D,)."""
        differences = central_differences(partial(residuals_at, loss), x)
        disagreement = float((differences - jacobian).abs().max())
        rank = int(torch.linalg.matrix_rank(jacobian))
        return cls(keep_if_small(jacobian), length(jacobian), rank, disagreement)


@dataclass(frozen=True)
class Residuals(Finding):
    """A loss ½ c Σ rᵢ² with the derivatives of its residuals r.

    Attributes:
        count: the number N of residuals.
        dim: the number D of dimensions.
        values: r (N,); None if there are more than 4,096.
        value: the loss.
        factor: c: 2 for a sum of squares, 2/N for a mean.
        jacobian: J; None if it was too large.
        gradient: c Jᵀr (D,).
        disagreement: the largest difference between c Jᵀr and autograd's gradient of the loss.
        agrees: whether that difference is rounding.
        curvature: c JᵀJ and the Hessian; None if they were too large.
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
        """Return the residuals, J, the gradient and the curvature."""
        lines = [("loss", f"f = {self._formula()} = {number(self.value)}")]
        if self.values is not None:
            lines.append(("residuals", f"r = {vector(self.values)}"))
        if self.jacobian is not None:
            j, max_rank = self.jacobian, min(self.count, self.dim)
            error = f"within {number(j.disagreement, 2)} of central differences"
            lines += [
                ("J = ∂rᵢ/∂xⱼ", f"{_format(j.values, j.norm)}, {error}"),
                ("rank of J", f"{j.rank} of at most {max_rank}"),
            ]
        error = f"within {number(self.disagreement, 2)} of autograd"
        lines.append(("gradient", f"c·Jᵀr = {vector(self.gradient)}, {error}"))
        if self.curvature is not None:
            lines += self.curvature.lines
        return Section("Least squares: the residuals of the loss", lines, notes=self._notes())

    def _formula(self) -> str:
        """Return the loss as a formula of its residuals."""
        n = f"{self.count:,}"
        if self.factor == 2:
            return f"Σ rᵢ² of {n} residuals (c = 2)"
        if self.factor == 2 / self.count:
            return f"(1/{n}) Σ rᵢ² of {n} residuals (c = 2/{n})"
        return f"½ c Σ rᵢ² of {n} residuals (c = {number(self.factor, 6)})"

    def _notes(self) -> list[str]:
        """Return notes on disagreement, on matrices too large to compute, and on the curvature."""
        notes = []
        if not self.agrees:
            notes.append("The gradient is NOT c·Jᵀr: the residuals do not match the loss.")
        if self.jacobian is None:
            size = f"J has {self.count:,} by {self.dim:,} entries"
            notes.append(f"{size}, too many to compute; Jᵀr took one backward pass.")
        elif self.curvature is None:
            size = f"JᵀJ and the Hessian have {self.dim:,} by {self.dim:,} entries"
            notes.append(f"{size}, too many to compute.")
        else:
            notes.append(self.curvature.note)
        return notes


def residuals(at: LossAtPoint, most_numbers: int = MOST_NUMBERS) -> Residuals | None:
    """Analyze the residuals of a loss at a point; return None if it has none.

    The loss is ½ c Σ rᵢ², its gradient c Jᵀr and its Hessian c JᵀJ + c Σ rᵢ ∇²rᵢ.

    Args:
        at: the loss and the point.
        most_numbers: maximum number of entries of J and of the Hessian; larger ones are skipped.

    Raises:
        SettingError: the residuals or their derivatives are not finite at the point, or all
            residuals are 0 at every point tried.
    """
    loss, x, direct = at.loss, at.x, at.gradient
    batch = loss.residuals(x[None])
    if batch is None:
        return None
    r = batch[0].detach()
    if not bool(r.isfinite().all() and direct.isfinite().all()):
        raise SettingError(
            f"{format_setting(x, 'at')}: the residuals and the gradient must be finite"
        )
    c = squares_factor(loss, x)
    jacobian = residual_jacobian(loss, x) if len(r) * len(x) <= most_numbers else None
    by_residuals = c * (vector_jacobian_product(loss, x, r) if jacobian is None else jacobian.T @ r)
    curvature = None
    if jacobian is not None and len(x) ** 2 <= most_numbers:
        curvature = Curvature.of(at.hessian, jacobian, c)
    disagreement = float((by_residuals - direct).abs().max())
    scale = float(direct.abs().max())
    return Residuals(
        count=len(r),
        dim=len(x),
        values=keep_if_small(r),
        value=float(at.value),
        factor=c,
        jacobian=None if jacobian is None else ResidualJacobian.of(loss, x, jacobian),
        gradient=by_residuals,
        disagreement=disagreement,
        agrees=disagreement <= _AGREE * max(1.0, scale),
        curvature=curvature,
    )


def _format(values: Tensor | None, norm: float) -> str:
    return f"norm {number(norm, 6)}" if values is None else matrix(values)
