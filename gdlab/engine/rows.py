"""The running rows of a batch, and the records they make.

Rows are stored as (D, n) and viewed as (n, D), so that elementwise kernels run along the rows,
except where compiled steps compute one row after the other. For
elementwise losses their number is padded to a multiple of the vector lanes: the bits of a row then
do not depend on how many other rows there are. Rows that are large themselves advance in small
parts.

Shapes: R runs of the batch, D dimensions, K records of a chunk, n rows (padding included).
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.engine.batch import Batch
from gdlab.engine.buffers import BufferPool
from gdlab.engine.patience import Patience
from gdlab.engine.points import PointMemory
from gdlab.engine.records import ChunkRecords
from gdlab.engine.status import Status
from gdlab.engine.targets import target_losses
from gdlab.errors import CUSTOM_ERRORS
from gdlab.fields.declared import Number, map_numbers
from gdlab.losses.base import Loss
from gdlab.numerics.rowwise import by_rows
from gdlab.optimizers.base import Optimizer, State, initial_state
from gdlab.optimizers.oracle import Oracle
from gdlab.schedules.base import Memory, Schedule, initial_memory, rates_of

_PAGE = 512  # float64 numbers in a page of memory


@dataclass
class Rows:
    """The n rows that still run: the first `live` are real, the others padding."""

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
    points: PointMemory
    oracle: Oracle | None = None
    targets: Tensor | None = None
    """The losses to be reached (J, n), once the first loss is known; None for none."""
    pending_record: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
    """The last record of each row: its point (D, n), loss, gradient norm and rate (n,). It waits
    for the next chunk to tell whether the run goes on, since the last record of a run differs from
    the others.
    """
    patience: Patience | None = None
    """How long the `live` rows have waited for a lower validation loss; None for no limit."""
    pending_evaluations: Tensor | None = None
    """The evaluations up to that record (n,), where the optimizer has an oracle."""

    @property
    def pending_count(self) -> int:
        """The number of records of the next chunk that exist already: 0 or 1."""
        return 0 if self.pending_record is None else 1

    def step_numbers(self, count: int) -> Tensor:
        """The step numbers of the next chunk's records: (count,)."""
        return torch.arange(self.first, self.first + count, device=self.x.device)

    @classmethod
    def of(cls, batch: Batch, chosen: range | None = None) -> "Rows":
        """Rows of a batch at their starting points.

        Args:
            batch: the batch.
            chosen: the rows, as those of `batch.parts()`; None for the first part.

        Raises:
            SettingError: the optimizer cannot handle parameters with this layout.
        """
        chosen = batch.parts()[0] if chosen is None else chosen
        live = torch.arange(chosen.start, chosen.stop, chosen.step, device=batch.lr.device)
        index = _pad(live, batch)
        x = _arrange(batch.start[index], batch)

        def expand(value: Number) -> Tensor:
            column = torch.as_tensor(value, dtype=x.dtype, device=x.device)
            return column.expand(len(batch.lr))[index]

        def expand_hyperparameter(value: Number) -> Number:
            # Steps that are compiled for some rows serve all: what is left out is 0 in all rows.
            is_used = bool((torch.as_tensor(value) != 0).any())
            return expand(value)[:, None] if is_used else 0.0

        optimizer = map_numbers(batch.optimizer, expand_hyperparameter)
        noise = batch.noise[index][:, None] if bool((batch.noise != 0).any()) else None
        schedule, lr = map_numbers(batch.schedule, expand), batch.lr[index]
        loss = batch.loss.with_columns(expand)
        # A padding row has the state of the row that it repeats, as it does after rows have left.
        source = torch.arange(len(index), device=index.device).clamp(max=len(live) - 1)
        state, pool = initial_state(optimizer, x, batch.loss.layout), BufferPool()
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
            live=len(live),
            first=0,
            x=x,
            state={name: _arrange(leaf[source], batch) for name, leaf in state.items()},
            schedule_state=initial_memory(schedule, lr),
            buffers=pool,
            points=PointMemory(pool, batch.by_row),
            oracle=Oracle(loss, x) if optimizer.needs else None,
            patience=batch.patience(len(live)),
        )

    def targets_from(self, first: Tensor) -> Tensor | None:
        """Return the losses to be reached (J, n); None for none.

        Args:
            first: the losses (n,) at the first record of the chunk; the targets follow from those
                of the first chunk.
        """
        if self.first == 0:
            self.targets = target_losses(self.batch.stop, self.loss, first)
        return self.targets

    def begin_records(self, length: int) -> ChunkRecords:
        """Allocate up to `length` new records, after the pending one.

        There are fewer if the schedule raises for one of them. If it raises for the first, all runs
        end and there are no new records.
        """
        pending, most = self.pending_count, self.batch.last_step + 1 - self.first
        new, rates, error = self.find_rates(min(length, most - pending))
        count, n = pending + new, len(self.x)
        kept = self.points.go_on(self.first, count) if pending else None
        records = ChunkRecords(
            points=self.points.begin(self.first, count, most, self.x) if kept is None else kept,
            loss=self.buffers.empty((count, n), self.x),
            norm=self.buffers.empty((count, n), self.x),
            rates=self.x.new_full((count, n), torch.nan) if rates is None else rates,
        )
        if self.oracle is not None:
            records.counts = self.oracle.count.new_zeros((count, n))
        if self.pending_record is not None:
            if records.counts is not None:
                assert self.pending_evaluations is not None
                records.counts[0] = self.pending_evaluations
            point, records.loss[0], records.norm[0], rate = self.pending_record
            if kept is None:
                records.points[0] = point
            if rates is None:
                records.rates[0] = rate
        if error is not None:
            records.fail(error)
            records.truncate(pending)
        return records

    def find_rates(self, new: int) -> tuple[int, Tensor | None, BaseException | None]:
        """Find the rates of the pending record and of new ones.

        Returns:
            How many new records to make; the rates (K, n), or None for a schedule that follows the
            losses, which is called step by step; and what the schedule raised for the first one.
        """
        if self.schedule_state:
            return new, None, None
        while True:
            try:
                steps = self.step_numbers(self.pending_count + new)
                return new, rates_of(self.schedule, steps, self.lr, self.batch.steps), None
            except CUSTOM_ERRORS as error:
                if new == 1:
                    return new, None, error
                new //= 2

    def finish_chunk(self, records: ChunkRecords, status: Tensor) -> "Rows | None":
        """Drop the rows that ended, and set the last record aside; None if no row is left."""
        running = torch.nonzero(status == Status.RUNNING)[:, 0]
        if len(running) == 0:
            return None
        last = len(records.loss) - 1
        self.pending_record = (
            records.x[last],
            records.loss[last],
            records.norm[last],
            records.rates[last],
        )
        self.pending_evaluations = None if records.counts is None else records.counts[last]
        self.first += last
        if len(running) < self.live:
            self.keep_only(running)
        return self

    def some(self, chosen: Tensor) -> "Rows":
        """Return a copy with some of the rows, as they are now."""
        rows = copy.copy(self)
        rows.keep_only(chosen)
        return rows

    def keep_only(self, running: Tensor) -> None:
        """Drop all rows but those with these numbers (m,)."""
        index = _pad(running, self.batch)

        def take(value: Number) -> Number:
            return by_rows(value[index]) if isinstance(value, Tensor) else value

        self.loss = self.loss.with_columns(take)
        self.optimizer = map_numbers(self.optimizer, take)
        self.schedule = map_numbers(self.schedule, take)
        self.lr, self.seed, self.index = self.lr[index], self.seed[index], self.index[index]
        self.noise = None if self.noise is None else self.noise[index]
        self.dof = None if self.dof is None else self.dof[index]
        self.x = _arrange(self.x[index], self.batch)
        self.points = PointMemory(self.buffers, self.batch.by_row)
        if self.oracle is not None:
            self.oracle.keep(index, self.loss, self.x)
        self.state = {k: _arrange(leaf[index], self.batch) for k, leaf in self.state.items()}
        self.schedule_state = {name: leaf[index] for name, leaf in self.schedule_state.items()}
        self.patience = None if self.patience is None else self.patience.keep(running)
        if self.pending_record is not None:
            x, *numbers = self.pending_record
            loss, norm, rate = (number[index] for number in numbers)
            self.pending_record = x[:, index], loss, norm, rate
        if self.pending_evaluations is not None:
            self.pending_evaluations = self.pending_evaluations[index]
        if self.targets is not None:
            self.targets = self.targets[:, index]
        self.live = len(running)


def _arrange(values: Tensor, batch: Batch) -> Tensor:
    """Return values (n, …) as the rows of a batch lie in memory."""
    return values.contiguous() if batch.by_row else by_rows(values)


def _pad(index: Tensor, batch: Batch) -> Tensor:
    """Repeat the last row number up to a multiple of the batch's lanes.

    Rows that lie whole pages apart in memory would evict each other from the caches, so such a
    number of rows gets more padding.
    """
    padding = -len(index) % batch.lanes
    if batch.lanes > 1 and (len(index) + padding) % _PAGE == 0:
        padding += batch.lanes
    return torch.cat((index, index[-1:].expand(padding)))
