"""Jacobians of formulas against derivatives by hand."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from gdlab.derivatives.findings.jacobian import jacobian
from gdlab.errors import SettingError

# Formulas, a point, J by hand as a function of the point, det J if J is square.
CASES: list[tuple[list[str], list[float], Callable[..., list[list[float]]], float | None]] = [
    (["x*y", "x+y"], [1.0, 2.0], lambda x, y: [[y, x], [1, 1]], 1.0),
    (  # polar coordinates: the determinant is r
        ["r*cos(t)", "r*sin(t)"],
        [2.0, 0.5],
        lambda r, t: [[math.cos(t), -r * math.sin(t)], [math.sin(t), r * math.cos(t)]],
        2.0,
    ),
    (
        ["x**2*y", "5*x + sin(y)"],
        [1.5, -0.3],
        lambda x, y: [[2 * x * y, x**2], [5, math.cos(y)]],
        2 * 1.5 * -0.3 * math.cos(-0.3) - 5 * 1.5**2,
    ),
    (["7", "exp(x*y*z)"], [0.5, 1.0, 2.0], lambda x, y, z: [
        [0, 0, 0], [y * z * math.e, x * z * math.e, x * y * math.e]], None),
    (["x", "x**2", "x**3"], [2.0], lambda x: [[1], [2 * x], [3 * x**2]], None),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: ", ".join(case[0]))
def test_three_methods(case: Any) -> None:
    formulas, at, by_hand, determinant = case
    found, expected = jacobian(formulas, at), np.array(by_hand(*at), dtype=np.float64)
    assert found.symbolic is not None
    for ours, tolerance in (
        (found.autograd, 1e-14),  # seen: 0
        (found.differences, 1e-8),  # seen: 1.5e-10
        (found.symbolic, 1e-14),  # seen: 0
    ):
        np.testing.assert_allclose(ours.numpy(), expected, rtol=0, atol=tolerance)
    assert found.determinant == (
        determinant if determinant is None else pytest.approx(determinant, rel=1e-14)  # seen: 0
    )
    assert found.rank == np.linalg.matrix_rank(expected)


def test_a_jacobian_as_text() -> None:
    section = jacobian(["x*y", "x+y"], [1.0, 2.0]).section()
    assert section.title == "Jacobian of 2 formulas of x, y"
    assert ("J", "[J]ᵢⱼ = ∂fᵢ/∂xⱼ = [2 1; 1 1]") in section.lines
    assert section.table is not None
    assert section.table.header == ("", "value", "∂/∂x", "∂/∂y")
    assert section.table.rows == [
        ["f₁ = x*y", "2", "y = 2", "x = 1"],
        ["f₂ = x+y", "3", "1", "1"],
    ]


def test_all_methods_give_the_mean_slope_at_a_kink() -> None:
    found = jacobian(["abs(x)", "max(x, y)"], [0.0, 0.0])
    assert found.symbolic is not None
    assert torch.equal(found.autograd, torch.tensor([[0.0, 0.0], [0.5, 0.5]], dtype=torch.float64))
    assert torch.equal(found.differences, found.autograd)
    assert torch.equal(found.symbolic, found.autograd)


def test_many_formulas_are_not_differentiated_by_sympy() -> None:
    formulas = [f"{k}*x{k}" for k in range(1, 18)]
    found = jacobian(formulas, [1.0] * 17)
    assert found.symbolic is None
    assert found.expressions is None
    assert torch.equal(found.autograd, torch.arange(1.0, 18).double().diag())
    assert found.section().table is not None


BAD: list[tuple[Any, list[float], str]] = [
    ([], [], "formulas=[]: must be a list of formulas, such as [x+y,x*y]"),
    ("x*y", [1.0], "formulas=x*y: must be a list of formulas, such as [x+y,x*y]"),
    (["1", "pi"], [1.0], "formulas=[1,pi]: depends on no variable"),
    (["x*y"], [1.0], "at=[1]: must be 2 numbers, one for each of x, y"),
    (["log(x)", "y"], [0.0, 1.0], "formulas=log(x): it is -inf at x = 0, y = 1, but must be"),
    (["x", "y**0.5"], [1.0, 0.0], "formulas=y**0.5: its derivative by y is inf at x = 1, y = 0"),
    (["x", "sqrt(y)"], [1.0, 0.0], "formulas=sqrt(y): its derivative by y is inf at x = 1, y = 0"),
    (["sqrt(x**2+y**2)"], [0.0, 0.0], "formulas=sqrt(x**2+y**2): its derivative by x is nan at"),
    (["x", "open(y)"], [1.0, 1.0], "formulas=open(y): column 1: "),
]


@pytest.mark.parametrize(("formulas", "at", "message"), BAD)
def test_invalid_formulas(formulas: Any, at: list[float], message: str) -> None:
    with pytest.raises(SettingError) as error:
        jacobian(formulas, at)
    assert str(error.value).startswith(message)
