"""The problems of Moré, Garbow and Hillstrom, except the first, which is `Rosenbrock`.

Moré, Garbow and Hillstrom, "Testing unconstrained optimization software", ACM Transactions on
Mathematical Software 7, 1981. All are sums of squares.
"""

from gdlab.losses.mgh.equations import (
    Beale,
    Box,
    BrownBadlyScaled,
    BrownDennis,
    FreudensteinRoth,
    Gulf,
    HelicalValley,
    JennrichSampson,
    PowellBadlyScaled,
    PowellSingular,
    Wood,
)
from gdlab.losses.mgh.fits import (
    Bard,
    Biggs,
    Gaussian,
    KowalikOsborne,
    Meyer,
    Osborne1,
    Osborne2,
)
from gdlab.losses.mgh.scalable import (
    BrownAlmostLinear,
    ExtendedPowell,
    ExtendedRosenbrock,
    Penalty1,
    Penalty2,
    Trigonometric,
    VariablyDimensioned,
    Watson,
)
from gdlab.losses.mgh.systems import (
    BroydenBanded,
    BroydenTridiagonal,
    Chebyquad,
    DiscreteBoundary,
    DiscreteIntegral,
    LinearFull,
    LinearRank1,
    LinearRank1Zero,
)

__all__ = [
    "Bard",
    "Beale",
    "Biggs",
    "Box",
    "BrownAlmostLinear",
    "BrownBadlyScaled",
    "BrownDennis",
    "BroydenBanded",
    "BroydenTridiagonal",
    "Chebyquad",
    "DiscreteBoundary",
    "DiscreteIntegral",
    "ExtendedPowell",
    "ExtendedRosenbrock",
    "FreudensteinRoth",
    "Gaussian",
    "Gulf",
    "HelicalValley",
    "JennrichSampson",
    "KowalikOsborne",
    "LinearFull",
    "LinearRank1",
    "LinearRank1Zero",
    "Meyer",
    "Osborne1",
    "Osborne2",
    "Penalty1",
    "Penalty2",
    "PowellBadlyScaled",
    "PowellSingular",
    "Trigonometric",
    "VariablyDimensioned",
    "Watson",
    "Wood",
]
