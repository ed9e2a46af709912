"""Gradient descent, plain and with momentum."""

import math

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Number, setting
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Layout
from gdlab.optimizers.base import (
    Component,
    Optimizer,
    Optimum,
    State,
    any_nonzero,
    effective_gradient,
    zero_column,
)


class SGD(Optimizer):
    """Gradient descent, plain or with momentum: x ← x − lr · d.

    With g the gradient plus `weight_decay` · x, and b₁ = g at the first step,

        b ← momentum · b + (1 − dampening) · g
        d = g                   without momentum
        d = b                   with momentum (Polyak 1964)
        d = g + momentum · b    with `nesterov` (Nesterov 1983, as in Sutskever et al. 2013)

    Equal to `torch.optim.SGD`. The optimizers sgd, momentum and nesterov are presets of it.

    Attributes:
        momentum: momentum coefficient β.
        dampening: reduction of the new gradient in the momentum buffer.
        weight_decay: coefficient of the L2 penalty.
        nesterov: use Nesterov momentum.
        maximize: maximize the loss instead of minimizing it.
    """

    momentum: Number = setting(default=0.0, ge=0, lt=1)
    dampening: Number = setting(default=0.0, ge=0, lt=1)
    weight_decay: Number = setting(default=0.0, ge=0)
    nesterov: bool = False
    maximize: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and any_nonzero(self.dampening):
            raise SettingError(
                f"dampening={format_value(self.dampening)}: must be 0 with nesterov=true"
            )

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return a zero buffer; `started` is 0 before the first step, which is not dampened."""
        if not any_nonzero(self.momentum):
            return {}
        started = {"started": zero_column(x)} if any_nonzero(self.dampening) else {}
        return {"buffer": torch.zeros_like(x), **started}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        grad = effective_gradient(grad, x, self.weight_decay, self.maximize)
        if not any_nonzero(self.momentum):
            return torch.addcmul(x, grad, lr, value=-1), state
        if any_nonzero(self.dampening):
            entering = grad * (1 - self.dampening * state["started"])
            started = {"started": torch.ones_like(state["started"])}
        else:
            entering, started = grad, {}
        buffer = state["buffer"] * self.momentum + entering
        direction = grad + self.momentum * buffer if self.nesterov else buffer
        return torch.addcmul(x, direction, lr, value=-1), {"buffer": buffer, **started}

    def max_stable_lr(self, largest: Number) -> Number | None:
        """Return 2/L, 2 (1 + β)/L with momentum β, or 2 (1 + β)/((1 + 2β) L) with Nesterov's.

        There the iteration's characteristic polynomial has a root on the unit circle, at −1
        (Polyak 1964; Lessard, Recht and Packard 2016). Weight decay adds to L. With dampening
        τ, the gradient term of the momentum form has the factor 1 − τ.
        """
        if self.maximize:
            return None
        curvature, beta = largest + self.weight_decay, self.momentum
        if self.nesterov:
            return 2 * (1 + beta) / ((1 + 2 * beta) * curvature)
        entering = 1 - self.dampening if any_nonzero(beta) else 1.0
        return 2 * (1 + beta) / (entering * curvature)

    @property
    def coupled_decay(self) -> Number:
        """`weight_decay`."""
        return self.weight_decay

    def optimal_lr(self, least: Number, largest: Number) -> Number | None:
        """Return 2/(μ + L) without momentum (Polyak 1964); weight decay adds to both."""
        if self.maximize or any_nonzero(self.momentum):
            return None
        return 2 / (least + largest + 2 * self.weight_decay)

    def optimum(self, least: float, largest: float) -> Optimum | None:
        """Return the optimal heavy ball or Nesterov settings, or lr 2/(μ + L) without momentum.

        With κ = L/μ: heavy ball: lr 4/(√L + √μ)², momentum ((√κ − 1)/(√κ + 1))² (Polyak 1964).
        Nesterov: lr 4/(3L + μ), momentum (√(3κ + 1) − 2)/(√(3κ + 1) + 2) (Lessard, Recht and
        Packard 2016).
        """
        if not self._is_plain:
            return None
        if not any_nonzero(self.momentum):
            return Optimum(2 / (least + largest), None)
        if not self.nesterov:
            return _optimal_heavy_ball(least, largest)
        root = math.sqrt(3 * largest / least + 1)
        lr, momentum = 4 / (3 * largest + least), (root - 2) / (root + 2)
        return Optimum(lr, max(0.0, momentum))

    def component(self, lr: Number, curvature: Number) -> Component | None:
        """Return z² − (s + β) z + β, or z² − (1 + β) s z + β s with Nesterov's; s = 1 − lr λ.

        Polyak 1964; Lessard, Recht and Packard 2016. With Nesterov momentum, the first step is
        1 + β times that of gradient descent.
        """
        if not self._is_plain:
            return None
        s, beta = 1 - lr * curvature, self.momentum
        if not any_nonzero(beta):
            return Component(s, s, 0.0)
        if self.nesterov:
            return Component((1 + beta) * s - beta, (1 + beta) * s, beta * s)
        return Component(s, s + beta, beta)

    @property
    def _is_plain(self) -> bool:
        """Whether dampening, weight decay and maximization are all off."""
        is_dampened = any_nonzero(self.momentum) and any_nonzero(self.dampening)
        return not (self.maximize or is_dampened or any_nonzero(self.weight_decay))

    @property
    def theory(self) -> str:
        """The source of the analysis."""
        return "Lessard, Recht and Packard 2016" if self.nesterov else "Polyak 1964"

    def stability_formula(self, curvature: str = "λ_max") -> str:
        """Return the formula of `max_stable_lr`."""
        curvature = f"({curvature} + weight_decay)" if any_nonzero(self.weight_decay) else curvature
        if not any_nonzero(self.momentum):
            return f"2/{curvature}"
        if self.nesterov:
            return f"2(1+β)/((1+2β){curvature})"
        entering = f"((1-τ){curvature})" if any_nonzero(self.dampening) else curvature
        return f"2(1+β)/{entering}"


class HeavyBall(Optimizer):
    """Polyak's heavy ball in textbook form: x₊ = x − lr · g + momentum · (x − x₋).

    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964. x₋ is the
    previous point, at the first step x itself. With a constant lr it takes the steps of SGD with
    momentum; if lr changes, its momentum term does not scale with it.

    Attributes:
        momentum: momentum coefficient β.
    """

    momentum: Number = setting(default=0.9, ge=0, lt=1)

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return the start as the previous point."""
        return {"before": x.clone()}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        coasting = x + self.momentum * (x - state["before"])
        return torch.addcmul(coasting, grad, lr, value=-1), {"before": x}

    def max_stable_lr(self, largest: Number) -> Number | None:
        """Return 2 (1 + β)/L (Polyak 1964; Lessard, Recht and Packard 2016)."""
        return 2 * (1 + self.momentum) / largest

    def optimal_lr(self, least: Number, largest: Number) -> Number | None:
        """Return 2 (1 + β)/(μ + L), which makes |1 + β − lr λ| equally large at μ and L.

        The iteration's spectral radius at λ grows with it (or is √β). With momentum
        ((√L − √μ)/(√L + √μ))² it is Polyak's 4/(√L + √μ)².
        """
        return 2 * (1 + self.momentum) / (least + largest)

    def optimum(self, least: float, largest: float) -> Optimum | None:
        """Return lr 4/(√L + √μ)² and momentum ((√L − √μ)/(√L + √μ))² (Polyak 1964)."""
        return _optimal_heavy_ball(least, largest)

    def component(self, lr: Number, curvature: Number) -> Component | None:
        """Return z² − (1 + β − lr λ) z + β (Polyak 1964)."""
        s, beta = 1 - lr * curvature, self.momentum
        return Component(s, s + beta, beta)

    @property
    def theory(self) -> str:
        """The source of the analysis."""
        return "Polyak 1964"

    def stability_formula(self, curvature: str = "λ_max") -> str:
        """Return the formula of `max_stable_lr`."""
        return f"2(1+β)/{curvature}"


def _optimal_heavy_ball(least: float, largest: float) -> Optimum:
    """Return the settings with double roots ±(√L − √μ)/(√L + √μ) at the ends of the spectrum."""
    high, low = math.sqrt(largest), math.sqrt(least)
    return Optimum(4 / (high + low) ** 2, ((high - low) / (high + low)) ** 2)
