"""The edges of the domains of losses, and whether losses fall towards them.

Shapes: D dimensions.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

_HALVINGS = 60
"""Halvings of a step until its length is lost in rounding."""

_NEAR = 1e-3
"""The distance from the edge, as a share of that of the last point, at which the slope is taken."""


class Edge(NamedTuple):
    """Where a step leaves the domain of a loss.

    Attributes:
        point: the last point (D,) of the step inside, up to rounding.
        is_lower: whether the loss falls towards it.
    """

    point: np.ndarray
    is_lower: bool


def edge_between(loss: Callable[[Tensor], Tensor], inside: Tensor, outside: Tensor) -> Edge:
    """Find where the way from a point (D,) to one at which a loss is undefined leaves its domain.

    Args:
        loss: maps points (1, D) to values (1,).
        inside: a point at which it is defined.
        outside: a point at which it is not.
    """
    low, high = torch.zeros(()).to(inside), torch.ones(()).to(inside)

    def value(share: Tensor) -> Tensor:
        with torch.no_grad():
            return loss((inside + share * (outside - inside))[None])[0]

    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if bool(value(middle).isfinite()) else (low, middle)
    is_lower = bool(value(low) < value(low * (1 - _NEAR)))
    point = inside + low * (outside - inside)
    return Edge(point.double().cpu().numpy(), is_lower)
