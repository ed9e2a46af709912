"""A schedule that begins with a slow rise."""

import dataclasses

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import setting
from gdlab.schedules.base import Constant, Memory, Schedule


class Warmup(Schedule):
    """Up along a line over `warmup` steps, then any other schedule over the steps that are left.

    At step k < warmup the rate is lr · (k + 1) / (warmup + 1) (Goyal et al. 2017); as `LinearLR`
    and the other schedule in torch's `SequentialLR`. What follows begins with its step 0 and the
    full lr. The schedule warmup_cosine is a preset of it.

    Attributes:
        then: the schedule that follows.
        warmup: the number of steps until the full lr is reached.
    """

    then: Schedule = dataclasses.field(default_factory=Constant)
    warmup: int = setting(default=100, ge=1)

    def check(self, steps: int) -> None:
        """The warm-up ends within the run, and what follows fits into the rest."""
        if self.warmup > steps:
            what = f"must be ≤ {steps}, the steps that it has, or lr is never reached"
            raise SettingError(f"warmup={self.warmup}: {what}")
        try:
            self.then.check(max(steps - self.warmup, 1))
        except SettingError as error:
            raise SettingError(f"then.{error}") from error

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """(k + 1) / (warmup + 1) at first, then the other schedule's."""
        after = (step - self.warmup).clamp(min=0)
        following = self.then.factor(after, max(steps - self.warmup, 1))
        return torch.where(step < self.warmup, _risen(step, self.warmup), following)

    def init(self, base: Tensor) -> Memory:
        """What the other schedule remembers."""
        return self.then.init(base)

    def lr(
        self, step: int, base: Tensor, state: Memory, loss: Tensor, steps: int
    ) -> tuple[Tensor, Memory]:
        """The risen rate at first, then the other schedule's; it sees no loss before."""
        if step < self.warmup:
            return base * _risen(step, self.warmup), state
        return self.then.lr(step - self.warmup, base, state, loss, max(steps - self.warmup, 1))


def _risen(step: "Tensor | int", warmup: int) -> "Tensor | float":
    """The share of lr that step k of the warm-up has: (k + 1) / (warmup + 1)."""
    return (step + 1) / (warmup + 1)
