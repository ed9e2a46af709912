"""Coordinates that are stretched, rotated and moved, and the way back.

Shapes: R runs, D dimensions, M points for each run.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from gdlab.fields.declared import Number
from gdlab.numerics import rng


@dataclass(frozen=True)
class Coordinates:
    """The map from outer points x to inner ones y = Qᵀ(x − shift) / scale.

    Attributes:
        shift: a number, (D,) or (R, D); None for none.
        scale: a number, (D,) or (R, D); None for none.
        q: the orthogonal matrix Q, (D, D); None for none.
    """

    shift: Number | None
    scale: Number | None
    q: Tensor | None

    def inward(self, x: Tensor) -> Tensor:
        """The inner points y (..., D) of outer points x."""
        x = x if self.shift is None else x - self.shift
        x = x if self.q is None else x @ self.q
        return x if self.scale is None else x / self.scale

    def outward(self, y: Tensor, *, several: bool = False) -> Tensor:
        """The outer points x (..., D) of inner points y.

        Args:
            y: (..., D); beside columns (..., R, D), or (..., R, M, D) where there are several.
            several: whether y holds M points for each run, or for all.
        """
        shift, scale = self.shift, self.scale
        if several:
            shift, scale = _for_several(shift), _for_several(scale)
        y = y if scale is None else y * scale
        y = y if self.q is None else y @ self.q.T
        return y if shift is None else y + shift

    def box(self, sides: Tensor) -> Tensor:
        """Low and high of an inner box (D, 2) as those of an outer one: (D, 2) or (R, D, 2).

        A rotated one is no box. In its place is that round the same center, of sides that leave
        points drawn from it with the same variances: where all sides are equal, they stay so.
        """
        low, high = sides.unbind(-1)
        if self.q is None:
            return torch.stack((self.outward(low), self.outward(high)), -1)
        center, half = self.outward((low + high) / 2), (high - low) / 2
        half = half if self.scale is None else half * self.scale
        half = (half.square() @ self.q.T.square()).sqrt()
        return torch.stack((center - half, center + half), -1)


@lru_cache(maxsize=4)
def haar(seed: int, dim: int) -> Tensor:
    """A uniformly random orthogonal matrix (D, D), float64."""
    q, r = torch.linalg.qr(rng.normal_matrix(seed, rng.Stream.ROTATION, dim))
    return q * torch.sign(torch.diagonal(r))


def _for_several(value: Number | None) -> Number | None:
    return value[..., None, :] if isinstance(value, Tensor) else value
