"""Convex functions: one minimizer and no other stationary point; only conditioning is hard."""

import math
from typing import Any

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.functions.closed_form import Formula, Known, Scalable
from gdlab.losses.functions.torch_or_sympy import Mathematics


class Sphere(Scalable):
    """Σᵢ xᵢ²: a round bowl. lr = 0.5 reaches the minimizer in one step.

    Attributes:
        dim: dimensions D.
    """

    known = Known(
        start=(1.0,),
        minimizers=((0.0,),),
        minimum=0.0,
        window=((-2.0, 2.0),),
        curvature=(2.0, 2.0),
    )
    dim: int = setting(default=10, ge=1, le=1_000_000)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the sum of squares."""
        return (x**2).sum(0)


class SumSquares(Scalable):
    """Σᵢ i xᵢ²: each axis is steeper than the one before, so more axes are harder.

    Surjanovic and Bingham, "Virtual library of simulation experiments".

    Attributes:
        dim: dimensions D; the Hessian's eigenvalues run from 2 to 2 D.
    """

    known = Known(start=(1.0,), minimizers=((0.0,),), minimum=0.0, window=((-2.0, 2.0),))
    dim: int = setting(default=10, ge=1, le=1_000_000)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the weighted sum of squares."""
        return (m.column(range(1, self.dim + 1)) * x**2).sum(0)

    @property
    def curvature(self) -> tuple[float, float]:
        """2 and 2 D."""
        return 2.0, 2.0 * self.dim


class Ellipsoid(Scalable):
    """Σᵢ condition^((i−1)/(D−1)) xᵢ²: axis lengths spaced evenly on a logarithmic scale.

    Hansen et al., "Real-parameter black-box optimization benchmarking: noiseless functions", 2009,
    function 2, without its transformations.

    Attributes:
        dim: dimensions D.
        condition: the condition number of the Hessian, whose smallest eigenvalue is 2.
    """

    known = Known(start=(1.0,), minimizers=((0.0,),), minimum=0.0, window=((-2.0, 2.0),))
    dim: int = setting(default=10, ge=1, le=1_000_000)
    condition: Number = setting(default=1e6, ge=1)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the weighted sum of squares."""
        t = m.column([i / max(self.dim - 1, 1) for i in range(self.dim)])
        return (self.condition**t * x**2).sum(0)

    @property
    def curvature(self) -> tuple[Number, Number]:
        """2 and twice the condition number."""
        return 2.0, 2.0 * (self.condition if self.dim > 1 else 1.0)


class RotatedQuadratic(Formula):
    """(κ + 1)/4 (x0² + x1²) − (κ − 1)/2 x0 x1, κ = condition: a bowl at 45° to the axes.

    The Hessian has the eigenvalue 1 along (1, 1) and κ along (1, −1), so that scaling single
    coordinates does not help. In more dimensions, use `Quadratic` with `transform.rotation`.

    Attributes:
        condition: the largest eigenvalue of the Hessian; the smallest is 1.
    """

    known = Known(start=(2.0, -1.0), minimizers=((0.0, 0.0),), minimum=0.0, window=((-3.0, 3.0),))
    condition: Number = setting(default=25.0, ge=1)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the quadratic form."""
        u, v = x
        k = self.condition
        return (k + 1) / 4 * (u**2 + v**2) - (k - 1) / 2 * u * v

    @property
    def curvature(self) -> tuple[Number, Number]:
        """1 and the condition number."""
        return 1.0, self.condition


class Booth(Formula):
    """(x0 + 2 x1 − 7)² + (2 x0 + x1 − 5)²: the least-squares intersection of two lines.

    Booth, "An automatic computer for solving equations", 1957; Jamil and Yang 2013, function 17.
    """

    known = Known(
        start=(0.0, 0.0),
        minimizers=((1.0, 3.0),),
        minimum=0.0,
        window=((-10.0, 10.0),),
        curvature=(2.0, 18.0),
    )

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the sum of two squares."""
        u, v = x
        return (u + 2 * v - 7) ** 2 + (2 * u + v - 5) ** 2


class Matyas(Formula):
    """0.26 (x0² + x1²) − 0.48 x0 x1: a nearly flat plate, slow along its diagonal.

    Jamil and Yang, "A literature survey of benchmark functions", 2013, function 71.
    """

    known = Known(
        start=(5.0, -3.0),
        minimizers=((0.0, 0.0),),
        minimum=0.0,
        window=((-10.0, 10.0),),
        curvature=(0.04, 1.0),
    )

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the quadratic form."""
        u, v = x
        return 0.26 * (u**2 + v**2) - 0.48 * u * v


class Nesterov(Scalable):
    """(x0² + Σᵢ (xᵢ − xᵢ₊₁)² + x_D₋₁²)/2 − x0: information travels one link per step.

    No first-order method can be fast on it before D/2 steps. Nesterov, "Introductory lectures
    on convex optimization", 2004, section 2.1.2, with L = 4.

    Attributes:
        dim: dimensions D, the number of links.
    """

    known = Known(start=(0.0,), window=((-0.5, 1.5),))
    dim: int = setting(default=10, ge=1, le=1_000_000)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return half a sum of squares minus the pull on the first link."""
        links = ((x[:-1] - x[1:]) ** 2).sum(0)
        return (x[0] ** 2 + links + x[-1] ** 2) / 2 - x[0]

    @property
    def minimizers(self) -> Tensor:
        """Coordinates on a straight line from 1 − 1/(D + 1) to 1/(D + 1)."""
        n = self.dim
        return self.tensor([[1 - i / (n + 1) for i in range(1, n + 1)]])

    @property
    def minimum(self) -> float:
        """−D/(2 D + 2)."""
        return -self.dim / (2 * (self.dim + 1))

    @property
    def curvature(self) -> tuple[float, float]:
        """2 − 2 cos(kπ/(D + 1)) for k = 1 and k = D."""
        return _chain_eigenvalues(self.dim)


class Trid(Scalable):
    """Σᵢ (xᵢ − 1)² − Σᵢ xᵢ xᵢ₋₁: a chain with a distant minimizer, up to about D²/4.

    Surjanovic and Bingham, "Virtual library of simulation experiments".

    Attributes:
        dim: dimensions D.
    """

    known = Known(start=(0.0,))
    dim: int = setting(default=6, ge=1, le=1_000_000)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return squares minus the products of neighbors."""
        return ((x - 1) ** 2).sum(0) - (x[1:] * x[:-1]).sum(0)

    @property
    def minimizers(self) -> Tensor:
        """The coordinates i (D + 1 − i) for i from 1 to D."""
        n = self.dim
        return self.tensor([[float(i * (n + 1 - i)) for i in range(1, n + 1)]])

    @property
    def minimum(self) -> float:
        """−D (D + 4) (D − 1)/6."""
        return -self.dim * (self.dim + 4) * (self.dim - 1) / 6

    @property
    def window(self) -> Tensor:
        """−D² to D² along each axis."""
        side = float(self.dim**2)
        return self.tensor([-side, side]).expand(self.dim, 2)

    @property
    def curvature(self) -> tuple[float, float]:
        """2 − 2 cos(kπ/(D + 1)) for k = 1 and k = D."""
        return _chain_eigenvalues(self.dim)


def _chain_eigenvalues(n: int) -> tuple[float, float]:
    """Return the extreme eigenvalues of the n × n matrix with rows … −1, 2, −1 …."""
    return 4 * math.sin(math.pi / (2 * (n + 1))) ** 2, 4 * math.cos(math.pi / (2 * (n + 1))) ** 2


class Hilbert(Scalable):
    """½ Σᵢⱼ xᵢ xⱼ/(i + j − 1): the condition number grows like e^(3.5 D), 476607 for D = 5.

    Hilbert, "Ein Beitrag zur Theorie des Legendre'schen Polynoms", 1894; CUTEst, HILBERTA.

    Attributes:
        dim: dimensions D.
    """

    known = Known(start=(1.0,), minimizers=((0.0,),), minimum=0.0, window=((-2.0, 2.0),))
    dim: int = setting(default=5, ge=1, le=100)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the quadratic form, row by row."""
        n = self.dim
        rows = (x[i] * (x / m.column(range(i + 1, i + n + 1))).sum(0) for i in range(n))
        return sum(rows) / 2

    @property
    def curvature(self) -> tuple[float, float]:
        """The extreme eigenvalues, as accurately as rounding allows."""
        i = torch.arange(self.dim, dtype=torch.float64)
        eigenvalues = torch.linalg.eigvalsh(1 / (i[:, None] + i + 1))
        return float(eigenvalues[0].clamp(min=0)), float(eigenvalues[-1])


class Zakharov(Scalable):
    """Σ xᵢ² + s² + s⁴ with s = Σ i xᵢ/2: quartic along one direction, so steeper farther out.

    Surjanovic and Bingham, "Virtual library of simulation experiments".

    Attributes:
        dim: dimensions D.
    """

    known = Known(start=(1.0,), minimizers=((0.0,),), minimum=0.0, window=((-5.0, 10.0),))
    dim: int = setting(default=5, ge=1, le=1_000_000)

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return squares, and powers of the weighted sum."""
        s = (m.column(range(1, self.dim + 1)) * x).sum(0) / 2
        return (x**2).sum(0) + s**2 + s**4


class LogSumExp(Formula):
    """e^(x0 + 3 x1 − 0.1) + e^(x0 − 3 x1 − 0.1) + e^(−x0 − 0.1): convex, not quadratic.

    The example of descent methods in Boyd and Vandenberghe, "Convex optimization", 2004, equation
    9.20.
    """

    known = Known(
        start=(-1.0, 0.7),
        minimizers=((-math.log(2) / 2, 0.0),),
        minimum=2 * math.sqrt(2) * math.exp(-0.1),
        window=((-2.0, 1.0), (-1.0, 1.0)),
    )

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the sum of three exponentials."""
        u, v = x
        return m.exp(u + 3 * v - 0.1) + m.exp(u - 3 * v - 0.1) + m.exp(-u - 0.1)
