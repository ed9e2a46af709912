"""Pictures of one run: its path over the loss, as PNG frames.

One dimension is drawn as the curve with the tangent at the current point, two as level curves with
the field of descent directions, more in the plane of the path's first two principal components.

Shapes: n recorded points of the path, D dimensions, K = min(D, 2) coordinates on the paper.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.recording.projection import FAR, Landscape, Plane, drawing_plane, on_paper, view
from gdlab.recording.scenery import (
    ARROW_KEY,
    INK,
    MAX_SLICED,
    MINIMIZER,
    draw_curve,
    draw_surface,
    style,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.lines import Line2D
    from matplotlib.text import Text
    from PIL.Image import Image

__all__ = ["Landscape", "frame_rows", "trajectory_frames", "trajectory_png"]

_SIZE, _DPI = (6.4, 5.6), 100
_PANEL = (0.12, 0.165, 0.745, 0.735)  # left, bottom, width, height, in parts of the figure
_RED = "#c8102e"
_LINE = {"color": _RED, "linewidth": 1.3}
_HALO = {"color": "white", "linewidth": 2.6, "alpha": 0.7}
_THREAD = {"color": _RED, "linewidth": 0.4, "alpha": 0.25}
_MARKS = {"marker": "o", "markersize": 3.0, "color": _RED, "linestyle": "none"}
_DUST = {**_MARKS, "markersize": 1.2}
_START = {
    "marker": "o",
    "markersize": 9,
    "markerfacecolor": "white",
    "markeredgecolor": INK,
    "markeredgewidth": 1.3,
    "linestyle": "none",
}
_CURRENT = {
    **_START,
    "markerfacecolor": _RED,
    "markeredgecolor": "white",
    "markersize": 6.5,
    "markeredgewidth": 0.9,
}
_TANGENT = {"color": INK, "linewidth": 1.1, "linestyle": "--"}
_MARK_SPACING = 7.0  # pixels along the path: closer markers run together
_CROWDED = 60_000  # pixels of line: about half of the panel would be covered
_TANGENT_LENGTH = 0.16  # of the panel's diagonal, to each side


def trajectory_frames(
    landscape: Landscape, steps: np.ndarray, path: np.ndarray, *, frames: int = 10
) -> Iterator[tuple[int, bytes]]:
    """Draws a run at geometrically spaced steps, always at its first point and its last.

    All frames share one view and one background. The same input gives the same bytes.

    Args:
        landscape: The loss.
        steps: (n,) increasing step numbers.
        path: (n, D) the points at those steps, finite.
        frames: The most frames to draw; 1 draws the last alone.

    Yields:
        The step and its PNG, 640 x 560 pixels.

    Raises:
        ValueError: Where steps and path do not match, or there is nothing to draw.
    """
    if path.ndim != 2 or len(path) != len(steps) or not path.size:
        raise ValueError(f"path must be (n, D) and steps (n,), got {path.shape}, {steps.shape}")
    picture = _Picture(landscape, steps, path.astype(float, copy=False))
    for row in frame_rows(steps, frames):
        yield int(steps[row]), picture.frame(int(row))


def trajectory_png(landscape: Landscape, steps: np.ndarray, path: np.ndarray) -> bytes:
    """The last frame of `trajectory_frames`: the whole run, as a PNG."""
    return next(trajectory_frames(landscape, steps, path, frames=1))[1]


def frame_rows(steps: np.ndarray, frames: int) -> np.ndarray:
    """Rows (at most `frames`, strictly increasing) of geometrically spaced steps (n,).

    Raises:
        ValueError: Where `frames` is below 1.
    """
    if frames < 1:
        raise ValueError(f"frames must be at least 1, got {frames}")
    last = len(steps) - 1
    if frames == 1 or last < 1:
        return np.array([last])
    if frames > last:
        return np.arange(last + 1)
    elapsed = np.asarray(steps, dtype=float) - float(steps[0])
    # From the end, so that two frames are the first point and the last.
    wanted = np.geomspace(elapsed[-1], elapsed[1], frames - 1)
    rows = np.searchsorted((elapsed[1:] + elapsed[:-1]) / 2, wanted)
    return np.unique(np.append(rows, 0))


class _Picture:
    """A figure whose background is drawn once; a frame adds the path and the words."""

    def __init__(self, landscape: Landscape, steps: np.ndarray, path: np.ndarray) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from PIL.Image import Quantize

        self.landscape, self.steps, self.path = landscape, steps, path
        plane = drawing_plane(landscape, path)
        box = view(landscape, path, plane)
        with style():
            self.figure = Figure(figsize=_SIZE, dpi=_DPI)
            self.canvas = FigureCanvasAgg(self.figure)
            self.axes = self.figure.add_axes(_PANEL)
            draw = draw_curve if path.shape[1] == 1 else draw_surface
            draw(self.axes, landscape, plane, box)
            self._draw_words()
            self.canvas.draw()
            self.background = self.canvas.copy_from_bbox(self.figure.bbox)
        panel = np.array([self.axes.get_xlim(), self.axes.get_ylim()])
        self.points, self.outside = on_paper(self._placed(plane, path), panel)
        self.stars = np.empty((0, 2))
        if landscape.minimizers is not None:
            self.stars = self._placed(plane, landscape.minimizers)
        self.marked, self.crowded = self._marked()
        # One palette for all frames, or fills would flicker; the last frame has every colour.
        self.palette = self._drawn(len(path) - 1).quantize(256, Quantize.FASTOCTREE)

    def _draw_words(self) -> None:
        """The title, and a legend below the panel, where it covers nothing."""
        from matplotlib.lines import Line2D

        title, dim = self.landscape.title, self.path.shape[1]
        size = min(11.0, 11.0 * 72 / max(1, len(title)))
        self.figure.text(
            0.5, 0.955, title, ha="center", size=size, weight="bold", color=INK, parse_math=False
        )
        keys = {"start": _START, "path": {**_MARKS, **_LINE, "linestyle": "-"}, "current": _CURRENT}
        if self.landscape.minimizers is not None:
            keys["minimiser" if dim <= 2 else "minimiser, projected"] = MINIMIZER
        if dim == 1:
            keys["tangent"] = _TANGENT
        elif dim <= MAX_SLICED:
            keys["downhill"] = ARROW_KEY
        self.figure.legend(
            handles=[Line2D([0, 1], [0, 0], **kind, label=name) for name, kind in keys.items()],
            loc="lower center",
            bbox_to_anchor=(0.5, 0.035),
            ncols=len(keys),
            frameon=False,
            fontsize=8.5,
            handletextpad=0.5,
            columnspacing=1.6,
        )

    def _placed(self, plane: Plane, points: np.ndarray) -> np.ndarray:
        """Where points (m, D) lie on the paper, (m, 2): at their height for D = 1."""
        coordinates = plane.coordinates(np.clip(points, -FAR, FAR))
        if coordinates.shape[1] == 2:
            return coordinates
        heights = plane.evaluate(self.landscape.value, coordinates)
        return np.column_stack([coordinates[:, 0], heights])

    def _marked(self) -> tuple[np.ndarray, bool]:
        """Which points (n,) get a marker, and whether the line alone would fill the panel."""
        pixels = self.axes.transData.transform(self.points)
        lengths = np.nan_to_num(np.hypot(*np.diff(pixels, axis=0).T))
        lengths = np.minimum(lengths, _SIZE[0] * _DPI)  # what leaves the panel covers none of it
        stretches = np.floor(np.cumsum(lengths) / _MARK_SPACING)
        marked = np.concatenate([[True], np.diff(stretches, prepend=0.0) > 0])
        return marked, bool(lengths.sum() > _CROWDED)

    def frame(self, row: int) -> bytes:
        """The PNG of the path up to a row."""
        from PIL.Image import Dither

        buffer = io.BytesIO()
        # 256 colours take a third of the bytes and of the time, within 15 of 255 of the full ones.
        flat = self._drawn(row).quantize(palette=self.palette, dither=Dither.NONE)
        flat.save(buffer, "png", compress_level=4)
        return buffer.getvalue()

    def _drawn(self, row: int) -> Image:
        from PIL.Image import frombytes

        self.canvas.restore_region(self.background)
        with style():
            for artist in self._artists(row):
                artist.draw(self.canvas.get_renderer())
        size = self.canvas.get_width_height()
        return frombytes("RGB", size, np.asarray(self.canvas.buffer_rgba()), "raw", "RGBX")

    def _artists(self, row: int) -> Iterator[Artist]:
        """What changes between frames, from the back to the front."""
        past = self.points[: row + 1]
        if self.path.shape[1] == 1:
            yield self._line(self._tangent(row), **_TANGENT)
        if not self.crowded:
            yield self._line(past, **_HALO)
        yield self._line(past, **(_THREAD if self.crowded else _LINE))
        yield self._line(past[self.marked[: row + 1]], **(_DUST if self.crowded else _MARKS))
        yield self._line(self.stars, **MINIMIZER)
        yield self._line(past[:1], **_START)
        yield self._line(past[-1:], **_CURRENT)
        with np.errstate(all="ignore"):
            loss = float(np.asarray(self.landscape.value(self.path[row : row + 1]))[0])
        yield self._text(0.918, f"step {int(self.steps[row]):,}   loss {loss:.6g}", 9.5)
        notes = []
        if 2 < self.path.shape[1] <= MAX_SLICED:
            notes.append("levels: the slice of the loss through the last point shown")
        if gone := int(self.outside[: row + 1].sum()):
            notes.append(f"{gone:,} of {row + 1:,} recorded steps outside the view")
        yield self._text(0.014, "   ·   ".join(notes), 8)

    def _line(self, points: np.ndarray, **kind: Any) -> Line2D:
        # Never added to the axes: 10 frames would leave 60 artists behind.
        from matplotlib.lines import Line2D

        line = Line2D(*points.T, **kind)
        line.set_transform(self.axes.transData)
        line.set_clip_box(self.axes.bbox)
        line.set_figure(self.figure)
        return line

    def _text(self, height: float, words: str, size: float) -> Text:
        from matplotlib.text import Text

        text = Text(0.5, height, words, ha="center", size=size, color=INK, parse_math=False)
        text.set_transform(self.figure.transFigure)
        text.set_figure(self.figure)
        return text

    def _tangent(self, row: int) -> np.ndarray:
        """The ends (2, 2) of the tangent at a row, equally long on the page at any slope."""
        low, high = np.array([self.axes.get_xlim(), self.axes.get_ylim()]).T
        with np.errstate(all="ignore"):
            slope = float(np.asarray(self.landscape.gradient(self.path[row : row + 1]))[0, 0])
            along = np.array([1.0, slope * (high - low)[0] / (high - low)[1]])
            along /= np.abs(along).max()
            along *= _TANGENT_LENGTH / np.linalg.norm(along) * (high - low)
        return np.stack([self.points[row] - along, self.points[row] + along])
