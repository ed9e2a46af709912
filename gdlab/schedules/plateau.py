"""A schedule that reduces the learning rate when the loss stops falling."""

from typing import Literal

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.schedules.base import Memory, Schedule


class ReduceOnPlateau(Schedule):
    """lr · `shrink`ⁿ, where n grows by one after more than `patience` steps without progress.

    The loss has made progress if it is below best − threshold · |best|, or below best − threshold;
    best is the last loss that did. As `ReduceLROnPlateau` in torch, called with the loss at x_k
    after step k: the rate of step k depends on the losses at x_0 … x_{k−1}. Losses may have any
    sign; torch's relative rule, (1 − threshold) · best, never sees a plateau below 0. Each run has
    its own rate. The loss is the recorded one, not that of a minibatch; records without a loss do
    not count.

    Attributes:
        shrink: factor of each reduction; `factor` in torch.
        patience: number of steps without progress that are tolerated.
        threshold: smallest decrease of the loss that counts as progress.
        threshold_mode: whether that is a fraction of the best loss (rel) or a difference (abs).
        cooldown: number of steps after a reduction that are not counted.
        min_lr: lower bound of the rate.
        eps: smaller reductions of the rate are skipped.
    """

    shrink: Number = setting(default=0.1, gt=0, lt=1)
    patience: int = setting(default=10, ge=0)
    threshold: Number = setting(default=1e-4, ge=0)
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: int = setting(default=0, ge=0)
    min_lr: Number = setting(default=0.0, ge=0)
    eps: Number = setting(default=1e-8, ge=0)

    def init(self, base: Tensor) -> Memory:
        """Return the base rate, and no loss seen yet."""
        zero = torch.zeros_like(base)
        return {"rate": base, "best": zero + torch.inf, "bad": zero, "cooling": zero}

    def lr(
        self, step: int, base: Tensor, state: Memory, loss: Tensor, steps: int
    ) -> tuple[Tensor, Memory]:
        """Return the rate that the earlier losses led to, and the state after this loss."""
        rate, best, cooling = state["rate"], state["best"], state["cooling"]
        better, is_cooling = loss < self._bar(best), cooling > 0
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

    def _bar(self, best: Tensor) -> Tensor:
        """Return what a loss must be below to be progress (R,); infinity before the first loss."""
        if self.threshold_mode == "abs":
            return best - self.threshold
        return best * (1 - torch.where(best.isfinite(), best.sign() * self.threshold, 0.0))
