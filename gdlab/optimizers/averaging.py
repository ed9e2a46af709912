"""Averaging methods: the point is an average of the iterates of a base optimizer."""

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Layout
from gdlab.optimizers.base import Optimizer, State, any_nonzero, effective_gradient, zero_column
from gdlab.optimizers.wrappers import Wrapper


class Lookahead(Wrapper):
    """Lookahead: every k steps, slow weights x move toward fast weights y of any optimizer.

    The inner optimizer steps y with the gradient at y. After every k steps

        x ← x + alpha · (y − x),   y ← x

    Zhang et al., "Lookahead optimizer: k steps forward, 1 step back", 2019, algorithm 1. The
    inner optimizer's state is kept when y is reset. The recorded points are the slow ones, x.

    Attributes:
        inner: the optimizer of the fast weights.
        k: number of fast steps per slow step.
        alpha: step size of the slow weights.
    """

    k: int = setting(default=5, ge=1)
    alpha: Number = setting(default=0.5, gt=0, le=1)

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return both points at the start."""
        return {**super().init(x, layout), "fast": x.clone(), "taken": zero_column(x)}

    def query(self, x: Tensor, state: State) -> Tensor:
        """Return the fast point, or where its optimizer evaluates the gradient."""
        return super().query(state["fast"], state)

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        fast, inner = self._step(state["fast"], grad, state, lr)
        taken = state["taken"] + 1
        is_time = taken >= self.k
        slow = torch.where(is_time, torch.lerp(x, fast, self.alpha), x)
        fast, taken = torch.where(is_time, slow, fast), torch.where(is_time, 0.0, taken)
        return slow, {**inner, "fast": fast, "taken": taken}


class ScheduleFree(Wrapper):
    """Schedule-free learning: a running average of the iterates replaces a learning rate schedule.

    The inner optimizer steps z with the gradient at y, between z and the average x: at step k

        y = (1 − momentum) z + momentum · x
        z ← the inner optimizer's step from z with the gradient at y
        w = kʳ · (largest lr so far)^weight_lr_power,   c = w / (sum of all w so far)
        x ← (1 − c) x + c z

    Where w or the sum would underflow or overflow, c is computed from ratios of successive weights.

    Defazio et al., "The road less scheduled", 2024, algorithm 1. The recorded points are the
    averages, x. The inner optimizer should have no momentum (with Adam, β₁ = 0).

    Attributes:
        inner: the optimizer of z.
        momentum: interpolation weight of the average in y.
        r: power of the step number in the weights.
        weight_lr_power: power of the learning rate in the weights.
    """

    momentum: Number = setting(default=0.9, ge=0, lt=1)
    r: Number = setting(default=0.0, ge=0)
    weight_lr_power: Number = setting(default=2.0, ge=0)

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return both points at the start, and no weights."""
        counts = {name: zero_column(x) for name in ("taken", "lr", "weights", "relative")}
        return {**super().init(x, layout), "z": x.clone(), **counts}

    def query(self, x: Tensor, state: State) -> Tensor:
        """Return y, between z and the average."""
        return torch.lerp(state["z"], x, self.momentum)

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        z, inner = self._step(state["z"], grad, state, lr)
        taken, largest = state["taken"] + 1, torch.maximum(state["lr"], lr)
        weight = self._weigh(largest, taken)
        weights = state["weights"] + weight
        ratio = torch.where(largest > 0, state["lr"] / largest, 1.0)
        relative = state["relative"] * self._weigh(ratio, state["taken"] / taken) + 1
        is_known = (weight >= torch.finfo(x.dtype).tiny) & weights.isfinite()
        new = {"z": z, "taken": taken, "lr": largest, "weights": weights, "relative": relative}
        share = torch.where(is_known, weight / weights, 1 / relative)
        return torch.lerp(x, z, share), {**inner, **new}

    def _weigh(self, lr: Tensor, taken: Tensor) -> Tensor:
        """Return takenʳ · lr^weight_lr_power (R, 1)."""
        weight = torch.pow(lr, self.weight_lr_power)
        return weight * torch.pow(taken, self.r) if any_nonzero(self.r) else weight


class ASGD(Optimizer):
    """Averaged gradient descent: decaying step sizes, and optionally the mean of the iterates.

    With g the gradient plus `weight_decay` · x, at step k,

        η = lr / (1 + lambd · lr · (k − 1))^alpha,   x ← x · (1 − lambd · η) − η · g

    With `averaged`, that point is y, and x is the mean of the points y after step t0 + 1:

        x ← x + (y − x) / max(1, k − 1 − t0)

    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, with the
    steps of Bottou 2010. Equal to `torch.optim.ASGD`, whose parameters are the points that are not
    averaged and whose state `ax` is the mean; with a schedule, η follows the current lr, in torch
    the previous one.

    Attributes:
        lambd: decay coefficient, of the point and of the step sizes.
        alpha: power with which the step sizes decay.
        t0: number of steps before averaging begins.
        weight_decay: coefficient of the L2 penalty.
        averaged: return the mean; the gradient is then evaluated at y.
        maximize: maximize the loss instead of minimizing it.
    """

    lambd: Number = setting(default=1e-4, ge=0)
    alpha: Number = setting(default=0.75, ge=0)
    t0: Number = setting(default=1e6, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)
    averaged: bool = False
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return a step counter at zero, and y at the start."""
        return {"taken": zero_column(x), **({"y": x.clone()} if self.averaged else {})}

    def query(self, x: Tensor, state: State) -> Tensor:
        """Return y if there is one, else x."""
        return state["y"] if self.averaged else x

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        y, before = self.query(x, state), state["taken"]
        grad = effective_gradient(grad, y, self.weight_decay, self.maximize)
        eta = lr / torch.pow(1 + self.lambd * lr * before, self.alpha)
        y = torch.addcmul(y * (1 - self.lambd * eta), grad, eta, value=-1)
        taken = before + 1
        if not self.averaged:
            return y, {"taken": taken}
        share = 1 / (before - self.t0).clamp(min=1)
        return torch.lerp(x, y, share), {"taken": taken, "y": y}
