"""The rows of a batch that still run, and the records they make.

Rows are stored as (D, n) and seen as (n, D), so that elementwise kernels run along the rows. For
elementwise losses their number is padded to a multiple of the vector lanes: a row's bits then do
not depend on how many neighbours it has.

Shapes: R runs of the batch, D dimensions, K records of a chunk, n rows (padding included).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.batch import Batch
from gdlab.fields import Number, columns
from gdlab.losses.base import Loss
from gdlab.optimizers.base import Rule, State
from gdlab.schedules import Schedule
from gdlab.status import Status

_LANES = 32


@dataclass
class Trace:
    """The records of a chunk as they are made, and what ended it early."""

    x: list[Tensor]
    loss: list[Tensor]
    grad: list[Tensor]
    rates: Tensor
    stopped: Status = Status.RUNNING
    error: Exception | None = None


@dataclass
class Rows:
    """The rows still running: n of them, the first `live` real, the others padding."""

    batch: Batch
    loss: Loss
    rule: Rule
    schedule: Schedule
    lr: Tensor
    seed: Tensor
    noise: Tensor | None
    index: Tensor
    live: int
    first: int
    x: Tensor
    state: State
    held: tuple[Tensor, Tensor, Tensor] | None = None
    """The last record of each row (point, loss, gradient): it waits for the next chunk to tell
    whether the run goes on, since what a run's last record says differs from the others."""

    @classmethod
    def of(cls, batch: Batch) -> "Rows":
        """All rows at their starts."""
        index = _padded(torch.arange(len(batch.lr), device=batch.lr.device), batch.loss)
        x = by_rows(batch.start[index])

        def expand(value: Number) -> Tensor:
            column = torch.as_tensor(value, dtype=x.dtype, device=x.device)
            return column.expand(len(batch.lr))[index]

        def expand_rule(value: Number) -> Number:
            column = expand(value)[:, None]
            return column if bool((column != 0).any()) else 0.0

        rule = columns(batch.rule, expand_rule)
        noise = batch.noise[index][:, None] if bool((batch.noise != 0).any()) else None
        return cls(
            batch=batch,
            loss=batch.loss.with_columns(expand),
            rule=rule,
            schedule=columns(batch.schedule, expand),
            lr=batch.lr[index],
            seed=batch.seed[index],
            noise=noise,
            index=index,
            live=len(batch.lr),
            first=0,
            x=x,
            state=rule.init(x, [("x", tuple(x.shape[1:]))]),
        )

    def after(self, trace: Trace, status: Tensor) -> "Rows | None":
        """The rows that go on after a chunk, or None where no row does."""
        going = torch.nonzero(status == Status.RUNNING)[:, 0]
        if len(going) == 0:
            return None
        self.held = (trace.x[-1], trace.loss[-1], trace.grad[-1])
        self.first += len(trace.x) - 1
        if len(going) < self.live:
            self._keep(going)
        return self

    def _keep(self, going: Tensor) -> None:
        """Let all other rows go."""
        index = _padded(going, self.loss)

        def take(value: Number) -> Number:
            return by_rows(value[index]) if isinstance(value, Tensor) else value

        self.loss = self.loss.with_columns(take)
        self.rule = columns(self.rule, take)
        self.schedule = columns(self.schedule, take)
        self.lr, self.seed, self.index = self.lr[index], self.seed[index], self.index[index]
        self.noise = None if self.noise is None else self.noise[index]
        self.x = by_rows(self.x[index])
        self.state = {name: by_rows(leaf[index]) for name, leaf in self.state.items()}
        if self.held is not None:
            x, loss, grad = self.held
            self.held = by_rows(x[index]), loss[index], by_rows(grad[index])
        self.live = len(going)


def by_rows(x: Tensor) -> Tensor:
    """The same (n, ...) tensor with the row axis innermost in memory."""
    if x.stride(0) == 1:
        return x
    return x.movedim(0, -1).contiguous().movedim(-1, 0)


def _padded(index: Tensor, loss: Loss) -> Tensor:
    """Row numbers, for elementwise losses the last repeated up to a multiple of the lanes."""
    more = -len(index) % _LANES if loss.elementwise else 0
    return torch.cat((index, index[-1:].expand(more)))
