"""What an optimizer is: two pure functions that turn gradients into steps.

Shapes: R runs, D dimensions.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from typing import ClassVar, NamedTuple, TypeAlias

import torch
from torch import Tensor

from gdlab.fields.declared import Configured, Number
from gdlab.losses.base import Layout

State: TypeAlias = Mapping[str, Tensor]
"""What an optimizer remembers between steps: tensors by name, each with the row axis first."""


class Component(NamedTuple):
    """How an optimizer moves along one eigenvector of a quadratic's constant Hessian.

    The distance to the minimizer along it is p_k times that of the start, with p_0 = 1, p_1 =
    `first` and p_{k+1} = `trace` · p_k − `determinant` · p_{k−1}: the roots of
    z² − trace · z + determinant say how fast it shrinks.
    """

    first: Number
    trace: Number
    determinant: Number


class Optimum(NamedTuple):
    """The settings of an optimizer's fastest rate on a quadratic."""

    lr: Number
    momentum: Number


class Optimizer(Configured, ABC):
    """How a step is taken from the gradient and what is remembered: an optimizer.

    An optimizer broadcasts over runs: `lr` and each `Number` field arrive as columns of shape (R,
    1), except that a hyperparameter which is zero in every run stays the number 0.0, so that an
    optimizer may leave its term out (see `any_nonzero`). Both functions are pure; every tensor of
    the state has the row axis first, step counters included.
    """

    __module__ = "gdlab"

    needs: ClassVar[Set[str]] = frozenset()
    """What the optimizer needs beside the gradient, if anything: see `OracleOptimizer`."""

    default_lr: ClassVar[float] = 0.1
    """The learning rate where none is given; a file of conf with another one has it as `lr`."""

    def init(self, x: Tensor, layout: Layout) -> State:
        """What is remembered before the first step from the starts x (R, D).

        Raises:
            SettingError: the optimizer cannot treat parameters of this layout.
        """
        return {}

    @abstractmethod
    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step from x (R, D) with its gradient (R, D): the next x and state."""

    def query(self, x: Tensor, state: State) -> Tensor:
        """Where the next step's gradient is taken: (R, D).

        The point x itself, unless an optimizer says otherwise; the gradient at x is then computed
        too, since losses and gradients are recorded there.
        """
        return x

    def why_not_batched(self, layout: Layout, dtype: torch.dtype) -> str | None:
        """Why it steps the rows of a batch one by one, in words; None where they step together."""
        return None

    def max_stable_lr(self, largest: Number) -> Number | None:
        """The learning rate above which it diverges on a quadratic, where theory knows it.

        Args:
            largest: the Hessian's greatest eigenvalue L > 0.
        """
        return None

    def optimal_lr(self, least: Number, largest: Number) -> Number | None:
        """The learning rate of the fastest rate on a quadratic, where theory knows it.

        Args:
            least: the Hessian's least eigenvalue μ > 0.
            largest: its greatest eigenvalue L.
        """
        return None

    def optimum(self, least: float, largest: float) -> Optimum | None:
        """The lr and the momentum of the fastest rate on a quadratic, where theory knows them.

        Args:
            least: the Hessian's least eigenvalue μ > 0.
            largest: its greatest eigenvalue L.
        """
        return None

    def component(self, lr: Number, curvature: Number) -> Component | None:
        """How it moves along an eigenvector of the Hessian, where theory knows that.

        Args:
            lr: the constant learning rate.
            curvature: the eigenvalue λ > 0.
        """
        return None

    @property
    def is_traceable(self) -> bool:
        """Whether its update is made of tensors' operations alone, so that it can be compiled."""
        return True

    @property
    def theory(self) -> str:
        """Who found what is said of it on quadratics, the limit, the optimum and the rate."""
        return ""

    def stability_formula(self, curvature: str = "λ_max") -> str:
        """The formula of `max_stable_lr` with the greatest eigenvalue of that name."""
        return "the stability limit"


def any_nonzero(hyperparameter: Number) -> bool:
    """Whether a hyperparameter differs from zero in any run."""
    return isinstance(hyperparameter, Tensor) or hyperparameter != 0


def zero_column(x: Tensor) -> Tensor:
    """A column of zeros (R, 1) for points x (R, D): a counter for each run."""
    return torch.zeros_like(x[:, :1])


def moving_average(mean: Tensor, value: Tensor, decay: Number) -> Tensor:
    """The exponential moving average decay · mean + (1 − decay) · value."""
    return torch.lerp(mean, value, 1 - decay)


def decayed_sum(total: Tensor, decay: Number, new: Number) -> Tensor:
    """The sum decay · total + new, in one operation where both are columns."""
    if isinstance(decay, Tensor) and isinstance(new, Tensor):
        return torch.addcmul(new, total, decay)
    return decay * total + new


def as_tensor(number: Number, like: Tensor) -> Tensor:
    """A number as a tensor of another's dtype and device."""
    return torch.as_tensor(number, dtype=like.dtype, device=like.device)


def effective_gradient(grad: Tensor, x: Tensor, weight_decay: Number, maximize: bool) -> Tensor:
    """The gradient with its sign for maximising, and coupled weight decay (an L2 penalty)."""
    grad = -grad if maximize else grad
    return grad + weight_decay * x if any_nonzero(weight_decay) else grad


def apply_weight_decay(
    x: Tensor,
    grad: Tensor,
    lr: Tensor,
    weight_decay: Number,
    *,
    decoupled: bool,
    maximize: bool,
) -> tuple[Tensor, Tensor]:
    """The point and the gradient after weight decay, of the one or of the other."""
    if not decoupled:
        return x, effective_gradient(grad, x, weight_decay, maximize)
    x = x * (1 - lr * weight_decay) if any_nonzero(weight_decay) else x
    return x, -grad if maximize else grad
