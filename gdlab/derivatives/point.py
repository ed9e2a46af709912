"""A loss at a point: what every finding starts from, each part computed once.

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
        at: the point, D finite numbers; None for where the loss has its runs start.
        setting: what the point was given for, for errors.

    Raises:
        SettingError: the point has another length, or the loss is not finite there.

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
            what = f"the loss is {float(self.value):g} there, but must be finite"
            raise SettingError(f"{format_setting(self.x, setting)}: {what}")

    @cached_property
    def value(self) -> Tensor:
        """The loss: a scalar."""
        return self._first[0]

    @cached_property
    def gradient(self) -> Tensor:
        """The gradient by autograd (D,)."""
        return self._first[1]

    @cached_property
    def grad_norm(self) -> float:
        """The gradient's length; squares that overflow are no matter."""
        return float(norms(self.gradient[None, :, None])[0])

    @cached_property
    def ascent(self) -> Tensor | None:
        """The unit direction (D,) of steepest ascent; None for a gradient of 0 or not finite."""
        return normalize(self.gradient)

    @cached_property
    def _first(self) -> tuple[Tensor, Tensor]:
        value, gradient = value_and_gradient(self.loss, self.x[None])
        return value[0], gradient[0].contiguous()

    @cached_property
    def hessian(self) -> Tensor:
        """The Hessian by autograd (D, D).

        Raises:
            SettingError: the loss has none, as one that is differentiable but once.
        """
        if not is_twice_differentiable(self.loss, self.x[None]):
            what = "the loss has a function that is differentiable only once"
            raise SettingError(f"order=2: {what}; order=1 asks for less")
        return hessian(self.loss, self.x[None])[0].contiguous()

    @cached_property
    def symbolic(self) -> Symbolic | None:
        """The formula, where the loss has one."""
        return Symbolic.of(self.loss)

    @cached_property
    def differences(self) -> Differences:
        """The difference quotients along the axes."""
        return Differences.along(self.loss, self.x, torch.eye(len(self.x), dtype=self.x.dtype))

    @cached_property
    def limit(self) -> tuple[Tensor, Tensor]:
        """What the differences along the axes tend to, and how uncertain that is: (D,), (D,)."""
        return self.differences.limit()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the coordinates."""
        return self.loss.names
