"""Differences against slopes in closed form."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gdlab.derivatives.methods.finite_differences import Differences, convergence, extrapolate

Function = Callable[[Tensor], Tensor]


def along_the_axis(f: Function, x: float) -> Differences:
    at = torch.tensor([x], dtype=torch.float64)
    return Differences.along(lambda points: f(points[..., 0]), at, torch.eye(1, dtype=at.dtype))


# A function, a point, the slope there, and the difficulty.
CASES: list[tuple[Function, float, float, str]] = [
    (torch.exp, 1.0, math.e, "nothing"),
    (torch.sin, 0.0, 1.0, "nothing"),
    (lambda x: torch.sin(2 * math.pi * x), 0.0, 2 * math.pi, "steps that are whole periods"),
    (lambda x: torch.cos(3 * math.pi * x), 0.1, -3 * math.pi * math.sin(0.3 * math.pi), "periods"),
    (lambda x: x / (1e-6 + x * x), 0.0, 1e6, "flat far away, steep nearby"),
    (lambda x: torch.atan(1000 * x), 0.0, 1000.0, "a jump seen from far away"),
    (lambda x: torch.log(x), 0.01, 100.0, "no value to the left"),
    (lambda x: (x - 1) ** 2 + 1e10, 1.5, 1.0, "a large constant"),
    (lambda x: x**2, 1e8, 2e8, "far from zero"),
]


@pytest.mark.parametrize(("f", "x", "slope", "difficulty"), CASES, ids=[case[3] for case in CASES])
def test_the_limit_is_the_slope_within_its_uncertainty(
    f: Function, x: float, slope: float, difficulty: str
) -> None:
    limit, uncertainty = along_the_axis(f, x).limit()
    error = abs(float(limit[0]) - slope)
    assert error <= 3 * float(uncertainty[0])  # observed 0.6 of it
    relative = 1e-4 if difficulty == "a large constant" else 1e-9
    assert float(uncertainty[0]) <= relative * abs(slope)


def test_errors_fall_with_the_square_of_the_step_until_rounding() -> None:
    d = along_the_axis(torch.exp, 1.0)
    central = convergence(d.h[0], (d.central[0] - math.e).abs(), d.rounding[0])
    assert central.slope == pytest.approx(2, abs=0.01)  # observed 2e-4
    assert not central.exact
    # The best step is about the cube root of the rounding (Press et al., section 5.7).
    assert 1e-7 < central.best < 1e-3
    forward = convergence(d.h[0], (d.forward[0] - math.e).abs(), 2 * d.rounding[0])
    assert forward.slope == pytest.approx(1, abs=0.01)  # observed 2e-4
    assert 1e-10 < forward.best < 1e-6


def test_a_wrong_slope_has_errors_that_do_not_fall() -> None:
    d = along_the_axis(torch.exp, 1.0)
    error = (d.central[0] - 1.01 * math.e).abs()
    wrong = convergence(d.h[0], error, d.rounding[0])
    assert wrong.slope == pytest.approx(0, abs=0.05)  # observed 2e-3
    assert not wrong.exact


@pytest.mark.parametrize("power", [0, 1, 2])
def test_differences_of_low_polynomials_are_exact(power: int) -> None:
    d = along_the_axis(lambda x: x**power + 0 * x, 0.75)
    slope = power * 0.75 ** max(power - 1, 0) if power else 0.0
    assert convergence(d.h[0], (d.central[0] - slope).abs(), d.rounding[0]).exact


def test_extrapolation_removes_the_leading_orders_of_the_error() -> None:
    h = 2.0 ** -torch.arange(12, dtype=torch.float64)
    values = (1 + 3 * h**2 - 5 * h**4)[None]
    limit, uncertainty = extrapolate(values, torch.zeros_like(values), order=2)
    assert float(limit) == pytest.approx(1, abs=1e-13)  # observed 2e-16
    assert float(uncertainty) <= 1e-12


def test_values_that_are_never_finite_have_no_limit() -> None:
    limit, uncertainty = along_the_axis(lambda x: x + math.nan, 0.0).limit()
    assert math.isnan(float(limit))
    assert math.isinf(float(uncertainty))
    fit = convergence(*(torch.full((5,), math.nan) for _ in range(3)))
    assert fit.slope is None
    assert not fit.exact
    assert fit.words == "–"  # noqa: RUF001
