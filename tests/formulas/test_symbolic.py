"""Formulas that sympy would expand or nest without end, and constants that are not finite."""

import pytest
import sympy
import torch

from gdlab.derivatives.full_report import report
from gdlab.errors import SettingError
from gdlab.formulas.formula import parse
from gdlab.losses import Expression


def nested(pattern: str, times: int) -> str:
    """Put x into a pattern, the result into the pattern again, and so on."""
    text = "x"
    for _ in range(times):
        text = pattern.format(text)
    return text


# formula, and whether sympy takes it
BOUNDED = [
    ("(((((x/3)**64)**64)**64)**64)**64", False),
    ("(((((2*x)**64)**64)**64)**64)**64", False),
    ("((10**64*x)**64)**64", False),
    ("((x + 1/3)**64)**64", True),
    ("(x/3)**(y/y*10**12)", False),
    ("0*2**(y - y + 10**9) + x", False),
    ("x*2**(y - y - 10**9)", False),
    ("exp(exp(exp(y - y + 10))) + x", False),
    ("x" + "*10**64" * 10, False),
    ("x" + "*1e-300" * 4, False),
    ("x + min(1, 1/(0/y))", False),
    ("x + max(1, 1/(0/y))", False),
    ("x + 1/(1/(0/y))", False),
    ("x + abs(1/(0*y))", False),
    ("x + sign(1/(0*y))", False),
    ("x + atan2(0*y, 0*x)", False),
    ("x + log(0*y)", False),
    ("x + sqrt(0*y - 1)", False),
    (nested("sigmoid({})", 50), False),
    (nested("sigmoid(2*{} + 1)", 3), True),
    (nested("sin({})", 58), False),
    (nested("sin({})", 18), True),
    (nested("1/(1 + {})", 40), False),
    (nested("x/(1 + {})", 6), True),
    (nested("sqrt(1 + {})", 50), False),
    (nested("({})**64", 30), True),
    (nested("max({}, y, 1 - x)", 4), True),
    ("max(" + ", ".join(f"{k}*x" for k in range(1, 12)) + ")", False),
    ("+".join(f"{k}*x**2" for k in range(60)), False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), BOUNDED, ids=[text[:40] for text, _ in BOUNDED])
def test_sympy_takes_only_what_it_can_bear(text: str, expected: bool) -> None:
    loss = Expression(text)
    symbols = {name: sympy.Symbol(name, real=True) for name in loss.names}
    assert (parse(text).symbolic(symbols) is not None) is expected
    assert len(loss.about) == (1 + loss.dim if expected else 1)
    assert loss(torch.ones(loss.dim)).shape == ()


# formula and point
REPORTED = [
    ("(((((x/3)**64)**64)**64)**64)**64", [1]),
    ("((10**64*x)**64)**64", [0]),
    ("x + min(1, 1/(0/y))", [1, 1]),
    (nested("sigmoid({})", 50), [1]),
    (nested("x/(1 + {})", 6), [1]),
]


@pytest.mark.parametrize(("text", "at"), REPORTED, ids=[text[:40] for text, _ in REPORTED])
def test_they_have_a_report_or_a_sentence(text, at) -> None:
    try:
        assert "Gradient" in report(Expression(text), at=at, order=1).text
    except SettingError as error:
        assert str(error).count("\n") == 0
