"""Functions with a few wells: where a run ends depends on its start and its step size."""

import itertools
import math
from typing import Any

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.functions.closed_form import Formula, Known, Scalable
from gdlab.losses.functions.torch_or_sympy import Mathematics


class DoubleWell(Formula):
    """(x² − 1)²: two minimizers, and between them a maximum, where the gradient vanishes too."""

    known = Known(start=(0.5,), minimizers=((1.0,), (-1.0,)), minimum=0.0, window=((-1.6, 1.6),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the square of a quadratic."""
        return (x[0] ** 2 - 1) ** 2


class Forrester(Formula):
    """(6 x − 2)² sin(12 x − 4): a shallow well, a flat slope and a deep well.

    Forrester, Sóbester and Keane, "Engineering design via surrogate modelling", 2008. Outside its
    domain it is unbounded below.
    """

    known = Known(
        start=(0.6,),
        minimizers=((0.7572487578418559,),),
        minimum=-6.0207400557670825,
        domain=((0.0, 1.0),),
    )

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return a parabola times a sine."""
        return (6 * x[0] - 2) ** 2 * m.sin(12 * x[0] - 4)


class Himmelblau(Formula):
    """(x0² + x1 − 11)² + (x0 + x1² − 7)²: four minimizers of equal value around a maximum.

    Himmelblau, "Applied nonlinear programming", 1972.
    """

    known = Known(
        start=(0.0, 0.0),
        minimizers=(
            (3.0, 2.0),
            (-2.8051180869527448, 3.1313125182505729),
            (-3.7793102533777468, -3.2831859912861696),
            (3.5844283403304917, -1.8481265269644034),
        ),
        minimum=0.0,
        window=((-5.0, 5.0),),
    )

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the sum of two squares."""
        u, v = x
        return (u**2 + v - 11) ** 2 + (u + v**2 - 7) ** 2


class ThreeHumpCamel(Formula):
    """2 x0² − 1.05 x0⁴ + x0⁶/6 + x0 x1 + x1²: the lowest of three wells is the middle one.

    Surjanovic and Bingham, "Virtual library of simulation experiments".
    """

    known = Known(start=(2.0, 1.0), minimizers=((0.0, 0.0),), minimum=0.0, window=((-5.0, 5.0),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return a polynomial of degree 6."""
        u, v = x
        return 2 * u**2 - 1.05 * u**4 + u**6 / 6 + u * v + v**2


class SixHumpCamel(Formula):
    """(4 − 2.1 x0² + x0⁴/3) x0² + x0 x1 + (4 x1² − 4) x1²: six wells, two of them the deepest.

    Dixon and Szegö, "Towards global optimisation 2", 1978.
    """

    known = Known(
        start=(0.5, 0.5),
        minimizers=(
            (0.08984201310031806, -0.7126564030207396),
            (-0.08984201310031806, 0.7126564030207396),
        ),
        minimum=-1.0316284534898774,
        window=((-3.0, 3.0), (-2.0, 2.0)),
    )

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return a polynomial of degree 6."""
        u, v = x
        return (4 - 2.1 * u**2 + u**4 / 3) * u**2 + u * v + (4 * v**2 - 4) * v**2


class GoldsteinPrice(Formula):
    """A product of two quartics: four wells, with values from 3 to a million.

    Goldstein and Price, "On descent from local minima", 1971.
    """

    known = Known(start=(-0.5, 0.25), minimizers=((0.0, -1.0),), minimum=3.0, window=((-2.0, 2.0),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return (1 + (x0 + x1 + 1)² p)(30 + (2 x0 − 3 x1)² q) with quadratics p and q."""
        u, v = x
        p = 19 - 14 * u + 3 * u**2 - 14 * v + 6 * u * v + 3 * v**2
        q = 18 - 32 * u + 12 * u**2 + 48 * v - 36 * u * v + 27 * v**2
        return (1 + (u + v + 1) ** 2 * p) * (30 + (2 * u - 3 * v) ** 2 * q)


class McCormick(Formula):
    """sin(x0 + x1) + (x0 − x1)² − 1.5 x0 + 2.5 x1 + 1: an endless row of ever deeper wells.

    McCormick, "Computability of global solutions to factorable nonconvex programs", 1976. The
    minimum is that of the domain; outside, π further down both axes, is a well deeper by π.
    """

    known = Known(
        start=(0.0, 0.0),
        minimizers=((0.5 - math.pi / 3, -0.5 - math.pi / 3),),
        minimum=-math.sqrt(3) / 2 - math.pi / 3,
        domain=((-1.5, 4.0), (-3.0, 4.0)),
    )

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return a wave on a tilted trough."""
        u, v = x
        return m.sin(u + v) + (u - v) ** 2 - 1.5 * u + 2.5 * v + 1


class Branin(Formula):
    """a (x1 − b x0² + c x0 − r)² + s (1 − t) cos x0 + s: a curved trough with equal wells.

    Branin, "Widely convergent method for finding multiple solutions of simultaneous nonlinear
    equations", 1972. Three of its wells lie in the domain; outside are more, equally deep.

    Attributes:
        a: the steepness of the trough.
        b: its curvature.
        c: its tilt.
        r: its position.
        s: the height of the waves in it.
        t: reduces their amplitude to s (1 − t); the minimum is s t.
    """

    known = Known(start=(2.5, 7.5), domain=((-5.0, 10.0), (0.0, 15.0)))
    a: Number = setting(default=1.0, gt=0)
    b: Number = 5.1 / (4 * math.pi**2)
    c: Number = 5 / math.pi
    r: Number = 6.0
    s: Number = setting(default=10.0, gt=0)
    t: Number = setting(default=1 / (8 * math.pi), lt=1)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return a square plus a cosine."""
        u, v = x
        trough = v - self.b * u**2 + self.c * u - self.r
        return self.a * trough**2 + self.s * (1 - self.t) * m.cos(u) + self.s

    @property
    def minimizers(self) -> Tensor:
        """Where x0 is −π, π and 3π, at the bottom of the trough."""
        u = self.tensor([-math.pi, math.pi, 3 * math.pi])
        b, c, r = (self.tensor(field)[..., None] for field in (self.b, self.c, self.r))
        v = b * u**2 - c * u + r
        return torch.stack((u.expand_as(v), v), -1)

    @property
    def minimum(self) -> Number:
        """The product s t."""
        return self.s * self.t


class StyblinskiTang(Scalable):
    """½ Σᵢ xᵢ⁴ − 16 xᵢ² + 5 xᵢ: two wells along each axis, 2^D in total, one of them the deepest.

    Styblinski and Tang, "Experiments in nonconvex optimization", 1990.

    Attributes:
        dim: dimensions D.
    """

    known = Known(start=(0.0,), minimizers=((-2.903534027771177,),), window=((-5.0, 5.0),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return a sum of quartics."""
        return (x**4 - 16 * x**2 + 5 * x).sum(0) / 2

    @property
    def minimum(self) -> float:
        """−39.166 per dimension."""
        return -39.16616570377141 * self.dim


class Qing(Scalable):
    """Σᵢ (xᵢ² − i)²: 2^D wells of equal depth at xᵢ = ±√i, steeper along each further axis.

    Qing, "Dynamic differential evolution strategy and applications in electromagnetic inverse
    scattering problems", 2006.

    Attributes:
        dim: dimensions D, at most 10 so that all wells can be listed.
    """

    known = Known(start=(1.0,), minimum=0.0, window=((-4.0, 4.0),))
    dim: int = setting(default=4, ge=1, le=10)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the sum of the squares of quadratics."""
        return ((x**2 - m.column(range(1, self.dim + 1))) ** 2).sum(0)

    @property
    def minimizers(self) -> Tensor:
        """All combinations of signs: (2^D, D)."""
        sides = ((math.sqrt(i), -math.sqrt(i)) for i in range(1, self.dim + 1))
        return self.tensor(list(itertools.product(*sides)))
