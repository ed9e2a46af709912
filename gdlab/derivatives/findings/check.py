"""Gradient check: test whether autograd's gradient of a loss is its derivative.

Shapes: D dimensions, n points, k directions.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from gdlab.config.loading import chosen_with
from gdlab.derivatives.arguments import as_point
from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.findings.trials import (
    BY_FORMULA,
    LARGE,
    RIGHT,
    UNSURE,
    WRONG,
    Trial,
    compare_slopes,
)
from gdlab.derivatives.methods.behavior import Kind
from gdlab.derivatives.methods.finite_differences import values_at
from gdlab.derivatives.wording import LEGEND
from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Loss
from gdlab.losses.function import Function
from gdlab.numerics import rng
from gdlab.numerics.autodiff import value_and_gradient

_POINTS, _POINTS_OF_LARGE = 10, 2
_BATCHED = 1e-10  # relative: a matrix product can round differently in a batch
_REMARKS = {
    Kind.KINK: "at a kink: the left and right derivatives differ",
    Kind.JUMP: "at a jump: there is no derivative",
    Kind.VERTICAL: "at a vertical tangent: there is no finite derivative",
    Kind.EDGE: "at the edge of the domain: there is no derivative",
    BY_FORMULA: "where the differences cannot resolve the loss: autograd and the formula agree",
    UNSURE: "unsure: the differences do not converge",
}
_TESTED = (RIGHT, BY_FORMULA, Kind.KINK)

Points: TypeAlias = Tensor | Sequence[float] | Sequence[Sequence[float]]
"""A point (D,), or several (n, D)."""


@dataclass(frozen=True, repr=False)
class Check(Finding):
    """The result of a gradient check; `print` shows what was found.

    Attributes:
        passed: whether there are no problems.
        verdict: the result as a sentence: correct, WRONG or unsure.
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

    def __repr__(self) -> str:
        return f"Check({self.verdict.partition(':')[0]}: {self._extent})"

    def __str__(self) -> str:
        return "\n".join((self.verdict, self._extent, *self.problems, *self.remarks))

    @property
    def _extent(self) -> str:
        points = "1 point" if self.points == 1 else f"{self.points} points"
        return f"{points}, {len(self.trials)} slopes"

    def section(self) -> Section:
        """Return the verdict and the wrong trials, or the least accurate ones if none is wrong."""
        wrong = [t for t in self.trials if t.verdict == WRONG]
        worst = sorted(self.trials, key=lambda t: -abs(t.autograd - t.differences))
        rows = [
            (
                t.verdict,
                t.along,
                vector(t.at, 4),
                number(t.autograd),
                number(t.differences),
                number(t.uncertainty, 2),
                _rate(t),
            )
            for t in (wrong or worst)[:5]
        ]
        header = ("", "along", "at", "autograd", "differences", "±", "error slope")
        lines = [("verdict", self.verdict), ("points", str(self.points))]
        lines += [("wrong", problem) for problem in self.problems]
        return Section("Gradient check", lines, Table(header, rows), self.remarks, LEGEND)


def _rate(trial: Trial) -> str:
    if trial.slope is None and math.isfinite(trial.uncertainty):
        return "exact"
    return number(trial.slope, 3)


def check_gradient(
    f: "str | Loss | type[Loss] | Callable[[Tensor], Tensor]",
    x: "Points | None" = None,
    *,
    seed: int = 0,
    **settings: Any,
) -> Check:
    """Test whether autograd's gradient of a function is its derivative.

    At each point, slopes must equal central differences extrapolated to h = 0 within their
    uncertainty. Values must be the same for one point and a batch and in repeated calls, and
    float32 for float32 points.

    >>> check_gradient(lambda x: (x**2).sum() + x.prod(), [1.0, 2.0]).passed
    True
    >>> check_gradient("quadratic", [1.0, 2.0], condition=10)
    Check(correct: 1 point, 2 slopes)

    Args:
        f: a name from conf, a loss or its class, or a function of one point (D,).
        x: a point (D,) or several (n, D); None for the start of a loss and random points in its
            window.
        seed: seed of the random points and directions.
        settings: those of the loss, as for `gdlab.run`.

    Raises:
        SettingError: a setting of the loss is unknown, of the wrong type or out of range; a
            function is given without a point, or a point has the wrong length or is not finite.
    """
    is_function = callable(f) and not isinstance(f, (type, nn.Module))
    is_given = (isinstance(f, Loss) or is_function) and not settings
    chosen: Any = f if is_given else chosen_with("loss", f, settings)
    loss, points = _resolve(chosen, x, seed)
    value, gradient = value_and_gradient(loss, points)
    problems, remarks = _check_finite(points, value)
    trials = [
        trial
        for k in torch.nonzero(value.isfinite())[:, 0]
        for trial in compare_slopes(loss, points[k], value[k], gradient[k], seed)
    ]
    problems += _find_errors(trials)
    usable = value.isfinite() & gradient.isfinite().all(1)
    problems += _check_consistency(loss, points[usable], value[usable])
    remarks += _make_remarks(trials)
    details = tuple(problems), tuple(remarks), tuple(trials)
    return Check(not problems, _verdict(problems, trials), len(points), *details)


def _verdict(problems: Sequence[str], trials: Sequence[Trial]) -> str:
    """Return the result as a sentence: correct, WRONG or unsure."""
    if any(t.verdict == WRONG for t in trials):
        return "WRONG: the gradient is not the derivative of the loss"
    if problems:
        return "WRONG"
    untested = sum(t.verdict not in _TESTED for t in trials)
    if not untested:
        where = " where there is a derivative" * any(t.verdict == Kind.KINK for t in trials)
        return f"correct{where}: autograd's gradient is the derivative of the loss"
    others = "" if untested == len(trials) else "; the others are correct"
    return f"unsure: {untested} of {len(trials)} slopes could not be tested{others}"


def _find_errors(trials: Sequence[Trial]) -> list[str]:
    """Describe the first wrong slope, and the first one that is not finite but should be."""
    problems = []
    lost = [t for t in trials if t.verdict in (WRONG, UNSURE) and not math.isfinite(t.autograd)]
    if lost:
        at = vector(lost[0].at, 6)
        problems.append(f"the gradient is not finite at {at}, but the loss is")
    wrong = [t for t in trials if t.verdict == WRONG and math.isfinite(t.autograd)]
    if wrong:
        t = wrong[0]
        slopes = f"{number(t.autograd, 6)} by autograd, {number(t.differences, 6)} by differences"
        problems.append(f"the slope along {t.along} at {vector(t.at, 6)} is {slopes}")
    return problems


def _resolve(
    f: "Loss | Callable[[Tensor], Tensor]", x: "Points | None", seed: int
) -> tuple[Loss, Tensor]:
    """Return the function as a loss, and the points (n, D)."""
    if x is None:
        if not isinstance(f, Loss):
            raise SettingError("x=None: must be a point if f is not a loss")
        return f, _draw_points(f, seed)
    try:
        points = torch.as_tensor(x, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        what = "must be numbers, one point or several of the same length"
        raise SettingError(f"x={format_value(x)}: {what}") from error
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
    count = _POINTS if loss.dim <= LARGE else _POINTS_OF_LARGE
    counters = torch.arange(count)[:, None], torch.arange(loss.dim)
    unit = rng.uniform(torch.tensor(seed), rng.Stream.START, *counters)
    random = low + (high - low) * unit
    return torch.cat((start[None], ((low + high) / 2)[None], random))


def _check_finite(points: Tensor, value: Tensor) -> tuple[list[str], list[str]]:
    """Return problems and remarks about values that are not finite."""
    problems, remarks = [], []
    no_value = torch.nonzero(~value.isfinite())[:, 0]
    if len(no_value) == len(points):
        problems.append("the loss is not finite at any of the points")
    elif len(no_value):
        first = vector(points[no_value[0]], 6)
        remarks.append(f"the loss is not finite at {len(no_value)} of the points, first at {first}")
    return problems, remarks


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
    for verdict, explanation in _REMARKS.items():
        matches = [t for t in trials if t.verdict == verdict]
        if matches:
            first = f"first at {vector(matches[0].at, 6)} along {matches[0].along}"
            remarks.append(f"{len(matches)} of {len(trials)} slopes are {explanation}; {first}")
    return remarks
