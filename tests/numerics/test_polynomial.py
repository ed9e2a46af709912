"""Degrees that operations have, for all that a loss is usually written with."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear, mse_loss, pad, relu

from gdlab.numerics.polynomial import degree

A = torch.arange(12, dtype=torch.float64).reshape(3, 4)

CASES: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "a constant and a sum": (lambda x: 3 - x.sum(-1) / 2 + 1, 1),
    "parts": (lambda x: torch.stack([x[:, 0], x.mT[1], x.diff()[:, 0], x.flip(-1)[:, 2]]), 1),
    "shapes": (lambda x: torch.cat([x.reshape(2, 6), pad(x, (1, 1))]).permute(1, 0), 1),
    "squares": (lambda x: (x - 1).square().mean() + (x**2).sum() + x * x, 2),
    "a form": (lambda x: torch.einsum("ri,ij,rj->r", x, A.T @ A, x), 2),
    "matrix products": (lambda x: ((x @ A.T) ** 2).sum() + x[0] @ (A.T @ A) @ x[0], 2),
    "squared errors": (lambda x: mse_loss(linear(x, A, A[:, 0]), A[:, :3]), 2),
    "mapped": (lambda x: torch.vmap(lambda p: (p @ A.T).dot(p[:3]) + p[0] ** 2)(x), 2),
    "a power for each row": (lambda x: x ** torch.tensor([[2.0], [1.0], [0.0]]), 2),
    "products": (lambda x: x[:, 0] * x[:, 1] * (x[:, 2] - 1), 3),
    "a square of a square": (lambda x: (x**2).sum().square(), 4),
    "a constant power of a constant": (lambda x: A.sqrt().abs()[:, 0].max() + x, 1),
    "an odd power": (lambda x: x**1.5, math.inf),
    "a negative power": (lambda x: x**-1.0, math.inf),
    "a quotient": (lambda x: x / (1 + x**2), math.inf),
    "an exponent": (lambda x: torch.full_like(x, 2.0) ** x, math.inf),
    "a kink": (lambda x: x.abs().sum(), math.inf),
    "a larger one": (lambda x: torch.maximum(x**2, 2 * x), math.inf),
    "branches": (lambda x: torch.where(x > 0, x, 2 * x), math.inf),
    "an activation": (lambda x: relu(x @ A.T).square(), math.inf),
    "a norm": (lambda x: x.norm(dim=-1), math.inf),
    "a product of kinks": (lambda x: x.abs() * 0, math.inf),
}


@pytest.mark.parametrize("case", CASES)
def test_the_degree_is_that_of_the_operations(case: str) -> None:
    function, expected = CASES[case]
    assert degree(function(torch.ones((3, 4), dtype=torch.float64, requires_grad=True))) == expected


def test_a_long_chain_of_operations_needs_no_deep_recursion() -> None:
    x = torch.ones(1, requires_grad=True)
    value = x * 0
    for _ in range(3000):
        value = value + (x + value) / 2
    assert degree(value * value) == 2
