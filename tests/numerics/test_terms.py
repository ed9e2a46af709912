"""The largest of the numbers that a loss is made of."""

import pytest
import torch

from gdlab.losses import Expression
from gdlab.numerics.terms import largest_term

# formula, point, and the largest number on the way
CASES = [
    ("cos(x) + 1", [torch.pi], torch.pi),
    ("sin(x)*1000", [0.5], 1000 * torch.tensor(0.5, dtype=torch.float64).sin().item()),
    ("(x - 10**6)**2", [1e6 + 2], 1e6 + 2),
    ("exp(x)**-1", [1000.0], 1000.0),  # what overflows does not count
]


@pytest.mark.parametrize(("formula", "point", "largest"), CASES)
def test_the_largest_term(formula: str, point: list[float], largest: float) -> None:
    x = torch.tensor([point], dtype=torch.float64)
    assert largest_term(Expression(formula), x) == pytest.approx(largest, rel=1e-15)
