"""The loss itself: level curves, descent directions, or the curve of a loss of one variable.

Shapes: m points of the paper, (m, 2); D dimensions; a view is (K, 2) lower and upper limits,
K = min(D, 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.plots.projection import Landscape, Plane
from gdlab.plots.style import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_SLICED = 5000  # dimensions; above, a grid of losses costs more than the run
_ARROWS = "#4a5a6a"
ARROW_KEY = {"color": _ARROWS, "linewidth": 0.9, "marker": ">", "markersize": 3.5, "markevery": [1]}
_LOWEST, _HIGHEST = "#6f9bc3", "#f5f8fb"  # pale, so that the path stands out on both
_UNKNOWN = "#dddddd"
_ARROW_GRID = 16
_LEVELS = 12
_LOG_SPAN = 1.5  # decades; levels that span more are logarithmic
_DECADES = (0.25, 1 / 3, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0)
_HUGE = 1e300  # arithmetic of levels and ticks overflows near the largest float
_KEY_GAP, _KEY_WIDTH = 0.018, 0.016  # as fractions of the figure
_NOISE = 1e-13  # relative: smaller differences are rounding errors


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


def spaced_levels(
    values: np.ndarray, minimum: float | None
) -> tuple[np.ndarray, np.ndarray, bool] | None:
    """Choose the level curves to draw.

    Args:
        values: Losses of any shape; those past 1e300 and non-finite ones stay blank.
        minimum: The known minimum; if None, or above a value, the lowest value is used.

    Returns:
        Heights above the minimum with the shape of values (NaN where blank), the levels, and
        whether both are logarithms to base 10; None if all values are equal up to rounding.
    """
    drawable = np.abs(values) < _HUGE
    finite = values[drawable]
    if not finite.size:
        return None
    low = float(finite.min())
    base = minimum if minimum is not None and minimum <= low else low
    heights = np.full(values.shape, np.nan)
    heights[drawable] = finite - base
    span = np.nanmax(heights) - np.nanmin(heights)
    if not span > _NOISE * np.abs(finite).max():
        return None
    positive = heights[heights > 0]
    bottom, top = np.log10(np.percentile(positive, [2.0, 99.0]))
    if is_log := bool(top - bottom >= _LOG_SPAN):
        step = next((s for s in _DECADES if (top - bottom) / s <= _LEVELS), _DECADES[-1])
        with np.errstate(divide="ignore"):
            heights = np.log10(heights)
    else:
        bottom, top = np.nanmin(heights), np.nanmax(heights)
        step = _round_up((top - bottom) / _LEVELS)
    levels = step * np.arange(np.floor(bottom / step), np.ceil(top / step) + 1)
    return np.clip(heights, levels[0], levels[-1]), levels, is_log


def _round_up(step: float) -> float:
    """Round up to 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(step))
    return power * next((m for m in (1.0, 2.0, 2.5, 5.0) if m * power >= step), 10.0)


def draw_surface(
    axes: Axes, landscape: Landscape, plane: Plane, view: np.ndarray, *, arrows: bool = True
) -> None:
    """Draw level curves and descent directions in the plane."""
    dim = len(plane.origin)
    (left, right), (bottom, top) = view
    axes.set(xlim=(left, right), ylim=(bottom, top))
    # Within 1:3 both axes have the same scale, and arrows cross level curves at right angles on
    # the page; otherwise arrows have the direction of the step in data coordinates.
    if 1 / 3 <= (top - bottom) / (right - left) <= 3:
        axes.set_aspect("equal")
    axes.apply_aspect()
    if dim <= MAX_SLICED:
        draw_levels(axes, landscape, plane, view)
        if arrows:
            _draw_arrows(axes, landscape, plane, view)
    labels = (
        landscape.names
        if plane.variance is None
        else [
            f"principal component {k} ({share:.1%} of variance)"
            for k, share in enumerate(plane.variance, start=1)
        ]
    )
    label(axes, *labels)


def draw_levels(axes: Axes, landscape: Landscape, plane: Plane, view: np.ndarray) -> None:
    """Draw the level curves of the loss over a view, and their key to the right of the panel."""
    from matplotlib.colors import LinearSegmentedColormap

    axes.set_facecolor(_UNKNOWN)
    dim = len(plane.origin)
    side = 121 if dim <= 20 else 61 if dim <= 1000 else 25
    x, y = (np.linspace(low, high, side) for low, high in view)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    values = plane.evaluate(landscape.value, grid).reshape(side, side)
    spaced = spaced_levels(values, landscape.minimum)
    if spaced is None:
        return
    heights, levels, is_log = spaced
    heights = np.ma.masked_invalid(heights)
    colors = LinearSegmentedColormap.from_list("landscape", [_LOWEST, _HIGHEST])
    filled = axes.contourf(x, y, heights, levels, cmap=colors)
    # At the outermost levels heights were clipped: they follow the grid's cells, not the loss.
    between = levels[(levels > heights.min()) & (levels < heights.max())]
    if between.size:
        axes.contour(x, y, heights, between, colors="white", linewidths=0.6, linestyles="solid")
    base = "lowest shown" if landscape.minimum is None else "minimum"
    _draw_key(axes, filled.to_rgba((levels[1:] + levels[:-1]) / 2), levels, is_log, base)


def _draw_key(axes: Axes, fills: np.ndarray, levels: np.ndarray, is_log: bool, base: str) -> None:
    """Draw a bar beside the panel: how far above the minimum each color is.

    By hand, because the axes of a colorbar would take as long as the rest of the picture.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    figure, box = axes.get_figure(root=True), axes.get_position()
    assert figure is not None
    left, right = box.x1 + _KEY_GAP, box.x1 + _KEY_GAP + _KEY_WIDTH
    heights = box.y0 + box.height * (levels - levels[0]) / (levels[-1] - levels[0])
    page: dict[str, Any] = {"transform": figure.transFigure, "linewidth": 0.8}
    for fill, low, high in zip(fills, heights[:-1], heights[1:], strict=True):
        block = (left, low), _KEY_WIDTH, high - low
        figure.add_artist(
            Rectangle(*block, color=fill, antialiased=False, **{**page, "linewidth": 0})
        )
    outline = (left, box.y0), _KEY_WIDTH, box.height
    figure.add_artist(Rectangle(*outline, facecolor="none", edgecolor="black", **page))
    has_tick = np.isclose(levels, np.round(levels)) if is_log else np.full(len(levels), True)
    ticks = np.flatnonzero(has_tick)
    ticks = ticks[:: -(-len(ticks) // 8)]
    label_end = left
    for tick, height in zip(levels[ticks], heights[ticks], strict=True):
        figure.add_artist(Line2D([right, right + 0.004], [height, height], color="black", **page))
        name = f"{10.0**tick if is_log else tick:.6g}"
        text = figure.text(right + 0.009, height, name, size=7, va="center_baseline")
        label_end = max(label_end, text.get_window_extent().x1 / figure.bbox.width)
    look = {"size": 8, "rotation": 90, "va": "center"}
    figure.text(label_end + 0.008, (box.y0 + box.y1) / 2, f"loss above the {base}", **look)


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
    y[~(np.abs(y) < _HUGE)] = np.nan
    axes.plot(x, y, color=_ARROWS, linewidth=1.6)
    finite = y[np.isfinite(y)]
    bottom, top = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    margin = 0.08 * (top - bottom) or max(1.0, 0.5 * abs(top))
    axes.set(xlim=(low, high), ylim=(bottom - margin, top + margin))
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    label(axes, landscape.names[0], "loss")
