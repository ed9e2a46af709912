"""Problems 8 to 10, 15 and 17 to 19 of Moré, Garbow and Hillstrom: models of measurements."""

from collections.abc import Iterable, Iterator
from itertools import permutations
from typing import Any

import numpy as np

from gdlab.losses.functions.closed_form import Known, SumOfSquares
from gdlab.losses.functions.torch_or_sympy import Mathematics
from gdlab.losses.mgh import tables


def permute(parts: Iterable[tuple[float, ...]]) -> Iterator[Iterator[tuple[float, ...]]]:
    """Yield, for each order of interchangeable parts, their first parameters, their second, …."""
    return (zip(*order, strict=True) for order in permutations(parts))


class Bard(SumOfSquares):
    """yᵢ = x0 + i / ((16 − i) x1 + min(i, 16 − i) x2), 15 measurements.

    Hard: in a second, endless valley the value falls to 17.43 as x1 and x2 go to −∞.
    Moré, Garbow, Hillstrom 1981, problem 8.
    """

    known = Known(
        start=(1.0, 1.0, 1.0),
        minimizers=((0.08241055974978899, 1.1330360920297224, 2.3436951786425366),),
        minimum=0.00821487730657898,
        window=((-1.0, 2.0), (0.5, 3.0), (0.5, 3.0)),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the residuals of the model."""
        i = np.arange(1, 16)
        fraction = m.column(i) / (m.column(16 - i) * x[1] + m.column(np.minimum(i, 16 - i)) * x[2])
        return m.column(tables.BARD) - (x[0] + fraction)


class Gaussian(SumOfSquares):
    """yᵢ = x0 exp(−x1 (tᵢ − x2)² / 2), tᵢ = (8 − i) / 2, 15 measurements of a bell.

    Easy from the start, where the value is 4e-6; hard far away, where the bell is flat.
    Moré, Garbow, Hillstrom 1981, problem 9.
    """

    known = Known(
        start=(0.4, 1.0, 0.0),
        minimizers=((0.39895613783875666, 1.0000190844878056, 0.0),),
        minimum=1.1279327696190113e-08,
        window=((0.0, 1.0), (0.0, 2.0), (-1.0, 1.0)),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the residuals of the model."""
        t = m.column((8 - np.arange(1, 16)) / 2)
        return x[0] * m.exp(-x[1] * (t - x[2]) ** 2 / 2) - m.column(tables.GAUSSIAN)


class Meyer(SumOfSquares):
    """yᵢ = x0 exp(x1 / (45 + 5i + x2)), 16 measurements of a thermistor.

    Hard: the curvatures at the minimizer differ by 10¹⁶, the precision of float64.
    Moré, Garbow, Hillstrom 1981, problem 10.
    """

    known = Known(
        start=(0.02, 4000.0, 250.0),
        minimizers=((0.005609636471028053, 6181.346346286372, 345.2236346241365),),
        minimum=87.94585517085112,
        window=((0.0, 0.03), (3500.0, 7000.0), (200.0, 400.0)),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the residuals of the model."""
        t = m.column(45 + 5 * np.arange(1, 17))
        return x[0] * m.exp(x[1] / (t + x[2])) - m.column(tables.MEYER)


class KowalikOsborne(SumOfSquares):
    """yᵢ = x0 (uᵢ² + uᵢ x1) / (uᵢ² + uᵢ x2 + x3), 11 measurements of an enzyme.

    Hard: in a second, endless valley the value, 0.00103, is hardly above the minimum.
    Moré, Garbow, Hillstrom 1981, problem 15.
    """

    known = Known(
        start=(0.25, 0.39, 0.415, 0.39),
        minimizers=(
            (0.1928069345790379, 0.19128232873436676, 0.12305650692632074, 0.13606233068379475),
        ),
        minimum=0.0003075056038492378,
        window=((0.0, 0.5),),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the residuals of the model."""
        u = m.column(tables.KOWALIK_OSBORNE_AT)
        model = x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])
        return m.column(tables.KOWALIK_OSBORNE) - model


class Osborne1(SumOfSquares):
    """yᵢ = x0 + x1 exp(−tᵢ x3) + x2 exp(−tᵢ x4), tᵢ = 10 (i − 1), 33 measurements.

    Hard: two decays of nearly the same rate, which are interchangeable; curvatures differ by 10⁹.
    Moré, Garbow, Hillstrom 1981, problem 17.
    """

    known = Known(
        start=(0.5, 1.5, -1.0, 0.01, 0.02),
        minimizers=[
            (0.37541005210695194, *weights, *rates)
            for weights, rates in permute(tables.OSBORNE1_DECAYS)
        ],
        minimum=5.464894697482912e-05,
        window=((0.0, 1.0), (0.0, 3.0), (-3.0, 0.0), (0.0, 0.05), (0.0, 0.05)),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the residuals of the model."""
        t = m.column(10 * np.arange(33))
        model = x[0] + x[1] * m.exp(-t * x[3]) + x[2] * m.exp(-t * x[4])
        return m.column(tables.OSBORNE1) - model


class Biggs(SumOfSquares):
    """Σ of three exponentials, x2 exp(−tᵢ x0) − x3 exp(−tᵢ x1) + x5 exp(−tᵢ x4), i = 1 … 13.

    The measurements are exp(−tᵢ) − 5 exp(−10 tᵢ) + 3 exp(−4 tᵢ), tᵢ = i / 10.

    Hard: exponentials imitate each other; many runs end in a valley of 0.00566 where x0 = x4.
    Moré, Garbow, Hillstrom 1981, problem 18.
    """

    known = Known(
        start=(1.0, 2.0, 1.0, 1.0, 1.0, 1.0),
        minimizers=[
            (a, b, of_a, -of_b, c, of_c)
            for (a, of_a), (b, of_b), (c, of_c) in permutations(((1, 1), (10, -5), (4, 3)))
        ],
        minimum=0.0,
        window=((0.0, 12.0),),
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the residuals of the model."""
        i = np.arange(1, 14)
        t, y = m.column(i / 10), m.column(np.exp(-i / 10) - 5 * np.exp(-i) + 3 * np.exp(-0.4 * i))
        model = x[2] * m.exp(-t * x[0]) - x[3] * m.exp(-t * x[1]) + x[5] * m.exp(-t * x[4])
        return model - y


class Osborne2(SumOfSquares):
    """yᵢ = x0 exp(−tᵢ x4) + three bells x1 exp(−x5 (tᵢ − x8)²), …, tᵢ = (i − 1) / 10, i = 1 … 65.

    Hard: eleven parameters of four overlapping shapes. The bells are interchangeable.
    Moré, Garbow, Hillstrom 1981, problem 19.
    """

    known = Known(
        start=(1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5),
        minimizers=[
            (1.3099771546273007, *heights, 0.7541832263280114, *widths, *places)
            for heights, widths, places in permute(tables.OSBORNE2_BELLS)
        ],
        minimum=0.040137736293547756,
        window=((0.0, 2.0),) * 5 + ((0.0, 8.0),) * 6,
    )

    def terms(self, m: Mathematics, x: Any) -> Any:
        """Return the residuals of the model."""
        t = m.column(np.arange(65) / 10)
        bells = sum(x[k] * m.exp(-((t - x[k + 7]) ** 2) * x[k + 4]) for k in (1, 2, 3))
        return m.column(tables.OSBORNE2) - (x[0] * m.exp(-t * x[4]) + bells)
