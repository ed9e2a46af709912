"""Norms and products of rows of any size."""

import math
from collections.abc import Sequence

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from gdlab.numerics.autodiff import norms
from gdlab.numerics.rowwise import dot, length, norm, normalize, quotient, rescale

EXPONENTS = {torch.float32: (-149, 125), torch.float64: (-1074, 1021)}
"""The powers of two for which 3 and 4 times them, and 5, are numbers of a dtype."""

ROWS = st.lists(st.integers(-4, 4), min_size=3, max_size=3)


def scaled(row: Sequence[float], dtype: torch.dtype) -> torch.Tensor:
    """A row times all powers of two: (powers, 3)."""
    low, high = EXPONENTS[dtype]
    powers = torch.tensor([math.ldexp(1.0, k) for k in range(low, high + 1)], dtype=dtype)
    return powers[:, None] * torch.tensor(row, dtype=dtype)


@pytest.mark.parametrize("dtype", EXPONENTS, ids=str)
def test_no_norm_of_any_size_loses_a_digit(dtype: torch.dtype) -> None:
    expected = scaled([5.0, 0.0, 0.0], dtype)[:, :1]
    assert torch.equal(norm(scaled([3.0, 0.0, -4.0], dtype)), expected)
    size, is_finite = norms(scaled([3.0, 0.0, -4.0], dtype).T[None])
    assert torch.equal(size[0], expected[:, 0])
    squares = scaled([3.0, 0.0, -4.0, 0.0], dtype).reshape(-1, 2, 2)
    assert list(map(length, squares)) == expected[:, 0].tolist()
    assert is_finite.all()


def test_moderate_rows_keep_every_bit() -> None:
    a = torch.linspace(-30, 30, 300, dtype=torch.float64).exp().reshape(100, 3)
    assert torch.equal(rescale(a)[0], a)
    assert torch.equal(norm(a), dot(a, a).sqrt())
    assert length(a) == float(a.norm())


@settings(max_examples=5)
@given(ROWS)
def test_rows_are_divided_exactly(row: list[int]) -> None:
    a = scaled(row, torch.float64)
    divided, unit = normalize(a)
    assert torch.equal(divided * unit, a)
    size = norm(divided)
    is_zero = (a == 0).all(1, keepdim=True)
    assert ((size >= 1) & (size <= 2) | is_zero).all()


@pytest.mark.parametrize(
    ("row", "size"),
    [
        ((0.0, 0.0), 0.0),
        ((math.inf, 1.0), math.inf),
        ((-math.inf, math.inf), math.inf),
        ((math.nan, math.inf), math.nan),
        ((1e308, 1e308), math.sqrt(2) * 1e308),
        ((1.5e308, 1.5e308), math.inf),
    ],
)
def test_a_norm_at_the_ends_of_the_number_range(row: tuple[float, ...], size: float) -> None:
    a = torch.tensor([row], dtype=torch.float64)
    assert float(norm(a)) == pytest.approx(size, rel=1e-15, nan_ok=True)
    assert bool(norms(a.T[None])[1]) == all(map(math.isfinite, row))


@pytest.mark.parametrize("k", [-1000, -300, 0, 300, 1000])
@pytest.mark.parametrize("j", [-1000, 0, 1000])
def test_a_quotient_of_products_of_any_size(k: int, j: int) -> None:
    a, b = torch.tensor([[1.0, 2.0]]).double(), torch.tensor([[3.0, -5.0]]).double()
    large, other = a * 2.0**k, b * 2.0**j
    assert float(quotient(large, b, large, 4 * b)) == 0.25
    assert float(quotient(large, other, large, 4 * other)) == 0.25
