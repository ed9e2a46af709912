"""Optimizers around any other optimizer: what it is given is clipped or decayed first.

A wrapper's state holds that of its optimizer under names that begin with `inner.`.
"""

import dataclasses

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Layout
from gdlab.optimizers.base import Optimizer, State, as_tensor
from gdlab.optimizers.momentum import SGD

_PREFIX = "inner."


class Wrapper(Optimizer):
    """An optimizer around another one.

    Attributes:
        inner: the optimizer that takes the step.
    """

    inner: Optimizer = dataclasses.field(default_factory=SGD)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inner.needs:
            inner, outer = type(self.inner).__name__, type(self).__name__
            what = f"{inner} needs more than a gradient, and {outer} gives it no more"
            raise SettingError(f"inner: {what}")

    @property
    def is_traceable(self) -> bool:
        """Whether the optimizer is."""
        return self.inner.is_traceable

    def why_not_batched(self, layout: Layout, dtype: torch.dtype) -> str | None:
        """Why the optimizer steps rows one by one."""
        return self.inner.why_not_batched(layout, dtype)

    def init(self, x: Tensor, layout: Layout) -> State:
        """What the optimizer remembers."""
        return wrapped(self.inner.init(x, layout))

    def query(self, x: Tensor, state: State) -> Tensor:
        """Where the optimizer takes its gradient."""
        return self.inner.query(x, within(state))

    def _step(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """The optimizer's step with another point or gradient."""
        x, inner = self.inner.update(x, grad, within(state), lr)
        return x, wrapped(inner)


def wrapped(state: State) -> dict[str, Tensor]:
    """The state of the optimizer inside as a part of a wrapper's."""
    return {f"{_PREFIX}{name}": leaf for name, leaf in state.items()}


def within(state: State) -> dict[str, Tensor]:
    """The state of the optimizer inside a wrapper."""
    start = len(_PREFIX)
    return {name[start:]: leaf for name, leaf in state.items() if name.startswith(_PREFIX)}


class ClipNorm(Wrapper):
    """Any optimizer with clipped gradient norms: g ← g · min(1, max_norm / (‖g‖ + 1e-6)).

    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013,
    algorithm 1. Equal to `torch.nn.utils.clip_grad_norm_`, whose 1e-6 it has.

    Attributes:
        inner: the optimizer that takes the step.
        max_norm: the greatest norm of all gradients of a run together.
    """

    max_norm: Number = setting(default=1.0, gt=0)

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step."""
        norm = grad.square().sum(1, keepdim=True).sqrt()
        share = (self.max_norm / (norm + 1e-6)).clamp(max=1)
        return self._step(x, grad * share, state, lr)


class ClipValue(Wrapper):
    """Any optimizer with each partial derivative within ± `max_value`: g ← min(max(g, −v), v).

    Equal to `torch.nn.utils.clip_grad_value_`; the direction of the gradient changes.

    Attributes:
        inner: the optimizer that takes the step.
        max_value: the greatest |∂f/∂xᵢ|.
    """

    max_value: Number = setting(default=1.0, gt=0)

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step."""
        bound = as_tensor(self.max_value, x)
        return self._step(x, torch.maximum(torch.minimum(grad, bound), -bound), state, lr)


class WeightDecay(Wrapper):
    """Any optimizer with weight decay, coupled to its gradient or decoupled.

        g ← g + weight_decay · x          coupled: an L2 penalty, seen by all of its averages
        x ← x · (1 − lr · weight_decay)   decoupled, before the step

    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019. The recorded loss is that
    without the penalty. It equals the `weight_decay` that some optimizers have themselves.

    Attributes:
        inner: the optimizer that takes the step.
        weight_decay: the coefficient.
        decoupled: shrink the parameters instead of adding to the gradient.
    """

    weight_decay: Number = setting(default=0.01, ge=0)
    decoupled: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.decoupled and getattr(self.inner, "maximize", False):
            what = "must be true around an optimizer with maximize=true, or the decay changes sign"
            raise SettingError(f"decoupled=false: {what}")

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step."""
        if self.decoupled:
            return self._step(x * (1 - lr * self.weight_decay), grad, state, lr)
        return self._step(x, grad + self.weight_decay * self.query(x, state), state, lr)

    def max_stable_lr(self, largest: Number) -> Number | None:
        """The optimizer's own, coupled decay being added to the curvature."""
        return None if self.decoupled else self.inner.max_stable_lr(largest + self.weight_decay)

    def optimal_lr(self, least: Number, largest: Number) -> Number | None:
        """The optimizer's own, coupled decay being added to the curvatures."""
        decay = self.weight_decay
        return None if self.decoupled else self.inner.optimal_lr(least + decay, largest + decay)

    def stability_formula(self, curvature: str = "λ_max") -> str:
        """As in `max_stable_lr`."""
        return self.inner.stability_formula(f"({curvature} + weight_decay)")

    @property
    def theory(self) -> str:
        """The optimizer's own."""
        return self.inner.theory
