"""Learning rates that rise again."""

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Number, setting
from gdlab.fields.formatting import format_value
from gdlab.schedules.base import Schedule


class CosineRestarts(Schedule):
    """From lr to `final` · lr along half a cosine, again and again.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017; as
    `CosineAnnealingWarmRestarts` in torch.

    Attributes:
        period: the steps until the first restart.
        growth: how many times longer each period is than the one before.
        final: the share of lr at the end of each period.
    """

    period: int = setting(default=100, ge=1)
    growth: int = setting(default=1, ge=1)
    final: Number = setting(default=0.0, ge=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Final + (1 − final)(1 + cos(π · passed share of the period)) / 2."""
        passed = (
            torch.remainder(step, self.period) / self.period
            if self.growth == 1
            else self._passed(step, steps)
        )
        return self.final + (1 - self.final) * (1 + torch.cos(math.pi * passed)) / 2

    def _passed(self, step: Tensor, steps: int) -> Tensor:
        """The share of its period that has passed at each step, where periods grow."""
        begin, length = 0, self.period
        passed = step / length
        while begin + length <= steps:
            begin, length = begin + length, length * self.growth
            passed = torch.where(step < begin, passed, (step - begin) / length)
        return passed


class OneCycle(Schedule):
    """Up to lr and down again, far below where it began; lr is the greatest rate.

    Smith and Topin, "Super-convergence", 2018; as `OneCycleLR` in torch with
    `cycle_momentum=False`. With T steps the rate rises from lr / div_factor until step
    `pct_start` · T − 1 and falls to lr / (div_factor · final_div_factor) at step T − 1.

    Attributes:
        pct_start: the share of the steps in which the rate rises.
        anneal_strategy: rises and falls along half a cosine (cos) or a line (linear).
        div_factor: how many times lower than lr the rate begins.
        final_div_factor: how many times lower than at the beginning it ends.
        three_phase: fall to the first rate as fast as it rose, and only then to the last.
    """

    pct_start: Number = setting(default=0.3, ge=0, le=1)
    anneal_strategy: Literal["cos", "linear"] = "cos"
    div_factor: Number = setting(default=25.0, ge=1)
    final_div_factor: Number = setting(default=1e4, ge=1)
    three_phase: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.three_phase and bool(torch.as_tensor(self.pct_start > 0.5).any()):
            given = format_value(self.pct_start)
            raise SettingError(f"pct_start={given}: must be ≤ 0.5 with three_phase=true")

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """The way from one rate to the next within the phase of each step."""
        low = 1 / self.div_factor
        least = low / self.final_div_factor
        top = self.pct_start * steps - 1
        ends: list[Number] = [0.0, top]
        values: list[Number] = [low, 1.0]
        if self.three_phase:
            ends.append(2 * self.pct_start * steps - 2)
            values.append(low)
        ends.append(steps - 1)
        values.append(least)
        rate = None
        for (begin, end), (start, stop) in zip(pairwise(ends), pairwise(values), strict=True):
            phase = self._between(step, begin, end, start, stop)
            rate = phase if rate is None else torch.where(step <= begin, rate, phase)
        assert rate is not None
        return rate

    def _between(
        self, step: Tensor, begin: Number, end: Number, start: Number, stop: Number
    ) -> Tensor:
        """The rates of a phase that goes from one step and rate to another."""
        length = torch.as_tensor(end - begin, dtype=step.dtype, device=step.device)
        passed = torch.where(length > 0, (step - begin) / length, 1.0)
        if self.anneal_strategy == "linear":
            return start + (stop - start) * passed
        return stop + (start - stop) / 2 * (1 + torch.cos(math.pi * passed))
