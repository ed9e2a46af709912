"""Line searches: the step size along a direction, for each row separately.

What a search does at one trial is a function of rows (`Oracle.apply`), so that it has a compiled
form; only whether any row still searches is asked in between.

Shapes: D dimensions, n rows. One number per row is a column (n, 1).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from gdlab.fields.declared import Number
from gdlab.losses.base import Loss
from gdlab.numerics.rowwise import dot, normalize
from gdlab.optimizers.line_search import Ray, Trial, attempt, rounding_of, where


@dataclass(frozen=True)
class Armijo:
    """Backtracking: α shrinks until f(x + α d) ≤ f(x) + c1 α gᵀd, and f(x + α d) < f(x).

    The second condition matters where c1 α gᵀd is lost in a large f(x).

    Armijo, "Minimization of functions having Lipschitz continuous first partial derivatives", 1966;
    Nocedal and Wright, "Numerical optimization", 2006, algorithm 3.1.

    Attributes:
        c1: sufficient decrease: the constant in the condition above.
        contraction: factor by which α shrinks after each failed trial.
        max_trials: number of failed trials after which the search fails.
    """

    c1: Number
    contraction: Number
    max_trials: int

    def __call__(self, ray: Ray, alpha: Tensor) -> Trial:
        """Return the first of the points α, contraction · α, … that meets the condition."""
        start = ray.origin
        now = _Backtracking(ray.active, alpha, start, start)
        settings = self.c1, self.contraction
        return _search(ray, _backtrack, settings, now, self.max_trials).accepted


class _Backtracking(NamedTuple):
    """Which rows search, their next α, what was accepted, and the last trial."""

    active: Tensor
    alpha: Tensor
    accepted: Trial
    trial: Trial


def _backtrack(
    loss: Loss, settings: tuple[Number, Number], start: Trial, d: Tensor, now: _Backtracking
) -> _Backtracking:
    """Make one trial."""
    c1, contraction = settings
    trial = attempt(loss, start, d, now.alpha)
    is_low = trial.value <= start.value + c1 * now.alpha * start.slope
    is_low = is_low & (trial.value < start.value)
    accepted = where(now.active & is_low, trial, now.accepted)
    return _Backtracking(now.active & ~is_low, now.alpha * contraction, accepted, trial)


@dataclass(frozen=True)
class Exact:
    """The minimizer along the ray of a quadratic loss: α = −gᵀd / dᵀHd.

    Where the curvature dᵀHd is not positive, the initial step size is used.
    """

    def __call__(self, ray: Ray, alpha: Tensor) -> Trial:
        """Return the minimizer; the origin where the loss there is not finite."""
        curvature = dot(ray.d, ray.oracle.product(ray.origin.x, ray.d))
        exact = -ray.origin.slope / curvature
        alpha = torch.where((curvature > 0) & exact.isfinite(), exact, alpha)
        trial = ray.at(alpha, ray.active)
        return where(ray.active & trial.value.isfinite(), trial, ray.origin)


@dataclass(frozen=True)
class StrongWolfe:
    """The strong Wolfe conditions: f(x + α d) ≤ f(x) + c1 α gᵀd and |g(x + α d)ᵀd| ≤ c2 |gᵀd|.

    Nocedal and Wright, "Numerical optimization", 2006, algorithms 3.5 and 3.6, as one loop: `low`
    is the lowest point so far that meets the first condition, `high` the other end of an interval
    that contains a solution, infinite until one is bracketed. Once there is an interval, trials are
    minimizers of the cubic through both ends, kept away from them by a tenth of the interval;
    before, a trial lies 1.1 to 4 times as far on as the last step, where the secant of the slope is
    zero. Near a minimizer, differences of the loss drown in rounding errors: where the loss has not
    risen by more than that, a slope of at most (2 c1 − 1) gᵀd also meets the first condition
    (Hager and Zhang 2005, "approximate Wolfe").

    If no trial meets both conditions within `max_trials`, the lowest that meets the first one is
    returned, provided that the loss decreased there at all.

    Attributes:
        c1: sufficient decrease: the constant in the first condition.
        c2: curvature: the constant in the second condition.
        max_trials: maximum number of trials.
    """

    c1: Number
    c2: Number
    max_trials: int

    def __call__(self, ray: Ray, alpha: Tensor) -> Trial:
        """Return the accepted points; the origin where there is none."""
        start = ray.origin
        infinite = torch.full_like(alpha, torch.inf)
        now = _Bracketing(ray.active, alpha, start, _End(infinite, infinite, infinite), start)
        settings = self.c1, self.c2
        now = _search(ray, _bracket, settings, now, self.max_trials)
        return ray.oracle.apply(_lowest, start, now.low, now.active)


def _lowest(loss: Loss, start: Trial, low: Trial, active: Tensor) -> Trial:
    """Return the lowest trials, and the origin where none is lower or the point did not move."""
    has_moved = (low.x != start.x).any(1, keepdim=True)
    return where(has_moved & (~active | (low.value < start.value)), low, start)


class _End(NamedTuple):
    """An end of the interval: α, and the loss and its slope there."""

    alpha: Tensor
    value: Tensor
    slope: Tensor

    @classmethod
    def of(cls, trial: Trial) -> "_End":
        return cls(trial.alpha, trial.value, trial.slope)

    def replace(self, which: Tensor, other: "_End") -> "_End":
        """Return `other` in the rows `which`, and this end elsewhere."""
        return _End(*(torch.where(which, b, a) for a, b in zip(self, other, strict=True)))


class _Bracketing(NamedTuple):
    """Which rows search, their next α, both ends of the interval, and the last trial."""

    active: Tensor
    alpha: Tensor
    low: Trial
    high: _End
    trial: Trial


def _bracket(
    loss: Loss, settings: tuple[Number, Number], start: Trial, d: Tensor, now: _Bracketing
) -> _Bracketing:
    """Make one trial."""
    c1, c2 = settings
    noise = rounding_of(start.value)
    active, low, high = now.active, now.low, now.high
    trial = attempt(loss, start, d, now.alpha)
    is_low = _is_low(c1, start, trial, noise) & (trial.value <= low.value + noise)
    is_flat = trial.slope.abs() <= -c2 * start.slope
    has_turned = trial.slope.sign() * (high.alpha - low.alpha).sign() >= 0
    better, before = active & is_low, _End.of(low)
    high = high.replace(better & has_turned, before)
    high = high.replace(active & ~is_low, _End.of(trial))
    low = where(better, trial, low)
    alpha = _next_trial(_End.of(low), high, before)
    return _Bracketing(active & ~(is_low & is_flat), alpha, low, high, trial)


def _is_low(c1: Number, start: Trial, trial: Trial, noise: Tensor) -> Tensor:
    """Return whether the first condition is met (n, 1)."""
    is_lower = trial.value <= start.value + c1 * trial.alpha * start.slope
    is_level = trial.value <= start.value + noise
    return is_lower | (is_level & (trial.slope <= (2 * c1 - 1) * start.slope))


def _next_trial(low: _End, high: _End, before: _End) -> Tensor:
    """Return the next α: between the ends, or beyond `low` until there is another end."""
    width = high.alpha - low.alpha
    share = (_minimize_cubic(low, high) - low.alpha) / width
    share = torch.where(share.isfinite(), share, 0.1).clamp(0.1, 0.9)
    step = low.alpha - before.alpha
    secant = low.slope / (before.slope - low.slope)
    factor = torch.where(secant > 0, secant, 4.0).clamp(1.1, 4.0)
    inside, beyond = low.alpha + share * width, low.alpha + factor * step
    return torch.where(width.isfinite(), inside, beyond)


def _minimize_cubic(a: _End, b: _End) -> Tensor:
    """Return the minimizer of the cubic through both ends (Nocedal and Wright, equation 3.59)."""
    secant = 3 * (a.value - b.value) / (a.alpha - b.alpha)
    slopes, _ = normalize(torch.cat((a.slope, b.slope, secant), 1))  # they are squared
    at_a, at_b, secant = slopes.split(1, 1)
    d1 = at_a + at_b - secant
    d2 = torch.sign(b.alpha - a.alpha) * torch.sqrt(d1 * d1 - at_a * at_b)
    return b.alpha - (b.alpha - a.alpha) * (at_b + d2 - d1) / (at_b - at_a + 2 * d2)


_Now = TypeVar("_Now", _Backtracking, _Bracketing)


def _search(
    ray: Ray,
    make_trial: Callable[[Loss, tuple[Number, Number], Trial, Tensor, _Now], _Now],
    settings: tuple[Number, Number],
    now: _Now,
    most: int,
) -> _Now:
    """Make trials until no row searches; rows that still do after the last one give up."""
    first = now.alpha
    for _ in range(most):
        if not now.active.any():
            break
        ray.oracle.charge(now.active)
        now = ray.oracle.apply(make_trial, settings, ray.origin, ray.d, now)
    ray.give_up(now.active, first, now.trial)
    return now
