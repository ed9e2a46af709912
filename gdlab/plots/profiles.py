"""Profiles of several optimizers, and who is better than whom.

Shapes: O optimizers, G points of a grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gdlab.plots.colors import CATEGORIES, MOST
from gdlab.plots.style import INK, Size, draw_names, finish_chart, head_chart, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_pairs", "draw_profiles"]

_SIZE = (7.2, 4.8)
_REST = "#c3c8cf"
_BETTER, _WORSE, _EVEN = "#2b8a5b", "#c1443c", "#eceef1"
_CELL = 0.3  # inches of a cell of the matrix


def draw_profiles(
    grid: np.ndarray,
    shares: np.ndarray,
    names: Sequence[str],
    *,
    title: str,
    xlabel: str,
    size: Size | None = None,
) -> Figure:
    """Draw the share of instances that each optimizer has solved, over a logarithmic grid.

    Args:
        grid: increasing positive numbers (G,).
        shares: from 0 to 1 (O, G).
        names: of the optimizers, in the same order; past eight the rest is gray.
        title: the first line of the picture.
        xlabel: what the grid is.
        size: width and height in inches; by default 7.2 by 4.8.
    """
    with style():
        figure = new_figure(size or _SIZE, constrained=True)
        axes = figure.add_subplot()
        for share in shares[MOST:]:
            axes.step(grid, share, where="post", color=_REST, linewidth=0.8)
        handles = []
        marks = max(1, len(grid) // 8)
        for at, (share, name) in enumerate(zip(shares[:MOST], names, strict=False)):
            color, marker = CATEGORIES[at]
            look = {"color": color, "marker": marker, "markersize": 5.5, "linewidth": 1.6}
            (line,) = axes.step(
                grid, share, where="post", markevery=(at * marks // MOST, marks), label=name, **look
            )
            handles.append(line)
        axes.set_xscale("log")
        axes.set_xlim(float(grid[0]), float(grid[-1]))
        axes.set_ylim(-0.02, 1.02)
        finish_chart(axes, xlabel, "share solved")
        draw_names(figure, handles)
        rest = len(shares) - MOST
        head_chart(figure, title, note=f"{rest} further ones in gray" if rest > 0 else "")
        return figure


def draw_pairs(verdicts: np.ndarray, names: Sequence[str], *, title: str) -> Figure:
    """Draw for each pair of optimizers whether the one of the row is better.

    Args:
        verdicts: 1 for better, −1 for worse, 0 for a tie (O, O).
        names: of the optimizers, in the same order.
        title: the first line of the picture.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    with style():
        count = len(names)
        side = max(3.0, 1.6 + _CELL * count)
        figure = new_figure((side + 0.8, side + 0.9), constrained=True)
        axes = figure.add_subplot()
        colors = ListedColormap([_WORSE, _EVEN, _BETTER])
        axes.imshow(verdicts, cmap=colors, vmin=-1, vmax=1)
        axes.set_xticks(range(count), names, rotation=90, parse_math=False)
        axes.set_yticks(range(count), names, parse_math=False)
        axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
        axes.tick_params(labelsize=8, length=0)
        axes.tick_params(which="minor", length=0)
        axes.grid(which="minor", color="white", linewidth=1.2)
        for side_of in axes.spines.values():
            side_of.set_visible(False)
        keys = {"row is better": _BETTER, "tie": _EVEN, "row is worse": _WORSE}
        draw_names(
            figure,
            [Patch(facecolor=c, edgecolor=INK, linewidth=0.4, label=k) for k, c in keys.items()],
        )
        head_chart(figure, title)
        return figure
