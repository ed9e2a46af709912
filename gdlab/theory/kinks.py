"""Whether losses bend sharply at points, as |x| does at 0, where autograd sees a slope of 0.

Shapes: n rows, D dimensions.
"""

import itertools

import torch
from torch import Tensor

from gdlab.errors import CUSTOM_ERRORS
from gdlab.losses.base import Loss
from gdlab.numerics.rowwise import by_rows

_CLOSER = 8
"""How much closer each second difference looks."""

_SHARP = (2 / 3 / _CLOSER, 2 / _CLOSER)
"""Factors from one second difference to the next at a kink: 1/8 there, 1/64 where it is smooth."""

_VISIBLE = 64
"""Units in the last place of the loss that the last of them must exceed."""


def has_kink(loss: Loss, x: Tensor) -> Tensor:
    """Return whether losses have a kink at points (n, D), as (n,).

    The second difference over a distance h shrinks like h at a kink, and like h² where the loss is
    smooth. It is taken along one line, which no symmetry of a loss singles out.
    """
    eps = torch.finfo(x.dtype).eps
    axes = torch.arange(x.shape[1], dtype=x.dtype, device=x.device)
    line = (0.75 + 0.25 * torch.cos(axes * axes + axes)) * x.abs().clamp(min=1.0)
    try:
        with torch.no_grad():
            value = loss(by_rows(x))
            bends = [
                (loss(by_rows(x + h * line)) - value) + (loss(by_rows(x - h * line)) - value)
                for h in (eps ** (1 / 3) / _CLOSER**k for k in range(3))
            ]
    except CUSTOM_ERRORS:  # of a loss of one's own that refuses some points
        return torch.zeros(len(x), dtype=torch.bool, device=x.device)
    low, high = _SHARP
    shrink = (near / far for far, near in itertools.pairwise(bends))
    first, second = ((low < factor) & (factor < high) for factor in shrink)
    is_visible = bends[-1].abs() > _VISIBLE * eps * value.abs()
    return is_visible & first & second
