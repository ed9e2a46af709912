"""Critical points: whether a point is one, of which kind, and all that lie in a window.

Shapes: D dimensions, n points.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.findings.hessian import eigen
from gdlab.derivatives.methods.finite_differences import EPSILON
from gdlab.derivatives.point import LossAtPoint
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.numerics import rng
from gdlab.numerics.autodiff import hessian, norms, value_and_gradient

TOL = 1e-6
"""A gradient of this norm is none, unless told otherwise."""

MOST_DIMENSIONS = 12
"""Of a loss with more, critical points are not searched for."""

_ROUNDING = 1e-14  # of λ_max ‖x‖: no gradient is known better
_SIDE = 33  # of the grid of starts, in one and two dimensions
_STARTS = 1_000  # drawn from the window in more
_STEPS, _POLISH = 150, 4
_SAME = 1e-6  # of the window: points nearer than that are one
_MOST = 100
_KINDS = {
    "minimum": ("minimum", "minima"),
    "maximum": ("maximum", "maxima"),
    "saddle": ("saddle", "saddles"),
    "degenerate": ("degenerate point", "degenerate points"),
}


@dataclass(frozen=True)
class Critical(Finding):
    """Whether a point is critical, and of which kind.

    Attributes:
        grad_norm: of the gradient.
        tol: the norm up to which the point counts as critical.
        is_critical: whether it does.
        kind: minimum, maximum, saddle or degenerate; None where it is not critical.
        index: how many eigenvalues are negative: 0 at a minimum, D at a maximum.
        eigenvalues: of the Hessian (D,).
    """

    grad_norm: float
    tol: float
    is_critical: bool
    kind: str | None
    index: int
    eigenvalues: Tensor

    def section(self) -> Section:
        """A sentence."""
        if not self.is_critical:
            words = f"no: ‖∇f‖ = {number(self.grad_norm, 4)} is above {number(self.tol, 3)}"
        else:
            words = f"yes, a {_named(self)}"
        notes = []
        if self.kind == "degenerate":
            notes.append(
                "The Hessian is not finite here: it does not decide."
                if bool(self.eigenvalues.isnan().any())
                else "An eigenvalue is zero as far as it is known: the Hessian does not decide."
            )
        return Section("Critical point", [("critical", words)], notes=notes)


@dataclass(frozen=True)
class CriticalPoint:
    """A point (D,) that was found, with the loss there and of which kind it is."""

    at: Tensor
    value: float
    critical: Critical


@dataclass(frozen=True)
class Found(Finding):
    """The critical points of a loss in a window.

    Attributes:
        window: low and high that was searched (D, 2).
        starts: from how many starts.
        total: how many were found.
        points: the lowest hundred of them.
    """

    window: Tensor
    starts: int
    total: int
    points: tuple[CriticalPoint, ...]

    def section(self) -> Section:
        """How many there are of each kind, and a row for each."""
        counts = Counter(str(point.critical.kind) for point in self.points)
        words = ", ".join(f"{count} {_KINDS[kind][count > 1]}" for kind, count in counts.items())
        sides = " by ".join(f"[{number(a, 5)}, {number(b, 5)}]" for a, b in self.window.tolist())
        lines = [("found", words or "none"), ("in", f"{sides}, from {self.starts:,} starts")]
        rows = [
            (
                _named(point.critical),
                vector(point.at),
                number(point.value),
                vector(point.critical.eigenvalues, 5),
            )
            for point in self.points
        ]
        more = self.total - len(self.points)
        notes = [f"There are {more:,} higher ones, perhaps whole lines of them."] if more else []
        header = ("kind", "point", "loss", "eigenvalues")
        return Section("Critical points", lines, Table(header, rows), notes)


def _named(found: Critical) -> str:
    """The kind of a critical point in words."""
    index = f" of index {found.index}" if found.kind == "saddle" else ""
    return f"{_KINDS[str(found.kind)][0]}{index}"


def critical(place: LossAtPoint, tol: float = TOL) -> Critical:
    """Whether a loss has a critical point at a place: a gradient of norm ≤ tol.

    Where the Hessian is large no gradient can be computed that well; then 1e-14 λ_max ‖x‖ counts.
    """
    return classified(place.x, place.gradient, place.hessian, tol)


def classified(
    x: Tensor, gradient: Tensor, matrix: Tensor, tol: float, doubt: float = 0.0
) -> Critical:
    """The kind of a point (D,) with a gradient (D,) and a Hessian (D, D).

    Args:
        x: the point.
        gradient: there.
        matrix: the Hessian there.
        tol: the norm of the gradient up to which the point is critical, where that can be computed.
        doubt: how far the eigenvalues may be from those at the critical point itself.
    """
    eigenvalues = eigen(matrix)[0]
    largest = float(eigenvalues.abs().nan_to_num(0.0).max())
    tol = max(tol, _ROUNDING * largest * max(1.0, float(x.norm())))
    norm, index = float(norms(gradient[None, :, None])[0]), int((eigenvalues < 0).sum())
    if norm > tol:
        return Critical(norm, tol, False, None, index, eigenvalues)
    zero = max(8 * len(x) * EPSILON * largest, doubt)
    if not bool((eigenvalues.abs() > zero).all()):
        kind = "degenerate"
    else:
        kind = "minimum" if index == 0 else "maximum" if index == len(x) else "saddle"
    return Critical(norm, tol, True, kind, index, eigenvalues)


def find(loss: Loss, window: Tensor | None = None, tol: float = TOL, seed: int = 0) -> Found:
    """Search a window for critical points, from many starts in one batch.

    Each start follows Newton's method on the gradient, damped as Levenberg and Marquardt do so
    that ‖∇f‖ falls: it goes to saddles and maxima as well as to minima.

    Args:
        loss: the loss.
        window: low and high (D, 2); None for the loss's own.
        tol: the norm of the gradient at a critical point.
        seed: of the starts, in more than two dimensions; in fewer they lie on a grid.

    Raises:
        SettingError: the loss has no window, or too many dimensions.
    """
    if loss.dim > MOST_DIMENSIONS:
        what = f"is for at most {MOST_DIMENSIONS} dimensions; the loss has {loss.dim}"
        raise SettingError(f"find=true: {what}")
    if window is None and loss.window is None:
        raise SettingError("window=null: the loss has none of its own; give one, low and high")
    window = loss.tensor(loss.window if window is None else window)
    starts = _starts(window, seed)
    x = _newton(loss, starts)
    low, high = window.unbind(1)
    width = high - low
    x = torch.where(x.abs() <= EPSILON * width, 0.0, x)
    inside = ((x >= low - _SAME * width) & (x <= high + _SAME * width)).all(1)
    points: list[CriticalPoint] = []
    for point in _classified(loss, x[inside], tol):
        away = ((point.at - other.at).abs() / width for other in points)
        if point.critical.is_critical and not any(bool((d <= _SAME).all()) for d in away):
            points.append(point)
    points.sort(key=lambda point: (point.value, point.at.tolist()))
    return Found(window, len(starts), len(points), tuple(points[:_MOST]))


def _classified(loss: Loss, x: Tensor, tol: float) -> Iterator[CriticalPoint]:
    """Points (n, D) with the loss there and their kinds; those where it is not finite left out."""
    value, gradient = value_and_gradient(loss, x)
    matrix = hessian(loss, x)
    # Where Newton's next step still changes the Hessian by as much as an eigenvalue, that is zero.
    ahead = hessian(loss, x + _step(loss, x, gradient, torch.zeros_like(x[:, :1])))
    doubt = 2 * torch.linalg.matrix_norm(ahead - matrix)
    for k in torch.nonzero(value.isfinite() & matrix.isfinite().all(2).all(1))[:, 0]:
        found = classified(x[k], gradient[k], matrix[k], tol, float(doubt[k].nan_to_num(0.0)))
        yield CriticalPoint(x[k].clone(), float(value[k]), found)


def _starts(window: Tensor, seed: int) -> Tensor:
    """Starts (n, D): the middles of a grid's cells, or drawn."""
    low, high = window.unbind(1)
    dim = len(window)
    if dim <= 2:
        side = (torch.arange(_SIDE, dtype=window.dtype) + 0.5) / _SIDE
        unit = torch.cartesian_prod(*[side] * dim).reshape(-1, dim)
    else:
        place = torch.arange(_STARTS)[:, None], torch.arange(dim)
        unit = rng.uniform(torch.tensor(seed), rng.Stream.START, *place)
    return low + (high - low) * unit


def _newton(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Points (n, D) near which the gradient vanishes, from starts (n, D)."""
    damping = x.new_full((len(x), 1), 1e-2)
    gradient = value_and_gradient(loss, x)[1]
    for _ in range(_STEPS):
        trial = x + _step(loss, x, gradient, damping)
        there = value_and_gradient(loss, trial)[1]
        is_less = (there.norm(dim=1) < gradient.norm(dim=1))[:, None]
        x, gradient = torch.where(is_less, trial, x), torch.where(is_less, there, gradient)
        damping = torch.where(is_less, damping / 8, damping * 4).clamp(1e-30, 1e8)
    for _ in range(_POLISH):
        trial = x + _step(loss, x, gradient, torch.zeros_like(damping))
        there = value_and_gradient(loss, trial)[1]
        is_less = (there.norm(dim=1) < gradient.norm(dim=1))[:, None]
        x, gradient = torch.where(is_less, trial, x), torch.where(is_less, there, gradient)
    return x


def _step(loss: Callable[[Tensor], Tensor], x: Tensor, gradient: Tensor, damping: Tensor) -> Tensor:
    """The steps (n, D) that minimise ‖g + H d‖² + damping λ_max² ‖d‖²."""
    matrix = hessian(loss, x)
    known = matrix.isfinite().all(2).all(1)[:, None, None]
    values, vectors = torch.linalg.eigh(torch.where(known, matrix, 0.0).contiguous())
    scale = values.abs().amax(1, keepdim=True)
    along = (vectors * gradient[:, :, None]).sum(1)
    factor = values / (values.square() + damping * scale.square())
    return -(vectors * (factor * along).nan_to_num(0.0, 0.0, 0.0)[:, None]).sum(2)
