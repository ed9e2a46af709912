"""How slow the slowest direction of a run is, and whether momentum is faster.

Shapes: D dimensions.
"""

import math
from dataclasses import dataclass

import torch

from gdlab.engine.batch import Batch
from gdlab.engine.outcome import Outcome
from gdlab.optimizers.base import Optimizer
from gdlab.schedules import Constant
from gdlab.theory.claims import spectral_radius
from gdlab.theory.curvature import has_curvature, is_affordable, spectrum
from gdlab.theory.evidence import loss_of

_ILL = 100.0
"""The condition number from which the slowest direction is worth a sentence."""


@dataclass(frozen=True)
class Slowness:
    """The ends of the spectrum where a run ended, between which its directions are fast or slow.

    Attributes:
        least: the least eigenvalue of the Hessian, which is positive.
        largest: the largest one.
        steps: the steps that make the slowest direction ten times shorter; None if unknown.
        lr: the learning rate of the run.
    """

    least: float
    largest: float
    steps: float | None
    lr: float

    def __str__(self) -> str:
        condition = float(f"{self.largest / self.least:.3g}")
        said = f"the condition number λ_max/λ_min is {condition:,.0f} there"
        if self.steps is None:
            return said
        each = f"about {float(f'{self.steps:.2g}'):,.0f} steps for each factor of 10"
        return f"{said}, so that at lr={self.lr:g} the slowest direction needs {each}"


def slowness(batch: Batch, outcome: Outcome) -> Slowness | None:
    """Return how slow the slowest direction is where the run of a batch of one ended.

    None where the Hessian is unknown, not positive definite, or well conditioned.
    """
    loss = loss_of(batch, torch.tensor([0], device=batch.start.device))
    point = torch.from_numpy(outcome.x).to(batch.start)[None]
    if not is_affordable(loss, batch.steps) or not has_curvature(loss, point):
        return None
    found = spectrum(loss, point, critical=False)
    least, largest = float(found.least), float(found.largest)
    if not 0 < least * _ILL <= largest < math.inf:
        return None
    lr = float(batch.lr[0])
    is_constant = isinstance(batch.schedule, Constant)
    steps = _steps(batch.optimizer, lr, least) if is_constant else None
    return Slowness(least, largest, steps, lr)


def _steps(optimizer: Optimizer, lr: float, least: float) -> float | None:
    """Return the steps in which a direction of least curvature shrinks to a tenth."""
    component = optimizer.component(lr, least)
    factor = math.nan if component is None else spectral_radius(component)
    return -math.log(10) / math.log(factor) if 0 < factor < 1 else None
