"""A search of a window for critical points: where the gradient is zero, and extrema at kinks.

Shapes: D dimensions, n points.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.findings.continua import are_in_continua
from gdlab.derivatives.findings.critical_points import (
    TOL,
    Critical,
    classify,
    classify_at,
    rounding_of_hessian,
)
from gdlab.derivatives.findings.extrema import WEAK, extremum_among_neighbors
from gdlab.derivatives.findings.kinks import MOST_DIMENSIONS, find_kinks
from gdlab.derivatives.findings.zero_gradients import GRID_SIZE, draw_starts, newton_step, solve
from gdlab.derivatives.methods.finite_differences import EPSILON
from gdlab.derivatives.methods.symbolic import Symbolic
from gdlab.derivatives.point import LossAtPoint
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian, value_and_gradient
from gdlab.numerics.rowwise import norm

MAX_DIMENSIONS = 12
"""Maximum number of dimensions in which critical points are searched for."""

_LEVEL = 1e-6  # of the largest gradient norm at the starts: a critical point has less
_SAME = 1e-6  # of the window: points closer than this count as one
_MAX_LISTED = 100
_STEP, _SHRUNK = 1e-3, 2.0**-6  # of the window and of such a step: to see that a point is smooth
_TURNS = 0.1  # of the Hessian: if it changes more within such steps, it may not exist
_FLAT = 2.0**-9  # of its change: at a smooth critical point this is 2⁻¹², at a kink 2⁻⁶
_PLURALS = {
    "minimum": "minima",
    "maximum": "maxima",
    "saddle": "saddles",
    "degenerate point": "degenerate points",
    "minimum at a kink": "minima at kinks",
    "maximum at a kink": "maxima at kinks",
}
_OTHER_KINKS = "other points without a gradient are not searched for"


@dataclass(frozen=True)
class CriticalPoint:
    """A critical point (D,) with its loss and classification.

    Attributes:
        at: the point.
        value: the loss there.
        critical: its classification.
        is_isolated: whether no critical point is next to it.
    """

    at: Tensor
    value: float
    critical: Critical
    is_isolated: bool = True

    @property
    def name(self) -> str:
        """The kind by which it is counted."""
        kind = "degenerate point" if self.critical.kind == "degenerate" else self.critical.kind
        return f"{kind} at a kink" if self.critical.flaw else str(kind)

    def row(self) -> tuple[str, ...]:
        """Return the point as a row of a table."""
        eigenvalues = vector(self.critical.eigenvalues, 5)
        if self.critical.flaw is not None or self.critical.flaw_of_hessian is not None:
            eigenvalues = "no gradient" if self.critical.flaw else "no Hessian"
        return self.critical.words, vector(self.at), number(self.value), eigenvalues


@dataclass(frozen=True)
class CriticalPoints(Finding):
    """The critical points of a loss in a window.

    Attributes:
        window: the window that was searched, low and high (D, 2).
        starts: the number of starts.
        total: the number of critical points found.
        counts: the same by kind.
        points: a hundred of them at most: first the isolated ones with the lowest loss, then some
            of those on curves and areas.
        in_continua: how many are on a curve or an area of critical points.
        kinks: which points without a gradient were searched for; None if the loss has no kinks.
    """

    window: Tensor
    starts: int
    total: int
    counts: Mapping[str, int]
    points: tuple[CriticalPoint, ...]
    in_continua: int
    kinks: str | None

    def section(self) -> Section:
        """Return the number of points of each kind and a table with a row per point."""
        words = ", ".join(
            f"{count} {_PLURALS[name] if count > 1 else name}"
            for name, count in self.counts.items()
        )
        more = self.total - len(self.points)
        if more:
            words = f"{self.total:,}: {words}; {len(self.points)} listed"
        sides = " by ".join(f"[{number(a, 5)}, {number(b, 5)}]" for a, b in self.window.tolist())
        lines = [("found", words or "none"), ("window", f"{sides}, {self.starts:,} starts")]
        if self.kinks is not None:
            lines.append(("kinks", self.kinks))
        header = ("kind", "point", "loss", "eigenvalues")
        table = Table(header, [point.row() for point in self.points]) if self.points else None
        return Section("Critical points", lines, table, self._notes(more))

    def _notes(self, more: int) -> list[str]:
        notes = []
        if self.in_continua:
            what = f"{self.in_continua:,} of the points are not isolated: they are samples of"
            notes.append(f"{what} curves or areas of critical points.")
        if more:
            rest = "with a higher loss" if more >= self.in_continua else "of curves or areas"
            notes.append(f"{more:,} points {rest} are not listed.")
        if self._has_gaps:
            missed = (
                "the search missed a critical point between them, or the loss is undefined there"
            )
            notes.append(f"Two extrema of one kind are neighbors: {missed}; try a narrower window.")
        return notes

    @property
    def _has_gaps(self) -> bool:
        """Whether in one dimension two minima or two maxima follow each other."""
        if len(self.window) > 1 or self.total > len(self.points):
            return False
        kinds = [p.critical.kind for p in sorted(self.points, key=lambda p: float(p.at[0]))]
        return any(a == b and a in ("minimum", "maximum") for a, b in itertools.pairwise(kinds))


def find(
    loss: Loss, window: Tensor | None = None, tol: float = TOL, seed: int = 0
) -> CriticalPoints:
    """Search a window for critical points, from many starts in one batch.

    From each start, Newton's method solves ∇f = 0, with Levenberg-Marquardt damping so that ‖∇f‖
    decreases. It converges to saddles and maxima as well as minima. In one and two dimensions,
    minima and maxima at kinks are sought from the lowest and highest starts.

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
    slopes = norm(value_and_gradient(loss, starts)[1]).nan_to_num(0.0, 0.0)
    tol = min(tol, _LEVEL * float(slopes.max()))  # of a loss of tiny slopes, all are within tol
    x = solve(loss, starts)
    low, high = window.unbind(1)
    width = high - low
    x = torch.where(x.abs() <= EPSILON * width, 0.0, x)
    inside = ((x >= low - _SAME * width) & (x <= high + _SAME * width)).all(1)
    points = _classify_all(loss, x[inside], width, tol)
    points = _mark_continua(loss, points, width)
    kinks = None
    if _may_have_kinks(loss):
        kinks = f"not searched for in more than {MOST_DIMENSIONS} dimensions"
        if loss.dim <= MOST_DIMENSIONS:
            kinks = f"minima and maxima; {_OTHER_KINKS}"
            points += _extrema_at_kinks(loss, starts, width / GRID_SIZE, points)
    points.sort(key=lambda point: (point.value, point.at.tolist()))
    counts = Counter(point.name for point in points)
    in_continua = sum(not point.is_isolated for point in points)
    return CriticalPoints(
        window=window,
        starts=len(starts),
        total=len(points),
        counts=dict(counts),
        points=tuple(_most_telling(points)),
        in_continua=in_continua,
        kinks=kinks,
    )


def _most_telling(points: Sequence[CriticalPoint]) -> list[CriticalPoint]:
    """Return a hundred points at most: the isolated ones, then some from all over the others."""
    isolated = [point for point in points if point.is_isolated][:_MAX_LISTED]
    others = [point for point in points if not point.is_isolated]
    count = min(len(others), _MAX_LISTED - len(isolated))
    return isolated + [others[k * len(others) // count] for k in range(count)]


def _may_have_kinks(loss: Loss) -> bool:
    """Whether nothing proves that a loss has no kinks: a smooth formula does."""
    symbolic = Symbolic.of(loss)
    return symbolic is None or not symbolic.has_no_kinks


def _extrema_at_kinks(
    loss: Loss, starts: Tensor, width: Tensor, found: Sequence[CriticalPoint]
) -> list[CriticalPoint]:
    """Return the minima and maxima at kinks, not near the critical points that were found."""
    known = torch.stack([point.at for point in found]) if found else starts[:0]
    points = []
    for kind, sign in (("minimum", 1), ("maximum", -1)):
        for x in find_kinks(loss, starts, width, known, sign):
            at = LossAtPoint(loss, x)
            by_values = extremum_among_neighbors(at)
            if by_values is not None and WEAK.get(by_values, by_values) != kind:
                continue
            nothing = torch.full_like(x, torch.nan)
            flaw = "there is no gradient here, but a kink"
            verdict = Critical(torch.nan, 0.0, True, kind, 0, nothing, flaw=flaw)
            points.append(CriticalPoint(x, float(at.value), verdict, by_values == kind))
    return points


def _mark_continua(
    loss: Loss, points: Sequence[CriticalPoint], width: Tensor
) -> list[CriticalPoint]:
    """Say which degenerate points are isolated, and of those what the values around show."""
    doubtful = [point.at for point in points if point.critical.kind == "degenerate"]
    if not doubtful:
        return list(points)
    verdicts = iter(are_in_continua(loss, torch.stack(doubtful), width).tolist())
    marked = []
    for point in points:
        if point.critical.kind == "degenerate":
            if next(verdicts):
                point = replace(point, is_isolated=False)
            else:
                at = LossAtPoint(loss, point.at)
                by_values = extremum_among_neighbors(at, is_flat=True)
                point = replace(point, critical=replace(point.critical, by_values=by_values))
        marked.append(point)
    return marked


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
    return point.critical if at.has_certain_hessian else classify_at(at, tol)


def _classify_all(loss: Loss, x: Tensor, width: Tensor, tol: float) -> list[CriticalPoint]:
    """Return the critical ones of the points (n, D), each once.

    Those with a loss or Hessian that is not finite are skipped.
    """
    value, gradient = value_and_gradient(loss, x)
    matrix = hessian(loss, x)
    # An eigenvalue counts as zero if the next Newton step changes the Hessian by as much.
    next_matrix = hessian(loss, x + newton_step(loss, x, gradient, torch.zeros_like(x[:, :1])))
    uncertainty = 2 * norm((next_matrix - matrix).flatten(1))[:, 0]
    uncertainty = torch.fmax(uncertainty, rounding_of_hessian(loss, x, matrix))
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
