"""Ripples, plateaus and needles: gradients that say little about where the minimum is."""

import itertools
import math
from typing import Any

from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.functions.closed_form import Formula, Known, Scalable
from gdlab.losses.functions.torch_or_sympy import Mathematics


class Ackley(Scalable):
    """a (1 − exp(−b r)) + e − exp(Σᵢ cos(c xᵢ)/D) with r² = Σᵢ xᵢ²/D: ripples on a funnel.

    Ackley, "A connectionist machine for genetic hillclimbing", 1987. The minimizer is the tip of a
    cone: the gradient there is defined as 0, one of the subgradients.

    Attributes:
        dim: dimensions D.
        a: the depth of the funnel.
        b: the narrowness of the funnel.
        c: the frequency of the ripples.
    """

    known = Known(start=(1.0,), minimizers=((0.0,),), minimum=0.0, window=((-32.768, 32.768),))
    a: Number = setting(default=20.0, gt=0)
    b: Number = setting(default=0.2, gt=0)
    c: Number = 2 * math.pi

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the funnel and the ripples."""
        r = m.sqrt((x**2).sum(0) / self.dim)
        ripples = m.exp(m.cos(self.c * x).sum(0) / self.dim)
        return self.a * (1 - m.exp(-self.b * r)) + m.e - ripples


class Rastrigin(Scalable):
    """Σᵢ a + xᵢ² − a cos(2π xᵢ): ripples on a bowl, a local minimum near every whole number.

    Rastrigin, "Systems of extremal control", 1974.

    Attributes:
        dim: dimensions D.
        a: the height of the ripples.
    """

    known = Known(start=(1.2, -0.8), minimizers=((0.0,),), minimum=0.0, window=((-5.12, 5.12),))
    a: Number = setting(default=10.0, ge=0)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the bowl and the ripples."""
        return (self.a + x**2 - self.a * m.cos(2 * m.pi * x)).sum(0)


class Levy(Scalable):
    """sin²(πw₁) + Σᵢ (wᵢ − 1)² (1 + 10 sin²(πwᵢ + 1)) + (w_D − 1)² (1 + sin²(2πw_D)).

    With w = 1 + (x − 1)/4 and i < D: ripples on a bowl that is flat along the last axis. Levy and
    Montalvo, "The tunneling algorithm for the global minimization of functions", 1985.

    Attributes:
        dim: dimensions D.
    """

    known = Known(start=(3.0, -2.0), minimizers=((1.0,),), minimum=0.0, window=((-10.0, 10.0),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return terms of the first axis, of all but the last, and of the last."""
        offset = (x - 1) / 4
        w = 1 + offset
        inner = offset[:-1] ** 2 * (1 + 10 * m.sin(m.pi * w[:-1] + 1) ** 2)
        last = offset[-1] ** 2 * (1 + m.sin(2 * m.pi * w[-1]) ** 2)
        return m.sin(m.pi * w[0]) ** 2 + inner.sum(0) + last


class Griewank(Scalable):
    """Σᵢ xᵢ²/4000 − Πᵢ cos(xᵢ/√i) + 1: small ripples, which vanish in many dimensions.

    Griewank, "Generalized descent for global optimization", 1981. Published for −600 to 600, where
    the ripples are invisible; the window shows a few of them.

    Attributes:
        dim: dimensions D.
    """

    known = Known(start=(2.0, -3.0), minimizers=((0.0,),), minimum=0.0, window=((-15.0, 15.0),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the bowl and the ripples."""
        roots = m.column([math.sqrt(i) for i in range(1, self.dim + 1)])
        return (x**2).sum(0) / 4000 - m.cos(x / roots).prod(0) + 1


class Bohachevsky(Formula):
    """x0² + 2 x1² + 0.3 (1 − cos 3πx0) + 0.4 (1 − cos 4πx1): ripples that matter near the minimum.

    Bohachevsky, Johnson and Stein, "Generalized simulated annealing for function optimization",
    1986, the first of three. Published for −100 to 100; the window shows where the ripples are.
    """

    known = Known(start=(1.0, 1.0), minimizers=((0.0, 0.0),), minimum=0.0, window=((-2.0, 2.0),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the bowl and the ripples."""
        u, v = x
        ripples = 0.3 * (1 - m.cos(3 * m.pi * u)) + 0.4 * (1 - m.cos(4 * m.pi * v))
        return u**2 + 2 * v**2 + ripples


class Schwefel(Scalable):
    """−Σᵢ xᵢ sin √|xᵢ|: the deepest well lies far from the next best, at the edge of the domain.

    Schwefel, "Numerical optimization of computer models", 1981, problem 2.26. Outside the domain it
    is unbounded below. At xᵢ = 0 the slope is 0, though plain autograd of the root gives none.

    Attributes:
        dim: dimensions D.
    """

    known = Known(start=(400.0,), minimizers=((420.96874635998205,),), domain=((-500.0, 500.0),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return a sum of waves that grow outward."""
        return -(x * m.sin(m.sqrt(m.abs(x)))).sum(0)

    @property
    def minimum(self) -> float:
        """−418.98 per dimension."""
        return -418.9828872724337 * self.dim


class Michalewicz(Scalable):
    """−Σᵢ sin xᵢ sin^(2m)(i xᵢ²/π), m = steepness: plateaus cut by ever narrower ravines.

    Michalewicz, "Genetic algorithms + data structures = evolution programs", 1992. On the plateaus
    the gradient is almost 0, which is not convergence to the minimum. Outside the domain are
    deeper crossings of ravines.

    Attributes:
        dim: dimensions D.
        steepness: the narrowness of the ravines.
    """

    known = Known(start=(2.0, 1.5), domain=((0.0, math.pi),))
    steepness: Number = setting(default=10.0, ge=1)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the sum over ravines."""
        narrow = m.sin(m.column(range(1, self.dim + 1)) * x**2 / m.pi) ** 2
        return -(m.sin(x) * narrow**self.steepness).sum(0)

    @property
    def _is_published(self) -> bool:
        return self.dim == 2 and bool((self.tensor(self.steepness) == 10).all())

    @property
    def minimizers(self) -> Tensor | None:
        """As published for two dimensions and a steepness of 10; otherwise unknown."""
        return self.tensor([[2.2029055201726093, math.pi / 2]]) if self._is_published else None

    @property
    def minimum(self) -> float | None:
        """As published for two dimensions and a steepness of 10; otherwise unknown."""
        return -1.8013034100985525 if self._is_published else None


class DropWave(Formula):
    """−(1 + cos 12r)/(r²/2 + 2) with r² = x0² + x1²: rings around the minimizer, each a valley.

    Surjanovic and Bingham, "Virtual library of simulation experiments". It is smooth at 0,
    though r itself is not.
    """

    known = Known(start=(0.1, 0.1), minimizers=((0.0, 0.0),), minimum=-1.0, window=((-5.12, 5.12),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return a ripple that fades."""
        square = (x**2).sum(0)
        return -(1 + m.cos_sqrt(144 * square)) / (square / 2 + 2)


class Schaffer2(Formula):
    """½ + (sin²(x0² − x1²) − ½)/(1 + 0.001 (x0² + x1²))²: ever denser ripples, nearly flat.

    Mishra, "Some new test functions for global optimization", 2006, after Schaffer. Published for
    −100 to 100, where the ripples are invisible; the window shows a few of them.
    """

    known = Known(start=(0.5, 0.2), minimizers=((0.0, 0.0),), minimum=0.0, window=((-4.0, 4.0),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return a ripple that fades."""
        u, v = x
        fading = (1 + 0.001 * (u**2 + v**2)) ** 2
        return 0.5 + (m.sin(u**2 - v**2) ** 2 - 0.5) / fading


class Shubert(Formula):
    """Πᵢ Σⱼ j cos((j + 1) xᵢ + j), j ≤ 5: about 760 local minima, of which 18 are global.

    Shubert, "A sequential method seeking the global maximum of a function", 1972; in two
    dimensions Levy and Montalvo 1985. It is periodic; the 18 are those in the domain.
    """

    known = Known(start=(-1.5, -0.8), minimum=-186.73090883102384, domain=((-10.0, 10.0),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the product of two waves."""
        return m.stack([j * m.cos((j + 1) * x + j) for j in range(1, 6)]).sum(0).prod(0)

    @property
    def minimizers(self) -> Tensor:
        """Where one wave is lowest and the other highest."""
        periods = (-2 * math.pi, 0.0, 2 * math.pi)
        lowest = [-1.425128428319761 + period for period in periods]
        highest = [-0.8003211004719731 + period for period in periods]
        pairs = list(itertools.product(lowest, highest))
        return self.tensor(pairs + [(v, u) for u, v in pairs])


class Easom(Formula):
    """−cos x0 cos x1 exp(−(x0 − π)² − (x1 − π)²): a needle on a flat plain.

    Easom, "A survey of global optimization techniques", 1990. Far away the gradient is 0 in
    floating point, so a run converges, but not to the minimum. Published for −100 to 100; the
    window shows the needle.
    """

    known = Known(
        start=(2.0, 2.0),
        minimizers=((math.pi, math.pi),),
        minimum=-1.0,
        window=((-2.0, 8.0),),
    )

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return a wave times a Gaussian."""
        u, v = x
        return -m.cos(u) * m.cos(v) * m.exp(-((u - m.pi) ** 2) - (v - m.pi) ** 2)
