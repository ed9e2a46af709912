"""Gradient descent and its momentum forms."""

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
        momentum: the share of the last step that is kept.
        dampening: how much less of the new gradient enters the momentum.
        weight_decay: the coefficient of the L2 penalty.
        nesterov: look ahead along the momentum.
        maximize: go uphill.
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
        """No momentum; `started` is 0 before the first step, which is not dampened."""
        if not any_nonzero(self.momentum):
            return {}
        started = {"started": zero_column(x)} if any_nonzero(self.dampening) else {}
        return {"buffer": torch.zeros_like(x), **started}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step."""
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
        """2/L, 2 (1 + β)/L with momentum β, 2 (1 + β)/((1 + 2β) L) with Nesterov's.

        Where the iteration's characteristic polynomial has a root on the unit circle, at −1
        (Polyak 1964; Lessard, Recht and Packard 2016). Weight decay adds to L. With dampening
        τ the momentum form has 1 − τ in its gradient term.
        """
        if self.maximize:
            return None
        curvature, beta = largest + self.weight_decay, self.momentum
        if self.nesterov:
            return 2 * (1 + beta) / ((1 + 2 * beta) * curvature)
        entering = 1 - self.dampening if any_nonzero(beta) else 1.0
        return 2 * (1 + beta) / (entering * curvature)

    def optimal_lr(self, least: Number, largest: Number) -> Number | None:
        """2/(μ + L) without momentum (Polyak 1964), weight decay being added to both."""
        if self.maximize or any_nonzero(self.momentum):
            return None
        return 2 / (least + largest + 2 * self.weight_decay)

    def optimum(self, least: float, largest: float) -> Optimum | None:
        """With κ = L/μ: Polyak's or Nesterov's momentum at its best, or none with lr 2/(μ + L).

        Heavy ball: lr 4/(√L + √μ)², momentum ((√κ − 1)/(√κ + 1))² (Polyak 1964). Nesterov: lr
        4/(3L + μ), momentum (√(3κ + 1) − 2)/(√(3κ + 1) + 2) (Lessard, Recht and Packard 2016).
        """
        if not self._is_plain:
            return None
        if not any_nonzero(self.momentum):
            return Optimum(2 / (least + largest), 0.0)
        if not self.nesterov:
            return _polyak(least, largest)
        root = math.sqrt(3 * largest / least + 1)
        lr, momentum = 4 / (3 * largest + least), (root - 2) / (root + 2)
        return Optimum(lr, max(0.0, momentum))

    def component(self, lr: Number, curvature: Number) -> Component | None:
        """With s = 1 − lr λ: z² − (s + β) z + β; z² − (1 + β) s z + β s with Nesterov's momentum.

        Polyak 1964; Lessard, Recht and Packard 2016. With Nesterov's, the first step is
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
        """Whether neither dampening nor decay nor a sign make it another iteration."""
        is_dampened = any_nonzero(self.momentum) and any_nonzero(self.dampening)
        return not (self.maximize or is_dampened or any_nonzero(self.weight_decay))

    @property
    def theory(self) -> str:
        """Who treats the iteration as such."""
        return "Lessard, Recht and Packard 2016" if self.nesterov else "Polyak 1964"

    def stability_formula(self, curvature: str = "λ_max") -> str:
        """As in `max_stable_lr`."""
        curvature = f"({curvature} + weight_decay)" if any_nonzero(self.weight_decay) else curvature
        if not any_nonzero(self.momentum):
            return f"2/{curvature}"
        if self.nesterov:
            return f"2(1+β)/((1+2β){curvature})"
        entering = f"((1-τ){curvature})" if any_nonzero(self.dampening) else curvature
        return f"2(1+β)/{entering}"


class HeavyBall(Optimizer):
    """Polyak's heavy ball in its textbook form: x₊ = x − lr · g + momentum · (x − x₋).

    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964. x₋ is the
    point before, at the first step x itself. With a constant lr it takes the steps of SGD with
    momentum; where lr changes, this momentum does not change with it.

    Attributes:
        momentum: the share of the last step that is made again.
    """

    momentum: Number = setting(default=0.9, ge=0, lt=1)

    def init(self, x: Tensor, layout: Layout) -> State:
        """The point before is the start."""
        return {"before": x.clone()}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step."""
        coasted = x + self.momentum * (x - state["before"])
        return torch.addcmul(coasted, grad, lr, value=-1), {"before": x}

    def max_stable_lr(self, largest: Number) -> Number | None:
        """2 (1 + β)/L (Polyak 1964; Lessard, Recht and Packard 2016)."""
        return 2 * (1 + self.momentum) / largest

    def optimal_lr(self, least: Number, largest: Number) -> Number | None:
        """2 (1 + β)/(μ + L), which makes |1 + β − lr λ| equally large at μ and L.

        The iteration's spectral radius at λ grows with it (or is √β). With the momentum
        ((√L − √μ)/(√L + √μ))² it is Polyak's 4/(√L + √μ)².
        """
        return 2 * (1 + self.momentum) / (least + largest)

    def optimum(self, least: float, largest: float) -> Optimum | None:
        """Lr 4/(√L + √μ)², momentum ((√L − √μ)/(√L + √μ))² (Polyak 1964)."""
        return _polyak(least, largest)

    def component(self, lr: Number, curvature: Number) -> Component | None:
        """Z² − (1 + β − lr λ) z + β (Polyak 1964)."""
        s, beta = 1 - lr * curvature, self.momentum
        return Component(s, s + beta, beta)

    @property
    def theory(self) -> str:
        """Polyak."""
        return "Polyak 1964"

    def stability_formula(self, curvature: str = "λ_max") -> str:
        """As in `max_stable_lr`."""
        return f"2(1+β)/{curvature}"


def _polyak(least: float, largest: float) -> Optimum:
    """The settings that give both ends of the spectrum a double root ± (√L − √μ)/(√L + √μ)."""
    high, low = math.sqrt(largest), math.sqrt(least)
    return Optimum(4 / (high + low) ** 2, ((high - low) / (high + low)) ** 2)
