"""The loss as a surface near a point, with its tangent plane and its second-order Taylor model.

Shapes: K = 2 coordinates on the paper, s points along an edge of a sheet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gdlab.derivatives.plots.looks import POINT, SECOND, SIZE, TANGENT, note
from gdlab.derivatives.plots.scene import Scene, Slice
from gdlab.plots.style import INK, draw_legend, draw_title, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

_BOX = (0.07, 0.1, 0.86, 0.82)
_CLOSE = 0.3  # how far the model may err at the rim: enough to be seen
_SIDE = 41
_CELLS = 5  # between the wires of the Taylor model
_HEADROOM = 0.35  # of the surface's height: where the other sheets are cut
_ELEVATION, _ASIDE = 20.0, 115.0  # degrees; aside from the gradient, to see the plane's tilt
_NOISE = 1e-12  # relative: smaller differences are rounding
_OBLIQUE = 28.0  # degrees
_DARK, _PALE = "#3f6f9f", "#e3edf6"
_PLANE, _SHEER, _SOLID = "#777777", 0.6, 0.82


class Sheets(NamedTuple):
    """Heights over one grid: (s, s) each, NaN where there is nothing to draw.

    Attributes:
        x: the first coordinate.
        y: the second coordinate.
        surface: the loss.
        plane: f + gᵀd, d from the point.
        taylor: f + gᵀd + ½ dᵀHd; None where there is no Hessian.
    """

    x: np.ndarray
    y: np.ndarray
    surface: np.ndarray
    plane: np.ndarray
    taylor: np.ndarray | None


def sheets(paper: Slice, box: np.ndarray) -> Sheets:
    """What is drawn over a view (K, 2)."""
    x, y = np.meshgrid(*(np.linspace(low, high, _SIDE) for low, high in box))
    grid = np.stack([x, y], axis=-1).reshape(-1, 2)
    heights = [paper.values(grid), paper.tangent(grid)]
    if paper.hessian is not None:
        heights.append(paper.taylor(grid))
    surface, plane, *taylor = (z.reshape(x.shape) for z in heights)
    return Sheets(x, y, surface, plane, taylor[0] if taylor else None)


def surface(scene: Scene) -> Figure:
    """The surface with its tangent plane and its Taylor model, touching at the point.

    Raises:
        ValueError: the loss has one dimension only.
    """
    if scene.dim < 2:
        raise ValueError("a surface needs two dimensions, got 1")
    paper = scene.paper()
    box = paper.near(_CLOSE)
    drawn = sheets(paper, box)
    with style():
        figure, axes = _panel(paper, box, drawn)
        _draw_sheets(axes, drawn)
        height = paper.level
        axes.plot(*paper.at[:, None], [height], **{**POINT, "zorder": 10})
        draw_title(figure, scene.title, "the loss, its tangent plane and its second-order model")
        draw_legend(figure, _keys(drawn), 0.035)
        if scene.dim > 2:
            note(figure, ["slice along the two largest partial derivatives"])
    return figure


def _panel(paper: Slice, box: np.ndarray, drawn: Sheets) -> tuple[Figure, Axes3D]:
    """A panel in three dimensions, seen across the slope of the tangent plane."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = FigureCanvasAgg(Figure(figsize=SIZE, dpi=100)).figure
    axes: Any = figure.add_axes(_BOX, projection="3d", computed_zorder=False)
    low, high = _heights(paper, drawn)
    axes.set(xlim=box[0], ylim=box[1], zlim=(low, high))
    uphill = paper.gradient * np.diff(box, axis=1)[:, 0]
    angle = 45.0 if paper.is_critical(box) else np.rad2deg(np.arctan2(*uphill[::-1]))
    axes.view_init(elev=_ELEVATION, azim=_azimuth(angle - _ASIDE))
    names = {"xlabel": paper.names[0], "ylabel": paper.names[1], "zlabel": "loss"}
    for which, name in names.items():
        getattr(axes, f"set_{which}")(name, size=9, parse_math=False)
    axes.tick_params(labelsize=7, pad=1)
    axes.ticklabel_format(scilimits=(-3, 4))
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color("#f7f7f7")
        axis._axinfo["grid"].update(color="#dddddd", linewidth=0.5)
    return figure, axes


def _azimuth(wanted: float) -> float:
    """The nearest angle that sees no side of the box edge-on: its ticks would lie on each other."""
    quarter, rest = divmod(wanted, 90.0)
    return 90.0 * quarter + min(max(rest, _OBLIQUE), 90.0 - _OBLIQUE)


def _heights(paper: Slice, drawn: Sheets) -> tuple[float, float]:
    """What heights are shown: the surface, with room for what departs from it."""
    known = np.append(drawn.surface, paper.level)
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
    """All sheets as one collection of cells: sorted together, they may cut through each other."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgba
    from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection

    low, high = axes.get_zlim()
    pale = LinearSegmentedColormap.from_list("surface", [_DARK, _PALE])
    loss, plane = (_cells(drawn, _within(z, low, high)) for z in (drawn.surface, drawn.plane))
    blue = pale((loss[:, :, 2].mean(axis=1) - low) / (high - low), alpha=_SOLID)
    grey = np.tile(to_rgba(_PLANE, _SHEER), (len(plane), 1))
    sheets = Poly3DCollection(
        np.concatenate([loss, plane]),
        facecolors=np.concatenate([blue, grey]),
        linewidths=0,
        antialiased=False,
    )
    axes.add_collection3d(sheets)
    for edge in ((0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1)):
        outline = drawn.x[edge], drawn.y[edge], _within(drawn.plane, low, high)[edge]
        axes.plot(*outline, **TANGENT, zorder=2)
    if drawn.taylor is not None:
        wires = _wires(drawn, _within(drawn.taylor, low, high))
        if len(wires):
            axes.add_collection3d(Line3DCollection(wires, colors=SECOND, linewidths=0.9, zorder=3))


def _within(z: np.ndarray, low: float, high: float) -> np.ndarray:
    """Heights, NaN outside of what is shown."""
    return np.where((z >= low) & (z <= high), z, np.nan)


def _wires(drawn: Sheets, z: np.ndarray) -> np.ndarray:
    """The pieces of the model's wires, (n, 2, 3)."""
    points = np.stack([drawn.x, drawn.y, z], axis=-1)
    along = [points[::_CELLS], points[:, ::_CELLS].swapaxes(0, 1)]
    pieces = [np.stack([line[:, :-1], line[:, 1:]], axis=2).reshape(-1, 2, 3) for line in along]
    wires = np.concatenate(pieces)
    return wires[np.isfinite(wires).all(axis=(1, 2))]


def _cells(drawn: Sheets, z: np.ndarray) -> np.ndarray:
    """The cells of a sheet that are known at all four corners: (n, 4, 3)."""
    points = np.stack([drawn.x, drawn.y, z], axis=-1)
    corners = [points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]]
    cells = np.stack(corners, axis=2).reshape(-1, 4, 3)
    return cells[np.isfinite(cells).all(axis=(1, 2))]


def _keys(drawn: Sheets) -> dict[str, dict[str, Any]]:
    """The legend."""
    block = {"marker": "s", "markersize": 9, "linestyle": "none", "markeredgecolor": INK}
    keys = {
        "point": {k: v for k, v in POINT.items() if k != "zorder"},
        "loss": {**block, "color": "#a9c4dd"},
        "tangent plane": {**block, "color": _PLANE},
    }
    if drawn.taylor is not None:
        keys["second-order Taylor model"] = {"color": SECOND, "linewidth": 1.2}
    return keys
