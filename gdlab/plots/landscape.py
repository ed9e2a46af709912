"""The loss itself: level curves, descent directions, or the curve of a loss of one variable.

Shapes: m points of the paper, (m, 2); D dimensions; a view is (K, 2) lower and upper limits,
K = min(D, 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gdlab.plots.projection import Landscape, Plane
from gdlab.plots.relief import HUGE, Relief, draw_key, draw_relief, relief
from gdlab.plots.style import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_SLICED = 5000  # dimensions; above, a grid of losses costs more than the run
_ARROWS = "#4a5a6a"
ARROW_KEY = {"color": _ARROWS, "linewidth": 0.9, "marker": ">", "markersize": 3.5, "markevery": [1]}
UNKNOWN = "#dddddd"
_ARROW_GRID = 16
_KEY_GAP, _KEY_WIDTH = 0.018, 0.016  # as fractions of the figure


def descent_field(
    landscape: Landscape, plane: Plane, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute unit vectors along the negative gradient at points (m, 2) of the plane.

    Returns:
        The points (p, 2), p ≤ m, with a finite, nonzero gradient, and the directions (p, 2).
    """
    descent = -plane.evaluate(landscape.gradient, points)
    largest = np.abs(descent).max(axis=1)
    has_direction = np.isfinite(largest) & (largest > 0)
    # Scaled before the norm, so that squares stay finite.
    descent = descent[has_direction] / largest[has_direction, None]
    return points[has_direction], descent / np.linalg.norm(descent, axis=1, keepdims=True)


def relief_of(
    landscape: Landscape, plane: Plane, view: np.ndarray, path: np.ndarray | None = None
) -> Relief | None:
    """Return the level curves of the loss over a view, for a path (n, 2); None where it has none.

    Where the loss has more than 5,000 dimensions, it has none.
    """
    return relief(landscape, plane, view, path) if len(plane.origin) <= MAX_SLICED else None


def draw_surface(
    axes: Axes, landscape: Landscape, plane: Plane, view: np.ndarray, levels: Relief | None
) -> None:
    """Draw level curves, their key and descent directions in the plane."""
    frame_surface(axes, landscape, plane, view)
    axes.set_facecolor(UNKNOWN)
    if levels is not None:
        draw_relief(axes, levels)
        draw_key(axes, levels)
    if len(plane.origin) <= MAX_SLICED:
        _draw_arrows(axes, landscape, plane, view)


def frame_surface(axes: Axes, landscape: Landscape, plane: Plane, view: np.ndarray) -> None:
    """Set the limits, the aspect and the names of the axes of a plane."""
    (left, right), (bottom, top) = view
    axes.set(xlim=(left, right), ylim=(bottom, top))
    # Within 1:3 both axes have the same scale, and arrows cross level curves at right angles on
    # the page; otherwise arrows have the direction of the step in data coordinates.
    if 1 / 3 <= (top - bottom) / (right - left) <= 3:
        axes.set_aspect("equal")
    axes.apply_aspect()
    label(axes, *axis_names(landscape, plane))


def axis_names(landscape: Landscape, plane: Plane) -> Sequence[str]:
    """Return the names of the axes of a plane."""
    if plane.variance is None:
        return landscape.names
    return [
        f"principal component {k} ({share:.1%} of variance)"
        for k, share in enumerate(plane.variance, start=1)
    ]


def note_of_scales(axes: Axes) -> str:
    """Say how many times as long one axis is drawn as the other; empty for equal scales."""
    if axes.get_aspect() != "auto":
        return ""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    box = axes.get_window_extent()
    ratio = (box.height / abs(top - bottom)) / (box.width / abs(right - left))
    if 0.8 < ratio < 1.25:
        return ""
    tall, times = ("vertical", ratio) if ratio > 1 else ("horizontal", 1 / ratio)
    return f"the {tall} axis is stretched {times:.2g}-fold"


def draw_levels(axes: Axes, landscape: Landscape, plane: Plane, view: np.ndarray) -> None:
    """Draw the level curves of the loss over a view, and their key to the right of the panel."""
    axes.set_facecolor(UNKNOWN)
    levels = relief(landscape, plane, view)
    if levels is not None:
        draw_relief(axes, levels)
        draw_key(axes, levels)


def middles(view: np.ndarray, side: int) -> np.ndarray:
    """Return the centers (side², 2) of equal cells of a view; arrows there stay inside it."""
    cells = (np.arange(side) + 0.5) / side
    x, y = (low + (high - low) * cells for low, high in view)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _draw_arrows(axes: Axes, landscape: Landscape, plane: Plane, view: np.ndarray) -> None:
    points, directions = descent_field(landscape, plane, middles(view, _ARROW_GRID))
    if len(points):
        axes.quiver(
            *points.T,
            *directions.T,
            angles="xy",
            pivot="middle",
            color=_ARROWS,
            alpha=0.55,
            scale=34,
            width=0.0022,
            headwidth=4.5,
            headlength=5,
            headaxislength=4.5,
        )


def draw_curve(axes: Axes, landscape: Landscape, plane: Plane, view: np.ndarray) -> None:
    """Draw a loss of one variable over the view."""
    low, high = view[0]
    x = np.linspace(low, high, 601)
    y = plane.evaluate(landscape.value, x[:, None])
    y[~(np.abs(y) < HUGE)] = np.nan
    axes.plot(x, y, color=_ARROWS, linewidth=1.6)
    finite = y[np.isfinite(y)]
    bottom, top = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    margin = 0.08 * (top - bottom) or max(1.0, 0.5 * abs(top))
    axes.set(xlim=(low, high), ylim=(bottom - margin, top + margin))
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    label(axes, landscape.names[0], "loss")
