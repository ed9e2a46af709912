"""The page of a moving picture, with all that does not move: landscape, chart and names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.plots.convergence import Curve, set_scale
from gdlab.plots.landscape import UNKNOWN, draw_curve, frame_surface
from gdlab.plots.racers import Entry, Look, Racer, Scenery
from gdlab.plots.relief import draw_relief
from gdlab.plots.style import (
    INK,
    MINIMIZER,
    drawable,
    finish_chart,
    new_figure,
    panel_box,
    shorten,
    title_look,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# Inches.
_LEFT, _BOTTOM, _TOP, _RIGHT, _GAP = 0.5, 0.42, 0.42, 0.14, 0.62  # around the panels
_TITLE, _NOTE = 0.2, 0.14  # the middle of the title below the top; the height of a line below
_ROW, _LEAST_CHART = 0.2, 0.95  # the height of a name, of the chart
_MARK, _NAME = 0.07, 0.2  # right of the chart's edge
_NAME_OF_AXIS = 0.36  # left of the landscape

_LANDSCAPE = 0.545  # its width, as a part of what both panels have
_LOG_STEPS = 30  # more are logarithmic
_LONGEST_NAME, _LONGEST_AXIS = 30, 24  # characters; of an axis in full size
_SOFT = "#666666"
_START = {
    "marker": "o",
    "markersize": 7,
    "markerfacecolor": "white",
    "markeredgecolor": INK,
    "markeredgewidth": 1.1,
    "linestyle": "none",
}


class RacePage:
    """A figure with a landscape to the left, and names above a chart to the right.

    Args:
        scenery: the landscape.
        racers: the runs.
        entries: the lines of the legend.
        look: titles and size.

    Attributes:
        land: the panel of the landscape.
        chart: the panel of the chart.
    """

    def __init__(
        self, scenery: Scenery, racers: Sequence[Racer], entries: Sequence[Entry], look: Look
    ) -> None:
        self._look, self.entries = look, entries
        self.figure = new_figure(look.size)
        self.land, self.chart = self._panels()
        self._draw_landscape(scenery, np.unique([racer.points[0] for racer in racers], axis=0))
        self._draw_chart(racers)
        self._draw_words()

    def _panels(self) -> tuple[Axes, Axes]:
        """Return the panel of the landscape, and that of the chart below the names."""
        width, height = self._look.size
        across = width - _LEFT - _GAP - _RIGHT
        edge = _LEFT + _LANDSCAPE * across
        bottom = _BOTTOM + (_NOTE if self._look.note else 0.0)
        sides = {"left": _LEFT, "right": width - edge, "bottom": bottom, "top": _TOP}
        land = self.figure.add_axes(panel_box(self._look.size, **sides))
        names = _ROW * (len(self.entries) + 1) + 0.14
        names = min(names, height - _TOP - bottom - _LEAST_CHART)
        sides = {"left": edge + _GAP, "right": _RIGHT, "bottom": bottom, "top": _TOP + names}
        return land, self.figure.add_axes(panel_box(self._look.size, **sides))

    def _draw_landscape(self, scenery: Scenery, starts: np.ndarray) -> None:
        """Draw the loss, its minimizers and the starts (m, D)."""
        axes, landscape = self.land, scenery.landscape
        if len(scenery.box) == 1:
            draw_curve(axes, landscape, scenery.plane, scenery.box)
        else:
            frame_surface(axes, landscape, scenery.plane, scenery.box)
            axes.set_facecolor(UNKNOWN)
            if scenery.relief is not None:
                draw_relief(axes, scenery.relief)
            axes.set(xlabel=scenery.labels[0], ylabel=scenery.labels[1])
        axes.tick_params(labelsize=7, length=2.5)
        across = axes.get_position().width * self._look.size[0]
        axes.yaxis.set_label_coords(-_NAME_OF_AXIS / across, 0.5)
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set_fontsize(8 if len(text.get_text()) <= _LONGEST_AXIS else 6.5)
            text.set_parse_math(False)
        if landscape.minimizers is not None:
            stars = {**MINIMIZER, "markersize": 13}
            axes.plot(*scenery.project(landscape.minimizers).T, **stars, zorder=5)
        axes.plot(*scenery.project(starts).T, **_START, zorder=6)

    def _draw_chart(self, racers: Sequence[Racer]) -> None:
        """Draw the axes of the chart, as far as the curves will go."""
        axes, last = self.chart, max(racer.last for racer in racers)
        for racer in racers:
            axes.plot(racer.steps, drawable(racer.values), visible=False)
        set_scale(axes, [Curve(racer.steps, racer.values) for racer in racers])
        finish_chart(axes, "step", self._look.ylabel)
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set_fontsize(8)
        axes.tick_params(labelsize=7, length=2.5)
        axes.minorticks_off()
        axes.set_xlim(-0.02 * max(last, 1), 1.02 * max(last, 1))
        if last > _LOG_STEPS:
            axes.set_xscale("symlog", linthresh=1.0, linscale=0.5)
            axes.xaxis.set_major_formatter("{x:,.0f}")
            axes.set_xlim(-0.15, 1.25 * last)

    def _draw_words(self) -> None:
        """Write the title, the names and the note."""
        width, height = self._look.size
        title, note = self._look.title, {"ha": "center", "size": 6.5, "color": _SOFT}
        texts = [
            self.text(width / 2, _TITLE, title, ha="center", **title_look(title, width)),
            self.text(width / 2, height - 0.09, self._look.note, **note),
        ]
        if any(len(entry.members) == 1 for entry in self.entries):
            texts.append(self.beside(-1, self._look.ylabel))
        for row, entry in enumerate(self.entries):
            name = shorten(entry.name, _LONGEST_NAME)
            texts.append(self.text(self._names + _NAME, self._below(row), name, size=8.5))
        for text in texts:
            self.figure.add_artist(text)

    @property
    def _names(self) -> float:
        """The left edge of the names, in inches."""
        return self.chart.get_position().x0 * self._look.size[0]

    def _below(self, row: int) -> float:
        """How far below the top the middle of a name is, in inches; -1 is the row of the step."""
        return _TOP + 0.07 + _ROW * (row + 1)

    def headline(self, content: str) -> Artist:
        """Return a text above the names."""
        return self.text(self._names, self._below(-1), content, size=10, weight="bold")

    def beside(self, row: int, content: str) -> Artist:
        """Return a text at the right end of a row of the names."""
        look = {"ha": "right", "size": 7.5 if row < 0 else 8, "color": _SOFT}
        return self.text(self._look.size[0] - _RIGHT, self._below(row), content, **look)

    def mark(self, row: int, **look: Any) -> Artist:
        """Return a mark before a name."""
        from matplotlib.lines import Line2D

        width, height = self._look.size
        at = [(self._names + _MARK) / width], [1 - self._below(row) / height]
        line = Line2D(*at, **look)
        line.set_transform(self.figure.transFigure)
        line.set_figure(self.figure)
        return line

    def text(self, left: float, below: float, content: str, **look: Any) -> Artist:
        """Return a text that is not TeX, some inches from the left and below the top."""
        from matplotlib.text import Text

        width, height = self._look.size
        given: Any = {"color": INK, "va": "center_baseline", "parse_math": False, **look}
        text = Text(left / width, 1 - below / height, content, **given)
        text.set_transform(self.figure.transFigure)
        text.set_figure(self.figure)
        return text
