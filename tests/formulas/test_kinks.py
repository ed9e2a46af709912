"""Maxima and minima at ties: autograd and sympy follow the same convention."""

from math import inf

import pytest
import sympy
import torch

from gdlab.derivatives.methods.symbolic import Symbolic
from gdlab.losses import Expression
from gdlab.numerics.autodiff import value_and_gradient

THIRD = 1 / 3
# formula, point, and the gradient there
TIES = [
    ("max(x, y)", [1, 1], [0.5, 0.5]),
    ("max(x, y, z)", [1, 1, 1], [THIRD, THIRD, THIRD]),
    ("min(x, y, z)", [1, 1, 1], [THIRD, THIRD, THIRD]),
    ("max(x, y, z)", [1, 1, 0], [0.5, 0.5, 0]),
    ("max(x, y, z)", [1, 3, 2], [0, 1, 0]),
    ("min(x, y, z)", [1, 3, 1], [0.5, 0, 0.5]),
    ("max(w, x, y, z)", [2, 2, 2, 2], [0.25] * 4),
    ("max(max(x, y), z)", [1, 1, 1], [0.25, 0.25, 0.5]),
    ("max(x, sin(x), tan(x))", [0], [1]),
    ("min(x, 2*x, 3*x, 6*x)", [0], [3]),
    ("max(x, -x, 0)", [0], [0]),
    ("max(x, -x)", [0], [0]),
    ("max(x, 0, 0)", [0], [THIRD]),
    ("max(x, x, y)", [1, 1], [2 * THIRD, THIRD]),
    ("max(x, 1)**2 * min(1, y, 2)", [1, 1], [1, 0.5]),
    ("abs(max(x, y, z))", [-1, -1, -1], [-THIRD] * 3),
    ("max(abs(x), abs(y), x + y)", [0, 0], [THIRD, THIRD]),
    ("max(1, min(x, y), 1 - x)", [1, 1], [0.25, 0.25]),
    ("sign(x)*x + y", [0, 1], [0, 1]),
]


@pytest.mark.parametrize(("text", "at", "expected"), TIES)
def test_equal_arguments_share_the_slope(text, at, expected) -> None:
    names = ["w", "x", "y", "z"][: len(at)] if len(at) == 4 else ["x", "y", "z"][: len(at)]
    loss, x = Expression(text, variables=tuple(names)), torch.tensor(at).double()
    symbolic = Symbolic.of(loss)
    assert symbolic is not None
    assert value_and_gradient(loss, x[None])[1][0].tolist() == pytest.approx(expected, rel=1e-15)
    assert symbolic.gradient(x).tolist() == pytest.approx(expected, rel=1e-15)


def test_an_infinite_slope_does_not_reach_the_smaller_arguments() -> None:
    x = torch.tensor([[0.0, 0.0, -1.0]])
    assert value_and_gradient(Expression("1/max(x, y, z)"), x)[1].tolist() == [[-inf, -inf, 0]]


@pytest.mark.parametrize("text", ["max(x, y, z)", "min(x, y, z)"])
def test_not_a_number_is_passed_on(text) -> None:
    x = torch.tensor([[1.0, torch.nan, 2.0]])
    assert bool(Expression(text)(x).isnan())


def test_second_derivatives_are_undefined_at_a_tie() -> None:
    symbolic = Symbolic.of(Expression("max(x, y, z)"))
    assert symbolic is not None
    assert bool(symbolic.hessian(torch.ones(3)).isnan().any())
    assert symbolic.hessian(torch.tensor([1.0, 2, 3])).tolist() == torch.zeros(3, 3).tolist()


def test_they_are_printed_as_those_of_sympy() -> None:
    x = sympy.symbols("x y z", real=True)
    f = Expression("max(x, y, z)**2").symbolic(x)
    assert f is not None
    slope = sympy.diff(f, x[0])
    assert str(f) == "Max(x, y, z)**2"
    assert str(slope) == "2*Max(x, y, z)*Piecewise((1, (x > y) & (x > z)), (0, True))"
    assert sympy.latex(f) == r"\max\left(x, y, z\right)^{2}"
    cases = r"1 & \text{for}\: x > y \wedge x > z \\0 & \text{otherwise}"
    assert cases in sympy.latex(slope)
