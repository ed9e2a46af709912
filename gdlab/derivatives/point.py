"""A loss at a point: the values that the findings share, each computed once.

Shapes: D dimensions.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from gdlab.derivatives.arguments import as_point, format_setting, normalize
from gdlab.derivatives.methods.finite_differences import Differences
from gdlab.derivatives.methods.symbolic import Symbolic
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian, is_twice_differentiable, norms, value_and_gradient


class LossAtPoint:
    """A loss of D variables and a point.

    Args:
        loss: the loss.
        at: the point, D finite numbers; None for the start of the loss.
        setting: the setting the point was given for, named in errors.

    Raises:
        SettingError: the point has the wrong length, or the loss is not finite there.

    Attributes:
        loss: the loss.
        x: the point (D,), float64.
    """

    def __init__(
        self, loss: Loss, at: "Sequence[float] | Tensor | None" = None, setting: str = "at"
    ) -> None:
        if at is None:
            at = loss.starts(torch.tensor([0])).reshape(-1)
        self.loss, self.x = loss, as_point(at, loss.names, setting)
        if not bool(self.value.isfinite()):
            problem = f"the loss is {float(self.value):g} there, but must be finite"
            raise SettingError(f"{format_setting(self.x, setting)}: {problem}")

    @cached_property
    def value(self) -> Tensor:
        """The loss: a scalar."""
        return self._first[0]

    @cached_property
    def gradient(self) -> Tensor:
        """The gradient (D,) by autograd."""
        return self._first[1]

    @cached_property
    def grad_norm(self) -> float:
        """The norm of the gradient, safe against overflow of squares."""
        return float(norms(self.gradient[None, :, None])[0])

    @cached_property
    def ascent(self) -> Tensor | None:
        """The unit direction (D,) of steepest ascent; None if the gradient is 0 or not finite."""
        return normalize(self.gradient)

    @cached_property
    def _first(self) -> tuple[Tensor, Tensor]:
        value, gradient = value_and_gradient(self.loss, self.x[None])
        return value[0], gradient[0].contiguous()

    @cached_property
    def hessian(self) -> Tensor:
        """The Hessian (D, D) by autograd.

        Raises:
            SettingError: the loss is not twice differentiable by autograd.
        """
        if not is_twice_differentiable(self.loss, self.x[None]):
            problem = "the loss uses a function that is differentiable only once"
            raise SettingError(f"order=2: {problem}; use order=1")
        return hessian(self.loss, self.x[None])[0].contiguous()

    @cached_property
    def symbolic(self) -> Symbolic | None:
        """The formula of the loss; None if it has none."""
        return Symbolic.of(self.loss)

    @cached_property
    def differences(self) -> Differences:
        """The difference quotients along the axes."""
        return Differences.along(self.loss, self.x, torch.eye(len(self.x), dtype=self.x.dtype))

    @cached_property
    def limit(self) -> tuple[Tensor, Tensor]:
        """The limits (D,) of the differences along the axes, and their uncertainty (D,)."""
        return self.differences.limit()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the coordinates."""
        return self.loss.names
