"""Gradient check: test whether autograd's gradient of a loss is its derivative.

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

_POINTS, _DIRECTIONS = 10, 16  # in more dimensions than 16: random directions, not the axes
_LARGE, _POINTS_OF_LARGE, _DIRECTIONS_OF_LARGE = 1_000, 2, 4
_TINY = 1e-7  # of the loss: smaller slopes count as zero
_LEAST = 1e-290  # smaller numbers lose digits before they underflow
_SAME = 1e-7  # of the largest slope: the error of a wrong gradient is larger
_BATCHED = 1e-10  # relative: a matrix product can round differently in a batch
_UNSURE = 1e-2  # of the largest slope: less certain differences are inconclusive

Points: TypeAlias = Tensor | Sequence[float] | Sequence[Sequence[float]]
"""A point (D,), or several (n, D)."""


@dataclass(frozen=True)
class Trial:
    """The slope in one direction at one point, by two methods.

    Attributes:
        at: the point (D,).
        along: the name of the coordinate, or "a random direction".
        autograd: the slope by autograd.
        differences: the limit of central differences.
        uncertainty: uncertainty of that limit.
        slope: log-log slope of the differences' errors: 2 for a smooth loss, 0 for a wrong
            gradient; None if they are exact.
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
    """The result of a gradient check.

    Attributes:
        passed: whether there are no problems.
        verdict: the result as a sentence.
        points: the number of points tested.
        problems: what is wrong, a sentence each.
        remarks: observations that are no problems, such as kinks.
        trials: the slopes compared.
    """

    passed: bool
    verdict: str
    points: int
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    trials: tuple[Trial, ...]

    def section(self) -> Section:
        """Return the verdict and the wrong trials, or the least accurate ones if none is wrong."""
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
        header = ("", "along", "at", "autograd", "differences", "±", "error slope")
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

    At each point, slopes must equal central differences extrapolated to h = 0 within their
    uncertainty. Values must be the same for one point and a batch and in repeated calls, and
    float32 for float32 points.

    >>> check_gradient(lambda x: (x**2).sum() + x.prod(), [1.0, 2.0]).passed
    True

    Args:
        f: a loss, or a function of one point (D,).
        x: a point (D,) or several (n, D); None for the start of a loss and random points in its
            window.
        seed: seed of the random points and directions.

    Raises:
        SettingError: a function is given without a point, or a point has the wrong length or is not
            finite.
    """
    loss, points = _resolve(f, x, seed)
    value, gradient = value_and_gradient(loss, points)
    problems, remarks = _check_finite(points, value, gradient)
    usable = value.isfinite() & gradient.isfinite().all(1)
    trials = [
        trial
        for k in torch.nonzero(usable)[:, 0]
        for trial in _compare_slopes(loss, points[k], value[k], gradient[k], seed)
    ]
    wrong = [t for t in trials if t.verdict == "wrong"]
    if wrong:
        t = wrong[0]
        slopes = f"{number(t.autograd, 6)} by autograd, {number(t.differences, 6)} by differences"
        problems.append(f"the slope along {t.along} at {vector(t.at, 6)} is {slopes}")
    problems += _check_consistency(loss, points[usable], value[usable])
    remarks += _make_remarks(trials)
    verdict = "correct: autograd's gradient is the derivative of the loss"
    if problems:
        verdict = "WRONG: the gradient is not the derivative of the loss" if wrong else "WRONG"
    details = tuple(problems), tuple(remarks), tuple(trials)
    return Check(not problems, verdict, len(points), *details)


def _resolve(
    f: "Loss | Callable[[Tensor], Tensor]", x: "Points | None", seed: int
) -> tuple[Loss, Tensor]:
    """Return the function as a loss, and the points (n, D)."""
    if x is None:
        if not isinstance(f, Loss):
            raise SettingError("x=None: must be a point if f is not a loss")
        return f, _draw_points(f, seed)
    points = torch.as_tensor(x, dtype=torch.float64)
    if not points.numel():
        raise SettingError("x=[]: must be one point or several")
    points = points.reshape(-1, points.shape[-1]) if points.ndim else points.reshape(1, 1)
    loss = f if isinstance(f, Loss) else Function(f, (0.0,) * points.shape[1])
    return loss, torch.stack([as_point(row, loss.names, "x") for row in points])


def _draw_points(loss: Loss, seed: int) -> Tensor:
    """Return the start, the center of the window and random points in it (n, D)."""
    start = loss.starts(torch.tensor([seed])).reshape(-1)
    if loss.window is None:
        low, high = start - 1, start + 1
    else:
        low, high = loss.tensor(loss.window).unbind(-1)
    count = _POINTS if loss.dim <= _LARGE else _POINTS_OF_LARGE
    counters = torch.arange(count)[:, None], torch.arange(loss.dim)
    unit = rng.uniform(torch.tensor(seed), rng.Stream.START, *counters)
    random = low + (high - low) * unit
    return torch.cat((start[None], ((low + high) / 2)[None], random))


def _check_finite(points: Tensor, value: Tensor, gradient: Tensor) -> tuple[list[str], list[str]]:
    """Return problems and remarks about values and gradients that are not finite."""
    problems, remarks = [], []
    no_value = torch.nonzero(~value.isfinite())[:, 0]
    if len(no_value) == len(points):
        problems.append("the loss is not finite at any of the points")
    elif len(no_value):
        first = vector(points[no_value[0]], 6)
        remarks.append(f"the loss is not finite at {len(no_value)} of the points, first at {first}")
    no_gradient = torch.nonzero(value.isfinite() & ~gradient.isfinite().all(1))[:, 0]
    if len(no_gradient):
        first = vector(points[no_gradient[0]], 6)
        problems.append(f"the gradient is not finite at {first}, but the loss is")
    return problems, remarks


def _compare_slopes(
    loss: Loss, x: Tensor, value: Tensor, gradient: Tensor, seed: int
) -> list[Trial]:
    """Compare the slopes at a point (D,) along the axes, or along random directions."""
    if len(x) > _DIRECTIONS:
        count = _DIRECTIONS if len(x) <= _LARGE else _DIRECTIONS_OF_LARGE
        counters = torch.arange(count)[:, None], torch.arange(len(x))
        directions = rng.normal(torch.tensor(seed), rng.Stream.START, *counters)
        directions = directions / directions.norm(dim=1, keepdim=True)
        names: Sequence[str] = ["a random direction"] * count
    else:
        names, directions = loss.names, torch.eye(len(x), dtype=x.dtype)
    differences = Differences.along(loss, x, directions)
    slopes = directions @ gradient
    limit, uncertainty = differences.limit()
    sides = differences.one_sided_slopes()
    scale = max(
        float(slopes.abs().max()),
        float(limit.nan_to_num(0.0).abs().max()),
        _TINY * float(value.abs()),
        _LEAST,
    )
    trials = []
    for i, name in enumerate(names):
        numbers = float(slopes[i]), float(limit[i]), float(uncertainty[i])
        verdict = _judge(*numbers, sides[i], scale)
        error = (differences.central[i] - slopes[i]).abs()
        slope = convergence(differences.h[i], error, differences.rounding[i]).slope
        trials.append(Trial(x, name, *numbers, slope, verdict))
    return trials


def _judge(
    autograd: float, limit: float, uncertainty: float, sides: OneSidedSlopes, scale: float
) -> str:
    """Compare autograd's slope with the limit of central differences and of one-sided ones."""
    if abs(autograd - limit) <= max(DOUBT * uncertainty, _SAME * scale):
        return "unsure" if uncertainty > _UNSURE * scale > 0 else "right"
    if sides.differ(scale):
        low, high = sorted((sides.left, sides.right))
        margin = DOUBT * sides.uncertainty + _SAME * scale
        return "a kink" if low - margin <= autograd <= high + margin else "wrong"
    return "wrong"


def _check_consistency(loss: Loss, points: Tensor, value: Tensor) -> list[str]:
    """Return problems with repeated calls, single points against a batch, and float32."""
    if not len(points):
        return []
    problems = []
    repeated = values_at(loss, points)
    if not torch.equal(repeated, value):
        problems.append("two calls at the same points return different values")
        return problems
    one_by_one = torch.stack([values_at(loss, row[None])[0] for row in points])
    differs = (one_by_one - value).abs() > _BATCHED * value.abs().clamp(min=1e-300)
    if bool(differs.any()):
        k = int(torch.nonzero(differs)[0, 0])
        both = f"{number(value[k])} in a batch, {number(one_by_one[k])} by itself"
        problems.append(f"the loss at {vector(points[k], 6)} is {both}")
    single = loss.to(torch.float32, points.device)(points.to(torch.float32))
    if single.dtype != torch.float32:
        dtype = str(single.dtype).removeprefix("torch.")
        problems.append(f"for float32 points the loss is {dtype}, as one of its constants is")
    return problems


def _make_remarks(trials: Sequence[Trial]) -> list[str]:
    remarks = []
    for verdict, explanation in (
        ("a kink", "at a kink: the left and right derivatives differ"),
        ("unsure", "unsure: the differences do not converge"),
    ):
        matches = [t for t in trials if t.verdict == verdict]
        if matches:
            first = f"first at {vector(matches[0].at, 6)} along {matches[0].along}"
            remarks.append(f"{len(matches)} of {len(trials)} slopes are {explanation}; {first}")
    return remarks
