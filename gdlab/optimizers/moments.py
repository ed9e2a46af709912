"""Variants of Adam that also use how gradients vary or change."""

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Layout
from gdlab.optimizers.adam import init_moments
from gdlab.optimizers.base import Optimizer, State, decayed_sum, divisor, zero_column


class AdaBelief(Optimizer):
    """AdaBelief: Adam with the variance of the gradient about its mean in the denominator.

    With m, c₁ and c₂ as in Adam,

        s ← β₂ s + (1 − β₂)(g − m)² + eps
        x ← x − lr · (m / c₁) / (√(s / c₂) + eps)

    Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients",
    2020, algorithm 2. Its later variants (rectified, decoupled weight decay) are not implemented.

    Attributes:
        betas: decay rates of the averages of g and (g − m)².
        eps: added to the variance at every step, and to the denominator.
    """

    betas: tuple[Number, Number] = setting(default=(0.9, 0.999), ge=0, lt=1)
    eps: Number = setting(default=1e-8, ge=0)

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return averages that are all zero."""
        return init_moments(x)

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        beta1, beta2 = self.betas
        mean = torch.lerp(state["mean"], grad, 1 - beta1)
        residual = grad - mean
        variance = torch.addcmul(
            state["square"] * beta2 + self.eps, residual, residual * (1 - beta2)
        )
        c1 = decayed_sum(state["mean_of_one"], beta1, 1 - beta1)
        c2 = decayed_sum(state["square_of_one"], beta2, 1 - beta2)
        denominator = divisor(variance.sqrt() / c2.sqrt() + self.eps, self.eps)
        x = torch.addcdiv(x, mean * (lr / c1), denominator, value=-1)
        return x, {"mean": mean, "square": variance, "mean_of_one": c1, "square_of_one": c2}


class Adan(Optimizer):
    """Adan: Nesterov momentum from gradient differences, divided by a root mean square.

    With d = g − g₋ the change of the gradient (0 at the first step), cᵢ = 1 − βᵢᵏ at step k, and
    averages that start at zero,

        m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) d,   n ← β₃ n + (1 − β₃)(g + β₂ d)²
        x ← (x − lr · (m / c₁ + β₂ v / c₂) / (√(n / c₃) + eps)) / (1 + lr · weight_decay)

    Xie et al., "Adan: adaptive Nesterov momentum algorithm", 2022, algorithm 1, with the bias
    corrections of the authors' code, and `betas` as decay rates, as there (the paper writes 1 − β
    for them). Restarts are not implemented.

    Attributes:
        betas: decay rates of the averages of g, of d and of the squares.
        eps: added to the denominator.
        weight_decay: coefficient of the proximal (implicit) weight decay after each step.
    """

    betas: tuple[Number, Number, Number] = setting(default=(0.98, 0.92, 0.99), ge=0, lt=1)
    eps: Number = setting(default=1e-8, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return averages and a previous gradient that are all zero."""
        averages = {name: torch.zeros_like(x) for name in ("mean", "change", "square", "before")}
        return averages | {f"one{i}": zero_column(x) for i in range(3)}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        beta1, beta2, beta3 = self.betas
        c1, c2, c3 = (
            decayed_sum(state[f"one{i}"], beta, 1 - beta) for i, beta in enumerate(self.betas)
        )
        change = torch.where(state["one0"] == 0, 0.0, grad - state["before"])
        ahead = grad + beta2 * change
        mean = torch.lerp(state["mean"], grad, 1 - beta1)
        drift = torch.lerp(state["change"], change, 1 - beta2)
        square = torch.addcmul(state["square"] * beta3, ahead, ahead * (1 - beta3))
        denominator = divisor(square.sqrt() / c3.sqrt() + self.eps, self.eps)
        step = mean * (lr / c1) + drift * (lr * beta2 / c2)
        x = torch.addcdiv(x, step, denominator, value=-1) / (1 + lr * self.weight_decay)
        new = {"mean": mean, "change": drift, "square": square, "before": grad}
        return x, new | {"one0": c1, "one1": c2, "one2": c3}
