"""Pictures of one run: its path over the loss, as PNG frames or as a figure.

A loss of one variable is drawn as its curve with the tangent at the current point, of two as level
curves with descent directions, of more in the plane of the path's first two principal components.

Shapes: n recorded points of the path, D dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gdlab.plots.background import (
    CURRENT,
    LINE,
    MARKS,
    RED,
    START,
    TANGENT,
    WIDTH,
    Background,
    view_of,
)
from gdlab.plots.landscape import MAX_SLICED
from gdlab.plots.projection import Landscape, on_paper
from gdlab.plots.style import (
    MINIMIZER,
    SUBTITLE,
    SUBTITLE_INCHES,
    Size,
    encode,
    join_notes,
    note_outside,
    style,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from PIL.Image import Image

__all__ = [
    "Landscape",
    "draw_trajectory",
    "frame_rows",
    "trajectory_frames",
    "trajectory_png",
]

_HALO = {"color": "white", "linewidth": 2.6, "alpha": 0.7}
_THREAD = {"color": RED, "linewidth": 0.4, "alpha": 0.25}
_DUST = {**MARKS, "markersize": 1.2}
_MARK_SPACING = 7.0  # pixels along the path: closer markers overlap
_CROWDED = 60_000  # pixels of line: more would cover over half of the panel
_TANGENT_LENGTH = 0.16  # to each side, as a fraction of the panel's diagonal


def trajectory_frames(
    landscape: Landscape,
    steps: np.ndarray,
    path: np.ndarray,
    *,
    frames: int = 10,
    background: Background | None = None,
) -> list[tuple[int, bytes]]:
    """Draw a run at geometrically spaced steps, always at its first and last point.

    All frames share one view and one background. The same input gives the same bytes.

    Args:
        landscape: The loss.
        steps: (n,) increasing step numbers.
        path: (n, D) the points at those steps, finite.
        frames: The maximum number of frames; 1 draws only the last.
        background: Of the same loss, shared with other runs; None for one of its own.

    Returns:
        The steps, each with its PNG of 640 x 560 pixels.

    Raises:
        ValueError: The shapes of steps and path do not match, or the path is empty.
    """
    if path.ndim != 2 or len(path) != len(steps) or not path.size:
        raise ValueError(f"path must be (n, D) and steps (n,), got {path.shape}, {steps.shape}")
    path = path.astype(float, copy=False)
    with style():
        background = background or Background(landscape, view_of(landscape, path))
        picture = _Picture(landscape, steps, path, background)
        return picture.frames(frame_rows(steps, frames).tolist())


def trajectory_png(landscape: Landscape, steps: np.ndarray, path: np.ndarray) -> bytes:
    """Draw the whole run as a PNG: the last frame of `trajectory_frames`."""
    return trajectory_frames(landscape, steps, path, frames=1)[-1][1]


def draw_trajectory(
    landscape: Landscape, steps: np.ndarray, path: np.ndarray, *, size: Size | None = None
) -> Figure:
    """Draw the whole run as a figure: what the last frame of `trajectory_frames` shows.

    Args:
        landscape: The loss.
        steps: (n,) increasing step numbers.
        path: (n, D) the points at those steps, finite.
        size: Width and height in inches; by default 6.4 by 5.6.
    """
    path = path.astype(float, copy=False)
    with style():
        background = Background(landscape, view_of(landscape, path), size)
        picture = _Picture(landscape, steps, path, background)
        return background.compose(landscape.title, picture.artists(len(path) - 1))


def frame_rows(steps: np.ndarray, frames: int) -> np.ndarray:
    """Return at most `frames` increasing indices of steps (n,), geometrically spaced.

    Raises:
        ValueError: `frames` is below 1.
    """
    if frames < 1:
        raise ValueError(f"frames must be at least 1, got {frames}")
    last = len(steps) - 1
    if frames == 1 or last < 1:
        return np.array([last])
    if frames > last:
        return np.arange(last + 1)
    elapsed = np.asarray(steps, dtype=float) - float(steps[0])
    # From the end, so that two frames are the first and the last point.
    targets = np.geomspace(elapsed[-1], elapsed[1], frames - 1)
    rows = np.searchsorted((elapsed[1:] + elapsed[:-1]) / 2, targets)
    return np.unique(np.append(rows, 0))


class _Picture:
    """A path on its background."""

    def __init__(
        self, landscape: Landscape, steps: np.ndarray, path: np.ndarray, background: Background
    ) -> None:
        self.landscape, self.steps, self.path = landscape, steps, path
        self.background = background
        background.set_title(landscape.title)
        self.points, self.outside = on_paper(background.project(path), background.view)
        self.has_marker, is_crowded = self._choose_markers()
        self.tangent = background.line(**TANGENT) if path.shape[1] == 1 else None
        self.halo = None if is_crowded else background.line(**_HALO)
        self.line = background.line(**(_THREAD if is_crowded else LINE))
        self.marks = background.line(**(_DUST if is_crowded else MARKS))
        self.stars, self.start = background.line(**MINIMIZER), background.line(**START)
        self.stars.set_data(*background.minimizers.T)
        self.start.set_data(*self.points[:1].T)
        self.current = background.line(**CURRENT)

    def _choose_markers(self) -> tuple[np.ndarray, bool]:
        """Return which points (n,) get a marker, and whether the line would fill the panel."""
        pixels = self.background.axes.transData.transform(self.points)
        lengths = np.nan_to_num(np.hypot(*np.diff(pixels, axis=0).T))
        lengths = np.minimum(lengths, WIDTH)  # the part outside the panel covers nothing
        stretches = np.floor(np.cumsum(lengths) / _MARK_SPACING)
        has_marker = np.concatenate([[True], np.diff(stretches, prepend=0.0) > 0])
        return has_marker, bool(lengths.sum() > _CROWDED)

    def frames(self, rows: list[int]) -> list[tuple[int, bytes]]:
        """Draw the path up to each of some rows: their steps and PNGs."""
        from PIL.Image import Dither, Quantize

        # 256 colors take a third of the bytes and of the time, within 15 of 255 of the full ones.
        # All frames share the palette of the last, which has every color; else fills would flicker.
        last = self._render(rows[-1]).quantize(256, Quantize.FASTOCTREE)
        before = [self._render(row).quantize(palette=last, dither=Dither.NONE) for row in rows[:-1]]
        steps = self.steps[rows].tolist()
        return [(step, encode(image)) for step, image in zip(steps, [*before, last], strict=True)]

    def _render(self, row: int) -> Image:
        return self.background.render(self.artists(row))

    def artists(self, row: int) -> list[Artist]:
        """Return what is drawn on the background at a row, from back to front."""
        past = self.points[: row + 1]
        if self.tangent is not None:
            self.tangent.set_data(*self._tangent_ends(row).T)
        if self.halo is not None:
            self.halo.set_data(*past.T)
        self.line.set_data(*past.T)
        self.marks.set_data(*past[self.has_marker[: row + 1]].T)
        self.current.set_data(*past[-1:].T)
        path = [self.tangent, self.halo, self.line, self.marks]
        marks = [self.stars, self.start, self.current]
        artists = [artist for artist in (*path, *marks) if artist is not None]
        return [*artists, *self._captions(row)]

    def _captions(self, row: int) -> list[Artist]:
        """Return the texts: where the run is, and what the picture does not show."""
        with np.errstate(all="ignore"):
            loss = float(np.asarray(self.landscape.value(self.path[row : row + 1]))[0])
        subtitle = f"step {int(self.steps[row]):,}   loss {loss:.6g}"
        texts: list[Artist] = [self.background.text(SUBTITLE_INCHES, subtitle, **SUBTITLE)]
        is_slice = 2 < self.path.shape[1] <= MAX_SLICED
        note = join_notes(
            self.background.scales,
            "levels: the slice of the loss through the last point shown" if is_slice else "",
            note_outside(int(self.outside[: row + 1].sum()), row + 1),
        )
        if note:
            texts.append(self.background.note(note))
        return texts

    def _tangent_ends(self, row: int) -> np.ndarray:
        """Return the ends (2, 2) of the tangent at a row, of the same length on the page."""
        low, high = self.background.view.T
        with np.errstate(all="ignore"):
            slope = float(np.asarray(self.landscape.gradient(self.path[row : row + 1]))[0, 0])
            along = np.array([1.0, slope * (high - low)[0] / (high - low)[1]])
            along /= np.abs(along).max()
            along *= _TANGENT_LENGTH / np.linalg.norm(along) * (high - low)
        return np.stack([self.points[row] - along, self.points[row] + along])
