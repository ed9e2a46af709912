"""Several runs side by side: their paths on one loss, and the loss over their steps.

Shapes: D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdlab.plots.colors import Palette
from gdlab.plots.convergence import Curve, draw_curves, fill_curves
from gdlab.plots.paths import Path, Paths
from gdlab.plots.projection import Landscape
from gdlab.plots.relief import draw_relief_bar
from gdlab.plots.style import Size, head_chart, new_figure, style
from gdlab.plots.trajectories import fill_overview, legend_handles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_comparison"]

_SIZE = (11.5, 5.8)


def draw_comparison(
    landscape: Landscape | None,
    paths: Sequence[Path],
    curves: Sequence[Curve],
    palette: Palette,
    *,
    title: str,
    ylabel: str,
    size: Size | None = None,
) -> Figure:
    """Draw several runs: to the left on the loss that they share, to the right over their steps.

    Args:
        landscape: The loss; None where they have none in common, which leaves the right side.
        paths: The points of the runs.
        curves: Their losses.
        palette: The looks of their labels; past eight names each run has a panel, without paths.
        title: The first line of the picture.
        ylabel: The name of the losses.
        size: Width and height in inches; by default 11.5 by 5.8.
    """
    if landscape is None or palette.is_split:
        return draw_curves(curves, palette, title=title, ylabel=ylabel, size=size)
    with style():
        figure = new_figure(size or _SIZE, constrained=True)
        left, right = figure.subplots(1, 2)
        seen = Paths.of(landscape, paths)
        drawn = seen.relief()
        leaving = fill_overview(left, seen, drawn, palette)
        if drawn is not None:
            draw_relief_bar(figure, [left], drawn)
        fill_curves(right, curves, palette, ylabel)
        palette.draw_key(figure, [left, right], legend_handles(seen))
        head_chart(figure, title, "", seen.notes(leaving))
        return figure
