"""Vertical lines of theory in a chart, such as the limit of stability, with their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from gdlab.plots.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

HEADROOM = 0.07
"""The part of the axes at the top that is kept for the marks of lost runs."""
_MOST_NAMES = 4  # of lines in the panel; more are in the legend
_DASHES = ((0, (4, 3)), (0, (1, 2)))

Lines: TypeAlias = "Mapping[str, float | Sequence[float]]"
"""Where lines are, by their names: one number, or one for each series."""


class Mark(NamedTuple):
    """A vertical line of theory."""

    x: float
    name: str
    color: Any
    dashes: Any


def marks_of(lines: Lines, colors: Sequence[Any]) -> list[Mark]:
    """Return the lines of theory, in the colors of their series where there is one for each."""
    return [
        Mark(float(x), name, colors[i] if np.size(xs) > 1 else INK, _DASHES[number % len(_DASHES)])
        for number, (name, xs) in enumerate(lines.items())
        for i, x in enumerate(np.atleast_1d(xs))
    ]


def draw_line(axes: Axes, x: float, number: int) -> None:
    """Draw the line of a prediction without its name."""
    axes.axvline(x, color=INK, linewidth=0.9, linestyle=_DASHES[number % len(_DASHES)])


def draw_lines(axes: Axes, marks: Sequence[Mark]) -> None:
    """Draw vertical lines; few have their names on the side with more room."""
    low, high = axes.get_xlim()
    marks = sorted((m for m in marks if low <= m.x <= high), key=lambda mark: (mark.x, mark.name))
    top = axes.get_ylim()[1]
    positions = [float(axes.transData.transform((mark.x, top))[0]) for mark in marks]
    room = np.diff([axes.bbox.x0, *positions, axes.bbox.x1])
    taken = _pixels_drawn(axes)  # names avoid it and each other
    for i, (x, name, color, dashes) in enumerate(marks):
        axes.axvline(x, color=color, linewidth=1.1, linestyle=dashes, zorder=1.5)
        if len(marks) > _MOST_NAMES:
            continue
        text = axes.text(x, 0, name, rotation=90, va="top", size=8.5, color=color, zorder=5)
        text.set_parse_math(False)
        text.set_bbox({"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8})
        text.set_in_layout(False)
        taken = np.vstack([taken, _place_name(axes, text, taken, right=room[i + 1] >= room[i])])


def _pixels_drawn(axes: Axes) -> np.ndarray:
    """Return small boxes (m, 4) along the lines drawn so far: left, bottom, right, top."""
    boxes = [np.empty((0, 4))]
    for line in axes.lines:
        ends = line.get_transform().transform(line.get_xydata())
        parts = [ends[:-1] + part * np.diff(ends, axis=0) for part in np.arange(0, 1, 0.125)]
        along = np.concatenate([*parts, ends[-1:]])
        boxes.append(np.hstack([along - 3, along + 3])[np.isfinite(along).all(axis=1)])
    return np.concatenate(boxes)


def _place_name(axes: Axes, text: Text, taken: np.ndarray, *, right: bool) -> np.ndarray:
    """Move a name to the highest free place beside its line, and return its box (4,)."""
    from matplotlib.transforms import offset_copy

    base, figure = axes.get_xaxis_transform(), axes.get_figure(root=True)
    top = 1 - HEADROOM - 0.02
    for height in np.arange(top, 0.3, -0.02):
        for points in (2.5, -2.5) if right else (-2.5, 2.5):
            text.set_y(height)
            text.set_horizontalalignment("left" if points > 0 else "right")
            text.set_transform(offset_copy(base, figure, points, units="points"))
            box = np.array(text.get_window_extent().extents)
            is_clear = (taken[:, :2] > box[2:]) | (taken[:, 2:] < box[:2])
            if is_clear.any(axis=1).all():
                return box
    return np.array(text.get_window_extent().extents)


def need_legend(axes: Axes, marks: Sequence[Mark]) -> bool:
    """Tell whether too many lines are in a panel for their names."""
    low, high = axes.get_xlim()
    return sum(low <= mark.x <= high for mark in marks) > _MOST_NAMES


def line_handles(lines: Lines) -> list[Line2D]:
    """Return what explains the vertical lines."""
    from matplotlib.lines import Line2D

    look = {"color": "#777777", "linewidth": 1.1}
    return [
        Line2D([], [], linestyle=_DASHES[number % len(_DASHES)], label=name, **look)
        for number, name in enumerate(lines)
    ]
