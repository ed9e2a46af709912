"""Level curves around a point: with gradients everywhere, and with all that is known of the point.

Shapes: K = 2 coordinates on the paper.
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
    note,
    on_page,
    pixels_per_unit,
)
from gdlab.derivatives.plots.scene import Scene, Slice, norm
from gdlab.plots.landscape import ARROW_KEY, descent_field, draw_levels, middles
from gdlab.plots.style import MINIMIZER, draw_legend, draw_title, label, panel, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = (0.12, 0.195, 0.745, 0.705)  # higher than elsewhere: two rows of keys lie below
_FIELD = 14  # arrows along an axis
_LONG, _SHORT = 0.33, 0.12  # of the panel's smaller side: arrows at the point
_CLOSE = 0.25  # how far the second-order model may err at the rim of what is near


def contour(scene: Scene) -> Figure:
    """Level curves in the loss's window, with gradients perpendicular to them on the page."""
    paper = scene.paper()
    box = paper.view()
    with style():
        figure, axes = _map(scene, paper, box)
        _draw_field(axes, paper, box)
        keys = {"point": POINT, "gradient, uphill": ARROW_KEY}
        if _draw_level(axes, paper, box):
            keys["level curve through it"] = LEVEL
        if not paper.is_critical(box):
            uphill = paper.gradient / pixels_per_unit(axes)
            end = on_page(axes, paper.at, uphill, _SHORT * min(axes.bbox.size))
            draw_arrow(axes, "gradient", paper.at, end, GRADIENT)
        if paper.minimizers is not None:
            axes.plot(*paper.minimizers.T, **{**MINIMIZER, "zorder": 5})
            axes.set(xlim=box[0], ylim=box[1])
            keys["minimiser"] = MINIMIZER
        axes.plot(*paper.at[:, None], **POINT)
        draw_title(figure, scene.title, "the gradient is perpendicular to the level curves")
        draw_legend(figure, keys, 0.045)
        note(figure, _notes(scene, axes))
    return figure


def local(scene: Scene) -> Figure:
    """The point with gradient, descent, direction and level curve, and the Hessian's ellipse."""
    paper = scene.paper()
    box = paper.near(_CLOSE)
    with style():
        figure, axes = _map(scene, paper, box)
        slope = f"|∇f| = {norm(scene.gradient):.4g}"
        arrows = {"point": POINT}
        if _draw_level(axes, paper, box):
            arrows["level curve"] = LEVEL
        labels = Labels(axes)
        labels.keep_free(np.stack([paper.at, paper.at]))
        if paper.is_critical(box):
            slope += ", too small to draw" if scene.gradient.any() else ""
        else:
            arrows |= _draw_gradients(axes, paper, labels)
        if paper.direction is not None:
            _draw_direction(axes, paper, labels)
            arrows[f"direction u, slope {scene.slope:.4g}"] = arrow_key(DIRECTION)
        curvature = draw_curvature(axes, paper, box, labels)
        axes.plot(*paper.at[:, None], **POINT)
        draw_title(figure, scene.title, f"f = {scene.value:.6g}   {slope}")
        draw_legend(figure, arrows, 0.066 if curvature else 0.045)
        if curvature:
            draw_legend(figure, curvature, 0.033)
        said = ["curves ½ dᵀHd = ±c, semi-axes √(2c/|λ|)"] if curvature else []
        note(figure, _notes(scene, axes) + said)
    return figure


def _map(scene: Scene, paper: Slice, box: np.ndarray) -> tuple[Figure, Axes]:
    """A panel with the level curves of a view; equal units are equally long where they can be."""
    canvas, axes = panel(SIZE, _PANEL)
    axes.set(xlim=box[0], ylim=box[1])
    if 1 / 3 <= np.divide(*np.diff(box, axis=1)[:, 0]) <= 3:
        axes.set_aspect("equal")
    axes.apply_aspect()
    draw_levels(axes, scene.landscape, paper.plane, box)
    label(axes, *paper.names)
    return canvas.figure, axes


def _notes(scene: Scene, axes: Axes) -> list[str]:
    """What the reader should know of the axes."""
    said = []
    if scene.dim > 2:
        said.append("slice along the two largest partial derivatives, λ of the slice")
    if axes.get_aspect() == "auto":
        said.append("axes differ in scale: gradients of the page")
    return said


def _draw_field(axes: Axes, paper: Slice, box: np.ndarray) -> None:
    """Unit gradients of the page on a grid; in other units they would not be perpendicular."""
    points, descent = descent_field(paper.landscape, paper.plane, middles(box, _FIELD))
    known = np.isfinite(paper.values(points)) if len(points) else np.zeros(0, dtype=bool)
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


def _draw_level(axes: Axes, paper: Slice, box: np.ndarray) -> bool:
    """The level curve through the point; whether there is one in the view."""
    dim = len(paper.plane.origin)
    side = 201 if dim <= 20 else 61 if dim <= 1000 else 25
    x, y = (np.linspace(low, high, side) for low, high in box)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    heights = np.ma.masked_invalid(paper.values(grid).reshape(side, side)) - paper.level
    largest = np.abs(heights).max()
    # At a minimum there is none, and what rounding makes of it there is noise.
    if not heights.count() or not heights.min() < -1e-9 * largest < 1e-9 * largest < heights.max():
        return False
    look = {"colors": LEVEL["color"], "linewidths": LEVEL["linewidth"]}
    curve = axes.contour(x, y, heights / largest, [0.0], linestyles=[LEVEL["linestyle"]], **look)
    curve.set_gid("level")
    return True


def _draw_gradients(axes: Axes, paper: Slice, labels: Labels) -> dict[str, dict]:
    """The gradient and its negative, equally long."""
    uphill = paper.gradient / pixels_per_unit(axes)
    length = _LONG * min(axes.bbox.size)
    looks = {
        "gradient": ("∇f", uphill, GRADIENT),
        "descent": ("\N{MINUS SIGN}∇f", -uphill, DESCENT),
    }
    for name, (symbol, towards, look) in looks.items():
        end = on_page(axes, paper.at, towards, length)
        draw_arrow(axes, name, paper.at, end, look)
        labels.keep_free(np.stack([paper.at, end]))
        labels.write(symbol, end[None], look["color"])
    return {"gradient": arrow_key(GRADIENT), "descent": arrow_key(DESCENT)}


def _draw_direction(axes: Axes, paper: Slice, labels: Labels) -> None:
    """The given direction, as long as the gradient."""
    assert paper.direction is not None
    towards = paper.direction * pixels_per_unit(axes)
    end = on_page(axes, paper.at, towards, _LONG * min(axes.bbox.size))
    draw_arrow(axes, "direction", paper.at, end, DIRECTION)
    labels.keep_free(np.stack([paper.at, end]))
    labels.write("u", end[None], DIRECTION["color"])
