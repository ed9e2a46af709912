"""Partial derivatives of higher order against sympy, and how they are printed."""

import itertools

import pytest
import sympy

from gdlab.derivatives import report
from gdlab.losses import Beale


def third_derivatives(point: list[float]) -> list[float]:
    x, y = sympy.symbols("x y", real=True)
    beale = sum(
        (value - x * (1 - y**power)) ** 2
        for value, power in (
            (sympy.Rational(3, 2), 1),
            (sympy.Rational(9, 4), 2),
            (sympy.Rational(21, 8), 3),
        )
    )
    orders = itertools.combinations_with_replacement((x, y), 3)
    at = dict(zip((x, y), point, strict=True))
    return [float(sympy.diff(beale, *by).subs(at)) for by in orders]


def test_long_formulas_leave_room_for_names_and_values() -> None:
    """The formulas have lines of their own; beside them the table lost its numbers."""
    printed = report(Beale(), at=[1, 2], order=3).text
    section = printed.partition("Partial derivatives of order 3")[2]
    exact = third_derivatives([1.0, 2.0])
    assert len(exact) == 4
    for name, value in zip(
        ("∂³f/∂x0³", "∂³f/∂x0²∂x1", "∂³f/∂x0∂x1²", "∂³f/∂x1³"), exact, strict=True
    ):
        lines = [line.split() for line in section.splitlines() if line.split()[:1] == [name]]
        formula, numbers = lines
        assert len(formula) > 1
        assert [float(text) for text in numbers[1:]] == pytest.approx([value] * 2, rel=1e-6)
