"""How a function behaves at a point along a line: smooth, a kink, a jump, a vertical tangent.

All is judged from values at steps that halve down to the resolution of floats. What they cannot
show is called unresolved.

Shapes: D dimensions, n directions, r rays, m steps, w windows of steps.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gdlab.derivatives.methods.behavior import UNKNOWN, Behavior, Kind, Side
from gdlab.derivatives.methods.finite_differences import (
    DOUBT,
    EPSILON,
    NOISE,
    extrapolate,
    values_at,
    widest_step,
)

_FINEST = 4 * EPSILON  # of the point: the smallest step
_LEAST = 2.0**-1074  # the smallest float64
_HALVINGS_AT_ZERO = 100  # to 1e-30, whose eighth power does not underflow
_WINDOW, _STRIDE = 41, 20  # steps that are extrapolated together
_NEAR = 3  # number of widest steps, which are far from the point
_LAST = 12  # smallest steps, which must confirm a slope or a jump
_SETTLED = 1e-3  # of a jump: how much it may change over the last steps
_CERTAIN = 1e-3  # of a slope: how uncertain it may be
_STAIR = 1e-3  # of the widest step: values that are equal up to here may be rounded ones
_POWERS = (0.01, 0.97)  # changes that shrink like hᵖ with such a p have an infinite slope
_STRAIGHT = 0.02  # of log₂: how far these changes may lie from a power law
_SCALED = 500  # exponents of values beyond which these are scaled by a power of 2
_LARGEST = 1000  # exponent of such a power
_UNDERFLOW = 1e-320  # smaller changes of a value are lost
_TERMS = 4  # numbers that cancel, each with a rounding error
_CLOSE, _CANCELED = 1e-8, 1e3  # steps at which a claimed slope stands against so much noise
_FALL = 1e-3  # of a change, from a step to its half: more than a power of the step falls
_EXPLAINED = 0.1  # of a change at the last step: a slope that gives more of it may be hidden


def local_behavior(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    directions: Tensor,
    slopes: Tensor,
    largest: float = 0.0,
) -> list[Behavior]:
    """Find out how f behaves at a point x (D,) along each of the unit directions (n, D).

    Args:
        f: maps points (..., D) to values (...).
        x: the point.
        directions: unit vectors.
        slopes: the derivatives that are claimed along them (n,). A change of the values that such a
            slope explains below the resolution of floats is no jump, and where larger steps show
            such a slope, small changes at smaller ones are rounding.
        largest: the size of numbers within f that cancel in its values.
    """
    n, size = len(directions), (directions.abs() * x.abs()).amax(1)
    if n == 0:
        return []
    h = _steps(size)
    at = values_at(f, x[None])[0]
    exponent = max(int(torch.frexp(at).exponent), -_LARGEST)
    scale = 2.0**-exponent if abs(exponent) > _SCALED else 1.0
    both = torch.cat((-directions, directions))[:, None, :]
    points = x + h.repeat(2, 1)[:, :, None] * both
    runs = ((points - x) * both).sum(2)  # of points that are rounded
    rays = _Rays(
        runs=torch.where(runs > 0, runs, math.nan),
        values=values_at(f, points) * scale,
        at=at * scale,
        size=size.repeat(2),
        slopes=torch.cat((-slopes, slopes)) * scale,
        largest=largest * scale,
    )
    sides = [rays.side(k, scale) for k in range(2 * n)]
    found = [
        Behavior.between(left.mirrored(), right)
        for left, right in zip(sides[:n], sides[n:], strict=True)
    ]
    # Steps that are short for a subnormal point do not exist: what is at 0 may seem to be there.
    is_lost = ((size > 0) & (_FINEST * size < _LEAST)).tolist()
    return [
        UNKNOWN if lost and behavior.has_no_derivative else behavior
        for lost, behavior in zip(is_lost, found, strict=True)
    ]


def _steps(size: Tensor) -> Tensor:
    """Return decreasing steps (n, m) for points of a size (n,), filled up with 0."""
    widest, resolved = widest_step(size), (_FINEST * size).clamp(min=_LEAST)
    finest = torch.where(size > 0, resolved, widest * 2.0**-_HALVINGS_AT_ZERO)
    count = int((widest.log2() - finest.log2()).max()) + 1
    h = widest[:, None] * 2.0 ** -torch.arange(count, dtype=size.dtype)
    return torch.where(h >= finest[:, None], h, 0.0)


class _Rays:
    """Values at decreasing distances from a point, along r rays.

    Attributes:
        runs: distances (r, m), NaN below the resolution of floats.
        changes: the values less the one at the point (r, m).
        noise: changes up to this one can be rounding (r,).
        limits: the slopes that the windows of steps show (r, w), and their uncertainty.
    """

    def __init__(
        self,
        runs: Tensor,
        values: Tensor,
        at: Tensor,
        size: Tensor,
        slopes: Tensor,
        largest: float,
    ) -> None:
        self.runs, self.values, self.at, self.size = runs, values, at, size
        self.slopes = slopes.nan_to_num(0.0, 0.0, 0.0)
        self.changes = values - at
        near = torch.where(values.isfinite(), values.abs(), 0.0)[:, _NEAR:].amax(1)
        self.noise = NOISE * torch.maximum(near, at.abs()).clamp(min=largest) + _UNDERFLOW
        self.quotients = self.changes / runs
        added = torch.maximum(values.abs(), at.abs()) + size[:, None] * self.quotients.abs()
        least = 2 * EPSILON * (added + _TERMS * largest) + _UNDERFLOW
        rounding = torch.maximum(least, self._find_quanta()[:, None]) / runs
        windows = [_windows(part) for part in (self.quotients, rounding)]
        limits, doubts = extrapolate(*(part.flatten(0, 1) for part in windows), order=1)
        shape = windows[0].shape[:2]
        self.limits, self.doubts = limits.reshape(shape), doubts.reshape(shape)
        self.starts = _windows(runs)[:, :, 0]

    def _find_quanta(self) -> Tensor:
        """Return the largest change that falls at once to almost none and may be rounding: (r,).

        Where terms cancel, as in 1 − exp(−|x|), values are rounded as coarsely as the terms.
        """
        sizes = self.changes.abs()
        falls = sizes[:, 1:] < _FALL * sizes[:, :-1]
        falls &= (sizes[:, :-1] <= _CANCELED * self.noise[:, None]) & self.runs[:, 1:].isfinite()
        return torch.where(falls, sizes[:, :-1], 0.0).amax(1)

    def side(self, k: int, scale: float) -> Side:
        """Judge ray k, whose values were multiplied by a scale."""
        known = self.runs[k].isfinite()
        last = self.values[k, known][-3:]
        if not bool(self.at.isfinite()):
            return Side(Kind.UNRESOLVED)
        if bool(last.isnan().any()):
            return Side(Kind.EDGE)
        if bool(last.isinf().all()):
            return Side(Kind.JUMP, jump=float(last[-1]))
        window = self._find_window(k, known)
        if window is not None and self._is_staircase(k, known):
            return Side(Kind.UNRESOLVED)
        if window is not None:
            limit, doubt = float(self.limits[k, window]), float(self.doubts[k, window])
            step = float(self.starts[k, window])
            is_known = math.isfinite(limit / scale)  # else it is beyond the range of floats
            kind = Kind.SMOOTH if is_known else Kind.UNRESOLVED
            return Side(kind, limit / scale if is_known else math.nan, doubt / scale, step=step)
        runs, changes = self.runs[k, known], self.changes[k, known]
        visible = torch.nonzero(changes.abs() > self.noise[k])[:, 0]
        if not len(visible) or self._explains(k, runs[visible[-1]], changes[visible[-1]]):
            return Side(Kind.UNRESOLVED)
        if len(runs) - 1 == int(visible[-1]) and _is_settled(changes[-_LAST:]):
            return Side(Kind.JUMP, jump=float(changes[-1]) / scale)
        if _is_root(runs[visible][-_STRIDE:], changes[visible][-_STRIDE:]):
            return Side(Kind.VERTICAL, math.copysign(math.inf, float(changes[visible[-1]])))
        return Side(Kind.UNRESOLVED)

    def _find_window(self, k: int, known: Tensor) -> int | None:
        """Return the window whose slope is most certain and holds for all smaller steps."""
        limits, doubts = self.limits[k], self.doubts[k]
        runs, quotients = self.runs[k, known], self.quotients[k, known]
        secants = quotients[:_NEAR].abs()
        secant = float(torch.where(secants.isfinite(), secants, 0.0).max())
        best = None
        for w in torch.nonzero(doubts.isfinite())[:, 0].tolist():
            limit, doubt = limits[w], doubts[w]
            rounded = (self.noise[k] + NOISE * self.size[k] * limit.abs()) / runs
            distance = (quotients - limit).abs()[-_LAST:]
            is_confirmed = bool((distance <= DOUBT * doubt + rounded[-_LAST:]).all())
            contradicts = bool(((limits[w:] - limit).abs() > DOUBT * (doubts[w:] + doubt)).any())
            allowed = max(_CERTAIN * max(float(limit.abs()), secant), float(DOUBT * self.noise[k]))
            is_certain = float(doubt) <= allowed and is_confirmed and not contradicts
            if self._is_claimed(k, limit, doubt, runs) and float(doubt) <= allowed:
                return w
            if is_certain and (best is None or doubt < doubts[best]):
                best = w
        return best

    def _is_claimed(self, k: int, limit: Tensor, doubt: Tensor, runs: Tensor) -> bool:
        """Whether a slope is the claimed one, but for changes as small as rounding of terms."""
        if (limit - self.slopes[k]).abs() > DOUBT * doubt:
            return False
        changes = self.changes[k, : len(runs)] - self.slopes[k] * runs
        tiny = changes[runs <= _CLOSE * runs[0]].abs()
        return bool((tiny <= _CANCELED * self.noise[k]).all())

    def _is_staircase(self, k: int, known: Tensor) -> bool:
        """Whether values are equal near the point only because they are rounded coarsely.

        The claimed slope then would change them no more than the first step of the stairs does.
        """
        runs, changes = self.runs[k, known], self.changes[k, known]
        changing = torch.nonzero(changes)[:, 0]
        if not len(changing) or changing[-1] == len(changes) - 1 or self.slopes[k] == 0:
            return False
        step, change = runs[changing[-1]], changes[changing[-1]].abs()
        is_short = step < _STAIR * runs[0] and change > self.noise[k]
        return bool(is_short & (self.slopes[k].abs() * step <= change / _EXPLAINED))

    def _explains(self, k: int, run: Tensor, change: Tensor) -> bool:
        """Whether the claimed slope gives a change at the last visible step."""
        return bool((self.slopes[k] * run).abs() >= _EXPLAINED * change.abs())


def _is_settled(changes: Tensor) -> bool:
    """Whether changes of the values no longer shrink with the step."""
    return bool(((changes - changes[-1]).abs() <= _SETTLED * changes[-1].abs()).all())


def _is_root(runs: Tensor, changes: Tensor) -> bool:
    """Whether changes (m,) shrink like a power of the distances (m,) below 1."""
    if len(runs) < _LAST or len(changes.sign().unique()) > 1:
        return False
    x, y = runs.log2(), changes.abs().log2()
    x, y = x - x.mean(), y - y.mean()
    power = float((x @ y) / (x @ x))
    is_straight = float((y - power * x).abs().max()) <= _STRAIGHT
    return _POWERS[0] < power < _POWERS[1] and is_straight


def _windows(values: Tensor) -> Tensor:
    """Return overlapping windows (r, w, 41) of values (r, m), filled up with NaN."""
    missing = _WINDOW - values.shape[1]
    if missing < 0:
        missing = -(values.shape[1] - _WINDOW) % _STRIDE
    filled = torch.nn.functional.pad(values, (0, missing), value=math.nan)
    return filled.unfold(1, _WINDOW, _STRIDE)
