"""The slopes of a loss at a point, by autograd and by differences, each with a verdict.

Shapes: D dimensions, k directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.methods.behavior import Behavior, Kind
from gdlab.derivatives.methods.finite_differences import (
    DOUBT,
    EPSILON,
    Differences,
    convergence,
)
from gdlab.derivatives.methods.local_behavior import local_behavior
from gdlab.derivatives.methods.symbolic import Symbolic
from gdlab.losses.base import Loss
from gdlab.numerics import rng
from gdlab.numerics.autodiff import value_and_gradient

LARGE = 1_000
"""Losses of more dimensions are tested at fewer points, in fewer directions."""

RIGHT, WRONG, UNSURE, BY_FORMULA = "right", "wrong", "unsure", "right by its formula"

_DIRECTIONS, _DIRECTIONS_OF_LARGE = 16, 4  # in more dimensions than 16, and not the axes
_TINY = 1e-7  # of the loss and of its slopes far away: smaller slopes count as zero
_LEAST = 1e-290  # smaller numbers lose digits before they underflow
_SAME = 1e-7  # of the largest slope: the error of a wrong gradient is larger
_REFUTABLE = (WRONG, UNSURE, Kind.KINK, Kind.JUMP, Kind.VERTICAL)
_UNSURE = 1e-2  # of the largest slope: less certain differences are inconclusive


@dataclass(frozen=True)
class Trial:
    """The slope in one direction at one point, by two methods.

    Attributes:
        at: the point (D,).
        along: the name of the coordinate, or "a random direction".
        autograd: the slope by autograd.
        differences: the limit of central differences; NaN if there is none.
        uncertainty: uncertainty of that limit.
        slope: log-log slope of the differences' errors: 2 for a smooth loss, 0 for a wrong
            gradient; None if they are exact.
        verdict: right, right by its formula (the differences cannot resolve the loss), wrong,
            unsure; or why there is no derivative: a kink, a jump, a vertical tangent, the edge of
            the domain.
    """

    at: Tensor
    along: str
    autograd: float
    differences: float
    uncertainty: float
    slope: float | None
    verdict: str


def compare_slopes(
    loss: Loss, x: Tensor, value: Tensor, gradient: Tensor, seed: int
) -> list[Trial]:
    """Compare the slopes at a point (D,) along the axes, or along random directions.

    Args:
        loss: the loss.
        x: the point.
        value: the loss there.
        gradient: autograd's gradient there (D,).
        seed: the seed of the random directions.
    """
    names, directions = _directions(loss, seed)
    differences = Differences.along(loss, x, directions)
    slopes = directions @ gradient
    limits, uncertainty = differences.limit()
    secants = _TINY * torch.cat((differences.forward[:, 0], differences.backward[:, 0]))
    sizes = torch.cat((slopes, limits, secants, _TINY * value[None])).abs()
    scale = max(float(torch.where(sizes.isfinite(), sizes, 0.0).max()), _LEAST)
    is_plain = differences.are_confirmed(float(value)) & _agree(slopes, limits, uncertainty, scale)
    is_plain &= uncertainty <= _UNSURE * scale
    is_plain &= ~torch.tensor([pair.differ(scale) for pair in differences.one_sided_slopes()])
    trials = []
    behaviors = iter(local_behavior(loss, x, directions[~is_plain], slopes[~is_plain]))
    for i, name in enumerate(names):
        slope, limit, doubt = float(slopes[i]), float(limits[i]), float(uncertainty[i])
        verdict = RIGHT
        if not is_plain[i]:
            behavior = next(behaviors)
            agrees = bool(_agree(slopes[i], limits[i], uncertainty[i], scale))
            agrees &= doubt <= _UNSURE * scale
            if behavior.kind is Kind.SMOOTH and not agrees:
                limit, doubt = behavior.slope, behavior.uncertainty
            verdict = _judge(slope, behavior, scale, agrees=agrees)
            if verdict in _REFUTABLE:
                verdict = _ask_formula(loss, x, gradient, directions[i], verdict)
        error = (differences.central[i] - slopes[i]).abs()
        rate = convergence(differences.h[i], error, differences.rounding[i]).slope
        trials.append(Trial(x, name, slope, limit, doubt, rate, verdict))
    return trials


def _directions(loss: Loss, seed: int) -> tuple[Sequence[str], Tensor]:
    """Return the names of the axes and these (k, D), or random unit vectors in many dimensions."""
    if loss.dim <= _DIRECTIONS:
        return loss.names, torch.eye(loss.dim, dtype=torch.float64)
    count = _DIRECTIONS if loss.dim <= LARGE else _DIRECTIONS_OF_LARGE
    counters = torch.arange(count)[:, None], torch.arange(loss.dim)
    directions = rng.normal(torch.tensor(seed), rng.Stream.START, *counters)
    return ["a random direction"] * count, directions / directions.norm(dim=1, keepdim=True)


def _agree(slopes: Tensor, limits: Tensor, uncertainty: Tensor, scale: float) -> Tensor:
    """Whether slopes equal limits of differences within the uncertainty of these."""
    return (slopes - limits).abs() <= (DOUBT * uncertainty).clamp(min=_SAME * scale)


def _judge(autograd: float, behavior: Behavior, scale: float, *, agrees: bool) -> str:
    """Compare autograd's slope with the loss's behavior along a direction.

    Args:
        autograd: the slope.
        behavior: what finer differences show.
        scale: the size of the slopes at the point.
        agrees: whether the slope is the limit of the coarser differences.
    """
    if behavior.kind is Kind.KINK:
        low, high = sorted((behavior.left.slope, behavior.right.slope))
        margin = DOUBT * behavior.uncertainty + _SAME * scale
        return str(behavior.kind) if low - margin <= autograd <= high + margin else WRONG
    if behavior.has_no_derivative:
        return str(behavior.kind)
    if agrees:
        return RIGHT
    scale = max(scale, abs(behavior.slope)) if behavior.kind is Kind.SMOOTH else scale
    if behavior.kind is Kind.UNRESOLVED or behavior.uncertainty > _UNSURE * scale:
        return UNSURE
    margin = max(DOUBT * behavior.uncertainty, _SAME * scale)
    return RIGHT if abs(autograd - behavior.slope) <= margin else WRONG


def _ask_formula(loss: Loss, x: Tensor, gradient: Tensor, direction: Tensor, verdict: str) -> str:
    """Return the verdict after the loss's formula, if it has one, is heard.

    What differences do not resolve is right if autograd and the formula agree, up to the change of
    autograd's gradient between neighboring floats. What they refute is right if the formula is also
    smooth: it then varies faster than floats.
    """
    symbolic = Symbolic.of(loss)
    if symbolic is None:
        return verdict
    if verdict != UNSURE:
        return BY_FORMULA if symbolic.proves(x, gradient) else verdict
    by_formula, slope = symbolic.decide_all(x, 1).values @ direction, gradient @ direction
    neighbors = torch.stack((x * (1 - EPSILON), x * (1 + EPSILON)))
    change = (value_and_gradient(loss, neighbors)[1] @ direction - slope).abs().amax()
    allowed = (DOUBT * change).clamp(_SAME * slope.abs(), _UNSURE * slope.abs())
    return BY_FORMULA if bool((by_formula - slope).abs() <= allowed) else verdict
