"""Derivatives in words: what a formula with kinks has in place of Dirac's delta."""

from typing import Any

import pytest
import sympy

from gdlab.formulas.derivatives import in_words
from gdlab.formulas.formula import parse

X, Y = sympy.symbols("x y", real=True)

# a formula, the variables to differentiate by, the derivative
WORDS = [
    ("abs(x)", "x", "sign(x), for x ≠ 0"),
    ("abs(x)", "xx", "0, but none where x = 0"),
    ("x*abs(y)", "yy", "0, but none where y = 0 and x ≠ 0"),
    ("x*abs(y) + y**3", "yy", "6*y, but none where y = 0 and x ≠ 0"),
    ("abs(x)**3", "xx", "4*x*sign(x) + 2*abs(x)"),  # it exists: the factor of the delta is 0
    ("max(x, y)", "y", "where(y > x, 1, 0), for x ≠ y"),
    ("max(x, y)", "yy", "0, but none where x = y"),
    ("min(x, 2)", "xx", "0, but none where x = 2"),
    ("abs(x - 1) + abs(y)", "xx", "0, but none where x = 1"),
    ("abs(x*y - x)", "xx", "0, but none where x = x*y and y ≠ 1"),
    ("abs(x*y)", "yy", "0, but none where y = 0 and x ≠ 0"),
    ("max(x**2, y**2)", "xx", "2*where(x**2 > y**2, 1, 0), for x**2 ≠ y**2"),
    ("y*sign(x)", "x", "0, but none where x = 0 and y ≠ 0"),
    ("max(x, 0)**2", "x", "2*max(0, x)*where(x > 0, 1, 0)"),  # 0 where x = 0
    ("max(x, y)**2", "x", "2*max(x, y)*where(x > y, 1, 0), for x ≠ y"),
    ("max(x, y, 1)", "x", "where(x > 1 and x > y, 1, 0), for x ≠ 1 and x ≠ y"),
    ("where(x > y, x, y)", "x", "where(x > y, 1, 0), for x ≠ y"),
    ("where(x > 0, x**2, 0)", "x", "where(x > 0, 2*x, 0)"),
    ("max(x, 0)**2", "xx", "2*where(x > 0, 1, 0)**2, for x ≠ 0"),
]


@pytest.mark.parametrize(("formula", "by", "words"), WORDS)
def test_where_there_is_no_derivative(formula: str, by: str, words: str) -> None:
    derivative: Any = parse(formula, "formula").symbolic({"x": X, "y": Y})
    assert derivative is not None
    for name in by:
        derivative = sympy.diff(derivative, {"x": X, "y": Y}[name])
    assert in_words(derivative) == words


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("max(x, y) + abs(x - 1)", "0, but none where x = 1 or x = y"),
        ("y*abs(x)", "sign(x), for x ≠ 0"),
        ("x*sign(y)", "0, but none where y = 0"),
        ("abs(x) + y**2", "0, but none where x = 0"),
        ("where(x > 0, x + y, -x)", "0, but none where x = 0"),
    ],
)
def test_a_mixed_derivative_needs_the_first_one_nearby(formula: str, words: str) -> None:
    derivative: Any = parse(formula, "formula").symbolic({"x": X, "y": Y})
    first = sympy.diff(derivative, X)
    assert in_words(sympy.diff(first, Y), before=[(first, X, Y)]) == words
