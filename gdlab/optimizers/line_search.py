"""Rays along which a line search looks for a step size, for each row separately.

Shapes: D dimensions, n rows. One number per row is a column (n, 1).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from gdlab.losses.base import Loss
from gdlab.numerics.rowwise import by_rows, dot, norm, normalize
from gdlab.optimizers.oracle import Obstacle, Oracle, evaluate


class Trial(NamedTuple):
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
        return cls.to(oracle, x, grad, oracle.apply(aim, grad, d), which)

    @classmethod
    def to(cls, oracle: Oracle, x: Tensor, grad: Tensor, goal: "Aim", which: Tensor) -> "Ray":
        """Return the ray from the current points x to where `aim` aims."""
        origin = Trial(torch.zeros_like(goal.slope), x, oracle.value, grad, goal.slope)
        active = which & oracle.awake & goal.is_downhill
        return cls(oracle, origin, goal.d, goal.unit, active)

    def unit_step(self, lr: Tensor) -> Tensor:
        """Return the α (n, 1) with which a step along the whole −g would have the length `lr`."""
        return self.oracle.apply(unit_step, self.origin.grad, self.unit, lr)

    def turned(self, which: Tensor, other: "Ray") -> "Ray":
        """Return another ray in the rows `which`, and this one elsewhere."""
        pairs = {name: (getattr(other, name), getattr(self, name)) for name in ("d", "unit")}
        chosen = {name: torch.where(which, *pair) for name, pair in pairs.items()}
        return replace(self, origin=where(which, other.origin, self.origin), **chosen)

    def at(self, alpha: Tensor, which: Tensor) -> Trial:
        """Evaluate the points α; where the loss or the slope is not finite, the loss becomes +∞."""
        self.oracle.charge(which)
        return self.oracle.apply(attempt, self.origin, self.d, alpha)

    def give_up(self, which: Tensor, first: Tensor, last: Trial) -> None:
        """Tell the oracle in which of the rows `which` (n, 1) other settings might have helped.

        More trials might not where the last loss differs from that at the origin by rounding only,
        and not where it lies on a straight line that rises from the origin: there is a kink. A
        larger first step size (n, 1) might where neither the first nor the last moved the point.
        """
        is_spent, is_short = self.oracle.apply(_blame, self.origin, self.d, which, first, last)
        self.oracle.obstacle = is_spent * Obstacle.OUT_OF_TRIALS + is_short * Obstacle.TOO_SHORT


class Aim(NamedTuple):
    """Directions d divided by powers of two, these, the slopes, and which lead downhill (n, 1)."""

    d: Tensor
    unit: Tensor
    slope: Tensor
    is_downhill: Tensor


def aim(loss: Loss, grad: Tensor, d: Tensor) -> Aim:
    """Return how to search along directions d (n, D), given the gradients (n, D)."""
    d, unit = normalize(d)
    slope = dot(grad, d)
    return Aim(d, unit, slope, (slope < 0) & slope.isfinite())


def unit_step(loss: Loss, grad: Tensor, unit: Tensor, lr: Tensor) -> Tensor:
    """Return the α (n, 1) with which a step along the whole −g would have the length `lr`.

    Args:
        loss: the loss.
        grad: the gradients (n, D).
        unit: what the directions were divided by (n, 1).
        lr: the lengths (n, 1).
    """
    grad, of_grad = normalize(grad)
    length = norm(grad)
    return torch.where(length > 0, lr / length * (unit / of_grad), lr)


def attempt(loss: Loss, origin: Trial, d: Tensor, alpha: Tensor) -> Trial:
    """Return the trials α (n, 1); the loss is +∞ where it or its slope is not finite."""
    x = torch.addcmul(origin.x, d, alpha)
    value, grad = evaluate(loss, x)
    slope = dot(grad, d)
    is_known = value.isfinite() & slope.isfinite()
    return Trial(alpha, x, torch.where(is_known, value, torch.inf), grad, slope)


def _blame(
    loss: Loss, origin: Trial, d: Tensor, which: Tensor, first: Tensor, last: Trial
) -> tuple[Tensor, Tensor]:
    """Return in which rows (n, 1) more trials might have helped, and a larger first step."""
    rise, along = last.value - origin.value, last.alpha * last.slope
    is_kink = (rise > 0) & ((rise - along).abs() <= 0.1 * rise)
    is_spent = which & (rise.abs() > rounding_of(origin.value)) & ~is_kink
    ends = torch.stack((torch.addcmul(origin.x, d, first), last.x))
    return is_spent, which & (ends == origin.x).all(0).all(1, keepdim=True)


Search = Callable[[Ray, Tensor], Trial]
"""Maps a ray and initial step sizes to the accepted trials; the origin where a search failed."""


def rounding_of(value: Tensor) -> Tensor:
    """Return by how much losses of this size (n, 1) may be wrong."""
    return 10 * torch.finfo(value.dtype).eps * value.abs()


def where(which: Tensor, trial: Trial, other: Trial) -> Trial:
    """Return `trial` in the rows `which`, and `other` elsewhere."""
    return Trial(*(torch.where(which, a, b) for a, b in zip(trial, other, strict=True)))


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
