"""Adaptive gradient methods: each coordinate is scaled by its past gradients."""

from typing import ClassVar

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Layout
from gdlab.optimizers.base import (
    Optimizer,
    State,
    any_nonzero,
    as_tensor,
    divisor,
    effective_gradient,
    moving_average,
    zero_column,
)


class RMSprop(Optimizer):
    """RMSprop: the gradient divided by the root of its mean square.

    With g the gradient plus `weight_decay` · x,

        v ← α v + (1 − α) g²,   s = √v + eps
        b ← momentum · b + g / s,   x ← x − lr · b

    `centered` subtracts the squared mean gradient from v. Tieleman and Hinton, lecture 6.5 of
    "Neural networks for machine learning", 2012; centered: Graves 2013. Equal to
    `torch.optim.RMSprop`.

    Attributes:
        alpha: decay rate of the average of g².
        eps: added to the denominator.
        weight_decay: coefficient of the L2 penalty.
        momentum: momentum coefficient.
        centered: divide by the standard deviation instead of the root mean square.
        maximize: maximize the loss instead of minimizing it.
    """

    alpha: Number = setting(default=0.99, ge=0, le=1)
    eps: Number = setting(default=1e-8, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)
    momentum: Number = setting(default=0.0, ge=0, lt=1)
    centered: bool = False
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return averages that are all zero."""
        names = ["square"]
        names += ["mean"] if self.centered else []
        names += ["buffer"] if any_nonzero(self.momentum) else []
        return {name: torch.zeros_like(x) for name in names}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        grad = effective_gradient(grad, x, self.weight_decay, self.maximize)
        # In torch's order of operations: if centered, v − m² amplifies rounding differences.
        square = torch.addcmul(state["square"] * self.alpha, grad, grad * (1 - self.alpha))
        new = {"square": square}
        if self.centered:
            mean = new["mean"] = moving_average(state["mean"], grad, self.alpha)
            # Rounding can make it negative where g hardly changes: v is at least m².
            square = torch.addcmul(square, mean, mean, value=-1).clamp(min=0)
        denominator = divisor(square.sqrt() + self.eps, self.eps)
        plain = torch.addcdiv(x, lr * grad, denominator, value=-1)
        if not any_nonzero(self.momentum):
            return plain, new
        buffer = new["buffer"] = state["buffer"] * self.momentum + grad / denominator
        heavy = torch.addcmul(x, buffer, lr, value=-1)
        # A run without momentum must round as it does in a batch of its own, and as in torch.
        return torch.where(as_tensor(self.momentum, x) == 0, plain, heavy), new


class Adagrad(Optimizer):
    """Adagrad: the gradient divided by the root of the sum of squared gradients.

    With g the gradient plus `weight_decay` · x, at step k,

        s ← s + g²,   x ← x − lr / (1 + (k − 1) lr_decay) · g / (√s + eps)

    Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011. Equal to `torch.optim.Adagrad`.

    Attributes:
        lr_decay: how fast the learning rate decays with the steps.
        weight_decay: coefficient of the L2 penalty.
        initial_accumulator_value: initial value of s.
        eps: added to the denominator.
        maximize: maximize the loss instead of minimizing it.
    """

    lr_decay: Number = setting(default=0.0, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)
    initial_accumulator_value: Number = setting(default=0.0, ge=0)
    eps: Number = setting(default=1e-10, ge=0)
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return the sum at its initial value and a step counter at zero."""
        total = torch.zeros_like(x) + self.initial_accumulator_value
        return {"sum": total, "taken": zero_column(x)}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        grad = effective_gradient(grad, x, self.weight_decay, self.maximize)
        total = torch.addcmul(state["sum"], grad, grad)
        rate = lr / (1 + state["taken"] * self.lr_decay)
        step = grad / divisor(total.sqrt() + self.eps, self.eps)
        return torch.addcmul(x, step, rate, value=-1), {"sum": total, "taken": state["taken"] + 1}


class Adadelta(Optimizer):
    """Adadelta: steps scaled by the ratio of recent step sizes to recent gradient sizes.

    With g the gradient plus `weight_decay` · x,

        v ← ρ v + (1 − ρ) g²,   d = √(u + eps) / √(v + eps) · g
        u ← ρ u + (1 − ρ) d²,   x ← x − lr · d

    Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1, which has lr = 1.
    Equal to `torch.optim.Adadelta`.

    Attributes:
        rho: decay rate of the two averages.
        eps: added under both roots; determines the size of the first steps.
        weight_decay: coefficient of the L2 penalty.
        maximize: maximize the loss instead of minimizing it.
    """

    default_lr: ClassVar[float] = 1.0

    rho: Number = setting(default=0.9, ge=0, le=1)
    eps: Number = setting(default=1e-6, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return averages that are zero."""
        return {"square": torch.zeros_like(x), "step": torch.zeros_like(x)}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        grad = effective_gradient(grad, x, self.weight_decay, self.maximize)
        new = 1 - self.rho
        square = torch.addcmul(state["square"] * self.rho, grad, grad * new)
        delta = (
            (state["step"] + self.eps).sqrt() / divisor(square + self.eps, self.eps).sqrt() * grad
        )
        step = torch.addcmul(state["step"] * self.rho, delta, delta * new)
        return torch.addcmul(x, delta, lr, value=-1), {"square": square, "step": step}
