"""Several runs side by side: their paths on one loss, and the loss over their steps.

Shapes: D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gdlab.plots.colors import Palette
from gdlab.plots.convergence import Curve, draw_curves, fill_curves
from gdlab.plots.multiples import chosen, label_panels, name_panel, small_panels
from gdlab.plots.paths import Path, Paths
from gdlab.plots.projection import Landscape
from gdlab.plots.relief import draw_relief_bar
from gdlab.plots.style import (
    Size,
    head_chart,
    join_notes,
    new_figure,
    note_leaving,
    shorten,
    style,
)
from gdlab.plots.trajectories import fill_overview, legend_handles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_comparison", "draw_losses"]

_SIZE = (11.5, 5.8)


def draw_comparison(
    landscape: Landscape,
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
        landscape: The loss.
        paths: The points of the runs.
        curves: Their losses.
        palette: The looks of their labels; past eight names each run has a panel, without paths.
        title: The first line of the picture.
        ylabel: The name of the losses.
        size: Width and height in inches; by default 11.5 by 5.8.
    """
    if palette.is_split:
        return draw_curves(curves, palette, title=title, ylabel=ylabel, size=size)
    with style():
        figure = new_figure(size or _SIZE, constrained=True)
        left, right = figure.subplots(1, 2)
        seen = Paths.of(landscape, paths)
        drawn = seen.relief()
        leaving = fill_overview(left, seen, drawn, palette)
        if drawn is not None:
            draw_relief_bar(figure, [left], drawn)
        outside = fill_curves(right, curves, palette, ylabel)
        beyond = note_leaving(int(np.count_nonzero(outside)), len(curves), "losses")
        palette.draw_key(figure, [left, right], legend_handles(seen))
        head_chart(figure, title, "", join_notes(seen.notes(leaving), beyond))
        return figure


def draw_losses(
    curves: Sequence[Curve],
    losses: Sequence[str],
    palette: Palette,
    *,
    title: str,
    ylabel: str,
    size: Size | None = None,
) -> Figure:
    """Draw the losses of several runs over their steps, a panel for each function.

    Args:
        curves: The runs.
        losses: The name of each one's function. Past 24 panels some are left out.
        palette: The looks of their labels; past eight names each run has a panel.
        title: The first line of the picture.
        ylabel: The name of the losses.
        size: Width and height in inches.
    """
    if len(set(losses)) == 1:
        return draw_curves(curves, palette, title=title, ylabel=ylabel, size=size)
    with style():
        every = _by_loss(curves, losses, palette)
        shown = chosen(list(every.items()))
        figure, axes = small_panels(len(shown), size, same_y=False)
        outside: list[int] = []
        for panel, (name, of_panel) in zip(axes, shown, strict=True):
            outside += fill_curves(panel, of_panel, palette, "")
            name_panel(panel, shorten(name))
        label_panels(axes, "step", ylabel, same_y=False)
        if len(palette.values) > 1:
            palette.draw_key(figure, axes)
        note = note_leaving(int(np.count_nonzero(outside)), len(outside), "curves")
        left_out = f"{len(shown)} of {len(every)} panels" if len(shown) < len(every) else ""
        head_chart(figure, title, left_out, note)
        return figure


def _by_loss(
    curves: Sequence[Curve], losses: Sequence[str], palette: Palette
) -> dict[str, list[Curve]]:
    """Return the curves of each panel by its name."""
    panels: dict[str, list[Curve]] = {}
    for curve, loss in zip(curves, losses, strict=True):
        name, label = loss, palette.name(curve.label)
        if palette.is_split:
            name = label if loss in label else f"{loss}: {label}"
        panels.setdefault(name, []).append(curve)
    return panels
