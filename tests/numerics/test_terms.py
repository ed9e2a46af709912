"""The largest of the numbers that a loss is made of."""

import pytest
import torch

from gdlab.losses import Expression
from gdlab.numerics.terms import largest_terms

# formula, point, and the largest number on the way
CASES = [
    ("cos(x) + 1", [torch.pi], 1.0),
    ("sin(x)*1000", [0.5], 1000 * torch.tensor(0.5, dtype=torch.float64).sin().item()),
    ("(x - 10**6)**2", [1e6 + 2], 4.0),
    ("exp(x)**-1", [1000.0], 0.0),  # what overflows does not count
]


@pytest.mark.parametrize(("formula", "point", "largest"), CASES)
def test_the_largest_term(formula: str, point: list[float], largest: float) -> None:
    x = torch.tensor([point], dtype=torch.float64)
    assert float(largest_terms(Expression(formula), x)[0]) == pytest.approx(largest, rel=1e-15)


def test_each_point_has_its_own() -> None:
    x = torch.tensor([[1.0], [3.0], [0.0]], dtype=torch.float64)
    assert largest_terms(Expression("x**2 - x"), x).tolist() == [1.0, 9.0, 0.0]
