"""How the final loss of a sweep depends on a setting.

Shapes: S settings per series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gdlab.plots.colors import Palette, Value
from gdlab.plots.multiples import GHOST, chosen, label_panels, name_panel, note_of, small_panels
from gdlab.plots.style import (
    INK,
    Size,
    draw_names,
    finish_chart,
    head_chart,
    new_figure,
    shorten,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

__all__ = ["Band", "draw_sensitivity"]

_SIZE = (7.2, 4.8)
_MOST_MARKERS = 60  # along a line; more would hide it
_MOST_NAMES = 4  # of vertical lines in the panel; more are in the legend
_DASHES = ((0, (4, 3)), (0, (1, 2)))
_HEADROOM = 0.07  # of the axes, at the top, for the triangles of diverged runs
_TALLEST = 1e300
_DEEPEST = 1e-20  # of the highest loss: lower ones count as zero
_LEAST = 1e-250
_STEEPEST = 1e10  # of the lower quartile: higher losses count as diverged


class Band(NamedTuple):
    """One series of a sensitivity chart.

    Attributes:
        x: (S,) the swept setting, increasing.
        median: (S,) the median final loss; not finite where the runs diverged.
        low: (S,) its lower quartile.
        high: (S,) its upper quartile.
    """

    x: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


def draw_sensitivity(
    series: Mapping[Value, Band],
    palette: Palette,
    *,
    labels: tuple[str, str],
    lines: Mapping[str, float | Sequence[float]] | None = None,
    title: str = "",
    size: Size | None = None,
) -> Figure:
    """Draw the final loss against a swept setting, both by logarithm, one line per series.

    Non-finite medians are triangles at the top edge, those below 1e-20 of the highest at the
    bottom. An axis is linear if a setting is not positive, or a loss negative. Where the palette
    has no color for each series, each has a panel, with the others in gray.

    Args:
        series: The bands by what the palette knows them by.
        palette: The looks of the series.
        labels: The names of the setting and of the loss.
        lines: Predictions of theory, drawn as vertical lines, by name: one number, or one per
            series, in the color of the series.
        title: The first line of the picture.
        size: Width and height in inches; by default 7.2 by 4.8.

    Raises:
        ValueError: There is no series, or its arrays differ in length.
    """
    bands = {key: Band(*(np.asarray(a, dtype=float) for a in b)) for key, b in series.items()}
    if not bands or any({a.shape for a in b} != {(len(b.x),)} for b in bands.values()):
        raise ValueError(f"series must be bands of equally long (S,) arrays, got {dict(series)}")
    with style():
        if palette.is_split:
            return _draw_panels(_Chart(bands, palette, labels, lines or {}), title, size)
        figure = new_figure(size or _SIZE, constrained=True)
        axes = figure.add_subplot()
        _set_limits(axes, list(bands.values()))
        for i, (key, band) in enumerate(bands.items()):
            _draw_band(axes, band, (palette.color(key), palette.marker(key)), i)
        finish_chart(axes, *labels)
        marks = _marks(bands, palette, lines or {})
        _draw_keys(figure, axes, _Chart(bands, palette, labels, lines or {}), marks)
        head_chart(figure, title)  # the names of lines are placed where it leaves the panel
        _draw_lines(axes, marks)
        return figure


class _Chart(NamedTuple):
    bands: Mapping[Value, Band]
    palette: Palette
    labels: tuple[str, str]
    lines: Mapping[str, float | Sequence[float]]


class _Mark(NamedTuple):
    """A vertical line of theory."""

    x: float
    name: str
    color: Any
    dashes: Any


def _marks(
    bands: Mapping[Value, Band], palette: Palette, lines: Mapping[str, float | Sequence[float]]
) -> list[_Mark]:
    """Return the lines of theory, in the colors of their series where there is one for each."""
    colors = [palette.color(key) for key in bands] if len(bands) > 1 else [INK]
    return [
        _Mark(float(x), name, colors[i] if np.size(xs) > 1 else INK, _DASHES[number % len(_DASHES)])
        for number, (name, xs) in enumerate(lines.items())
        for i, x in enumerate(np.atleast_1d(xs))
    ]


def _draw_panels(chart: _Chart, title: str, size: Size | None) -> Figure:
    """Draw a panel for each series, with the others in gray."""
    bands, lines = chart.bands, chart.lines
    shown = chosen(list(bands))
    figure, panels = small_panels(len(shown), size)
    for key, axes in zip(shown, panels, strict=True):
        _set_limits(axes, [bands[other] for other in shown])
        for other in shown:
            median = bands[other].median
            is_shown = np.abs(median) < min(_TALLEST, axes.get_ylim()[1])
            axes.plot(bands[other].x, np.where(is_shown, median, np.nan), **GHOST)
        _draw_band(axes, bands[key], (chart.palette.color(key), "o"), 0)
        at = list(bands).index(key)
        for number, xs in enumerate(lines.values()):
            x = float(np.atleast_1d(xs)[at if np.size(xs) > 1 else 0])
            axes.axvline(x, color=INK, linewidth=0.9, linestyle=_DASHES[number % len(_DASHES)])
        finish_chart(axes)
        name_panel(axes, shorten(chart.palette.name(key)))
    label_panels(panels, *chart.labels)
    draw_names(figure, [*_triangles(panels), *_line_handles(lines)])
    head_chart(figure, title, note_of(len(shown), len(bands), "series"))
    return figure


def _set_limits(axes: Axes, bands: Sequence[Band]) -> None:
    """Set scales and limits so that every finite median is inside, with room above."""
    x = np.concatenate([band.x for band in bands])
    y = np.concatenate([a for band in bands for a in band[1:]])
    x, y = x[np.isfinite(x)], y[np.abs(y) < _TALLEST]
    if y.size and y.min() >= 0:
        y = y[y <= _STEEPEST * max(np.quantile(y, 0.25), _LEAST)]
    nonzero = np.abs(y[y != 0])
    if x.size and x.min() > 0:
        axes.set_xscale("log")
        edge = max((x.max() / x.min()) ** 0.03, 1.05)
        axes.set_xlim(x.min() / edge, x.max() * edge)
    if not nonzero.size:
        nonzero = y = np.array([0.1, 1.0])
    if y.min() >= 0:
        axes.set_yscale("log")
        low, high = np.log10([max(nonzero.min(), _DEEPEST * nonzero.max()), nonzero.max()])
        margin = max(0.04 * (high - low), 0.1)
        low, high = low - margin, high + margin
        axes.set_ylim(10.0**low, 10.0 ** (high + _HEADROOM / (1 - _HEADROOM) * (high - low)))
    else:
        margin = 0.05 * np.ptp(y) or 1.0
        axes.set_ylim(y.min() - margin, y.max() + margin + _HEADROOM * np.ptp(y))


def _draw_band(axes: Axes, band: Band, look: tuple[Any, str], i: int) -> None:
    """Draw the line through the medians, the quartiles, and triangles.

    Args:
        axes: The panel.
        band: The series.
        look: Its color and marker.
        i: Its number; triangles of neighbors are at different heights.
    """
    color, marker = look
    bottom, top = axes.get_ylim()
    x, median = band.x, np.where(np.abs(band.median) < min(_TALLEST, top), band.median, np.nan)
    low, high = (
        np.clip(np.where(np.isnan(q), np.inf, q), bottom, top) for q in (band.low, band.high)
    )
    is_inside = low < top  # a band above the picture has no area in it
    axes.fill_between(x, low, high, is_inside, color=color, alpha=0.16, linewidth=0, zorder=2)
    kind: dict[str, Any] = {
        "color": color,
        "marker": marker,
        "markersize": 4.5,
        "markeredgecolor": "white",
    }
    dots = kind if len(x) <= _MOST_MARKERS else {**kind, "marker": ""}
    axes.plot(x, median, linewidth=1.6, markeredgewidth=0.6, zorder=3, **dots)
    kind |= {"markersize": 6, "linestyle": "none", "zorder": 4}
    kind["transform"] = axes.get_xaxis_transform()
    diverged, below = x[np.isnan(median)], x[median < bottom]
    axes.plot(diverged, np.full(len(diverged), 0.975 - 0.022 * (i % 3)), **{**kind, "marker": "^"})
    axes.plot(below, np.full(len(below), 0.02 + 0.022 * (i % 3)), **{**kind, "marker": "v"})


def _draw_lines(axes: Axes, marks: Sequence[_Mark]) -> None:
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
    top = 1 - _HEADROOM - 0.02
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


def _draw_keys(figure: Figure, axes: Axes, chart: _Chart, marks: Sequence[_Mark]) -> None:
    """Draw what the colors, triangles and vertical lines are."""
    low, high = axes.get_xlim()
    is_long = sum(low <= mark.x <= high for mark in marks) > _MOST_NAMES
    handles = [*_triangles([axes]), *(_line_handles(chart.lines) if is_long else [])]
    palette, keys = chart.palette, list(chart.bands)
    if palette.has_bar:
        palette.draw_key(figure, [axes])
    elif len(keys) > 1:
        handles = [*palette.handles(keys), *handles]
    draw_names(figure, handles)


def _triangles(panels: Sequence[Axes]) -> list[Line2D]:
    """Return what explains the triangles that panels have."""
    from matplotlib.lines import Line2D

    look = {"color": "#777777", "markersize": 6, "linestyle": "none"}
    drawn = {
        str(line.get_marker())
        for axes in panels
        for line in axes.lines
        if np.size(line.get_xdata())
    }
    names = {"^": "diverged, or higher", "v": "lower"}
    return [Line2D([], [], marker=m, label=name, **look) for m, name in names.items() if m in drawn]


def _line_handles(lines: Mapping[str, Any]) -> list[Line2D]:
    """Return what explains the vertical lines."""
    from matplotlib.lines import Line2D

    look = {"color": "#777777", "linewidth": 1.1}
    return [
        Line2D([], [], linestyle=_DASHES[number % len(_DASHES)], label=name, **look)
        for number, name in enumerate(lines)
    ]
