"""What a function is at a point, against what is known of it."""

import math

import pytest
import torch

from gdlab.derivatives.methods.behavior import Behavior, Kind
from gdlab.derivatives.methods.local_behavior import local_behavior
from gdlab.losses import Expression
from gdlab.numerics.autodiff import value_and_gradient

INF, NAN = math.inf, math.nan


def behavior_at(formula: str, at: float) -> Behavior:
    loss = Expression(formula)
    x = torch.tensor([at], dtype=torch.float64)
    gradient = value_and_gradient(loss, x[None])[1][0]
    return local_behavior(loss, x, torch.eye(1, dtype=x.dtype), gradient)[0]


# A formula, a point, what the function is there, and its slopes to the left and to the right.
CASES = [
    ("x**2", 1, Kind.SMOOTH, 2, 2),
    ("abs(x)**1.2", 0, Kind.SMOOTH, 0, 0),
    ("x**8", 1000, Kind.SMOOTH, 8e21, 8e21),
    # Scales far from 1, which differences with steps from 1 to 1e-12 cannot see.
    ("exp(x)", 709, Kind.SMOOTH, math.exp(709), math.exp(709)),
    ("log(x)", 1e-300, Kind.SMOOTH, 1e300, 1e300),
    ("1/x", 1e-10, Kind.SMOOTH, -1e20, -1e20),
    ("sin(1000*x)", 1e7, Kind.SMOOTH, 1e3 * math.cos(1e10), 1e3 * math.cos(1e10)),
    ("cos(1e8*x)", 0.3, Kind.SMOOTH, -1e8 * math.sin(3e7), -1e8 * math.sin(3e7)),
    ("atan(1e20*x)", 0, Kind.SMOOTH, 1e20, 1e20),
    ("sqrt(x**2 + 1e-30)", 0, Kind.SMOOTH, 0, 0),
    ("sqrt(x + 1e-20)", 0, Kind.SMOOTH, 5e9, 5e9),
    # At the ends of the number range.
    ("x", 1.7e308, Kind.SMOOTH, 1, 1),
    ("sin(x)", 1e-310, Kind.SMOOTH, 1, 1),
    ("sqrt(x)", 1e-307, Kind.SMOOTH, 1.5811388e153, 1.5811388e153),
    ("sqrt(x)", 1e-310, Kind.UNRESOLVED, NAN, NAN),
    ("max(x, 0)", -1e-320, Kind.UNRESOLVED, NAN, NAN),
    ("abs(x)", 5e-324, Kind.UNRESOLVED, NAN, NAN),
    # Beyond the resolution of floats, or of the values.
    ("cos(1e20*x)", 0.3, Kind.UNRESOLVED, NAN, NAN),
    ("atan(1e20*(x - 1))", 1, Kind.UNRESOLVED, NAN, NAN),
    ("1e10 + x - 1e10", 0.3, Kind.UNRESOLVED, NAN, NAN),
    ("abs(x)", 0, Kind.KINK, -1, 1),
    ("x + 1e-4*abs(x)", 0, Kind.KINK, 0.9999, 1.0001),
    ("max(0, 1 - x)", 1, Kind.KINK, -1, 0),
    ("sign(x) + x**2", 0, Kind.JUMP, NAN, NAN),
    ("sign(x - 1)", 1, Kind.JUMP, NAN, NAN),
    ("atan(1/x)", 0, Kind.JUMP, NAN, -1),
    ("exp(-1/x)", 0, Kind.JUMP, NAN, 0),
    ("abs(x)**0.9", 0, Kind.VERTICAL, -INF, INF),
    ("x**(1/3)", 0, Kind.VERTICAL, NAN, INF),
    ("sqrt(1 - x**2) + x", 1, Kind.VERTICAL, -INF, NAN),
    ("(1 - x)**1.5", 1, Kind.EDGE, 0, NAN),
]


@pytest.mark.parametrize(("formula", "at", "kind", "left", "right"), CASES)
def test_behavior(formula: str, at: float, kind: Kind, left: float, right: float) -> None:
    found = behavior_at(formula, at)
    assert found.kind is kind
    # Observed: 4e-4 (the values of cos(1e8*x) at 0.3 are known to 1e-9), 6e-7 of |x|**1.2.
    tolerance = {"nan_ok": True, "rel": 1e-3, "abs": 1e-6}
    assert found.left.slope == pytest.approx(left, **tolerance)
    assert found.right.slope == pytest.approx(right, **tolerance)


def test_a_jump_has_a_size() -> None:
    found = behavior_at("3*sign(x - 2) + x", 2)
    assert (found.left.jump, found.right.jump) == pytest.approx((-3, 3), rel=1e-9)  # obs. 3e-15
    assert math.isnan(found.slope)
    assert found.has_no_derivative
