"""Whether autograd's gradient of a loss is its derivative: a test of any loss, and its verdict.

Shapes: D dimensions, n points, k directions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from gdlab.derivatives.arguments import as_point
from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.methods.finite_differences import (
    DOUBT,
    Differences,
    OneSidedSlopes,
    convergence,
    values_at,
)
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.losses.function import Function
from gdlab.numerics import rng
from gdlab.numerics.autodiff import value_and_gradient

_POINTS, _DIRECTIONS = 10, 16  # in more dimensions than that, random directions, not the axes
_LARGE, _POINTS_OF_LARGE, _DIRECTIONS_OF_LARGE = 1_000, 2, 4
_TINY = 1e-7  # of the loss: slopes that small beside it are none
_LEAST = 1e-290  # below it numbers lose digits before they are zero
_SAME = 1e-7  # of the largest slope: a gradient that is wrong is wrong by more
_BATCHED = 1e-10  # relative: a matrix product may round otherwise in a batch
_UNSURE = 1e-2  # of the largest slope: differences that are no better than this decide nothing


Points: TypeAlias = Tensor | Sequence[float] | Sequence[Sequence[float]]
"""A point (D,), or several (n, D)."""


@dataclass(frozen=True)
class Trial:
    """The slope in one direction at one point, two ways.

    Attributes:
        at: the point (D,).
        along: the name of the coordinate, or "a random direction".
        autograd: the slope by autograd.
        differences: the limit of central differences.
        uncertainty: of that limit.
        slope: of the differences' errors on a log-log scale: 2 for a smooth loss, 0 for a wrong
            gradient; None where they are exact.
        verdict: right, wrong, a kink, or unsure.
    """

    at: Tensor
    along: str
    autograd: float
    differences: float
    uncertainty: float
    slope: float | None
    verdict: str


@dataclass(frozen=True)
class Check(Finding):
    """What the test of a loss found.

    Attributes:
        passed: whether nothing is wrong.
        verdict: the same in a sentence.
        points: how many points were tried.
        problems: what is wrong, a sentence each.
        remarks: what is worth knowing besides, such as kinks.
        trials: the slopes that were compared.
    """

    passed: bool
    verdict: str
    points: int
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    trials: tuple[Trial, ...]

    def section(self) -> Section:
        """The verdict, and the trials that went wrong or else the worst."""
        wrong = [t for t in self.trials if t.verdict == "wrong"]
        worst = sorted(self.trials, key=lambda t: -abs(t.autograd - t.differences))
        rows = [
            (
                t.verdict,
                t.along,
                vector(t.at, 4),
                number(t.autograd),
                number(t.differences),
                number(t.uncertainty, 2),
                "exact" if t.slope is None else number(t.slope, 3),
            )
            for t in (wrong or worst)[:5]
        ]
        header = ("", "along", "at", "autograd", "differences", "±", "slope of the error")
        lines = [("verdict", self.verdict), ("points", str(self.points))]
        lines += [("wrong", problem) for problem in self.problems]
        return Section("Gradient check", lines, Table(header, rows), self.remarks)


def check_gradient(
    f: "Loss | Callable[[Tensor], Tensor]",
    x: "Points | None" = None,
    *,
    seed: int = 0,
) -> Check:
    """Test whether autograd's gradient of a function is its derivative.

    At each point the slopes are compared with central differences extrapolated to h = 0, by how
    uncertain these are; and the same values must come out of one point and of many, of two calls,
    and in float32 in float32.

    >>> check_gradient(lambda x: (x**2).sum() + x.prod(), [1.0, 2.0]).passed
    True

    Args:
        f: a loss, or a function of one point (D,).
        x: a point (D,) or several (n, D); None for the start of a loss and points drawn from its
            window.
        seed: of the points and directions that are drawn.

    Raises:
        SettingError: a function is given no point, or a point has another length than the loss
            or is not finite.
    """
    loss, points = _given(f, x, seed)
    value, gradient = value_and_gradient(loss, points)
    problems, remarks = _finite(points, value, gradient)
    usable = value.isfinite() & gradient.isfinite().all(1)
    trials = [
        trial
        for k in torch.nonzero(usable)[:, 0]
        for trial in _trials(loss, points[k], value[k], gradient[k], seed)
    ]
    wrong = [t for t in trials if t.verdict == "wrong"]
    if wrong:
        t = wrong[0]
        slopes = f"{number(t.autograd, 6)} by autograd, {number(t.differences, 6)} by differences"
        problems.append(f"the slope along {t.along} at {vector(t.at, 6)} is {slopes}")
    problems += _consistent(loss, points[usable], value[usable])
    remarks += _remarks(trials)
    verdict = "correct: autograd's gradient is the derivative of the loss"
    if problems:
        verdict = "WRONG: the gradient is not the derivative of the loss" if wrong else "WRONG"
    found = tuple(problems), tuple(remarks), tuple(trials)
    return Check(not problems, verdict, len(points), *found)


def _given(
    f: "Loss | Callable[[Tensor], Tensor]", x: "Points | None", seed: int
) -> tuple[Loss, Tensor]:
    """The loss, and the points (n, D)."""
    if x is None:
        if not isinstance(f, Loss):
            raise SettingError("x=None: a function needs a point to be checked at")
        return f, _drawn(f, seed)
    given = torch.as_tensor(x, dtype=torch.float64)
    if not given.numel():
        raise SettingError("x=[]: must be a point, or several")
    points = given.reshape(-1, given.shape[-1]) if given.ndim else given.reshape(1, 1)
    loss = f if isinstance(f, Loss) else Function(f, (0.0,) * points.shape[1])
    return loss, torch.stack([as_point(one, loss.names, "x") for one in points])


def _drawn(loss: Loss, seed: int) -> Tensor:
    """The start, the middle of the window and points drawn from it (n, D)."""
    start = loss.starts(torch.tensor([seed])).reshape(-1)
    if loss.window is None:
        low, high = start - 1, start + 1
    else:
        low, high = loss.tensor(loss.window).unbind(-1)
    count = _POINTS if loss.dim <= _LARGE else _POINTS_OF_LARGE
    place = torch.arange(count)[:, None], torch.arange(loss.dim)
    unit = rng.uniform(torch.tensor(seed), rng.Stream.START, *place)
    drawn = low + (high - low) * unit
    return torch.cat((start[None], ((low + high) / 2)[None], drawn))


def _finite(points: Tensor, value: Tensor, gradient: Tensor) -> tuple[list[str], list[str]]:
    """What is wrong, and worth a remark, of values and gradients that are not finite."""
    problems, remarks = [], []
    lost = torch.nonzero(~value.isfinite())[:, 0]
    if len(lost) == len(points):
        problems.append("the loss is finite at none of the points")
    elif len(lost):
        first = vector(points[lost[0]], 6)
        remarks.append(f"the loss is not finite at {len(lost)} of the points, first at {first}")
    bare = torch.nonzero(value.isfinite() & ~gradient.isfinite().all(1))[:, 0]
    if len(bare):
        first = vector(points[bare[0]], 6)
        problems.append(f"the gradient is not finite at {first}, where the loss is")
    return problems, remarks


def _trials(loss: Loss, x: Tensor, value: Tensor, gradient: Tensor, seed: int) -> list[Trial]:
    """The slopes at a point (D,) along the axes, or along random directions."""
    if len(x) > _DIRECTIONS:
        count = _DIRECTIONS if len(x) <= _LARGE else _DIRECTIONS_OF_LARGE
        place = torch.arange(count)[:, None], torch.arange(len(x))
        directions = rng.normal(torch.tensor(seed), rng.Stream.START, *place)
        directions = directions / directions.norm(dim=1, keepdim=True)
        names: Sequence[str] = ["a random direction"] * count
    else:
        names, directions = loss.names, torch.eye(len(x), dtype=x.dtype)
    found = Differences.along(loss, x, directions)
    slopes = directions @ gradient
    limit, uncertainty = found.limit()
    sides = found.one_sided_slopes()
    scale = max(
        float(slopes.abs().max()),
        float(limit.nan_to_num(0.0).abs().max()),
        _TINY * float(value.abs()),
        _LEAST,
    )
    trials = []
    for i, name in enumerate(names):
        both = float(slopes[i]), float(limit[i]), float(uncertainty[i])
        verdict = _verdict(*both, sides[i], scale)
        error = (found.central[i] - slopes[i]).abs()
        slope = convergence(found.h[i], error, found.rounding[i]).slope
        trials.append(Trial(x, name, *both, slope, verdict))
    return trials


def _verdict(
    autograd: float, limit: float, uncertainty: float, sides: OneSidedSlopes, scale: float
) -> str:
    """What a slope by autograd is, beside the limit of differences and the one-sided ones."""
    apart = abs(autograd - limit)
    if apart <= max(DOUBT * uncertainty, _SAME * scale):
        return "unsure" if uncertainty > _UNSURE * scale > 0 else "right"
    if sides.differ(scale):
        low, high = sorted((sides.left, sides.right))
        room = DOUBT * sides.uncertainty + _SAME * scale
        return "a kink" if low - room <= autograd <= high + room else "wrong"
    return "wrong"


def _consistent(loss: Loss, points: Tensor, value: Tensor) -> list[str]:
    """What is wrong with the values of one point and many, of two calls, and in float32."""
    if not len(points):
        return []
    problems = []
    again = values_at(loss, points)
    if not torch.equal(again, value):
        problems.append("two calls at the same points give different values")
        return problems
    alone = torch.stack([values_at(loss, one[None])[0] for one in points])
    far = (alone - value).abs() > _BATCHED * value.abs().clamp(min=1e-300)
    if bool(far.any()):
        k = int(torch.nonzero(far)[0, 0])
        both = f"{number(value[k])} among others, {number(alone[k])} alone"
        problems.append(f"the loss at {vector(points[k], 6)} is {both}")
    single = loss.to(torch.float32, points.device)(points.to(torch.float32))
    if single.dtype != torch.float32:
        kind = str(single.dtype).removeprefix("torch.")
        problems.append(f"of points in float32 the loss is in {kind}: a constant of it is")
    return problems


def _remarks(trials: Sequence[Trial]) -> list[str]:
    remarks = []
    for verdict, words in (
        ("a kink", "a kink: the slopes to the left and to the right differ"),
        ("unsure", "unsure: the differences do not settle, so that they decide nothing"),
    ):
        there = [t for t in trials if t.verdict == verdict]
        if there:
            first = f"first at {vector(there[0].at, 6)} along {there[0].along}"
            remarks.append(f"{len(there)} of {len(trials)} slopes are {words}; {first}")
    return remarks
