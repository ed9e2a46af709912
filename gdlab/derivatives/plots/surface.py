"""The loss as a surface near a point, with its tangent plane and its second-order Taylor model.

Shapes: K = 2 drawn coordinates, s points along an edge of a sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gdlab.derivatives.plots.looks import POINT, SECOND, SIZE, TANGENT, draw_note
from gdlab.derivatives.plots.scene import Scene, Slice
from gdlab.plots.style import INK, draw_legend, draw_title, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

_BOX = (0.07, 0.1, 0.86, 0.82)
_CLOSE = 0.3  # relative error of the model at the edge: enough to be seen
_SIDE = 41
_CELLS = 5  # number between the wires of the Taylor model
_HEADROOM = 0.35  # relative to the height of the surface: where the other sheets are cut
_ELEVATION, _ASIDE = 20.0, 115.0  # degrees; away from the gradient, to show the tilt of the plane
_NOISE = 1e-12  # relative: smaller differences are rounding
_OBLIQUE = 28.0  # degrees: least angle to the sides of the box
_DARK, _PALE = "#3f6f9f", "#e3edf6"
_PLANE, _SHEER, _SOLID = "#777777", 0.5, 0.82
_ASPECT = 0.75  # height of the box, relative to its sides
_TOUCH = 0.01  # of the height: what is so close to the loss lies on it


class Sheets(NamedTuple):
    """Heights over a grid: (s, s) each, NaN where there is nothing to draw.

    Attributes:
        x: the first coordinate.
        y: the second coordinate.
        surface: the loss.
        plane: f + gᵀd, d from the point.
        taylor: f + gᵀd + ½ dᵀHd; None without a Hessian.
    """

    x: np.ndarray
    y: np.ndarray
    surface: np.ndarray
    plane: np.ndarray
    taylor: np.ndarray | None


def make_sheets(map_slice: Slice, box: np.ndarray) -> Sheets:
    """Evaluate the loss and its models over a view (K, 2)."""
    x, y = np.meshgrid(*(np.linspace(low, high, _SIDE) for low, high in box))
    grid = np.stack([x, y], axis=-1).reshape(-1, 2)
    heights = [map_slice.values(grid), map_slice.tangent(grid)]
    if map_slice.hessian is not None:
        heights.append(map_slice.taylor(grid))
    surface, plane, *taylor = (z.reshape(x.shape) for z in heights)
    return Sheets(x, y, surface, plane, taylor[0] if taylor else None)


def draw_surface(scene: Scene) -> Figure:
    """Draw the surface with its tangent plane and its Taylor model, touching at the point.

    Raises:
        ValueError: the loss has only one dimension.
    """
    if scene.dim < 2:
        raise ValueError("a surface needs two dimensions, got 1")
    map_slice = scene.map_slice()
    box = map_slice.neighborhood(_CLOSE)
    drawn = make_sheets(map_slice, box)
    with style():
        figure, axes = _panel(map_slice, box, drawn, scene.size or SIZE)
        _draw_sheets(axes, drawn)
        height = map_slice.level
        axes.plot(*map_slice.at[:, None], [height], **{**POINT, "zorder": 10})
        draw_title(figure, scene.title, _title(drawn))
        draw_legend(figure, _keys(drawn), 0.035)
        if scene.dim > 2:
            draw_note(figure, ["slice along the two largest partial derivatives"])
    return figure


def _panel(
    map_slice: Slice, box: np.ndarray, drawn: Sheets, size: tuple[float, float]
) -> tuple[Figure, Axes3D]:
    """Make a 3D panel in a figure of a size, viewed across the slope of the tangent plane."""
    figure = new_figure(size)
    axes: Any = figure.add_axes(_BOX, projection="3d", computed_zorder=False)
    low, high = _heights(map_slice, drawn)
    axes.set(xlim=box[0], ylim=box[1], zlim=(low, high))
    uphill = map_slice.gradient * np.diff(box, axis=1)[:, 0]
    angle = 45.0 if map_slice.is_critical(box) else np.rad2deg(np.arctan2(*uphill[::-1]))
    axes.view_init(elev=_ELEVATION, azim=_azimuth(angle - _ASIDE))
    names = {"xlabel": map_slice.names[0], "ylabel": map_slice.names[1], "zlabel": "loss"}
    for axis_label, name in names.items():
        getattr(axes, f"set_{axis_label}")(name, size=9, parse_math=False)
    axes.tick_params(labelsize=7, pad=1)
    axes.ticklabel_format(scilimits=(-3, 4))
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color("#f7f7f7")
        axis._axinfo["grid"].update(color="#dddddd", linewidth=0.5)
    return figure, axes


def _azimuth(wanted: float) -> float:
    """Return the nearest angle that shows no side edge-on, where its ticks would overlap."""
    quarter, rest = divmod(wanted, 90.0)
    return 90.0 * quarter + min(max(rest, _OBLIQUE), 90.0 - _OBLIQUE)


def _heights(map_slice: Slice, drawn: Sheets) -> tuple[float, float]:
    """Return the limits of the height: the surface, with room for the other sheets."""
    known = np.append(drawn.surface, map_slice.level)
    known = known[np.isfinite(known)] if np.isfinite(known).any() else np.zeros(1)
    low, high = float(known.min()), float(known.max())
    if not high - low > _NOISE * np.abs(known).max():
        room = max(1.0, 0.5 * abs(low))
        return low - room, high + room
    room = _HEADROOM * (high - low)
    others = np.concatenate([z[np.isfinite(z)] for z in drawn[3:] if z is not None])
    return (
        max(low - room, others.min(initial=low)),
        min(high + room, others.max(initial=high)),
    )


def _draw_sheets(axes: Axes3D, drawn: Sheets) -> None:
    """Draw loss and plane as one collection of cells, and lines in front of it or behind it."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgba
    from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection

    low, high = axes.get_zlim()
    pale = LinearSegmentedColormap.from_list("surface", [_DARK, _PALE])
    loss, plane = (_cells(drawn, _clip(z, low, high)) for z in (drawn.surface, drawn.plane))
    blue = pale((loss[:, :, 2].mean(axis=1) - low) / (high - low), alpha=_SOLID)
    gray = np.tile(to_rgba(_PLANE, _SHEER), (len(plane), 1))
    cells = np.concatenate([loss, plane])
    look = {"linewidths": 0, "antialiased": False, "zorder": 2}
    sheets: Any = Poly3DCollection(cells, facecolors=np.concatenate([blue, gray]), **look)
    # By itself, matplotlib sorts cells by their centers, which is wrong where sheets are close.
    sheets._zsortfunc = lambda *_, **__: -_painting_rank(axes, drawn, cells)
    axes.add_collection3d(sheets)
    lines = {"wires": (_wires(drawn, low, high), {"colors": SECOND, "linewidths": 0.9})}
    dashes = {"colors": TANGENT["color"], "linewidths": TANGENT["linewidth"]}
    lines["outline"] = _outline(drawn, low, high), dashes
    for segments, look in lines.values():
        is_hidden = _are_hidden(axes, drawn, segments)
        for zorder, chosen in ((1, segments[is_hidden]), (3, segments[~is_hidden])):
            if len(chosen):
                axes.add_collection3d(Line3DCollection(chosen, zorder=zorder, **look))


def _painting_rank(axes: Axes3D, drawn: Sheets, cells: np.ndarray) -> np.ndarray:
    """Rank cells (n, 4, 3) of a grid for a view from above, far ones first, then low ones: (n,)."""
    x, y, height = cells.mean(axis=1).T
    near = np.stack([x / np.ptp(drawn.x), y / np.ptp(drawn.y)], axis=1) @ _towards_viewer(axes)
    rank = np.empty(len(cells))
    rank[np.lexsort((height, np.round(near, 9)))] = np.arange(len(cells))
    return rank


def _towards_viewer(axes: Axes3D) -> np.ndarray:
    """Return the horizontal unit vector (2,) to the viewer, in sides of the box."""
    angle = np.deg2rad(axes.azim)
    return np.array([np.cos(angle), np.sin(angle)])


def _are_hidden(axes: Axes3D, drawn: Sheets, segments: np.ndarray) -> np.ndarray:
    """Return whether the loss hides the middles of segments (n, 2, 3) from the viewer: (n,)."""
    corner = np.array([drawn.x[0, 0], drawn.y[0, 0], axes.get_zlim()[0]])
    sides = np.array([np.ptp(drawn.x), np.ptp(drawn.y), np.ptp(axes.get_zlim())])
    middles = (segments.mean(axis=1) - corner) / sides
    steps = np.arange(1, _SIDE) / (_SIDE - 1)
    rise = np.tan(np.deg2rad(axes.elev)) / _ASPECT
    ray = middles[:, None, :2] + steps[:, None] * _towards_viewer(axes)
    nearest = np.clip(np.round(ray * (_SIDE - 1)), 0, _SIDE - 1).astype(int)
    loss = (drawn.surface[nearest[..., 1], nearest[..., 0]] - corner[2]) / sides[2]
    is_inside = ((ray >= 0) & (ray <= 1)).all(axis=2)
    return (is_inside & (loss > middles[:, 2:] + rise * steps + _TOUCH)).any(axis=1)


def _clip(z: np.ndarray, low: float, high: float) -> np.ndarray:
    """Replace heights outside the limits by NaN."""
    return np.where((z >= low) & (z <= high), z, np.nan)


def _wires(drawn: Sheets, low: float, high: float) -> np.ndarray:
    """Return the segments of the model's wires: (n, 2, 3)."""
    if drawn.taylor is None:
        return np.empty((0, 2, 3))
    points = np.stack([drawn.x, drawn.y, _clip(drawn.taylor, low, high)], axis=-1)
    lines = [*points[::_CELLS], *points[:, ::_CELLS].swapaxes(0, 1)]
    return _segments(lines)


def _outline(drawn: Sheets, low: float, high: float) -> np.ndarray:
    """Return the dashes around the plane: (n, 2, 3)."""
    points = np.stack([drawn.x, drawn.y, _clip(drawn.plane, low, high)], axis=-1)
    return _segments([points[0], points[-1], points[:, 0], points[:, -1]])[::2]


def _segments(lines: Sequence[np.ndarray]) -> np.ndarray:
    """Return the segments (n, 2, 3) of lines (s, 3) that are finite."""
    pieces = np.concatenate([np.stack([line[:-1], line[1:]], axis=1) for line in lines])
    return pieces[np.isfinite(pieces).all(axis=(1, 2))]


def _cells(drawn: Sheets, z: np.ndarray) -> np.ndarray:
    """Return the cells of a sheet that are finite at all four corners: (n, 4, 3)."""
    points = np.stack([drawn.x, drawn.y, z], axis=-1)
    corners = [points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]]
    cells = np.stack(corners, axis=2).reshape(-1, 4, 3)
    return cells[np.isfinite(cells).all(axis=(1, 2))]


def _title(drawn: Sheets) -> str:
    """Say what is drawn."""
    if not np.isfinite(drawn.plane).any():
        return "the loss, which is not differentiable here: it has no tangent plane"
    shown = ["the loss", "its tangent plane"]
    if drawn.taylor is not None:
        shown.append("its second-order model")
    return " and ".join([", ".join(shown[:-1]), shown[-1]])


def _keys(drawn: Sheets) -> dict[str, dict[str, Any]]:
    """Return the names and styles for the legend."""
    block = {"marker": "s", "markersize": 9, "linestyle": "none", "markeredgecolor": INK}
    keys = {
        "point": {k: v for k, v in POINT.items() if k != "zorder"},
        "loss": {**block, "color": "#a9c4dd"},
    }
    if np.isfinite(drawn.plane).any():
        keys["tangent plane"] = {**block, "color": "#b5b5b5"}
    if drawn.taylor is not None:
        keys["second-order Taylor model"] = {"color": SECOND, "linewidth": 1.2}
    return keys
