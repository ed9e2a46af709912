"""Critical points: whether a point is one, and its kind.

Shapes: D dimensions.
"""

from dataclasses import dataclass, replace

from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, number
from gdlab.derivatives.findings.descent import Descent, first_order_descent
from gdlab.derivatives.findings.extrema import (
    NEITHER,
    WEAK,
    extremum_among_neighbors,
    level_axes,
)
from gdlab.derivatives.findings.hessian import eigendecomposition
from gdlab.derivatives.findings.second_differences import flaw_of_hessian, gather_evidence
from gdlab.derivatives.methods.behavior import Kind
from gdlab.derivatives.methods.finite_differences import EPSILON
from gdlab.derivatives.point import LossAtPoint
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian
from gdlab.numerics.rowwise import norm

TOL = 1e-6
"""Default gradient norm up to which a point is critical."""

_ROUNDING = 1e-14  # of λ_max ‖x‖: the accuracy of a gradient
_APART = 1e-2  # of the point's largest coordinate, or of 1: a longer step of Newton's leads away
_DISTANCE = 2  # times the change of the Hessian along that step: smaller eigenvalues tell nothing
_LAST_DIGITS = 4  # units in the last place by which a point may be wrong
_BY_VALUES = {
    "minimum": "All values around are higher, which is evidence of a minimum, but no proof.",
    "maximum": "All values around are lower, which is evidence of a maximum, but no proof.",
    NEITHER: "Some values around are higher, others lower: it is neither a minimum nor a maximum.",
    None: "Values around do not decide it either: none differs enough.",
}


@dataclass(frozen=True)
class Critical(Finding):
    """Whether a point is critical, and its kind.

    Attributes:
        grad_norm: the norm of the gradient.
        tol: the gradient norm up to which the point counts as critical.
        is_critical: whether `grad_norm` ≤ `tol`, or there is no gradient inside the domain; None if
            this is unknown, as autograd's gradient is not finite, varies beyond the resolution of
            floats, or is refuted by differences.
        kind: minimum, maximum, saddle or degenerate; None if not critical. Without a gradient,
            minimum or maximum by the values around, else None.
        index: the number of negative eigenvalues: 0 at a minimum, D at a maximum.
        eigenvalues: eigenvalues of autograd's Hessian (D,).
        by_values: at a degenerate point, minimum, maximum or neither by the values around, or a
            weak minimum or maximum, where some are equal; None if these do not tell.
        level: the names of the axes along which the values around a degenerate point are equal.
        descent: a direction in which the loss falls at first order, from a point without a
            gradient; None if none is found, or at a maximum.
        flaw: why there is no gradient; None if there is one.
        flaw_of_hessian: why autograd's Hessian does not count; None if it does.
        remaining: the length of Newton's step, at whose end the gradient should be zero; 0 where it
            is zero here, up to rounding, and where the point is not critical.
    """

    grad_norm: float
    tol: float
    is_critical: bool | None
    kind: str | None
    index: int
    eigenvalues: Tensor
    by_values: str | None = None
    level: tuple[str, ...] = ()
    descent: Descent | None = None
    flaw: str | None = None
    flaw_of_hessian: str | None = None
    remaining: float = 0.0

    def section(self) -> Section:
        """Return a sentence that classifies the point."""
        if self.flaw is not None:
            words = self._without_gradient()
        elif self.is_critical is None:
            words = f"unknown: ‖∇f‖ is {number(self.grad_norm, 4)} by autograd"
        elif not self.is_critical:
            words = f"no: ‖∇f‖ = {number(self.grad_norm, 4)} is above {number(self.tol, 3)}"
        else:
            small = f"‖∇f‖ = {number(self.grad_norm, 4)} ≤ {number(self.tol, 3)}"
            words = f"yes, a {self.words}" + (f" ({small})" if self.grad_norm > 0 else "")
            if self.remaining > 0:
                far = f"Newton's step leads {number(self.remaining, 2)} away"
                to = "" if self.kind == "degenerate" else f", to a {self.words}"
                words = f"yes, but only up to tol: {small}; {far}{to}"
        notes = []
        if self.kind == "degenerate":
            notes += [self._reason(), *([] if self.remaining else [self._by_values()])]
        return Section("Critical point", [("critical", words)], notes=notes)

    @property
    def words(self) -> str:
        """The kind, with the index of a saddle and what the values say of a degenerate point."""
        if self.kind == "saddle":
            return f"saddle of index {self.index}"
        if self.kind != "degenerate":
            return f"{self.kind} at a kink" if self.flaw else str(self.kind)
        if self.by_values in (NEITHER, None):
            return "degenerate point"
        kind = WEAK.get(str(self.by_values), self.by_values)
        strict = ", but not a strict one" if self.by_values in WEAK else ""
        return f"degenerate point, a {kind} by the values around{strict}"

    def _by_values(self) -> str:
        """Return what the values around a degenerate point say of it."""
        if self.by_values not in WEAK:
            return _BY_VALUES[self.by_values]
        kind = WEAK[self.by_values]
        one, other = ("higher", "lower") if kind == "minimum" else ("lower", "higher")
        axes = "the axes" if len(self.level) == len(self.eigenvalues) else " and ".join(self.level)
        equal = f"those along {axes}" if self.level else "others"
        return (
            f"Some values around are {one}, none is {other}, and {equal} are equal up to rounding: "
            f"evidence of a {kind}, but not of a strict one."
        )

    def _without_gradient(self) -> str:
        """Return the verdict on a point where there is no gradient."""
        if not self.is_critical:
            return f"no: {self.flaw}"
        if self.descent is not None:
            return f"yes: {self.flaw}; but no minimum: {self.descent.words}"
        if self.kind is None:
            return f"yes: {self.flaw}"
        return f"yes, a {self.kind} by the values around: {self.flaw}"

    def _reason(self) -> str:
        """Return why the kind is degenerate."""
        if self.flaw_of_hessian is not None:
            return f"No Hessian determines the kind: {self.flaw_of_hessian}."
        if bool(self.eigenvalues.isnan().any()):
            return "The Hessian is not finite here, so it does not determine the kind."
        if self.remaining > 0:
            change = "Along this step the Hessian changes by as much as its eigenvalues"
            return f"{change}: it does not determine the kind of the point that is near."
        return "An eigenvalue is numerically zero: the Hessian does not determine the kind."


def critical(at: LossAtPoint, tol: float = TOL) -> Critical:
    """Determine whether a point is critical, with a gradient norm ≤ tol or none, and classify it.

    With a large Hessian, gradients are less accurate than tol; 1e-14 λ_max ‖x‖ then replaces it.
    """
    found = classify_at(at, tol)
    if found.kind != "degenerate" or found.remaining > 0:
        return found
    by_values = extremum_among_neighbors(at, is_flat=True)
    level = level_axes(at) if by_values in WEAK else ()
    return replace(found, by_values=by_values, level=level)


def classify_at(at: LossAtPoint, tol: float = TOL) -> Critical:
    """Do what `critical` does, but for what the values around say of a degenerate point."""
    rounding = float(rounding_of_hessian(at.loss, at.x[None], at.hessian[None])[0])
    found = classify(at.x, at.gradient, at.hessian, tol, rounding)
    if at.flaws:
        lines = [flaw.behavior for flaw in at.flaws]
        is_inside = all(Kind.EDGE not in (b.kind, b.left.kind, b.right.kind) for b in lines)
        kind = extremum_among_neighbors(at) if is_inside else None
        kind = kind if kind in ("minimum", "maximum") else None
        descent = first_order_descent(at) if is_inside and kind != "maximum" else None
        kind = kind if descent is None else None  # random neighbors may miss a narrow way down
        return replace(found, is_critical=is_inside, kind=kind, descent=descent, flaw=at.flaw)
    if not bool(at.gradient.isfinite().all()):
        return replace(found, is_critical=None)
    is_seen = at.is_large or at.differentiability.are_partials_seen
    if found.is_critical and found.grad_norm > tol and not is_seen:
        return replace(found, is_critical=None, kind=None)
    if found.is_critical and not at.is_large and at.differentiability.refutes_autograd:
        return replace(found, is_critical=None, kind=None)
    if at.is_at_boundary and not is_seen:
        return replace(found, is_critical=None, kind=None)
    is_doubted = at.is_at_boundary and gather_evidence(at).agrees is not True
    if found.is_critical and (is_doubted or not at.has_certain_hessian):
        reason = flaw_of_hessian(at) or "differences do not confirm autograd's"
        return replace(found, kind="degenerate", flaw_of_hessian=reason)
    return _from_afar(at, found)


def _from_afar(at: LossAtPoint, found: Critical) -> Critical:
    """Say how far from a point of a kind one is that the tolerance, not a zero, makes critical."""
    if found.kind in (None, "degenerate") or at.is_flat:
        return found
    values, vectors = eigendecomposition(at.hessian)
    step = -vectors @ ((vectors.T @ at.gradient) / values)
    length = float(norm(step[None]))
    change = hessian(at.loss, (at.x + step)[None])[0] - at.hessian
    is_vague = not float(values.abs().min()) > _DISTANCE * float(norm(change.flatten()[None]))
    if not is_vague and length <= _APART * max(1.0, float(at.x.abs().max())):
        return found
    return replace(found, kind="degenerate" if is_vague else found.kind, remaining=length)


def rounding_of_hessian(loss: Loss, x: Tensor, matrix: Tensor) -> Tensor:
    """Return how much Hessians (n, D, D) change with the last digits of points (n, D): (n,)."""
    change = hessian(loss, x + _LAST_DIGITS * EPSILON * x) - matrix
    return norm(change.nan_to_num(0.0, 0.0, 0.0).flatten(1))[:, 0]


def classify(
    x: Tensor, gradient: Tensor, matrix: Tensor, tol: float, uncertainty: float = 0.0
) -> Critical:
    """Classify a point (D,) by its gradient (D,) and Hessian (D, D).

    Args:
        x: the point.
        gradient: the gradient at the point.
        matrix: the Hessian at the point.
        tol: the gradient norm up to which the point is critical, unless rounding is larger.
        uncertainty: how far the eigenvalues can be from those at the exact critical point.
    """
    eigenvalues = eigendecomposition(matrix)[0]
    largest = float(eigenvalues.abs().nan_to_num(0.0).max())
    tol = max(tol, _ROUNDING * largest * float(norm(x[None])))
    grad_norm, index = float(norm(gradient[None])), int((eigenvalues < 0).sum())
    if not grad_norm <= tol:  # NaN, too
        return Critical(grad_norm, tol, False, None, index, eigenvalues)
    zero = max(8 * len(x) * EPSILON * largest, uncertainty)
    if not bool((eigenvalues.abs() > zero).all()):
        kind = "degenerate"
    else:
        kind = "minimum" if index == 0 else "maximum" if index == len(x) else "saddle"
    return Critical(grad_norm, tol, True, kind, index, eigenvalues)
