"""Problems 2 to 7, 11 to 14 and 16 of Moré, Garbow and Hillstrom: equations in few unknowns."""

from typing import Any

import numpy as np

from gdlab.losses.functions.closed_form import Known, SumOfSquares
from gdlab.losses.functions.torch_or_sympy import Mathematics


class FreudensteinRoth(SumOfSquares):
    """Two cubics in x1, linear in x0, with a common root.

    Hard: most runs from the start end in a local minimum of 48.98, at (11.41, −0.90).
    Moré, Garbow, Hillstrom 1981, problem 2.
    """

    known = Known(
        start=(0.5, -2.0), minimizers=((5.0, 4.0),), minimum=0.0, window=((-5, 15), (-4, 6))
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return two cubics."""
        u, v = x
        return m.stack((-13 + u + ((5 - v) * v - 2) * v, -29 + u + ((v + 1) * v - 14) * v))


class PowellBadlyScaled(SumOfSquares):
    """10⁴ x0 x1 = 1 and exp(−x0) + exp(−x1) = 1.0001.

    Hard: x0 is a millionth of x1 at the minimizer, and the curvatures differ by 10¹⁸.
    Moré, Garbow, Hillstrom 1981, problem 3.
    """

    known = Known(
        start=(0.0, 1.0),
        minimizers=((1.0981593296998053e-05, 9.106146739866624),),
        minimum=0.0,
        window=((-2e-5, 4e-5), (0.0, 12.0)),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return two equations."""
        u, v = x
        return m.stack((1e4 * u * v - 1, m.exp(-u) + m.exp(-v) - 1.0001))


class BrownBadlyScaled(SumOfSquares):
    """x0 = 10⁶, x1 = 2·10⁻⁶ and x0 x1 = 2.

    Hard: the coordinates differ by twelve orders of magnitude, and so do the curvatures.
    Moré, Garbow, Hillstrom 1981, problem 4.
    """

    known = Known(
        start=(1.0, 1.0),
        minimizers=((1e6, 2e-6),),
        minimum=0.0,
        window=((-2e5, 1.2e6), (-0.2, 1.2)),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return three equations."""
        u, v = x
        return m.stack((u - 1e6, v - 2e-6, u * v - 2))


class Beale(SumOfSquares):
    """(1.5, 2.25, 2.625)ᵢ = x0 (1 − x1ⁱ), i = 1 … 3.

    Hard: flat far from the minimizer, with steep walls at the corners.
    Moré, Garbow, Hillstrom 1981, problem 5; Beale 1958.
    """

    known = Known(start=(1.0, 1.0), minimizers=((3.0, 0.5),), minimum=0.0, window=((-4.5, 4.5),))

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return three equations."""
        u, v = x
        return m.stack((1.5 - u * (1 - v), 2.25 - u * (1 - v**2), 2.625 - u * (1 - v**3)))


class JennrichSampson(SumOfSquares):
    """2 + 2i = exp(i x0) + exp(i x1), i = 1 … 10, which has no solution.

    Hard: the gradient grows with exp(20 x), so a run does not recover from too large a step.
    Moré, Garbow, Hillstrom 1981, problem 6.
    """

    known = Known(
        start=(0.3, 0.4),
        minimizers=((0.2578252136703641, 0.2578252136703641),),
        minimum=124.36218235561485,
        window=((0.0, 0.5),),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return ten equations."""
        i = m.column(range(1, 11))
        return 2 + 2 * i - (m.exp(i * x[0]) + m.exp(i * x[1]))


class HelicalValley(SumOfSquares):
    """10 (x2 − 10 θ), 10 (r − 1) and x2, with r and θ (in turns) polar coordinates of (x0, x1).

    θ = atan(x1/x0) / 2π, and ½ more where x0 < 0, so that it jumps from −¼ to ¾ across x0 = 0,
    x1 < 0. There value and slope are those of the side x0 > 0; at the origin, where r and θ have
    no slope, the slope is defined as 0.

    Hard: the valley winds once around the axis like a spiral staircase.
    Moré, Garbow, Hillstrom 1981, problem 7; Fletcher and Powell 1963.
    """

    known = Known(
        start=(-1.0, 0.0, 0.0),
        minimizers=((1.0, 0.0, 0.0),),
        minimum=0.0,
        window=((-2.0, 2.0), (-2.0, 2.0), (-2.0, 6.0)),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the terms along the spiral, across it, and down."""
        u, v, w = x
        angle = m.atan2(v, u)
        angle = m.where((u < 0) & (angle < 0), angle + 2 * m.pi, angle)
        return m.stack((10 * (w - 5 * angle / m.pi), 10 * (m.sqrt(u**2 + v**2) - 1), w))


class Gulf(SumOfSquares):
    """exp(−|yᵢ − x1|^x2 / x0) = i / 100, yᵢ = 25 + (−50 log(i / 100))^(2/3), i = 1 … 99.

    Where x1 equals a yᵢ, the power is 0 and its slope is defined as 0.

    Hard: nearly flat almost everywhere, with a kink at each yᵢ where x2 < 1, as at the start.
    Moré, Garbow, Hillstrom 1981, problem 11, with the minus that the paper misprints.
    """

    known = Known(
        start=(5.0, 2.5, 0.15),
        minimizers=((50.0, 25.0, 1.5),),
        minimum=0.0,
        window=((1.0, 60.0), (0.0, 25.6), (0.1, 2.0)),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return ninety-nine equations."""
        t = np.arange(1, 100) / 100
        y = m.column(25 + (-50 * np.log(t)) ** (2 / 3))
        return m.exp(-m.power(m.abs(y - x[1]), x[2]) / x[0]) - m.column(t)


class Box(SumOfSquares):
    """exp(−tᵢ x0) − exp(−tᵢ x1) = x2 (exp(−tᵢ) − exp(−10 tᵢ)), tᵢ = i / 10, i = 1 … 10.

    Hard: besides two minimizers there is a line of them, x0 = x1 and x2 = 0, not listed here.
    Moré, Garbow, Hillstrom 1981, problem 12.
    """

    known = Known(
        start=(0.0, 10.0, 20.0),
        minimizers=((1.0, 10.0, 1.0), (10.0, 1.0, -1.0)),
        minimum=0.0,
        window=((-1.0, 12.0), (-1.0, 12.0), (-5.0, 22.0)),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return ten equations."""
        i = np.arange(1, 11)
        t, weight = m.column(i / 10), m.column(np.exp(-i / 10) - np.exp(-i))
        return m.exp(-t * x[0]) - m.exp(-t * x[1]) - x[2] * weight


class PowellSingular(SumOfSquares):
    """x0 + 10 x1, √5 (x2 − x3), (x1 − 2 x2)² and √10 (x0 − x3)².

    Hard: the Hessian is singular at the minimizer, so gradient descent is sublinear.
    Moré, Garbow, Hillstrom 1981, problem 13.
    """

    known = Known(
        start=(3.0, -1.0, 0.0, 1.0), minimizers=((0.0,),), minimum=0.0, window=((-4.0, 4.0),)
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return two linear terms and two squares."""
        a, b, c, d = x
        squares = (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2
        return m.stack((a + 10 * b, 5**0.5 * (c - d), *squares))


class Wood(SumOfSquares):
    """Two Rosenbrock valleys, with b = 100 and 90, coupled through x1 and x3.

    Hard: near (−1, 1, −1, 1) is a saddle so flat that a run may seem to converge there.
    Moré, Garbow, Hillstrom 1981, problem 14; also known as Colville's function.
    """

    known = Known(
        start=(-3.0, -1.0, -3.0, -1.0), minimizers=((1.0,),), minimum=0.0, window=((-4.0, 4.0),)
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the valleys and the coupling."""
        a, b, c, d = x
        valleys = 10 * (b - a**2), 1 - a, 90**0.5 * (d - c**2), 1 - c
        return m.stack((*valleys, 10**0.5 * (b + d - 2), (b - d) / 10**0.5))


class BrownDennis(SumOfSquares):
    """(x0 + tᵢ x1 − exp(tᵢ))² + (x2 + x3 sin tᵢ − cos tᵢ)², tᵢ = i / 5, i = 1 … 20, squared.

    Hard: of fourth order, with a large residual: the minimum is 85822.
    Moré, Garbow, Hillstrom 1981, problem 16.
    """

    known = Known(
        start=(25.0, 5.0, -5.0, -1.0),
        minimizers=(
            (-11.594439904762165, 13.203630051207204, -0.4034394881768595, 0.23677877445573625),
        ),
        minimum=85822.20162635634,
        window=((-30.0, 30.0), (-20.0, 20.0), (-10.0, 10.0), (-5.0, 5.0)),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return twenty sums of two squares."""
        i = np.arange(1, 21) / 5
        t, e, sin, cos = map(m.column, (i, np.exp(i), np.sin(i), np.cos(i)))
        return (x[0] + t * x[1] - e) ** 2 + (x[2] + x[3] * sin - cos) ** 2
