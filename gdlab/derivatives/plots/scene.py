"""What is drawn: a loss at a point with its derivatives there, and slices of it for the paper.

Shapes: D dimensions, K = 1 or 2 coordinates on the paper, m points, n step sizes, M minimisers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gdlab.plots.projection import Landscape, Plane

_INSIDE = 0.14  # of the view: the point stays so far from its frame
_ALIKE = 3.0  # units whose ratio is less are drawn equally long
_SCALES = 0.5 ** np.arange(1, 12)  # of the view, that are tried for what is near
_FALLBACK = 1  # the scale where no model fits, as at a kink
_RING = 32
_READ = 6  # coordinates in a title
_NOISE = 1e-12  # relative: smaller differences are rounding
_FLAT = 1e-5  # of the second-order change: a smaller first-order one is not seen


@dataclass(frozen=True)
class Scene:
    """A loss at a point, and its derivatives there.

    Attributes:
        landscape: the loss; its title is the first line of every picture.
        at: (D,) the point.
        value: the loss there.
        gradient: (D,)
        hessian: (D, D), or None where it is too large: second-order models are then left out.
        direction: (D,) of a directional derivative, of any length but zero.

    Raises:
        ValueError: a shape does not fit.
    """

    landscape: Landscape
    at: np.ndarray
    value: float
    gradient: np.ndarray
    hessian: np.ndarray | None = None
    direction: np.ndarray | None = None

    def __post_init__(self) -> None:
        dim = np.shape(self.at)
        given = {
            "gradient": (self.gradient, dim),
            "hessian": (self.hessian, dim * 2),
            "direction": (self.direction, dim),
        }
        wrong = [n for n, (a, shape) in given.items() if a is not None and np.shape(a) != shape]
        if len(dim) != 1 or wrong:
            raise ValueError(f"at must be (D,) and the rest fit it, got {dim}; unfit: {wrong}")

    @property
    def dim(self) -> int:
        """The number of dimensions D."""
        return len(self.at)

    @property
    def title(self) -> str:
        """The loss and the point, or what of it can be read."""
        where = ", ".join(f"{x:.6g}" for x in self.at[:_READ])
        return f"{self.landscape.title} at ({where}{', …' if self.dim > _READ else ''})"

    @property
    def slope(self) -> float | None:
        """The directional derivative along the direction, normalised."""
        if self.direction is None:
            return None
        return float(self.gradient @ (self.direction / norm(self.direction)))

    def ranked(self) -> np.ndarray:
        """The coordinates (D,) from the largest partial derivative to the smallest.

        Where two are equal, as at a minimum, the larger second derivative decides.
        """
        second = np.zeros(self.dim) if self.hessian is None else np.abs(np.diag(self.hessian))
        return np.lexsort((np.arange(self.dim), -second, -np.abs(self.gradient)))

    def sliced(self, chosen: Sequence[int]) -> Slice:
        """The scene along some coordinates through the point, the others held fixed."""
        rows = list(chosen)
        rest = np.array(self.at, dtype=float)
        rest[rows] = 0.0  # coordinates of the plane are then those of the loss
        whole = rows == list(range(self.dim))
        axes = np.zeros((len(rows), self.dim))
        axes[np.arange(len(rows)), rows] = 1.0
        plane = Plane(rest, axes, None if whole else np.zeros(len(rows)))
        direction = None if self.direction is None else self.direction[rows]
        if direction is not None and not direction.any():
            direction = None
        return Slice(
            landscape=self.landscape,
            plane=plane,
            names=tuple(self.landscape.names[i] for i in rows),
            window=None if self.landscape.window is None else self.landscape.window[rows],
            minimizers=self.landscape.minimizers if whole else None,
            at=np.array(self.at, dtype=float)[rows],
            level=float(self.value),
            gradient=self.gradient[rows],
            hessian=None if self.hessian is None else self.hessian[np.ix_(rows, rows)],
            direction=direction,
        )

    def paper(self) -> Slice:
        """The slice that maps are drawn of: all of D ≤ 2, else the two largest partials."""
        return self.sliced(sorted(self.ranked()[:2].tolist()))


@dataclass(frozen=True)
class Slice:
    """A scene along K of its coordinates; the attributes are as the scene's, cut to K.

    Attributes:
        plane: what the paper's coordinates are points of.
        level: the loss at the point.
        minimizers: (M, K) those known; None where the slice is not the whole.
    """

    landscape: Landscape
    plane: Plane
    names: tuple[str, ...]
    window: np.ndarray | None
    minimizers: np.ndarray | None
    at: np.ndarray
    level: float
    gradient: np.ndarray
    hessian: np.ndarray | None
    direction: np.ndarray | None

    def values(self, points: np.ndarray) -> np.ndarray:
        """The loss (m,) at points (m, K) of the paper; NaN where it is not finite."""
        values = self.plane.evaluate(self.landscape.value, points)
        return np.where(np.isfinite(values), values, np.nan)

    def tangent(self, points: np.ndarray) -> np.ndarray:
        """The tangent line or plane f + gᵀd (m,) at points (m, K), d from the point."""
        return self.level + (points - self.at) @ self.gradient

    def taylor(self, points: np.ndarray) -> np.ndarray:
        """The model f + gᵀd + ½ dᵀHd (m,) at points (m, K); the tangent without a Hessian."""
        d = points - self.at
        bend = 0.0 if self.hessian is None else 0.5 * ((d @ self.hessian) * d).sum(axis=1)
        return self.tangent(points) + bend

    def view(self) -> np.ndarray:
        """The loss's window, or what is around the point and the nearest minimiser: (K, 2)."""
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

    def unit(self) -> np.ndarray:
        """Lengths (K,) to be equally long on the paper: equal but for very unlike coordinates."""
        half = np.diff(self.view(), axis=1)[:, 0] / 2
        return np.full(len(half), half.max()) if half.max() <= _ALIKE * half.min() else half

    def near(self, tolerance: float) -> np.ndarray:
        """Low and high (K, 2) around the point, where the second-order model still tells something.

        The largest of the halved views on whose rim the model errs by at most the tolerance, in
        parts of how much the loss varies there.
        """
        angles = np.linspace(0.0, 2.0 * np.pi, _RING, endpoint=False)
        ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        if len(self.at) == 1:
            ring = np.linspace(-1.0, 1.0, 8)[:, None]
        unit = self.unit()
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
        """Whether the gradient changes nothing that could be seen in a view (K, 2)."""
        half = np.diff(box, axis=1)[:, 0] / 2
        first = np.abs(self.gradient * half).max()
        second = 0.0 if self.hessian is None else np.abs(half[:, None] * self.hessian * half).max()
        return not np.isfinite(first) or first <= _FLAT * second or first == 0.0


@dataclass(frozen=True)
class Errors:
    """How finite differences of one partial derivative err.

    Attributes:
        name: of the coordinate.
        h: (n,) the step sizes.
        central: (n,) errors of (f(x + h) − f(x − h)) / 2h, not negative.
        forward: (n,) errors of (f(x + h) − f(x)) / h.
    """

    name: str
    h: np.ndarray
    central: np.ndarray
    forward: np.ndarray


def norm(vector: np.ndarray) -> float:
    """The Euclidean norm of (n,); squares of large numbers would overflow."""
    largest = float(np.abs(vector).max())
    scaled = np.isfinite(largest) and largest > 0
    return largest * float(np.linalg.norm(vector / largest)) if scaled else largest
