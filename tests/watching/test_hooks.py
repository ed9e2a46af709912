"""The norm of the gradients of a watched loop."""

import math

import pytest
import torch
from torch import Tensor

from gdlab.watching.hooks import norm_of

BF16 = torch.bfloat16

# the gradients of some parameters, and their norm, by hand
GRADS: dict[str, tuple[list[Tensor], float]] = {
    "usual": ([torch.tensor([3.0, 0.0]), torch.tensor([[4.0]])], 5.0),
    "squares overflow": ([torch.tensor([3e30, 4e30])], 5e30),
    "squares of doubles overflow": ([torch.tensor([3e200, 4e200], dtype=torch.float64)], 5e200),
    "squares vanish": ([torch.tensor([3e-30]), torch.tensor([4e-30])], 5e-30),
    "squares of doubles vanish": ([torch.tensor([3e-200, 4e-200], dtype=torch.float64)], 5e-200),
    "half": ([torch.tensor([2.0**100, 0.0], dtype=BF16)], 2.0**100),
    "sparse": ([torch.tensor([0.0, 3e30, 4e30]).to_sparse()], 5e30),
    "complex": ([torch.tensor([3e30 + 4e30j])], 5e30),
    "one usual beside a large one": ([torch.tensor([1.0]), torch.tensor([1e25])], 1e25),
    "zero": ([torch.zeros(3), torch.zeros(0)], 0.0),
    "infinite": ([torch.tensor([1.0, -math.inf])], math.inf),
    "not a number": ([torch.tensor([1.0, math.nan])], math.nan),
}


@pytest.mark.parametrize("name", GRADS)
def test_no_norm_overflows_or_vanishes(name: str) -> None:
    grads, expected = GRADS[name]
    parameters = [torch.nn.Parameter(torch.zeros_like(grad.to_dense())) for grad in grads]
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = grad
    norm = norm_of([*parameters, torch.nn.Parameter(torch.zeros(1))])
    # float32 holds 3e30 to 6e-8, the observed error is 3e-8
    assert norm == pytest.approx(expected, rel=1e-7, abs=0, nan_ok=True)


def test_without_gradients_there_is_no_norm() -> None:
    assert norm_of([torch.nn.Parameter(torch.zeros(1))]) is None
