"""The error of finite differences against the step: truncation, then rounding.

Shapes: n step sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.derivatives.plots.looks import grid_of_panels
from gdlab.derivatives.plots.scene import Errors, Scene
from gdlab.plots.background import RED
from gdlab.plots.colors import CATEGORIES
from gdlab.plots.style import SUBTITLE, draw_legend, draw_title, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PANELS = 6
_CENTRAL = {"color": RED, "marker": "o", "markersize": 3.5, "linewidth": 1.3}
_FORWARD = {"color": CATEGORIES[1][0], "marker": "s", "markersize": 3.2, "linewidth": 1.3}
_FLOOR = {"color": "#888888", "linewidth": 1.4, "linestyle": (0, (1, 1.5))}
_GUIDE = {"linewidth": 1.0, "linestyle": (0, (5, 3))}
_GUIDES = {"slope 1": {**_GUIDE, "color": _FORWARD["color"]}, "slope 2": {**_GUIDE, "color": RED}}
_ABOVE = 30.0  # errors above this multiple of the floor are truncation
_APART = 3.0  # ratio of a guide line to the errors below it
_FEW = 3  # number of errors that place a guide


def draw_differences(scene: Scene, errors: Sequence[Errors]) -> Figure:
    """Draw the errors of central and forward differences against h, with guides of slope 1 and 2.

    The floor is the rounding error of the loss, ε|f| / h, where ε is the spacing of float64 at 1.

    Raises:
        ValueError: there are no errors to draw.
    """
    if not errors:
        raise ValueError("the errors of at least one coordinate are needed")
    with style():
        figure, panels = grid_of_panels(min(len(errors), _MOST_PANELS), scene.size)
        keys: dict[str, dict[str, Any]] = {}
        for axes, error in zip(panels, errors, strict=False):
            keys |= _draw(axes, error, np.finfo(float).eps * abs(scene.value) / error.h)
        draw_title(figure, scene.title, "error of finite differences: truncation, then rounding")
        draw_legend(figure, keys, 0.035)
    return figure


def _draw(axes: Axes, errors: Errors, floor: np.ndarray) -> dict[str, dict[str, Any]]:
    """Draw the errors of a coordinate; return the names and styles for the legend."""
    axes.set(xscale="log", yscale="log", xlim=(errors.h.min(), errors.h.max()))
    axes.set_ylim(*_limits(errors, floor))
    keys = {}
    curves = {"central": (errors.central, _CENTRAL, 2), "forward": (errors.forward, _FORWARD, 1)}
    for name, (error, look, order) in curves.items():
        keys[f"{name} difference"] = look
        positive = np.where(np.isfinite(error) & (error > 0), error, np.nan)
        axes.plot(errors.h, positive, **look, gid=name)
        exact = errors.h[error == 0]
        bottom = np.full(len(exact), 0.03)
        mark = {**look, "marker": "v", "linestyle": "none", "markersize": 5}
        axes.plot(exact, bottom, **mark, transform=axes.get_xaxis_transform(), gid=f"{name} exact")
        if len(exact):
            keys["no error"] = {**mark, "color": "#777777"}
        guide = _guide(errors.h, error, floor, order)
        if guide is not None:
            axes.plot(errors.h, guide, **_GUIDES[f"slope {order}"], gid=f"slope {order}", zorder=1)
            keys[f"slope {order}"] = _GUIDES[f"slope {order}"]
    if (floor > 0).all():
        axes.plot(errors.h, floor, **_FLOOR, gid="floor", zorder=1)
        keys["rounding ε|f|/h"] = _FLOOR
    axes.set_title(_format_best_steps(errors), size=SUBTITLE["size"], parse_math=False)
    axes.set_xlabel("step h", size=9)
    axes.set_ylabel(f"error of ∂f/∂{errors.name}", size=9, parse_math=False)
    axes.tick_params(labelsize=8, length=3)
    axes.minorticks_off()
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    return keys


def _guide(h: np.ndarray, error: np.ndarray, floor: np.ndarray, order: int) -> np.ndarray | None:
    """Return a line (n,) of slope `order` above the smallest steps where truncation dominates.

    None if there are too few such steps.
    """
    truncated = np.flatnonzero(np.isfinite(error) & (error > _ABOVE * floor) & (error > 0))
    if len(truncated) < _FEW:
        return None
    smallest = truncated[np.argsort(h[truncated])[:_FEW]]
    return _APART * np.exp(np.median(np.log(error[smallest] / h[smallest] ** order))) * h**order


def _limits(errors: Errors, floor: np.ndarray) -> tuple[float, float]:
    """Return limits, a decade beyond all positive errors; without such, beyond the floor."""
    known = np.concatenate([errors.central, errors.forward])
    known = known[np.isfinite(known) & (known > 0)]
    if not known.size:
        known = floor[floor > 0] if (floor > 0).any() else np.ones(1)
    low, high = np.log10([known.min(), known.max()])
    return 10.0 ** (low - 1), 10.0 ** (high + 1)


def _format_best_steps(errors: Errors) -> str:
    """Name the step with the least error of each kind of difference."""
    steps = []
    for name, error in (("central", errors.central), ("forward", errors.forward)):
        known = np.where(np.isfinite(error), error, np.inf)
        if np.isfinite(known).any():
            steps.append(f"{name} {errors.h[known.argmin()]:.0e}")
    return "best h: " + ", ".join(steps) if steps else "no error is finite"
