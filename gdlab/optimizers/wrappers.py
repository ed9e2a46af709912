"""Wrappers around any optimizer: gradient clipping and weight decay.

A wrapper's state contains that of the inner optimizer, under names that begin with `inner.`.
"""

import dataclasses

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Layout
from gdlab.numerics.rowwise import norm, rescale
from gdlab.optimizers.base import Optimizer, State, as_tensor
from gdlab.optimizers.momentum import SGD

_PREFIX = "inner."


class Wrapper(Optimizer):
    """An optimizer that modifies the inputs of an inner one.

    Attributes:
        inner: the optimizer that takes the step.
    """

    inner: Optimizer = dataclasses.field(default_factory=SGD)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inner.needs:
            what = "must be an optimizer that needs only the gradient"
            raise SettingError(f"inner={type(self.inner).__name__}: {what}")

    @property
    def is_traceable(self) -> bool:
        """Whether the inner optimizer is."""
        return self.inner.is_traceable

    def why_not_batched(self, layout: Layout, dtype: torch.dtype) -> str | None:
        """Return the inner optimizer's reason."""
        return self.inner.why_not_batched(layout, dtype)

    @property
    def maximizes(self) -> bool:
        """Whether the inner optimizer does."""
        return self.inner.maximizes

    @property
    def decay(self) -> Number:
        """The inner optimizer's weight decay, plus the wrapper's own."""
        return super().decay + self.inner.decay

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return the inner optimizer's state."""
        return nest_state(self.inner.init(x, layout))

    def query(self, x: Tensor, state: State) -> Tensor:
        """Return the points at which the inner optimizer evaluates the gradient."""
        return self.inner.query(x, inner_state(state))

    def _step(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take the inner optimizer's step, with a modified point or gradient."""
        x, inner = self.inner.update(x, grad, inner_state(state), lr)
        return x, nest_state(inner)


def nest_state(state: State) -> dict[str, Tensor]:
    """Prefix the names of the inner optimizer's state, for use in the wrapper's."""
    return {f"{_PREFIX}{name}": leaf for name, leaf in state.items()}


def inner_state(state: State) -> dict[str, Tensor]:
    """Return the inner optimizer's state from the wrapper's."""
    start = len(_PREFIX)
    return {name[start:]: leaf for name, leaf in state.items() if name.startswith(_PREFIX)}


class ClipNorm(Wrapper):
    """Any optimizer with clipped gradient norms: g ← g · min(1, max_norm / (‖g‖ + 1e-6)).

    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013,
    algorithm 1. Equal to `torch.nn.utils.clip_grad_norm_`, from which the 1e-6 is taken.

    Attributes:
        inner: the optimizer that takes the step.
        max_norm: upper bound of the norm of a run's whole gradient.
    """

    max_norm: Number = setting(default=1.0, gt=0)

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        scaled, factor = rescale(grad)
        share = torch.minimum(self.max_norm / (norm(scaled) + 1e-6 * factor), 1 / factor)
        return self._step(x, scaled * share, state, lr)


class ClipValue(Wrapper):
    """Any optimizer with partial derivatives clipped to ± `max_value`: g ← min(max(g, −v), v).

    Equal to `torch.nn.utils.clip_grad_value_`; the direction of the gradient may change.

    Attributes:
        inner: the optimizer that takes the step.
        max_value: upper bound of |∂f/∂xᵢ|.
    """

    max_value: Number = setting(default=1.0, gt=0)

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        bound = as_tensor(self.max_value, x)
        return self._step(x, torch.maximum(torch.minimum(grad, bound), -bound), state, lr)


class WeightDecay(Wrapper):
    """Any optimizer with weight decay, coupled to its gradient or decoupled.

        g ← g + weight_decay · x          coupled: an L2 penalty, part of all of its averages
        x ← x · (1 − lr · weight_decay)   decoupled, before the step

    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019. The recorded loss
    excludes the penalty. Equal to the `weight_decay` setting that some optimizers have.

    Attributes:
        inner: the optimizer that takes the step.
        weight_decay: coefficient of the decay.
        decoupled: shrink the parameters directly instead of through the gradient.
    """

    weight_decay: Number = setting(default=0.01, ge=0)
    decoupled: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.decoupled and getattr(self.inner, "maximize", False):
            what = "must be true around an optimizer with maximize=true, or the decay changes sign"
            raise SettingError(f"decoupled=false: {what}")

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        if self.decoupled:
            return self._step(x * (1 - lr * self.weight_decay), grad, state, lr)
        return self._step(x, grad + self.weight_decay * self.query(x, state), state, lr)

    def max_stable_lr(self, largest: Number) -> Number | None:
        """Return the inner optimizer's limit; coupled decay adds to the curvature."""
        return None if self.decoupled else self.inner.max_stable_lr(largest + self.weight_decay)

    @property
    def coupled_decay(self) -> Number:
        """The inner optimizer's, plus `weight_decay` where it is coupled."""
        own = 0.0 if self.decoupled else self.weight_decay
        return own + self.inner.coupled_decay

    def optimal_lr(self, least: Number, largest: Number) -> Number | None:
        """Return the inner optimizer's; coupled decay adds to the curvatures."""
        decay = self.weight_decay
        return None if self.decoupled else self.inner.optimal_lr(least + decay, largest + decay)

    def stability_formula(self, curvature: str = "λ_max") -> str:
        """Return the formula of `max_stable_lr`."""
        return self.inner.stability_formula(f"({curvature} + weight_decay)")

    @property
    def theory(self) -> str:
        """The inner optimizer's source."""
        return self.inner.theory
