"""Adam and its variants: a mean gradient divided by the root of a mean squared gradient."""

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Layout
from gdlab.optimizers.base import (
    Optimizer,
    State,
    apply_weight_decay,
    decayed_sum,
    divisor,
    effective_gradient,
    zero_column,
)


def init_moments(x: Tensor) -> dict[str, Tensor]:
    """Return zero averages of g and g², and of ones with the same weights (bias corrections)."""
    means = {"mean": torch.zeros_like(x), "square": torch.zeros_like(x)}
    return {**means, "mean_of_one": zero_column(x), "square_of_one": zero_column(x)}


def update_moments(state: State, grad: Tensor, betas: tuple[Number, Number]) -> dict[str, Tensor]:
    """Update the averages with a gradient; those of ones are the corrections 1 − βᵏ at step k.

    Computed as averages of ones, these do not suffer from cancellation at small k.
    """
    beta1, beta2 = betas
    new1, new2 = 1 - beta1, 1 - beta2
    return {
        "mean": torch.lerp(state["mean"], grad, new1),
        "square": torch.addcmul(state["square"] * beta2, grad, grad * new2),
        "mean_of_one": decayed_sum(state["mean_of_one"], beta1, new1),
        "square_of_one": decayed_sum(state["square_of_one"], beta2, new2),
    }


class Adam(Optimizer):
    """Adam: the mean gradient divided by the root of the mean squared gradient.

    With g the gradient plus `weight_decay` · x, and averages that start at zero,

        m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
        x ← x − lr · (m / c₁) / (√(v / c₂) + eps),   cᵢ = 1 − βᵢᵏ at step k

    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1. `amsgrad`
    replaces v by the largest v so far (Reddi, Kale and Kumar 2018). `decoupled_weight_decay` is
    AdamW: x shrinks by lr · `weight_decay` · x before the step, and g is the gradient without the
    decay (Loshchilov and Hutter 2019, algorithm 2). Equal to `torch.optim.Adam` and
    `torch.optim.AdamW`. The corrections c are computed as averages of ones, which avoids
    cancellation at small k.

    Attributes:
        betas: decay rates of the averages of g and g².
        eps: added to the denominator.
        weight_decay: coefficient of the L2 penalty, or of the decoupled decay.
        decoupled_weight_decay: shrink the parameters directly instead of through the gradient.
        amsgrad: use the largest v so far, so that the denominator never shrinks.
        maximize: maximize the loss instead of minimizing it.
    """

    betas: tuple[Number, Number] = setting(default=(0.9, 0.999), ge=0, lt=1)
    eps: Number = setting(default=1e-8, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)
    decoupled_weight_decay: bool = False
    amsgrad: bool = False
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return averages that are all zero."""
        return init_moments(x) | ({"greatest": torch.zeros_like(x)} if self.amsgrad else {})

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        decoupled, maximize = self.decoupled_weight_decay, self.maximize
        x, grad = apply_weight_decay(
            x, grad, lr, self.weight_decay, decoupled=decoupled, maximize=maximize
        )
        new = update_moments(state, grad, self.betas)
        square, c1, c2 = new["square"], new["mean_of_one"], new["square_of_one"]
        if self.amsgrad:
            square = new["greatest"] = torch.maximum(state["greatest"], square)
        denominator = divisor(square.sqrt() / c2.sqrt() + self.eps, self.eps)
        return torch.addcdiv(x, new["mean"] * (lr / c1), denominator, value=-1), new


class NAdam(Optimizer):
    """NAdam: Adam with Nesterov momentum, whose coefficient grows over the steps.

    With m, v and c₂ as in Adam, and Mₖ the product of the coefficients μ₁ … μₖ,

        μₖ = β₁ (1 − ½ · 0.96^(k · momentum_decay))
        x ← x − lr · (μₖ₊₁ m / (1 − Mₖ₊₁) + (1 − μₖ) g / (1 − Mₖ)) / (√(v / c₂) + eps)

    Dozat, "Incorporating Nesterov momentum into Adam", 2016. Equal to `torch.optim.NAdam`.

    Attributes:
        betas: decay rates of the averages of g and g².
        eps: added to the denominator.
        weight_decay: coefficient of the L2 penalty, or of the decoupled decay.
        momentum_decay: how fast the momentum coefficient grows.
        decoupled_weight_decay: shrink the parameters directly instead of through the gradient.
        maximize: maximize the loss instead of minimizing it.
    """

    betas: tuple[Number, Number] = setting(default=(0.9, 0.999), ge=0, lt=1)
    eps: Number = setting(default=1e-8, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)
    momentum_decay: Number = setting(default=4e-3, ge=0)
    decoupled_weight_decay: bool = False
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return averages and a step counter, all zero."""
        return init_moments(x) | {"taken": zero_column(x), "product": zero_column(x) + 1}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        decoupled, maximize = self.decoupled_weight_decay, self.maximize
        x, grad = apply_weight_decay(
            x, grad, lr, self.weight_decay, decoupled=decoupled, maximize=maximize
        )
        new = update_moments(state, grad, self.betas)
        taken = new["taken"] = state["taken"] + 1
        now, following = self._momentum_at(taken), self._momentum_at(taken + 1)
        product = new["product"] = state["product"] * now
        denominator = divisor((new["square"] / new["square_of_one"]).sqrt() + self.eps, self.eps)
        x = torch.addcdiv(x, grad * (lr * (1 - now) / (1 - product)), denominator, value=-1)
        share = lr * following / (1 - product * following)
        return torch.addcdiv(x, new["mean"] * share, denominator, value=-1), new

    def _momentum_at(self, step: Tensor) -> Tensor:
        """Return μ at a step (R, 1)."""
        return self.betas[0] * (1 - 0.5 * torch.pow(0.96, step * self.momentum_decay))


class RAdam(Optimizer):
    """RAdam: Adam without its denominator while the variance of that is still large.

    With m, v, c₁ and c₂ as in Adam, ρ∞ = 2 / (1 − β₂) − 1 and
    ρ = ρ∞ − 2 k β₂ᵏ / (1 − β₂ᵏ) at step k,

        r = √((ρ − 4)(ρ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ))
        x ← x − lr · r · (m / c₁) · √c₂ / (√v + eps)    where ρ > 5
        x ← x − lr · (m / c₁)                           elsewhere

    Liu et al., "On the variance of the adaptive learning rate and beyond", 2020, algorithm 2, with
    5 in place of 4. Equal to `torch.optim.RAdam`, except for the rounding of ρ: as written, it
    loses three digits to cancellation with β₂ = 0.999. Here it is 2w/s − 1, with the sums
    s = Σ β₂ʲ and w = Σ (j + 1) β₂ʲ over j < k, which lose none.

    Attributes:
        betas: decay rates of the averages of g and g².
        eps: added to the denominator.
        weight_decay: coefficient of the L2 penalty, or of the decoupled decay.
        decoupled_weight_decay: shrink the parameters directly instead of through the gradient.
        maximize: maximize the loss instead of minimizing it.
    """

    betas: tuple[Number, Number] = setting(default=(0.9, 0.999), ge=0, lt=1)
    eps: Number = setting(default=1e-8, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)
    decoupled_weight_decay: bool = False
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return averages and sums that are all zero."""
        return init_moments(x) | {"sum": zero_column(x), "ramp": zero_column(x)}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        decoupled, maximize = self.decoupled_weight_decay, self.maximize
        x, grad = apply_weight_decay(
            x, grad, lr, self.weight_decay, decoupled=decoupled, maximize=maximize
        )
        new = update_moments(state, grad, self.betas)
        beta2 = self.betas[1]
        total = new["sum"] = state["sum"] * beta2 + 1
        ramp = new["ramp"] = state["ramp"] * beta2 + total
        rho, limit = 2 * ramp / total - 1, 2 / (1 - beta2) - 1
        is_certain = rho > 5
        ratio = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
        rectified = (ratio * new["square_of_one"]).sqrt()
        rate = lr / new["mean_of_one"] * torch.where(is_certain, rectified, 1.0)
        denominator = torch.where(
            is_certain, divisor(new["square"].sqrt() + self.eps, self.eps), 1.0
        )
        return torch.addcdiv(x, new["mean"] * rate, denominator, value=-1), new


class Adamax(Optimizer):
    """Adamax: Adam with an exponentially weighted infinity norm in the denominator.

    With m and c₁ as in Adam,

        u ← max(β₂ u, |g| + eps),   x ← x − lr · (m / c₁) / u

    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 2, which has no
    eps. Equal to `torch.optim.Adamax`.

    Attributes:
        betas: decay rates of the average and of the infinity norm.
        eps: added to |g|.
        weight_decay: coefficient of the L2 penalty.
        maximize: maximize the loss instead of minimizing it.
    """

    betas: tuple[Number, Number] = setting(default=(0.9, 0.999), ge=0, lt=1)
    eps: Number = setting(default=1e-8, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return a state that is all zero."""
        return {
            "mean": torch.zeros_like(x),
            "size": torch.zeros_like(x),
            "mean_of_one": zero_column(x),
        }

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        grad = effective_gradient(grad, x, self.weight_decay, self.maximize)
        beta1, beta2 = self.betas
        mean = torch.lerp(state["mean"], grad, 1 - beta1)
        size = torch.maximum(state["size"] * beta2, grad.abs() + self.eps)
        c1 = decayed_sum(state["mean_of_one"], beta1, 1 - beta1)
        x = torch.addcdiv(x, mean * (lr / c1), divisor(size, self.eps), value=-1)
        return x, {"mean": mean, "size": size, "mean_of_one": c1}
