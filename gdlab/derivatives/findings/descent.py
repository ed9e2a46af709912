"""Whether a loss falls at first order from a point without a gradient, which then is no minimum.

Shapes: D dimensions, n directions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.finding import number, vector
from gdlab.derivatives.methods.behavior import Kind
from gdlab.derivatives.methods.finite_differences import DOUBT
from gdlab.derivatives.methods.local_behavior import local_behavior
from gdlab.derivatives.point import LossAtPoint
from gdlab.numerics import rng
from gdlab.numerics.autodiff import value_and_gradient

_NEIGHBORS = 64  # whose gradients are taken
_DISTANCE = 1e-6  # of the point's largest coordinate, or of 1
_VISIBLE = 1e-6  # of the largest slope: less may be an error of the neighbors' gradients
_WEIGHT = 1e3  # of the condition that weights sum to 1, in units of the largest gradient


@dataclass(frozen=True)
class Descent:
    """A direction in which the loss falls at first order.

    Attributes:
        along: a unit vector (D,).
        slope: the directional derivative, which is negative; -inf for a vertical tangent.
        names: the names of the coordinates.
    """

    along: Tensor
    slope: float
    names: tuple[str, ...]

    @property
    def words(self) -> str:
        """The direction and the slope, for use in a sentence."""
        axis = int(self.along.abs().argmax())
        is_axis = int((self.along != 0).sum()) == 1
        sign = "-" if self.along[axis] < 0 else ""
        along = f"{sign}{self.names[axis]}" if is_axis else vector(self.along, 4)
        return f"the loss falls along {along}, with slope {number(self.slope, 4)}"


def first_order_descent(at: LossAtPoint) -> Descent | None:
    """Return the steepest descent that is found at a point without a gradient; None if none is.

    Candidates are the axes, a few lines between them, and against the shortest vector in the convex
    hull of the gradients around, which is the steepest descent where the loss is made of smooth
    pieces (Burke, Lewis & Overton, "A robust gradient sampling algorithm for nonsmooth, nonconvex
    optimization", SIAM Journal on Optimization 15, 2005). What counts are one-sided differences of
    the loss.
    """
    lines = torch.cat((torch.eye(len(at.x)).to(at.x), at.differentiability.oblique))
    gradients = _gradients_around(at)
    shortest = _shortest(gradients)
    scale = float(gradients.norm(dim=1).max()) if len(gradients) else 0.0
    if float(shortest.norm()) > _VISIBLE * scale:
        lines = torch.cat((lines, -(shortest / shortest.norm())[None]))
    slopes = lines @ at.gradient.nan_to_num(0.0)
    found = []
    for line, behavior in zip(lines, local_behavior(at.loss, at.x, lines, slopes), strict=True):
        for way, side in ((line, behavior.right), (-line, behavior.left.mirrored())):
            is_slope = side.kind in (Kind.SMOOTH, Kind.VERTICAL)
            margin = DOUBT * side.uncertainty if side.kind is Kind.SMOOTH else 0.0
            if is_slope and side.slope < -margin - _VISIBLE * scale:
                found.append(Descent(way, side.slope, tuple(at.names)))
    return min(found, key=lambda descent: descent.slope, default=None)


def _gradients_around(at: LossAtPoint) -> Tensor:
    """Return the gradients (n, D) of neighbors of a point, those that are finite."""
    counters = torch.arange(_NEIGHBORS)[:, None], torch.arange(len(at.x))
    offsets = rng.normal(torch.tensor(0), rng.Stream.START, *counters).to(at.x)
    distance = _DISTANCE * max(1.0, float(at.x.abs().max()))
    directions = offsets / offsets.norm(dim=1, keepdim=True)
    gradients = value_and_gradient(at.loss, at.x + distance * directions)[1]
    return gradients[gradients.isfinite().all(1)]


def _shortest(gradients: Tensor) -> Tensor:
    """Return the shortest vector (D,) in the convex hull of gradients (n, D); 0 if there are none.

    Its weights solve a nonnegative least-squares problem, with a heavy row that sums them to 1.
    """
    from scipy.optimize import nnls

    scale = float(gradients.abs().max()) if len(gradients) else 0.0
    if scale == 0:
        return torch.zeros_like(gradients[:1].sum(0))
    rows = torch.cat((gradients.T / scale, torch.full((1, len(gradients)), _WEIGHT).to(gradients)))
    wanted = torch.zeros_like(rows[:, 0])
    wanted[-1] = _WEIGHT
    weights = torch.from_numpy(nnls(rows.double().numpy(), wanted.double().numpy())[0])
    return (weights / weights.sum()).to(gradients) @ gradients
