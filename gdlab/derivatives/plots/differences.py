"""How finite differences err as their step shrinks: truncation first, rounding at last.

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

_MOST = 6  # panels
_CENTRAL = {"color": RED, "marker": "o", "markersize": 3.5, "linewidth": 1.3}
_FORWARD = {"color": CATEGORIES[1][0], "marker": "s", "markersize": 3.2, "linewidth": 1.3}
_FLOOR = {"color": "#888888", "linewidth": 1.4, "linestyle": (0, (1, 1.5))}
_GUIDE = {"linewidth": 1.0, "linestyle": (0, (5, 3))}
_GUIDES = {"slope 1": {**_GUIDE, "color": _FORWARD["color"]}, "slope 2": {**_GUIDE, "color": RED}}
_ABOVE = 30.0  # times the floor: such errors are truncation
_APART = 3.0  # a guide runs so far above the errors it guides
_FEW = 3  # errors from which a guide is placed


def differences(scene: Scene, errors: Sequence[Errors]) -> Figure:
    """Errors of central and forward differences against h, with guides of slope 1 and 2.

    The floor is ε|f| / h, ε the spacing of float64 at 1: what rounding the loss alone does.

    Raises:
        ValueError: there are no errors to draw.
    """
    if not errors:
        raise ValueError("errors of finite differences of at least one coordinate are needed")
    with style():
        figure, panels = grid_of_panels(min(len(errors), _MOST))
        keys: dict[str, dict[str, Any]] = {}
        for axes, one in zip(panels, errors, strict=False):
            keys |= _draw(axes, one, np.finfo(float).eps * abs(scene.value) / one.h)
        draw_title(figure, scene.title, "error of finite differences: truncation, then rounding")
        draw_legend(figure, keys, 0.035)
    return figure


def _draw(axes: Axes, errors: Errors, floor: np.ndarray) -> dict[str, dict[str, Any]]:
    """One coordinate; the legend's names and looks."""
    axes.set(xscale="log", yscale="log", xlim=(errors.h.min(), errors.h.max()))
    axes.set_ylim(*_limits(errors, floor))
    keys = {}
    curves = {"central": (errors.central, _CENTRAL, 2), "forward": (errors.forward, _FORWARD, 1)}
    for name, (error, look, order) in curves.items():
        keys[f"{name} difference"] = look
        shown = np.where(np.isfinite(error) & (error > 0), error, np.nan)
        axes.plot(errors.h, shown, **look, gid=name)
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
    axes.set_title(_best(errors), size=SUBTITLE["size"], parse_math=False)
    axes.set_xlabel("step h", size=9)
    axes.set_ylabel(f"error of ∂f/∂{errors.name}", size=9, parse_math=False)
    axes.tick_params(labelsize=8, length=3)
    axes.minorticks_off()
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    return keys


def _guide(h: np.ndarray, error: np.ndarray, floor: np.ndarray, order: int) -> np.ndarray | None:
    """A line of a slope (n,) above the smallest steps that truncation rules; None without such."""
    ruled = np.flatnonzero(np.isfinite(error) & (error > _ABOVE * floor) & (error > 0))
    if len(ruled) < _FEW:
        return None
    smallest = ruled[np.argsort(h[ruled])[:_FEW]]
    return _APART * np.exp(np.median(np.log(error[smallest] / h[smallest] ** order))) * h**order


def _limits(errors: Errors, floor: np.ndarray) -> tuple[float, float]:
    """Decades that hold every positive error and the floor's beginning."""
    known = np.concatenate([errors.central, errors.forward])
    known = known[np.isfinite(known) & (known > 0)]
    if not known.size:
        known = floor[floor > 0] if (floor > 0).any() else np.ones(1)
    low, high = np.log10([known.min(), known.max()])
    return 10.0 ** (low - 1), 10.0 ** (high + 1)


def _best(errors: Errors) -> str:
    """At which step each is best."""
    words = []
    for name, error in (("central", errors.central), ("forward", errors.forward)):
        known = np.where(np.isfinite(error), error, np.inf)
        if np.isfinite(known).any():
            words.append(f"{name} {errors.h[known.argmin()]:.0e}")
    return "best h: " + ", ".join(words) if words else "no error is finite"
