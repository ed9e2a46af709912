"""The loss along one coordinate, with its tangent line and its Taylor parabola.

Shapes: m points along a curve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.derivatives.plots.looks import (
    CURVE,
    PANEL,
    POINT,
    SIZE,
    TANGENT,
    TAYLOR,
    draw_note,
    grid_of_panels,
)
from gdlab.derivatives.plots.marks import draw_critical
from gdlab.derivatives.plots.scene import Scene, Slice
from gdlab.plots.style import MINIMIZER, SUBTITLE, draw_legend, draw_title, label, panel, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PANELS = 6
_CLOSE = 0.6  # relative error of the parabola at the edge: enough to be seen
_HUGE = 1e300  # ticks would overflow near the largest float
_SAME = 1e-12  # relative: smaller differences are rounding


def draw_curve(scene: Scene, *, near: bool = False) -> Figure:
    """Draw a loss of one variable, its tangent and parabola, in the window or near the point."""
    axis_slice = scene.slice_along([0])
    box = axis_slice.neighborhood(_CLOSE) if near else axis_slice.view()
    with style():
        canvas, axes = panel(scene.size or SIZE, PANEL)
        keys = _draw(axes, axis_slice, box)
        if not near:
            keys |= _draw_minimizers(axes, axis_slice)
            axes.set(xlim=box[0])
        draw_title(
            canvas.figure,
            scene.title,
            _format_derivatives("df/d" + axis_slice.names[0], axis_slice),
        )
        draw_legend(canvas.figure, keys, 0.035)
    return canvas.figure


def _draw_minimizers(axes: Axes, axis_slice: Slice) -> dict[str, dict[str, Any]]:
    """Draw the critical points found, else the known minimizers; return the legend's styles."""

    def on_curve(points: np.ndarray) -> np.ndarray:
        return np.column_stack([points[:, 0], axis_slice.values(points)])

    if axis_slice.critical:
        on_curves = {kind: on_curve(points) for kind, points in axis_slice.critical.items()}
        return draw_critical(axes, on_curves)
    if axis_slice.minimizers is None:
        return {}
    axes.plot(*on_curve(axis_slice.minimizers).T, **MINIMIZER, zorder=5)
    return {"minimizer": MINIMIZER}


def draw_sections(scene: Scene) -> Figure:
    """Draw the loss along each axis through the point; if D > 6, along the six largest partials."""
    chosen = sorted(scene.rank_coordinates()[:_MOST_PANELS].tolist())
    with style():
        figure, panels = grid_of_panels(len(chosen), scene.size)
        keys: dict[str, dict[str, Any]] = {}
        for axes, i in zip(panels, chosen, strict=True):
            axis_slice = scene.slice_along([i])
            keys |= _draw(axes, axis_slice, axis_slice.neighborhood(_CLOSE))
            title = _format_derivatives(f"∂f/∂{axis_slice.names[0]}", axis_slice)
            axes.set_title(title, size=SUBTITLE["size"], pad=14, parse_math=False)
            axes.locator_params(nbins=5)
        draw_title(figure, scene.title, "the loss along each axis through the point")
        draw_legend(figure, keys, 0.035)
        if scene.dim > _MOST_PANELS:
            draw_note(figure, [f"the {_MOST_PANELS} largest of {scene.dim:,} partial derivatives"])
    return figure


def _format_derivatives(symbol: str, axis_slice: Slice) -> str:
    """Format the derivatives along a coordinate."""
    if not np.isfinite(axis_slice.gradient[0]):
        return f"no {symbol} here"
    first = f"{symbol} = {axis_slice.gradient[0]:.5g}"
    if axis_slice.hessian is None:
        return first
    second = symbol.replace("∂f", "∂²f").replace("df", "d²f") + "²"
    return f"{first}   {second} = {axis_slice.hessian[0, 0]:.5g}"


def _draw(axes: Axes, axis_slice: Slice, box: np.ndarray) -> dict[str, dict[str, Any]]:
    """Draw a curve with its models; return the names and styles for the legend."""
    low, high = box[0]
    dim = len(axis_slice.plane.origin)
    x = np.linspace(low, high, 401 if dim <= 20 else 101 if dim <= 1000 else 41)
    y = axis_slice.values(x[:, None])
    y[~(np.abs(y) < _HUGE)] = np.nan
    axes.plot(x, y, **CURVE, gid="loss")
    axes.set(xlim=(low, high), ylim=_limits(y, axis_slice.level))
    keys: dict[str, dict[str, Any]] = {"loss": CURVE}
    if np.isfinite(axis_slice.gradient[0]):
        keys["tangent"] = TANGENT
    with np.errstate(all="ignore"):
        models = {"tangent": (axis_slice.tangent(x[:, None]), TANGENT)}
        if axis_slice.hessian is not None:
            models["taylor"] = (axis_slice.taylor(x[:, None]), TAYLOR)
            keys["second-order Taylor model"] = TAYLOR
    bottom, top = axes.get_ylim()
    for name, (z, look) in models.items():
        # Far outside the panel nothing is visible, and Agg's coordinates would overflow.
        clipped = np.clip(z, bottom - 3 * (top - bottom), top + 3 * (top - bottom))
        axes.plot(x, clipped, **look, zorder=3, gid=name)
    axes.plot(axis_slice.at, [axis_slice.level], **POINT, gid="point")
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    label(axes, axis_slice.names[0], "loss")
    return {"point": POINT, **keys}


def _limits(y: np.ndarray, level: float) -> tuple[float, float]:
    """Return limits of the height that contain the curve, with a margin."""
    heights = np.append(y[np.isfinite(y)], level if abs(level) < _HUGE else 0.0)
    spread = np.ptp(heights)
    if not spread > _SAME * np.abs(heights).max():
        spread = max(1.0, 0.5 * abs(level))
    return float(heights.min() - 0.12 * spread), float(heights.max() + 0.12 * spread)
