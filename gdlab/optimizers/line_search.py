"""Line searches: how far to go along a direction, each row by itself.

Shapes: D dimensions, n rows. What belongs to a row is a column (n, 1).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.fields.declared import Number
from gdlab.numerics.rowwise import by_rows, dot
from gdlab.optimizers.oracle import Oracle


@dataclass(frozen=True)
class Trial:
    """A point α on a ray: the point itself, the loss there, its gradient, and the slope gᵀd."""

    alpha: Tensor
    x: Tensor
    value: Tensor
    grad: Tensor
    slope: Tensor


@dataclass(frozen=True)
class Ray:
    """The half lines x + α d, α ≥ 0, along which some rows search.

    Attributes:
        oracle: gives the loss.
        origin: α = 0.
        d: the directions (n, D).
        which: the rows that search: those awake whose slope at the origin is negative.
    """

    oracle: Oracle
    origin: Trial
    d: Tensor
    which: Tensor

    @classmethod
    def of(cls, oracle: Oracle, x: Tensor, grad: Tensor, d: Tensor, which: Tensor) -> "Ray":
        """The ray from the current points x along d, for the rows `which` and no others."""
        slope = dot(grad, d)
        origin = Trial(torch.zeros_like(slope), x, oracle.value, grad, slope)
        return cls(oracle, origin, d, which & oracle.awake & (slope < 0) & slope.isfinite())

    def at(self, alpha: Tensor, which: Tensor) -> Trial:
        """The points α; a loss or a slope that is not finite counts as infinitely high."""
        x = torch.addcmul(self.origin.x, self.d, alpha)
        value, grad = self.oracle.evaluate(x, which)
        slope = dot(grad, self.d)
        is_known = value.isfinite() & slope.isfinite()
        return Trial(alpha, x, torch.where(is_known, value, torch.inf), grad, slope)


Search = Callable[[Ray, Tensor], Trial]
"""From a ray and first trials to the points found, which are the origin where there is none."""


def chosen(which: Tensor, one: Trial, other: Trial) -> Trial:
    """The one trial in the rows `which`, the other elsewhere."""
    pairs = zip(vars(one).values(), vars(other).values(), strict=True)
    return Trial(*(torch.where(which, a, b) for a, b in pairs))


@dataclass(frozen=True)
class Armijo:
    """Backtracking: α is shrunk until f(x + α d) ≤ f(x) + c1 α gᵀd.

    Armijo, "Minimization of functions having Lipschitz continuous first partial derivatives", 1966;
    Nocedal and Wright, "Numerical optimization", 2006, algorithm 3.1.

    Attributes:
        c1: how much of the decrease that the slope promises must be there.
        contraction: what α is multiplied with.
        max_trials: after so many trials the search has failed.
    """

    c1: Number
    contraction: Number
    max_trials: int

    def __call__(self, ray: Ray, alpha: Tensor) -> Trial:
        """The first of the points α, contraction · α, … that is low enough."""
        found, looking, start = ray.origin, ray.which, ray.origin
        for _ in range(self.max_trials):
            if not looking.any():
                break
            trial = ray.at(alpha, looking)
            is_low = trial.value <= start.value + self.c1 * alpha * start.slope
            found = chosen(looking & is_low, trial, found)
            looking = looking & ~is_low
            alpha = alpha * self.contraction
        return found


@dataclass(frozen=True)
class Exact:
    """The minimizer along the ray of a quadratic loss: α = −gᵀd / dᵀHd.

    Where the curvature dᵀHd is not positive it is the first trial.
    """

    def __call__(self, ray: Ray, alpha: Tensor) -> Trial:
        """The point α."""
        curvature = dot(ray.d, ray.oracle.product(ray.origin.x, ray.d))
        exact = -ray.origin.slope / curvature
        alpha = torch.where((curvature > 0) & exact.isfinite(), exact, alpha)
        trial = ray.at(alpha, ray.which)
        return chosen(ray.which & trial.value.isfinite(), trial, ray.origin)


@dataclass(frozen=True)
class StrongWolfe:
    """The strong Wolfe conditions: f(x + α d) ≤ f(x) + c1 α gᵀd and |g(x + α d)ᵀd| ≤ c2 |gᵀd|.

    Nocedal and Wright, "Numerical optimization", 2006, algorithms 3.5 and 3.6, as one loop: `low`
    is the lowest point that meets the first condition, `high` the other end of an interval that
    holds a solution, infinite as long as none is known. Trials are minimizers of the cubic through
    both ends, kept away from them by a tenth of the interval; before, they go 1.1 to 4 times as far
    as the last step, where the slope's secant is zero. Near a minimizer differences of the loss
    drown in rounding: where the loss has not risen by more than that, the first condition is also
    met by a slope of at most (2 c1 − 1) gᵀd (Hager and Zhang 2005, "approximate Wolfe").

    Where no trial meets both conditions in time, the lowest that meets the first one is returned,
    if the loss has fallen there at all.

    Attributes:
        c1: how much of the decrease that the slope promises must be there.
        c2: how much of the slope may be left.
        max_trials: the search ends after so many.
    """

    c1: Number
    c2: Number
    max_trials: int

    def __call__(self, ray: Ray, alpha: Tensor) -> Trial:
        """The point found."""
        start, looking = ray.origin, ray.which
        noise = 10 * torch.finfo(alpha.dtype).eps * start.value.abs()
        low, at = start, alpha
        infinite = torch.full_like(alpha, torch.inf)
        high = _End(infinite, infinite, infinite)
        for _ in range(self.max_trials):
            if not looking.any():
                break
            trial = ray.at(at, looking)
            is_low = self._is_low(start, trial, noise) & (trial.value <= low.value + noise)
            is_flat = trial.slope.abs() <= -self.c2 * start.slope
            has_turned = trial.slope * (high.alpha - low.alpha) >= 0
            better, before = looking & is_low, _End.of(low)
            high = high.replaced(better & has_turned, before)
            high = high.replaced(looking & ~is_low, _End.of(trial))
            low = chosen(better, trial, low)
            looking = looking & ~(is_low & is_flat)
            at = _next(_End.of(low), high, before)
        has_moved = (low.x != start.x).any(1, keepdim=True)
        return chosen(has_moved & (~looking | (low.value < start.value)), low, start)

    def _is_low(self, start: Trial, trial: Trial, noise: Tensor) -> Tensor:
        """Whether the first condition is met (n, 1)."""
        is_lower = trial.value <= start.value + self.c1 * trial.alpha * start.slope
        is_level = trial.value <= start.value + noise
        return is_lower | (is_level & (trial.slope <= (2 * self.c1 - 1) * start.slope))


@dataclass(frozen=True)
class _End:
    """An end of the interval: α, and the loss and its slope there."""

    alpha: Tensor
    value: Tensor
    slope: Tensor

    @classmethod
    def of(cls, trial: Trial) -> "_End":
        return cls(trial.alpha, trial.value, trial.slope)

    def replaced(self, which: Tensor, other: "_End") -> "_End":
        """The other end in the rows `which`."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _End(*(torch.where(which, b, a) for a, b in pairs))


def _next(low: _End, high: _End, before: _End) -> Tensor:
    """The next trial between the ends, or beyond `low` as long as there is no other end."""
    width = high.alpha - low.alpha
    share = (_cubic(low, high) - low.alpha) / width
    share = torch.where(share.isfinite(), share, 0.1).clamp(0.1, 0.9)
    step = low.alpha - before.alpha
    secant = low.slope / (before.slope - low.slope)
    factor = torch.where(secant > 0, secant, 4.0).clamp(1.1, 4.0)
    inside, beyond = low.alpha + share * width, low.alpha + factor * step
    return torch.where(width.isfinite(), inside, beyond)


def _cubic(a: _End, b: _End) -> Tensor:
    """The minimizer of the cubic through both ends (Nocedal and Wright, equation 3.59)."""
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.alpha - b.alpha)
    d2 = torch.sign(b.alpha - a.alpha) * torch.sqrt(d1 * d1 - a.slope * b.slope)
    return b.alpha - (b.alpha - a.alpha) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)


def settled(oracle: Oracle, found: Trial) -> Tensor:
    """Go to the points found; their places (n, D), whose loss is known to the engine then."""
    x, grad = by_rows(found.x), by_rows(found.grad)
    oracle.accept(x, found.value, grad)
    return x
