"""The learning rate over steps.

A schedule maps a step number and the base rate to the rate of that step. It is a closed form in
the step, so it is evaluated for a chunk of steps and all runs at once.

Shapes: R runs, K steps.
"""

import math

import torch
from torch import Tensor

from gdlab.fields import Configured, Number, setting


class Schedule(Configured):
    """The learning rate of each step, from the base rate.

    A `Number` field may hold a column of shape (R,).
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


class Constant(Schedule):
    """lr."""

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """1."""
        return torch.ones_like(step)


class Step(Schedule):
    """lr · gamma^⌊k / step_size⌋: a fall every `step_size` steps. As `StepLR` in torch.

    Attributes:
        step_size: steps between the falls.
        gamma: the factor of each fall.
    """

    step_size: int = setting(default=100, ge=1)
    gamma: Number = setting(default=0.1, gt=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """gamma^⌊k / step_size⌋."""
        return torch.pow(self.gamma, torch.floor(step / self.step_size))


class Exponential(Schedule):
    """lr · gammaᵏ. As `ExponentialLR` in torch.

    Attributes:
        gamma: the factor of each step.
    """

    gamma: Number = setting(default=0.99, gt=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """gammaᵏ."""
        return torch.pow(self.gamma, step)


class Cosine(Schedule):
    """From lr to `final` · lr along half a cosine over all steps.

    Loshchilov and Hutter, "SGDR", 2017, without restarts; as `CosineAnnealingLR` in torch.

    Attributes:
        final: the share of lr at the end.
    """

    final: Number = setting(default=0.0, ge=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Final + (1 − final)(1 + cos(π k / steps)) / 2."""
        return self.final + (1 - self.final) * (1 + torch.cos(math.pi * step / steps)) / 2


class Linear(Schedule):
    """From lr to `final` · lr along a line over all steps. As `LinearLR` in torch.

    Attributes:
        final: the share of lr at the end.
    """

    final: Number = setting(default=0.0, ge=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """1 + (final − 1) k / steps."""
        return 1 + (self.final - 1) * (step / steps)


class InverseTime(Schedule):
    """lr / (1 + decay · k): the classical rate of stochastic approximation (Robbins, Monro 1951).

    Attributes:
        decay: how fast the rate falls.
    """

    decay: Number = setting(default=0.01, ge=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """1 / (1 + decay k)."""
        return 1 / (1 + self.decay * step)


class WarmupCosine(Schedule):
    """Up along a line over `warmup` steps, then down to `final` · lr along half a cosine.

    Attributes:
        warmup: the number of steps until the full lr is reached.
        final: the share of lr at the end.
    """

    warmup: int = setting(default=100, ge=1)
    final: Number = setting(default=0.0, ge=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """(k + 1) / (warmup + 1) at first, then the cosine over what is left."""
        rising = (step + 1) / (self.warmup + 1)
        passed = (step - self.warmup) / max(steps - self.warmup, 1)
        falling = self.final + (1 - self.final) * (1 + torch.cos(math.pi * passed)) / 2
        return torch.where(step < self.warmup, rising, falling)
