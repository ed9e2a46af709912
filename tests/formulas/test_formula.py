"""Formulas against Python's arithmetic, closed-form derivatives, sympy and malicious input."""

import ast
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import atan2, cos, cosh, e, erf, exp, log, pi, sin, sinh, sqrt, tan, tanh
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.gradients import gradient_by_autograd, gradient_by_sympy, relative
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import gdlab
from gdlab.errors import SettingError
from gdlab.formulas import formula, functions, parser, tokens
from gdlab.formulas.formula import format_expression, parse
from gdlab.formulas.functions import FUNCTIONS
from gdlab.losses import Expression, expression

FLOAT64 = torch.float64

# A formula, the same in Python, its partial derivatives by hand, and a point.
CASES: list[tuple[str, Callable[..., float], Callable[..., tuple[float, ...]], list[float]]] = [
    ("x**2 + y**2", lambda x, y: x**2 + y**2, lambda x, y: (2 * x, 2 * y), [1, 2]),
    ("x**2 - y**2", lambda x, y: x**2 - y**2, lambda x, y: (2 * x, -2 * y), [3, 4]),
    (
        "x**2 + 3*x*y + sin(pi*y)",
        lambda x, y: x**2 + 3 * x * y + sin(pi * y),
        lambda x, y: (2 * x + 3 * y, 3 * x + pi * cos(pi * y)),
        [1, -1.25],
    ),
    (
        "x**2*y + y**2*z - z**3",
        lambda x, y, z: x**2 * y + y**2 * z - z**3,
        lambda x, y, z: (2 * x * y, x**2 + 2 * y * z, y**2 - 3 * z**2),
        [1, 2, 1],
    ),
    ("-x**2", lambda x: -(x**2), lambda x: (-2 * x,), [1.5]),
    ("(-x)**2", lambda x: (-x) ** 2, lambda x: (2 * x,), [1.5]),
    ("2**-x", lambda x: 2**-x, lambda x: (-log(2) * 2**-x,), [1.5]),
    ("a/b/c", lambda a, b, c: a / b / c, lambda a, b, c: (
        1 / b / c, -a / b**2 / c, -a / b / c**2), [3, 2, 5]),
    ("a/(b/c)", lambda a, b, c: a / (b / c), lambda a, b, c: (
        c / b, -a * c / b**2, a / b), [3, 2, 5]),
    ("a/b*c", lambda a, b, c: a / b * c, lambda a, b, c: (
        c / b, -a * c / b**2, a / b), [3, 2, 5]),
    ("a-b-c", lambda a, b, c: a - b - c, lambda a, b, c: (1, -1, -1), [3, 2, 5]),
    ("a - (b - c)", lambda a, b, c: a - (b - c), lambda a, b, c: (1, -1, 1), [3, 2, 5]),
    ("x**y**z", lambda x, y, z: x**y**z, lambda x, y, z: (
        y**z * x ** (y**z - 1),
        x ** (y**z) * log(x) * z * y ** (z - 1),
        x ** (y**z) * log(x) * y**z * log(y)), [1.5, 1.2, 2.5]),
    ("(x**y)**z", lambda x, y, z: (x**y) ** z, lambda x, y, z: (
        y * z * x ** (y * z - 1),
        x ** (y * z) * z * log(x),
        x ** (y * z) * y * log(x)), [1.5, 1.2, 2.5]),
    ("-x**-y", lambda x, y: -(x**-y), lambda x, y: (y * x ** (-y - 1), x**-y * log(x)), [2, 3]),
    ("--x*-y", lambda x, y: -(0 - x) * -y, lambda x, y: (-y, -x), [2, 3]),
    ("+x - -y", lambda x, y: +x - -y, lambda x, y: (1, 1), [2, 3]),
    ("2*x**3/4", lambda x: 2 * x**3 / 4, lambda x: (1.5 * x**2,), [-1.5]),
    ("x**-2", lambda x: x**-2, lambda x: (-2 * x**-3,), [-1.5]),
    ("x**0.5", lambda x: x**0.5, lambda x: (0.5 * x**-0.5,), [2.25]),
    ("1e-3*x + .5*y + 2.*z", lambda x, y, z: 1e-3 * x + 0.5 * y + 2.0 * z, lambda x, y, z: (
        1e-3, 0.5, 2.0), [1, 2, 3]),
    ("  x\t* ( y+1 )  ", lambda x, y: x * (y + 1), lambda x, y: (y + 1, x), [2, 3]),
    ("e**x + exp(y)", lambda x, y: e**x + exp(y), lambda x, y: (e**x, exp(y)), [0.3, -0.7]),
    ("x**2*y*exp(-z)", lambda x, y, z: x**2 * y * exp(-z), lambda x, y, z: (
        2 * x * y * exp(-z), x**2 * exp(-z), -(x**2) * y * exp(-z)), [1, 2, 0.5]),
    ("sin(x*y) + exp(x+y)", lambda x, y: sin(x * y) + exp(x + y), lambda x, y: (
        y * cos(x * y) + exp(x + y), x * cos(x * y) + exp(x + y)), [0.4, 0.9]),
    ("x**2/(x**2+y**2)", lambda x, y: x**2 / (x**2 + y**2), lambda x, y: (
        2 * x * y**2 / (x**2 + y**2) ** 2, -2 * x**2 * y / (x**2 + y**2) ** 2), [1, 2]),
    ("ln(y*z) + log(x)", lambda x, y, z: log(y * z) + log(x), lambda x, y, z: (
        1 / x, 1 / y, 1 / z), [4, 2, 3]),
    ("sqrt(x**2 + y**2)", lambda x, y: sqrt(x**2 + y**2), lambda x, y: (
        x / sqrt(x**2 + y**2), y / sqrt(x**2 + y**2)), [3, -4]),
    ("atan2(y, x)", lambda x, y: atan2(y, x), lambda x, y: (
        -y / (x**2 + y**2), x / (x**2 + y**2)), [-2, -0.5]),
    ("atan2(1, x) + max(x, 2)", lambda x: atan2(1, x) + max(x, 2), lambda x: (
        -1 / (1 + x**2) + 1,), [3]),
    ("abs(x) + sign(y)*y", lambda x, y: abs(x) + abs(y), lambda x, y: (
        math.copysign(1, x), math.copysign(1, y)), [-0.3, 0.2]),
    ("max(x, y, z) - min(x, y, z)", lambda x, y, z: max(x, y, z) - min(x, y, z), lambda x, y, z: (
        0, 1, -1), [0.5, 2, -1]),
    ("tan(x) + tanh(y)", lambda x, y: tan(x) + tanh(y), lambda x, y: (
        1 + tan(x) ** 2, 1 - tanh(y) ** 2), [0.4, 0.9]),
    ("sin(x)*cos(y)", lambda x, y: sin(x) * cos(y), lambda x, y: (
        cos(x) * cos(y), -sin(x) * sin(y)), [pi / 4, pi / 4]),
    ("sinh(x) - cosh(y)", lambda x, y: sinh(x) - cosh(y), lambda x, y: (
        cosh(x), -sinh(y)), [0.4, 0.9]),
    ("asin(x)+acos(y)*2", lambda x, y: math.asin(x) + math.acos(y) * 2, lambda x, y: (
        1 / sqrt(1 - x**2), -2 / sqrt(1 - y**2)), [0.4, -0.9]),
    ("atan(x)+asinh(y)", lambda x, y: math.atan(x) + math.asinh(y), lambda x, y: (
        1 / (1 + x**2), 1 / sqrt(1 + y**2)), [0.4, -0.9]),
    ("acosh(x)*atanh(y)", lambda x, y: math.acosh(x) * math.atanh(y), lambda x, y: (
        math.atanh(y) / sqrt(x**2 - 1), math.acosh(x) / (1 - y**2)), [1.4, -0.9]),
    ("erf(x)", erf, lambda x: (2 / sqrt(pi) * exp(-(x**2)),), [0.4]),
    ("log2(x)+log10(y)", lambda x, y: math.log2(x) + math.log10(y), lambda x, y: (
        1 / x / log(2), 1 / y / log(10)), [3, 7]),
    ("log1p(x)-expm1(y)", lambda x, y: math.log1p(x) - math.expm1(y), lambda x, y: (
        1 / (1 + x), -exp(y)), [1e-9, -1e-9]),
    ("sigmoid(x)+logistic(2*y)", lambda x, y: 1 / (1 + exp(-x)) + 1 / (1 + exp(-2 * y)),
        lambda x, y: (exp(-x) / (1 + exp(-x)) ** 2, 2 * exp(-2 * y) / (1 + exp(-2 * y)) ** 2),
        [0.4, -0.9]),
    ("where(x**2 + y**2 == 0, 0, x*y/(x**2 + y**2))", lambda x, y: x * y / (x**2 + y**2),
        lambda x, y: (y * (y**2 - x**2) / (x**2 + y**2) ** 2,
            x * (x**2 - y**2) / (x**2 + y**2) ** 2), [1, 2]),
    ("where(0 < x <= 1 < y and not y == 3, log(x)*y, 1/(x - 1))", lambda x, y: log(x) * y,
        lambda x, y: (y / x, log(x)), [1, 2]),
    ("where(x >= 1 or x != y, x, y**2)*y", lambda x, y: y**3, lambda x, y: (0, 3 * y**2),
        [0.5, 0.5]),
    ("where(x < 0, sqrt(-x), where(x < 1, x**2, x - 1)) + x", lambda x: x**2 + x,
        lambda x: (2 * x + 1,), [0]),
    ("where(2 > 1, x, 1/x) + where(x < 0, 1, 2)", lambda x: x + 2, lambda x: (1,), [0]),
    ("softplus(x) + softplus(y)", lambda x, y: log(1 + exp(x)) + y + math.log1p(exp(-y)),
        lambda x, y: (1 / (1 + exp(-x)), 1 / (1 + exp(-y))), [0.4, 25.0]),
]  # fmt: skip

table = pytest.mark.parametrize("case", CASES, ids=lambda case: case[0].strip())


@table
def test_a_formula_has_the_value_of_the_same_python(case) -> None:
    text, function, _, at = case
    x = torch.tensor(at, dtype=FLOAT64)
    assert float(Expression(text)(x)) == pytest.approx(function(*at), rel=1e-15, abs=1e-15)


@table
def test_the_gradient_agrees_with_hand_and_sympy(case) -> None:
    text, _, gradient, at = case
    loss, x = Expression(text), torch.tensor(at, dtype=FLOAT64)
    found = gradient_by_autograd(loss, x)
    assert relative(found, gradient(*at)) <= 1e-14  # observed 7e-16
    if not any(kinked in text for kinked in ("abs", "sign", "max", "min")):
        assert relative(found, gradient_by_sympy(loss, at)) <= 1e-14  # observed 7e-16


@table
def test_printed_partial_derivatives_parse_to_the_same_gradient(case) -> None:
    """Sympy's output is parsed again here, so that two parsers agree on it."""
    text, _, gradient, at = case
    names = Expression(text).names
    partials = printed_partials(text, names)
    assert len(partials) == len(at)
    for partial, expected in zip(partials, gradient(*at), strict=True):
        if "Heaviside" in partial or "DiracDelta" in partial:
            continue
        x = {n: torch.tensor(v, dtype=FLOAT64) for n, v in zip(names, at, strict=True)}
        assert float(parse(partial).evaluate(x)) == pytest.approx(expected, rel=1e-13)


def printed_partials(text: str, names: Sequence[str]) -> list[str]:
    """Return the partial derivatives of a formula as printed."""
    gradient = parse(text).gradient(names)
    assert gradient is not None
    return [format_expression(partial) for partial in gradient]


PRINTED = [("1e200*x", "1.0e+200"), ("1e14*x", "100000000000000"), ("0.5*x", "0.5")]


@pytest.mark.parametrize(("text", "slope"), PRINTED)
def test_long_numbers_are_printed_short(text: str, slope: str) -> None:
    (partial,) = parse(text).gradient(["x"]) or []
    assert format_expression(partial) == slope


def test_every_function_is_in_the_table() -> None:
    words = {word for text, *_ in CASES for word in re.findall(r"\w+(?=\()", text)}
    assert words == FUNCTIONS.keys()


def test_names_are_in_alphabetical_order() -> None:
    assert Expression("b*a + e*pi*x1 + a").names == ("a", "b", "x1")
    assert parse("b*a + e*pi*x1 + a").names == {"b": 1, "a": 3, "x1": 12}
    assert Expression("x10*x2*x1 + w_2 + y + B").names == ("B", "w_2", "x1", "x2", "x10", "y")
    assert Expression("y**2 + a*x", parameters={"a": 1}).names == ("x", "y")
    assert Expression("y**2 + x", variables=("y", "x")).names == ("y", "x")


def test_a_power_of_a_whole_number_is_exact_at_zero_and_below() -> None:
    for power, slope in ((0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0)):
        loss, x = Expression(f"x**{power} + 0*x"), torch.zeros(1, dtype=FLOAT64)
        assert gradient_by_autograd(loss, x).tolist() == [slope]
    x = torch.tensor([[-3.0], [7.0]], dtype=FLOAT64)
    assert Expression("x**3")(x).tolist() == [-27.0, 343.0]
    assert Expression("x**-2")(x).tolist() == [1 / 9, 1 / 49]
    with_column = Expression("x**n", parameters={"n": torch.tensor([2.0, 3.0], dtype=FLOAT64)})
    assert with_column(x).tolist() == [9.0, 343.0]


def test_a_root_has_a_slope_at_zero() -> None:
    at = torch.zeros(2, dtype=FLOAT64)
    assert gradient_by_autograd(Expression("sqrt(x**2 + y**2)"), at).tolist() == [0.0, 0.0]


def test_constant_parts_are_folded() -> None:
    assert parse("2*pi*x + sin(1)/4").folded[:1] == (2 * pi,)
    assert parse("2*pi*x + sin(1)/4").folded[-2:-1] == (sin(1) / 4,)
    assert printed_partials("x**3/3 + 2*x/4", ["x"]) == ["x**2 + 1/2"]
    assert printed_partials("0.1*x**2 + 2.0*x", ["x"]) == ["0.2*x + 2"]


# Refusals

OVERLONG = "x" + "+x" * 5_000
# text, column, part of the message
REFUSED: list[tuple[str, int, str]] = [
    ("", 1, "empty"),
    ("   ", 1, "empty"),
    ("x.real", 2, "'.' is not allowed"),
    ("x.__class__", 2, "'.' is not allowed"),
    ("foo(x)", 1, "unknown function foo; the functions are abs, acos, acosh, "),
    ("__import__('os').system('x')", 12, "''' is not allowed"),
    ("eval(x)", 1, "unknown function eval"),
    ("open(x)", 1, "unknown function open"),
    ("lambda: x", 7, "':' is not allowed"),
    ("lambda x: x", 9, "':' is not allowed"),
    ("[x for x in y]", 1, "'[' is not allowed"),
    ("(x for x in y)", 4, "an operator is missing before 'for'"),
    ("{x: y}", 1, "'{' is not allowed"),
    ("'x'", 1, "''' is not allowed"),
    ('"x"', 1, "'\"' is not allowed"),
    ('f"{x}"', 2, "'\"' is not allowed"),
    ("b'x'", 2, "''' is not allowed"),
    ("9**9**9", 4, "an exponent must be from -64 to 64"),
    ("x**1000000", 4, "an exponent must be from -64 to 64, not 1e+06"),
    ("x**-65", 4, "an exponent must be from -64 to 64, not -65"),
    ("((9**64)**64)*x", 9, "** of 1.17902e+61, 64 is not finite"),
    (OVERLONG, 2001, "at most 2,000 characters"),
    ("x" + "+x" * 260, 500, "more than 500 numbers, names and operations"),
    ("x\x00", 2, "the character 0 is not allowed"),
    ("\x00", 1, "the character 0 is not allowed"),
    ("1e400*x", 1, "1e400 is too large"),
    ("1e309", 1, "too large"),
    ("9" * 400 + "*x", 1, "too large"),
    ("x*" + "9" * 1_900, 3, "too large"),
    ("2x", 1, "write a product with *: 2*x"),
    ("2 x", 3, "an operator is missing before 'x'"),
    ("2(x)", 2, "an operator is missing before '('"),
    ("(x)(y)", 4, "an operator is missing before '('"),
    ("x(y)", 1, "unknown function x; write a product as x*(…)"),
    ("x y", 3, "an operator is missing before 'y'"),
    ("x^2", 2, "a power is written **"),
    ("x²", 2, "a power is written **2"),
    ("2·x", 2, "a product is written *"),
    ("2\u00d7x", 2, "a product is written *"),
    ("x \u2212 1", 3, "a minus is written -"),
    ("π*x", 1, "write pi"),
    ("\u0445**2", 1, "is not a letter from a to z"),
    ("\uff58**2", 1, "is not a letter from a to z"),
    ("x**\uff12", 4, "is not allowed"),
    ("x\u200b", 2, "is not allowed"),
    ("(y := x)", 4, "':' is not allowed"),
    ("x = 1", 3, "'=' is not allowed in a formula; give the right side alone"),
    ("x == 1", 1, "a condition is no number; write where(condition, a, b)"),
    ("x if y else z", 3, "'if' is not allowed; write where(condition, a, b)"),
    ("x and y", 3, "'and' needs a condition, such as x > 0, and got a number"),
    ("not x", 1, "'not' needs a condition, such as x > 0, and got a number"),
    ("(x > 0)*x", 8, "'*' needs numbers, and got a condition; write where(condition, a, b)"),
    ("x < (y < 1)", 3, "'<' needs numbers, and got a condition"),
    ("where(x, 1, 2)", 1, "'where' needs a condition, such as x > 0, and got a number"),
    ("where(x > 0, y > 0, x)", 1, "'where' needs numbers, and got a condition"),
    ("where(x > 0, 1)", 1, "where takes 3 arguments, not 2"),
    ("where(x > 0, 1, 1/0)*x", 19, "division by zero"),
    ("where(x \u2264 1, x, 2)", 9, "write <="),
    ("where(x > 0 & y > 0, 1, x)", 13, "write and"),
    ("where(!(x > 0), 1, x)", 7, "write not"),
    ("where(x => 0, 1, x)", 9, "equality is written =="),
    ("where(x > 0 and, 1, x)", 16, "a value is missing before ','"),
    ("if(x > 0, 1, x)", 1, "unknown function if, did you mean where?"),
    ("and(x > 0, y > 0)", 1, "a value is missing before 'and'"),
    ("where(or, 1, x)", 7, "a value is missing before 'or'"),
    ("0 < x < 1", 1, "a condition is no number"),
    ("<".join("x" * 300), 334, "more than 500 numbers, names and operations"),
    ("x[0]", 2, "'[' is not allowed"),
    ("sin(*x)", 5, "a value is missing before '*'"),
    ("sin(**x)", 5, "a value is missing before '**'"),
    ("f(x, y) = x", 9, "'=' is not allowed in a formula; give the right side alone"),
    ("lambda x: x", 9, "':' is not allowed in a formula; give the right side alone"),
    ("np.sin(x)", 3, "'.' is not allowed in a formula; write sin without np."),
    ("sin(x=1)", 6, "'=' is not allowed"),
    ("sin(x, y)", 1, "sin takes 1 argument, not 2"),
    ("atan2(x)", 1, "atan2 takes 2 arguments, not 1"),
    ("max(x)", 1, "max takes 2 arguments, not 1"),
    ("sin()", 5, "a value is missing before ')'"),
    ("sin", 1, "sin is a function; write sin(…)"),
    ("sine(x)", 1, "unknown function sine, did you mean sin?"),
    ("Sin(x)", 1, "did you mean sin?"),
    ("arctan(x)", 1, "did you mean atan?"),
    ("pow(x, 2)", 1, "did you mean **?"),
    ("(" * 100 + "x" + ")" * 100, 61, "nested more than 60 levels deep"),
    ("(" * 1_900, 61, "nested more than 60 levels deep"),
    ("-" * 1_900 + "x", 61, "nested more than 60 levels deep"),
    ("**".join("x" * 600), 182, "nested more than 60 levels deep"),
    ("sin(" * 400, 244, "nested more than 60 levels deep"),
    ("1_000*x", 1, "'1_000' is not a number"),
    ("0x10*x", 1, "'0x10' is not a number"),
    ("1.2.3", 1, "'1.2.3' is not a number"),
    ("x # comment", 3, "'#' is not allowed"),
    ("x\n+y", 2, "the character 10 is not allowed"),
    ("x; y", 2, "';' is not allowed"),
    ("x // 2", 4, "a value is missing before '/'"),
    ("x % 2", 3, "'%' is not allowed"),
    ("x @ y", 3, "'@' is not allowed"),
    ("x | y", 3, "'|' is not allowed"),
    ("~x", 1, "'~' is not allowed"),
    ("x\\y", 2, "'\\' is not allowed"),
    ("${lr}*x", 1, "'$' is not allowed"),
    ("x!", 2, "'!' is not allowed"),
    ("nan*x", 1, "nan cannot be used as a number or a name"),
    ("x + Infinity", 5, "Infinity cannot be used as a number or a name"),
    ("x*None", 3, "None cannot be used as a number or a name"),
    ("x,y", 2, "',' is only allowed between"),
    ("(x", 1, "'(' is never closed"),
    ("sin(x", 4, "'(' is never closed"),
    ("x)", 2, "')' has no matching"),
    ("x +", 4, "ends where a value is expected"),
    ("* x", 1, "a value is missing before '*'"),
    ("()", 2, "a value is missing before ')'"),
    ("x/0", 3, "division by zero"),
    ("x/(1-1)", 3, "division by zero"),
    ("log(0)*x", 1, "log of 0 is not finite"),
    ("sqrt(-1)*x", 1, "sqrt of -1 is not finite"),
    ("exp(1000)*x", 1, "exp of 1000 is not finite"),
    ("0**-1*x", 2, "** of 0, -1 is not finite"),
    ("3", 1, "depends on no variable"),
    ("2*pi + e", 1, "depends on no variable"),
]


@pytest.mark.parametrize(
    ("text", "column", "words"), REFUSED, ids=[ascii(text)[:40] for text, *_ in REFUSED]
)
def test_invalid_formulas_are_refused_at_a_column(text: str, column: int, words: str) -> None:
    with watched() as seen, pytest.raises(SettingError) as error:
        Expression(text)
    said = str(error.value)
    assert said.startswith("formula=")
    assert f": column {column}: " in said
    assert words in said
    assert said.isprintable()
    assert len(said) < 300
    assert seen == []


def test_formulas_at_the_limits_are_accepted() -> None:
    x = torch.full((1,), 0.5, dtype=FLOAT64)
    assert float(Expression("x" + "+x" * 249)(x)) == 125.0
    assert float(Expression("(" * 60 + "x" + ")" * 60)(x)) == 0.5
    assert float(Expression("-" * 60 + "x")(x)) == 0.5
    assert float(Expression(" " * 1_999 + "x")(x)) == 0.5
    assert float(Expression("(9**9)**9*x")(x)) == pytest.approx(9**81 / 2, rel=1e-15)
    assert float(Expression("x**64 + x**-64")(x)) == 2.0**-64 + 2.0**64


# settings, start of the message
BAD_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"formula": 3}, "formula=3: must be a string"),
    ({"formula": None}, "formula=null: must be a string"),
    ({"formula": "x", "variables": "x"}, "variables=x: must be a list of strings"),
    (
        {"formula": "a*x", "variables": ["x"]},
        "formula=a*x: column 1: a is neither a variable (x) nor a parameter; set loss.parameters.a",
    ),
    (
        {"formula": "x", "parameters": {"a": 1}},
        "parameters.a=1.0: the formula has no such name",
    ),
    (
        {"formula": "x*alpha", "parameters": {"alhpa": 1}},
        "parameters.alhpa=1.0: the formula has no such name, did you mean alpha?",
    ),
    (
        {"formula": "x*y", "variables": ["x", "y"], "parameters": {"y": 1}},
        "parameters.y=1.0: is a variable",
    ),
    ({"formula": "x", "parameters": {"x": 1}}, "formula=x: column 1: the formula depends on no"),
    ({"formula": "x", "parameters": {"a": math.inf}}, "parameters.a=inf: must be a finite number"),
    ({"formula": "x", "parameters": {"a": "b"}}, "parameters.a=b: must be a number"),
    (
        {"formula": "x", "parameters": {1: 2}},
        "parameters={1:2}: must be a mapping from names",
    ),
    (
        {"formula": "x", "parameters": [1]},
        "parameters=[1]: must be a mapping from names",
    ),
    ({"formula": "x", "variables": ["x", "x"]}, "variables=[x,x]: must all be different"),
    ({"formula": "x", "variables": ["x", "pi"]}, "variables=pi: is a reserved name"),
    ({"formula": "x", "variables": ["x", "sin"]}, "variables=sin: is a reserved name"),
    ({"formula": "x", "variables": ["x", "and"]}, "variables=and: is a reserved name"),
    ({"formula": "x", "variables": ["x", "inf"]}, "variables=inf: is a reserved name"),
    ({"formula": "x", "variables": []}, "variables=[]: must hold at least one name"),
    ({"formula": "x", "variables": ["x", "1y"]}, "variables=1y: is not a name"),
    ({"formula": "e*x", "parameters": {"e": 1}}, "parameters=e: is a reserved name"),
]


@pytest.mark.parametrize(("settings", "said"), BAD_SETTINGS)
def test_settings_that_do_not_fit_the_formula(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError) as error:
        Expression(**settings)
    assert str(error.value).startswith(said)


# Nothing is executed

WATCHED = {"exec", "compile", "import", "open", "os.system", "subprocess.Popen", "os.posix_spawn"}
_events: list[str] | None = None


def _hook(event: str, arguments: Any) -> None:
    if _events is not None and event in WATCHED:
        _events.append(event)


sys.addaudithook(_hook)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Record audit events of compiled or executed code, imports, files and processes."""
    global _events
    _events = seen = []
    try:
        yield seen
    finally:
        _events = None


def test_the_audit_hook_sees_code_and_files() -> None:
    with watched() as seen:
        exec("1")
        with open(Path(__file__)):
            pass
    assert {"compile", "exec", "open"} <= set(seen)


def test_no_module_evaluates_text_as_code() -> None:
    forbidden = {"eval", "exec", "compile", "sympify", "parse_expr", "lambdify", "__import__", "S"}
    for module in (formula, parser, tokens, functions, expression):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        attributes = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and not (isinstance(node.value, ast.Name) and node.value.id == "re")
        }
        assert not forbidden & (names | attributes)


def assert_is_a_loss_or_refused(text: str) -> None:
    with watched() as seen:
        try:
            loss = Expression(text)
        except SettingError as error:
            assert re.match(r"formula=.*: column \d+: .", str(error)), error
            assert str(error).isprintable()
        else:
            assert 1 <= loss.dim == len(loss.names) <= 250
            x = torch.ones(2, 3, loss.dim, dtype=FLOAT64).requires_grad_()
            values = loss(x)
            assert (values.shape, values.dtype) == ((2, 3), FLOAT64)
            (slopes,) = torch.autograd.grad(values.sum(), x, allow_unused=True)
            assert slopes is None or slopes.shape == x.shape
    assert seen == []


ANY_TEXT = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="xy12.e+-*/(), \t_'\"[]=:^", max_size=60),
    st.text(alphabet=st.characters(max_codepoint=127), max_size=60),
)
PIECES = [
    *"xyz019.+-*/(),_ \t\n\x00'\"[]{}=:;#^%&|~!@$`\\",
    *("**", "//", "1e9", "1e400", "pi", "e", "lambda", "if", "for", "in", "import"),
    *("2x", "\uff58", "²"),
    *("sin(", "max(", "sqrt(", "eval(", "__class__", "x.y", "9**9**9", "((((((((", "))))))))"),
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A formula with a few pieces inserted, removed or doubled."""
    text = draw(FORMULAS)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        until = min(len(text), at + draw(st.integers(0, 4)))
        text = text[:at] + draw(st.sampled_from(["", text[at:until] * 2, *PIECES])) + text[until:]
    return text


def _joined(parts: tuple[str, ...]) -> str:
    return "".join(parts)


FORMULAS = st.recursive(
    st.sampled_from(["x", "y", "2", "0.5", "3", "pi", "e", "1e-2", "10"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", " - ", "*", " / ", "**"]), inner).map(_joined),
        st.tuples(st.sampled_from(["-", "+"]), inner).map(_joined),
        st.tuples(
            st.sampled_from(["", "sin", "exp", "abs", "atan", "tanh"]),
            st.just("("),
            inner,
            st.just(")"),
        ).map(_joined),
        st.tuples(st.just("max("), inner, st.just(", "), inner, st.just(")")).map(_joined),
    ),
    max_leaves=12,
)

quick = hypothesis_settings(
    max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@quick
@given(ANY_TEXT)
@example("x" * 2_000)
@example("(" * 2_000)
@example("x" + "**x" * 600)
def test_any_text_is_a_loss_or_refused(text: str) -> None:
    assert_is_a_loss_or_refused(text)


@quick
@given(mutated())
def test_a_formula_with_faults_is_a_loss_or_refused(text: str) -> None:
    assert_is_a_loss_or_refused(text)


NUMBER = re.compile(r"(?<![\w.])(\d+\.?\d*(?:e[+-]?\d+)?)")
PYTHON = {
    "sin": np.sin, "exp": np.exp, "abs": np.abs, "atan": np.arctan, "tanh": np.tanh,
    "max": np.maximum, "pi": np.float64(pi), "e": np.float64(e), "F": np.float64,
    "x": np.float64(0.75), "y": np.float64(-1.25),
}  # fmt: skip


def test_precedence_is_pythons() -> None:
    """The formulas are generated here from a few words, so that `eval` is safe."""
    compared = 0

    @hypothesis_settings(max_examples=300, deadline=None)
    @given(FORMULAS)
    def compare(text: str) -> None:
        nonlocal compared
        try:
            parsed = parse(text)
        except SettingError:
            return
        with np.errstate(all="ignore"):
            expected = eval(NUMBER.sub(r"F(\1)", text), {"__builtins__": {}}, PYTHON)
        at = {name: torch.tensor(float(PYTHON[name]), dtype=FLOAT64) for name in parsed.names}
        found = float(parsed.evaluate(at))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-300)
        compared += len(parsed.steps) > 3

    compare()
    assert compared > 50


def test_a_run_from_python() -> None:
    run = gdlab.run(Expression("(x - 3)**2 + y**2"), lr=0.1, start=[1, 1])
    assert str(run.outcome.status) == "converged"
    assert run.outcome.x.tolist() == pytest.approx([3, 0], abs=1e-8)
