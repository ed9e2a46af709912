"""Taylor models, differentials, cross-sections and higher partials against closed forms."""

import math
from typing import Any

import pytest
import torch

from gdlab.derivatives.findings.cross_sections import cross_sections
from gdlab.derivatives.findings.directional import directional
from gdlab.derivatives.findings.higher_orders import higher
from gdlab.derivatives.findings.taylor import differential, taylor
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import derivative_name, linear_combination, offset_from
from gdlab.errors import SettingError
from gdlab.losses import MLP, Beale, Expression, Himmelblau, Rosenbrock
from gdlab.losses.base import Loss

SMOOTH = [
    (Beale(), (1.0, 2.0)),
    (Rosenbrock(), (-1.2, 1.0)),
    (Himmelblau(), (0.5, -1.5)),
    (Himmelblau(), (3.0, 2.0)),  # a minimum: the plane is flat
    (Expression("sin(x*y) + exp(x + y)"), (0.5, 1.5)),
]


@pytest.mark.parametrize(("loss", "at"), SMOOTH, ids=str)
def test_errors_fall_with_the_square_and_the_cube_of_the_distance(
    loss: Loss, at: tuple[float, ...]
) -> None:
    found = taylor(LossAtPoint(loss, at))
    assert found.plane.convergence.slope == pytest.approx(2, abs=0.02)  # observed 0.006
    assert found.second.convergence.slope == pytest.approx(3, abs=0.03)  # observed 0.01


# formula, point, and the slopes of the two errors in words
FAR = [
    ("exp(x)", 709.0, "2.00", "3.00"),
    ("-exp(x)", 700.0, "2.00", "3.00"),
    ("log(x)", 1e-300, "1.00", "–"),  # noqa: RUF001
    ("1e308*x", 1.0, "exact", "exact"),
]


@pytest.mark.parametrize(("formula", "at", "plane", "second"), FAR)
def test_errors_that_overflow_are_not_called_exact(formula, at, plane, second) -> None:
    found = taylor(LossAtPoint(Expression(formula), [at]))
    assert (found.plane.convergence.words, found.second.convergence.words) == (plane, second)


def test_the_second_order_model_multiplied_out() -> None:
    found = taylor(LossAtPoint(Expression("x**3 + 2*x*y"), [1.0, -2.0]))
    assert found.plane.equation == "-3 - (x - 1) + 2 (y + 2)"
    quadratic = " + 3 (x - 1)² + 2 (x - 1) (y + 2)"
    assert found.second.equation == found.plane.equation + quadratic
    assert found.expanded == "-x + 2 y + 2"
    # Along x, the error of the model is the cube of the distance.
    along = torch.tensor([1.0, 0.0], dtype=torch.float64)
    found = taylor(LossAtPoint(Expression("x**3 + 2*x*y"), [1.0, -2.0]), along)
    assert found.second.errors[:8].tolist() == pytest.approx(
        (found.distances[:8] ** 3).tolist(),
        rel=1e-8,  # observed 1e-10: rounding at a distance of 1/128
    )


def test_the_total_differential_and_the_true_change() -> None:
    """z = x² + 3xy − y² from (2, 3) to (2.05, 2.96): dz = 0.65, Δz = 0.6449."""
    at = LossAtPoint(Expression("x**2 + 3*x*y - y**2"), [2.0, 3.0])
    found = differential(at, torch.tensor([0.05, -0.04], dtype=torch.float64))
    assert found.df == pytest.approx(0.65, rel=1e-14)  # observed 2e-16
    assert found.change == pytest.approx(0.6449, rel=1e-12)  # observed 3e-15
    assert found.second == pytest.approx(0.6449, rel=1e-12)
    assert found.terms.tolist() == pytest.approx([0.65, 0.0], abs=1e-15)
    assert dict(found.section().lines)["df"] == "13 (0.05) = 0.65"


def test_cross_sections_touch_their_tangents() -> None:
    at = LossAtPoint(Beale(), [1.0, 2.0])
    found = cross_sections(at)
    assert [cut.name for cut in found.sections] == ["x0", "x1"]
    for cut, slope, curvature in zip(found.sections, (171.25, 278.0), (118.0, 574.0), strict=True):
        assert (cut.slope, cut.curvature) == (slope, curvature)
        middle = len(cut.loss) // 2
        assert cut.loss[middle] == cut.tangent[middle] == at.value
        # The section curves away from its tangent to both sides by ½ f″ h².
        h = float(cut.coordinate[middle + 1] - cut.coordinate[middle])
        gap = cut.loss - cut.tangent
        estimate = float(gap[middle + 1] + gap[middle - 1]) / h**2
        assert estimate == pytest.approx(curvature, rel=0.2)
    assert cross_sections(at, curved=False).sections[0].curvature is None
    assert len(cross_sections(LossAtPoint(MLP(widths=(8,), count=20)), curved=False).sections) == 12


def test_partial_derivatives_of_third_order() -> None:
    x, y = 1.2, 0.7
    found = higher(LossAtPoint(Expression("x**3*y**2 + sin(x*y)"), [x, y]), 3)
    assert found.names == ("∂³f/∂x³", "∂³f/∂x²∂y", "∂³f/∂x∂y²", "∂³f/∂y³")
    sine, cosine = math.sin(x * y), math.cos(x * y)
    answers = (
        6 * y**2 - y**3 * cosine,
        12 * x * y - 2 * y * sine - x * y**2 * cosine,
        6 * x**2 - 2 * x * sine - x**2 * y * cosine,
        -(x**3) * cosine,
    )
    assert found.autograd == pytest.approx(answers, rel=1e-14)  # observed 2e-16
    assert found.symbolic == pytest.approx(answers, rel=1e-14)


def test_names_of_higher_partials_and_vanishing_ones() -> None:
    assert derivative_name(("x", "x", "y", "y", "y")) == "∂⁵f/∂x²∂y³"
    found = higher(LossAtPoint(Expression("x**2 + 3*y"), [1.0, 2.0]), 4)
    assert set(found.autograd) == {0.0}


@pytest.mark.parametrize(
    ("function", "argument", "message"),
    [
        (higher, 7, "order=7: must be from 1 to 6"),
        (directional, [0, 0], r"direction=\[0,0\]: must not be zero"),
        (taylor, [1], r"direction=\[1\]: must be 2 numbers"),
        (differential, [1, math.inf], r"step=\[1,inf\]: must be finite"),
    ],
)
def test_invalid_arguments(function: Any, argument: Any, message: str) -> None:
    with pytest.raises(SettingError, match=f"^{message}"):
        function(LossAtPoint(Expression("x*y"), [1.0, 2.0]), argument)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ([(2.0, "x"), (-1.0, "y"), (0.0, "z"), (-5.0, "")], "2 x - y - 5"),
        ([(-1.5, "x")], "-1.5 x"),
        ([(1.0, "")], "1"),
        ([], "0"),
        ([(1.0, f"x{i}") for i in range(10)], "x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + … (2 more)"),
    ],
)
def test_sums_as_text(terms: list[tuple[float, str]], words: str) -> None:
    assert linear_combination(terms) == words


def test_variables_counted_from_a_number() -> None:
    assert [offset_from("x", at) for at in (0.0, 2.5, -1.0)] == ["x", "(x - 2.5)", "(x + 1)"]


@pytest.mark.parametrize(
    ("formula", "at", "direction", "choice"),
    [
        ("x + y**2", [0.0, 0.0], [1, 0], "that of steepest ascent"),
        ("x**2 + 3*y**2", [0.0, 0.0], [0, 1], "that of the largest curvature"),
        ("x**3 - 3*x*y**2", [0.0, 0.0], [1, 0], "the one of 9 directions with the largest change"),
        ("0*x + y**4", [0.0, 0.0], [0, 1], "the one of 9 directions with the largest change"),
        ("x**4", [0.0], [1], "the only direction"),
        ("0*x + 0*y", [0.0, 0.0], None, "though the loss changes along none of 9 directions"),
    ],
)
def test_errors_are_measured_where_the_loss_varies(formula, at, direction, choice) -> None:
    found = taylor(LossAtPoint(Expression(formula), at))
    assert found.choice == choice
    assert direction is None or found.direction.abs().tolist() == direction
    words = dict(found.section().lines)["errors along"]
    assert words.endswith(f"), {choice}")
