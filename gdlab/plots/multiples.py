"""Small multiples: a panel for each of many curves, with the others in gray behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from gdlab.plots.style import Size, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 24
GHOST = {"color": "#cccccc", "linewidth": 0.8, "zorder": 1}
"""The look of the other curves."""
_PANEL, _NAME = 2.3, 0.3  # inches: the width of a panel, the height of its name
_PAGE = 7.2  # inches, the least width of a page
_ROOM = 1.1  # inches for titles and legend
_WIDEST = 4.0 / 3.0

Item = TypeVar("Item")


def chosen(items: Sequence[Item]) -> list[Item]:
    """Return at most 24 items, evenly spaced."""
    count = min(len(items), MOST_PANELS)
    return [items[at] for at in np.linspace(0, len(items) - 1, count).round().astype(int)]


def note_of(shown: int, count: int, what: str) -> str:
    """Say that some panels are left out; empty if none is."""
    return f"{shown} of {count} {what}" if shown < count else f"{count} {what}"


def small_panels(
    count: int, size: Size | None = None, ratio: float = 0.75, *, same_y: bool = True
) -> tuple[Figure, list[Axes]]:
    """Return a constrained figure with equal panels that share their axes.

    Args:
        count: at most 24 panels, row by row.
        size: of the figure; None for what the panels need.
        ratio: height over width of a panel, for the size that they need.
        same_y: whether they share the vertical one.
    """
    columns = min(count, max(3, math.ceil(math.sqrt(count * _WIDEST))))
    rows = math.ceil(count / columns)
    if size is None:
        width = max(_PANEL, _PAGE / columns)
        size = columns * width, rows * (width * ratio + _NAME) + _ROOM
    figure = new_figure(size, constrained=True)
    grid = figure.subplots(rows, columns, sharex=True, sharey=same_y, squeeze=False)
    panels = grid.ravel().tolist()
    for unused in panels[count:]:
        unused.remove()
    return figure, panels[:count]


def label_panels(panels: Sequence[Axes], xlabel: str, ylabel: str, *, same_y: bool = True) -> None:
    """Write the names of the axes at the outermost of some small panels.

    Args:
        panels: of `small_panels`.
        xlabel: the name of the horizontal axes.
        ylabel: the name of the vertical axes.
        same_y: whether they share the vertical one, so that the first of a row has numbers only.
    """
    columns = panels[0].get_gridspec().ncols  # type: ignore[union-attr]  # they are in a grid
    for at, axes in enumerate(panels):
        is_lowest, is_first = at + columns >= len(panels), at % columns == 0
        axes.tick_params(labelbottom=is_lowest, labelleft=is_first or not same_y)
        axes.set_xlabel(xlabel if is_lowest else "", size=8, labelpad=2, parse_math=False)
        axes.set_ylabel(ylabel if is_first else "", size=8, labelpad=2, parse_math=False)


def name_panel(axes: Axes, name: str) -> None:
    """Write what a panel shows above it."""
    axes.set_title(name, size=9, pad=3, parse_math=False)
    axes.tick_params(labelsize=7, length=2)
