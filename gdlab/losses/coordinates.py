"""A change of coordinates: scale, rotation and shift, and its inverse.

Shapes: R runs, D dimensions, M points per run.
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
        """Return the inner points y (..., D) of outer points x."""
        x = x if self.shift is None else x - self.shift
        x = x if self.q is None else x @ self.q
        return x if self.scale is None else x / self.scale

    def outward(self, y: Tensor, *, several: bool = False) -> Tensor:
        """Return the outer points x (..., D) of inner points y.

        Args:
            y: (..., D); with columns (..., R, D), or (..., R, M, D) if `several`.
            several: whether y holds M points, per run or for all.
        """
        shift, scale = self.shift, self.scale
        if several:
            shift, scale = _per_several(shift), _per_several(scale)
        y = y if scale is None else y * scale
        y = y if self.q is None else y @ self.q.T
        return y if shift is None else y + shift

    def box(self, sides: Tensor) -> Tensor:
        """Return the bounds of an inner box (D, 2) as those of an outer box: (D, 2) or (R, D, 2).

        A rotated box is not aligned with the axes. It is replaced by the box with the same center
        and with sides that give uniformly drawn points the same variances; equal sides stay equal.
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
    """Return a uniformly (Haar) distributed random orthogonal matrix (D, D), float64."""
    q, r = torch.linalg.qr(rng.normal_matrix(seed, rng.Stream.ROTATION, dim))
    return q * torch.sign(torch.diagonal(r))


def _per_several(value: Number | None) -> Number | None:
    """Return a number that broadcasts with M points: a column gains an axis."""
    return value[..., None, :] if isinstance(value, Tensor) else value
