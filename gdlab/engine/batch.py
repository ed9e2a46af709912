"""The input of the engine: a batch of runs and their stopping criteria.

Shapes: R runs, D dimensions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from gdlab.engine.metrics import Measure, Metric, metrics_of
from gdlab.engine.patience import Patience
from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, setting
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Loss
from gdlab.losses.models.data_loss import VALIDATION_LOSS
from gdlab.numerics.rowwise import FEW, LANES, LARGE, VECTOR_BYTES, part_size
from gdlab.optimizers.base import Optimizer
from gdlab.optimizers.oracle import MAX_MATRIX, OracleOptimizer
from gdlab.schedules import Schedule


class Stop(Configured):
    """Stopping criteria: when a run ends before its last step.

    >>> import gdlab
    >>> gdlab.run("sphere", lr=0.1, stop=gdlab.Stop(loss=0.01)).outcome.status.name
    'TARGET'

    Attributes:
        grad_tol: converged once the gradient norm is at or below this.
        loss: target reached once the loss is at or below this; None for no target.
        max_loss: diverged once |loss| exceeds this; None to test only that it is finite.
        evaluations: out of budget at the first step at which this many gradients have been computed
            (`gdlab.optimizers.oracle` says what else counts); the status is that of the maximum
            number of steps. A step is finished: one of a line search may exceed the budget.
        targets: decreasing relative accuracies τ: a target is reached at the first record whose
            loss is at or below f* + τ (f(x₀) − f*). The evaluations up to there are kept for each,
            and the run ends at the last. None for no targets.
        minimum: f* of the targets; None for the known minimum of the loss.
        patience: stopped early once the loss on held-out examples (`loss.validation`) had no value
            below its lowest so many times in a row. It is computed at every step, or at every
            `record.full_loss_every`-th. None for no early stopping.
    """

    __module__ = "gdlab"

    grad_tol: float = setting(default=1e-8, ge=0)
    loss: float | None = None
    max_loss: float | None = setting(default=None, gt=0)
    evaluations: int | None = setting(default=None, ge=1, lt=2**53)
    targets: tuple[float, ...] | None = setting(default=None, gt=0, lt=1)
    minimum: float | None = None
    patience: int | None = setting(default=None, ge=1, lt=2**53)

    def __post_init__(self) -> None:
        super().__post_init__()
        targets = self.targets
        if targets is not None and (not targets or list(targets) != sorted({*targets})[::-1]):
            raise SettingError(f"targets={format_value(targets)}: must be decreasing numbers")

    def most_steps(self, steps: int) -> int:
        """Return how many of `steps` steps the budget allows, each of one evaluation or more."""
        return steps if self.evaluations is None else min(steps, self.evaluations - 1)


@dataclass(frozen=True)
class Batch:
    """Runs of the same structure: what they share, and columns of what differs.

    Attributes:
        loss: the loss; its `Number` fields are numbers or columns (R,).
        optimizer: the optimizer, likewise.
        schedule: the schedule, likewise.
        lr: base learning rates (R,).
        seed: seeds (R,), int64.
        start: starting points (R, D), of the dtype and on the device of the whole computation.
        noise: scales (R,) of the noise added to the gradients.
        steps: the maximum number of steps of a run.
        stop: the stopping criteria.
        mode: how the steps are computed, "eager" or "compiled".
        threads: the maximum number of cores for a compiled batch; it does not affect any bit.
        full_every: with minibatch steps, the loss of all examples and its gradient are computed
            at steps 0, full_every, 2·full_every, … and at the last step of a run.
        intervals: steps between two values of recorded quantities, by their names.
        by_row: whether compiled steps compute one row after the other, over the examples or the
            coordinates of each; else many rows at once.
        measures: compiled metrics of the loss, by name; the others are computed by torch.
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
    by_row: bool = False
    measures: Mapping[str, Measure] = field(default_factory=dict)
    dof: Tensor | None = None

    @property
    def last_step(self) -> int:
        """The step at which every run has ended; one whose optimizer has an oracle may before."""
        return self.steps if self.optimizer.needs else self.stop.most_steps(self.steps)

    @property
    def lanes(self) -> int:
        """The number of rows is padded to a multiple of it, where bits depend on the number."""
        if self.mode == "compiled" and not self.optimizer.needs:  # all of a step is compiled
            if self.by_row or len(self.lr) <= FEW or self.start.device.type == "cuda":
                return 1
            vector = VECTOR_BYTES // self.start.element_size()
            return vector if len(self.lr) <= vector else LANES
        if not self.loss.elementwise:
            return 1
        return LANES if self.loss.dim < LARGE else part_size(self.loss.dim)

    def parts(self) -> list[range]:
        """Return the rows that advance together: all, or a few where rows are large themselves.

        Padding them to `LANES` would cost more than is saved by computing many together. Rows whose
        optimizer needs a matrix for each are cut so that all matrices fit into memory.
        """
        runs, is_large = len(self.lr), self.loss.elementwise and self.loss.dim >= LARGE
        height, width = self.optimizer.matrix_shape(self.loss)
        most = MAX_MATRIX // max(1, height * width) // self.lanes * self.lanes
        size = self.lanes if is_large and self.mode != "compiled" else min(runs, most)
        size = max(size, self.lanes)
        return [range(first, min(first + size, runs)) for first in range(0, runs, size)]

    def check(self) -> None:
        """Check that the optimizer and the targets get what they need.

        Raises:
            SettingError: the loss lacks something or is too large, or the gradients are stochastic.
        """
        stop = self.stop
        if stop.targets is not None and stop.minimum is None and self.loss.minimum is None:
            why = "needs the minimum, which is not known for this loss; give stop.minimum"
            raise SettingError(f"stop.targets={format_value(stop.targets)}: {why}")
        if stop.patience is not None and VALIDATION_LOSS not in self.loss.metrics:
            why = "needs a loss on held-out examples; give loss.validation, as 0.2"
            raise SettingError(f"stop.patience={stop.patience}: {why}")
        if isinstance(self.optimizer, OracleOptimizer):
            self.optimizer.check(self.loss, self.noise)

    def patience(self, rows: int) -> Patience | None:
        """Return the patience of a number of rows at their start; None for no early stopping."""
        if self.stop.patience is None:
            return None
        return Patience.begin(self.stop.patience, self.metrics[VALIDATION_LOSS], rows, self.start)

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics recorded at intervals, by name."""
        return metrics_of(self.loss, self.full_every, self.intervals, self.measures)
