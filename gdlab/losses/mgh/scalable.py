"""Problems 20 to 27 of Moré, Garbow and Hillstrom: any number of dimensions.

Here indices start at 1, and D is the number of dimensions. Minimizers without a closed form are
known for the dimensions in `tables`.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from gdlab.fields.declared import setting
from gdlab.losses.functions.closed_form import Known
from gdlab.losses.functions.torch_or_sympy import Mathematics
from gdlab.losses.mgh import tables
from gdlab.losses.mgh.base import ONES, ZEROS, ScalableSquares, known_from_table, one_to


class Watson(ScalableSquares):
    """p′(t) − p(t)² = 1 at t = i/29, i = 1 … 29, p(t) = Σⱼ xⱼ tʲ⁻¹; x₁ = 0 and x₂ = x₁² + 1.

    Hard: powers of t are nearly dependent; in 12 dimensions the curvatures differ by 10¹⁴.
    Moré, Garbow, Hillstrom 1981, problem 20.

    Attributes:
        dim: dimensions D, 2 to 31; the minimum is known for 6, 9 and 12.
    """

    dim: int = setting(default=6, ge=2, le=31)

    def known_in(self, n: int) -> Known:
        """Return what the table says; the start is the origin."""
        return known_from_table(tables.WATSON, n, start=(0.0,), window=((-2.0, 2.0),))

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the differential equation at 29 points, and two more equations."""
        t, k = np.arange(1, 30)[:, None] / 29, np.arange(self.dim)
        p = (m.column(t**k) * x).sum(1)
        slope = (m.column(k[1:] * t ** k[:-1]) * x[1:]).sum(1)
        return m.concat((slope - p**2 - 1, m.stack((x[0], x[1] - x[0] ** 2 - 1))))


class ExtendedRosenbrock(ScalableSquares):
    """10 (x₂ᵢ − x₂ᵢ₋₁²) and 1 − x₂ᵢ₋₁, i = 1 … D/2: Rosenbrock's valley in each pair.

    Hard: as in two dimensions, in all pairs at once; unlike in `Rosenbrock`, pairs are independent.
    Moré, Garbow, Hillstrom 1981, problem 21.

    Attributes:
        dim: dimensions D, a multiple of 2.
    """

    multiple = 2

    def known_in(self, n: int) -> Known:
        """Return the values for a pair, which are repeated."""
        window = (-2.0, 2.0), (-1.0, 3.0)
        return Known(start=(-1.2, 1.0), minimizers=ONES, minimum=0.0, window=window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return two terms per pair."""
        return m.concat((10 * (x[1::2] - x[::2] ** 2), 1 - x[::2]))


class ExtendedPowell(ScalableSquares):
    """Powell's singular function in each group of four coordinates.

    Hard: the Hessian is singular at the minimizer, so gradient descent is sublinear.
    Moré, Garbow, Hillstrom 1981, problem 22.

    Attributes:
        dim: dimensions D, a multiple of 4.
    """

    multiple = 4
    dim: int = setting(default=12, ge=4, le=1_000_000)

    def known_in(self, n: int) -> Known:
        """Return the values for a pair, which are repeated."""
        start, window = (3.0, -1.0, 0.0, 1.0), ((-4.0, 4.0),)
        return Known(start=start, minimizers=ZEROS, minimum=0.0, window=window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return four terms per group."""
        a, b, c, d = (x[k::4] for k in range(4))
        squares = (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2
        return m.concat((a + 10 * b, 5**0.5 * (c - d), *squares))


class Penalty1(ScalableSquares):
    """√10⁻⁵ (xᵢ − 1), i = 1 … D, and Σⱼ xⱼ² − ¼: the point of a sphere nearest to (1, …, 1).

    Hard: steep across the sphere, nearly flat along it.
    Moré, Garbow, Hillstrom 1981, problem 23.

    Attributes:
        dim: dimensions D.
    """

    def known_in(self, n: int) -> Known:
        """Return a minimizer whose coordinates all are the greatest root of a cubic polynomial."""
        a = Decimal("1e-5")
        t = _root(
            lambda t: a * (t - 1) + 2 * t * (n * t * t - Decimal("0.25")),
            lambda t: a + 6 * n * t * t - Decimal("0.5"),
            near=1 / (2 * Decimal(n).sqrt()),
        )
        return Known(
            start=one_to(n).tolist(),
            minimizers=((float(t),),),
            minimum=float(a * n * (t - 1) ** 2 + (n * t * t - Decimal("0.25")) ** 2),
            window=[(-1.0, j + 1.0) for j in range(1, n + 1)],
        )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return D small terms and one for the sphere."""
        return m.concat((1e-5**0.5 * (x - 1), m.stack(((x**2).sum(0) - 0.25,))))


class Penalty2(ScalableSquares):
    """x₁ − 0.2, Σⱼ (D − j + 1) xⱼ² − 1, and √10⁻⁵ times two terms for each i = 2 … D.

    The two are exp(xᵢ/10) + exp(xᵢ₋₁/10) − exp(i/10) − exp((i−1)/10) and exp(xᵢ/10) − exp(−1/10).

    Hard: steep across an ellipsoid, nearly flat along it; curvatures differ by 10⁷.
    Moré, Garbow, Hillstrom 1981, problem 24.

    Attributes:
        dim: dimensions D, at least 2; the minimum is known for 4 and 10.
    """

    dim: int = setting(default=10, ge=2, le=1_000_000)

    def known_in(self, n: int) -> Known:
        """Return what the table says; the start is ½."""
        return known_from_table(tables.PENALTY2, n, start=(0.5,), window=((-1.0, 1.0),))

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return a term of the first coordinate, one for the ellipsoid and 2 (D − 1) small ones."""
        j, root = one_to(self.dim), 1e-5**0.5
        e, y = m.exp(x / 10), m.column(np.exp(j[1:] / 10) + np.exp(j[:-1] / 10))
        small = root * (e[1:] + e[:-1] - y), root * (e[1:] - np.exp(-0.1).item())
        on_ellipsoid = (m.column(j[::-1]) * x**2).sum(0) - 1
        return m.concat((m.stack((x[0] - 0.2, on_ellipsoid)), *small))


class VariablyDimensioned(ScalableSquares):
    """xᵢ − 1, i = 1 … D, with s = Σⱼ j (xⱼ − 1) and s².

    Hard: quartic along one direction, in which the start is far away.
    Moré, Garbow, Hillstrom 1981, problem 25.

    Attributes:
        dim: dimensions D.
    """

    def known_in(self, n: int) -> Known:
        """Return what is known; the start is 1 − j / D."""
        start, window = (1 - one_to(n) / n).tolist(), ((-1.0, 2.0),)
        return Known(start=start, minimizers=ONES, minimum=0.0, window=window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return D linear terms, a sum and its square."""
        s = (m.column(one_to(self.dim)) * (x - 1)).sum(0)
        return m.concat((x - 1, m.stack((s, s**2))))


class Trigonometric(ScalableSquares):
    """Σⱼ (1 − cos xⱼ) + i (1 − cos xᵢ) − sin xᵢ, i = 1 … D; 1 − cos x is 2 sin²(x/2) here.

    Hard: most runs from the start end in a local minimum, of 2.8e-5 in 10 dimensions.
    Moré, Garbow, Hillstrom 1981, problem 26.

    Attributes:
        dim: dimensions D.
    """

    def known_in(self, n: int) -> Known:
        """Return one of the minimizers, which repeat with period 2π; the start is 1 / D."""
        window = ((-0.5, 0.5),)
        return Known(start=(1 / n,), minimizers=ZEROS, minimum=0.0, window=window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return D terms that share a sum."""
        versine = 2 * m.sin(x / 2) ** 2  # the difference 1 − cos x would lose digits
        return versine.sum(0) + m.column(one_to(self.dim)) * versine - m.sin(x)


class BrownAlmostLinear(ScalableSquares):
    """xᵢ + Σⱼ xⱼ − (D + 1), i = 1 … D − 1, and Πⱼ xⱼ − 1.

    Hard: one equation is not linear; at (0, …, 0, D + 1) the value is 1 and the gradient 0.
    Moré, Garbow, Hillstrom 1981, problem 27.

    Attributes:
        dim: dimensions D, at least 2.
    """

    dim: int = setting(default=10, ge=2, le=1_000_000)

    def known_in(self, n: int) -> Known:
        """Return minimizers (a, …, a, a¹⁻ᴰ) with a root a of D aᴰ − (D + 1) aᴰ⁻¹ + 1."""
        near = [1 - Decimal(2) / n**2, *[Decimal(-1)] * (n % 2)]
        roots = [
            _root(
                lambda a: n * a**n - (n + 1) * a ** (n - 1) + 1,
                lambda a: n * n * a ** (n - 1) - (n * n - 1) * a ** (n - 2),
                near=a,
            )
            for a in near
        ]
        further = [[float(a)] * (n - 1) + [float(a ** (1 - n))] for a in roots]
        minimizers, window = [[1.0] * n, *further], ((-0.5, 2.0),)
        return Known(start=(0.5,), minimizers=minimizers, minimum=0.0, window=window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return D − 1 linear terms, and the product."""
        linear = x[:-1] + x.sum(0) - (self.dim + 1)
        # torch's `prod` takes another path if any point of a batch has a zero; products of halves
        # do not, so a row keeps its bits in any batch.
        while len(x) > 1:
            half = len(x) // 2
            x = m.concat((x[:half] * x[half : 2 * half], x[2 * half :]))
        return m.concat((linear, x - 1))


def _root(
    function: Callable[[Decimal], Decimal], slope: Callable[[Decimal], Decimal], near: Decimal
) -> Decimal:
    """Return a root by Newton's method, to 24 digits."""
    for _ in range(100):
        step = function(near) / slope(near)
        near -= step
        if abs(step) <= Decimal("1e-24") * abs(near):
            break
    return near
