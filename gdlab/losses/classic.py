"""Classical test functions."""

import itertools
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gdlab.fields import Number, setting
from gdlab.losses.base import Loss, per_point

if TYPE_CHECKING:
    import sympy


class Rosenbrock(Loss):
    """Σᵢ b (xᵢ₊₁ − xᵢ²)² + (a − xᵢ)²: a curved valley, easy to find and hard to follow.

    Rosenbrock, "An automatic method for finding the greatest or least value of a function", 1960;
    Moré, Garbow and Hillstrom 1981, problem 1. Beyond two dimensions it is the chained form.

    Attributes:
        dim: dimensions D, at least 2.
        a: where the minimizer lies in two dimensions: (a, a²).
        b: how steep the valley's walls are.
    """

    dim: int = setting(default=2, ge=2, le=1_000_000)  # type: ignore[assignment]
    a: Number = 1.0
    b: Number = setting(default=100.0, gt=0)

    def __call__(self, x: Tensor) -> Tensor:
        """The sum over neighbouring coordinates."""
        here, after = x[..., :-1], x[..., 1:]
        a, b = per_point(self.a), per_point(self.b)
        return (b * (after - here.square()).square() + (a - here).square()).sum(-1)

    @property
    def start(self) -> Tensor:
        """(−1.2, 1), repeated."""
        return self.tensor([(-1.2, 1.0)[i % 2] for i in range(self.dim)])

    @property
    def minimizers(self) -> Tensor | None:
        """(a, a²), or all ones in more than two dimensions where a is 1."""
        if self.dim == 2:
            a = self.tensor(self.a)
            return torch.stack((a, a.square()), -1)[..., None, :]
        is_one = bool((self.tensor(self.a) == 1).all())
        return self.tensor(torch.ones(1, self.dim)) if is_one else None

    @property
    def minimum(self) -> Number | None:
        """0, where the minimizer is known."""
        return None if self.minimizers is None else 0.0

    @property
    def window(self) -> Tensor:
        """The classical picture: −2 to 2 by −1 to 3."""
        sides = ((-2.0, 2.0), (-1.0, 3.0)) if self.dim == 2 else ((-2.0, 2.0),) * self.dim
        return self.tensor(sides)

    def formula(self, x: "tuple[sympy.Symbol, ...]") -> "sympy.Expr | None":
        """The sum itself, where a and b are numbers."""
        if isinstance(self.a, Tensor) or isinstance(self.b, Tensor):
            return None
        import sympy

        pairs = itertools.pairwise(x)
        return sympy.Add(*(self.b * (y - z**2) ** 2 + (self.a - z) ** 2 for z, y in pairs))
