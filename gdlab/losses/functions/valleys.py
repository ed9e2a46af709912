"""Curved valleys: the floor is quickly found and slowly followed."""

from typing import Any

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.functions.closed_form import Formula, Known, Scalable
from gdlab.losses.functions.torch_or_sympy import Mathematics


class Rosenbrock(Scalable):
    """Σᵢ b (xᵢ₊₁ − xᵢ²)² + (a − xᵢ)²: a curved valley, easy to find and hard to follow.

    Rosenbrock, "An automatic method for finding the greatest or least value of a function", 1960;
    Moré, Garbow and Hillstrom 1981, problem 1. In more than two dimensions it is the chained form.

    Attributes:
        dim: dimensions D, at least 2.
        a: where the minimizer lies in two dimensions: (a, a²).
        b: the steepness of the valley's walls.
    """

    known = Known(start=(-1.2, 1.0))
    dim: int = setting(default=2, ge=2, le=1_000_000)
    a: Number = 1.0
    b: Number = setting(default=100.0, gt=0)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the sum over pairs of neighboring coordinates."""
        current, following = x[:-1], x[1:]
        return (self.b * (following - current**2) ** 2 + (self.a - current) ** 2).sum(0)

    @property
    def minimizers(self) -> Tensor | None:
        """(a, a²), or all ones in more than two dimensions where a is 1."""
        if self.dim == 2:
            a = self.tensor(self.a)
            return torch.stack((a, a.square()), -1)[..., None, :]
        return None if self.minimum is None else self.tensor(torch.ones(1, self.dim))

    @property
    def minimum(self) -> Number | None:
        """0, where the minimizer is known."""
        return 0.0 if self.dim == 2 or bool((self.tensor(self.a) == 1).all()) else None

    @property
    def window(self) -> Tensor:
        """The usual picture: −2 to 2 by −1 to 3."""
        sides = ((-2.0, 2.0), (-1.0, 3.0)) if self.dim == 2 else ((-2.0, 2.0),) * self.dim
        return self.tensor(sides)


class Cube(Formula):
    """b (x1 − x0³)² + (1 − x0)²: an S-shaped Rosenbrock valley.

    Leon, "A comparison among eight known optimizing procedures", 1966.

    Attributes:
        b: the steepness of the valley's walls.
    """

    known = Known(
        start=(-1.2, 1.0),
        minimizers=((1.0, 1.0),),
        minimum=0.0,
        window=((-1.5, 1.5), (-2.0, 2.0)),
    )
    b: Number = setting(default=100.0, gt=0)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the sum of two squares."""
        u, v = x
        return self.b * (v - u**3) ** 2 + (1 - u) ** 2


class DixonPrice(Scalable):
    """(x0 − 1)² + Σᵢ i (2 xᵢ² − xᵢ₋₁)²: chained valleys, each steeper than the one before.

    Dixon and Price, "Truncated Newton method for sparse unconstrained optimization using automatic
    differentiation", 1989.

    Attributes:
        dim: dimensions D.
    """

    known = Known(start=(1.0,), minimum=0.0, window=((-10.0, 10.0),))
    dim: int = setting(default=4, ge=2, le=1_000_000)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the sum over pairs of neighboring coordinates."""
        weights = m.column(range(2, self.dim + 1))
        return (x[0] - 1) ** 2 + (weights * (2 * x[1:] ** 2 - x[:-1]) ** 2).sum(0)

    @property
    def minimizers(self) -> Tensor:
        """2^(2^(1−i) − 1) for i from 1 to D, and its mirror image in the last coordinate."""
        x = [2.0 ** (2.0 ** (1 - i) - 1) for i in range(1, self.dim + 1)]
        return self.tensor([x, [*x[:-1], -x[-1]]])
