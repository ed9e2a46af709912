"""What a schedule is: the rate of each step, from the base rate.

Most schedules are a closed form in the step number, evaluated for a chunk of steps and all runs at
once. One that also follows the recorded losses remembers something of them, and is asked at every
step.

Shapes: R runs, K steps.
"""

from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from gdlab.fields.declared import Configured

Memory: TypeAlias = Mapping[str, Tensor]
"""What a schedule remembers of a run's losses: tensors (R,) by name."""


class Schedule(Configured):
    """The learning rate of each step, from the base rate.

    A `Number` field may hold a column of shape (R,). A subclass says its `factor`; one that follows
    the losses says `init` and `lr` instead.
    """

    __module__ = "gdlab"

    def check(self, steps: int) -> None:
        """Refuse settings that do not fit a run of so many steps.

        Raises:
            SettingError: in words, which of its settings does not.
        """

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """What the base rate is multiplied by.

        Args:
            step: the numbers of the steps, from 0: (K, R), floating.
            steps: how many steps the run may take.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say its factor")

    def rates(self, step: Tensor, base: Tensor, steps: int) -> Tensor:
        """The learning rates (K, R) at steps (K,) from the base rates (R,)."""
        # Every step number is given to every run, so that each takes the same vector path.
        grid = step[:, None].expand(-1, len(base)).to(base.dtype).contiguous()
        return self.factor(grid, steps) * base

    def init(self, base: Tensor) -> Memory:
        """What is remembered before the first step; nothing where rates follow from the step."""
        return {}

    def lr(
        self, step: int, base: Tensor, state: Memory, loss: Tensor, steps: int
    ) -> tuple[Tensor, Memory]:
        """The learning rates (R,) of one step, and what is remembered after it.

        Args:
            step: its number, from 0.
            base: the base rates (R,).
            state: what is remembered.
            loss: the losses (R,) at the points that the step leaves; NaN where there is none.
            steps: how many steps the run may take.
        """
        return self.rates(torch.tensor([step], device=base.device), base, steps)[0], state


class Constant(Schedule):
    """lr."""

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """1."""
        return torch.ones_like(step)

    def rates(self, step: Tensor, base: Tensor, steps: int) -> Tensor:
        """The base rates, once for all steps."""
        return base.expand(len(step), -1)
