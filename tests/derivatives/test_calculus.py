"""Worked examples of a course, each derivative computed in three ways."""

import math

import pytest
import torch

from derivatives.calculus import DIRECTIONS, EXAMPLES, PLANES, Example
from gdlab.derivatives.arguments import as_direction
from gdlab.derivatives.findings.directional import directional
from gdlab.derivatives.findings.gradient import first_order
from gdlab.derivatives.findings.hessian import second_order
from gdlab.derivatives.findings.taylor import taylor
from gdlab.derivatives.point import LossAtPoint
from gdlab.losses import MSE, Expression

every = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.formula)


def loss_at(formula: str, at: tuple[float, ...]) -> LossAtPoint:
    variables = ("x", "y", "z")[: len(at)]
    return LossAtPoint(Expression(formula, variables=variables), at)


@every
def test_partial_derivatives(example: Example) -> None:
    found = first_order(loss_at(example.formula, example.at))
    answers = example.gradient(*example.at)
    for partial, answer in zip(found.partials, answers, strict=True):
        assert partial.agrees
        assert partial.autograd == pytest.approx(answer, rel=1e-14, abs=1e-15)  # observed 3e-16
        assert partial.symbolic == pytest.approx(answer, rel=1e-14, abs=1e-15)  # observed 2e-16
        assert partial.differences == pytest.approx(answer, rel=1e-11, abs=1e-12)  # observed 2e-13
        central, forward = partial.central_error, partial.forward_error
        assert central.exact or central.slope == pytest.approx(2, abs=0.02)  # observed 0.005
        assert forward.exact or forward.slope == pytest.approx(1, abs=0.02)  # observed 0.003
    assert found.grad_norm == pytest.approx(math.hypot(*answers), rel=1e-14)  # observed 2e-16


@every
def test_second_partial_derivatives_in_either_order(example: Example) -> None:
    found = second_order(loss_at(example.formula, example.at))
    assert found.is_symmetric
    assert found.agrees
    assert found.differences is not None
    assert found.symbolic is not None
    dim = len(example.at)
    pairs = [(i, j) for i in range(dim) for j in range(i, dim)]
    for (i, j), answer in zip(pairs, example.second(*example.at), strict=True):
        for a, b in ((i, j), (j, i)):
            assert found.hessian[a, b] == pytest.approx(answer, rel=1e-13, abs=1e-14)  # obs. 4e-16
            assert found.symbolic[a, b] == pytest.approx(answer, rel=1e-13, abs=1e-14)
            assert found.differences[a, b] == pytest.approx(answer, rel=1e-6, abs=1e-6)  # obs. 1e-8


@pytest.mark.parametrize(("formula", "at", "along", "answer"), DIRECTIONS)
def test_directional_derivatives(
    formula: str, at: tuple[float, ...], along: tuple[float, ...], answer: float
) -> None:
    here = loss_at(formula, at)
    found = directional(here, as_direction(along, here.names, "direction"))
    assert found.slope.autograd == pytest.approx(answer, rel=1e-14)  # observed 2e-16
    assert found.slope.differences == pytest.approx(answer, rel=1e-11)  # observed 4e-15
    assert found.angle is not None
    # ‖∇f‖ cos θ is the same number, computed differently.
    cosine = math.cos(math.radians(found.angle))
    assert float(here.gradient.norm()) * cosine == pytest.approx(answer, rel=1e-13)  # obs. 2e-15
    assert found.tangent is not None
    assert abs(found.tangent.differences) <= 1e-11  # observed 2e-15
    assert abs(found.tangent.direction @ here.gradient) <= 1e-14  # observed 4e-16


@pytest.mark.parametrize(("formula", "at", "equation"), PLANES)
def test_tangent_planes(formula: str, at: tuple[float, ...], equation: str) -> None:
    found = taylor(loss_at(formula, at))
    assert found.expanded == equation
    plane, second = found.plane.convergence, found.second.convergence
    assert plane.exact == (formula == "x + y")
    assert plane.exact or plane.slope == pytest.approx(2, abs=0.02)  # observed 0.006
    assert second.exact  # no third derivatives


def test_the_mean_squared_error_of_a_line() -> None:
    """At w = 2, b = 1 the mean squared error of (1, 4), (2, 5), (3, 7)."""
    found = first_order(LossAtPoint(MSE(), [2.0, 1.0]))
    for partial in found.partials:
        assert partial.autograd == pytest.approx(-2 / 3, rel=1e-14)  # observed 4e-16
        assert partial.differences == pytest.approx(-2 / 3, rel=1e-12)  # observed 3e-15
        assert partial.central_error.exact


def test_a_formula_that_cancels_is_zero() -> None:
    """Its terms, 400 and −400, cancel whatever the number of digits."""
    found = first_order(loss_at("(1 - x)**2 + 100*(y - x**2)**2", (1, 1)))
    assert [partial.symbolic for partial in found.partials] == [0.0, 0.0]


def test_at_a_minimum_no_direction_is_steepest() -> None:
    here = loss_at("x**2 + y**2", (0, 0))
    found = first_order(here)
    assert found.ascent is None
    slope = directional(here, torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert slope.slope.autograd == 0.0
    assert slope.angle is None
    assert slope.tangent is None
