"""The learning rate over steps."""

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
