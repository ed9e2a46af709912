"""The picture of the sharpness along runs beside 2/lr, the edge of gradient descent's stability.

Shapes: n records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gdlab.plots.colors import CATEGORIES
from gdlab.plots.style import draw_title, panel, png, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SharpnessPath", "stability_png"]

_SIZE = (7.2, 6.4)
_UPPER, _LOWER = (0.105, 0.41, 0.865, 0.49), (0.105, 0.085, 0.865, 0.285)
_DASHES = (0, (5, 3))
_OUTLIERS = 3  # so many times the highest edge is as high as the picture goes
_DEEPEST = 1e-20  # of the highest loss: what lies lower is zero for every purpose
MOST = len(CATEGORIES)
"""So many runs can be told apart."""


class SharpnessPath(NamedTuple):
    """What the picture shows of one run.

    Attributes:
        step: (n,) increasing step numbers.
        loss: (n,) NaN where it was not computed.
        sharpness: (n,) likewise.
        lr: (n,) of the steps that leave the points; NaN in a run's last.
    """

    step: np.ndarray
    loss: np.ndarray
    sharpness: np.ndarray
    lr: np.ndarray


def stability_png(courses: Mapping[str, SharpnessPath], *, title: str) -> bytes:
    """Draws the sharpness of runs over their steps beside 2/lr, dashed, and their losses below.

    Gradient descent on a quadratic is unstable where the sharpness is above 2/lr. What is more
    than three times as high as the highest 2/lr and what else lies lower is out of the picture.

    Args:
        courses: at most 8 runs by name.
        title: the first line of the picture.

    Returns:
        A PNG of 720 x 640 pixels.

    Raises:
        ValueError: there is no run, or there are too many to tell apart.
    """
    if not 1 <= len(courses) <= MOST:
        raise ValueError(f"needs 1 to {MOST} runs, got {len(courses)}")
    with style():
        canvas, upper = panel(_SIZE, _UPPER)
        lower = canvas.figure.add_axes(_LOWER, sharex=upper)
        draw_title(canvas.figure, title, "sharpness λ_max of the Hessian; dashed: 2/lr")
        for (name, course), (color, _) in zip(courses.items(), CATEGORIES, strict=False):
            _draw(upper, lower, course, {"color": color, "label": name})
        _scale(upper, lower, list(courses.values()))
        for axes, ylabel in ((upper, "sharpness"), (lower, "loss")):
            axes.set_ylabel(ylabel, size=9)
            axes.tick_params(labelsize=8, length=3)
            axes.grid(color="#e6e6e6", linewidth=0.6)
            axes.set_axisbelow(True)
        upper.tick_params(labelbottom=False)
        lower.set_xlabel("step", size=9)
        for text in upper.legend(fontsize=8.5, loc="best", framealpha=0.9).get_texts():
            text.set_parse_math(False)
        return png(canvas)


def _draw(upper: Axes, lower: Axes, course: SharpnessPath, look: dict[str, Any]) -> None:
    """One run: its sharpness, the edge, its loss."""
    known = np.isfinite(course.sharpness)
    upper.plot(course.step[known], course.sharpness[known], linewidth=1.4, zorder=3, **look)
    look = {"color": look["color"], "linewidth": 1.2}
    upper.plot(course.step, 2 / course.lr, linestyle=_DASHES, zorder=2, **look)
    known = np.isfinite(course.loss)
    lower.plot(course.step[known], course.loss[known], **look)


def _scale(upper: Axes, lower: Axes, courses: list[SharpnessPath]) -> None:
    """Limits that hold the edges and what is near them; losses by logarithm where they can be."""
    edge = np.nanmax([np.nanmax(2 / course.lr) for course in courses])
    values = np.concatenate([course.sharpness for course in courses])
    values = values[np.isfinite(values)]
    high = 1.08 * min(max(edge, values.max()), _OUTLIERS * edge)
    low = min(0.0, values.min())
    upper.set_ylim(max(1.08 * low, -high), high)
    losses = np.concatenate([course.loss for course in courses])
    losses = losses[np.isfinite(losses)]
    if losses.size and losses.min() > 0:
        lower.set_yscale("log")
        lower.set_ylim(bottom=max(losses.min() / 1.5, _DEEPEST * losses.max()))
