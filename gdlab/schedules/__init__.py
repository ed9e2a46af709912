"""Learning rate schedules."""

from gdlab.schedules.base import Constant, Schedule
from gdlab.schedules.cycles import CosineRestarts, OneCycle
from gdlab.schedules.decay import (
    Cosine,
    Exponential,
    InverseSqrt,
    InverseTime,
    Linear,
    MultiStep,
    Polynomial,
    Step,
)
from gdlab.schedules.plateau import ReduceOnPlateau
from gdlab.schedules.warmup import Warmup

__all__ = [
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Exponential",
    "InverseSqrt",
    "InverseTime",
    "Linear",
    "MultiStep",
    "OneCycle",
    "Polynomial",
    "ReduceOnPlateau",
    "Schedule",
    "Step",
    "Warmup",
]

for _name in __all__:  # the public path, which plans and saved configurations name
    _class = globals()[_name]
    if _class.__module__.startswith(f"{__name__}."):
        _class.__module__ = __name__
