"""The plane in which a run is drawn, and the part of the plane that a picture shows.

Shapes: n recorded points of the path, D dimensions, K = min(D, 2) coordinates on the paper,
m points of the paper, M minimizers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

FAR = 1e100  # beyond it squares overflow, and no picture could tell the difference
_BLOCK_BYTES = 32 * 2**20
_GRAM_SIDE = 400  # eigenvectors of 400 x 400 take 14 ms, of 1,000 x 1,000 220 ms
_RANK_ONE = 1e-12  # of the variance: below, a second direction is rounding noise
_WIDEN = 3.0  # points outside this multiple of the window are not shown
_DIVERGES = 10.0  # last step over median step: converged runs are far below 1
_EARLY = 8  # steps, in which a diverging run can grow tenfold
_MINIMIZER_REACH = 10.0  # in path extents: beyond, the path would be a dot
_STILL = 1e-9  # path extent over coordinates: below, there is no path to zoom in on
_LOST = 1e-12  # of the window: smaller views have no edges that are multiples of a part of it
_MARGIN = 0.12
_SLIM = 0.6  # smallest ratio of the sides of a view of a 2-D loss, for an equal aspect
_BENT = 0.15  # distance from the line from start to end, as a part of the view: closer is straight
_EXTREME = 10.0  # ratio of the extents of a path: from here on each axis has a scale of its own
_FLAT = 1e-3  # smallest ratio of the extents of two principal components to be stretched
_ROUND = 4  # edges of a view are multiples of a power of two of the window over this
_FARTHEST = 1000.0  # views: Agg clips inexactly beyond, and the direction hardly changes


@dataclass(frozen=True)
class Landscape:
    """What the pictures need to know of a loss with D dimensions.

    Attributes:
        value: The loss, (..., D) → (...).
        gradient: Its gradient, (..., D) → (..., D).
        names: The D coordinate names; read only where D ≤ 2.
        title: The first line of every picture.
        window: (D, 2) the lower and upper limits of the loss's plotting window.
        minimizers: (M, D) known minimizers.
        minimum: The known minimum.
    """

    value: Callable[[np.ndarray], np.ndarray]
    gradient: Callable[[np.ndarray], np.ndarray]
    names: tuple[str, ...]
    title: str
    window: np.ndarray | None = None
    minimizers: np.ndarray | None = None
    minimum: float | None = None


@dataclass(frozen=True)
class Plane:
    """The plane of the paper: K orthonormal directions in D dimensions, through one point.

    Attributes:
        origin: (D,) the point whose coordinates are zero.
        axes: (K, D) orthonormal directions.
        variance: (K,) the share of the path's variance along each; None for the loss's own axes.
    """

    origin: np.ndarray
    axes: np.ndarray
    variance: np.ndarray | None = None

    @property
    def is_whole_space(self) -> bool:
        """Whether the plane is the loss's whole space, so that nothing is projected."""
        return self.variance is None

    def coordinates(self, points: np.ndarray) -> np.ndarray:
        """Project points (..., D) onto the plane: (..., K)."""
        return points if self.is_whole_space else (points - self.origin) @ self.axes.T

    def points(self, coordinates: np.ndarray) -> np.ndarray:
        """Return the points (..., D) of the plane at coordinates (..., K)."""
        return coordinates if self.is_whole_space else self.origin + coordinates @ self.axes

    def evaluate(
        self, function: Callable[[np.ndarray], np.ndarray], coordinates: np.ndarray
    ) -> np.ndarray:
        """Evaluate a loss or gradient at (m, K) coordinates, in blocks of at most 32 MB.

        Gradients are returned in the coordinates of the plane, (m, K): the gradient of the loss
        restricted to the plane, which is perpendicular to its level curves.
        """
        rows = max(1, _BLOCK_BYTES // (8 * len(self.origin)))
        blocks = []
        with np.errstate(all="ignore"):
            for first in range(0, len(coordinates), rows):
                block = np.asarray(function(self.points(coordinates[first : first + rows])))
                project = block.ndim == 2 and not self.is_whole_space
                blocks.append(block @ self.axes.T if project else block)
        return np.concatenate(blocks).astype(float, copy=False)


def principal_plane(path: np.ndarray) -> Plane:
    """Return the plane of a path's (n, D) first two principal components through its last point.

    The eigenvectors come from the smaller of the two Gram matrices, so that no D × D matrix is
    formed for large D; if both sides exceed 400, from 400 evenly spaced points of the path.
    The largest component of each direction is positive. A path along a line gets a fixed
    orthogonal direction with 0 % of the variance, a single point the first two axes.
    """
    n, dim = path.shape
    count = min(n, _GRAM_SIDE) if dim > _GRAM_SIDE else n
    rows = np.linspace(0, n - 1, count).round().astype(int)
    centered = np.clip(path[rows], -FAR, FAR)
    centered = centered - centered.mean(axis=0)
    largest = float(np.abs(centered).max())
    if largest == 0.0:
        return Plane(path[-1], np.eye(2, dim), np.zeros(2))
    centered /= largest  # tiny paths would underflow when squared, huge ones overflow
    is_tall = len(centered) > dim
    gram = centered.T @ centered if is_tall else centered @ centered.T
    powers, vectors = np.linalg.eigh(gram)
    powers, vectors = np.maximum(powers[::-1][:2], 0.0), vectors[:, ::-1][:, :2]
    axes = vectors.T if is_tall else vectors.T @ centered
    if len(powers) < 2 or powers[1] <= _RANK_ONE * powers[0]:
        powers, axes = np.array([powers[0], 0.0]), np.stack([axes[0], _least_aligned(axes[0])])
    first = axes[0] / np.linalg.norm(axes[0])
    second = axes[1] - (axes[1] @ first) * first
    axes = np.stack([first, second / np.linalg.norm(second)])
    signs = np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])
    return Plane(path[-1], axes * signs[:, None], powers / np.trace(gram))


def _least_aligned(direction: np.ndarray) -> np.ndarray:
    """Return the coordinate axis least aligned with a direction (D,)."""
    axis = np.zeros_like(direction)
    axis[np.abs(direction).argmin()] = 1.0
    return axis


def drawing_plane(landscape: Landscape, path: np.ndarray) -> Plane:
    """Return the plane in which to draw a path (n, D): the loss's own for D ≤ 2, else principal.

    The principal plane is that of the nearby points, through the last of them.
    """
    dim = path.shape[1]
    if dim <= 2:
        return Plane(np.zeros(dim), np.eye(dim))
    return principal_plane(path[nearby(landscape, path)])


def nearby(landscape: Landscape, path: np.ndarray) -> np.ndarray:
    """Return which points (n,) of a path (n, D) are near enough to show, always the first.

    With a window: those inside three times the window, first widened to contain the start. Without:
    all, unless the last step is over ten times the median step; such a run is diverging, and is
    shown out to three times the distance of its first steps or of the nearest minimizer.
    """
    path = np.clip(path, -FAR, FAR)
    start = path[0]
    if landscape.window is not None:
        low = np.minimum(landscape.window[:, 0], start)
        high = np.maximum(landscape.window[:, 1], start)
        return np.all(np.abs(path - (low + high) / 2) <= _WIDEN * (high - low) / 2, axis=1)
    lengths = np.abs(np.diff(path, axis=0)).max(axis=1)
    if len(lengths) < 2 or lengths[-1] <= _DIVERGES * np.median(lengths):
        return np.ones(len(path), dtype=bool)
    reach = np.abs(path - start).max(axis=1)
    limit = reach[: 1 + min(_EARLY, len(path) // 4)].max()
    if landscape.minimizers is not None:
        limit = max(limit, np.abs(landscape.minimizers - start).max(axis=1).min())
    return reach <= _WIDEN * limit


def view(landscape: Landscape, path: np.ndarray, plane: Plane) -> np.ndarray:
    """Choose the part of the plane to show, (K, 2) lower and upper limits.

    It contains the nearby points of the path, and the minimizer nearest to the last of them unless
    that is over ten path extents away. If these span at least a quarter of the loss's window along
    some axis, or if the path does not move, the whole window is shown; otherwise the view zooms in
    on them. Its edges are rounded outward, so that similar runs share a view. A bent path over
    ten times as long as wide fills the view in both directions.
    """
    points = np.clip(plane.coordinates(path[nearby(landscape, path)]), -FAR, FAR)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    is_still = extent <= _STILL * np.abs(points).max()
    if landscape.minimizers is not None:
        minimizers = plane.coordinates(landscape.minimizers)
        distances = np.abs(minimizers - points[-1]).max(axis=1)
        if is_still or distances.min() <= _MINIMIZER_REACH * extent:
            nearest = minimizers[distances.argmin()]
            low, high = np.minimum(low, nearest), np.maximum(high, nearest)
    margin = _MARGIN * (high - low)
    unit = np.ones(len(low))
    window = landscape.window if plane.is_whole_space else None
    if window is not None:
        unit = window[:, 1] - window[:, 0]
    if plane.is_whole_space and not is_still and _is_extreme(points, unit):
        return np.stack([low - margin, high + margin], axis=1)
    if window is not None:
        margin = _MARGIN * ((high - low) / unit).max() * unit
        if is_still or ((high - low) / unit).max() >= 0.25:
            low, high = (
                np.minimum(low - margin, window[:, 0]),
                np.maximum(high + margin, window[:, 1]),
            )
            margin = 0.0
    box = _widen(low - margin, high + margin, unit, plane)
    origin = np.zeros(len(low)) if window is None else window[:, 0]
    return _round_outward(box, origin, unit) if plane.is_whole_space else box


def _is_extreme(points: np.ndarray, unit: np.ndarray) -> bool:
    """Whether a path (n, K) that bends would look straight if both axes had the same scale."""
    extents = np.ptp(points, axis=0)
    if len(unit) == 1 or not _FLAT < (extents / unit).min() / (extents / unit).max() < 1 / _EXTREME:
        return False
    from_start = (points - points[0]) / extents
    chord = from_start[-1]
    aside = np.abs(from_start @ np.array([-chord[1], chord[0]]))
    return bool(aside.max() > _BENT * max(float(chord @ chord), _BENT) ** 0.5)


def _widen(low: np.ndarray, high: np.ndarray, unit: np.ndarray, plane: Plane) -> np.ndarray:
    """Widen a view (K, 2) that is a point or too narrow."""
    center, half = (low + high) / 2, (high - low) / 2 / unit
    floor = _STILL * np.abs(center).max()
    if half.max() <= floor:
        half = np.full_like(half, max(1.0, 0.5 * float(np.abs(center).max())))
    elif plane.is_whole_space:
        half = np.maximum(half, _SLIM * half.max())
    else:
        half = np.where(half < _FLAT * half.max(), half.max(), half)
        is_equal = half.min() >= half.max() / 3  # both axes have the same scale: no flat panels
        half = np.maximum(half, _SLIM * half.max()) if is_equal else half
    return np.stack([center - half * unit, center + half * unit], axis=1)


def _round_outward(box: np.ndarray, origin: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Move the edges of a view (K, 2) outward to multiples of a step; it at most doubles.

    A view that is lost in the rounding of the window remains as it is.
    """
    low, high = ((box - origin[:, None]) / unit[:, None]).T
    extent = (high - low).max()
    if extent <= _LOST:
        return box
    step = 2.0 ** np.ceil(np.log2(extent)) / _ROUND
    # An edge that only rounding moved off a multiple, as of the window itself, stays.
    low, high = np.floor(low / step + _STILL) * step, np.ceil(high / step - _STILL) * step
    return origin[:, None] + unit[:, None] * np.stack([low, high], axis=1)


def on_paper(points: np.ndarray, view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points (n, 2) that Agg can draw, and which (n,) lie outside the view (2, 2).

    Far points are pulled in along the ray from the center. Points outside whose neighbors on the
    path are outside too become NaN, since the lines between them would only hatch the view.
    """
    center, half = view.mean(axis=1), np.diff(view, axis=1)[:, 0] / 2
    with np.errstate(all="ignore"):
        offsets = (points - center) / half
        distances = np.abs(offsets).max(axis=1)
        offsets *= np.minimum(1.0, _FARTHEST / distances)[:, None]
    outside = ~(distances <= 1.0)
    framed = np.pad(outside, 1, constant_values=True)
    offsets[outside & framed[:-2] & framed[2:]] = np.nan
    return center + half * offsets, outside
