"""Derivatives from values alone: differences over a range of steps, and what their errors tell.

Shapes: D dimensions, m steps h, n directions; V variables of a map.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 2.0**-52
DOUBT = 30.0
"""What differences estimate lies within so many of their uncertainties."""

_STEPS = 41  # they halve: from about a unit to 1e-12
_WIDEST = 79 / 128  # no simple fraction, which could be a period of the function
_NOISY = 8  # the smallest steps, where differences differ by rounding alone
_ABOVE_FLOOR = 30.0  # an error so many times the rounding's is truncation
_FITTED = 6  # points that a slope is read off: the last ones before rounding takes over
_ROUNDINGS = 8.0  # an error within so many roundings of a value is none
_FALLS = -0.5  # rounding has slope −1, a wrong derivative 0
_DEPTHS = 6  # of the extrapolation
_CONTRADICTS = 10.0  # a value so many times its own uncertainty away is another one
_KINK = 1e-3  # of the largest slope: what one-sided slopes differ by at a kink
_BLOCK = 2**22  # numbers that the points of one call may hold


@dataclass(frozen=True)
class Differences:
    """Difference quotients of a function along n directions through one point.

    Attributes:
        h: steps (n, m), a row for each direction, halving.
        central: (f(x + h u) − f(x − h u)) / 2h: (n, m).
        forward: (f(x + h u) − f(x)) / h: (n, m).
        backward: (f(x) − f(x − h u)) / h: (n, m).
        rounding: what rounding the values does to a central difference: (n, m).
    """

    h: Tensor
    central: Tensor
    forward: Tensor
    backward: Tensor
    rounding: Tensor

    @classmethod
    def along(cls, f: Callable[[Tensor], Tensor], x: Tensor, directions: Tensor) -> "Differences":
        """The quotients of f at a point x (D,) along unit directions (n, D).

        The steps go from about the size of the point along the direction, at least 1, to 1e-12 of
        that.

        Args:
            f: values (...) at points (..., D).
            x: the point.
            directions: of length 1.
        """
        widest = widest_step((directions.abs() * x.abs()).amax(1, keepdim=True))
        h = widest * 2.0 ** -torch.arange(_STEPS, dtype=x.dtype)
        offsets = h[:, :, None] * directions[:, None, :]
        above, below = values_at(f, x + offsets), values_at(f, x - offsets)
        at = values_at(f, x[None])[0]
        central, forward, backward = (above - below) / (2 * h), (above - at) / h, (at - below) / h
        largest = torch.stack((above.abs(), below.abs(), at.abs().expand_as(h))).amax(0)
        # A sum of many terms rounds more than its value does: the smallest steps show how much.
        seen = (central.diff(dim=1).abs() * h[:, 1:])[:, -_NOISY:].amax(1, keepdim=True)
        # The points are rounded too, which moves the values by their slope.
        moved = widest / _WIDEST * torch.maximum(forward.abs(), backward.abs())
        rounding = torch.maximum(EPSILON * (largest + moved), seen.nan_to_num(0.0)) / h
        return cls(h, central, forward, backward, rounding)

    def one_sided_slopes(self) -> "list[OneSidedSlopes]":
        """The slopes to the left and to the right of the point, one pair for each direction."""
        left, right = (
            extrapolate(values, 2 * self.rounding, order=1)
            for values in (self.backward, self.forward)
        )
        doubts = (left[1] + right[1]).tolist()
        pairs = zip(left[0].tolist(), right[0].tolist(), doubts, strict=True)
        return [OneSidedSlopes(*found) for found in pairs]

    def limit(self) -> tuple[Tensor, Tensor]:
        """The central differences for h → 0 and how uncertain that is: (n,) and (n,).

        Richardson's extrapolation; of all its entries the one whose neighbours differ least, as in
        Ridders, "Accurate computation of F′(x) and F′(x)F″(x)", Advances in Engineering Software 4,
        1982. NaN and infinity where no value is finite.
        """
        return extrapolate(self.central, self.rounding, order=2)


def widest_step(size: Tensor) -> Tensor:
    """The largest step (...) where numbers have a size (...): about that, at least a unit."""
    return _WIDEST * 2.0 ** size.clamp(min=1.0).log2().round()


@dataclass(frozen=True)
class OneSidedSlopes:
    """The slopes to the left and to the right of a point, and how uncertain they are together."""

    left: float
    right: float
    uncertainty: float

    def differ(self, scale: float) -> bool:
        """Whether there is a kink between them, beside slopes of some scale."""
        return abs(self.left - self.right) > max(DOUBT * self.uncertainty, _KINK * scale)


def extrapolate(values: Tensor, rounding: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """Values (n, m) for steps that halve, extrapolated to step 0, and their uncertainty: (n,) each.

    Args:
        values: their errors have the orders `order`, 2 · `order`, … in the step.
        rounding: the uncertainty of the values themselves (n, m).
        order: 2 for central differences, 1 for one-sided ones.
    """
    column, noise = values, rounding
    found, doubts = [], []
    for depth in range(1, _DEPTHS):
        factor = 2.0 ** (order * depth)
        finer = (factor * column[:, 1:] - column[:, :-1]) / (factor - 1)
        noise = (factor * noise[:, 1:] + noise[:, :-1]) / (factor - 1)
        # Two equal values may be chance, as of steps that are periods; three are not.
        near = torch.stack((column[:, :-1], column[:, 1:], _next(column)))
        doubt = (finer - near).abs().amax(0) + noise
        found.append(torch.nn.functional.pad(finer, (depth, 0), value=math.nan))
        doubts.append(torch.where(doubt.isfinite(), doubt, math.inf))
        doubts[-1] = torch.nn.functional.pad(doubts[-1], (depth, 0), value=math.inf)
        column = finer
    each, doubt = torch.stack(found, 1), torch.stack(doubts, 1)  # (n, depths, m)
    doubt = (doubt + _contradiction(each, doubt)).flatten(1)
    least, place = doubt.min(1)
    return each.flatten(1).gather(1, place[:, None])[:, 0], least


def _contradiction(each: Tensor, doubt: Tensor) -> Tensor:
    """How far smaller steps are sure that values (n, depths, m) are wrong: (n, depths, m).

    Far from a point a function may settle to another slope, with which many large steps agree.
    """
    sure, depth = doubt.min(1)
    known = each.gather(1, depth[:, None])[:, 0]  # of each step the surest value: (n, m)
    apart = torch.zeros_like(doubt)
    for finer in range(1, each.shape[2]):
        away = (each[:, :, :finer] - known[:, finer, None, None]).abs()
        beyond = away - _CONTRADICTS * sure[:, finer, None, None]
        apart[:, :, :finer] = torch.maximum(apart[:, :, :finer], beyond.nan_to_num(0.0))
    return apart


def _next(column: Tensor) -> Tensor:
    """What comes after the later of two neighbours, (n, m − 1) of (n, m); the last repeats."""
    return torch.cat((column[:, 2:], column[:, -1:]), 1)


@dataclass(frozen=True)
class Convergence:
    """How errors shrink with the step.

    Attributes:
        slope: of the errors on a log-log scale while they are truncation; None where they never
            are, or for too few steps.
        exact: whether no error is more than rounding.
        best: the step with the least error.
        least: that error.
    """

    slope: float | None
    exact: bool
    best: float
    least: float

    @property
    def words(self) -> str:
        """The slope, or that the differences are exact."""
        if self.exact or self.slope is None:
            return "exact" if self.exact else "–"  # noqa: RUF001
        return f"{round(self.slope, 2) + 0.0:.2f}"  # without a minus before 0.00


def convergence(h: Tensor, error: Tensor, rounding: Tensor) -> Convergence:
    """How the errors (m,) of falling steps h (m,) shrink.

    Args:
        h: the steps.
        error: absolute errors; those of values that are not finite are left out.
        rounding: what rounding alone does at each step (m,).
    """
    known = error.isfinite()
    h, error, rounding = h[known], error[known], rounding[known]
    if not len(h):
        return Convergence(None, False, math.nan, math.nan)
    place = int(error.argmin())
    best, least = float(h[place]), float(error[place])
    if bool((error <= _ROUNDINGS * rounding).all()):
        return Convergence(None, True, best, least)
    return Convergence(_slope(h, error, error > _ABOVE_FLOOR * rounding), False, best, least)


def _slope(h: Tensor, error: Tensor, used: Tensor) -> float | None:
    """The slope of log error over log h by least squares, of the last used steps in a row."""
    places = torch.nonzero(used)[:, 0]
    if len(places) < 3:
        return None
    places = places[-_FITTED:]
    x, y = h[places].log2(), error[places].log2()
    x = x - x.mean()
    slope = float((x @ y) / (x @ x))
    return slope if slope > _FALLS else None


def central_differences(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The derivatives (..., V) at a point x (V,), by central differences, without autograd.

    The step is ε^(1/3) · max(1, |xᵢ|), which balances the error h² of the difference with the
    rounding ε/h (Nocedal and Wright, "Numerical optimization", 2006, section 8.1).

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
            place = torch.arange(len(block)), block
            below[place] -= h[block]
            above[place] += h[block]
            rise, run = function(above) - function(below), (above - below)[place]
            slopes.append(rise / run.reshape(-1, *(1,) * (rise.ndim - 1)))
    return torch.cat(slopes).movedim(0, -1)


def values_at(f: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """The values (n, m) at points (n, m, D), a bounded number of them at once."""
    rows = max(1, _BLOCK // points.shape[-1])
    flat = points.reshape(-1, points.shape[-1])
    with torch.no_grad():
        return torch.cat([f(part) for part in flat.split(rows)]).reshape(points.shape[:-1])
