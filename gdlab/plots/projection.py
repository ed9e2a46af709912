"""What part of a run's space a picture shows: the plane it is drawn in, and the view of it.

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
_RANK_ONE = 1e-12  # of the variance: below it a second direction is rounding noise
_WIDEN = 3.0  # a path counts as gone when it leaves this multiple of the window
_EXPLODES = 10.0  # last step over median step: settled runs are far below 1
_EARLY = 8  # steps: a diverging run can grow tenfold in as many
_MINIMIZER_REACH = 10.0  # in path extents: any farther, and the path would be a dot
_STILL = 1e-9  # path extent over coordinates: below it there is no path to zoom in on
_MARGIN = 0.12
_SLIM = 0.6  # narrowest view of a two-dimensional loss, so that equal aspect leaves room
_FLAT = 1e-3  # principal components that differ more than this are not stretched to fit
_ROUND = 4  # edges of a view lie on so many parts of a power of two of the window
_FARTHEST = 1000.0  # views: Agg clips inexactly beyond, and the direction is right by then


@dataclass(frozen=True)
class Landscape:
    """What the pictures need to know of a loss with D dimensions.

    Attributes:
        value: The loss, (..., D) → (...).
        gradient: Its gradient, (..., D) → (..., D).
        names: The D coordinate names; read only where D ≤ 2.
        title: First line of every picture.
        window: (D, 2) low and high, the loss's own plotting window.
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
    """The sheet of paper: K orthonormal directions in D dimensions, through one point.

    Attributes:
        origin: (D,) the point with coordinates zero.
        axes: (K, D) orthonormal directions.
        variance: (K,) the share of the path's variance along each; None for a loss's own axes.
    """

    origin: np.ndarray
    axes: np.ndarray
    variance: np.ndarray | None = None

    @property
    def whole(self) -> bool:
        """Whether the plane is the loss's whole space, so that nothing is projected."""
        return self.variance is None

    def coordinates(self, points: np.ndarray) -> np.ndarray:
        """Projects points (..., D) onto the plane: (..., K)."""
        return points if self.whole else (points - self.origin) @ self.axes.T

    def points(self, coordinates: np.ndarray) -> np.ndarray:
        """The points (..., D) of the plane at coordinates (..., K)."""
        return coordinates if self.whole else self.origin + coordinates @ self.axes

    def evaluate(
        self, function: Callable[[np.ndarray], np.ndarray], coordinates: np.ndarray
    ) -> np.ndarray:
        """Evaluates a loss or gradient at (m, K) coordinates, in blocks of at most 32 MB.

        Gradients come back in the coordinates of the plane, (m, K): the gradient of the loss
        restricted to the plane, which is what stands perpendicular to its level curves.
        """
        rows = max(1, _BLOCK_BYTES // (8 * len(self.origin)))
        blocks = []
        with np.errstate(all="ignore"):
            for first in range(0, len(coordinates), rows):
                block = np.asarray(function(self.points(coordinates[first : first + rows])))
                project = block.ndim == 2 and not self.whole
                blocks.append(block @ self.axes.T if project else block)
        return np.concatenate(blocks).astype(float, copy=False)


def principal_plane(path: np.ndarray) -> Plane:
    """The plane of the first two principal components of a path (n, D), through its last point.

    The eigenvectors come from the smaller of the two Gram matrices, so that nothing of D × D is
    formed for large D; where both sides pass 400, from 400 evenly spaced points of the path.
    Signs are fixed by making the largest component of each direction positive. A path along a line
    gets a fixed orthogonal direction with 0 % of the variance, a single point the first two axes.
    """
    n, dim = path.shape
    few = min(n, _GRAM_SIDE) if dim > _GRAM_SIDE else n
    rows = np.linspace(0, n - 1, few).round().astype(int)
    centerd = np.clip(path[rows], -FAR, FAR)
    centerd = centerd - centerd.mean(axis=0)
    largest = float(np.abs(centerd).max())
    if largest == 0.0:
        return Plane(path[-1], np.eye(2, dim), np.zeros(2))
    centerd /= largest  # tiny paths would underflow when squared, huge ones overflow
    tall = len(centerd) > dim
    gram = centerd.T @ centerd if tall else centerd @ centerd.T
    powers, vectors = np.linalg.eigh(gram)
    powers, vectors = np.maximum(powers[::-1][:2], 0.0), vectors[:, ::-1][:, :2]
    axes = vectors.T if tall else vectors.T @ centerd
    if len(powers) < 2 or powers[1] <= _RANK_ONE * powers[0]:
        powers, axes = np.array([powers[0], 0.0]), np.stack([axes[0], _least_aligned(axes[0])])
    first = axes[0] / np.linalg.norm(axes[0])
    second = axes[1] - (axes[1] @ first) * first
    axes = np.stack([first, second / np.linalg.norm(second)])
    signs = np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])
    return Plane(path[-1], axes * signs[:, None], powers / np.trace(gram))


def _least_aligned(direction: np.ndarray) -> np.ndarray:
    """The coordinate axis that a direction (D,) has least of."""
    axis = np.zeros_like(direction)
    axis[np.abs(direction).argmin()] = 1.0
    return axis


def drawing_plane(landscape: Landscape, path: np.ndarray) -> Plane:
    """The plane a path (n, D) is drawn in: its own for D ≤ 2, else the principal one.

    The principal plane is that of the points before the run diverged, through the last of them.
    """
    dim = path.shape[1]
    if dim <= 2:
        return Plane(np.zeros(dim), np.eye(dim))
    return principal_plane(path[nearby(landscape, path)])


def nearby(landscape: Landscape, path: np.ndarray) -> np.ndarray:
    """Which points (n,) of a path (n, D) lie near enough to be shown; the first always does.

    With a window: those inside three times the window, itself widened to hold the start. Without:
    all, unless the last step is over ten times the median one; such a run is diverging, and
    is shown out to three times the distance of its first steps or of the nearest minimizer.
    """
    path = np.clip(path, -FAR, FAR)
    start = path[0]
    if landscape.window is not None:
        low = np.minimum(landscape.window[:, 0], start)
        high = np.maximum(landscape.window[:, 1], start)
        return np.all(np.abs(path - (low + high) / 2) <= _WIDEN * (high - low) / 2, axis=1)
    lengths = np.abs(np.diff(path, axis=0)).max(axis=1)
    if len(lengths) < 2 or lengths[-1] <= _EXPLODES * np.median(lengths):
        return np.ones(len(path), dtype=bool)
    reach = np.abs(path - start).max(axis=1)
    limit = reach[: 1 + min(_EARLY, len(path) // 4)].max()
    if landscape.minimizers is not None:
        limit = max(limit, np.abs(landscape.minimizers - start).max(axis=1).min())
    return reach <= _WIDEN * limit


def view(landscape: Landscape, path: np.ndarray, plane: Plane) -> np.ndarray:
    """The part of the plane to show, (K, 2) low and high.

    It holds the nearby points of the path, and the minimizer nearest to the last of them unless
    that is over ten path extents away. The loss's window is shown whole where these fill at
    least a quarter of it along some axis, or where the path does not move; otherwise the view zooms
    in on them. Its edges are rounded outwards, so that runs which differ little share a view.
    """
    points = np.clip(plane.coordinates(path[nearby(landscape, path)]), -FAR, FAR)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    still = extent <= _STILL * np.abs(points).max()
    if landscape.minimizers is not None:
        minimizers = plane.coordinates(landscape.minimizers)
        distances = np.abs(minimizers - points[-1]).max(axis=1)
        if still or distances.min() <= _MINIMIZER_REACH * extent:
            nearest = minimizers[distances.argmin()]
            low, high = np.minimum(low, nearest), np.maximum(high, nearest)
    margin = _MARGIN * (high - low)
    unit = np.ones(len(low))
    window = landscape.window if plane.whole else None
    if window is not None:
        unit = window[:, 1] - window[:, 0]
        margin = _MARGIN * ((high - low) / unit).max() * unit
        if still or ((high - low) / unit).max() >= 0.25:
            low, high = (
                np.minimum(low - margin, window[:, 0]),
                np.maximum(high + margin, window[:, 1]),
            )
            margin = 0.0
    box = _filled(low - margin, high + margin, unit, plane)
    origin = np.zeros(len(low)) if window is None else window[:, 0]
    return _rounded(box, origin, unit) if plane.whole else box


def _filled(low: np.ndarray, high: np.ndarray, unit: np.ndarray, plane: Plane) -> np.ndarray:
    """Widens a view that is a point, or too narrow for its picture; (K, 2)."""
    center, half = (low + high) / 2, (high - low) / 2 / unit
    floor = _STILL * np.abs(center).max()
    if half.max() <= floor:
        half = np.full_like(half, max(1.0, 0.5 * float(np.abs(center).max())))
    elif plane.whole:
        half = np.maximum(half, _SLIM * half.max())
    else:
        half = np.where(half < _FLAT * half.max(), half.max(), half)
    return np.stack([center - half * unit, center + half * unit], axis=1)


def _rounded(box: np.ndarray, origin: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """A view (K, 2), its edges moved outwards to steps from an origin; it doubles at most."""
    low, high = ((box - origin[:, None]) / unit[:, None]).T
    step = 2.0 ** np.ceil(np.log2((high - low).max())) / _ROUND
    # What rounding alone moved off a step, as in the window's own edges, is on it.
    low, high = np.floor(low / step + _STILL) * step, np.ceil(high / step - _STILL) * step
    return origin[:, None] + unit[:, None] * np.stack([low, high], axis=1)


def on_paper(points: np.ndarray, view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 2) fit for Agg, and which (n,) lie outside the view (2, 2).

    Far points are pulled in along the ray from the center; those without a neighbor in the
    view become NaN, since the lines between them would only hatch it.
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
