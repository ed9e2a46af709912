"""Whether autograd can differentiate twice: proof from its graph, not from samples."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import multi_margin_loss

from gdlab.losses import Expression
from gdlab.numerics.autodiff import hessian, is_twice_differentiable

# piecewise linear formula and its kink
KINKS = [
    ("max(0, 1-x)", [1.0]),
    ("max(x, 0)", [0.0]),
    ("max(x, -x)", [0.0]),
    ("max(x, 2*x, 3)", [3.0]),
    ("min(x, y, 0)", [0.0, 0.0]),
    ("abs(x) + abs(y)", [0.0, 0.0]),
    ("max(abs(x), abs(y))", [0.0, 0.0]),
    ("sign(x)", [0.0]),
    ("x*sign(y)", [1.0, 0.0]),
    ("2*x - 3*y", [1.0, 1.0]),
]


@pytest.mark.parametrize(("text", "at"), KINKS)
def test_a_piecewise_linear_loss_has_the_hessian_0_at_its_kink(text, at) -> None:
    loss, x = Expression(text), torch.tensor([at]).double()
    assert is_twice_differentiable(loss, x)
    assert not bool(hessian(loss, x).any())


class Custom(torch.autograd.Function):
    """A function with a slope of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return 2 * ctx.saved_tensors[0] * grads[0]


class Once(Custom):
    """Its slope cannot be differentiated, and torch knows it."""

    backward: Any = staticmethod(torch.autograd.function.once_differentiable(Custom.backward))


class ByNumpy(Custom):
    """Its slope cannot be differentiated, and torch does not know it."""

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        slope = 2 * ctx.saved_tensors[0].detach().numpy() * grads[0].detach().numpy()
        return torch.from_numpy(slope)


class Ramp(Custom):
    """The larger of x and 0."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return torch.where(ctx.saved_tensors[0] > 0, grads[0], 0.0)


class Step(Custom):
    """A step, whose slope is 0."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return (x > 0).double()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return torch.zeros_like(grads[0])


# a loss of points (n, D), and whether its Hessian is not lost
CUSTOM: list[tuple[Callable[[Tensor], Tensor], bool]] = [
    (lambda x: _sum(Custom, x), True),
    (lambda x: _sum(Once, x), False),
    (lambda x: _sum(Once, x) + (x**4).sum(-1), False),
    (lambda x: _sum(Once, 3 * x).exp(), False),
    (lambda x: _sum(ByNumpy, x), False),
    (lambda x: _sum(ByNumpy, x) + (x**4).sum(-1), False),
    (lambda x: _sum(Ramp, x), True),
    (lambda x: _sum(Ramp, x) + (x**4).sum(-1), True),
    (lambda x: _sum(Step, x), True),
    (lambda x: x.sum(-1), True),
    (lambda x: multi_margin_loss(x, torch.zeros(len(x)).long(), reduction="none"), False),
    (lambda x: x.detach().square().sum(-1) + 0 * x.sum(-1), True),
]


def _sum(function: type[Custom], x: Tensor) -> Tensor:
    return function.apply(x).sum(-1)  # type: ignore[union-attr]


@pytest.mark.parametrize(("loss", "expected"), CUSTOM)
@pytest.mark.parametrize("at", [[1.0, 2.0], [0.0, 0.0], [0.0, -1.0]])
def test_a_lost_second_derivative_is_noticed_wherever_the_point_is(loss, expected, at) -> None:
    assert is_twice_differentiable(loss, torch.tensor([at]).double()) is expected
