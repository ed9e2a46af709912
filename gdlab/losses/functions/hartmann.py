"""Hartmann's sums of Gaussian wells: long and narrow, and flat in between."""

from collections.abc import Sequence
from typing import Any, ClassVar

from gdlab.losses.functions.closed_form import Formula, Known
from gdlab.losses.functions.torch_or_sympy import Mathematics


class _Hartmann(Formula):
    """A sum of four Gaussian wells.

    Attributes:
        widths: the exponent of each well along each axis (4, D).
        centers: the centers of the wells (4, D).
    """

    depths: ClassVar = (1.0, 1.2, 3.0, 3.2)
    widths: ClassVar[Sequence[Sequence[float]]]
    centers: ClassVar[Sequence[Sequence[float]]]

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the sum over the wells."""
        wells = zip(self.depths, self.widths, self.centers, strict=True)
        return -sum(a * m.exp(-(m.column(b) * (x - m.column(q)) ** 2).sum(0)) for a, b, q in wells)


class Hartmann3(_Hartmann):
    """−Σᵢ aᵢ exp(−Σⱼ Aᵢⱼ (xⱼ − Qᵢⱼ)²), i ≤ 4: four long wells in three dimensions.

    Dixon and Szegö, "Towards global optimisation 2", 1978, with Q₄₁ = 0.0381.
    """

    known = Known(
        start=(0.5, 0.5, 0.5),
        minimizers=((0.11458887665506895, 0.5556488946169301, 0.8525469846866774),),
        minimum=-3.8627797873326624,
        window=((0.0, 1.0),),
    )
    widths = ((3, 10, 30), (0.1, 10, 35), (3, 10, 30), (0.1, 10, 35))
    centers = (
        (0.3689, 0.117, 0.2673),
        (0.4699, 0.4387, 0.747),
        (0.1091, 0.8732, 0.5547),
        (0.0381, 0.5743, 0.8828),
    )


class Hartmann6(_Hartmann):
    """−Σᵢ aᵢ exp(−Σⱼ Aᵢⱼ (xⱼ − Qᵢⱼ)²), i ≤ 4: four wells in six dimensions.

    Dixon and Szegö, "Towards global optimisation 2", 1978.
    """

    known = Known(
        start=(0.5,) * 6,
        minimizers=(
            (
                0.20168951100670543,
                0.15001069182345797,
                0.476873974221897,
                0.2753324304940561,
                0.31165161660011326,
                0.6573005340656204,
            ),
        ),
        minimum=-3.3223680114155147,
        window=((0.0, 1.0),),
    )
    widths = (
        (10, 3, 17, 3.5, 1.7, 8),
        (0.05, 10, 17, 0.1, 8, 14),
        (3, 3.5, 1.7, 10, 17, 8),
        (17, 8, 0.05, 10, 0.1, 14),
    )
    centers = (
        (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
        (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
        (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.665),
        (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
    )
