"""Each operation of the compiler against torch, with its gradient."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.batches import finish, make_batch, why_eager
from torch import Tensor
from torch.nn import functional

from gdlab.losses import Loss, Rosenbrock

OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "acos": lambda x: torch.acos(x / 4),
    "acosh": lambda x: torch.acosh(x.abs() + 2),
    "addcdiv": lambda x: torch.addcdiv(x, x + 5, x + 7, value=0.3),
    "addcmul": lambda x: torch.addcmul(x, x + 5, x, value=-0.3),
    "addmm": lambda x: torch.addmm(x.new_ones(1, 3), x, x.new_tensor(MATRIX)),
    "alpha": lambda x: torch.add(x, x.square(), alpha=0.3),
    "amax": lambda x: x.amax(-1, keepdim=True),
    "amin": lambda x: x.amin(-1),
    "asin": lambda x: torch.asin(x / 4),
    "asinh": torch.asinh,
    "atan": torch.atan,
    "atan2": lambda x: torch.atan2(x[..., 0], x[..., 1]),
    "atanh": lambda x: torch.atanh(x / 4),
    "cat": lambda x: torch.cat((x, x.square()), -1).prod(-1),
    "ceil": lambda x: x * torch.ceil(x),
    "clamp": lambda x: x.clamp(-0.5, 1.0),
    "clamp_min": lambda x: x.clamp_min(0.1),
    "cos": torch.cos,
    "cosh": torch.cosh,
    "cumsum": lambda x: x.cumsum(-1).square(),
    "diff": lambda x: x.diff(dim=-1).square(),
    "div": lambda x: 1 / (x + 5) - x / 3,
    "div by powers of 2": lambda x: (
        x / torch.where(x > 0, 2.0**-900, torch.where(x < -1, 8.0, 1.0))
    ),
    "elu": functional.elu,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "flip": lambda x: x.flip(-1) * x,
    "floor": lambda x: x * torch.floor(x),
    "gelu": functional.gelu,
    "gelu tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "hardtanh": functional.hardtanh,
    "huber": lambda x: functional.huber_loss(x, torch.zeros_like(x), reduction="none"),
    "index": lambda x: x[..., [2, 0]] * x[..., [1, 1]],
    "leaky relu": functional.leaky_relu,
    "lerp": lambda x: torch.lerp(x, x.square(), 0.3),
    "log": lambda x: torch.log(x + 5),
    "log10": lambda x: torch.log10(x + 5),
    "log1p": lambda x: torch.log1p(x + 3),
    "log2": lambda x: torch.log2(x + 5),
    "log softmax": lambda x: functional.log_softmax(x, -1),
    "logaddexp": lambda x: torch.logaddexp(x[..., 0], x[..., 1]),
    "logsigmoid": functional.logsigmoid,
    "logsumexp": lambda x: x.logsumexp(-1),
    "matmul": lambda x: x @ x.new_tensor(MATRIX),
    "maximum": lambda x: torch.maximum(x[..., 0], x[..., 1]),
    "mean": lambda x: x.mean(-1),
    "minimum": lambda x: torch.minimum(x[..., 0], x[..., 1]),
    "norm": lambda x: torch.linalg.vector_norm(x, dim=-1),
    "pow -0.5": lambda x: (x + 5) ** -0.5,
    "pow -2": lambda x: (x + 5) ** -2,
    "pow 0.3": lambda x: (x + 5) ** 0.3,
    "pow 3": lambda x: x**3,
    "pow 7": lambda x: x**7,
    "pow of": lambda x: 2.0**x,
    "pow x": lambda x: (x + 5) ** x,
    "prod": lambda x: x.prod(-1),
    "reciprocal": lambda x: (x + 5).reciprocal(),
    "relu": torch.relu,
    "roll": lambda x: x.roll(1, -1) * x,
    "rsqrt": lambda x: (x + 5).rsqrt(),
    "select": lambda x: x[..., 0] * x[..., 2],
    "sigmoid": torch.sigmoid,
    "sign": lambda x: x * torch.sign(x),
    "silu": functional.silu,
    "sin": torch.sin,
    "sinh": torch.sinh,
    "slice": lambda x: x[..., 1:] * x[..., :-1],
    "softmax": lambda x: functional.softmax(x, -1),
    "softplus": functional.softplus,
    "sqrt": lambda x: torch.sqrt(x + 5),
    "square": torch.square,
    "stack": lambda x: torch.stack((x, x.square()), -1),
    "std": lambda x: x.std(-1),
    "sum": lambda x: x.sum(-1, keepdim=True) * x,
    "tan": torch.tan,
    "tanh": torch.tanh,
    "unbind": lambda x: x.unbind(-1)[1] * x.unbind(-1)[2],
    "var": lambda x: x.var(-1),
    "where": lambda x: torch.where((x > 0) & ~(x >= 1.5) | (x < -1), x.square(), x),
    "xlogy": lambda x: torch.xlogy(x + 5, x + 5),
}

MATRIX = [[1.0, 2.0, -1.0], [0.5, 0.0, 3.0], [-2.0, 1.0, 0.25]]


class Probe(Loss):
    """The sum of the results of an operation on three coordinates."""

    operation: str
    dim: int = 3  # type: ignore[assignment]
    start = (0.7, -0.3, 1.1)  # type: ignore[assignment]

    def __call__(self, x: Tensor) -> Tensor:
        result = OPERATIONS[self.operation](x)
        return result.reshape(*x.shape[:-1], -1).sum(-1)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_and_its_gradient_agree_with_torch(name: str) -> None:
    generator = torch.Generator().manual_seed(5)
    start = 1.5 * torch.randn(40, 3, generator=generator, dtype=torch.float64)
    start[0] = 0.25  # ties
    batch = make_batch(Probe(name), lr=[1e-3] * 40, start=start.clamp(-2.9, 2.9), steps=2)
    assert why_eager(batch) is None
    for one, other in zip(finish(batch), finish(replace(batch, mode="compiled")), strict=True):
        assert other.outcome.mode == "compiled"
        # Observed 2e-15; a step shows the gradient times 1e-3.
        np.testing.assert_allclose(other.history.loss, one.history.loss, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(other.history.x, one.history.x, rtol=1e-14, atol=1e-16)
        np.testing.assert_allclose(
            other.history.grad_norm, one.history.grad_norm, rtol=1e-13, atol=1e-14
        )


LENGTHS = [2, 15, 16, 17, 31, 33, 48, 63]


@pytest.mark.parametrize("length", LENGTHS)
def test_sums_run_in_torchs_order(length: int) -> None:
    start = torch.rand(length, generator=torch.Generator().manual_seed(length)).double()
    batch = make_batch(Rosenbrock(dim=length), lr=[1e-5, 1e-4], start=start, steps=3)
    for one, other in zip(finish(batch), finish(replace(batch, mode="compiled")), strict=True):
        assert one.history.loss.tobytes() == other.history.loss.tobytes()
