"""Problems 28 to 35 of Moré, Garbow and Hillstrom: systems of any number of equations.

Here indices start at 1, and D is the number of dimensions. Minimizers without a closed form are
known for the dimensions in `tables`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gdlab.errors import SettingError
from gdlab.fields.declared import setting
from gdlab.losses.functions.closed_form import Known
from gdlab.losses.functions.torch_or_sympy import Mathematics
from gdlab.losses.mgh import tables
from gdlab.losses.mgh.base import ScalableSquares, known_from_table, one_to


class DiscreteBoundary(ScalableSquares):
    """2xᵢ − xᵢ₋₁ − xᵢ₊₁ + h² (xᵢ + tᵢ + 1)³ / 2, tᵢ = i h, h = 1 / (D + 1), 0 beyond both ends.

    Hard: the condition number grows with D².
    Moré, Garbow, Hillstrom 1981, problem 28.

    Attributes:
        dim: dimensions D; the minimizer is known for 10.
    """

    def known_in(self, n: int) -> Known:
        """Return what is known; the start is tⱼ (tⱼ − 1)."""
        return _known_solution(tables.DISCRETE_BOUNDARY, n, _grid_parabola(n), ((-0.5, 0.5),))

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the differential equation at D points."""
        before, after = _neighbors(m, x)
        h, t = 1 / (self.dim + 1), m.column(_grid(self.dim))
        return 2 * x - before - after + h**2 / 2 * (x + t + 1) ** 3


class DiscreteIntegral(ScalableSquares):
    """xᵢ + h/2 [(1 − tᵢ) Σⱼ≤ᵢ tⱼ cⱼ + tᵢ Σⱼ>ᵢ (1 − tⱼ) cⱼ], cⱼ = (xⱼ + tⱼ + 1)³.

    Here tᵢ = i h and h = 1 / (D + 1).

    Easy, though every coordinate interacts with all others; the condition number is 1.7.
    Moré, Garbow, Hillstrom 1981, problem 29.

    Attributes:
        dim: dimensions D; the minimizer is known for 10.
    """

    def known_in(self, n: int) -> Known:
        """Return what is known; the start is tⱼ (tⱼ − 1)."""
        return _known_solution(tables.DISCRETE_INTEGRAL, n, _grid_parabola(n), ((-0.5, 0.5),))

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the integral equation at D points."""
        t = m.column(_grid(self.dim))
        cubes = (x + t + 1) ** 3
        up_to, weighted = (t * cubes).cumsum(0), (1 - t) * cubes
        beyond = weighted.sum(0) - weighted.cumsum(0)
        return x + ((1 - t) * up_to + t * beyond) / (2 * (self.dim + 1))


class BroydenTridiagonal(ScalableSquares):
    """(3 − 2xᵢ) xᵢ − xᵢ₋₁ − 2xᵢ₊₁ + 1, i = 1 … D, 0 beyond both ends.

    Hard: there are local minima nearby; from the start it is well conditioned.
    Moré, Garbow, Hillstrom 1981, problem 30.

    Attributes:
        dim: dimensions D; the minimizer is known for 10.
    """

    def known_in(self, n: int) -> Known:
        """Return what is known; the start is −1."""
        return _known_solution(tables.BROYDEN_TRIDIAGONAL, n, (-1.0,), ((-2.0, 1.0),))

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return D equations, each in three coordinates."""
        before, after = _neighbors(m, x)
        return (3 - 2 * x) * x - before - 2 * after + 1


class BroydenBanded(ScalableSquares):
    """xᵢ (2 + 5xᵢ²) + 1 − Σⱼ xⱼ (1 + xⱼ), j from i − 5 to i + 1 except i, within 1 … D.

    Hard: of sixth order, so a run does not recover from too large a step; well conditioned near
    the minimizer.
    Moré, Garbow, Hillstrom 1981, problem 31.

    Attributes:
        dim: dimensions D; the minimizer is known for 10.
    """

    def known_in(self, n: int) -> Known:
        """Return what is known; the start is −1."""
        return _known_solution(tables.BROYDEN_BANDED, n, (-1.0,), ((-1.5, 0.5),))

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return D equations, each in seven coordinates."""
        n, g = self.dim, x * (1 + x)
        zero = 0 * g[:1]
        padded = m.concat((*[zero] * 5, g, zero))
        return x * (2 + 5 * x**2) + 1 - sum(padded[k : k + n] for k in (0, 1, 2, 3, 4, 6))


class LinearSquares(ScalableSquares):
    """A linear least-squares problem. Subclasses define `terms` and `known_in`.

    Attributes:
        dim: dimensions D.
        equations: the number of equations M; None for 2 D.
    """

    equations: int | None = setting(default=None, ge=1, le=1_000_000)

    @property
    def count(self) -> int:
        """The number of equations."""
        return 2 * self.dim if self.equations is None else self.equations


class LinearFull(LinearSquares):
    """xᵢ − 2/M Σⱼ xⱼ − 1, i = 1 … D, and M − D times −2/M Σⱼ xⱼ − 1.

    Easy: the Hessian is 2 I, and lr = 0.5 reaches the minimizer in one step.
    Moré, Garbow, Hillstrom 1981, problem 32.

    Attributes:
        dim: dimensions D.
        equations: the number of equations M, at least D; None for 2 D.
    """

    def __post_init__(self) -> None:
        """Check that there are enough equations."""
        super().__post_init__()
        if self.count < self.dim:
            raise SettingError(f"equations={self.count}: must be at least dim={self.dim}")

    def known_in(self, n: int) -> Known:
        """Return what is known: from (1, …, 1) to (−1, …, −1)."""
        minimum, window = float(self.count - n), ((-2.0, 2.0),)
        return Known(start=(1.0,), minimizers=((-1.0,),), minimum=minimum, window=window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the terms with one coordinate and a sum, then those with the sum only."""
        shared = -2 / self.count * x.sum(0) - 1
        return m.concat((x + shared, m.column([1] * (self.count - self.dim)) * shared))


class LinearRank1(LinearSquares):
    """i Σⱼ j xⱼ − 1, i = 1 … M.

    Hard: flat in all directions but one, in which the curvature is 2.2e6 for D = 10, M = 20.
    Where Σⱼ j xⱼ = 3 / (2M + 1) all points are minimizers; the one nearest to the start is listed.
    Moré, Garbow, Hillstrom 1981, problem 33.

    Attributes:
        dim: dimensions D.
        equations: the number of equations M; None for 2 D.
    """

    def known_in(self, n: int) -> Known:
        """Return the projection of the start (1, …, 1) onto the plane of minimizers."""
        k = self.count
        minimizers = (_nearest(range(1, n + 1), 3, 2 * k + 1),)
        minimum, window = k * (k - 1) / (4 * k + 2), ((-2.0, 2.0),)
        return Known(start=(1.0,), minimizers=minimizers, minimum=minimum, window=window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return multiples of one sum."""
        return m.column(one_to(self.count)) * (m.column(one_to(self.dim)) * x).sum(0) - 1


class LinearRank1Zero(LinearSquares):
    """(i − 1) Σⱼ j xⱼ − 1, i = 2 … M − 1, j = 2 … D − 1, and −1 twice.

    Hard: flat in all directions but one, and the first and last coordinate do not occur.
    Where Σⱼ j xⱼ = 3 / (2M − 3) all points are minimizers; the one nearest to the start is listed.
    Moré, Garbow, Hillstrom 1981, problem 34.

    Attributes:
        dim: dimensions D, at least 3.
        equations: the number of equations M, at least 3; None for 2 D.
    """

    dim: int = setting(default=10, ge=3, le=1_000_000)
    equations: int | None = setting(default=None, ge=3, le=1_000_000)

    def known_in(self, n: int) -> Known:
        """Return the projection of the start (1, …, 1) onto the plane of minimizers."""
        k = self.count
        minimizers = (_nearest([0, *range(2, n), 0], 3, 2 * k - 3),)
        minimum, window = (k * k + 3 * k - 6) / (4 * k - 6), ((-2.0, 2.0),)
        return Known(start=(1.0,), minimizers=minimizers, minimum=minimum, window=window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return multiples of one sum, with 0 for the first and the last."""
        total = (m.column(range(2, self.dim)) * x[1:-1]).sum(0)
        return m.column([0, *range(1, self.count - 1), 0]) * total - 1


class Chebyquad(ScalableSquares):
    """Mean over j of Tᵢ(2xⱼ − 1), less the integral of Tᵢ(2x − 1) over [0, 1], i = 1 … D.

    Tᵢ are the Chebyshev polynomials: the points xⱼ form a quadrature rule with equal weights.

    Hard: many local minima, and growth with the 2D-th power outside [0, 1]. Permutations of a
    minimizer and 1 − x are minimizers too; those in increasing order are listed.
    Moré, Garbow, Hillstrom 1981, problem 35; for D = 10 the paper's 6.50e-3 is a local minimum.

    Attributes:
        dim: dimensions D; the minimum is known for 7, 8 and 10.
    """

    dim: int = setting(default=8, ge=1, le=1000)

    def known_in(self, n: int) -> Known:
        """Return what the table says; the start is evenly spaced."""
        known = known_from_table(tables.CHEBYQUAD, n, start=_grid(n).tolist(), window=((0.0, 1.0),))
        if known.minimizers is None:
            return known
        mirrored = [1 - value for value in reversed(known.minimizers[0])]
        is_different = not np.allclose(mirrored, known.minimizers[0], rtol=0, atol=1e-12)
        minimizers = [*known.minimizers, *[mirrored] * is_different]
        return Known(known.start, minimizers, known.minimum, known.window)

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the error of the rule for each polynomial's integral."""
        n, y = self.dim, 2 * x - 1
        polynomials = [0 * y + 1, y]
        while len(polynomials) <= n:
            polynomials.append(2 * y * polynomials[-1] - polynomials[-2])
        means = m.stack([p.sum(0) / n for p in polynomials[1:]])
        return means + m.column([1 / (i * i - 1) if i % 2 == 0 else 0 for i in range(1, n + 1)])


def _known_solution(
    table: Mapping[int, Sequence[float]], n: int, start: Sequence[float], window: Any
) -> Known:
    """Return what is known about a solvable system, with the solution if the table has it."""
    minimizers = (table[n],) if n in table else None
    return Known(start=start, minimizers=minimizers, minimum=0.0, window=window)


def _grid(n: int) -> np.ndarray:
    """Return the points j / (n + 1), j = 1 … n."""
    return one_to(n) / (n + 1)


def _grid_parabola(n: int) -> list[float]:
    """Return t (t − 1) at the n grid points t."""
    t = _grid(n)
    return (t * (t - 1)).tolist()


def _neighbors(m: Mathematics, x: Any) -> tuple[Any, Any]:
    """Return the coordinates (D, ...) before and after each, with 0 beyond both ends."""
    zero = 0 * x[:1]
    return m.concat((zero, x[:-1])), m.concat((x[1:], zero))


def _nearest(weights: Sequence[int], top: int, bottom: int) -> list[float]:
    """Return the point nearest to (1, …, 1) with Σⱼ weightⱼ xⱼ = top / bottom, rounded once."""
    numerator = top - bottom * sum(weights)
    denominator = bottom * sum(weight * weight for weight in weights)
    return [(denominator + weight * numerator) / denominator for weight in weights]
