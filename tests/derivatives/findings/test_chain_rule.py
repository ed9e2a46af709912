"""The chain rule against derivatives by hand, published examples and identities."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdlab.derivatives.finding import Finding
from gdlab.derivatives.findings.chain_rule import along_path, composition
from gdlab.errors import SettingError
from gdlab.losses import MLP, MSE, Expression, Himmelblau, Loss, Rosenbrock
from gdlab.losses.function import Function

# A loss, a curve, df/dt by hand.
PATHS: list[tuple[Loss, list[str], Callable[[float], float]]] = [
    (Expression("x**2 + y**2"), ["cos(t)", "sin(t)"], lambda t: 0.0),
    (Expression("x*y"), ["cos(t)", "sin(t)"], lambda t: math.cos(2 * t)),
    (Expression("x**2 + 3*y"), ["t**2", "5"], lambda t: 4 * t**3),
    (Expression("x*y*z"), ["t", "t**2", "exp(-t)"], lambda t: (3 * t**2 - t**3) * math.exp(-t)),
    (Expression("t*s"), ["t", "2*t"], lambda t: 4 * t),
    (Rosenbrock(), ["t", "t**2"], lambda t: -2 * (1 - t)),
    (Function(lambda x: x.square().sum(), (0.0, 0.0)), ["3*t", "4*t"], lambda t: 50 * t),
]

# A loss, the inner formulas, a point, the partial derivatives by hand as functions of the point.
COMPOSITIONS: list[tuple[Loss, list[str], list[float], Callable[..., tuple[float, ...]]]] = [
    (
        Expression("u**2*v"),
        ["x+y", "x-y"],
        [2.0, 1.0],
        lambda x, y: ((x + y) * (3 * x - y), (x + y) * (x - 3 * y)),
    ),
    # The loss uses the names of the variables: its coordinates are renamed u and v.
    (
        Expression("x**2*y"),
        ["x+y", "x-y"],
        [0.3, -1.7],
        lambda x, y: ((x + y) * (3 * x - y), (x + y) * (x - 3 * y)),
    ),
    # w = f(s + t, s - t, s t) with f = u v + w²: w = s² - t² + s² t².
    (
        Expression("u*v + w**2"),
        ["s+t", "s-t", "s*t"],
        [2.0, -1.0],
        lambda s, t: (2 * s + 2 * s * t**2, -2 * t + 2 * s**2 * t),
    ),
    (
        Expression("exp(u)*sin(v)"),
        ["s*t**2", "s**2*t"],
        [0.5, 1.5],
        lambda s, t: (
            math.exp(s * t**2) * (t**2 * math.sin(s**2 * t) + 2 * s * t * math.cos(s**2 * t)),
            math.exp(s * t**2) * (2 * s * t * math.sin(s**2 * t) + s**2 * math.cos(s**2 * t)),
        ),
    ),
    (Himmelblau(), ["r*cos(t)", "r*sin(t)"], [1.5, 0.7], lambda r, t: polar_himmelblau(r, t)),
    (MSE(), ["a", "b"], [0.0, 0.0], lambda a, b: (-70 / 3, -32 / 3)),
]


def polar_himmelblau(r: float, a: float) -> tuple[float, float]:
    """By hand, from the Cartesian gradient."""
    x, y = r * math.cos(a), r * math.sin(a)
    first, second = x**2 + y - 11, x + y**2 - 7
    gx, gy = 4 * x * first + 2 * second, 2 * first + 4 * y * second
    return gx * math.cos(a) + gy * math.sin(a), -gx * y + gy * x


@pytest.mark.parametrize("t", [0.5, -1.25])
@pytest.mark.parametrize("case", PATHS, ids=lambda case: ", ".join(case[1]))
def test_along_a_curve(case: Any, t: float) -> None:
    loss, path, exact = case
    found = along_path(loss, path, t).derivative
    scale = max(1.0, float(found.terms.abs().max()))
    assert found.chain_rule == pytest.approx(exact(t), abs=1e-14 * scale)  # seen: 1.1e-16
    assert found.autograd == pytest.approx(exact(t), abs=1e-14 * scale)  # seen: 3.3e-16
    assert found.differences == pytest.approx(exact(t), abs=1e-9 * scale)  # seen: 1.4e-10
    if found.symbolic is not None:
        assert found.symbolic == pytest.approx(exact(t), abs=1e-14 * scale)  # seen: 0
    assert found.terms.sum() == found.chain_rule


@pytest.mark.parametrize("case", COMPOSITIONS, ids=lambda case: ", ".join(case[1]))
def test_a_composition(case: Any) -> None:
    loss, inner, at, exact = case
    found = composition(loss, inner, at)
    for derivative, expected in zip(found.derivatives, exact(*at), strict=True):
        assert derivative.chain_rule == pytest.approx(expected, rel=1e-13)  # seen: 1.5e-16
        assert derivative.autograd == pytest.approx(expected, rel=1e-13)  # seen: 1.1e-15
        assert derivative.differences == pytest.approx(expected, rel=1e-9)  # seen: 9.3e-11
        if derivative.symbolic is not None:
            assert derivative.symbolic == pytest.approx(expected, rel=1e-13)  # seen: 1.3e-16
        assert derivative.disagreement <= 1e-8  # seen: 9.8e-10


def test_losses_without_a_formula_have_no_expression() -> None:
    symbolic = [
        case[0] for case in PATHS if along_path(case[0], case[1], 0.5).derivative.expression
    ]
    assert len(symbolic) == len(PATHS) - 1  # a Python function has no formula
    assert composition(MSE(), ["a", "b"], [0.0, 0.0]).expression is None


def test_the_letter_of_the_composition_is_unused() -> None:
    """w = x² + yz with x = s + t, y = s − t, z = st: the letter z is taken."""
    found = composition(Expression("x**2 + y*z"), ["s+t", "s-t", "s*t"], [2.0, 1.0])
    assert [derivative.chain_rule for derivative in found.derivatives] == [9.0, 6.0]
    assert ("values", "x = 3, y = 1, z = 2, w = 11") in found.section().lines


def test_the_textbook_example_as_text() -> None:
    found = composition(Expression("u**2*v"), ["x+y", "x-y"], [2.0, 1.0])
    assert found.outer_expressions == ("2*u*v", "u**2")
    assert found.expression == "(x - y)*(x + y)**2"
    assert found.derivatives[0].expression == "(x + y)*(3*x - y)"
    section = found.section()
    assert section.title == "Chain rule for z = f(u, v) with u = x+y, v = x-y"
    assert list(section.lines) == [
        ("at", "x = 2, y = 1"),
        ("values", "u = 3, v = 1, z = 9"),
        ("substituted", "z = (x - y)*(x + y)**2"),
        ("∂z/∂x", "= ∂f/∂u · ∂u/∂x + ∂f/∂v · ∂v/∂x"),
        ("", "= 2*u*v · 1 + u**2 · 1"),
        ("", "= 6 · 1 + 9 · 1"),
        ("", "= 15"),
        ("substituted", "= (x + y)*(3*x - y)"),
        ("∂z/∂y", "= ∂f/∂u · ∂u/∂y + ∂f/∂v · ∂v/∂y"),
        ("", "= 2*u*v · 1 + u**2 · (-1)"),
        ("", "= 6 · 1 + 9 · (-1)"),
        ("", "= -3"),
        ("substituted", "= (x - 3*y)*(x + y)"),
    ]
    assert section.table is not None
    assert [row[0] for row in section.table.rows] == ["∂z/∂x", "∂z/∂y"]


def test_a_curve_as_text() -> None:
    lines = along_path(Expression("x**2 + y**2"), ["cos(t)", "sin(t)"], 0.0).section().lines
    assert list(lines)[3:] == [
        ("df/dt", "= ∂f/∂x · dx/dt + ∂f/∂y · dy/dt"),
        ("", "= 2*x · (-sin(t)) + 2*y · cos(t)"),
        ("", "= 2 · 0 + 0 · 1"),
        ("", "= 0"),
        ("substituted", "= 0"),
    ]


def test_renamed_coordinates_do_not_clash_with_variables() -> None:
    assert along_path(Expression("t**2 + x"), ["t", "t"], 1.0).names == ("u", "v")
    assert composition(Expression("x*y"), ["x+u", "u"], [1, 2]).names == ("u0", "u1")
    assert composition(Expression("x*y"), ["x+u", "u0"], [1, 2, 3]).names == ("u_0", "u_1")
    assert composition(Expression("x*y"), ["a", "b"], [1, 2]).names == ("x", "y")


def test_long_sums_are_truncated() -> None:
    loss = MLP("iris", widths=())
    found = along_path(loss, [f"{0.1 * k}*t" for k in range(loss.dim)], 0.5)
    assert found.derivative.disagreement <= 1e-9  # seen: 1.1e-10
    assert "(11 more)" in found.section().lines[2][1]
    assert found.outer_expressions is None


NOT_FINITE = {
    "log(t)": "path=log(t): it is -inf at t = 0, but must be finite",
    "t**0.5": "path=t**0.5: its derivative by t is inf at t = 0, but must be finite",
    "sqrt(t)": "path=sqrt(t): its derivative by t is inf at t = 0, but must be finite",
}
BAD_PATHS: list[tuple[Any, float, str]] = [
    (["t"], 0.0, "path=[t]: must be 2 formulas, one for each of x, y; got 1"),
    ([], 0.0, "path=[]: must be a list of formulas in t, such as [cos(t),sin(t)]"),
    ("cos(t)", 0.0, "path=cos(t): must be a list of formulas in t, such as [cos(t),sin(t)]"),
    (["t", "t + s"], 0.0, "path=t + s: column 5: s is unknown; the only variable is t"),
    (["t", "t +"], 0.0, "path=t +: column 4: "),
    (["t", "t"], math.inf, "t=[inf]: must be finite"),
    *((["t", text], 0.0, message) for text, message in NOT_FINITE.items()),
    (["0*t", "0*t"], 1.0, "path=[0*t,0*t]: the loss is -inf and its gradient "),
]
BAD_COMPOSITIONS: list[tuple[Any, list[float], str]] = [
    (["a"], [1.0], "inner=[a]: must be 2 formulas, one for each of x, y; got 1"),
    (["1", "2"], [1.0], "inner=[1,2]: depends on no variable"),
    (["a", "b"], [1.0], "at=[1]: must be 2 numbers, one for each of a, b"),
    (["a", "a"], [1.0, 2.0], "at=[1,2]: must be 1 number, for a; got 2"),
    (["a", "b"], [1.0, math.nan], "at=[1,nan]: must be finite"),
    (["a", "sqrt(b)"], [1.0, -1.0], "inner=sqrt(b): it is nan at a = 1, b = -1, but must be"),
    (["a", "__import__('os')"], [1.0, 1.0], "inner=__import__('os'): column"),
]


@pytest.mark.parametrize(("path", "t", "message"), BAD_PATHS)
def test_invalid_curves(path: Any, t: float, message: str) -> None:
    loss = Expression("log(x**2 + y**2)") if "0*t" in path else Expression("x + y")
    with pytest.raises(SettingError) as error:
        along_path(loss, path, t)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("inner", "at", "message"), BAD_COMPOSITIONS)
def test_invalid_compositions(inner: Any, at: list[float], message: str) -> None:
    with pytest.raises(SettingError) as error:
        composition(Expression("x + y"), inner, at)
    assert str(error.value).startswith(message)


def test_differences_with_steps_outside_the_domain() -> None:
    found = along_path(Expression("log(x)"), ["t"], 1e-6).derivative
    assert found.chain_rule == pytest.approx(1e6, rel=1e-12)  # seen: 0
    assert found.differences == pytest.approx(1e6, rel=1e-8)  # seen: 2e-13


def test_the_data_are_serializable() -> None:
    found: list[Finding] = [
        along_path(Himmelblau(), ["t", "1"], 0.0),
        composition(Himmelblau(), ["x", "y"], [3.0, 2.0]),
    ]
    curve, identity = json.loads(json.dumps([finding.data() for finding in found]))
    assert curve["derivatives"][0]["chain_rule"] == -12.0  # 2 (x + y² − 7) at (0, 1)
    assert identity["gradient"] == [0.0, 0.0]


NUMBERS = st.floats(-2, 2).map(lambda value: round(value, 3))


@settings(max_examples=30)
@given(a=st.lists(NUMBERS, min_size=6, max_size=6), at=st.tuples(NUMBERS, NUMBERS))
def test_the_gradient_of_an_affine_substitution(a: Sequence[float], at: Any) -> None:
    """z(s) = f(A s + b) has the gradient Aᵀ ∇f."""
    inner = [f"({a[0]})*x + ({a[1]})*y + ({a[2]})", f"({a[3]})*x + ({a[4]})*y + ({a[5]})"]
    u, v = (a[k] * at[0] + a[k + 1] * at[1] + a[k + 2] for k in (0, 3))
    slope = np.array([math.cos(u) * v, math.sin(u) + 2 * v])
    found = composition(Expression("sin(u)*v + v**2"), inner, at)
    expected = np.array([[a[0], a[1]], [a[3], a[4]]]).T @ slope
    for derivative, exact in zip(found.derivatives, expected, strict=True):
        assert derivative.chain_rule == pytest.approx(exact, abs=1e-12)  # seen: 0 in 200 draws
        assert derivative.symbolic == pytest.approx(exact, abs=1e-12)  # seen: 7.1e-15
        assert derivative.disagreement <= 1e-7  # seen: 9.6e-10
