"""Basins of attraction: which minimizer each start of a grid reached.

Shapes: nx and ny starts along the axes of the grid; M minimizers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.plots.style import (
    INK,
    MINIMIZER,
    Size,
    draw_title,
    label,
    panel,
    panel_box,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_basins"]

_SIZE = (6.4, 5.6)
_MARGINS = {"left": 0.77, "right": 0.86, "bottom": 0.92, "top": 0.45}  # inches
# Okabe and Ito's colors, paler, ordered so that consecutive ones also differ in gray.
_FILLS = (
    "#5593cc",
    "#f6cd7d",
    "#2b7d62",
    "#e6a3c6",
    "#b5532a",
    "#a9d8f2",
    "#7d6aa8",
    "#f3ec9b",
)
_NONE_REACHED = "#cfcfcf"


def draw_basins(
    x_axis: np.ndarray,
    y_axis: np.ndarray,
    labels: np.ndarray,
    names: tuple[str, str],
    minimizers: np.ndarray,
    *,
    title: str = "",
    size: Size | None = None,
) -> Figure:
    """Draw which minimizer each start of a grid reached.

    Args:
        x_axis: (nx,) first coordinates of the starts, increasing.
        y_axis: (ny,) second coordinates, increasing.
        labels: (ny, nx) the index of the minimizer reached, -1 for none.
        names: The names of the two coordinates.
        minimizers: (M, 2); colors repeat after 8.
        title: The first line of the picture.
        size: Width and height in inches; by default 6.4 by 5.6.

    Raises:
        ValueError: The shapes do not match, or a label is not the index of a minimizer.
    """
    from matplotlib.colors import to_rgb

    minimizers = np.asarray(minimizers, dtype=float).reshape(-1, 2)
    labels = np.asarray(labels)
    _check_labels(labels, (len(y_axis), len(x_axis)), len(minimizers))
    fills = np.array([to_rgb(fill) for fill in (*_FILLS, _NONE_REACHED)])
    with style():
        size = size or _SIZE
        canvas, axes = panel(size, panel_box(size, **_MARGINS))
        draw_title(canvas.figure, title, "")
        x, y = (_cell_edges(np.asarray(axis, dtype=float)) for axis in (x_axis, y_axis))
        axes.set(xlim=x[[0, -1]], ylim=y[[0, -1]])
        if 1 / 3 <= (y[-1] - y[0]) / (x[-1] - x[0]) <= 3:
            axes.set_aspect("equal")
        axes.pcolorfast(x, y, fills[np.where(labels < 0, len(_FILLS), labels % len(_FILLS))])
        axes.plot(*minimizers.T, **MINIMIZER)
        label(axes, *names)
        _draw_shares(axes, labels, minimizers)
        return canvas.figure


def _check_labels(labels: np.ndarray, shape: tuple[int, int], count: int) -> None:
    if labels.shape != shape or not labels.size:
        raise ValueError(f"labels must be (ny, nx) = {shape}, got {labels.shape}")
    if labels.min() < -1 or labels.max() >= count:
        raise ValueError(f"labels must be -1 to {count - 1}, got {np.unique(labels)}")


def _cell_edges(centers: np.ndarray) -> np.ndarray:
    """Return the edges (n + 1,) of cells around centers (n,)."""
    if len(centers) == 1:
        return centers[0] + np.array([-0.5, 0.5])
    middles = (centers[1:] + centers[:-1]) / 2
    return np.concatenate([[2 * centers[0] - middles[0]], middles, [2 * centers[-1] - middles[-1]]])


def _draw_shares(axes: Axes, labels: np.ndarray, minimizers: np.ndarray) -> None:
    """Draw a legend with the share of starts that reached each minimizer."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list = []
    for k, (x, y) in enumerate(minimizers if len(minimizers) <= len(_FILLS) else []):
        name = f"({x:.3g}, {y:.3g})  {(labels == k).mean():.1%}"
        handles.append(Patch(facecolor=_FILLS[k], edgecolor=INK, linewidth=0.5, label=name))
    if (labels < 0).any():
        share = f"none reached  {(labels < 0).mean():.1%}"
        name = share if len(minimizers) else "no minimizer of this loss is known"
        handles.append(Patch(facecolor=_NONE_REACHED, edgecolor=INK, linewidth=0.5, label=name))
    if len(minimizers):
        handles.append(Line2D([0], [0], **{**MINIMIZER, "markersize": 12}, label="minimizer"))
    figure: Any = axes.get_figure(root=True)
    figure.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.56 / figure.get_figheight()),
        ncols=-(-len(handles) // 2) if len(handles) > 4 else len(handles),
        frameon=False,
        fontsize=8,
        handlelength=1.4,
        columnspacing=1.4,
    )
