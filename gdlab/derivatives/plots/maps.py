"""Level curves around a point, with the field of gradients or with the derivatives there.

Shapes: K = 2 drawn coordinates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gdlab.derivatives.plots.ellipse import draw_curvature
from gdlab.derivatives.plots.looks import (
    DESCENT,
    DIRECTION,
    GRADIENT,
    LEVEL,
    POINT,
    SIZE,
    Labels,
    arrow_key,
    draw_arrow,
    draw_note,
    pixels_per_unit,
    step_on_page,
)
from gdlab.derivatives.plots.marks import draw_critical
from gdlab.derivatives.plots.scene import Scene, Slice, norm
from gdlab.plots.landscape import ARROW_KEY, descent_field, draw_levels, middles
from gdlab.plots.style import MINIMIZER, draw_legend, draw_title, label, legend_rows, panel, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = (0.12, 0.225, 0.745, 0.675)  # higher than elsewhere: three rows of the legend lie below
_FIELD = 14  # arrows along an axis
_LONG, _SHORT = 0.33, 0.12  # lengths of arrows at the point, relative to the panel's shorter side
_CLOSE = 0.25  # relative error of the second-order model at the edge of the neighborhood


def draw_contour(scene: Scene) -> Figure:
    """Draw level curves in the loss's window, with gradients perpendicular to them on the page."""
    map_slice = scene.map_slice()
    box = map_slice.view()
    with style():
        figure, axes = _draw_map(scene, map_slice, box)
        _draw_field(axes, map_slice, box)
        keys = {"point": POINT, "gradient, uphill": ARROW_KEY}
        if _draw_level(axes, map_slice, box):
            keys["level curve through it"] = LEVEL
        if not map_slice.is_critical(box):
            uphill = map_slice.gradient / pixels_per_unit(axes)
            end = step_on_page(axes, map_slice.at, uphill, _SHORT * min(axes.bbox.size))
            draw_arrow(axes, "gradient", map_slice.at, end, GRADIENT)
        marks = {}
        if map_slice.direction is not None:
            _draw_direction(axes, map_slice, _SHORT)
            marks["direction u"] = arrow_key(DIRECTION)
        marks |= _draw_minimizers(axes, map_slice)
        axes.set(xlim=box[0], ylim=box[1])
        axes.plot(*map_slice.at[:, None], **POINT)
        draw_title(figure, scene.title, _on_gradient(scene))
        if len(marks) > 1:  # in a row of its own
            draw_legend(figure, keys, 0.066)
            draw_legend(figure, marks, 0.033)
        else:
            draw_legend(figure, keys | marks, 0.045)
        draw_note(figure, _notes(scene, axes))
    return figure


def draw_neighborhood(scene: Scene) -> Figure:
    """Draw the point with gradient, descent, direction, level curve and the Hessian's ellipse."""
    map_slice = scene.map_slice()
    box = map_slice.neighborhood(_CLOSE)
    with style():
        figure, axes = _draw_map(scene, map_slice, box)
        size = norm(scene.gradient)
        slope = f"|∇f| = {size:.4g}" if scene.is_differentiable else "not differentiable here"
        arrows = {"point": POINT}
        if _draw_level(axes, map_slice, box):
            arrows["level curve"] = LEVEL
        labels = Labels(axes)
        labels.keep_free(np.stack([map_slice.at, map_slice.at]))
        if map_slice.is_critical(box):
            slope += ", too small to draw" if 0 < size < np.inf else ""
        else:
            arrows |= _draw_gradients(axes, map_slice, labels)
        second_row = {}
        if map_slice.direction is not None:
            end = _draw_direction(axes, map_slice, _LONG)
            labels.keep_free(np.stack([map_slice.at, end]))
            labels.write("u", end[None], DIRECTION["color"])
            second_row[f"direction u, slope {scene.slope:.4g}"] = arrow_key(DIRECTION)
        curvature = draw_curvature(axes, map_slice, box, labels)
        second_row |= curvature
        axes.plot(*map_slice.at[:, None], **POINT)
        draw_title(figure, scene.title, f"f = {scene.value:.6g}   {slope}")
        rows = legend_rows(figure.get_figwidth(), [*second_row])
        draw_legend(figure, arrows, 0.028 + 0.034 * rows if rows else 0.045)
        if rows:
            draw_legend(figure, second_row, 0.028)
        remarks = ["curves ½ dᵀHd = ±c, semi-axes √(2c/|λ|)"] if curvature else []
        draw_note(figure, _notes(scene, axes) + remarks)
    return figure


def _on_gradient(scene: Scene) -> str:
    """Say how the gradient stands to the level curves."""
    if not scene.is_differentiable:
        return "not differentiable at the point: there is no gradient"
    if not scene.gradient.any():
        return "the gradient is 0 at the point, and elsewhere perpendicular to the level curves"
    return "the gradient is perpendicular to the level curves"


def _draw_minimizers(axes: Axes, map_slice: Slice) -> dict[str, dict]:
    """Draw the critical points found, else the known minimizers; return the legend's styles."""
    if map_slice.critical:
        return draw_critical(axes, map_slice.critical)
    if map_slice.minimizers is None:
        return {}
    axes.plot(*map_slice.minimizers.T, **MINIMIZER, zorder=5)
    return {"minimizer": MINIMIZER}


def _draw_map(scene: Scene, map_slice: Slice, box: np.ndarray) -> tuple[Figure, Axes]:
    """Draw the level curves of a view; units are equally long unless the view is too elongated."""
    canvas, axes = panel(scene.size or SIZE, _PANEL)
    axes.set(xlim=box[0], ylim=box[1])
    if 1 / 3 <= np.divide(*np.diff(box, axis=1)[:, 0]) <= 3:
        axes.set_aspect("equal")
    axes.apply_aspect()
    draw_levels(axes, scene.landscape, map_slice.plane, box)
    label(axes, *map_slice.names)
    return canvas.figure, axes


def _notes(scene: Scene, axes: Axes) -> list[str]:
    """Return remarks on the axes."""
    notes = []
    if scene.dim > 2:
        notes.append("slice along the two largest partial derivatives, λ of the slice")
    if axes.get_aspect() == "auto":
        notes.append("axes differ in scale: gradients of the page")
    return notes


def _draw_field(axes: Axes, map_slice: Slice, box: np.ndarray) -> None:
    """Draw unit gradients in units of the page, in which they are perpendicular to level curves."""
    points, descent = descent_field(map_slice.landscape, map_slice.plane, middles(box, _FIELD))
    known = np.isfinite(map_slice.values(points)) if len(points) else np.zeros(0, dtype=bool)
    points, descent = points[known], descent[known]
    if not len(points):
        return
    uphill = -descent / pixels_per_unit(axes)
    uphill /= np.linalg.norm(uphill, axis=1, keepdims=True)
    field = axes.quiver(
        *points.T,
        *uphill.T,
        angles="uv",
        pivot="middle",
        color=ARROW_KEY["color"],
        alpha=0.7,
        scale=30,
        width=0.0026,
        headwidth=4.5,
        headlength=5,
        headaxislength=4.5,
    )
    field.set_gid("field")


def _draw_level(axes: Axes, map_slice: Slice, box: np.ndarray) -> bool:
    """Draw the level curve through the point; return whether there is one in the view."""
    dim = len(map_slice.plane.origin)
    side = 201 if dim <= 20 else 61 if dim <= 1000 else 25
    x, y = (np.linspace(low, high, side) for low, high in box)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    heights = np.ma.masked_invalid(map_slice.values(grid).reshape(side, side)) - map_slice.level
    largest = np.abs(heights).max()
    # At a minimum there is no such curve, only noise from rounding.
    if not heights.count() or not heights.min() < -1e-9 * largest < 1e-9 * largest < heights.max():
        return False
    look = {"colors": LEVEL["color"], "linewidths": LEVEL["linewidth"]}
    curve = axes.contour(x, y, heights / largest, [0.0], linestyles=[LEVEL["linestyle"]], **look)
    curve.set_gid("level")
    return True


def _draw_gradients(axes: Axes, map_slice: Slice, labels: Labels) -> dict[str, dict]:
    """Draw the gradient and its negative, equally long."""
    uphill = map_slice.gradient / pixels_per_unit(axes)
    length = _LONG * min(axes.bbox.size)
    arrows = {
        "gradient": ("∇f", uphill, GRADIENT),
        "descent": ("\N{MINUS SIGN}∇f", -uphill, DESCENT),
    }
    for name, (symbol, towards, look) in arrows.items():
        end = step_on_page(axes, map_slice.at, towards, length)
        draw_arrow(axes, name, map_slice.at, end, look)
        labels.keep_free(np.stack([map_slice.at, end]))
        labels.write(symbol, end[None], look["color"])
    return {"gradient": arrow_key(GRADIENT), "descent": arrow_key(DESCENT)}


def _draw_direction(axes: Axes, map_slice: Slice, length: float) -> np.ndarray:
    """Draw the given direction, as long as the gradient, and return the end (2,) of the arrow."""
    assert map_slice.direction is not None
    towards = map_slice.direction * pixels_per_unit(axes)
    end = step_on_page(axes, map_slice.at, towards, length * min(axes.bbox.size))
    draw_arrow(axes, "direction", map_slice.at, end, DIRECTION)
    return end
