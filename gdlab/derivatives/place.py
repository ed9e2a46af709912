"""A loss at a point: what every finding starts from, each part computed once.

Shapes: D dimensions.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from gdlab.derivatives.differences import Differences
from gdlab.derivatives.points import point, typed
from gdlab.derivatives.symbolic import Symbolic
from gdlab.errors import SettingError
from gdlab.gradient import differentiable, hessian, value_and_gradient
from gdlab.losses.base import Loss


class Place:
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
        self.loss, self.x = loss, point(at, loss.names, setting)
        if not bool(self.value.isfinite()):
            what = f"the loss is {float(self.value):g} there, and must be finite"
            raise SettingError(f"{typed(self.x, setting)}: {what}")

    @cached_property
    def value(self) -> Tensor:
        """The loss: a scalar."""
        return self._first[0]

    @cached_property
    def gradient(self) -> Tensor:
        """The gradient by autograd (D,)."""
        return self._first[1]

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
        if not is_twice_differentiable(self.loss, self.x):
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


def is_twice_differentiable(loss: Loss, x: Tensor) -> bool:
    """Whether autograd can differentiate a loss twice at a point (D,).

    A function marked with torch's `once_differentiable` leaves a node called Error behind. It has
    no way on to the point, so that torch goes round it, and what depends on it would count as zero.
    """
    to_see = [differentiable(loss, x[None])[1].grad_fn]
    seen = set()
    while to_see:
        node = to_see.pop()
        if node is None or node in seen:
            continue
        if type(node).__name__ == "Error":
            return False
        seen.add(node)
        to_see += [following for following, _ in node.next_functions]
    return True
