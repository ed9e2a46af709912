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
    grid_of_panels,
    note,
)
from gdlab.derivatives.plots.scene import Scene, Slice
from gdlab.plots.style import MINIMIZER, SUBTITLE, draw_legend, draw_title, label, panel, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 6  # panels
_CLOSE = 0.6  # how far the parabola may err at the edge: enough to be seen
_HUGE = 1e300  # ticks overflow near the largest float
_SAME = 1e-12  # relative: smaller differences are rounding


def curve(scene: Scene, *, near: bool = False) -> Figure:
    """A loss of one variable with its tangent and its parabola, in its window or near the point."""
    along = scene.sliced([0])
    box = along.near(_CLOSE) if near else along.view()
    with style():
        canvas, axes = panel(SIZE, PANEL)
        keys = _draw(axes, along, box)
        if along.minimizers is not None and not near:
            heights = along.values(along.minimizers)
            axes.plot(along.minimizers[:, 0], heights, **{**MINIMIZER, "zorder": 5})
            axes.set(xlim=box[0])
            keys["minimiser"] = MINIMIZER
        draw_title(canvas.figure, scene.title, _slope("df/d" + along.names[0], along))
        draw_legend(canvas.figure, keys, 0.035)
    return canvas.figure


def sections(scene: Scene) -> Figure:
    """The loss along each axis through the point: all of D ≤ 6, else the six largest partials."""
    chosen = sorted(scene.ranked()[:_MOST].tolist())
    with style():
        figure, panels = grid_of_panels(len(chosen))
        keys: dict[str, dict[str, Any]] = {}
        for axes, i in zip(panels, chosen, strict=True):
            along = scene.sliced([i])
            keys |= _draw(axes, along, along.near(_CLOSE))
            words = _slope(f"∂f/∂{along.names[0]}", along)
            axes.set_title(words, size=SUBTITLE["size"], pad=14, parse_math=False)
            axes.locator_params(nbins=5)
        draw_title(figure, scene.title, "the loss along each axis through the point")
        draw_legend(figure, keys, 0.035)
        if scene.dim > _MOST:
            note(figure, [f"the {_MOST} largest of {scene.dim:,} partial derivatives"])
    return figure


def _slope(symbol: str, along: Slice) -> str:
    """The derivatives in words."""
    first = f"{symbol} = {along.gradient[0]:.5g}"
    if along.hessian is None:
        return first
    second = symbol.replace("∂f", "∂²f").replace("df", "d²f") + "²"
    return f"{first}   {second} = {along.hessian[0, 0]:.5g}"


def _draw(axes: Axes, along: Slice, box: np.ndarray) -> dict[str, dict[str, Any]]:
    """One curve with its models; the legend's names and looks."""
    low, high = box[0]
    dim = len(along.plane.origin)
    x = np.linspace(low, high, 401 if dim <= 20 else 101 if dim <= 1000 else 41)
    y = along.values(x[:, None])
    y[~(np.abs(y) < _HUGE)] = np.nan
    axes.plot(x, y, **CURVE, gid="loss")
    axes.set(xlim=(low, high), ylim=_limits(y, along.level))
    keys: dict[str, dict[str, Any]] = {"loss": CURVE, "tangent": TANGENT}
    with np.errstate(all="ignore"):
        models = {"tangent": (along.tangent(x[:, None]), TANGENT)}
        if along.hessian is not None:
            models["taylor"] = (along.taylor(x[:, None]), TAYLOR)
            keys["second-order Taylor model"] = TAYLOR
    bottom, top = axes.get_ylim()
    for name, (z, look) in models.items():
        # Far outside the panel nothing is seen, and Agg's coordinates overflow.
        seen = np.clip(z, bottom - 3 * (top - bottom), top + 3 * (top - bottom))
        axes.plot(x, seen, **look, zorder=3, gid=name)
    axes.plot(along.at, [along.level], **POINT, gid="point")
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    label(axes, along.names[0], "loss")
    return {"point": POINT, **keys}


def _limits(y: np.ndarray, level: float) -> tuple[float, float]:
    """Heights that hold the curve, with room around it."""
    known = np.append(y[np.isfinite(y)], level if abs(level) < _HUGE else 0.0)
    spread = np.ptp(known)
    if not spread > _SAME * np.abs(known).max():
        spread = max(1.0, 0.5 * abs(level))
    return float(known.min() - 0.12 * spread), float(known.max() + 0.12 * spread)
