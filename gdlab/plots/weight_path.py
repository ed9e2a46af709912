"""The path of a model's weights in the plane of its principal components, without a landscape.

Shapes: n recorded points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gdlab.plots.background import CURRENT, START
from gdlab.plots.colors import ramp
from gdlab.plots.style import (
    Size,
    draw_names,
    finish_chart,
    head_chart,
    new_figure,
    style,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_weight_path"]

_SIZE = (6.4, 5.6)
_WIDEST = 4.0  # ratio of the extents of a path: from here on each axis has a scale of its own


def draw_weight_path(
    steps: np.ndarray,
    path: np.ndarray,
    *,
    title: str,
    names: tuple[str, ...],
    size: Size | None = None,
) -> Figure:
    """Draw a path, colored by the step.

    Args:
        steps: (n,) increasing step numbers.
        path: (n, 2) the points at those steps, finite.
        title: the first line of the picture.
        names: of the two axes.
        size: width and height in inches; by default 6.4 by 5.6.
    """
    with style():
        figure = new_figure(size or _SIZE, constrained=True)
        axes = figure.add_subplot()
        axes.plot(*path.T, color="#999999", linewidth=0.7, zorder=1)
        marks = axes.scatter(*path.T, c=steps, cmap=ramp(), s=7, linewidths=0, zorder=2)
        (start,) = axes.plot(*path[:1].T, **START, label="start", zorder=3)
        (end,) = axes.plot(*path[-1:].T, **CURRENT, label=f"step {int(steps[-1]):,}", zorder=4)
        axes.margins(0.08)
        extents = np.ptp(path, axis=0)
        if extents.max() < _WIDEST * extents.min():
            axes.set_aspect("equal", adjustable="datalim")
        finish_chart(axes, *names)
        bar = figure.colorbar(marks, ax=axes, aspect=35, pad=0.02)
        bar.ax.tick_params(labelsize=8, length=3)
        bar.ax.set_xlabel("step", size=9)
        draw_names(figure, [start, end])
        head_chart(figure, title, "the weights, as far as they are seen in this plane")
        return figure
