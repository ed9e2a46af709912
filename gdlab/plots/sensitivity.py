"""How the final loss of a sweep depends on a setting.

Shapes: S settings per series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gdlab.plots.colors import CATEGORIES
from gdlab.plots.style import INK, draw_names, draw_title, panel, png, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

__all__ = ["Band", "sensitivity_png"]

_SIZE, _PANEL = (7.2, 4.8), (0.105, 0.115, 0.865, 0.795)
_HEADROOM = 0.07  # of the axes, at the top, for the triangles of diverged runs
_TALLEST = 1e300
_DEEPEST = 1e-20  # of the highest loss: lower ones count as zero


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


def sensitivity_png(
    series: Mapping[str, Band],
    *,
    xlabel: str,
    ylabel: str = "final loss",
    lines: Mapping[str, float | Sequence[float]] | None = None,
    title: str = "",
) -> bytes:
    """Draw the final loss against a swept setting, both by logarithm, one line per series.

    Non-finite medians are triangles at the top edge, those below 1e-20 of the highest at the
    bottom. An axis is linear if a setting is not positive, or a loss negative.

    Args:
        series: The bands by name.
        xlabel: The name of the setting.
        ylabel: The name of the loss.
        lines: Predictions of theory, drawn as vertical lines, by name: one number, or one per
            series, in the color of the series.
        title: The first line of the picture.

    Returns:
        A PNG of 720 x 480 pixels.

    Raises:
        ValueError: There is no series, or its arrays differ in length.
    """
    bands = [Band(*(np.asarray(a, dtype=float) for a in band)) for band in series.values()]
    if not bands or any({a.shape for a in band} != {(len(band.x),)} for band in bands):
        raise ValueError(f"series must be bands of equally long (S,) arrays, got {dict(series)}")
    with style():
        canvas, axes = panel(_SIZE, _PANEL)
        draw_title(canvas.figure, title, "")
        _set_limits(axes, bands)
        medians = [
            _draw_band(axes, band, name, i)
            for i, (name, band) in enumerate(zip(series, bands, strict=True))
        ]
        _draw_lines(axes, lines or {})
        _draw_labels(axes, medians, xlabel, ylabel)
        return png(canvas)


def _set_limits(axes: Axes, bands: Sequence[Band]) -> None:
    """Set scales and limits so that every finite median is inside, with room above."""
    x = np.concatenate([band.x for band in bands])
    y = np.concatenate([a for band in bands for a in band[1:]])
    x, y = x[np.isfinite(x)], y[np.abs(y) < _TALLEST]
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


def _draw_band(axes: Axes, band: Band, name: str, i: int) -> Line2D:
    """Draw the line through the medians that it returns, the quartiles, and triangles."""
    color, marker = CATEGORIES[i % len(CATEGORIES)]
    bottom, top = axes.get_ylim()
    x, median = band.x, np.where(np.abs(band.median) < _TALLEST, band.median, np.nan)
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
    look = {"linewidth": 1.6, "markeredgewidth": 0.6, "zorder": 3, **kind}
    (line,) = axes.plot(x, median, label=name, **look)
    kind |= {"markersize": 6, "linestyle": "none", "zorder": 4}
    kind["transform"] = axes.get_xaxis_transform()
    diverged, below = x[np.isnan(median)], x[median < bottom]
    axes.plot(diverged, np.full(len(diverged), 0.975 - 0.022 * (i % 3)), **{**kind, "marker": "^"})
    axes.plot(below, np.full(len(below), 0.02 + 0.022 * (i % 3)), **{**kind, "marker": "v"})
    return line


def _draw_lines(axes: Axes, lines: Mapping[str, float | Sequence[float]]) -> None:
    """Draw vertical lines, each with its name on the side with more room."""
    low, high = axes.get_xlim()
    marks = [
        (float(x), name, CATEGORIES[i % len(CATEGORIES)][0] if np.size(xs) > 1 else INK)
        for name, xs in lines.items()
        for i, x in enumerate(np.atleast_1d(xs))
        if low <= x <= high
    ]
    marks.sort()
    positions = [float(axes.transData.transform((x, axes.get_ylim()[1]))[0]) for x, *_ in marks]
    room = np.diff([axes.bbox.x0, *positions, axes.bbox.x1])
    taken = _pixels_drawn(axes)  # names avoid it and each other
    for i, (x, name, color) in enumerate(marks):
        axes.axvline(x, color=color, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1.5)
        text = axes.text(x, 0, name, rotation=90, va="top", size=8.5, color=color, zorder=5)
        text.set_parse_math(False)
        text.set_bbox({"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8})
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


def _draw_labels(axes: Axes, medians: Sequence[Line2D], xlabel: str, ylabel: str) -> None:
    """Draw the grid, axis labels and a legend of the lines through the medians."""
    from matplotlib.lines import Line2D

    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(xlabel, size=9, parse_math=False)
    axes.set_ylabel(ylabel, size=9, parse_math=False)
    axes.tick_params(labelsize=8, length=3)
    handles = [*medians]
    look = {"color": "#777777", "marker": "^", "markersize": 6, "linestyle": "none"}
    handles.append(Line2D([0], [0], label="diverged", **look))
    if any(line.get_marker() == "v" and np.size(line.get_xdata()) for line in axes.lines):
        handles.append(Line2D([0], [0], label="lower", **{**look, "marker": "v"}))
    draw_names(axes, handles)
