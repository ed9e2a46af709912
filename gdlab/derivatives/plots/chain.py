"""The chain rule in pictures: a curve on the loss, and a map between two planes.

Shapes: D dimensions of the loss, V variables of the inner functions, m points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.derivatives.plots.looks import (
    CURVE,
    DIRECTION,
    GRADIENT,
    POINT,
    TANGENT,
    Labels,
    arrow_key,
    draw_arrow,
    pixels_per_unit,
    step_on_page,
)
from gdlab.derivatives.plots.scene import Scene
from gdlab.plots.colors import CATEGORIES
from gdlab.plots.landscape import draw_levels
from gdlab.plots.projection import Landscape, Plane
from gdlab.plots.style import draw_legend, draw_title, drawable, label, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = (11.4, 5.4)
_LEFT, _RIGHT = (0.06, 0.185, 0.345, 0.675), (0.575, 0.185, 0.345, 0.675)
_WHOLE = (0.12, 0.185, 0.8, 0.675)
_PATH = {"color": CATEGORIES[0][0], "linewidth": 1.8}
_GRID = {"color": "#555555", "linewidth": 0.7}
_ALONG = ({**DIRECTION, "linestyle": "-"}, {**_PATH, "linewidth": 2.0})
_SPAN = np.pi  # of the parameter to both sides: a whole turn of a circle
_SAMPLES = 601
_FAR = 1.0  # sides of the window: how far outside it the curve widens the view
_LINES, _MARGIN = 9, 0.08
_MOST, _OUTLYING = (10.0, 90.0), 6.0  # percent of points; times their spread, from where on is far
_LONG = 0.26  # of the panel: the length of an arrow


@dataclass(frozen=True)
class Inner:
    """The formulas inside a composition, at a point of their variables.

    Attributes:
        names: the V variables.
        coordinates: the D formulas as typed.
        outer: the names of the D coordinates.
        of: maps points (m, V) to coordinates (m, D).
        at: the point (V,).
        jacobian: of the formulas there (D, V).
        slopes: the derivatives of the composition there (V,).
        whole: the composition as a landscape of V dimensions.
    """

    names: tuple[str, ...]
    coordinates: tuple[str, ...]
    outer: tuple[str, ...]
    of: Callable[[np.ndarray], np.ndarray]
    at: np.ndarray
    jacobian: np.ndarray
    slopes: np.ndarray
    whole: Landscape


def draw_path(scene: Scene, inner: Inner) -> Figure:
    """Draw a curve on the level curves of a loss, and the loss along it with its slope df/dt.

    Only the loss along the curve unless the loss has two dimensions.
    """
    (name,), (at,), (slope,) = inner.names, inner.at, inner.slopes
    t = np.linspace(at - _SPAN, at + _SPAN, _SAMPLES)
    is_flat = scene.dim == 2
    with style():
        figure, panels = _panels(scene, [_LEFT, _RIGHT] if is_flat else [_WHOLE])
        keys = {"point": POINT}
        if is_flat:
            keys |= _draw_curve_on_map(panels[0], scene, inner, inner.of(t[:, None]))
        keys |= _draw_along(panels[-1], scene, inner, t)
        curve = f"c({name}) = ({', '.join(inner.coordinates)})"
        title = scene.heading or f"f = {scene.landscape.title} along {curve}"
        equation = f"df/d{name} = ∇f · c'({name}) = {slope:.5g} at {name} = {at:.5g}"
        draw_title(figure, title, equation)
        draw_legend(figure, keys, 0.035)
    return figure


def draw_map(scene: Scene, inner: Inner) -> Figure:
    """Draw a composition in two variables, and where the inner map takes a grid around the point.

    Left the composition in its own variables, right the loss in its coordinates, if it has two.
    """
    half = max(1.0, 0.5 * float(np.abs(inner.at).max()))
    box = inner.at[:, None] + half * np.array([-1.0, 1.0])
    lines = _grid_lines(box, inner.at)
    is_flat = scene.dim == 2
    with style():
        figure, panels = _panels(scene, [_LEFT, _RIGHT] if is_flat else [_WHOLE])
        _draw_plane(panels[0], inner.whole, box, inner.names)
        images = [inner.of(line) for line in lines]
        spots = [(panels[0], lines, inner.at, np.eye(2), inner.slopes)]
        if is_flat:
            view = _around(np.concatenate(images), scene.at)
            _draw_plane(panels[1], scene.landscape, view, inner.outer)
            spots.append((panels[1], images, scene.at, inner.jacobian, scene.gradient))
        for axes, drawn, at, columns, gradient in spots:
            _draw_grid(axes, drawn, at, columns)
            _draw_gradient(axes, at, gradient)
        x, y = inner.names
        keys = {"point": POINT, f"{x} grows": _ALONG[0], f"{y} grows": _ALONG[1]}
        keys["gradient"] = arrow_key(GRADIENT)
        pairs = zip(inner.outer, inner.coordinates, strict=True)
        where = ", ".join(f"{name} = {text}" for name, text in pairs)
        title = scene.heading or f"{scene.landscape.title} with {where}"
        draw_title(
            figure, title, "J maps the arrows of the grid to the right; Jᵀ maps the gradient back"
        )
        draw_legend(figure, keys, 0.035)
    return figure


def _panels(
    scene: Scene, boxes: Sequence[tuple[float, float, float, float]]
) -> tuple[Figure, list[Axes]]:
    """Make a figure with panels in boxes, as fractions of the figure."""
    figure = new_figure(scene.size or _SIZE)
    return figure, [figure.add_axes(box) for box in boxes]


def _draw_plane(axes: Axes, landscape: Landscape, box: np.ndarray, names: Sequence[str]) -> None:
    """Draw the level curves of a landscape of two dimensions over a view (2, 2)."""
    axes.set(xlim=box[0], ylim=box[1])
    if 1 / 3 <= np.divide(*np.diff(box, axis=1)[:, 0]) <= 3:
        axes.set_aspect("equal")
    axes.apply_aspect()
    draw_levels(axes, landscape, Plane(np.zeros(2), np.eye(2)), box)
    label(axes, *names)


def _draw_curve_on_map(
    axes: Axes, scene: Scene, inner: Inner, curve: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Draw a curve (m, 2) on the level curves, with its tangent and the gradient at the point."""
    view = scene.map_slice().view()
    reach = _FAR * np.diff(view, axis=1)[:, 0]
    near = np.clip(curve[np.isfinite(curve).all(axis=1)], view[:, 0] - reach, view[:, 1] + reach)
    both = np.concatenate([near, view.T])
    box = np.stack([both.min(axis=0), both.max(axis=0)], axis=1)
    _draw_plane(axes, scene.landscape, box, inner.outer)
    axes.plot(*drawable(curve).T, **_PATH, zorder=4, gid="path")
    axes.set(xlim=box[0], ylim=box[1])
    velocity = inner.jacobian[:, 0]
    if velocity.any():
        length = _LONG * min(axes.bbox.size)
        end = step_on_page(axes, scene.at, velocity * pixels_per_unit(axes), length)
        draw_arrow(axes, "velocity", scene.at, end, _ALONG[0])
        Labels(axes).write(f"c'({inner.names[0]})", end[None], _ALONG[0]["color"])
    _draw_gradient(axes, scene.at, scene.gradient)
    return {
        "curve c": _PATH,
        "tangent c'": arrow_key(_ALONG[0]),
        "gradient ∇f": arrow_key(GRADIENT),
    }


def _draw_along(axes: Axes, scene: Scene, inner: Inner, t: np.ndarray) -> dict[str, dict[str, Any]]:
    """Draw the loss along a curve at parameters (m,), and its tangent."""
    with np.errstate(all="ignore"):
        values = drawable(scene.landscape.value(inner.of(t[:, None])))
    axes.plot(t, values, **CURVE, gid="along")
    axes.plot(t, scene.value + inner.slopes[0] * (t - inner.at[0]), **TANGENT, gid="tangent")
    axes.plot(inner.at, [scene.value], **POINT)
    heights = np.append(values, scene.value)[:, None]
    axes.set(xlim=(t[0], t[-1]), ylim=_around(heights, scene.value)[0])
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    label(axes, inner.names[0], "loss along the curve")
    return {"loss along the curve": CURVE, f"slope df/d{inner.names[0]}": TANGENT}


def _grid_lines(box: np.ndarray, at: np.ndarray) -> list[np.ndarray]:
    """Return lines (m, 2) of a grid over a view; the first two go through the point."""
    along = np.linspace(box[:, 0], box[:, 1], 121)
    lines = []
    for i in (0, 1):
        for height in [at[1 - i], *np.linspace(box[1 - i, 0], box[1 - i, 1], _LINES)]:
            line = np.full_like(along, height)
            line[:, i] = along[:, i]
            lines.append(line)
    return [lines[0], lines[_LINES + 1], *lines[1 : _LINES + 1], *lines[_LINES + 2 :]]


def _draw_grid(axes: Axes, lines: list[np.ndarray], at: np.ndarray, columns: np.ndarray) -> None:
    """Draw a grid or its image, and the columns (2, 2) of the Jacobian at the point."""
    for line in lines[2:]:
        axes.plot(*drawable(line).T, **_GRID, zorder=3, gid="grid")
    for line, look, column in zip(lines, _ALONG, columns.T, strict=False):
        axes.plot(*drawable(line).T, **{**look, "linewidth": 1.4}, zorder=4, gid="through")
        if column.any():
            towards = column * pixels_per_unit(axes)
            end = step_on_page(axes, at, towards, 0.8 * _LONG * min(axes.bbox.size))
            draw_arrow(axes, "column", at, end, look)
    axes.plot(*at[:, None], **POINT)


def _draw_gradient(axes: Axes, at: np.ndarray, gradient: np.ndarray) -> None:
    """Draw the direction of the gradient (2,) at the point (2,)."""
    if gradient.any() and np.isfinite(gradient).all():
        length = _LONG * min(axes.bbox.size)
        end = step_on_page(axes, at, gradient / pixels_per_unit(axes), length)
        draw_arrow(axes, "gradient", at, end, GRADIENT)
    axes.plot(*at[:, None], **POINT)


def _around(points: np.ndarray, at: np.ndarray | float) -> np.ndarray:
    """Return a view (K, 2) around finite points (m, K) and one that must be in it, with a margin.

    If a few points lie far away, as near a pole, they stay outside.
    """
    known = points[np.isfinite(points).all(axis=1)]
    low, high = known.min(axis=0), known.max(axis=0)
    inner_low, inner_high = np.percentile(known, _MOST, axis=0)
    is_far = high - low > _OUTLYING * (inner_high - inner_low)
    low = np.minimum(np.where(is_far, inner_low, low), at)
    high = np.maximum(np.where(is_far, inner_high, high), at)
    room = np.where(high > low, _MARGIN * (high - low), 1.0)
    return np.stack([low - room, high + room], axis=1)
