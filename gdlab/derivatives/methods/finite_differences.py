"""Derivatives from function values only: differences over a range of steps, and their errors.

Shapes: D dimensions, m steps h, n directions; V variables of a map.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

EPSILON = 2.0**-52
DOUBT = 30.0
"""Differences are trusted up to this multiple of their uncertainty."""

NOISE = 1e3 * EPSILON
"""Changes of values up to this part of them can be rounding."""

_STEPS = 41  # each half the one before: from about 1 to 1e-12
_WIDEST = 79 / 128  # not a simple fraction, which could be a period of the function
_EXPONENT = 1023  # the greatest of a float64
_NOISY = 8  # number of smallest steps, where differences differ only by rounding
_ABOVE_FLOOR = 30.0  # errors above this multiple of the rounding error are truncation
_FITTED = 6  # points to fit a slope to: the last ones before rounding takes over
_ROUNDINGS = 8.0  # errors up to this multiple of the rounding error count as exact
_FALLS = -0.5  # between the slopes of rounding (−1) and of a wrong derivative (0)
_DEPTHS = 6  # of the extrapolation tableau
_CONTRADICTS = 10.0  # values that differ by this multiple of the uncertainty contradict
_KINK = 1e-3  # of the largest slope: the least difference of one-sided slopes at a kink
_BLOCK = 2**22  # maximum count of numbers in the points of one call


@dataclass(frozen=True)
class Differences:
    """Difference quotients of a function along n directions through one point.

    Attributes:
        h: steps (n, m), a row for each direction, each step half the one before.
        central: (f(x + h u) − f(x − h u)) / 2h: (n, m).
        forward: (f(x + h u) − f(x)) / h: (n, m).
        backward: (f(x) − f(x − h u)) / h: (n, m).
        rounding: the rounding error of the central difference: (n, m).
    """

    h: Tensor
    central: Tensor
    forward: Tensor
    backward: Tensor
    rounding: Tensor

    @classmethod
    def along(
        cls,
        f: Callable[[Tensor], Tensor],
        x: Tensor,
        directions: Tensor,
        widest: Tensor | None = None,
    ) -> "Differences":
        """Compute the quotients of f at a point x (D,) along unit directions (n, D).

        The steps go from about the size of x along the direction, at least 1, or from the widest
        step given, down to 1e-12 times that.

        Args:
            f: maps points (..., D) to values (...).
            x: the point.
            directions: unit vectors.
            widest: the largest steps (n,); None to choose them.
        """
        size = widest_step((directions.abs() * x.abs()).amax(1, keepdim=True))
        largest_step = size if widest is None else widest[:, None]
        h = largest_step * 2.0 ** -torch.arange(_STEPS, dtype=x.dtype)
        offsets = h[:, :, None] * directions[:, None, :]
        above, below = values_at(f, x + offsets), values_at(f, x - offsets)
        at = values_at(f, x[None])[0]
        central, forward, backward = (above - below) / (2 * h), (above - at) / h, (at - below) / h
        largest = torch.stack((above.abs(), below.abs(), at.abs().expand_as(h))).amax(0)
        # A sum of many terms has more rounding error than its value: the smallest steps show it.
        observed = (central.diff(dim=1).abs() * h[:, 1:])[:, -_NOISY:].amax(1, keepdim=True)
        # The points are rounded too, which changes the values in proportion to the slope.
        slope = torch.maximum(forward.abs(), backward.abs())
        shift = EPSILON * size / _WIDEST * slope  # in this order: it cannot overflow
        rounding = torch.maximum(EPSILON * largest + shift, observed.nan_to_num(0.0)) / h
        return cls(h, central, forward, backward, rounding)

    @cached_property
    def _central_limit(self) -> tuple[Tensor, Tensor]:
        return extrapolate(self.central, self.rounding, order=2)

    @cached_property
    def _one_sided_limits(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        both = torch.cat((self.backward, self.forward))
        limits, doubts = extrapolate(both, 2 * self.rounding.repeat(2, 1), order=1)
        left, right = zip(limits.chunk(2), doubts.chunk(2), strict=True)
        return left, right

    def one_sided_slopes(self) -> "list[OneSidedSlopes]":
        """Estimate the slopes to the left and to the right of the point, for each direction."""
        left, right = self._one_sided_limits
        doubts = (left[1] + right[1]).tolist()
        pairs = zip(left[0].tolist(), right[0].tolist(), doubts, strict=True)
        return [OneSidedSlopes(*values) for values in pairs]

    def are_confirmed(self, value: float) -> Tensor:
        """Whether the smallest steps confirm all three limits up to rounding, (n,).

        At a jump or a vertical tangent, or if f varies faster than the steps, they do not.

        Args:
            value: f(x).
        """
        confirmed = torch.ones(len(self.h), dtype=torch.bool)
        limits = self._central_limit, *self._one_sided_limits
        for values, (limit, uncertainty) in zip(
            (self.central, self.backward, self.forward), limits, strict=True
        ):
            changes = (values * self.h).abs()
            size = torch.where(changes.isfinite(), changes, 0.0).amax(1).clamp(min=abs(value))
            allowed = DOUBT * uncertainty[:, None] + (NOISE * size)[:, None] / self.h
            near = (values - limit[:, None]).abs() <= allowed
            confirmed &= near[:, -_NOISY:].all(1) & limit.isfinite()
        return confirmed

    def limit(self) -> tuple[Tensor, Tensor]:
        """Extrapolate the central differences to h → 0: limits (n,) and their uncertainty (n,).

        Richardson's extrapolation. The entry of its tableau whose neighbors differ least is taken,
        as in Ridders, "Accurate computation of F′(x) and F′(x)F″(x)", Advances in Engineering
        Software 4, 1982. NaN and infinity if no value is finite.
        """
        return self._central_limit


def widest_step(size: Tensor) -> Tensor:
    """Return the largest step (...) for numbers of a size (...): about that size, at least 1."""
    return _WIDEST * 2.0 ** size.clamp(min=1.0).log2().round().clamp(max=_EXPONENT)


@dataclass(frozen=True)
class OneSidedSlopes:
    """The slopes to the left and to the right of a point, and the sum of their uncertainties."""

    left: float
    right: float
    uncertainty: float

    def differ(self, scale: float) -> bool:
        """Whether the slopes differ by more than their uncertainty, relative to a scale: a kink."""
        return abs(self.left - self.right) > max(DOUBT * self.uncertainty, _KINK * scale)


def extrapolate(values: Tensor, rounding: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """Extrapolate values (n, m) for halving steps to step 0: limits and uncertainty, (n,) each.

    Args:
        values: their errors have the orders `order`, 2 · `order`, … in the step.
        rounding: the rounding error of the values (n, m).
        order: 2 for central differences, 1 for one-sided ones.
    """
    column, noise = values, rounding
    entries, doubts = [], []
    for depth in range(1, _DEPTHS):
        factor = 2.0 ** (order * depth)
        finer = (factor * column[:, 1:] - column[:, :-1]) / (factor - 1)
        noise = (factor * noise[:, 1:] + noise[:, :-1]) / (factor - 1)
        # Two equal values may be a coincidence, such as steps that are periods; three are not.
        near = torch.stack((column[:, :-1], column[:, 1:], _after_pairs(column)))
        doubt = (finer - near).abs().amax(0) + noise
        entries.append(torch.nn.functional.pad(finer, (depth, 0), value=math.nan))
        doubts.append(torch.where(doubt.isfinite(), doubt, math.inf))
        doubts[-1] = torch.nn.functional.pad(doubts[-1], (depth, 0), value=math.inf)
        column = finer
    tableau, doubt = torch.stack(entries, 1), torch.stack(doubts, 1)  # (n, depths, m)
    doubt = (doubt + _contradiction(tableau, doubt)).flatten(1)
    least, index = doubt.min(1)
    return tableau.flatten(1).gather(1, index[:, None])[:, 0], least


def _contradiction(tableau: Tensor, doubt: Tensor) -> Tensor:
    """Measure how far values (n, depths, m) contradict those of smaller steps: (n, depths, m).

    Far from the point a function may settle to another slope, on which many large steps agree.
    """
    least, depth = doubt.min(1)
    best = tableau.gather(1, depth[:, None])[:, 0]  # the most certain value of each step: (n, m)
    excess = torch.zeros_like(doubt)
    for finer in range(1, tableau.shape[2]):
        distance = (tableau[:, :, :finer] - best[:, finer, None, None]).abs()
        beyond = distance - _CONTRADICTS * least[:, finer, None, None]
        excess[:, :, :finer] = torch.maximum(excess[:, :, :finer], beyond.nan_to_num(0.0))
    return excess


def _after_pairs(column: Tensor) -> Tensor:
    """Return the entry after each pair of neighbors, (n, m − 1) of (n, m); the last repeats."""
    return torch.cat((column[:, 2:], column[:, -1:]), 1)


@dataclass(frozen=True)
class Convergence:
    """How the error of a difference shrinks with the step.

    Attributes:
        slope: of the truncation error on a log-log scale; None if too few steps show it.
        exact: whether every error is only rounding.
        best: the step with the least error.
        least: that error.
    """

    slope: float | None
    exact: bool
    best: float
    least: float

    @property
    def words(self) -> str:
        """The slope with two decimals, or `exact`."""
        if self.exact or self.slope is None:
            return "exact" if self.exact else "–"  # noqa: RUF001
        return f"{round(self.slope, 2) + 0.0:.2f}"  # adding zero turns −0.00 into 0.00


def convergence(h: Tensor, error: Tensor, rounding: Tensor) -> Convergence:
    """Fit how the errors (m,) shrink with the decreasing steps h (m,).

    Args:
        h: the steps.
        error: absolute errors; those that are not finite are left out.
        rounding: the rounding error at each step (m,); infinite where it is unknown.
    """
    known = error.isfinite()
    h, error, rounding = h[known], error[known], rounding[known]
    if not len(h):
        return Convergence(None, False, math.nan, math.nan)
    smallest = int(error.argmin())
    best, least = float(h[smallest]), float(error[smallest])
    is_rounding = (error <= _ROUNDINGS * rounding) & rounding.isfinite()
    if bool(is_rounding.all()):
        return Convergence(None, True, best, least)
    return Convergence(_slope(h, error, error > _ABOVE_FLOOR * rounding), False, best, least)


def _slope(h: Tensor, error: Tensor, usable: Tensor) -> float | None:
    """Fit the slope of log error over log h by least squares to the smallest usable steps."""
    indices = torch.nonzero(usable)[:, 0]
    if len(indices) < 3:
        return None
    indices = indices[-_FITTED:]
    x, y = h[indices].log2(), error[indices].log2()
    x = x - x.mean()
    slope = float((x @ y) / (x @ x))
    return slope if slope > _FALLS else None


def central_differences(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Compute the derivatives (..., V) at a point x (V,) by central differences.

    The step is ε^(1/3) · max(1, |xᵢ|), which balances the truncation error h² with the
    rounding error ε/h (Nocedal and Wright, "Numerical optimization", 2006, section 8.1).

    Args:
        function: maps points (k, V) to values (k, ...).
        x: the point.
    """
    x = x.detach()
    h = torch.finfo(x.dtype).eps ** (1 / 3) * x.abs().clamp(min=1)
    rows = max(1, _BLOCK // len(x))
    slopes = []
    with torch.no_grad():
        for block in torch.arange(len(x)).split(rows):
            below, above = (x.repeat(len(block), 1) for _ in range(2))
            diagonal = torch.arange(len(block)), block
            below[diagonal] -= h[block]
            above[diagonal] += h[block]
            rise, run = function(above) - function(below), (above - below)[diagonal]
            slopes.append(rise / run.reshape(-1, *(1,) * (rise.ndim - 1)))
    return torch.cat(slopes).movedim(0, -1)


def values_at(f: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Evaluate f at points (n, m, D) in blocks of bounded size: values (n, m)."""
    rows = max(1, _BLOCK // points.shape[-1])
    flat = points.reshape(-1, points.shape[-1])
    with torch.no_grad():
        return torch.cat([f(part) for part in flat.split(rows)]).reshape(points.shape[:-1])
