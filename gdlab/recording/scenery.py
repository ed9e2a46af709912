"""The part of a picture that stays the same while a run moves: the loss itself.

Shapes: m points of the paper, (m, 2); D dimensions; a view is (K, 2) low and high, K = min(D, 2).
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np

from gdlab.recording.projection import Landscape, Plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.contour import QuadContourSet
    from matplotlib.figure import Figure

MAX_SLICED = 5000  # dimensions above which a grid of the loss costs more than the run
INK = "#222222"
MINIMIZER = {
    "marker": "*",
    "markersize": 15,
    "color": "#ffd23f",
    "markeredgecolor": INK,
    "markeredgewidth": 0.8,
    "linestyle": "none",
}
_ARROWS = "#4a5a6a"
ARROW_KEY = {"color": _ARROWS, "linewidth": 0.9, "marker": ">", "markersize": 3.5, "markevery": [1]}
_LOWEST, _HIGHEST = "#6f9bc3", "#f5f8fb"  # pale, so that one path colour stands out on both
_UNKNOWN = "#dddddd"
_ARROW_GRID = 16
_LEVELS = 12
_LOG_SPAN = 1.5  # decades from which levels are spaced by logarithm
_DECADES = (0.25, 1 / 3, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0)
_HUGE = 1e300  # arithmetic of levels and ticks overflows near the largest float
_NOISE = 1e-13  # relative: smaller differences are rounding, not landscape


def style() -> AbstractContextManager[None]:
    """Matplotlib's own defaults, whatever the person's matplotlibrc or notebook has set."""
    import matplotlib

    defaults = matplotlib.rcParamsDefault
    # Setting the backend key would take a notebook's backend away for good.
    return matplotlib.rc_context({k: v for k, v in defaults.items() if k != "backend"})


def panel(
    size: tuple[float, float], box: tuple[float, float, float, float]
) -> tuple[FigureCanvasAgg, Axes]:
    """A figure of a size in inches, 100 pixels each, with axes in a box (parts of the figure)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure(figsize=size, dpi=100))
    return canvas, canvas.figure.add_axes(box)


def draw_title(figure: Figure, title: str, subtitle: str) -> None:
    """Two lines above the panel, long titles smaller; what looks like mathematics stays text."""
    size = min(11.0, 11.0 * 72 / max(1, len(title)))
    words = {"ha": "center", "color": INK, "parse_math": False}
    figure.text(0.5, 0.957, title, size=size, weight="bold", **words)
    figure.text(0.5, 0.923, subtitle, size=9.5, **words)


def png(canvas: FigureCanvasAgg) -> bytes:
    """The drawn canvas as a PNG without metadata: the same picture gives the same bytes."""
    from PIL.Image import frombytes

    canvas.draw()
    size = canvas.get_width_height()
    buffer = io.BytesIO()
    image = frombytes("RGB", size, np.asarray(canvas.buffer_rgba()), "raw", "RGBX")
    image.save(buffer, "png", compress_level=6)
    return buffer.getvalue()


def descent_field(
    landscape: Landscape, plane: Plane, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of the negative gradient at points (m, 2) of the plane.

    Returns:
        The points (p, 2) where there is a direction, p ≤ m, and the directions (p, 2).
    """
    descent = -plane.evaluate(landscape.gradient, points)
    largest = np.abs(descent).max(axis=1)
    usable = np.isfinite(largest) & (largest > 0)
    descent = descent[usable] / largest[usable, None]  # first, so that squares stay finite
    return points[usable], descent / np.linalg.norm(descent, axis=1, keepdims=True)


def spaced_levels(
    values: np.ndarray, minimum: float | None
) -> tuple[np.ndarray, np.ndarray, bool] | None:
    """Heights above the minimum, and the levels to draw of them.

    Args:
        values: Losses of any shape; non-finite ones stay blank, and those past 1e300.
        minimum: The known minimum; where unknown, or above a value, the lowest value.

    Returns:
        Heights with the shape of values (NaN where blank), the levels, and whether both are
        logarithms to base 10; None where there is nothing to tell apart.
    """
    drawable = np.abs(values) < _HUGE
    known = values[drawable]
    if not known.size:
        return None
    low = float(known.min())
    base = minimum if minimum is not None and minimum <= low else low
    heights = np.full(values.shape, np.nan)
    heights[drawable] = known - base
    span = np.nanmax(heights) - np.nanmin(heights)
    if not span > _NOISE * np.abs(known).max():
        return None
    positive = heights[heights > 0]
    bottom, top = np.log10(np.percentile(positive, [2.0, 99.0]))
    if log := bool(top - bottom >= _LOG_SPAN):
        step = next((s for s in _DECADES if (top - bottom) / s <= _LEVELS), _DECADES[-1])
        with np.errstate(divide="ignore"):
            heights = np.log10(heights)
    else:
        bottom, top = np.nanmin(heights), np.nanmax(heights)
        step = _round_step((top - bottom) / _LEVELS)
    levels = step * np.arange(np.floor(bottom / step), np.ceil(top / step) + 1)
    return np.clip(heights, levels[0], levels[-1]), levels, log


def _round_step(step: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(step))
    return power * next((m for m in (1.0, 2.0, 2.5, 5.0) if m * power >= step), 10.0)


def draw_surface(
    axes: Axes, landscape: Landscape, plane: Plane, view: np.ndarray, *, arrows: bool = True
) -> None:
    """Level curves and descent directions in the plane."""
    dim = len(plane.origin)
    (left, right), (bottom, top) = view
    axes.set(xlim=(left, right), ylim=(bottom, top))
    # Within 1:3 one unit is as long on both axes, and arrows cross level curves at right angles
    # on the page; else arrows have the direction of the step in data coordinates.
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
    """Level curves of the loss over a view, and their key to the right of the panel."""
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
    heights, levels, log = spaced
    heights = np.ma.masked_invalid(heights)
    colours = LinearSegmentedColormap.from_list("landscape", [_LOWEST, _HIGHEST])
    filled = axes.contourf(x, y, heights, levels, cmap=colours)
    # The outermost levels are where heights were clipped: edges of the grid's cells, not curves.
    between = levels[(levels > heights.min()) & (levels < heights.max())]
    if between.size:
        axes.contour(x, y, heights, between, colors="white", linewidths=0.6, linestyles="solid")
    _draw_key(filled, levels, log, "lowest shown" if landscape.minimum is None else "minimum")


def _draw_key(filled: QuadContourSet, levels: np.ndarray, log: bool, base: str) -> None:
    """A bar beside the panel that says how far above the minimum each colour is."""
    figure, box = filled.figure, filled.axes.get_position()
    assert figure is not None
    bar = figure.add_axes((box.x1 + 0.018, box.y0, 0.016, box.height))
    ticks = levels[np.isclose(levels, np.round(levels))] if log else levels
    ticks = ticks[:: -(-len(ticks) // 8)]
    figure.colorbar(filled, cax=bar, ticks=ticks)
    bar.set_yticklabels([f"{10.0**tick if log else tick:.6g}" for tick in ticks])
    bar.tick_params(labelsize=7, length=2)
    bar.set_ylabel(f"loss above the {base}", size=8)


def _draw_arrows(axes: Axes, landscape: Landscape, plane: Plane, view: np.ndarray) -> None:
    # Half a cell away from the frame, so that no arrow is cut.
    cells = (np.arange(_ARROW_GRID) + 0.5) / _ARROW_GRID
    x, y = (low + (high - low) * cells for low, high in view)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    points, directions = descent_field(landscape, plane, grid)
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
    """The loss of one variable over the view."""
    low, high = view[0]
    x = np.linspace(low, high, 601)
    y = plane.evaluate(landscape.value, x[:, None])
    y[~(np.abs(y) < _HUGE)] = np.nan
    axes.plot(x, y, color=_ARROWS, linewidth=1.6)
    known = y[np.isfinite(y)]
    bottom, top = (known.min(), known.max()) if known.size else (0.0, 1.0)
    margin = 0.08 * (top - bottom) or max(1.0, 0.5 * abs(top))
    axes.set(xlim=(low, high), ylim=(bottom - margin, top + margin))
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    label(axes, landscape.names[0], "loss")


def label(axes: Axes, x: str, y: str) -> None:
    """Names both axes, in the size that every picture uses."""
    axes.set_xlabel(x, size=9, parse_math=False)
    axes.set_ylabel(y, size=9, parse_math=False)
    axes.tick_params(labelsize=8, length=3)
    axes.ticklabel_format(scilimits=(-3, 4))  # longer tick labels would push the name off the page
