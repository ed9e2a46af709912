"""How the final loss of a sweep depends on a setting.

Shapes: S settings per series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gdlab.plots.best_points import BestPoint, best_handles, draw_best
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
from gdlab.plots.theory_lines import (
    HEADROOM,
    Lines,
    Mark,
    draw_line,
    draw_lines,
    line_handles,
    marks_of,
    need_legend,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["Band", "draw_sensitivity"]

_SIZE = (7.2, 4.8)
_MOST_MARKERS = 60  # along a line; more would hide it
_TALLEST = 1e300
_DEEPEST = 1e-32  # of the highest loss, about the square of machine precision
_LEAST = 1e-250
_HIGHEST = 1e6  # of the losses at which runs began
_STEEPEST = 1e10  # of the lower quartile, where it is not known at which
_SOME_LOST = "some runs lost"
_LOST, _MOST_LOST = "diverged or failed", "most runs lost"
_ABOVE, _BELOW = "above the view", "below the view"


class Band(NamedTuple):
    """One series of a sensitivity chart.

    Attributes:
        x: (S,) the swept setting, increasing.
        median: (S,) the median final loss; not finite where the runs diverged.
        low: (S,) its lower quartile.
        high: (S,) its upper quartile.
        lost: (S,) the share of the runs that are lost, 0 to 1; None for none.
        began: a loss of the size of those at which the runs began; NaN if it is not known.
        best: where the best settings are.
    """

    x: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    lost: np.ndarray | None = None
    began: float = np.nan
    best: tuple[BestPoint, ...] = ()

    def as_floats(self) -> Band:
        """Return the same with arrays of floats, of the lost share too."""
        lost = np.zeros(len(self.x)) if self.lost is None else self.lost
        arrays = (np.asarray(values, dtype=float) for values in (*self[:4], lost))
        return Band(*arrays, began=self.began, best=self.best)

    @property
    def partly_lost(self) -> np.ndarray:
        """Which settings (S,) lose some of their runs, but not all."""
        assert self.lost is not None
        return (self.lost > 0) & (self.lost < 1)


def draw_sensitivity(
    series: Mapping[Value, Band],
    palette: Palette,
    *,
    labels: tuple[str, str],
    lines: Lines | None = None,
    title: str = "",
    size: Size | None = None,
) -> Figure:
    """Draw the final loss against a swept setting, both by logarithm, one line per series.

    A median of runs of which some are lost is an open marker; where most are lost, it is not
    finite, and a cross at the top edge. The view contains the finite medians of all series up to
    1e6 times the loss at which runs began, and down to 1e-32 of the highest; those beyond are
    triangles at the edge. An axis is linear if a setting is not positive, or a loss negative.
    The best settings have a mark. Where the palette has no color for each series, each has a
    panel, with the others in gray.

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
    bands = {key: band.as_floats() for key, band in series.items()}
    if not bands or any({a.shape for a in b[:4]} != {(len(b.x),)} for b in bands.values()):
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
        colors = [palette.color(key) for key in bands] if len(bands) > 1 else [INK]
        marks = marks_of(lines or {}, colors)
        _draw_keys(figure, axes, _Chart(bands, palette, labels, lines or {}), marks)
        head_chart(figure, title)  # the names of lines are placed where it leaves the panel
        draw_lines(axes, marks)
        return figure


class _Chart(NamedTuple):
    bands: Mapping[Value, Band]
    palette: Palette
    labels: tuple[str, str]
    lines: Lines


def _draw_panels(chart: _Chart, title: str, size: Size | None) -> Figure:
    """Draw a panel for each series, with the others in gray."""
    bands, lines = chart.bands, chart.lines
    shown = chosen(list(bands))
    figure, panels = small_panels(len(shown), size)
    for key, axes in zip(shown, panels, strict=True):
        _set_limits(axes, [bands[other] for other in shown])
        for other in shown:
            axes.plot(bands[other].x, _below_top(axes, bands[other].median), **GHOST)
        _draw_band(axes, bands[key], (chart.palette.color(key), "o"), 0)
        at = list(bands).index(key)
        for number, xs in enumerate(lines.values()):
            x = float(np.atleast_1d(xs)[at if np.size(xs) > 1 else 0])
            draw_line(axes, x, number)
        finish_chart(axes)
        name_panel(axes, shorten(chart.palette.name(key)))
    label_panels(panels, *chart.labels)
    keys = [*_mark_handles(panels, bands), *_best_handles(chart), *line_handles(lines)]
    draw_names(figure, keys)
    head_chart(figure, title, note_of(len(shown), len(bands), "series"))
    return figure


def _set_limits(axes: Axes, bands: Sequence[Band]) -> None:
    """Set scales and limits so that the medians of all series are inside, with room above."""
    x, y = np.concatenate([band.x for band in bands]), _in_view(bands)
    x = x[np.isfinite(x)]
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
        axes.set_ylim(10.0**low, 10.0 ** (high + HEADROOM / (1 - HEADROOM) * (high - low)))
    else:
        margin = 0.05 * np.ptp(y) or 1.0
        axes.set_ylim(y.min() - margin, y.max() + margin + HEADROOM * np.ptp(y))


def _in_view(bands: Sequence[Band]) -> np.ndarray:
    """Return the medians and quartiles that are not out of all proportion.

    A series is never left out for another that is much lower: each says how high it may be.
    """
    parts = [
        np.array([*band.median, *band.low, *band.high, *(p.y for p in band.best)]) for band in bands
    ]
    parts = [part[np.abs(part) < _TALLEST] for part in parts]
    known = np.concatenate(parts)
    began = [band.began for band in bands if np.isfinite(band.began)]
    if began and known.size and known.min() >= 0:
        return known[known <= _HIGHEST * max(*began, _LEAST)]
    usual = [float(np.quantile(np.abs(part), 0.25)) for part in parts if part.size]
    return known[np.abs(known) <= _STEEPEST * max([*usual, _LEAST])]


def _draw_band(axes: Axes, band: Band, look: tuple[Any, str], i: int) -> None:
    """Draw the line through the medians, the quartiles, and what is at the edges.

    Args:
        axes: The panel.
        band: The series.
        look: Its color and marker.
        i: Its number; marks of neighbors at an edge are at different heights.
    """
    color, marker = look
    bottom, top = axes.get_ylim()
    x, median = band.x, _below_top(axes, band.median)
    is_lost = ~np.isfinite(band.median)
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
    some = band.partly_lost & ~np.isnan(median)
    axes.plot(x[some], median[some], **_open(color, marker), zorder=4)
    kind |= {"markersize": 6, "linestyle": "none", "zorder": 4}
    kind["transform"] = axes.get_xaxis_transform()
    kind["markeredgewidth"] = 0.6 if len(x) <= _MOST_MARKERS else 0.0  # or neighbors hide it
    edge = 0.022 * (i % 3)
    marks = {
        "X": (is_lost, 0.975 - edge),
        "^": (np.isnan(median) & ~is_lost & (band.median > 0), 0.975 - edge),
        "v": (~is_lost & (band.median < bottom), 0.02 + edge),
    }
    for shape, (where, height) in marks.items():
        axes.plot(x[where], np.full(where.sum(), height), **{**kind, "marker": shape})
    draw_best(axes, band.best, color, (0.02 + edge, 0.975 - edge))


def _below_top(axes: Axes, values: np.ndarray) -> np.ndarray:
    """Return values, those that are above the axes or too large to draw as NaN."""
    is_shown = (np.abs(values) < _TALLEST) & (values < axes.get_ylim()[1])
    return np.where(is_shown, values, np.nan)


def _open(color: Any, marker: str) -> dict[str, Any]:
    """Return the look of a median of runs of which some are lost."""
    look = {"marker": marker, "markerfacecolor": "white", "markeredgecolor": color}
    return {**look, "markersize": 5, "markeredgewidth": 1.2, "linestyle": "none"}


def _draw_keys(figure: Figure, axes: Axes, chart: _Chart, marks: Sequence[Mark]) -> None:
    """Draw what the colors, marks and vertical lines are."""
    is_long = need_legend(axes, marks)
    handles = [*_mark_handles([axes], chart.bands), *_best_handles(chart)]
    handles += line_handles(chart.lines) if is_long else []
    palette, keys = chart.palette, list(chart.bands)
    if palette.has_bar:
        palette.draw_key(figure, [axes])
    elif len(keys) > 1:
        handles = [*palette.handles(keys), *handles]
    draw_names(figure, handles)


def _best_handles(chart: _Chart) -> list[Line2D]:
    """Return what explains the marks of the best settings."""
    return best_handles([p for band in chart.bands.values() for p in band.best], chart.labels[1])


def _mark_handles(panels: Sequence[Axes], bands: Mapping[Value, Band]) -> list[Line2D]:
    """Return what explains the open markers of bands, and the marks at the edges of panels."""
    from matplotlib.lines import Line2D

    look = {"color": "#777777", "markersize": 6, "linestyle": "none"}
    drawn = {
        str(line.get_marker())
        for axes in panels
        for line in axes.lines
        if np.size(line.get_xdata())
    }
    every = list(bands.values())
    are_partly = any((band.partly_lost & ~np.isfinite(band.median)).any() for band in every)
    names = {"X": _MOST_LOST if are_partly else _LOST, "^": _ABOVE, "v": _BELOW}
    some = any((band.partly_lost & np.isfinite(band.median)).any() for band in every)
    opened = [Line2D([], [], label=_SOME_LOST, **_open("#777777", "o"))] if some else []
    at_edges = [
        Line2D([], [], marker=m, label=name, **look) for m, name in names.items() if m in drawn
    ]
    return opened + at_edges
