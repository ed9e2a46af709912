"""Marks around the settings that a sweep names best, in a sensitivity chart.

A ring where the evaluations decided, a square where the median of what the chart shows did.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


class BestPoint(NamedTuple):
    """The place of a best setting in a sensitivity chart.

    Attributes:
        x: the swept setting.
        y: the median of what the chart shows, over the runs with all settings of the best.
        is_by_evaluations: whether evaluations decided, and not this median.
    """

    x: float
    y: float
    is_by_evaluations: bool


def draw_best(
    axes: Axes, points: Iterable[BestPoint], color: Any, edges: tuple[float, float]
) -> None:
    """Draw a mark around each point.

    Args:
        axes: The panel, with its limits.
        points: The best settings of a series.
        color: Of the series.
        edges: The heights of the marks of points below the view and above it, in parts of the
            panel.
    """
    low, high = axes.get_ylim()
    for point in points:
        look = _look(color, is_by_evaluations=point.is_by_evaluations)
        if low <= point.y <= high:
            axes.plot([point.x], [point.y], **look)
        else:
            height = edges[0] if point.y < low else edges[1]
            axes.plot([point.x], [height], transform=axes.get_xaxis_transform(), **look)


def best_handles(points: Iterable[BestPoint], name: str) -> list[Line2D]:
    """Return what explains the marks of some points in a legend.

    Args:
        points: The best settings.
        name: What the chart shows.
    """
    from matplotlib.lines import Line2D

    kinds = sorted({point.is_by_evaluations for point in points}, reverse=True)
    names = [f"best, by {'evaluations' if kind else name}" for kind in kinds]
    looks = [_look("#777777", is_by_evaluations=kind) for kind in kinds]
    return [Line2D([], [], label=of, **look) for of, look in zip(names, looks, strict=True)]


def _look(color: Any, *, is_by_evaluations: bool) -> dict[str, Any]:
    """Return the look of a mark; what is in it stays to be seen."""
    marker = {"marker": "o" if is_by_evaluations else "s", "markersize": 11}
    edge = {"markerfacecolor": "none", "markeredgecolor": color, "markeredgewidth": 1.5}
    return {**marker, **edge, "linestyle": "none", "zorder": 6, "clip_on": False}
