"""Problems 28 to 35 of Moré, Garbow and Hillstrom: systems of as many equations as asked for.

Indices start at 1 in what follows, and D is the number of dimensions. Minimizers without closed
form are known in the dimensions of `tables`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gdlab.errors import SettingError
from gdlab.fields.declared import setting
from gdlab.losses.functions.closed_form import Known
from gdlab.losses.functions.torch_or_sympy import Mathematics
from gdlab.losses.mgh import tables
from gdlab.losses.mgh.base import ScalableSquares, counting, tabled


class DiscreteBoundary(ScalableSquares):
    """2xᵢ − xᵢ₋₁ − xᵢ₊₁ + h² (xᵢ + tᵢ + 1)³ / 2, tᵢ = i h, h = 1 / (D + 1), 0 beyond the ends.

    Hard: the condition number grows with D².
    Moré, Garbow, Hillstrom 1981, problem 28.

    Attributes:
        dim: dimensions D; the minimizer is known for 10.
    """

    def known_in(self, n: int) -> Known:
        """From tⱼ (tⱼ − 1)."""
        return _solvable(tables.DISCRETE_BOUNDARY, n, _bow(n), ((-0.5, 0.5),))

    def terms(self, m: Mathematics, x: Any) -> Any:
        """The differential equation at D places."""
        before, after = _neighbours(m, x)
        h, t = 1 / (self.dim + 1), m.column(_places(self.dim))
        return 2 * x - before - after + h**2 / 2 * (x + t + 1) ** 3


class DiscreteIntegral(ScalableSquares):
    """xᵢ + h/2 [(1 − tᵢ) Σⱼ≤ᵢ tⱼ cⱼ + tᵢ Σⱼ>ᵢ (1 − tⱼ) cⱼ], cⱼ = (xⱼ + tⱼ + 1)³.

    Here tᵢ = i h and h = 1 / (D + 1).

    Hard: not at all, though every coordinate meets all others; the condition number is 1.7.
    Moré, Garbow, Hillstrom 1981, problem 29.

    Attributes:
        dim: dimensions D; the minimizer is known for 10.
    """

    def known_in(self, n: int) -> Known:
        """From tⱼ (tⱼ − 1)."""
        return _solvable(tables.DISCRETE_INTEGRAL, n, _bow(n), ((-0.5, 0.5),))

    def terms(self, m: Mathematics, x: Any) -> Any:
        """The integral equation at D places."""
        t = m.column(_places(self.dim))
        cubes = (x + t + 1) ** 3
        up_to, weighted = (t * cubes).cumsum(0), (1 - t) * cubes
        beyond = weighted.sum(0) - weighted.cumsum(0)
        return x + ((1 - t) * up_to + t * beyond) / (2 * (self.dim + 1))


class BroydenTridiagonal(ScalableSquares):
    """(3 − 2xᵢ) xᵢ − xᵢ₋₁ − 2xᵢ₊₁ + 1, i = 1 … D, 0 beyond the ends.

    Hard: there are local minima around; from the start it is well conditioned.
    Moré, Garbow, Hillstrom 1981, problem 30.

    Attributes:
        dim: dimensions D; the minimizer is known for 10.
    """

    def known_in(self, n: int) -> Known:
        """From −1."""
        return _solvable(tables.BROYDEN_TRIDIAGONAL, n, (-1.0,), ((-2.0, 1.0),))

    def terms(self, m: Mathematics, x: Any) -> Any:
        """D equations, each of three coordinates."""
        before, after = _neighbours(m, x)
        return (3 - 2 * x) * x - before - 2 * after + 1


class BroydenBanded(ScalableSquares):
    """xᵢ (2 + 5xᵢ²) + 1 − Σⱼ xⱼ (1 + xⱼ), j from i − 5 to i + 1 without i, as far as there are.

    Hard: of sixth order, so that a step too large never comes back; well conditioned at the end.
    Moré, Garbow, Hillstrom 1981, problem 31.

    Attributes:
        dim: dimensions D; the minimizer is known for 10.
    """

    def known_in(self, n: int) -> Known:
        """From −1."""
        return _solvable(tables.BROYDEN_BANDED, n, (-1.0,), ((-1.5, 0.5),))

    def terms(self, m: Mathematics, x: Any) -> Any:
        """D equations, each of seven coordinates."""
        n, g = self.dim, x * (1 + x)
        zero = 0 * g[:1]
        padded = m.concat((*[zero] * 5, g, zero))
        return x * (2 + 5 * x**2) + 1 - sum(padded[k : k + n] for k in (0, 1, 2, 3, 4, 6))


class LinearSquares(ScalableSquares):
    """A linear least squares problem. Subclasses define `terms` and `known_in`.

    Attributes:
        dim: dimensions D.
        equations: how many equations M there are; None for 2 D.
    """

    equations: int | None = setting(default=None, ge=1, le=1_000_000)

    @property
    def count(self) -> int:
        """The number of equations."""
        return 2 * self.dim if self.equations is None else self.equations


class LinearFull(LinearSquares):
    """xᵢ − 2/M Σⱼ xⱼ − 1, i = 1 … D, and M − D times −2/M Σⱼ xⱼ − 1.

    Hard: not at all: the Hessian is 2 I, and lr = 0.5 lands in one step.
    Moré, Garbow, Hillstrom 1981, problem 32.

    Attributes:
        dim: dimensions D.
        equations: how many equations M there are, at least D; None for 2 D.
    """

    def __post_init__(self) -> None:
        """Check that there are enough equations."""
        super().__post_init__()
        if self.count < self.dim:
            raise SettingError(f"equations={self.count}: must be at least {self.dim}, as dim is")

    def known_in(self, n: int) -> Known:
        """From the ones to the minus ones."""
        minimum, window = float(self.count - n), ((-2.0, 2.0),)
        return Known(start=(1.0,), minimizers=((-1.0,),), minimum=minimum, window=window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Those with a coordinate of their own, and the rest."""
        shared = -2 / self.count * x.sum(0) - 1
        return m.concat((x + shared, m.column([1] * (self.count - self.dim)) * shared))


class LinearRank1(LinearSquares):
    """i Σⱼ j xⱼ − 1, i = 1 … M.

    Hard: flat in all directions but one, in which the curvature is 2.2e6 for D = 10, M = 20.
    Where Σⱼ j xⱼ = 3 / (2M + 1) all points are minimizers; listed is the one nearest to the start.
    Moré, Garbow, Hillstrom 1981, problem 33.

    Attributes:
        dim: dimensions D.
        equations: how many equations M there are; None for 2 D.
    """

    def known_in(self, n: int) -> Known:
        """From the ones, straight onto the plane of the minimizers."""
        k = self.count
        minimizers = (_nearest(range(1, n + 1), 3, 2 * k + 1),)
        minimum, window = k * (k - 1) / (4 * k + 2), ((-2.0, 2.0),)
        return Known(start=(1.0,), minimizers=minimizers, minimum=minimum, window=window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Multiples of one sum."""
        return m.column(counting(self.count)) * (m.column(counting(self.dim)) * x).sum(0) - 1


class LinearRank1Zero(LinearSquares):
    """(i − 1) Σⱼ j xⱼ − 1, i = 2 … M − 1, j = 2 … D − 1, and −1 twice.

    Hard: flat in all directions but one, and the ends of x do not occur at all.
    Where Σⱼ j xⱼ = 3 / (2M − 3) all points are minimizers; listed is the one nearest to the start.
    Moré, Garbow, Hillstrom 1981, problem 34.

    Attributes:
        dim: dimensions D, at least 3.
        equations: how many equations M there are, at least 3; None for 2 D.
    """

    dim: int = setting(default=10, ge=3, le=1_000_000)
    equations: int | None = setting(default=None, ge=3, le=1_000_000)

    def known_in(self, n: int) -> Known:
        """From the ones, straight onto the plane of the minimizers."""
        k = self.count
        minimizers = (_nearest([0, *range(2, n), 0], 3, 2 * k - 3),)
        minimum, window = (k * k + 3 * k - 6) / (4 * k - 6), ((-2.0, 2.0),)
        return Known(start=(1.0,), minimizers=minimizers, minimum=minimum, window=window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Multiples of one sum, none at the ends."""
        total = (m.column(range(2, self.dim)) * x[1:-1]).sum(0)
        return m.column([0, *range(1, self.count - 1), 0]) * total - 1


class Chebyquad(ScalableSquares):
    """Mean over j of Tᵢ(2xⱼ − 1), less the integral of Tᵢ(2x − 1) over [0, 1], i = 1 … D.

    Tᵢ are Chebyshev's polynomials, so that the points xⱼ make a quadrature rule of equal weights.

    Hard: many local minima, and grows with the 2D-th power outside [0, 1]. Coordinates that trade
    places are as good, and so is 1 − x; listed are the minimizers in increasing order.
    Moré, Garbow, Hillstrom 1981, problem 35; for D = 10 the paper's 6.50e-3 is a local minimum.

    Attributes:
        dim: dimensions D; the minimum is known for 7, 8 and 10.
    """

    dim: int = setting(default=8, ge=1, le=1000)

    def known_in(self, n: int) -> Known:
        """What the table says, from evenly spaced points."""
        known = tabled(tables.CHEBYQUAD, n, start=_places(n).tolist(), window=((0.0, 1.0),))
        if known.minimizers is None:
            return known
        mirrored = [1 - value for value in reversed(known.minimizers[0])]
        is_other = not np.allclose(mirrored, known.minimizers[0], rtol=0, atol=1e-12)
        both = [*known.minimizers, *[mirrored] * is_other]
        return Known(known.start, both, known.minimum, known.window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """What the rule misses of each polynomial's integral."""
        n, y = self.dim, 2 * x - 1
        polynomials = [0 * y + 1, y]
        while len(polynomials) <= n:
            polynomials.append(2 * y * polynomials[-1] - polynomials[-2])
        means = m.stack([p.sum(0) / n for p in polynomials[1:]])
        return means + m.column([1 / (i * i - 1) if i % 2 == 0 else 0 for i in range(1, n + 1)])


def _solvable(
    table: Mapping[int, Sequence[float]], n: int, start: Sequence[float], window: Any
) -> Known:
    """What is known of equations that have a solution, with it where the table has it."""
    minimizers = (table[n],) if n in table else None
    return Known(start=start, minimizers=minimizers, minimum=0.0, window=window)


def _places(n: int) -> np.ndarray:
    """The places j / (n + 1), j = 1 … n."""
    return counting(n) / (n + 1)


def _bow(n: int) -> list[float]:
    """The values t (t − 1) at the n places t."""
    t = _places(n)
    return (t * (t - 1)).tolist()


def _neighbours(m: Mathematics, x: Any) -> tuple[Any, Any]:
    """The coordinates (D, ...) before and after each, 0 beyond the ends."""
    zero = 0 * x[:1]
    return m.concat((zero, x[:-1])), m.concat((x[1:], zero))


def _nearest(weights: Sequence[int], top: int, bottom: int) -> list[float]:
    """The point with Σⱼ weightⱼ xⱼ = top / bottom that is nearest to the ones, rounded once."""
    up = top - bottom * sum(weights)
    down = bottom * sum(weight * weight for weight in weights)
    return [(down + weight * up) / down for weight in weights]
