"""The data of the pictures: a loss at a point with its derivatives, and slices of it.

Shapes: D dimensions, K = 1 or 2 drawn coordinates, m points, n step sizes, M minimizers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gdlab.plots.projection import Landscape, Plane

_INSIDE = 0.14  # of the view: minimum distance of the point from the frame
_ALIKE = 3.0  # units are drawn equally long up to this ratio of the view's sides
_SCALES = 0.5 ** np.arange(1, 12)  # of the view, tried for the neighborhood
_FALLBACK = 1  # index of the scale if no model fits, as at a kink
_RING = 32  # points on the edge of a neighborhood
_TITLE_COORDINATES, _TITLE_LENGTH = 6, 72  # maximum number in a title, and their characters
_NOISE = 1e-12  # relative: smaller differences are rounding
_FLAT = 1e-5  # relative to the second-order change: a smaller first-order change is invisible


@dataclass(frozen=True)
class Scene:
    """A loss at a point, and its derivatives there.

    Attributes:
        landscape: the loss; its title is the first line of every picture.
        at: (D,) the point.
        value: the loss there.
        gradient: (D,) the gradient.
        hessian: (D, D), or None if it is too large: second-order models are then left out.
        direction: (D,) of a directional derivative, of any nonzero length.
        partials: (D,) where there is no gradient, the slopes along the axes, NaN where these do not
            exist; None for those of the gradient.
        critical: the critical points found (m, D), by kind.
        heading: the first line of every picture; None for the loss and the point.
        size: of every picture, width and height in inches; None for the usual ones.

    Raises:
        ValueError: a shape does not fit.
    """

    landscape: Landscape
    at: np.ndarray
    value: float
    gradient: np.ndarray
    hessian: np.ndarray | None = None
    direction: np.ndarray | None = None
    partials: np.ndarray | None = None
    critical: Mapping[str, np.ndarray] = field(default_factory=dict)
    heading: str | None = None
    size: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        dim = np.shape(self.at)
        given = {
            "gradient": (self.gradient, dim),
            "hessian": (self.hessian, dim * 2),
            "direction": (self.direction, dim),
        }
        wrong = [n for n, (a, shape) in given.items() if a is not None and np.shape(a) != shape]
        if len(dim) != 1 or wrong:
            raise ValueError(
                f"at must have shape (D,), got {dim}; shapes that do not match it: {wrong}"
            )

    @property
    def dim(self) -> int:
        """The number of dimensions D."""
        return len(self.at)

    @property
    def title(self) -> str:
        """The name of the loss and the point, shortened if it has many coordinates."""
        if self.heading is not None:
            return self.heading
        pairs = zip(self.landscape.names, self.at[:_TITLE_COORDINATES], strict=False)
        shown = [f"{name} = {x + 0.0:.6g}" for name, x in pairs]
        while len(shown) > 1 and len(", ".join(shown)) > _TITLE_LENGTH:
            shown.pop()
        more = ", …" if self.dim > len(shown) else ""
        return f"{self.landscape.title} at {', '.join(shown)}{more}"

    @property
    def is_differentiable(self) -> bool:
        """Whether there is a gradient at the point."""
        return bool(np.isfinite(self.gradient).all())

    @property
    def slope(self) -> float | None:
        """The directional derivative along the normalized direction."""
        if self.direction is None:
            return None
        return float(self.gradient @ (self.direction / norm(self.direction)))

    def rank_coordinates(self) -> np.ndarray:
        """Order the coordinates (D,) from the largest partial derivative to the smallest.

        Ties, as at a minimum, are broken by the larger second derivative.
        """
        second = np.zeros(self.dim) if self.hessian is None else np.abs(np.diag(self.hessian))
        return np.lexsort((np.arange(self.dim), -second, -np.abs(self.gradient)))

    def slice_along(self, chosen: Sequence[int]) -> Slice:
        """Restrict the scene to some coordinates, the others fixed at the point."""
        rows = list(chosen)
        rest = np.array(self.at, dtype=float)
        rest[rows] = 0.0  # so that coordinates of the plane are those of the loss
        whole = rows == list(range(self.dim))
        axes = np.zeros((len(rows), self.dim))
        axes[np.arange(len(rows)), rows] = 1.0
        plane = Plane(rest, axes, None if whole else np.zeros(len(rows)))
        gradient = self.partials if len(rows) == 1 and self.partials is not None else self.gradient
        direction = None if self.direction is None else self.direction[rows]
        if direction is not None and not direction.any():
            direction = None
        return Slice(
            landscape=self.landscape,
            plane=plane,
            names=tuple(self.landscape.names[i] for i in rows),
            window=None if self.landscape.window is None else self.landscape.window[rows],
            minimizers=self.landscape.minimizers if whole else None,
            critical=self.critical if whole else {},
            at=np.array(self.at, dtype=float)[rows],
            level=float(self.value),
            gradient=gradient[rows],
            hessian=None if self.hessian is None else self.hessian[np.ix_(rows, rows)],
            direction=direction,
        )

    def map_slice(self) -> Slice:
        """Return the slice that maps show: the whole if D ≤ 2, else the two largest partials."""
        return self.slice_along(sorted(self.rank_coordinates()[:2].tolist()))


@dataclass(frozen=True)
class Slice:
    """A scene restricted to K of its coordinates; attributes as in the scene, restricted to K.

    Attributes:
        plane: the plane or line that the drawn coordinates span.
        level: the loss at the point.
        minimizers: (M, K) the known ones; None if the slice is not the whole scene.
        critical: the critical points found (m, K), by kind; empty likewise.
    """

    landscape: Landscape
    plane: Plane
    names: tuple[str, ...]
    window: np.ndarray | None
    minimizers: np.ndarray | None
    critical: Mapping[str, np.ndarray]
    at: np.ndarray
    level: float
    gradient: np.ndarray
    hessian: np.ndarray | None
    direction: np.ndarray | None

    def values(self, points: np.ndarray) -> np.ndarray:
        """Evaluate the loss (m,) at points (m, K); NaN where it is not finite."""
        values = self.plane.evaluate(self.landscape.value, points)
        return np.where(np.isfinite(values), values, np.nan)

    def tangent(self, points: np.ndarray) -> np.ndarray:
        """Evaluate the tangent f + gᵀd (m,) at points (m, K), d their offset from the point."""
        return self.level + (points - self.at) @ self.gradient

    def taylor(self, points: np.ndarray) -> np.ndarray:
        """Evaluate f + gᵀd + ½ dᵀHd (m,) at points (m, K); only the tangent without a Hessian."""
        d = points - self.at
        bend = 0.0 if self.hessian is None else 0.5 * ((d @ self.hessian) * d).sum(axis=1)
        return self.tangent(points) + bend

    def view(self) -> np.ndarray:
        """Return the window of the loss, else a box around point and nearest minimizer: (K, 2)."""
        if self.window is not None:
            low, high = (
                np.minimum(self.window[:, 0], self.at),
                np.maximum(self.window[:, 1], self.at),
            )
        else:
            half = max(1.0, 0.5 * float(np.abs(self.at).max()))
            if self.minimizers is not None:
                half = max(half, 1.2 * float(np.abs(self.minimizers - self.at).max(axis=1).min()))
            low, high = self.at - half, self.at + half
        margin = _INSIDE * (high - low)
        return np.stack([np.minimum(low, self.at - margin), np.maximum(high, self.at + margin)], 1)

    def equal_lengths(self) -> np.ndarray:
        """Return lengths (K,) to draw equally long: equal unless the view is elongated."""
        half = np.diff(self.view(), axis=1)[:, 0] / 2
        return np.full(len(half), half.max()) if half.max() <= _ALIKE * half.min() else half

    def neighborhood(self, tolerance: float) -> np.ndarray:
        """Return a box (K, 2) around the point in which the second-order model is useful.

        The largest of the halved views on whose edge the error of the model is at most the
        tolerance, relative to the variation of the loss there.
        """
        angles = np.linspace(0.0, 2.0 * np.pi, _RING, endpoint=False)
        ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        if len(self.at) == 1:
            ring = np.linspace(-1.0, 1.0, 8)[:, None]
        unit = self.equal_lengths()
        points = self.at + _SCALES[:, None, None] * ring * unit
        flat = points.reshape(-1, len(unit))
        shape = points.shape[:2]
        with np.errstate(all="ignore"):
            values, model = self.values(flat).reshape(shape), self.taylor(flat).reshape(shape)
            known = np.isfinite(values) & np.isfinite(model)
            filled = np.where(known, values, self.level)
            error = np.where(known, np.abs(values - model), 0.0).max(axis=1)
            spread = filled.max(axis=1) - filled.min(axis=1)
            noise = _NOISE * np.abs(filled).max(axis=1)
            fits = known.any(axis=1) & (error <= tolerance * spread + noise)
        scale = _SCALES[fits.argmax() if fits.any() else _FALLBACK]
        return self.at[:, None] + scale * unit[:, None] * np.array([-1.0, 1.0])

    def is_critical(self, box: np.ndarray) -> bool:
        """Whether the gradient is too small to be visible in a view (K, 2)."""
        half = np.diff(box, axis=1)[:, 0] / 2
        first = np.abs(self.gradient * half).max()
        second = 0.0 if self.hessian is None else np.abs(half[:, None] * self.hessian * half).max()
        return not np.isfinite(first) or first <= _FLAT * second or first == 0.0


@dataclass(frozen=True)
class Errors:
    """The errors of finite differences of a partial derivative.

    Attributes:
        name: the coordinate.
        h: (n,) the step sizes.
        central: (n,) absolute errors of (f(x + h) − f(x − h)) / 2h.
        forward: (n,) absolute errors of (f(x + h) − f(x)) / h.
    """

    name: str
    h: np.ndarray
    central: np.ndarray
    forward: np.ndarray


def norm(vector: np.ndarray) -> float:
    """Compute the Euclidean norm of (n,), safe against overflow of squares."""
    largest = float(np.abs(vector).max())
    scaled = np.isfinite(largest) and largest > 0
    return largest * float(np.linalg.norm(vector / largest)) if scaled else largest
