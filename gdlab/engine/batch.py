"""What the engine is given: a batch of runs, and when each of them stops.

Shapes: R runs, D dimensions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from gdlab.engine.metrics import Metric, metrics_of
from gdlab.fields.declared import Configured, setting
from gdlab.losses.base import Loss
from gdlab.optimizers.base import Optimizer
from gdlab.schedules import Schedule


class Stop(Configured):
    """When a run ends before its last step.

    Attributes:
        grad_tol: converged where the gradient norm is at or under it.
        loss: target reached where the loss is at or under it; None for no target.
        max_loss: diverged where |loss| is above it; None for only where it is not finite.
    """

    __module__ = "gdlab"

    grad_tol: float = setting(default=1e-8, ge=0)
    loss: float | None = None
    max_loss: float | None = setting(default=None, gt=0)


@dataclass(frozen=True)
class Batch:
    """Runs of one structure: what they share, and columns of what differs.

    Attributes:
        loss: the loss; its `Number` fields are numbers or columns (R,).
        optimizer: the optimizer, likewise.
        schedule: the schedule, likewise.
        lr: base learning rates (R,).
        seed: seeds (R,), int64.
        start: starting points (R, D), of the dtype and on the device of the whole computation.
        noise: scales (R,) of the noise added to the gradients.
        steps: how many steps a run may take.
        stop: when it ends before.
        mode: how the steps are computed, "eager" or "compiled".
        threads: how many cores a compiled batch may use; no bit depends on it.
        full_every: where steps use minibatches, the loss of all examples and its gradient are
            computed at steps 0, full_every, 2·full_every, … and a run's last.
        intervals: steps between two values of recorded quantities, by their names.
        dof: degrees of freedom (R,) of Student's t noise; None for Gaussian noise.
    """

    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    lr: Tensor
    seed: Tensor
    start: Tensor
    noise: Tensor
    steps: int
    stop: Stop
    mode: str = "eager"
    threads: int = 1
    full_every: int = 1
    intervals: Mapping[str, int] = field(default_factory=dict)
    dof: Tensor | None = None

    @property
    def metrics(self) -> dict[str, Metric]:
        """What is recorded at intervals, by name."""
        return metrics_of(self.loss, self.full_every, self.intervals)
