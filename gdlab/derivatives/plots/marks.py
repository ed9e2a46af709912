"""The critical points that a search found, marked by their kind.

Shapes: K drawn coordinates, m points.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.plots.style import INK, MINIMIZER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARK = {
    "markersize": 9,
    "color": "white",
    "markeredgecolor": INK,
    "markeredgewidth": 1.1,
    "linestyle": "none",
}
_LOOKS: Mapping[str, dict[str, Any]] = {
    "minimum": MINIMIZER,
    "saddle": {**_MARK, "marker": "X"},
    "maximum": {**_MARK, "marker": "^"},
    "degenerate": {**_MARK, "marker": "D", "markersize": 7, "color": "#bbbbbb"},
}


def draw_critical(axes: Axes, critical: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Draw critical points (m, 2) by kind, and return the names and styles for the legend."""
    keys = {}
    for kind, points in critical.items():
        axes.plot(*points.T, **_LOOKS[kind], zorder=5, gid=kind)
        keys[f"{kind} ({len(points)})" if len(points) > 1 else kind] = _LOOKS[kind]
    return keys
