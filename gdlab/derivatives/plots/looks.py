"""Styles that the pictures of derivatives share, and labels that do not overlap.

First order is dark, second order purple, a direction green, descent red.

Shapes: m points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.plots.background import CURRENT, RED
from gdlab.plots.colors import CATEGORIES
from gdlab.plots.landscape import ARROW_KEY
from gdlab.plots.style import INK, NOTE, NOTE_HEIGHT, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE, PANEL = (6.4, 5.6), (0.12, 0.165, 0.745, 0.735)
CURVE = {"color": ARROW_KEY["color"], "linewidth": 1.8}
SECOND = CATEGORIES[3][0]
GRADIENT = {"color": INK, "linewidth": 2.0}
DESCENT = {"color": RED, "linewidth": 2.0}
DIRECTION = {"color": CATEGORIES[2][0], "linewidth": 2.0, "linestyle": (0, (4, 1.5))}
TANGENT = {"color": INK, "linewidth": 1.3, "linestyle": (0, (5, 3))}
TAYLOR = {"color": SECOND, "linewidth": 1.4, "linestyle": (0, (1, 1.2))}
LEVEL = {"color": INK, "linewidth": 1.3, "linestyle": (0, (1.2, 1.6))}
POINT = {**CURRENT, "markersize": 8, "markeredgewidth": 1.2, "zorder": 6}
_WIDTHS = {1: 8.6, 2: 8.6, 3: 11.4}  # inches, by the number of columns
_HEAD = {"marker": ">", "markersize": 5, "markevery": [1]}
_ANGLES = np.deg2rad([0, 35, -35, 70, -70, 110, -110, 145, -145, 180])
_GAP = 2.5  # pixels around a label
_DISTANCES = (13.0, 19.0, 27.0)  # pixels from a tip to the center of its label


def arrow_key(look: dict[str, Any]) -> dict[str, Any]:
    """Return the style of an arrow in a legend."""
    return {**look, **_HEAD}


def draw_arrow(
    axes: Axes, name: str, start: np.ndarray, end: np.ndarray, look: dict[str, Any]
) -> None:
    """Draw an arrow between two points (2,) of the panel."""
    properties = {"arrowstyle": "-|>", "mutation_scale": 15, "shrinkA": 0, "shrinkB": 0, **look}
    ends: dict[str, Any] = {"xy": tuple(end), "xytext": tuple(start), "annotation_clip": False}
    arrow = axes.annotate("", **ends, arrowprops=properties, zorder=5)
    arrow.set_gid(name)


def step_on_page(axes: Axes, start: np.ndarray, towards: np.ndarray, pixels: float) -> np.ndarray:
    """Return the point (2,) a number of pixels from a start, in a direction (2,) on the page."""
    largest = towards / np.abs(towards).max()
    shift = pixels * largest / np.linalg.norm(largest)
    return axes.transData.inverted().transform(axes.transData.transform(start) + shift)


def pixels_per_unit(axes: Axes) -> np.ndarray:
    """Return the length (2,) in pixels of one unit of each axis."""
    return np.diag(axes.transData.get_matrix())[:2]


def draw_note(figure: Figure, remarks: Sequence[str]) -> None:
    """Write remarks at the foot of a picture."""
    if remarks:
        line = "   ·   ".join(remarks)
        look: dict[str, Any] = {**NOTE, "ha": "center", "color": INK, "parse_math": False}
        figure.text(0.5, NOTE_HEIGHT, line, **look)


class Labels:
    """Labels that avoid each other and the lines kept free."""

    def __init__(self, axes: Axes) -> None:
        self._axes = axes
        self._taken = np.empty((0, 4))

    def keep_free(self, ends: np.ndarray) -> None:
        """Keep labels off the line between two points (2, 2) of the panel."""
        start, end = self._axes.transData.transform(ends)
        along = start + np.linspace(0, 1, 40)[:, None] * (end - start)
        self._taken = np.vstack([self._taken, np.hstack([along - 3, along + 3])])

    def write(self, text: str, tips: np.ndarray, color: str) -> None:
        """Write a label beside one of several points (m, 2), away from the center of the panel."""
        from matplotlib.patheffects import withStroke

        axes = self._axes
        label = axes.text(0, 0, text, size=10, weight="bold", color=color, zorder=7)
        label.set(ha="center", va="center", parse_math=False, gid="label")
        label.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
        width, height = label.get_window_extent().size
        center = np.array([axes.bbox.x0 + axes.bbox.x1, axes.bbox.y0 + axes.bbox.y1]) / 2
        pixels = axes.transData.transform(tips)
        outward = np.arctan2(*(pixels - center).T[::-1])
        turned = (outward + _ANGLES[:, None]).ravel()
        steps = np.stack([np.cos(turned), np.sin(turned)], axis=1)
        reach = np.abs(steps) @ np.array([width, height]) / 2 - height / 2
        spots = np.concatenate(
            [np.tile(pixels, (len(_ANGLES), 1)) + (d + reach)[:, None] * steps for d in _DISTANCES]
        )
        half = np.array([width, height]) / 2 + _GAP
        boxes = np.hstack([spots - half, spots + half])
        best = int(self._overlaps(boxes).argmin())
        self._taken = np.vstack([self._taken, boxes[best]])
        label.set_position(tuple(axes.transData.inverted().transform(spots[best])))

    def _overlaps(self, boxes: np.ndarray) -> np.ndarray:
        """Score boxes (m, 4) by what they cover and by the sides that leave the panel: (m,)."""
        frame = self._axes.bbox.padded(-3).extents
        outside = (boxes[:, :2] < frame[:2]).sum(axis=1) + (boxes[:, 2:] > frame[2:]).sum(axis=1)
        meets = (boxes[:, None, :2] < self._taken[:, 2:]) & (
            boxes[:, None, 2:] > self._taken[:, :2]
        )
        return 100 * outside + meets.all(axis=2).sum(axis=1)


def grid_of_panels(n: int, size: tuple[float, float] | None = None) -> tuple[Figure, list[Axes]]:
    """Make a figure with n ≤ 6 panels in at most three columns, of a size in inches."""
    columns = n if n <= 3 else 2 if n == 4 else 3
    rows = -(-n // columns)
    width, height = size or (_WIDTHS[columns], 4.8 if rows == 1 else 7.6)
    figure = new_figure((width, height))
    inches = {"left": 0.85 / width, "right": 1 - 0.2 / width}
    inches |= {"bottom": 1.1 / height, "top": 1 - 1.2 / height}
    spaces = {**inches, "wspace": 0.32, "hspace": 0.52}
    panels = figure.subplots(rows, columns, squeeze=False, gridspec_kw=spaces).ravel().tolist()
    for unused in panels[n:]:
        unused.remove()
    return figure, panels[:n]
