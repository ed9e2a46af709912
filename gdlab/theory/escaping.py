"""Whether a loss falls towards 0 as points move away, as that of a classifier without errors does.

Shapes: D dimensions.
"""

import torch
from torch import Tensor

from gdlab.errors import CUSTOM_ERRORS
from gdlab.losses.base import Loss

_DOUBLINGS = 12
"""Of the distance from 0 to the last point that is looked at."""

_VANISHED = 1e-3
"""The share of the loss at the point that may be left there."""


def falls_to_zero(loss: Loss, point: Tensor) -> bool:
    """Whether the loss of a point (D,) falls towards 0 along the ray from 0 through it.

    The loss of a model that separates classes does so where its outputs scale with its weights. A
    loss that is 0 at the point has fallen if it is more at the origin: else it underflows beside a
    minimum there.
    """
    if not point.any():
        return False
    factors = 2.0 ** torch.arange(_DOUBLINGS + 1, dtype=point.dtype, device=point.device)
    try:
        with torch.no_grad():
            values = torch.cat([loss((factor * point)[None]) for factor in factors])
            if not values[0] and not loss(torch.zeros_like(point)[None])[0]:
                return False
    except CUSTOM_ERRORS:  # of a loss of one's own that refuses some points
        return False
    falls = bool((values.diff() <= 0).all() and (values >= 0).all())
    return falls and float(values[-1]) <= _VANISHED * float(values[0])
