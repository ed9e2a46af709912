"""Moving pictures: paths that grow in step on one loss, beside the loss over their steps.

What does not move is drawn once. Each frame is a copy of it with the paths on top.

Shapes: M paths, n records of a path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.plots.colors import Palette
from gdlab.plots.projection import on_paper
from gdlab.plots.race_page import RacePage
from gdlab.plots.racers import Look, Racer, Scenery, entries_of
from gdlab.plots.style import drawable, image, style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from PIL.Image import Image

_INSIDE = 0.012  # of the view: how far from its edge an end outside is marked
_MANY = 12  # paths; more get thinner lines and smaller marks


class Track:
    """The frames of M runs on one landscape.

    Args:
        scenery: the landscape.
        racers: the runs, at least one.
        palette: their colors and markers.
        look: titles and size.

    Attributes:
        last: the last step of any run.
        paths: the runs on the paper, (n, 2) each, in data coordinates.
    """

    def __init__(
        self, scenery: Scenery, racers: Sequence[Racer], palette: Palette, look: Look
    ) -> None:
        self.racers, self._palette = racers, palette
        self.last = max(racer.last for racer in racers)
        with style():
            self._page = RacePage(scenery, racers, entries_of(racers, palette), look)
            self._canvas: Any = self._page.figure.canvas
            self._canvas.draw()
            self._still = self._canvas.copy_from_bbox(self._page.figure.bbox)
        axes = self._page.land
        box = np.array([axes.get_xlim(), axes.get_ylim()])
        traces = [scenery.project(racer.points) for racer in racers]
        self.paths = [on_paper(trace, box)[0] for trace in traces]
        edge = _INSIDE * np.diff(box, axis=1)[:, 0]
        self._ends = [np.clip(trace[-1], box[:, 0] + edge, box[:, 1] - edge) for trace in traces]
        lengths = [-self._length(path) for path in self.paths]
        self._order = np.argsort(lengths, kind="stable").tolist()  # wild paths lie below

    def frame(self, step: int) -> Image:
        """Draw the runs up to a step."""
        with style():
            self._canvas.restore_region(self._still)
            for artist in self.artists(step):
                artist.draw(self._canvas.get_renderer())
            return image(self._canvas)

    def artists(self, step: int) -> list[Artist]:
        """Return what moves, as it is at a step, from back to front."""
        page, drawn = self._page, []
        for k in self._order:
            drawn += self._trail(page.land, self.paths[k][: self.racers[k].row(step) + 1], k)
        for k in self._order:
            racer = self.racers[k]
            curve = np.column_stack([racer.steps, drawable(racer.values)])[: racer.row(step) + 1]
            drawn += self._trail(page.chart, curve, k)
            drawn.append(_line(page.chart, curve[-1:], **self._mark(k, step)))
        for k in self._order:
            racer = self.racers[k]
            at = self._ends[k] if step >= racer.last else self.paths[k][racer.row(step)]
            drawn.append(_line(page.land, at[None], **self._mark(k, step)))
        drawn.append(page.headline(f"step {step:,}"))
        for row, entry in enumerate(page.entries):
            is_one = len(entry.members) == 1
            drawn.append(page.mark(row, **self._mark(entry.members[0], step if is_one else -1)))
            drawn.append(page.beside(row, entry.said(self.racers, step)))
        return drawn

    def _length(self, path: np.ndarray) -> float:
        """Return the length in pixels of a path (n, 2), at least of the part inside the panel."""
        steps = np.hypot(*np.diff(self._page.land.transData.transform(path), axis=0).T)
        return float(np.minimum(np.nan_to_num(steps), self._page.figure.bbox.width).sum())

    def _trail(self, axes: Axes, points: np.ndarray, k: int) -> list[Artist]:
        """Return the line of a run so far, on a pale one that sets it off."""
        width = 1.0 if len(self.racers) > _MANY else 1.6
        joined: dict[str, Any] = {"solid_joinstyle": "round", "solid_capstyle": "round"}
        pale = {"color": "white", "linewidth": width + 1.4, "alpha": 0.6}
        own = {"color": self._palette.color(self.racers[k].value), "linewidth": width}
        return [_line(axes, points, **pale, **joined), _line(axes, points, **own, **joined)]

    def _mark(self, k: int, step: int) -> dict[str, Any]:
        """Return the look of the mark of a run: as it ended, once it has."""
        racer = self.racers[k]
        mark = racer.mark if step >= racer.last else ""
        color, size = self._palette.color(racer.value), 5.5 if len(self.racers) > _MANY else 7.0
        look: dict[str, Any] = {"markersize": size, "linestyle": "none"}
        if mark == "ring":
            look |= {"markerfacecolor": "white", "markeredgecolor": color, "markeredgewidth": 2.0}
            return {**look, "marker": "o"}
        if mark == "cross":
            return {**look, "marker": "x", "markeredgecolor": color, "markeredgewidth": 2.2}
        look |= {"color": color, "markeredgecolor": "white", "markeredgewidth": 0.9}
        return {**look, "marker": self._palette.marker(racer.value)}


def _line(axes: Axes, points: np.ndarray, **look: Any) -> Line2D:
    """Return a line through points (n, 2) of a panel, which is not added to it."""
    from matplotlib.lines import Line2D

    line = Line2D(*points.T, **look)
    line.set_transform(axes.transData)
    line.set_clip_box(axes.bbox)
    figure = axes.get_figure(root=True)
    assert figure is not None
    line.set_figure(figure)
    return line
