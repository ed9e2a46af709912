"""What the pictures of several runs have in common: the loss in one view, drawn once.

Shapes: D dimensions, K = min(D, 2) coordinates on the paper, m points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.plots.landscape import ARROW_KEY, MAX_SLICED, draw_curve, draw_surface
from gdlab.plots.projection import FAR, Landscape, Plane
from gdlab.plots.style import (
    INK,
    MINIMIZER,
    TITLE_HEIGHT,
    draw_legend,
    image,
    panel,
    style,
    title_look,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.lines import Line2D
    from matplotlib.text import Text
    from PIL.Image import Image

_SIZE = (6.4, 5.6)
_PANEL = (0.12, 0.165, 0.745, 0.735)  # left, bottom, width, height, in parts of the figure
WIDTH = 640  # pixels
RED = "#c8102e"
START = {
    "marker": "o",
    "markersize": 9,
    "markerfacecolor": "white",
    "markeredgecolor": INK,
    "markeredgewidth": 1.3,
    "linestyle": "none",
}
CURRENT = {
    **START,
    "markerfacecolor": RED,
    "markeredgecolor": "white",
    "markersize": 6.5,
    "markeredgewidth": 0.9,
}
LINE = {"color": RED, "linewidth": 1.3}
MARKS = {"marker": "o", "markersize": 3.0, "color": RED, "linestyle": "none"}
TANGENT = {"color": INK, "linewidth": 1.1, "linestyle": "--"}


class Background:
    """The loss in one view with its axes and keys, on which the paths of runs are drawn.

    Args:
        landscape: The loss; its title is not drawn.
        plane: The plane of the paper.
        box: (K, 2) low and high of the view.

    Attributes:
        plane: The plane of the paper.
        axes: The panel.
        stars: (M, 2) where the known minimizers lie on the paper.
    """

    def __init__(self, landscape: Landscape, plane: Plane, box: np.ndarray) -> None:
        self.plane, self._landscape = plane, landscape
        with style():
            self._canvas, self.axes = panel(_SIZE, _PANEL)
            self._figure = self._canvas.figure
            draw = draw_curve if len(box) == 1 else draw_surface
            draw(self.axes, landscape, plane, box)
            draw_legend(self._figure, _keys(landscape, len(plane.origin)), 0.035)
            self._canvas.draw()
            self._bare = self._page()
        self._sheet = self._bare
        self.stars = np.empty((0, 2))
        if landscape.minimizers is not None:
            self.stars = self.placed(landscape.minimizers)

    @property
    def view(self) -> np.ndarray:
        """Low and high (2, 2) of what the paper shows."""
        return np.array([self.axes.get_xlim(), self.axes.get_ylim()])

    def placed(self, points: np.ndarray) -> np.ndarray:
        """Where points (m, D) lie on the paper, (m, 2): at their height for D = 1."""
        coordinates = self.plane.coordinates(np.clip(points, -FAR, FAR))
        if coordinates.shape[1] == 2:
            return coordinates
        heights = self.plane.evaluate(self._landscape.value, coordinates)
        return np.column_stack([coordinates[:, 0], heights])

    def entitle(self, title: str) -> None:
        """Begin the pictures of another run."""
        self._canvas.restore_region(self._bare)
        self.text(TITLE_HEIGHT, title, **title_look(title)).draw(self._canvas.get_renderer())
        self._sheet = self._page()

    def with_artists(self, artists: list[Artist]) -> Image:
        """The ground and what lies on it, from the back to the front."""
        self._canvas.restore_region(self._sheet)
        for artist in artists:
            artist.draw(self._canvas.get_renderer())
        return image(self._canvas)

    def line(self, **look: Any) -> Line2D:
        """A line in the coordinates of the panel, still without points."""
        # Never added to the axes: the next run would find it there.
        from matplotlib.lines import Line2D

        line = Line2D([], [], **look)
        line.set_transform(self.axes.transData)
        line.set_clip_box(self.axes.bbox)
        line.set_figure(self._figure)
        return line

    def text(self, height: float, words: str, **look: Any) -> Text:
        """Words in the middle of the page."""
        from matplotlib.text import Text

        text = Text(0.5, height, words, ha="center", color=INK, parse_math=False, **look)
        text.set_transform(self._figure.transFigure)
        text.set_figure(self._figure)
        return text

    def _page(self) -> Any:
        return self._canvas.copy_from_bbox(self._figure.bbox)


def _keys(landscape: Landscape, dim: int) -> dict[str, dict[str, Any]]:
    """The legend: names and looks."""
    keys = {"start": START, "path": {**MARKS, **LINE, "linestyle": "-"}, "current": CURRENT}
    if landscape.minimizers is not None:
        keys["minimizer" if dim <= 2 else "minimizer, projected"] = MINIMIZER
    if dim == 1:
        keys["tangent"] = TANGENT
    elif dim <= MAX_SLICED:
        keys["downhill"] = ARROW_KEY
    return keys
