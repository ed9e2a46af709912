"""A schedule that starts with a linear rise."""

import dataclasses
from typing import cast

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import setting
from gdlab.schedules.base import Constant, Memory, Schedule


class Warmup(Schedule):
    """A linear rise over `warmup` steps, then any other schedule over the remaining steps.

    At step k < warmup, the rate is lr · (k + 1) / (warmup + 1) (Goyal et al. 2017), as with
    `LinearLR` and the other schedule in torch's `SequentialLR`. The schedule that follows starts at
    its step 0 with the full lr. The choice warmup_cosine is a preset of this class.

    Attributes:
        then: the schedule that follows.
        warmup: number of steps until the full lr is reached.
    """

    then: Schedule = dataclasses.field(default_factory=Constant)
    warmup: int = setting(default=100, ge=1)

    def check(self, steps: int) -> None:
        """Check that the warmup ends within the run, and that the other schedule fits the rest."""
        if self.warmup > steps:
            must = f"must be ≤ {steps}, the number of steps, or lr is never reached"
            raise SettingError(f"warmup={self.warmup}: {must}")
        try:
            self.then.check(max(steps - self.warmup, 1))
        except SettingError as error:
            raise SettingError(f"then.{error}") from error

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Compute (k + 1) / (warmup + 1) at first, then the factor of the other schedule."""
        after = (step - self.warmup).clamp(min=0)
        following = self.then.factor(after, max(steps - self.warmup, 1))
        return torch.where(step < self.warmup, _warmup_factor(step, self.warmup), following)

    def init(self, base: Tensor) -> Memory:
        """Return the state of the other schedule."""
        return self.then.init(base)

    def lr(
        self, step: "int | Tensor", base: Tensor, state: Memory, loss: Tensor, steps: int
    ) -> tuple[Tensor, Memory]:
        """Compute the rising rate at first, then that of the other, which sees no earlier loss."""
        if isinstance(step, int) and step < self.warmup:
            return base * _warmup_factor(step, self.warmup), state
        left = max(steps - self.warmup, 1)
        rate, after = self.then.lr(cast("int", step - self.warmup), base, state, loss, left)
        if isinstance(step, int):
            return rate, after
        rises = step < self.warmup
        rate = torch.where(rises, base * _warmup_factor(step, self.warmup), rate)
        return rate, {k: torch.where(rises, state[k], leaf) for k, leaf in after.items()}


def _warmup_factor(step: "Tensor | int", warmup: int) -> "Tensor | float":
    """Compute the fraction of lr at step k of the warmup: (k + 1) / (warmup + 1)."""
    return (step + 1) / (warmup + 1)
