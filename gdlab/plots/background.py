"""The background of trajectories: the loss in one view, drawn once for several runs.

Shapes: D dimensions, K = min(D, 2) coordinates on the paper, m points, M minimizers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.plots.landscape import (
    ARROW_KEY,
    MAX_SLICED,
    draw_curve,
    draw_surface,
    note_of_scales,
    relief_of,
)
from gdlab.plots.projection import FAR, Landscape, Plane, drawing_plane, view
from gdlab.plots.relief import Relief
from gdlab.plots.style import (
    INK,
    MINIMIZER,
    NOTE,
    NOTE_HEIGHT,
    TITLE_INCHES,
    Size,
    draw_legend,
    from_top,
    image,
    legend_columns,
    panel,
    panel_box,
    style,
    title_look,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Text
    from PIL.Image import Image

_SIZE = (6.4, 5.6)
_MARGINS = {"left": 0.77, "right": 0.86, "bottom": 0.92, "top": 0.56}  # inches
_LEGEND_INCHES, _ROW_INCHES = 0.2, 0.17  # above the bottom; of a further row
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


@dataclass(frozen=True)
class View:
    """What of a loss a picture shows.

    Attributes:
        plane: The plane of the paper.
        box: (K, 2) its part that is shown.
        relief: The level curves there; None for a curve, or a loss without levels.
    """

    plane: Plane
    box: np.ndarray
    relief: Relief | None = None

    def looks_like(self, other: View) -> bool:
        """Whether a loss looks the same in another view of its whole space."""
        levels, others = (
            np.empty(0) if view.relief is None else view.relief.levels for view in (self, other)
        )
        return np.array_equal(self.box, other.box) and np.array_equal(levels, others)


def view_of(landscape: Landscape, path: np.ndarray) -> View:
    """Return the view of a path (n, D): a plane and a part of it that are chosen for it."""
    plane = drawing_plane(landscape, path)
    box = view(landscape, path, plane)
    if len(box) == 1:
        return View(plane, box)
    along = plane.coordinates(np.clip(path, -FAR, FAR))
    return View(plane, box, relief_of(landscape, plane, box, along))


class Background:
    """The loss in one view, with axes and legend, on which the paths of runs are drawn.

    Args:
        landscape: The loss; its title is drawn by `set_title` only.
        shown: The part of it that is shown.
        size: Width and height in inches.

    Attributes:
        plane: The plane of the paper.
        axes: The panel.
        minimizers: (M, 2) the known minimizers on the paper.
        scales: A note, where the scales of the axes differ; else empty.
    """

    def __init__(self, landscape: Landscape, shown: View, size: Size | None = None) -> None:
        plane, box = shown.plane, shown.box
        self.plane, self._landscape = plane, landscape
        width, height = size or _SIZE
        with style():
            entries = _legend_entries(landscape, len(plane.origin))
            rows = -(-len(entries) // legend_columns(width, [*entries]))
            margins = {**_MARGINS, "bottom": _MARGINS["bottom"] + _ROW_INCHES * (rows - 1)}
            self._canvas, self.axes = panel((width, height), panel_box((width, height), **margins))
            self._figure = self._canvas.figure
            if len(box) == 1:
                draw_curve(self.axes, landscape, plane, box)
            else:
                draw_surface(self.axes, landscape, plane, box, shown.relief)
            draw_legend(self._figure, entries, _LEGEND_INCHES / height)
            self.scales = "" if len(box) == 1 else note_of_scales(self.axes)
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
        self.title(title).draw(self._canvas.get_renderer())
        self._titled = self._copy_page()

    def title(self, title: str) -> Text:
        """Return the title of a run's pictures."""
        return self.text(TITLE_INCHES, title, **title_look(title, self._figure.get_figwidth()))

    def compose(self, title: str, artists: list[Artist]) -> Figure:
        """Add a title and artists for good, and return the figure."""
        for artist in [self.title(title), *artists]:
            self._figure.add_artist(artist)
        return self._figure

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

    def text(self, inches: float, content: str, **look: Any) -> Text:
        """Return a text, horizontally centered, some inches below the top of the page."""
        from matplotlib.text import Text

        height = from_top(self._figure, inches)
        text = Text(0.5, height, content, ha="center", color=INK, parse_math=False, **look)
        text.set_transform(self._figure.transFigure)
        text.set_figure(self._figure)
        return text

    def note(self, content: str) -> Text:
        """Return a text at the bottom of the page."""
        return self.text(self._figure.get_figheight() * (1 - NOTE_HEIGHT), content, **NOTE)

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
