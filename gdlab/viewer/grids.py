"""The loss over a part of a plane, as a grid of values.

Shapes: nx and ny samples along the axes, K = 1 or 2 coordinates of the plane, D dimensions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian_products, value_and_gradient
from gdlab.plots.projection import Landscape, Plane
from gdlab.plots.relief import HUGE, spaced_levels
from gdlab.theory.curvature import has_curvature

SIDE = 256
MOST_LINE = 2_001
_SMALL = 0.1  # of the lowest height above the base: what stands for none on a logarithmic scale


@dataclass(frozen=True)
class Scale:
    """How the heights of a landscape are told apart.

    Attributes:
        is_log: whether levels are of log10(loss − base).
        base: a constant that is taken off, so that float32 keeps digits.
    """

    is_log: bool
    base: float


@dataclass(frozen=True)
class Grid:
    """The loss over a part of a plane.

    Attributes:
        view: (K, 2) lower and upper limits.
        values: (ny, nx) or (nx,), the first row at the lower limit, samples at both ends; NaN
            where the loss is not finite.
        scale: how heights are told apart.
    """

    view: np.ndarray
    values: np.ndarray
    scale: Scale

    def head(self) -> dict[str, Any]:
        """Return the grid as messages have it: heights above the base."""
        heights = self.values - self.scale.base
        if self.scale.is_log:
            positive = heights[heights > 0]
            least = _SMALL * float(positive.min()) if positive.size else 1.0
            heights = np.where(heights <= 0, least, heights)
        return {
            "view": self.view.tolist(),
            "shape": list(self.values.shape),
            "values": heights,
            "scale": "log" if self.scale.is_log else "linear",
            "base": self.scale.base,
        }


def grid_of(
    landscape: Landscape, plane: Plane, view: np.ndarray, side: int, scale: Scale | None = None
) -> Grid:
    """Evaluate the loss over a part of a plane.

    Args:
        landscape: the loss.
        plane: the plane.
        view: (K, 2) lower and upper limits.
        side: the number of samples along each axis.
        scale: that of an earlier grid, whose colors this one is to have; its base falls where this
            one has lower values. None to choose one.
    """
    axes = [np.linspace(low, high, side) for low, high in view]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(view))
    values = plane.evaluate(landscape.value, points)
    values = np.where(np.abs(values) < HUGE, values, np.nan).reshape((side,) * len(view))
    return Grid(view, values, _scale_of(values, landscape.minimum, scale))


def _scale_of(values: np.ndarray, minimum: float | None, given: Scale | None) -> Scale:
    """Return the scale of values, a given one where it still holds."""
    finite = values[np.isfinite(values)]
    low = float(finite.min()) if finite.size else 0.0
    if given is not None:
        return Scale(given.is_log, min(given.base, low))
    base = minimum if minimum is not None and minimum <= low else low
    spaced = spaced_levels(values, minimum) if values.ndim == 2 else None
    return Scale(spaced is not None and spaced[2], base)


def point_of(loss: Loss, plane: Plane, at: np.ndarray) -> dict[str, Any]:
    """Return the loss and its derivatives at a point (K,) of the plane, along its axes.

    Args:
        loss: the loss.
        plane: the plane.
        at: coordinates in the plane.

    Returns:
        value, gradient (K,), hessian (K, K) and its eigenvalues (K,), in increasing order; NaN
        where autograd cannot differentiate the loss twice.
    """
    loss = loss.to(torch.float64, torch.device("cpu"))
    axes = torch.from_numpy(plane.axes)
    x = torch.from_numpy(plane.points(at[None]))
    value, gradient = value_and_gradient(loss, x)
    matrix = np.full((len(axes), len(axes)), np.nan)
    if has_curvature(loss, x):
        product = hessian_products(loss, x)
        matrix = torch.stack([axes @ product(axis[None])[0] for axis in axes]).numpy()
    matrix = (matrix + matrix.T) / 2
    is_finite = bool(np.isfinite(matrix).all())
    eigenvalues = np.linalg.eigvalsh(matrix).tolist() if is_finite else [np.nan] * len(matrix)
    return {
        "value": float(value),
        "gradient": (axes @ gradient[0]).tolist(),
        "hessian": matrix.tolist(),
        "eigenvalues": eigenvalues,
    }
