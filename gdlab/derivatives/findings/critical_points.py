"""Critical points: classify a point, or find all critical points in a window.

Shapes: D dimensions, n points.
"""

from collections import Counter
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.findings.extrema import extremum_among_neighbors
from gdlab.derivatives.findings.hessian import eigendecomposition
from gdlab.derivatives.findings.kinks import MOST_DIMENSIONS, find_kinks
from gdlab.derivatives.findings.second_differences import flaw_of_hessian, gather_evidence
from gdlab.derivatives.findings.zero_gradients import GRID_SIZE, draw_starts, newton_step, solve
from gdlab.derivatives.methods.behavior import Kind
from gdlab.derivatives.methods.finite_differences import EPSILON
from gdlab.derivatives.point import LossAtPoint
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian, value_and_gradient
from gdlab.numerics.rowwise import norm

TOL = 1e-6
"""Default gradient norm up to which a point is critical."""

MAX_DIMENSIONS = 12
"""Maximum number of dimensions in which critical points are searched for."""

_ROUNDING = 1e-14  # of λ_max ‖x‖: the accuracy of a gradient
_SAME = 1e-6  # of the window: points closer than this count as one
_MAX_LISTED = 100
_MOST_KINKS = 4
_STEP, _SHRUNK = 1e-3, 2.0**-6  # of the window and of such a step: to see that a point is smooth
_TURNS = 0.1  # of the Hessian: if it changes more within such steps, it may not exist
_FLAT = 2.0**-9  # of its change: at a smooth critical point this is 2⁻¹², at a kink 2⁻⁶
_KINDS = {
    "minimum": ("minimum", "minima"),
    "maximum": ("maximum", "maxima"),
    "saddle": ("saddle", "saddles"),
    "degenerate": ("degenerate point", "degenerate points"),
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
        flaw: why there is no gradient; None if there is one.
        flaw_of_hessian: why autograd's Hessian does not count; None if it does.
    """

    grad_norm: float
    tol: float
    is_critical: bool | None
    kind: str | None
    index: int
    eigenvalues: Tensor
    flaw: str | None = None
    flaw_of_hessian: str | None = None

    def section(self) -> Section:
        """Return a sentence that classifies the point."""
        if self.flaw is not None:
            words = self._without_gradient()
        elif self.is_critical is None:
            words = f"unknown: ‖∇f‖ is {number(self.grad_norm, 4)} by autograd"
        elif not self.is_critical:
            words = f"no: ‖∇f‖ = {number(self.grad_norm, 4)} is above {number(self.tol, 3)}"
        else:
            words = f"yes, a {_kind_in_words(self)}"
            if self.grad_norm > 0:
                words += f" (‖∇f‖ = {number(self.grad_norm, 4)} ≤ {number(self.tol, 3)})"
        notes = []
        if self.kind == "degenerate":
            notes.append(self._reason())
        return Section("Critical point", [("critical", words)], notes=notes)

    def _without_gradient(self) -> str:
        """Return the verdict on a point where there is no gradient."""
        if not self.is_critical:
            return f"no: {self.flaw}"
        if self.kind is None:
            return f"yes: {self.flaw}"
        return f"yes, a {self.kind} by the values around: {self.flaw}"

    def _reason(self) -> str:
        """Return why the kind is degenerate."""
        if self.flaw_of_hessian is not None:
            return f"No Hessian determines the kind: {self.flaw_of_hessian}."
        if bool(self.eigenvalues.isnan().any()):
            return "The Hessian is not finite here, so it does not determine the kind."
        return "An eigenvalue is numerically zero: the Hessian does not determine the kind."


@dataclass(frozen=True)
class CriticalPoint:
    """A critical point (D,) with its loss and classification."""

    at: Tensor
    value: float
    critical: Critical


@dataclass(frozen=True)
class CriticalPoints(Finding):
    """The critical points of a loss in a window.

    Attributes:
        window: the window that was searched, low and high (D, 2).
        starts: the number of starts.
        total: the number of critical points found.
        points: the hundred with the lowest loss.
        kinks: minima without a gradient (n, D), searched for in one and two dimensions.
    """

    window: Tensor
    starts: int
    total: int
    points: tuple[CriticalPoint, ...]
    kinks: Tensor

    def section(self) -> Section:
        """Return the number of points of each kind and a table with a row per point."""
        counts = Counter(str(point.critical.kind) for point in self.points)
        words = ", ".join(f"{count} {_KINDS[kind][count > 1]}" for kind, count in counts.items())
        sides = " by ".join(f"[{number(a, 5)}, {number(b, 5)}]" for a, b in self.window.tolist())
        lines = [("found", words or "none"), ("window", f"{sides}, {self.starts:,} starts")]
        if len(self.kinks):
            where = ", ".join(vector(point) for point in self.kinks[:_MOST_KINKS])
            more = ", …" if len(self.kinks) > _MOST_KINKS else ""
            lines.append(("at kinks", f"minima without a gradient: {where}{more}"))
        rows = [
            (
                _kind_in_words(point.critical),
                vector(point.at),
                number(point.value),
                vector(point.critical.eigenvalues, 5),
            )
            for point in self.points
        ]
        more = self.total - len(self.points)
        note = f"{more:,} points with a higher loss are not listed; they may form whole curves."
        header = ("kind", "point", "loss", "eigenvalues")
        table = Table(header, rows) if rows else None
        return Section("Critical points", lines, table, [note] if more else [])


def _kind_in_words(critical: Critical) -> str:
    index = f" of index {critical.index}" if critical.kind == "saddle" else ""
    return f"{_KINDS[str(critical.kind)][0]}{index}"


def critical(at: LossAtPoint, tol: float = TOL) -> Critical:
    """Determine whether a point is critical, with a gradient norm ≤ tol or none, and classify it.

    With a large Hessian, gradients are less accurate than tol; 1e-14 λ_max ‖x‖ then replaces it.
    """
    found = classify(at.x, at.gradient, at.hessian, tol)
    if at.flaws:
        lines = [flaw.behavior for flaw in at.flaws]
        is_inside = all(Kind.EDGE not in (b.kind, b.left.kind, b.right.kind) for b in lines)
        kind = extremum_among_neighbors(at) if is_inside else None
        return replace(found, is_critical=is_inside, kind=kind, flaw=at.flaw)
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
    return found


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


def find(
    loss: Loss, window: Tensor | None = None, tol: float = TOL, seed: int = 0
) -> CriticalPoints:
    """Search a window for critical points, from many starts in one batch.

    From each start, Newton's method solves ∇f = 0, with Levenberg-Marquardt damping so that ‖∇f‖
    decreases. It converges to saddles and maxima as well as minima.

    Args:
        loss: the loss.
        window: low and high (D, 2); None for the loss's window.
        tol: the gradient norm up to which a point is critical.
        seed: seed of the random starts, used in more than two dimensions; otherwise the starts form
            a grid.

    Raises:
        SettingError: the loss has no window, or too many dimensions.
    """
    if loss.dim > MAX_DIMENSIONS:
        limit = f"needs a loss of at most {MAX_DIMENSIONS} dimensions"
        raise SettingError(f"find=true: {limit}; got {loss.dim}")
    if window is None and loss.window is None:
        raise SettingError("window=null: the loss has no window; give low and high")
    window = loss.tensor(loss.window if window is None else window)
    starts = draw_starts(window, seed)
    x = solve(loss, starts)
    low, high = window.unbind(1)
    width = high - low
    x = torch.where(x.abs() <= EPSILON * width, 0.0, x)
    inside = ((x >= low - _SAME * width) & (x <= high + _SAME * width)).all(1)
    points = _classify_all(loss, x[inside], width, tol)
    points.sort(key=lambda point: (point.value, point.at.tolist()))
    kinks = x[:0]
    if loss.dim <= MOST_DIMENSIONS:
        kinks = find_kinks(loss, starts, width / GRID_SIZE)
    return CriticalPoints(window, len(starts), len(points), tuple(points[:_MAX_LISTED]), kinks)


def _recheck(loss: Loss, point: CriticalPoint, width: Tensor, tol: float) -> Critical:
    """Classify a point again if there may be no gradient or no Hessian there."""
    matrix = hessian(loss, point.at[None])
    steps = torch.diag(_STEP * width)
    sides = torch.cat((point.at + steps, point.at - steps))
    changes = (loss(sides) - point.value).abs()
    close = (loss(point.at + _SHRUNK * (sides - point.at)) - point.value).abs()
    is_flat = close <= _FLAT * changes + EPSILON * abs(point.value)
    turns = (hessian(loss, point.at + _SHRUNK * (sides - point.at)) - matrix).abs().amax()
    if bool(is_flat.all()) and bool(turns <= _TURNS * matrix.abs().amax()):
        return point.critical
    at = LossAtPoint(loss, point.at)
    return point.critical if at.has_certain_hessian else critical(at, tol)


def _classify_all(loss: Loss, x: Tensor, width: Tensor, tol: float) -> list[CriticalPoint]:
    """Return the critical ones of the points (n, D), each once.

    Those with a loss or Hessian that is not finite are skipped.
    """
    value, gradient = value_and_gradient(loss, x)
    matrix = hessian(loss, x)
    # An eigenvalue counts as zero if the next Newton step changes the Hessian by as much.
    next_matrix = hessian(loss, x + newton_step(loss, x, gradient, torch.zeros_like(x[:, :1])))
    uncertainty = 2 * torch.linalg.matrix_norm(next_matrix - matrix)
    is_new = value.isfinite() & matrix.isfinite().all(2).all(1)
    points = []
    for k in range(len(x)):
        if not is_new[k]:
            continue
        margin = float(uncertainty[k].nan_to_num(0.0))
        kind = classify(x[k], gradient[k], matrix[k], tol, margin)
        point = CriticalPoint(x[k].clone(), float(value[k]), kind)
        kind = _recheck(loss, point, width, tol) if kind.is_critical else kind
        if kind.is_critical and kind.flaw is None:  # kinks are searched for apart
            points.append(replace(point, critical=kind))
            is_new &= ((x - x[k]).abs() / width > _SAME).any(1)
    return points
