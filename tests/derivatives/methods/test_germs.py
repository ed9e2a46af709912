"""Derivatives of formulas at kinks, worked out by hand."""

from math import nan, pi

import pytest
import sympy

from gdlab.derivatives.methods.germs import Bend, derivative_at, find_bend
from gdlab.formulas.formula import parse

X, Y = sympy.symbols("x y", real=True)
CLAIRAUT = "where(x**2 + y**2 > 0, x*y*(x**2 - y**2)/(x**2 + y**2), 0)"

# a formula, a point, ∂f/∂x, ∂f/∂y, then ∂²f/∂x², ∂/∂y(∂f/∂x), ∂/∂x(∂f/∂y), ∂²f/∂y²
CASES = [
    ("x*abs(x) + y", [0, 0], [0, 1], [nan, 0, 0, 0]),
    ("y*abs(x)", [0, 2], [nan, 0], [nan, nan, nan, 0]),
    ("y*abs(x)", [0, 0], [0, 0], [0, nan, nan, 0]),
    ("abs(x*y)", [0, 1], [nan, 0], [nan, nan, nan, 0]),
    ("max(x, y) + abs(x - 1)", [1, 0], [nan, 0], [nan, nan, 0, 0]),
    ("max(x**2, y**2)", [0, 0], [0, 0], [2, 0, 0, 2]),
    ("max(x**2, y**2)", [1, 1], [nan, nan], [nan, nan, nan, nan]),
    ("max(x + y, 0)**2", [1, -1], [0, 0], [nan, nan, nan, nan]),
    ("abs(x**2 + y**2 - 1)", [1, 0], [nan, 0], [nan, nan, 0, 2]),
    ("sqrt(x**2 + y**2)", [0, 0], [nan, nan], [nan, nan, nan, nan]),
    ("abs(x)**3 + abs(y - 0.1)", [0, 0.1], [0, nan], [0, 0, nan, nan]),
    ("abs(x)**1.5 + sqrt(y)", [0, 0], [0, nan], [nan, nan, nan, nan]),
    (CLAIRAUT, [0, 0], [0, 0], [0, -1, 1, 0]),
    ("where(x**2 + y**2 > 0, x*y/(x**2 + y**2), 0)", [0, 0], [0, 0], [0, nan, nan, 0]),
    ("where(x > 0, exp(-1/x), 0) + y", [0, 0], [0, 1], [0, 0, 0, 0]),
    ("atan2(y, x)", [-1, 0], [0, nan], [0, -1, nan, nan]),
    ("where(x == 0, 0, x**2*sin(1/x)) + y", [0, 0], [0, 1], [None, 0, 0, 0]),
]


@pytest.mark.parametrize(("text", "at", "first", "second"), CASES)
def test_derivatives_are_those_by_hand(text, at, first, second) -> None:
    formula = parse(text, "formula").symbolic({"x": X, "y": Y})
    assert formula is not None
    point = dict(zip((X, Y), at, strict=True))
    assert find_bend(formula, point) is Bend.HERE
    slopes = [derivative_at(formula, point, (by,)) for by in (X, Y)]
    curvatures = [derivative_at(formula, point, (by, then)) for by in (X, Y) for then in (X, Y)]
    assert slopes == pytest.approx(first, nan_ok=True)
    assert curvatures == pytest.approx(second, nan_ok=True)


@pytest.mark.parametrize("text", ["abs(x) + y**2", "max(x, y)", "(x + y)**1.5", "x**2*y"])
def test_a_formula_is_smooth_away_from_its_kinks(text) -> None:
    formula = parse(text, "formula").symbolic({"x": X, "y": Y})
    assert formula is not None
    assert find_bend(formula, {X: 1.0, Y: 2.0}) is Bend.NOWHERE


@pytest.mark.parametrize(
    ("text", "at"),
    [("abs(sin(x)) + y", (pi, 0.0)), ("abs(x - y)", (0.1 + 0.2, 0.3)), ("max(3*x, y)", (0.1, 0.3))],
)
def test_a_kink_within_rounding_of_the_point_is_seen(text, at) -> None:
    formula = parse(text, "formula").symbolic({"x": X, "y": Y})
    assert formula is not None
    assert find_bend(formula, dict(zip((X, Y), at, strict=True))) is Bend.WITHIN_ROUNDING
