"""Rules that scale each coordinate by the gradients it has seen."""

import torch
from torch import Tensor

from gdlab.fields import Number, setting
from gdlab.optimizers.base import (
    Layout,
    Rule,
    State,
    as_tensor,
    average,
    column,
    discounted,
    prepared,
    used,
)


class Adam(Rule):
    """Adam: steps along the mean gradient over the root of the mean squared gradient.

    With g the gradient plus `weight_decay` · x, and the averages started at zero,

        m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
        x ← x − lr · (m / c₁) / (√(v / c₂) + eps),   cᵢ = 1 − βᵢᵏ at step k

    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1. `amsgrad` puts
    the greatest v so far in its place (Reddi, Kale and Kumar 2018). `decoupled_weight_decay` is
    AdamW: x shrinks by lr · `weight_decay` · x before the step, and g is the gradient alone
    (Loshchilov and Hutter 2019, algorithm 2). Equal to `torch.optim.Adam` and `torch.optim.AdamW`.
    The corrections c are kept as averages of ones, which have no cancellation at small k.

    Attributes:
        betas: how much of the two averages is kept.
        eps: added to the denominator.
        weight_decay: the coefficient of the L2 penalty, or of the decoupled decay.
        decoupled_weight_decay: shrink the parameters instead of adding to the gradient.
        amsgrad: never let the denominator shrink.
        maximize: go uphill.
    """

    betas: tuple[Number, Number] = setting(default=(0.9, 0.999), ge=0, lt=1)
    eps: Number = setting(default=1e-8, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)
    decoupled_weight_decay: bool = False
    amsgrad: bool = False
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """All averages zero."""
        greatest = {"greatest": torch.zeros_like(x)} if self.amsgrad else {}
        means = {"mean": torch.zeros_like(x), "square": torch.zeros_like(x)}
        return {**means, "mean_of_one": column(x), "square_of_one": column(x), **greatest}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step."""
        coupled = 0.0 if self.decoupled_weight_decay else self.weight_decay
        grad = prepared(grad, x, coupled, self.maximize)
        if self.decoupled_weight_decay:
            x = x * (1 - lr * self.weight_decay)
        beta1, beta2 = self.betas
        new1, new2 = 1 - beta1, 1 - beta2
        mean = torch.lerp(state["mean"], grad, new1)
        square = torch.addcmul(state["square"] * beta2, grad, grad * new2)
        c1 = discounted(state["mean_of_one"], beta1, new1)
        c2 = discounted(state["square_of_one"], beta2, new2)
        new = {"mean": mean, "square": square, "mean_of_one": c1, "square_of_one": c2}
        if self.amsgrad:
            square = new["greatest"] = torch.maximum(state["greatest"], square)
        denominator = square.sqrt() / c2.sqrt() + self.eps
        return torch.addcdiv(x, mean * (lr / c1), denominator, value=-1), new


class RMSprop(Rule):
    """RMSprop: gradients over the root of their mean square.

    With g the gradient plus `weight_decay` · x,

        v ← α v + (1 − α) g²,   s = √v + eps
        b ← momentum · b + g / s,   x ← x − lr · b

    `centered` subtracts the squared mean gradient from v. Tieleman and Hinton, lecture 6.5 of
    "Neural networks for machine learning", 2012; centred: Graves 2013. Equal to
    `torch.optim.RMSprop`.

    Attributes:
        alpha: how much of the average is kept.
        eps: added to the denominator.
        weight_decay: the coefficient of the L2 penalty.
        momentum: the share of the last step that is kept.
        centered: divide by the standard deviation instead of the root mean square.
        maximize: go uphill.
    """

    alpha: Number = setting(default=0.99, ge=0, le=1)
    eps: Number = setting(default=1e-8, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)
    momentum: Number = setting(default=0.0, ge=0, lt=1)
    centered: bool = False
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """All averages zero."""
        names = ["square"]
        names += ["mean"] if self.centered else []
        names += ["buffer"] if used(self.momentum) else []
        return {name: torch.zeros_like(x) for name in names}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step."""
        grad = prepared(grad, x, self.weight_decay, self.maximize)
        # In torch's order of operations: centred, v − m² magnifies a difference in rounding.
        square = torch.addcmul(state["square"] * self.alpha, grad, grad * (1 - self.alpha))
        new = {"square": square}
        if self.centered:
            mean = new["mean"] = average(state["mean"], grad, self.alpha)
            square = torch.addcmul(square, mean, mean, value=-1)
        denominator = square.sqrt() + self.eps
        plain = torch.addcdiv(x, lr * grad, denominator, value=-1)
        if not used(self.momentum):
            return plain, new
        buffer = new["buffer"] = state["buffer"] * self.momentum + grad / denominator
        heavy = torch.addcmul(x, buffer, lr, value=-1)
        # A run without momentum rounds as it does alone, and as torch's does.
        return torch.where(as_tensor(self.momentum, x) == 0, plain, heavy), new


class Adagrad(Rule):
    """Adagrad: gradients over the root of the sum of their squares.

    With g the gradient plus `weight_decay` · x, at step k,

        s ← s + g²,   x ← x − lr / (1 + (k − 1) lr_decay) · g / (√s + eps)

    Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011. Equal to `torch.optim.Adagrad`.

    Attributes:
        lr_decay: how fast the learning rate falls with the steps.
        weight_decay: the coefficient of the L2 penalty.
        initial_accumulator_value: what s starts with.
        eps: added to the denominator.
        maximize: go uphill.
    """

    lr_decay: Number = setting(default=0.0, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)
    initial_accumulator_value: Number = setting(default=0.0, ge=0)
    eps: Number = setting(default=1e-10, ge=0)
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """The sum holds its initial value; no steps are counted."""
        total = torch.zeros_like(x) + self.initial_accumulator_value
        return {"sum": total, "taken": column(x)}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step."""
        grad = prepared(grad, x, self.weight_decay, self.maximize)
        total = torch.addcmul(state["sum"], grad, grad)
        rate = lr / (1 + state["taken"] * self.lr_decay)
        step = grad / (total.sqrt() + self.eps)
        return torch.addcmul(x, step, rate, value=-1), {"sum": total, "taken": state["taken"] + 1}
