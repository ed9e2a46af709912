"""Optimizers whose point is an average of the points that another optimizer steps through."""

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Layout
from gdlab.optimizers.base import Optimizer, State, any_nonzero, effective_gradient, zero_column
from gdlab.optimizers.wrappers import Wrapper


class Lookahead(Wrapper):
    """Lookahead: the point follows a faster one, which any optimizer moves, every k steps.

    The optimizer steps the fast point y with its gradient at y. After every k steps

        x ← x + alpha · (y − x),   y ← x

    Zhang et al., "Lookahead optimizer: k steps forward, 1 step back", 2019, algorithm 1. The
    optimizer's state is kept when y goes back. The recorded points are the slow ones, x.

    Attributes:
        inner: the optimizer that moves the fast point.
        k: how many steps it makes before the slow point follows.
        alpha: how far the slow point follows.
    """

    k: int = setting(default=5, ge=1)
    alpha: Number = setting(default=0.5, gt=0, le=1)

    def init(self, x: Tensor, layout: Layout) -> State:
        """Both points are the start."""
        return {**super().init(x, layout), "fast": x.clone(), "taken": zero_column(x)}

    def query(self, x: Tensor, state: State) -> Tensor:
        """The fast point, or where its optimizer takes the gradient."""
        return super().query(state["fast"], state)

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step."""
        fast, inner = self._step(state["fast"], grad, state, lr)
        taken = state["taken"] + 1
        is_time = taken >= self.k
        followed = torch.where(is_time, torch.lerp(x, fast, self.alpha), x)
        fast, taken = torch.where(is_time, followed, fast), torch.where(is_time, 0.0, taken)
        return followed, {**inner, "fast": fast, "taken": taken}


class ScheduleFree(Wrapper):
    """Schedule-free learning: a running average in the place of a falling learning rate.

    The optimizer steps z with the gradient at y, a point between z and their average x: at step k

        y = (1 − momentum) z + momentum · x
        z ← the optimizer's step from z with the gradient at y
        w = kʳ · (greatest lr so far)^weight_lr_power,   c = w / (sum of all w so far)
        x ← (1 − c) x + c z

    Defazio et al., "The road less scheduled", 2024, algorithm 1. The recorded
    points are the averages, x. The optimizer should have no momentum of its own (with Adam, β₁ =
    0).

    Attributes:
        inner: the optimizer that moves z.
        momentum: how near to the average the gradient is taken.
        r: the power of the step number in the weights.
        weight_lr_power: the power of the learning rate in the weights.
    """

    momentum: Number = setting(default=0.9, ge=0, lt=1)
    r: Number = setting(default=0.0, ge=0)
    weight_lr_power: Number = setting(default=2.0, ge=0)

    def init(self, x: Tensor, layout: Layout) -> State:
        """Both points are the start; no weights."""
        counts = {name: zero_column(x) for name in ("taken", "lr", "weights")}
        return {**super().init(x, layout), "z": x.clone(), **counts}

    def query(self, x: Tensor, state: State) -> Tensor:
        """Y, between z and the average."""
        return torch.lerp(state["z"], x, self.momentum)

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step."""
        z, inner = self._step(state["z"], grad, state, lr)
        taken, greatest = state["taken"] + 1, torch.maximum(state["lr"], lr)
        weight = torch.pow(greatest, self.weight_lr_power)
        weight = weight * torch.pow(taken, self.r) if any_nonzero(self.r) else weight
        weights = state["weights"] + weight
        new = {**inner, "z": z, "taken": taken, "lr": greatest, "weights": weights}
        return torch.lerp(x, z, weight / weights), new


class ASGD(Optimizer):
    """Averaged gradient descent: steps that shrink over time, and the mean of their points.

    With g the gradient plus `weight_decay` · x, at step k,

        η = lr / (1 + lambd · lr · (k − 1))^alpha,   x ← x · (1 − lambd · η) − η · g

    With `averaged` that point is y, and x is the mean of the points y after step t0 + 1:

        x ← x + (y − x) / max(1, k − 1 − t0)

    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, with the
    steps of Bottou 2010. Equal to `torch.optim.ASGD`, whose parameters are the points that are not
    averaged and whose state `ax` is the mean; with a schedule η follows the current lr, in torch
    the one before.

    Attributes:
        lambd: the decay, of the point and of the steps.
        alpha: the power by which steps shrink.
        t0: after how many steps averaging begins.
        weight_decay: the coefficient of the L2 penalty.
        averaged: whether the point is the mean; the gradient is then taken at y.
        maximize: go uphill.
    """

    lambd: Number = setting(default=1e-4, ge=0)
    alpha: Number = setting(default=0.75, ge=0)
    t0: Number = setting(default=1e6, ge=0)
    weight_decay: Number = setting(default=0.0, ge=0)
    averaged: bool = False
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """No steps counted; y is the start."""
        return {"taken": zero_column(x), **({"y": x.clone()} if self.averaged else {})}

    def query(self, x: Tensor, state: State) -> Tensor:
        """Y where there is one."""
        return state["y"] if self.averaged else x

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step."""
        y, before = self.query(x, state), state["taken"]
        grad = effective_gradient(grad, y, self.weight_decay, self.maximize)
        eta = lr / torch.pow(1 + self.lambd * lr * before, self.alpha)
        y = torch.addcmul(y * (1 - self.lambd * eta), grad, eta, value=-1)
        taken = before + 1
        if not self.averaged:
            return y, {"taken": taken}
        share = 1 / (before - self.t0).clamp(min=1)
        return torch.lerp(x, y, share), {"taken": taken, "y": y}
