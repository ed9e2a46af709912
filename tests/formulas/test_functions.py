"""The functions of formulas where torch's own derivatives need care."""

from math import exp, inf

import pytest
import torch

from gdlab.losses import Expression
from gdlab.numerics.autodiff import hessian, value_and_gradient
from gdlab.numerics.polynomial import degree


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


# formula, point, and the gradient there
ROOTS = [
    ("(x**2 + y**2)**0.5", [0, 0], [0, 0]),
    ("sqrt(x**2 + y**2)", [0, 0], [0, 0]),
    ("(x**2 + y**2)**p", [0, 0], [0, 0]),
    ("(x**2 + y**2)**1.5", [0, 0], [0, 0]),
    ("x**0.5 * y", [0, 2], [0, 0]),
    ("x**(1/3) + y", [0, 2], [0, 1]),
    ("x*x**0.5 + y", [0, 2], [0, 1]),
    ("x**1.5 + y", [0, 2], [0, 1]),
    ("(x**2)**0.75 + y", [0, 2], [0, 1]),
    ("(x**2)**p * y", [0, 2], [0, 0]),
    ("(x*y)**0.5", [0, 2], [0, 0]),
    ("x**y", [0, 0.5], [0, 0]),
    ("x**y", [0, 1], [1, 0]),
    ("x**y", [0, 2], [0, 0]),
    ("x**y", [0, 1.5], [0, 0]),
    ("abs(x)**0.3 + y", [0, 2], [0, 1]),
    ("x**-0.5 + y", [0, 2], [-inf, 1]),
    ("x**0.5 + y", [4, 2], [0.25, 1]),
]


@pytest.mark.parametrize(("text", "at", "expected"), ROOTS)
def test_a_root_has_the_slope_0_at_0(text, at, expected) -> None:
    parameters = {"p": 0.75} if "p" in text else {}
    loss, x = Expression(text, parameters=parameters), torch.tensor([at]).double()
    assert value_and_gradient(loss, x)[1].tolist() == [expected]
    if inf not in map(abs, expected) and text != "x**y":
        assert bool(hessian(loss, x).isfinite().all())


# formula, its parameter, and the degree of the polynomial
DEGREES = [("a*x**p", 2.0, 2), ("x**p + y", 3.0, 3), ("x**p", 0.0, 0), ("x**p", 1.5, inf)]
DEGREES += [("x**p", -1.0, inf), ("x**y", 0.0, inf), ("sqrt(x)**p", 2.0, inf)]


@pytest.mark.parametrize(("text", "p", "expected"), DEGREES)
def test_a_power_given_as_a_parameter_is_seen_to_be_a_polynomial(text, p, expected) -> None:
    values = {"a": 3.0, "p": p}
    names = {name: value for name, value in values.items() if name in text}
    loss = Expression(text, parameters=names)
    assert degree(loss(torch.ones(1, loss.dim).double().requires_grad_())) == expected


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_a_whole_power_given_as_a_parameter_has_its_own_derivatives_at_0(exponent) -> None:
    loss, x = Expression("x**p", parameters={"p": exponent}), torch.zeros(1, 1).double()
    assert value_and_gradient(loss, x)[1].item() == (exponent == 1)
    assert hessian(loss, x).item() == 2 * (exponent == 2)
