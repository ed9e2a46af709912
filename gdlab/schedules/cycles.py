"""Schedules whose learning rate rises and falls."""

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
    """From lr to `final` · lr along half a cosine, with restarts.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017; as
    `CosineAnnealingWarmRestarts` in torch.

    Attributes:
        period: number of steps until the first restart.
        growth: ratio of each period to the previous one.
        final: fraction of lr at the end of each period.
    """

    period: int = setting(default=100, ge=1)
    growth: int = setting(default=1, ge=1)
    final: Number = setting(default=0.0, ge=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Compute final + (1 − final)(1 + cos πt) / 2 at the fraction t of the period."""
        fraction = (
            torch.remainder(step, self.period) / self.period
            if self.growth == 1
            else self._growing_fraction(step, steps)
        )
        return self.final + (1 - self.final) * (1 + torch.cos(math.pi * fraction)) / 2

    def _growing_fraction(self, step: Tensor, steps: int) -> Tensor:
        """Compute the fraction of the current period at each step, with growing periods."""
        begin, length = 0, self.period
        fraction = step / length
        while begin + length <= steps:
            begin, length = begin + length, length * self.growth
            fraction = torch.where(step < begin, fraction, (step - begin) / length)
        return fraction


class OneCycle(Schedule):
    """Up to lr, then down to far below the initial rate; lr is the maximum.

    Smith and Topin, "Super-convergence", 2018; as `OneCycleLR` in torch with
    `cycle_momentum=False`. With T steps the rate rises from lr / div_factor until step
    `pct_start` · T − 1 and falls to lr / (div_factor · final_div_factor) at step T − 1.

    Attributes:
        pct_start: fraction of the steps in which the rate rises.
        anneal_strategy: shape of rise and fall: half a cosine (cos) or a line (linear).
        div_factor: ratio of lr to the initial rate.
        final_div_factor: ratio of the initial rate to the final rate.
        three_phase: fall to the initial rate as fast as it rose, then to the final rate.
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
        """Interpolate between the rates at both ends of the phase that each step is in."""
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
            phase = self._interpolate(step, begin, end, start, stop)
            rate = phase if rate is None else torch.where(step <= begin, rate, phase)
        assert rate is not None
        return rate

    def _interpolate(
        self, step: Tensor, begin: Number, end: Number, start: Number, stop: Number
    ) -> Tensor:
        """Compute the rates of a phase from rate `start` at `begin` to rate `stop` at `end`."""
        length = torch.as_tensor(end - begin, dtype=step.dtype, device=step.device)
        fraction = torch.where(length > 0, (step - begin) / length, 1.0)
        if self.anneal_strategy == "linear":
            return start + (stop - start) * fraction
        return stop + (start - stop) / 2 * (1 + torch.cos(math.pi * fraction))
