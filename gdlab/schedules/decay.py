"""Schedules whose learning rate only falls."""

import math

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.schedules.base import Schedule


class Step(Schedule):
    """lr · gamma^⌊k / step_size⌋ at step k. As `StepLR` in torch.

    Attributes:
        step_size: number of steps between decays.
        gamma: factor of each decay.
    """

    step_size: int = setting(default=100, ge=1)
    gamma: Number = setting(default=0.1, gt=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Compute gamma^⌊k / step_size⌋."""
        return torch.pow(self.gamma, torch.floor(step / self.step_size))


class MultiStep(Schedule):
    """lr · gamma^(number of milestones reached). As `MultiStepLR` in torch.

    Attributes:
        milestones: steps at which the rate decays.
        gamma: factor of each decay.
    """

    milestones: tuple[int, ...] = setting(default=(300, 600, 900), ge=1)
    gamma: Number = setting(default=0.1, gt=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Compute gamma^(number of milestones ≤ k)."""
        reached = torch.zeros_like(step)
        for milestone in self.milestones:
            reached = reached + (step >= milestone)
        return torch.pow(self.gamma, reached)


class Exponential(Schedule):
    """lr · gammaᵏ. As `ExponentialLR` in torch.

    Attributes:
        gamma: factor of each step.
    """

    gamma: Number = setting(default=0.99, gt=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Compute gammaᵏ."""
        return torch.pow(self.gamma, step)


class Polynomial(Schedule):
    """From lr to 0 over all steps: lr · (1 − k / steps)^power. As `PolynomialLR` in torch.

    Attributes:
        power: 1 for a line; larger powers fall faster at first.
    """

    power: Number = setting(default=2.0, gt=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Compute (1 − k / steps)^power."""
        return torch.pow((1 - step / steps).clamp(min=0), self.power)


class Cosine(Schedule):
    """From lr to `final` · lr along half a cosine over all steps.

    Loshchilov and Hutter, "SGDR", 2017, without restarts; as `CosineAnnealingLR` in torch.

    Attributes:
        final: fraction of lr at the end.
    """

    final: Number = setting(default=0.0, ge=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Compute final + (1 − final)(1 + cos(π k / steps)) / 2."""
        return self.final + (1 - self.final) * (1 + torch.cos(math.pi * step / steps)) / 2


class Linear(Schedule):
    """From lr to `final` · lr along a line over all steps. As `LinearLR` in torch.

    Attributes:
        final: fraction of lr at the end.
    """

    final: Number = setting(default=0.0, ge=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Compute 1 + (final − 1) k / steps."""
        return 1 + (self.final - 1) * (step / steps)


class InverseTime(Schedule):
    """lr / (1 + decay · k): the classical rate of stochastic approximation (Robbins, Monro 1951).

    Attributes:
        decay: speed of the decay.
    """

    decay: Number = setting(default=0.01, ge=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Compute 1 / (1 + decay k)."""
        return 1 / (1 + self.decay * step)


class InverseSqrt(Schedule):
    """lr / √(1 + decay · k): the rate of online convex optimization (Zinkevich 2003).

    After a warmup of w steps, with `decay` = 1/w, it is the rate of Vaswani et al. 2017:
    lr · √(w / k).

    Attributes:
        decay: speed of the decay.
    """

    decay: Number = setting(default=1.0, ge=0)

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Compute 1 / √(1 + decay k)."""
        return 1 / torch.sqrt(1 + self.decay * step)
