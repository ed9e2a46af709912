"""Whether a point without a gradient is a minimum or a maximum, from the values around it.

Shapes: D dimensions, n directions, m distances.
"""

import torch

from gdlab.derivatives.methods.finite_differences import values_at
from gdlab.derivatives.point import LossAtPoint
from gdlab.numerics import rng

_DISTANCES = (1e-3, 1e-4, 1e-5)  # of the point's largest coordinate, or of 1
_RANDOM = 256  # directions, besides the axes


def extremum_among_neighbors(at: LossAtPoint) -> str | None:
    """Return `minimum` or `maximum` if all values around are higher or lower; None if neither.

    The neighbors are those along the axes and along random directions, at several distances.
    """
    dim = len(at.x)
    counters = torch.arange(_RANDOM)[:, None], torch.arange(dim)
    oblique = rng.normal(torch.tensor(0), rng.Stream.START, *counters)
    axes = torch.eye(dim)
    directions = torch.cat((axes, -axes, oblique / oblique.norm(dim=1, keepdim=True)))  # (n, D)
    distances = max(1.0, float(at.x.abs().max())) * torch.tensor(_DISTANCES)
    steps = distances[:, None, None] * directions.to(at.x)  # (m, n, D)
    values = values_at(at.loss, at.x + steps)
    if bool((values > at.value).all()):
        return "minimum"
    return "maximum" if bool((values < at.value).all()) else None
