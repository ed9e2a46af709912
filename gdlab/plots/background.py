"""The background of trajectories: the loss in one view, drawn once for several runs.

Shapes: D dimensions, K = min(D, 2) coordinates on the paper, m points, M minimizers.
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
_PANEL = (0.12, 0.165, 0.745, 0.735)  # left, bottom, width, height, as fractions of the figure
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
    """The loss in one view, with axes and legend, on which the paths of runs are drawn.

    Args:
        landscape: The loss; its title is drawn by `set_title` only.
        plane: The plane of the paper.
        box: (K, 2) lower and upper limits of the view.

    Attributes:
        plane: The plane of the paper.
        axes: The panel.
        minimizers: (M, 2) the known minimizers on the paper.
    """

    def __init__(self, landscape: Landscape, plane: Plane, box: np.ndarray) -> None:
        self.plane, self._landscape = plane, landscape
        with style():
            self._canvas, self.axes = panel(_SIZE, _PANEL)
            self._figure = self._canvas.figure
            draw = draw_curve if len(box) == 1 else draw_surface
            draw(self.axes, landscape, plane, box)
            draw_legend(self._figure, _legend_entries(landscape, len(plane.origin)), 0.035)
            self._canvas.draw()
            self._untitled = self._copy_page()
        self._titled = self._untitled
        self.minimizers = np.empty((0, 2))
        if landscape.minimizers is not None:
            self.minimizers = self.project(landscape.minimizers)

    @property
    def view(self) -> np.ndarray:
        """The limits of the axes: (2, 2), lower and upper."""
        return np.array([self.axes.get_xlim(), self.axes.get_ylim()])

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points (m, D) onto the paper: (m, 2); for D = 1 the second is the loss."""
        coordinates = self.plane.coordinates(np.clip(points, -FAR, FAR))
        if coordinates.shape[1] == 2:
            return coordinates
        heights = self.plane.evaluate(self._landscape.value, coordinates)
        return np.column_stack([coordinates[:, 0], heights])

    def set_title(self, title: str) -> None:
        """Draw the title of a run's pictures; call it before `render`."""
        self._canvas.restore_region(self._untitled)
        self.text(TITLE_HEIGHT, title, **title_look(title)).draw(self._canvas.get_renderer())
        self._titled = self._copy_page()

    def render(self, artists: list[Artist]) -> Image:
        """Draw artists onto a copy of the background, from back to front."""
        self._canvas.restore_region(self._titled)
        for artist in artists:
            artist.draw(self._canvas.get_renderer())
        return image(self._canvas)

    def line(self, **look: Any) -> Line2D:
        """Return a line in the coordinates of the panel, without points yet."""
        # Not added to the axes, where it would stay for the next run.
        from matplotlib.lines import Line2D

        line = Line2D([], [], **look)
        line.set_transform(self.axes.transData)
        line.set_clip_box(self.axes.bbox)
        line.set_figure(self._figure)
        return line

    def text(self, height: float, content: str, **look: Any) -> Text:
        """Return a text, horizontally centered on the page."""
        from matplotlib.text import Text

        text = Text(0.5, height, content, ha="center", color=INK, parse_math=False, **look)
        text.set_transform(self._figure.transFigure)
        text.set_figure(self._figure)
        return text

    def _copy_page(self) -> Any:
        return self._canvas.copy_from_bbox(self._figure.bbox)


def _legend_entries(landscape: Landscape, dim: int) -> dict[str, dict[str, Any]]:
    """Return the styles of the marks by name."""
    keys = {"start": START, "path": {**MARKS, **LINE, "linestyle": "-"}, "current": CURRENT}
    if landscape.minimizers is not None:
        keys["minimizer" if dim <= 2 else "minimizer, projected"] = MINIMIZER
    if dim == 1:
        keys["tangent"] = TANGENT
    elif dim <= MAX_SLICED:
        keys["downhill"] = ARROW_KEY
    return keys
