"""The sharpness along runs beside 2/lr, above which gradient descent is unstable.

Shapes: n records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gdlab.plots.colors import CATEGORIES
from gdlab.plots.style import draw_names, draw_title, drawable, panel, png, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["SharpnessPath", "stability_png"]

_SIZE = (7.2, 6.4)
_UPPER, _LOWER = (0.105, 0.41, 0.865, 0.49), (0.105, 0.085, 0.865, 0.285)
_DASHES = (0, (5, 3))
_OUTLIERS = 3  # the picture ends at this multiple of the highest 2/lr
_DEEPEST = 1e-20  # of the highest loss: lower ones count as zero
MAX_RUNS = len(CATEGORIES)
"""The number of runs whose colors differ."""


class SharpnessPath(NamedTuple):
    """The sharpness along one run, with its loss and learning rate.

    Attributes:
        step: (n,) increasing step numbers.
        loss: (n,) NaN where it was not computed.
        sharpness: (n,) NaN where it was not computed.
        lr: (n,) of the step that leaves each point; NaN in a run's last record.
    """

    step: np.ndarray
    loss: np.ndarray
    sharpness: np.ndarray
    lr: np.ndarray

    @property
    def edge(self) -> np.ndarray:
        """2/lr (n,); NaN where it cannot be drawn."""
        with np.errstate(over="ignore"):
            return drawable(2 / self.lr.astype(np.float64))


def stability_png(paths: Mapping[str, SharpnessPath], *, title: str) -> bytes:
    """Draw the sharpness of runs over their steps beside 2/lr, dashed, and their losses below.

    Gradient descent on a quadratic is unstable where the sharpness is above 2/lr. Values more than
    three times as far from 0 as the highest 2/lr are outside the picture.

    Args:
        paths: at most 8 runs by name.
        title: the first line of the picture.

    Returns:
        A PNG of 720 x 640 pixels.

    Raises:
        ValueError: there is no run, or there are too many to tell apart.
    """
    if not 1 <= len(paths) <= MAX_RUNS:
        raise ValueError(f"needs 1 to {MAX_RUNS} runs, got {len(paths)}")
    paths = {
        name: path._replace(loss=drawable(path.loss), sharpness=drawable(path.sharpness))
        for name, path in paths.items()
    }
    with style():
        canvas, upper = panel(_SIZE, _UPPER)
        lower = canvas.figure.add_axes(_LOWER, sharex=upper)
        draw_title(canvas.figure, title, "sharpness λ_max of the Hessian; dashed: 2/lr")
        lines = [
            _draw(upper, lower, path, {"color": color, "label": name})
            for (name, path), (color, _) in zip(paths.items(), CATEGORIES, strict=False)
        ]
        _set_limits(upper, lower, list(paths.values()))
        for axes, ylabel in ((upper, "sharpness"), (lower, "loss")):
            axes.set_ylabel(ylabel, size=9)
            axes.tick_params(labelsize=8, length=3)
            axes.grid(color="#e6e6e6", linewidth=0.6)
            axes.set_axisbelow(True)
        upper.tick_params(labelbottom=False)
        lower.set_xlabel("step", size=9)
        draw_names(upper, lines)
        return png(canvas)


def _draw(upper: Axes, lower: Axes, path: SharpnessPath, look: dict[str, Any]) -> Line2D:
    """Draw the sharpness, 2/lr and the loss of one run; return the line of its sharpness."""
    known = np.isfinite(path.sharpness)
    (sharpness,) = upper.plot(
        path.step[known], path.sharpness[known], linewidth=1.4, zorder=3, **look
    )
    look = {"color": look["color"], "linewidth": 1.2}
    upper.plot(path.step, path.edge, linestyle=_DASHES, zorder=2, **look)
    known = np.isfinite(path.loss)
    lower.plot(path.step[known], path.loss[known], **look)
    return sharpness


def _set_limits(upper: Axes, lower: Axes, paths: list[SharpnessPath]) -> None:
    """Show 2/lr and what is near it; losses by logarithm if all are positive."""
    edges, values, losses = (
        known[np.isfinite(known)]
        for known in (
            np.concatenate([path.edge for path in paths]),
            np.concatenate([path.sharpness for path in paths]),
            np.concatenate([path.loss for path in paths]),
        )
    )
    edge = edges.max(initial=0.0) or np.abs(values).max(initial=0.0) or 1.0
    high = 1.08 * min(values.max(initial=edge), _OUTLIERS * edge)
    low = values.min(initial=0.0)
    upper.set_ylim(max(1.08 * low, -high), high)
    if losses.size and losses.min() > 0:
        lower.set_yscale("log")
        lower.set_ylim(bottom=max(losses.min() / 1.5, _DEEPEST * losses.max()))
