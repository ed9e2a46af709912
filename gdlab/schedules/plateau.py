"""A learning rate that falls where the loss no longer does."""

from typing import Literal

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.schedules.base import Memory, Schedule


class ReduceOnPlateau(Schedule):
    """lr · `factor`ⁿ, n growing by one when the loss has not fallen for more than `patience` steps.

    The loss has fallen where it is below (1 − threshold) · best, or below best − threshold; best is
    the least loss so far that had fallen. As `ReduceLROnPlateau` in torch, told the loss at x_k
    after step k: the rate of step k follows from the losses at x_0 … x_{k−1}. Each run has its own.
    The loss is the recorded one, not that of a minibatch; records without a loss do not count.

    Attributes:
        shrink: what the rate is multiplied by; `factor` in torch.
        patience: after how many steps without progress, and one more, the rate falls.
        threshold: how much progress counts.
        threshold_mode: whether that is a share of the best loss (rel) or an amount (abs).
        cooldown: for how many steps after a fall none is counted.
        min_lr: the rate never falls below it.
        eps: a smaller fall is left out.
    """

    shrink: Number = setting(default=0.1, gt=0, lt=1)
    patience: int = setting(default=10, ge=0)
    threshold: Number = setting(default=1e-4, ge=0)
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: int = setting(default=0, ge=0)
    min_lr: Number = setting(default=0.0, ge=0)
    eps: Number = setting(default=1e-8, ge=0)

    def init(self, base: Tensor) -> Memory:
        """The base rate, and no loss seen."""
        zero = torch.zeros_like(base)
        return {"rate": base, "best": zero + torch.inf, "bad": zero, "cooling": zero}

    def lr(
        self, step: int, base: Tensor, state: Memory, loss: Tensor, steps: int
    ) -> tuple[Tensor, Memory]:
        """The rate as the losses before left it, and what this loss makes of it."""
        rate, best, cooling = state["rate"], state["best"], state["cooling"]
        is_relative = self.threshold_mode == "rel"
        bar = best * (1 - self.threshold) if is_relative else best - self.threshold
        better, is_cooling = loss < bar, cooling > 0
        bad = torch.where(better | is_cooling, 0.0, state["bad"] + 1)
        falls = bad > self.patience
        fallen = torch.maximum(rate * self.shrink, torch.as_tensor(self.min_lr).to(rate))
        new = {
            "rate": torch.where(falls & (rate - fallen > self.eps), fallen, rate),
            "best": torch.where(better, loss, best),
            "bad": torch.where(falls, 0.0, bad),
            "cooling": torch.where(falls, float(self.cooldown), (cooling - 1).clamp(min=0)),
        }
        unseen = loss.isnan()
        return rate, {name: torch.where(unseen, state[name], leaf) for name, leaf in new.items()}
