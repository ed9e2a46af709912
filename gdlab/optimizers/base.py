"""The interface of an optimizer: two pure functions that turn gradients into steps.

Shapes: R runs, D dimensions.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from typing import Any, ClassVar, NamedTuple, TypeAlias

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, Number
from gdlab.fields.returned import check_pair, check_state, check_tensor
from gdlab.losses.base import Layout, Loss

State: TypeAlias = Mapping[str, Tensor]
"""An optimizer's memory between steps: tensors by name, each with the row axis first."""


_STEP = "update must return (x, state)"


class Component(NamedTuple):
    """The recurrence of an optimizer along one eigenvector of a quadratic's constant Hessian.

    The distance to the minimizer along it is p_k times the initial one, with p_0 = 1, p_1 =
    `first` and p_{k+1} = `trace` · p_k − `determinant` · p_{k−1}: the roots of
    z² − trace · z + determinant determine how fast it shrinks.
    """

    first: Number
    trace: Number
    determinant: Number


class Optimum(NamedTuple):
    """The settings with which an optimizer converges fastest on a quadratic.

    `momentum` is None for an optimizer that runs without.
    """

    lr: Number
    momentum: Number | None


class Optimizer(Configured, ABC):
    """Computes a step from the gradient and a state: the base class of all optimizers.

    >>> import gdlab, torch
    >>> class SignDescent(gdlab.Optimizer):
    ...     def update(self, x, grad, state, lr):
    ...         return x - lr * torch.sign(grad), state
    >>> gdlab.run("sphere", SignDescent(), lr=0.5, start=[1, -2], steps=2).history.x[-1].tolist()
    [0.0, -1.0]

    An optimizer broadcasts over runs: `lr` and each `Number` field arrive as columns of shape (R,
    1), except that a hyperparameter that is zero in every run stays the number 0.0, so that an
    optimizer can skip its term (see `any_nonzero`). `init` and `update` are pure; every tensor of
    the state has the row axis first, step counters included.
    """

    __module__ = "gdlab"

    needs: ClassVar[Set[str]] = frozenset()
    """What the optimizer needs besides the gradient; empty for most. See `OracleOptimizer`."""

    default_lr: ClassVar[float] = 0.1
    """The learning rate if none is given; where it is not 0.1, the YAML file repeats it as `lr`."""

    space: ClassVar[Mapping[str, Any] | None] = None
    """What a comparison tunes where no YAML file says it, such as {"lr": {"log": [1e-5, 10]}}."""

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return the state before the first step, for starting points x (R, D).

        Raises:
            SettingError: the optimizer cannot handle parameters with this layout.
        """
        return {}

    @abstractmethod
    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step from x (R, D) with its gradient (R, D); return the next x and state."""

    def query(self, x: Tensor, state: State) -> Tensor:
        """Return the points (R, D) at which the next step's gradient is evaluated.

        By default x itself. If they differ, the gradient at x is computed too, because losses and
        gradients are recorded there.
        """
        return x

    def why_not_batched(self, layout: Layout, dtype: torch.dtype) -> str | None:
        """Explain why the rows of a batch are stepped one by one; None if they step together."""
        return None

    def matrix_shape(self, loss: Loss) -> tuple[int, int]:
        """Return the shape of the largest matrix that a run needs for each step; (0, 0) for none.

        Args:
            loss: the loss.
        """
        return 0, 0

    def max_stable_lr(self, largest: Number) -> Number | None:
        """Return the learning rate above which it diverges on a quadratic; None if unknown.

        An optimizer has such a limit if its steps on a quadratic are a linear recurrence. It then
        diverges from almost every start, and at every learning rate along a negative eigenvalue.

        Args:
            largest: the Hessian's largest eigenvalue L > 0.
        """
        return None

    @property
    def coupled_decay(self) -> Number:
        """The coefficient of its L2 penalty, which adds to every eigenvalue of the Hessian."""
        return 0.0

    @property
    def escape(self) -> str | None:
        """The setting that leads away from saddles and maxima; None if its steps do anyway."""
        return None

    @property
    def maximizes(self) -> bool:
        """Whether it climbs: the setting `maximize` of an optimizer that has one."""
        return getattr(self, "maximize", False)

    @property
    def decay(self) -> Number:
        """The coefficient of its weight decay, coupled or not: `weight_decay`, if it has one."""
        return getattr(self, "weight_decay", 0.0)

    def optimal_lr(self, least: Number, largest: Number) -> Number | None:
        """Return the learning rate with the fastest convergence on a quadratic; None if unknown.

        Args:
            least: the Hessian's smallest eigenvalue μ > 0.
            largest: its largest eigenvalue L.
        """
        return None

    def optimum(self, least: float, largest: float) -> Optimum | None:
        """Return lr and momentum with the fastest convergence on a quadratic; None if unknown.

        Args:
            least: the Hessian's smallest eigenvalue μ > 0.
            largest: its largest eigenvalue L.
        """
        return None

    def component(self, lr: Number, curvature: Number) -> Component | None:
        """Return the recurrence along an eigenvector of the Hessian; None if unknown.

        Args:
            lr: the constant learning rate.
            curvature: the eigenvalue λ > 0.
        """
        return None

    @property
    def is_traceable(self) -> bool:
        """Whether `update` consists of tensor operations only, so that it can be compiled."""
        return True

    @property
    def theory(self) -> str:
        """The source of its stability limit, optimal settings and rate on quadratics."""
        return ""

    def stability_formula(self, curvature: str = "λ_max") -> str:
        """Return the formula of `max_stable_lr`, with the largest eigenvalue called `curvature`."""
        return "the stability limit"


def initial_state(optimizer: Optimizer, x: Tensor, layout: Layout) -> State:
    """Return the state of an optimizer before the first step from x (n, D), checked.

    Raises:
        SettingError: the optimizer cannot handle the layout, or returned no state.
    """
    state: Any = optimizer.init(x, layout)
    try:
        return check_state(state, "init", len(x))
    except TypeError as error:
        raise SettingError(f"optimizer={optimizer.shown_name}: {error}") from error


def check_step(returned: Any, x: Tensor) -> tuple[Tensor, State]:
    """Return what an optimizer made of points x (n, D), the next ones and its state, if it is that.

    Raises:
        TypeError: it has not the form (x, state), or a part of it has another type.
        ValueError: the points have another shape.
    """
    after, state = check_pair(returned, _STEP, len(x))
    check_tensor(after, f"{_STEP} with x", x.shape, len(x), x.dtype)
    return after, check_state(state, "update", len(x))


def any_nonzero(hyperparameter: Number) -> bool:
    """Return whether a hyperparameter is nonzero in any run."""
    return isinstance(hyperparameter, Tensor) or hyperparameter != 0


def zero_column(x: Tensor) -> Tensor:
    """Return a column of zeros (R, 1) for points x (R, D), such as a step counter per run."""
    return torch.zeros_like(x[:, :1])


def moving_average(mean: Tensor, value: Tensor, decay: Number) -> Tensor:
    """Return the exponential moving average decay · mean + (1 − decay) · value."""
    return torch.lerp(mean, value, 1 - decay)


def decayed_sum(total: Tensor, decay: Number, new: Number) -> Tensor:
    """Return decay · total + new, in one fused operation if both are columns."""
    if isinstance(decay, Tensor) and isinstance(new, Tensor):
        return torch.addcmul(new, total, decay)
    return decay * total + new


def divisor(total: Tensor, eps: Number) -> Tensor:
    """Return a total with eps in it, infinite where it is 0: coordinates without slopes rest."""
    is_positive = not isinstance(eps, Tensor) and eps > 0
    return total if is_positive else torch.where(total == 0, torch.inf, total)


def as_tensor(number: Number, like: Tensor) -> Tensor:
    """Convert a number to a tensor with the dtype and device of another."""
    return torch.as_tensor(number, dtype=like.dtype, device=like.device)


def effective_gradient(grad: Tensor, x: Tensor, weight_decay: Number, maximize: bool) -> Tensor:
    """Return ±grad + weight_decay · x: the sign for maximization, and the L2 penalty's gradient."""
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
    """Apply weight decay to the point (decoupled) or to the gradient (coupled); return both."""
    if not decoupled:
        return x, effective_gradient(grad, x, weight_decay, maximize)
    x = x * (1 - lr * weight_decay) if any_nonzero(weight_decay) else x
    return x, -grad if maximize else grad
