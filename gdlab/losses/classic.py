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


class Himmelblau(Loss):
    """(x0² + x1 − 11)² + (x0 + x1² − 7)²: four minimizers of equal value, a maximum between.

    Himmelblau, "Applied nonlinear programming", 1972.
    """

    @property
    def dim(self) -> int:
        """Two."""
        return 2

    def __call__(self, x: Tensor) -> Tensor:
        """Two squares."""
        a, b = x[..., 0], x[..., 1]
        return (a.square() + b - 11).square() + (a + b.square() - 7).square()

    @property
    def start(self) -> Tensor:
        """The origin, near the maximum."""
        return self.tensor([0.0, 0.0])

    @property
    def minimizers(self) -> Tensor:
        """(3, 2) and three more, roots of a quintic."""
        return self.tensor(
            [
                (3.0, 2.0),
                (-2.8051180869527448, 3.1313125182505729),
                (-3.7793102533777468, -3.2831859912861696),
                (3.5844283403304917, -1.8481265269644034),
            ]
        )

    @property
    def minimum(self) -> float:
        """0."""
        return 0.0

    @property
    def window(self) -> Tensor:
        """−5 to 5 in both."""
        return self.tensor([[-5.0, 5.0], [-5.0, 5.0]])

    def formula(self, x: "tuple[sympy.Symbol, ...]") -> "sympy.Expr":
        """The two squares."""
        a, b = x
        return (a**2 + b - 11) ** 2 + (a + b**2 - 7) ** 2
