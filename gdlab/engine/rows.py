"""The rows of a batch that still run, and the records they make.

Rows are stored as (D, n) and seen as (n, D), so that elementwise kernels run along the rows. For
elementwise losses their number is padded to a multiple of the vector lanes: a row's bits then do
not depend on how many neighbours it has.

Shapes: R runs of the batch, D dimensions, K records of a chunk, n rows (padding included).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.engine.batch import Batch
from gdlab.engine.buffers import BufferPool
from gdlab.engine.records import ChunkRecords
from gdlab.engine.status import Status
from gdlab.fields.declared import Number, map_numbers
from gdlab.losses.base import Loss
from gdlab.numerics.rowwise import LANES, by_rows
from gdlab.optimizers.base import Optimizer, State
from gdlab.optimizers.oracle import Oracle, OracleOptimizer
from gdlab.schedules.base import Memory, Schedule

_PAGE = 512  # numbers of float64 in a page of memory


@dataclass
class Rows:
    """The rows still running: n of them, the first `live` real, the others padding."""

    batch: Batch
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    lr: Tensor
    seed: Tensor
    noise: Tensor | None
    dof: Tensor | None
    index: Tensor
    live: int
    first: int
    x: Tensor
    state: State
    schedule_state: Memory
    buffers: BufferPool
    oracle: Oracle | None = None
    pending_record: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
    """The last record of each row, its point (D, n), loss, gradient norm and rate (n,): it waits
    for the next chunk to tell whether the run goes on, since a run's last record differs from the
    others.
    """

    @property
    def done(self) -> int:
        """How many records of the next chunk are there already: the one that is held, or none."""
        return 0 if self.pending_record is None else 1

    def numbers(self, count: int) -> Tensor:
        """The step numbers of the next chunk's records: (count,)."""
        return torch.arange(self.first, self.first + count, device=self.x.device)

    @classmethod
    def of(cls, batch: Batch) -> "Rows":
        """All rows at their starts.

        Raises:
            SettingError: the optimizer needs what the loss does not have.
        """
        if isinstance(batch.optimizer, OracleOptimizer):
            batch.optimizer.check(batch.loss, batch.noise)
        index = _padded(torch.arange(len(batch.lr), device=batch.lr.device), batch)
        x = by_rows(batch.start[index])

        def expand(value: Number) -> Tensor:
            column = torch.as_tensor(value, dtype=x.dtype, device=x.device)
            return column.expand(len(batch.lr))[index]

        def expand_hyperparameter(value: Number) -> Number:
            column = expand(value)[:, None]
            return column if bool((column != 0).any()) else 0.0

        optimizer = map_numbers(batch.optimizer, expand_hyperparameter)
        noise = batch.noise[index][:, None] if bool((batch.noise != 0).any()) else None
        schedule, lr = map_numbers(batch.schedule, expand), batch.lr[index]
        loss = batch.loss.with_columns(expand)
        # Padding has the state of the row that it repeats, as it has after rows have left.
        own = torch.arange(len(index), device=index.device).clamp(max=len(batch.lr) - 1)
        state = optimizer.init(x, batch.loss.layout)
        return cls(
            batch=batch,
            loss=loss,
            optimizer=optimizer,
            schedule=schedule,
            lr=lr,
            seed=batch.seed[index],
            noise=noise,
            dof=None if batch.dof is None else batch.dof[index],
            index=index,
            live=len(batch.lr),
            first=0,
            x=x,
            state={name: by_rows(leaf[own]) for name, leaf in state.items()},
            schedule_state=schedule.init(lr),
            buffers=BufferPool(),
            oracle=Oracle(loss, x) if optimizer.needs else None,
        )

    def begin_records(self, length: int) -> ChunkRecords:
        """Room for up to `length` new records, after the one that was held back.

        A schedule that raises ends the runs: there is room for none then.
        """
        batch, done = self.batch, self.done
        count = done + min(length, batch.steps + 1 - self.first - done)
        n, dim = self.x.shape
        trace = ChunkRecords(
            points=self.buffers.empty((count + 1, dim, n), self.x),
            loss=self.buffers.empty((count, n), self.x),
            norm=self.buffers.empty((count, n), self.x),
            rates=self.x.new_full((count, n), torch.nan),
        )
        if self.pending_record is not None:
            trace.points[0], trace.loss[0], trace.norm[0], trace.rates[0] = self.pending_record
        if not self.schedule_state:  # what follows the losses is asked step by step
            try:
                trace.rates = self.schedule.rates(self.numbers(count), self.lr, batch.steps)
            except Exception as error:  # a person's own schedule may raise anything
                trace.stopped, trace.error = Status.FAILED, error
                trace.cut(done)
        return trace

    def after(self, trace: ChunkRecords, status: Tensor) -> "Rows | None":
        """The rows that go on after a chunk, or None where no row does."""
        going = torch.nonzero(status == Status.RUNNING)[:, 0]
        if len(going) == 0:
            return None
        last = len(trace.loss) - 1
        self.pending_record = (trace.x[last], trace.loss[last], trace.norm[last], trace.rates[last])
        self.first += len(trace.loss) - 1
        if len(going) < self.live:
            self._keep(going)
        return self

    def _keep(self, going: Tensor) -> None:
        """Let all other rows go."""
        index = _padded(going, self.batch)

        def take(value: Number) -> Number:
            return by_rows(value[index]) if isinstance(value, Tensor) else value

        self.loss = self.loss.with_columns(take)
        self.optimizer = map_numbers(self.optimizer, take)
        self.schedule = map_numbers(self.schedule, take)
        self.lr, self.seed, self.index = self.lr[index], self.seed[index], self.index[index]
        self.noise = None if self.noise is None else self.noise[index]
        self.dof = None if self.dof is None else self.dof[index]
        self.x = by_rows(self.x[index])
        if self.oracle is not None:
            self.oracle.keep(index, self.loss, self.x)
        self.state = {name: by_rows(leaf[index]) for name, leaf in self.state.items()}
        self.schedule_state = {name: leaf[index] for name, leaf in self.schedule_state.items()}
        if self.pending_record is not None:
            x, *numbers = self.pending_record
            loss, norm, rate = (number[index] for number in numbers)
            self.pending_record = x[:, index], loss, norm, rate
        self.live = len(going)


def _padded(index: Tensor, batch: Batch) -> Tensor:
    """Row numbers, where bits hang on it the last repeated up to a multiple of the lanes.

    Rows that lie whole pages apart in memory would throw each other out of the caches, so a number
    of rows that makes them do so gets some more.
    """
    if not (batch.loss.elementwise or batch.mode == "compiled"):
        return index
    more = -len(index) % LANES
    if (len(index) + more) % _PAGE == 0:
        more += LANES
    return torch.cat((index, index[-1:].expand(more)))
