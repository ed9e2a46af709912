"""Which operation of a loss is undefined at a point."""

import pytest
import torch

from gdlab.losses import Expression
from gdlab.numerics.partial_functions import Undefined, find_undefined

# formula, point, and what is undefined there
CASES: list[tuple[str, tuple[float, ...], Undefined | None]] = [
    ("ln(x) + y", (-0.25, 1.0), Undefined("the logarithm", -0.25)),
    ("log10(x)*y", (0.0, 1.0), Undefined("the logarithm", 0.0)),
    ("ln(x) + y", (0.5, 1.0), None),
    ("y*sqrt(x - 1)", (0.5, 1.0), Undefined("the square root", -0.5)),
    ("y/x", (0.0, 1.0), Undefined("the quotient", 0.0)),
    ("x**0.5 + y", (-4.0, 1.0), Undefined("the power", -4.0)),
    ("x**-2 + y", (0.0, 1.0), Undefined("the power", 0.0)),
    ("asin(x*y)", (1.0, 2.0), Undefined("the arcsine", 2.0)),
    # numbers that are too large leave no domain
    ("exp(x) + y", (1000.0, 1.0), None),
    ("x**8 + y", (1e200, 1.0), None),
    ("ln(exp(x)) + y", (1000.0, 1.0), None),
]


@pytest.mark.parametrize(("formula", "point", "wanted"), CASES)
def test_the_first_undefined_operation(
    formula: str, point: tuple[float, ...], wanted: Undefined | None
) -> None:
    loss = Expression(formula)
    x = torch.tensor([point, (0.5, 0.5)], dtype=torch.float64)
    assert find_undefined(loss, x[:1]) == [wanted]
    assert find_undefined(loss, x)[0] == wanted
