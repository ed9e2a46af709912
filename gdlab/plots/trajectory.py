"""Pictures of one run: its path over the loss, as PNG frames.

One dimension is drawn as the curve with the tangent at the current point, two as level curves with
the field of descent directions, more in the plane of the path's first two principal components.

Shapes: n recorded points of the path, D dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gdlab.plots.background import CURRENT, LINE, MARKS, RED, START, TANGENT, WIDTH, Background
from gdlab.plots.landscape import MAX_SLICED
from gdlab.plots.projection import Landscape, drawing_plane, on_paper, view
from gdlab.plots.style import (
    MINIMIZER,
    NOTE,
    NOTE_HEIGHT,
    SUBTITLE,
    SUBTITLE_HEIGHT,
    encoded,
    style,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from PIL.Image import Image

__all__ = ["Landscape", "frame_rows", "ground_of", "trajectory_frames", "trajectory_png"]

_HALO = {"color": "white", "linewidth": 2.6, "alpha": 0.7}
_THREAD = {"color": RED, "linewidth": 0.4, "alpha": 0.25}
_DUST = {**MARKS, "markersize": 1.2}
_MARK_SPACING = 7.0  # pixels along the path: closer markers run together
_CROWDED = 60_000  # pixels of line: about half of the panel would be covered
_TANGENT_LENGTH = 0.16  # of the panel's diagonal, to each side


def ground_of(landscape: Landscape, path: np.ndarray) -> Background:
    """What a path (n, D) is drawn on where it is drawn alone."""
    plane = drawing_plane(landscape, path)
    return Background(landscape, plane, view(landscape, path, plane))


def trajectory_frames(
    landscape: Landscape,
    steps: np.ndarray,
    path: np.ndarray,
    *,
    frames: int = 10,
    ground: Background | None = None,
) -> list[tuple[int, bytes]]:
    """Draws a run at geometrically spaced steps, always at its first point and its last.

    All frames share one view and one ground. The same input gives the same bytes.

    Args:
        landscape: The loss.
        steps: (n,) increasing step numbers.
        path: (n, D) the points at those steps, finite.
        frames: The most frames to draw; 1 draws the last alone.
        ground: Of the same loss, to be shared with other runs; the path's own where None.

    Returns:
        The steps, each with its PNG of 640 x 560 pixels.

    Raises:
        ValueError: Where steps and path do not match, or there is nothing to draw.
    """
    if path.ndim != 2 or len(path) != len(steps) or not path.size:
        raise ValueError(f"path must be (n, D) and steps (n,), got {path.shape}, {steps.shape}")
    path = path.astype(float, copy=False)
    with style():
        picture = _Picture(landscape, steps, path, ground or ground_of(landscape, path))
        return picture.frames(frame_rows(steps, frames).tolist())


def trajectory_png(landscape: Landscape, steps: np.ndarray, path: np.ndarray) -> bytes:
    """The last frame of `trajectory_frames`: the whole run, as a PNG."""
    return trajectory_frames(landscape, steps, path, frames=1)[-1][1]


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
    """A path on its ground."""

    def __init__(
        self, landscape: Landscape, steps: np.ndarray, path: np.ndarray, ground: Background
    ) -> None:
        self.landscape, self.steps, self.path, self.ground = landscape, steps, path, ground
        ground.entitle(landscape.title)
        self.points, self.outside = on_paper(ground.placed(path), ground.view)
        self.marked, crowded = self._marked()
        self.tangent = ground.line(**TANGENT) if path.shape[1] == 1 else None
        self.halo = None if crowded else ground.line(**_HALO)
        self.line = ground.line(**(_THREAD if crowded else LINE))
        self.marks = ground.line(**(_DUST if crowded else MARKS))
        self.stars, self.start = ground.line(**MINIMIZER), ground.line(**START)
        self.stars.set_data(*ground.stars.T)
        self.start.set_data(*self.points[:1].T)
        self.current = ground.line(**CURRENT)

    def _marked(self) -> tuple[np.ndarray, bool]:
        """Which points (n,) get a marker, and whether the line alone would fill the panel."""
        pixels = self.ground.axes.transData.transform(self.points)
        lengths = np.nan_to_num(np.hypot(*np.diff(pixels, axis=0).T))
        lengths = np.minimum(lengths, WIDTH)  # what leaves the panel covers none of it
        stretches = np.floor(np.cumsum(lengths) / _MARK_SPACING)
        marked = np.concatenate([[True], np.diff(stretches, prepend=0.0) > 0])
        return marked, bool(lengths.sum() > _CROWDED)

    def frames(self, rows: list[int]) -> list[tuple[int, bytes]]:
        """The steps of some rows, each with the PNG of the path up to there."""
        from PIL.Image import Dither, Quantize

        # 256 colors take a third of the bytes and of the time, within 15 of 255 of the full ones.
        # One palette for all frames, or fills would flicker; the last frame has every color.
        last = self._drawn(rows[-1]).quantize(256, Quantize.FASTOCTREE)
        before = [self._drawn(row).quantize(palette=last, dither=Dither.NONE) for row in rows[:-1]]
        pictures = [*before, last]
        steps = self.steps[rows].tolist()
        return [(step, encoded(one)) for step, one in zip(steps, pictures, strict=True)]

    def _drawn(self, row: int) -> Image:
        past = self.points[: row + 1]
        if self.tangent is not None:
            self.tangent.set_data(*self._tangent(row).T)
        if self.halo is not None:
            self.halo.set_data(*past.T)
        self.line.set_data(*past.T)
        self.marks.set_data(*past[self.marked[: row + 1]].T)
        self.current.set_data(*past[-1:].T)
        path = [self.tangent, self.halo, self.line, self.marks]
        marks = [self.stars, self.start, self.current]
        artists = [artist for artist in (*path, *marks) if artist is not None]
        return self.ground.with_artists([*artists, *self._words(row)])

    def _words(self, row: int) -> list[Artist]:
        """Where the run is, and what the picture does not show."""
        with np.errstate(all="ignore"):
            loss = float(np.asarray(self.landscape.value(self.path[row : row + 1]))[0])
        where = f"step {int(self.steps[row]):,}   loss {loss:.6g}"
        words: list[Artist] = [self.ground.text(SUBTITLE_HEIGHT, where, **SUBTITLE)]
        notes = []
        if 2 < self.path.shape[1] <= MAX_SLICED:
            notes.append("levels: the slice of the loss through the last point shown")
        if gone := int(self.outside[: row + 1].sum()):
            notes.append(f"{gone:,} of {row + 1:,} recorded steps outside the view")
        if notes:
            words.append(self.ground.text(NOTE_HEIGHT, "   ·   ".join(notes), **NOTE))
        return words

    def _tangent(self, row: int) -> np.ndarray:
        """The ends (2, 2) of the tangent at a row, equally long on the page at any slope."""
        low, high = self.ground.view.T
        with np.errstate(all="ignore"):
            slope = float(np.asarray(self.landscape.gradient(self.path[row : row + 1]))[0, 0])
            along = np.array([1.0, slope * (high - low)[0] / (high - low)[1]])
            along /= np.abs(along).max()
            along *= _TANGENT_LENGTH / np.linalg.norm(along) * (high - low)
        return np.stack([self.points[row] - along, self.points[row] + along])
