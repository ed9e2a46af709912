"""The functions of formulas where torch's own derivatives need care."""

from math import exp

import pytest
import torch

from gdlab.losses import Expression


def derivatives(text: str, x: float, order: int, dtype: torch.dtype) -> list[float]:
    """Return the value of a formula in x and its derivatives up to an order, by autograd."""
    at = torch.tensor([x], dtype=dtype, requires_grad=True)
    value = Expression(text)(at)
    found = [value.item()]
    for _ in range(order):
        (slope,) = torch.autograd.grad(value, at, create_graph=True)
        value = slope[0]
        found.append(value.item())
    return found


# dtype, x, and softplus with its first five derivatives
SOFTPLUS = [
    (torch.float64, -1e300, [0.0] * 6),
    (torch.float64, -750.0, [0.0] * 6),
    (torch.float64, -709.9, [exp(-709.9)] * 6),
    (torch.float64, -400.0, [exp(-400)] * 6),
    (torch.float64, -39.0, [exp(-39)] * 6),
    (torch.float64, -38.0, [exp(-38)] * 6),
    (torch.float64, 400.0, [400.0, 1.0, exp(-400), -exp(-400), exp(-400), -exp(-400)]),
    (torch.float64, 800.0, [800.0, 1.0, *[0.0] * 4]),
    (torch.float32, -90.0, [exp(-90)] * 6),
    (torch.float32, -50.0, [exp(-50)] * 6),
    (torch.float32, -18.5, [exp(-18.5)] * 6),
    (torch.float32, -17.5, [exp(-17.5)] * 6),
    (torch.float32, 50.0, [50.0, 1.0, exp(-50), -exp(-50), exp(-50), -exp(-50)]),
    (torch.float32, 200.0, [200.0, 1.0, *[0.0] * 4]),
]


@pytest.mark.parametrize(("dtype", "x", "expected"), SOFTPLUS)
def test_softplus_has_all_derivatives_far_out(dtype, x, expected) -> None:
    tolerance = 30 * torch.finfo(dtype).eps  # observed 15, in the fifth derivative
    smallest = torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps  # one denormal
    at = float(torch.tensor(x, dtype=dtype))
    found = derivatives("softplus(x)", at, 5, dtype)
    assert found == pytest.approx(expected, rel=tolerance, abs=smallest)


def test_softplus_is_unchanged_in_the_middle() -> None:
    x = torch.linspace(-38, 40, 1_000).double().requires_grad_()
    found, expected = Expression("softplus(x)")(x[:, None]), torch.logaddexp(x, torch.zeros(()))
    slopes = [torch.autograd.grad(values.sum(), x)[0] for values in (found, expected)]
    assert torch.equal(found, expected)
    assert torch.equal(*slopes)
