"""Values of expressions to all digits of a float."""

import math

import pytest
import sympy
from sympy import DiracDelta, Float, Heaviside, Piecewise, atan2, exp, log, pi, sin, sqrt, tanh

from gdlab.derivatives.methods.evaluation import evaluate

x = sympy.Symbol("x", real=True)
nested = x
for _ in range(30):
    nested = 1 / (1 + nested)
# expression, x, value
VALUES = [
    (2 * x + 0.9 * pi * sin(3 * pi * x), 1.0, 2.0),
    (-200 * x**2 + 200, -1.2, -87.99999999999999),
    (exp(x), 800.0, math.inf),
    (exp(x), -800.0, 0.0),
    (log(1 + exp(x)), -300.0, math.exp(-300)),
    (1 - tanh(x) ** 2, 100.0, 4 * math.exp(-200)),
    (exp(-exp(exp(x))), 4.0, 0.0),
    (x ** (sympy.Integer(64) ** 20), 0.5, 0.0),
    (sin(x) - 2 * sin(x / 2) * sympy.cos(x / 2), 0.3, 0.0),
    (sin(Float(1, 400)) - sin(1) + x, 0.0, 0.0),
    (nested, 1.0, 1346269 / 2178309),
    (1 / x, 0.0, math.nan),
    (1 / sqrt(x), 0.0, math.nan),
    (sqrt(x), -1.0, math.nan),
    (atan2(x, x), 0.0, math.nan),
    (exp(-1 / x**2), 0.0, math.nan),
    (exp(exp(exp(exp(x)))), 1.0, math.nan),
    (DiracDelta(x), 0.0, math.nan),
    (x * DiracDelta(x - 1), 0.0, 0.0),
    (Heaviside(x), 0.0, 0.5),
    (Heaviside(sqrt(2) * x - sqrt(x**2 + 1)), 1.0, 0.5),
    (DiracDelta(log(x)), -1.0, math.nan),
    (Piecewise((1 / x, x > 0), (x + 3, True)), 0.0, 3.0),
    (sympy.Derivative(sympy.Function("f")(x), x), 0.0, math.nan),
    (sympy.Integer(3) + 0 * x, 1.0, 3.0),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "at", "expected"), VALUES)
def test_an_expression_is_rounded_once(expression, at, expected) -> None:
    found = evaluate(expression, {x: at})
    assert found == pytest.approx(expected, rel=2e-16, abs=0, nan_ok=True)
