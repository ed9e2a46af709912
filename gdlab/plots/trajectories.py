"""Pictures of a sweep: the paths of many runs over one loss, colored by the swept setting.

For one variable, position is drawn against step; for two, paths on level curves; for more, in the
plane of the first two principal components of all paths together.

Shapes: M paths, n recorded points of a path, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.plots.colors import Palette, Value
from gdlab.plots.landscape import (
    note_of_scales,
)
from gdlab.plots.multiples import chosen, label_panels, name_panel, small_panels
from gdlab.plots.paths import Path, Paths
from gdlab.plots.projection import FAR, Landscape, on_paper
from gdlab.plots.relief import Relief, draw_relief_bar
from gdlab.plots.style import (
    INK,
    MINIMIZER,
    Size,
    head_chart,
    new_figure,
    shorten,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["Path", "draw_overview", "fill_overview", "legend_handles"]

_BESIDE_BAR = 0.85  # the width of small panels that share a bar, as a part of what others have
_WIDTH, _PANEL_INCHES, _ROOM = 6.4, 4.7, 1.5  # of the page, its panel and all that is around
_START = {
    "marker": "o",
    "markerfacecolor": "white",
    "markeredgecolor": INK,
    "markeredgewidth": 1.1,
    "linestyle": "none",
}
_LAST = {"markeredgecolor": "white", "markeredgewidth": 0.8, "linestyle": "none"}
_LEVEL = {"color": INK, "linewidth": 1.0, "linestyle": "--"}
_MANY = 20  # paths; more get thinner lines and smaller marks
_CROWDED = 12_000  # pixels of line; longer paths are thin, or they would hide all others


def draw_overview(
    landscape: Landscape,
    paths: Sequence[Path],
    palette: Palette,
    *,
    total: int | None = None,
    size: Size | None = None,
) -> Figure:
    """Draw the paths of a sweep in one picture.

    The view contains the paths that stay near and do not end above their start; if there are none,
    the early steps of all. Where the palette has no color for each value, each has a panel.

    Args:
        landscape: The loss.
        paths: M ≥ 1 runs of the same dimension.
        palette: The looks of the paths by their values.
        total: The number of runs of which these are some; None if they are all.
        size: Width and height in inches.

    Raises:
        ValueError: There is no path, or the paths differ in dimension.
    """
    shapes = [path.points.shape for path in paths]
    if not shapes or any(len(s) != 2 or 0 in s or s[1] != shapes[0][1] for s in shapes):
        raise ValueError(f"paths must be (n, D) of one D, got {shapes}")
    sweep = Paths.of(landscape, paths)
    with style():
        drawn = sweep.relief()
        shown: Sequence[Value] = chosen(palette.values) if palette.is_split else [""]
        figure, panels = _page(sweep, len(shown), palette, size)
        leaving = 0
        for value, axes in zip(shown, panels, strict=True):
            if palette.is_split:
                leaving = fill_overview(axes, sweep, drawn, palette, value)
                name_panel(axes, shorten(palette.name(value)))
            else:
                leaving = fill_overview(axes, sweep, drawn, palette)
        if palette.is_split:
            label_panels(panels, *sweep.names)
        if drawn is not None:
            draw_relief_bar(figure, panels, drawn)
        palette.draw_key(figure, panels, legend_handles(sweep))
        note = sweep.notes(leaving, note_of_scales(panels[0]))
        head_chart(figure, landscape.title, sweep.subtitle(palette, total), note)
        return figure


def fill_overview(
    axes: Axes,
    sweep: Paths,
    drawn: Relief | None,
    palette: Palette,
    value: Value | None = None,
) -> int:
    """Draw paths on a loss, and return how many leave the view.

    Args:
        axes: The panel.
        sweep: The paths.
        drawn: The level curves behind them.
        palette: Their looks.
        value: Draw only those that the palette knows by this; None for all.
    """
    traces, leaving = sweep.project()
    sweep.draw_background(axes, drawn)
    is_shown = [value is None or palette.key(path.value) == value for path in sweep.paths]
    runs = np.flatnonzero(is_shown).tolist()
    if runs:
        _draw_paths(axes, [traces[at] for at in runs], [sweep.paths[at] for at in runs], palette)
    _draw_minimizers(axes, sweep)
    return leaving


def _page(
    sweep: Paths, count: int, palette: Palette, size: Size | None
) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels, as tall as the view asks for."""
    (left, right), (bottom, top) = sweep.box if sweep.dim > 1 else ((0, 1), (0, 1))
    ratio = (top - bottom) / (right - left)
    ratio = min(1.0, ratio) if ratio >= 1 / 3 else 1.0
    if palette.is_split:
        return small_panels(count, size, _BESIDE_BAR * ratio)
    height = _PANEL_INCHES * ratio
    rows = 0.0 if palette.has_bar else 0.2 * len(palette.values) / 2
    figure = new_figure(size or (_WIDTH, height + _ROOM + rows), constrained=True)
    return figure, [figure.add_subplot()]


def _draw_paths(
    axes: Axes, traces: Sequence[np.ndarray], paths: Sequence[Path], palette: Palette
) -> None:
    """Draw lines from the longest to the shortest, so that wild paths lie below, then marks."""
    are_many = len(traces) > _MANY
    lengths = np.array([_length(axes, trace) for trace in traces])
    clip: dict[str, Any] = {"solid_joinstyle": "round", "zorder": 3}
    for i in np.argsort(-lengths, kind="stable"):
        trace, color = traces[i], palette.color(paths[i].value)
        if lengths[i] > _CROWDED:
            axes.plot(*trace.T, color=color, linewidth=0.5, alpha=0.6, **clip)
            continue
        width = 0.9 if are_many else 1.3
        axes.plot(*trace.T, color="white", linewidth=width + 1.3, alpha=0.6, **clip)
        axes.plot(*trace.T, color=color, linewidth=width, **clip)
    starts = np.unique([trace[0] for trace in traces], axis=0)
    size = 9 if len(starts) == 1 else 5
    axes.plot(*starts.T, **_START, markersize=size, zorder=5)
    for i in np.argsort(-lengths, kind="stable"):
        kind = {
            **_LAST,
            "markersize": 5.5 if are_many else 6.5,
            "color": palette.color(paths[i].value),
            "marker": palette.marker(paths[i].value),
        }
        axes.plot(*traces[i][-1:].T, **kind, zorder=6)


def _length(axes: Axes, trace: np.ndarray) -> float:
    """Return the length in pixels of a trace (n, 2), at least of the part inside the panel."""
    steps = np.hypot(*np.diff(axes.transData.transform(trace), axis=0).T)
    return float(np.minimum(np.nan_to_num(steps), 100 * _WIDTH).sum())


def _draw_minimizers(axes: Axes, sweep: Paths) -> None:
    """Draw the known minimizers as stars, or as lines along the steps for D = 1."""
    if sweep.landscape.minimizers is None:
        return
    points = sweep.plane.coordinates(np.clip(sweep.landscape.minimizers, -FAR, FAR))
    if sweep.dim == 1:
        for position in np.unique(points[:, 0]):
            axes.axhline(position, **_LEVEL, zorder=2)
    else:
        axes.plot(*on_paper(points, sweep.box)[0].T, **MINIMIZER, zorder=7)


def legend_handles(sweep: Paths) -> list[Line2D]:
    """Return what explains the marks."""
    from matplotlib.lines import Line2D

    keys = {
        "start": {**_START, "markersize": 8},
        "last point": {**_LAST, "markersize": 6.5, "marker": "o", "color": "#7a7a7a"},
    }
    if sweep.landscape.minimizers is not None:
        name = "minimizer" if sweep.dim <= 2 else "minimizer, projected"
        keys[name] = _LEVEL if sweep.dim == 1 else {**MINIMIZER, "markersize": 12}
    return [Line2D([], [], **look, label=name) for name, look in keys.items()]
