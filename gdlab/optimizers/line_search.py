"""Line searches: the step size along a direction, for each row separately.

Shapes: D dimensions, n rows. One number per row is a column (n, 1).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gdlab.fields.declared import Number
from gdlab.numerics.rowwise import by_rows, dot, norm, normalize
from gdlab.optimizers.oracle import Obstacle, Oracle


@dataclass(frozen=True)
class Trial:
    """Points on a ray: α, the point itself, the loss there, its gradient, and the slope gᵀd."""

    alpha: Tensor
    x: Tensor
    value: Tensor
    grad: Tensor
    slope: Tensor


@dataclass(frozen=True)
class Ray:
    """The half-lines x + α d, α ≥ 0, along which some rows search.

    Directions are divided by powers of two, so that d and the slopes gᵀd are about as large as 1
    and as the gradient: products of two gradients may overflow or underflow.

    Attributes:
        oracle: evaluates the loss.
        origin: the trial α = 0.
        d: the directions (n, D), with norms between 1 and 2.
        unit: what they were divided by (n, 1): the α for a step along the whole direction.
        active: the rows that search: those awake whose slope at the origin is negative.
    """

    oracle: Oracle
    origin: Trial
    d: Tensor
    unit: Tensor
    active: Tensor

    @classmethod
    def of(cls, oracle: Oracle, x: Tensor, grad: Tensor, d: Tensor, which: Tensor) -> "Ray":
        """Return the ray from the current points x along d, active in the rows `which` at most."""
        d, unit = normalize(d)
        slope = dot(grad, d)
        origin = Trial(torch.zeros_like(slope), x, oracle.value, grad, slope)
        return cls(oracle, origin, d, unit, which & oracle.awake & (slope < 0) & slope.isfinite())

    def unit_step(self, lr: Tensor) -> Tensor:
        """Return the α (n, 1) with which a step along the whole −g would have the length `lr`."""
        grad, of_grad = normalize(self.origin.grad)
        length = norm(grad)
        return torch.where(length > 0, lr / length * (self.unit / of_grad), lr)

    def turned(self, which: Tensor, other: "Ray") -> "Ray":
        """Return another ray in the rows `which`, and this one elsewhere."""
        pairs = {name: (getattr(other, name), getattr(self, name)) for name in ("d", "unit")}
        chosen = {name: torch.where(which, *pair) for name, pair in pairs.items()}
        return replace(self, origin=where(which, other.origin, self.origin), **chosen)

    def at(self, alpha: Tensor, which: Tensor) -> Trial:
        """Evaluate the points α; where the loss or the slope is not finite, the loss becomes +∞."""
        x = torch.addcmul(self.origin.x, self.d, alpha)
        value, grad = self.oracle.evaluate(x, which)
        slope = dot(grad, self.d)
        is_known = value.isfinite() & slope.isfinite()
        return Trial(alpha, x, torch.where(is_known, value, torch.inf), grad, slope)

    @property
    def rounding(self) -> Tensor:
        """By how much losses as large as at the origin may be wrong (n, 1)."""
        return rounding_of(self.origin.value)

    def give_up(self, which: Tensor, first: Tensor, last: Trial) -> None:
        """Tell the oracle in which of the rows `which` (n, 1) other settings might have helped.

        More trials might not where the last loss differs from that at the origin by rounding only,
        and not where it lies on a straight line that rises from the origin: there is a kink. A
        larger first step size (n, 1) might where neither the first nor the last moved the point.
        """
        rise, along = last.value - self.origin.value, last.alpha * last.slope
        is_kink = (rise > 0) & ((rise - along).abs() <= 0.1 * rise)
        is_spent = which & (rise.abs() > self.rounding) & ~is_kink
        ends = torch.stack((torch.addcmul(self.origin.x, self.d, first), last.x))
        is_short = which & (ends == self.origin.x).all(0).all(1, keepdim=True)
        self.oracle.obstacle = is_spent * Obstacle.OUT_OF_TRIALS + is_short * Obstacle.TOO_SHORT


Search = Callable[[Ray, Tensor], Trial]
"""Maps a ray and initial step sizes to the accepted trials; the origin where a search failed."""


def rounding_of(value: Tensor) -> Tensor:
    """Return by how much losses of this size (n, 1) may be wrong."""
    return 10 * torch.finfo(value.dtype).eps * value.abs()


def where(which: Tensor, trial: Trial, other: Trial) -> Trial:
    """Return `trial` in the rows `which`, and `other` elsewhere."""
    pairs = zip(vars(trial).values(), vars(other).values(), strict=True)
    return Trial(*(torch.where(which, a, b) for a, b in pairs))


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
        start, active, first = ray.origin, ray.active, alpha
        accepted = trial = start
        for _ in range(self.max_trials):
            if not active.any():
                break
            trial = ray.at(alpha, active)
            is_low = trial.value <= start.value + self.c1 * alpha * start.slope
            is_low = is_low & (trial.value < start.value)
            accepted = where(active & is_low, trial, accepted)
            active = active & ~is_low
            alpha = alpha * self.contraction
        ray.give_up(active, first, trial)
        return accepted


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
        start, active = ray.origin, ray.active
        noise = ray.rounding
        low = trial = start
        at = alpha
        infinite = torch.full_like(alpha, torch.inf)
        high = _End(infinite, infinite, infinite)
        for _ in range(self.max_trials):
            if not active.any():
                break
            trial = ray.at(at, active)
            is_low = self._is_low(start, trial, noise) & (trial.value <= low.value + noise)
            is_flat = trial.slope.abs() <= -self.c2 * start.slope
            has_turned = trial.slope.sign() * (high.alpha - low.alpha).sign() >= 0
            better, before = active & is_low, _End.of(low)
            high = high.replace(better & has_turned, before)
            high = high.replace(active & ~is_low, _End.of(trial))
            low = where(better, trial, low)
            active = active & ~(is_low & is_flat)
            at = _next_trial(_End.of(low), high, before)
        ray.give_up(active, alpha, trial)
        has_moved = (low.x != start.x).any(1, keepdim=True)
        return where(has_moved & (~active | (low.value < start.value)), low, start)

    def _is_low(self, start: Trial, trial: Trial, noise: Tensor) -> Tensor:
        """Return whether the first condition is met (n, 1)."""
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

    def replace(self, which: Tensor, other: "_End") -> "_End":
        """Return `other` in the rows `which`, and this end elsewhere."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _End(*(torch.where(which, b, a) for a, b in pairs))


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


def search_or_descend(search: Search, ray: Ray, alpha: Tensor, lr: Tensor) -> tuple[Trial, Ray]:
    """Search along a ray from initial step sizes α (n, 1), and along −g in rows where that fails.

    Along −g the first trial is a step of length `lr`. Rows in which that fails too stall.

    Returns:
        The accepted trials, and the rays on which they lie.
    """
    oracle, grad = ray.oracle, ray.origin.grad
    trial = search(ray, alpha)
    failed = oracle.awake & ~(trial.alpha > 0)
    if failed.any():
        downhill = Ray.of(oracle, ray.origin.x, grad, -grad, failed)
        trial = where(failed, search(downhill, downhill.unit_step(lr)), trial)
        ray = ray.turned(failed, downhill)
        oracle.stall(failed & ~(trial.alpha > 0))
    return trial, ray


def accept_trial(oracle: Oracle, trial: Trial) -> Tensor:
    """Return the points (n, D) of a trial, and let the engine reuse the loss evaluated there."""
    x, grad = by_rows(trial.x), by_rows(trial.grad)
    oracle.accept(x, trial.value, grad)
    return x


def full_step(oracle: Oracle, x: Tensor, d: Tensor, lr: Tensor) -> Tensor:
    """Return x + lr · d; rows whose d is not finite do not move and stall."""
    is_finite = d.isfinite().all(1, keepdim=True)
    oracle.stall(~is_finite)
    oracle.obstacle = ~is_finite * Obstacle.NO_STEP
    return torch.where(is_finite, x + lr * d, x)
