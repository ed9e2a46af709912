"""The level curves of a loss over a view, the colors between them, and their key.

Shapes: m points of the paper, (m, 2); D dimensions; a view is (2, 2), lower and upper limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.plots.projection import Landscape, Plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOWEST, _HIGHEST = "#6f9bc3", "#f5f8fb"  # pale, so that the path stands out on both
_LEVELS = 12
_LOG_SPAN = 1.5  # decades; levels that span more are logarithmic
_DECADES = (0.25, 1 / 3, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0)
_CROSSED = 4  # levels that a path is to cross, so that it does not lie in one color
_KEY_GAP, _KEY_WIDTH = 0.018, 0.016  # as fractions of the figure
_FINEST = 1e-3  # of all levels: a path through fewer is flat
_SAMPLES = 64  # points along a path
_NOISE = 1e-13  # relative: smaller differences are rounding errors
HUGE = 1e300  # arithmetic of levels and ticks overflows near the largest float


def spaced_levels(
    values: np.ndarray, minimum: float | None
) -> tuple[np.ndarray, np.ndarray, bool] | None:
    """Choose the level curves to draw.

    Args:
        values: Losses of any shape; those past 1e300 and non-finite ones stay blank.
        minimum: The known minimum; if None, or above a value, the lowest value is used.

    Returns:
        Heights above the minimum with the shape of values (NaN where blank), the levels, and
        whether both are logarithms to base 10; None if all values are equal up to rounding.
    """
    drawable = np.abs(values) < HUGE
    finite = values[drawable]
    if not finite.size:
        return None
    low = float(finite.min())
    base = minimum if minimum is not None and minimum <= low else low
    heights = np.full(values.shape, np.nan)
    heights[drawable] = finite - base
    span = np.nanmax(heights) - np.nanmin(heights)
    if not span > _NOISE * np.abs(finite).max():
        return None
    positive = heights[heights > 0]
    bottom, top = np.log10(np.percentile(positive, [2.0, 99.0]))
    if is_log := bool(top - bottom >= _LOG_SPAN):
        step = next((s for s in _DECADES if (top - bottom) / s <= _LEVELS), _DECADES[-1])
        with np.errstate(divide="ignore"):
            heights = np.log10(heights)
    else:
        bottom, top = np.nanmin(heights), np.nanmax(heights)
        step = _round_up((top - bottom) / _LEVELS)
    levels = step * np.arange(np.floor(bottom / step), np.ceil(top / step) + 1)
    return heights, levels, is_log


def _round_up(step: float) -> float:
    """Round up to 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(step))
    return power * next((m for m in (1.0, 2.0, 2.5, 5.0) if m * power >= step), 10.0)


def refined(levels: np.ndarray, visited: np.ndarray) -> np.ndarray:
    """Return levels with more of them between the heights that a path visits.

    Args:
        levels: The increasing levels of a picture.
        visited: Heights (m,) at evenly spaced places of a path, not clipped to the levels.

    Returns:
        The levels, unless fewer than four lie between the middle nine tenths of the heights:
        then finer ones there, at round numbers, and the old ones elsewhere.
    """
    visited = visited[np.isfinite(visited)]
    if not visited.size:
        return levels
    low, high = np.clip(np.percentile(visited, [5.0, 95.0]), levels[0] - 3, levels[-1])
    crossed = ((levels > low) & (levels < high)).sum()
    if crossed >= _CROSSED or not high - low > _FINEST * (levels[-1] - levels[0]):
        return levels
    step = _round_up((high - low) / _CROSSED)
    fine = step * np.arange(np.floor(low / step), np.ceil(high / step) + 1)
    coarse = levels[(levels < fine[0] - step / 2) | (levels > fine[-1] + step / 2)]
    return np.sort(np.concatenate([coarse, fine]))


@dataclass(frozen=True)
class Relief:
    """The heights of a loss over a view, and its level curves.

    Attributes:
        x: The coordinates of the columns.
        y: The coordinates of the rows.
        heights: The heights above the base at (rows, columns), masked where unknown.
        levels: The increasing levels, at least two.
        is_log: Whether heights and levels are logarithms to base 10.
        base: What the heights are above.
    """

    x: np.ndarray
    y: np.ndarray
    heights: np.ma.MaskedArray
    levels: np.ndarray
    is_log: bool
    base: str

    @property
    def fills(self) -> np.ndarray:
        """The colors (m - 1, 4) between m levels, by rank: neighbors differ however close."""
        from matplotlib.colors import LinearSegmentedColormap

        colors = LinearSegmentedColormap.from_list("landscape", [_LOWEST, _HIGHEST])
        return colors(np.linspace(0, 1, max(2, len(self.levels) - 1))[: len(self.levels) - 1])

    def names(self) -> tuple[np.ndarray, list[str]]:
        """Return the numbers of at most 9 levels for a key, and their values as texts."""
        round_ones = np.isclose(self.levels, np.round(self.levels))
        is_named = (
            round_ones if self.is_log and round_ones.sum() > 1 else self.levels == self.levels
        )
        ranks = np.flatnonzero(is_named)
        ranks = ranks[:: -(-len(ranks) // 8)]
        values = 10.0 ** self.levels[ranks] if self.is_log else self.levels[ranks]
        return ranks, [f"{value:.6g}" for value in values]


def relief(
    landscape: Landscape, plane: Plane, view: np.ndarray, path: np.ndarray | None = None
) -> Relief | None:
    """Return the heights of the loss over a view; None where it has no levels.

    Args:
        landscape: The loss.
        plane: The plane of the paper.
        view: (2, 2) the part of it that is shown.
        path: (n, 2) a path on the paper, through whose heights there are to be enough levels.
    """
    dim = len(plane.origin)
    side = 121 if dim <= 20 else 61 if dim <= 1000 else 25
    x, y = (np.linspace(low, high, side) for low, high in view)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    values = plane.evaluate(landscape.value, grid).reshape(side, side)
    along = np.empty(0)
    if path is not None:
        along = plane.evaluate(landscape.value, evenly_along(path, view))
    spaced = spaced_levels(values, landscape.minimum)
    if spaced is None:
        return None
    heights, levels, is_log = spaced
    finite = np.abs(values) < HUGE
    low = float(values[finite].min())
    minimum = landscape.minimum
    is_known = minimum is not None and minimum <= low
    with np.errstate(all="ignore"):
        visited = along - (low if minimum is None or minimum > low else minimum)
        visited = np.log10(visited) if is_log else visited
    levels = refined(levels, visited)
    heights = np.ma.masked_invalid(np.clip(heights, levels[0], levels[-1]))
    return Relief(x, y, heights, levels, is_log, "minimum" if is_known else "lowest shown")


def evenly_along(path: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Return 64 points at equal distances along a path (n, 2), as it looks in the view."""
    inside = path[((path >= view[:, 0]) & (path <= view[:, 1])).all(axis=1)]
    if len(inside) < 2:
        return inside
    unit = view[:, 1] - view[:, 0]
    far = np.concatenate([[0.0], np.cumsum(np.hypot(*(np.diff(inside, axis=0) / unit).T))])
    at = np.linspace(0, far[-1], _SAMPLES)
    return np.stack([np.interp(at, far, column) for column in inside.T], axis=1)


def draw_relief(axes: Axes, relief: Relief) -> None:
    """Draw the level curves and the colors between them."""
    x, y, heights, levels = relief.x, relief.y, relief.heights, relief.levels
    axes.contourf(x, y, heights, levels, colors=[tuple(fill) for fill in relief.fills])
    # At the outermost levels heights were clipped: they follow the grid's cells, not the loss.
    between = levels[(levels > heights.min()) & (levels < heights.max())]
    if between.size:
        axes.contour(x, y, heights, between, colors="white", linewidths=0.6, linestyles="solid")


def draw_relief_bar(figure: Figure, axes: Sequence[Axes], relief: Relief) -> None:
    """Draw the key of level curves that several panels of a constrained figure share."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    ranks, names = relief.names()
    bounds, fills = np.arange(len(relief.levels)), ListedColormap(relief.fills)
    norm = BoundaryNorm(bounds, len(relief.fills))
    look: Any = {"location": "right", "aspect": 28, "pad": 0.02, "spacing": "uniform"}
    bar = figure.colorbar(ScalarMappable(norm, fills), ax=list(axes), **look)
    bar.set_ticks(ranks.tolist(), labels=names)
    bar.minorticks_off()
    bar.ax.tick_params(labelsize=7, length=3)
    bar.ax.set_ylabel(f"loss above the {relief.base}", size=8)


def draw_key(axes: Axes, relief: Relief) -> None:
    """Draw a bar beside the panel: how far above the minimum each color is.

    By hand, because the axes of a colorbar would take as long as the rest of the picture.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    figure, box = axes.get_figure(root=True), axes.get_position()
    assert figure is not None
    left, right = box.x1 + _KEY_GAP, box.x1 + _KEY_GAP + _KEY_WIDTH
    heights = np.linspace(box.y0, box.y1, len(relief.levels))
    page: dict[str, Any] = {"transform": figure.transFigure, "linewidth": 0.8}
    for fill, low, high in zip(relief.fills, heights[:-1], heights[1:], strict=True):
        block = (left, low), _KEY_WIDTH, high - low
        figure.add_artist(
            Rectangle(*block, color=fill, antialiased=False, **{**page, "linewidth": 0})
        )
    outline = (left, box.y0), _KEY_WIDTH, box.height
    figure.add_artist(Rectangle(*outline, facecolor="none", edgecolor="black", **page))
    label_end = left
    for rank, name in zip(*relief.names(), strict=True):
        height = float(heights[rank])
        figure.add_artist(Line2D([right, right + 0.004], [height, height], color="black", **page))
        text = figure.text(right + 0.009, height, name, size=7, va="center_baseline")
        label_end = max(label_end, text.get_window_extent().x1 / figure.bbox.width)
    look = {"size": 8, "rotation": 90, "va": "center"}
    figure.text(label_end + 0.008, (box.y0 + box.y1) / 2, f"loss above the {relief.base}", **look)
