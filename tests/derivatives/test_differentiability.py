"""What the report says where a loss has no gradient or no Hessian, against limits by hand."""

import math
from typing import Any

import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gdlab.derivatives import report
from gdlab.derivatives.findings.check import check_gradient
from gdlab.derivatives.findings.critical_points import critical as classify
from gdlab.derivatives.findings.cross_sections import cross_sections
from gdlab.derivatives.findings.directional import directional
from gdlab.derivatives.findings.gradient import first_order
from gdlab.derivatives.findings.hessian import second_order
from gdlab.derivatives.findings.taylor import taylor
from gdlab.derivatives.methods.behavior import Kind
from gdlab.derivatives.point import LossAtPoint
from gdlab.losses import Ackley, Expression

KINK = "Kink: along x the slope is -1 on the left, 1 on the right; there is no derivative."
JUMP = "Jump: along x the loss tends to -1 on the left, 1 on the right; there is no derivative."

# A formula, a point, and what the report says of it.
WITHOUT_GRADIENT = [
    ("sign(x)+x**2", [0.0], [JUMP, "Autograd returns 0.", "yes: there is no gradient", "a jump"]),
    ("abs(x)", [0.0], [f"{KINK} Autograd returns 0, a subgradient.", "no tangent line: a kink"]),
    ("sqrt(x**2+y**2)", [0.0, 0.0], [KINK, KINK.replace("along x", "along y")]),
    ("-abs(x)", [0.0], ["Autograd returns 0, which is between them."]),
    ("sqrt(x)", [0.0], ["the slope is undefined on the left, inf on the right; there is no"]),
    ("sqrt(abs(x))", [0.0], ["Vertical tangent: along x the slope is -inf on the left, inf on"]),
    (
        "x**(1/3)",
        [0.0],
        ["Vertical tangent: ", "Autograd returns 0.", "a vertical tangent along x"],
    ),
    ("(1-x)**1.5", [1.0], ["Edge of the domain: "]),
    ("sqrt(x)*y", [0.0, 1.0], ["Vertical tangent: ", "symmetric  unknown"]),
    ("x**y", [-1.0, 2.0], ["Edge of the domain: along y", "symmetric  unknown"]),
    ("x**y", [0.0, 2.0], ["Edge of the domain: ", "symmetric  unknown"]),
    ("atan2(y,x)", [0.0, 0.0], ["Jump: along x", "symmetric  unknown"]),
    # Its partial derivatives exist.
    ("abs(x+y)-abs(x)-abs(y)", [0.0, 0.0], ["Kink: along (0.707107, -0.707107) the slope is 1.41"]),
]


@pytest.mark.parametrize(("formula", "at", "words"), WITHOUT_GRADIENT)
def test_without_a_gradient(formula: str, at: list[float], words: list[str]) -> None:
    text = report(Expression(formula), at=at, step=[0.1] * len(at)).text
    for each in [
        *words,
        "gradient  none; autograd returns ",
        "plane  none: ",
        "df           none: ",
    ]:
        assert each in text
    for each in (
        "The gradient is",
        "up to rounding",
        "z = 0\n",
        "λ1",
        "their order matters",
        "2/λ",
    ):
        assert each not in text


R2 = "x**2 + y**2"
NO_LINE = "The partial derivatives exist, but the loss is not continuous: of 5 lines between"
NO_PLANE = (
    "The partial derivatives exist, but the loss is not differentiable: of 5 lines between the"
)
REFUTED = "Autograd does NOT match the limit of the differences for ∂f/∂x."
# Pieces around the origin, and what the report says there.
PIECES: list[tuple[str, list[str]]] = [
    (
        f"where({R2} == 0, 0, x*y/({R2}))",
        [NO_LINE, "loss tends to 0.5, but is 0 here", "5 have no"],
    ),
    (f"where({R2} == 0, 0, x**2*y/({R2}))", [NO_PLANE, "all have slopes, but these are not"]),
    (
        f"where({R2} == 0, 0, x*y*(x**2 - y**2)/({R2}))",
        ["NO: ∂/∂y(∂f/∂x) = -1, but ∂/∂x(∂f/∂y) = 1", "NOT match the differences", "degenerate"],
    ),
    ("where(x == 0, 1, sin(x)/x)", ["-0.33333333", "NOT match the differences", "degenerate"]),
    ("where(x == 0, 0, sin(x))", [REFUTED, "unknown: ‖∇f‖ is 0 by autograd"]),
    ("where(x == 0, 0, x*sin(1/x))", ["cannot resolve ∂f/∂x: they decide nothing", "unknown: "]),
    ("where(x < 0, x, 2*x)", ["Kink: along x the slope is 1 on the left, 2 on the right"]),
]


@pytest.mark.parametrize(("formula", "words"), PIECES)
def test_a_boundary_of_pieces(formula: str, words: list[str]) -> None:
    here = LossAtPoint(Expression(formula), [0.0] * Expression(formula).dim)
    text = "\n".join(
        map(str, (part(here).section() for part in (first_order, second_order, classify)))
    )
    for each in [*words, "The point is on a boundary of `where`"]:
        assert each in text
    assert "outvote" not in text
    away = first_order(LossAtPoint(here.loss, here.x + 1.5))
    assert not away.is_at_boundary
    assert all(partial.agrees for partial in away.partials)


@pytest.mark.parametrize(
    ("formula", "at", "slopes"),
    [
        ("max(x,0)**2", [0.0], "along x the slope of ∂f/∂x is 0 on the left, 2 on the right"),
        (
            "x**2+2*x*abs(x)",
            [0.0],
            "along x the slope of ∂f/∂x is -2 on the left, 6 on the right",
        ),
        ("abs(x)**1.5", [0.0], "along x the slope of ∂f/∂x is inf on the left, inf on the right"),
        ("y**2*abs(x - 1)*(x - 1)", [1.0, 1.0], "∂f/∂x is -2 on the left, 2 on the right"),
        (
            "abs(x*y)",
            [0.0, 0.0],
            "along (0.707107, 0.707107) the slope of ∂f/∂x is 0.707107, not 0",
        ),
        # On the diagonal ∂f/∂x is 0 on one side and 2x on the other; off it, where |y| > |x|, 0.
        (
            "max(x**2, y**2)",
            [0.0, 0.0],
            "along (0.39549, 0.91847) the slope of ∂f/∂x is 0, not 0.790979",
        ),
        ("x**2*sign(y)*y**2", [1.0, 0.0], "∂f/∂y is -2 on the left, 2 on the right"),
    ],
)
def test_without_a_hessian(formula: str, at: list[float], slopes: str) -> None:
    here = LossAtPoint(Expression(formula), at)
    hessian, critical, tangent = second_order(here), classify(here), taylor(here)
    section = hessian.section()
    assert any("There is no Hessian here: " in note and slopes in note for note in section.notes)
    assert section.table is not None
    is_oblique = "not" in slopes
    assert is_oblique or any(row[2] == "none" for row in section.table.rows)
    assert hessian.max_stable_lr is None
    assert critical.is_critical
    assert critical.kind == "degenerate"
    assert ("second order", "no Hessian: there is none here") in tangent.section().lines


@pytest.mark.parametrize(
    ("formula", "at", "reason"),
    [
        ("where(x == 0, 1, sin(x)/x)", [0.0], "does not match the differences"),  # f'' = −1/3
        (
            "where(x == 0 and y == 0, 0, x*y*(x**2 - y**2)/(x**2 + y**2))",
            [0.0, 0.0],
            "does not match the differences",  # the order of ∂x and ∂y matters
        ),
        ("where(x == 0, 0, x**2*sin(1/x))", [0.0], "the differences decide nothing"),  # no f''
    ],
)
def test_a_hessian_of_one_piece_is_not_used(formula: str, at: list[float], reason: str) -> None:
    here = LossAtPoint(Expression(formula), at)
    sections = [finding(here).section() for finding in (second_order, classify, taylor)]
    assert not any(title.startswith("λ") for title, _ in sections[0].lines)
    assert reason in sections[1].notes[0]
    assert reason in dict(sections[2].lines)["second order"]
    assert cross_sections(here).sections[0].curvature is None


@pytest.mark.parametrize(
    ("formula", "at"),
    [
        ("exp(x)", 709.0),
        ("log(x)", 1e-300),
        ("1/x", 1e-10),
        ("cos(1e8*x)", 0.3),
        ("cos(1e10*x)", 1.0),
        ("sin(1000*x)", 1e7),
        ("atan(1e20*x)", 0.0),
        ("cos(1e20*x)", 1.0),
    ],
)
def test_scales_far_from_one(formula: str, at: float) -> None:
    here = LossAtPoint(Expression(formula), [at])
    first, slope = first_order(here), directional(here, [1.0]).slope
    gradient, hessian = first.section(), second_order(here).section()
    assert not any("NOT" in note for note in (*gradient.notes, *hessian.notes))
    assert not any("no Hessian" in note for note in hessian.notes)
    if formula == "cos(1e20*x)":
        outvoted = "The differences cannot resolve ∂f/∂x: autograd and the formula agree, and"
        assert gradient.notes[0].startswith(outvoted)
    else:
        assert first.partials[0].agrees
        # Observed: 2e-5 of the slope of cos(1e10*x), whose values are known to 1e-6.
        assert slope.differences == pytest.approx(slope.autograd, rel=1e-3)
    if formula == "cos(1e8*x)":
        outvoted = "The differences cannot resolve the second derivatives: autograd and the formula"
        assert hessian.notes[0].startswith(outvoted)


@pytest.mark.parametrize(
    ("formula", "at", "words"),
    [
        ("x**2 - y**2", [0.0, 0.0], "yes, a saddle of index 1"),
        ("x*atan(1e20*x)", [0.0], "yes, a minimum"),
        # A small gradient is not yet a zero, nor the sign of a curvature that turns nearby a kind.
        (
            "1e-200*x**2",
            [1.0],
            "yes, but only up to tol: ‖∇f‖ = 2e-200 ≤ 1e-06; Newton's step leads 1 away, to a min",
        ),
        ("(x - 1)**2", [1.0 + 1e-9], "yes, a minimum (‖∇f‖ = 2e-09 ≤ 1e-06)"),
        (
            "1e-9*(x**2 - y**2)",
            [3.0, 4.0],
            "yes, but only up to tol: ‖∇f‖ = 1e-08 ≤ 1e-06; Newton's step leads 5 away, to a sad",
        ),
        *(  # the steps: f′/f″ = 1, x³/(2 − 3x²) and x/2
            (formula, [at], f"yes, but only up to tol: ‖∇f‖ = {norm} ≤ 1e-06; {step} away")
            for formula, at, norm, step in (
                ("exp(-x)", 30.0, "9.358e-14", "Newton's step leads 1"),
                ("exp(-1/x**2)", 0.05, "3.064e-170", "Newton's step leads 6.3e-05"),
                ("x**3", 1e-5, "3e-10", "Newton's step leads 5e-06"),
            )
        ),
        # Twice differentiable nowhere near: the ties' halves add up to another Hessian.
        ("max(x**2, y**2)", [0.0, 0.0], "yes, a degenerate point"),
        ("abs(x)*abs(y)", [0.0, 0.0], "yes, a degenerate point"),
        # The Hessian is large, but so is the gradient.
        ("sqrt(x)", [1e-20], "no: ‖∇f‖ = 5e+09 is above 2.5e-05"),
        # Its neighbors in float64 lie more than a period apart.
        ("sin(x)", [1e17], "unknown: ‖∇f‖ is 0.8856 by autograd"),
        ("1/x", [1e-155], "unknown: ‖∇f‖ is"),
    ],
)
def test_critical_points(formula: str, at: list[float], words: str) -> None:
    found = classify(LossAtPoint(Expression(formula), at))
    assert dict(found.section().lines)["critical"].startswith(words)


@pytest.mark.parametrize("formula", ["x**3/(x**2 + 1e-300)", "sqrt(x**2 + 1e-300)"])
def test_a_smooth_formula_proves_what_floats_cannot_show(formula: str) -> None:
    first = first_order(LossAtPoint(Expression(formula), [0.0]))
    assert first.gradient.tolist() == [0.0]
    assert not first.flaws
    outvoted = "autograd and the formula agree, and outvote them"
    assert first.partials[0].agrees or outvoted in first.section().notes[1]
    assert check_gradient(Expression(formula), [0.0]).trials[0].verdict == "right by its formula"


def test_differences_are_shown_where_autograd_is_nan() -> None:
    """The slope of exp(−1/x²) at 0 is 0."""
    first = first_order(LossAtPoint(Expression("exp(-1/x**2)"), [0.0]))
    assert (first.partials[0].central, first.partials[0].forward) == (0.0, 0.0)
    assert (
        first.section().notes[-1]
        == "Autograd does NOT match the limit of the differences for ∂f/∂x."
    )


@pytest.mark.parametrize(
    ("formula", "at", "along", "words"),
    [
        ("abs(x)", [0.0], [-3.0], "is -1 on the left, 1 on the right; there is no derivative"),
        ("abs(x - y) + abs(x + y)", [0.0, 0.0], [1.0, 1.0], "is -1.41421 on the left, 1.41421 on"),
        ("sqrt(x) + y", [0.0, 1.0], [1.0, 1.0], "the right; there is no derivative"),
        ("atan2(y, x)", [-1.0, 0.0], [0.0, 1.0], "-3.1415927 on the left, 3.1415927 on the right"),
        # There is a slope along this line, though no gradient.
        ("abs(x) + y", [0.0, 0.0], [0.0, 1.0], None),
        ("max(x, y)", [1.0, 1.0], [1.0, 1.0], None),
    ],
)
def test_a_direction_without_a_slope(
    formula: str, at: list[float], along: list[float], words: str | None
) -> None:
    section = directional(LossAtPoint(Expression(formula), at), along).section()
    assert section.table is not None
    assert (section.table.rows[0][2] == "none") == (words is not None)
    assert (words or "The slope need not be ∇f · u: there is no gradient") in section.notes[0]


def test_there_is_no_plane_of_slopes_that_are_not_finite() -> None:
    here = LossAtPoint(Expression("exp(-1/x**2)"), [0.0])
    for section in (taylor(here).section(), cross_sections(here).section()):
        assert "autograd" in section.lines[0][1]
        assert "nan" not in str(section)


def test_a_tie_of_the_formula_outvotes_nothing() -> None:
    """At the tie autograd and the formula both take half of the true second derivative, 1."""
    second = second_order(LossAtPoint(Expression("max(exp(x), 1 + x)"), [0.0]))
    assert (second.agrees, second.agrees_with_formula, second.max_stable_lr) == (None, False, None)


CANCELED = ["1 - exp(-abs(x))", "20 - 20*exp(-0.2*sqrt(x**2))", "1e3 + abs(x) - 1e3"]
CANCELED += ["log(1 + abs(x))", "exp(1) - exp(1 - abs(x)) + x**2"]


@pytest.mark.parametrize("formula", CANCELED)
def test_terms_that_cancel_do_not_hide_a_kink(formula: str) -> None:
    """The values are 0 near the point because their terms are rounded."""
    (flaw,) = LossAtPoint(Expression(formula), [0.0]).flaws
    assert flaw.behavior.kind is Kind.KINK


def test_ackley_has_a_kink_at_its_minimizer() -> None:
    found = classify(LossAtPoint(Ackley(), [0.0, 0.0]))
    assert found.is_critical
    assert (found.kind, found.flaw is None) == ("minimum", False)


SMOOTH_ALTHOUGH_CANCELED = ["1 - cos(x)", "exp(x) - 1 - x", "1e3 + x**2 - 1e3", "max(x - 1e-9, 0)"]


@pytest.mark.parametrize("formula", SMOOTH_ALTHOUGH_CANCELED)
def test_terms_that_cancel_leave_a_smooth_function_smooth(formula: str) -> None:
    at = LossAtPoint(Expression(formula), [0.0])
    assert not at.flaws
    assert classify(at).is_critical


TINY = ["log10(x) + log2(x)", "x**0.1", "x**2", "sin(x)"]


@pytest.mark.parametrize("formula", TINY)
@pytest.mark.parametrize("at", [1e-320, 1e-310])
def test_a_point_may_be_the_least_number(formula: str, at: float) -> None:
    first = first_order(LossAtPoint(Expression(formula), [at]))
    assert first.partials[0].agrees is not False
    assert not first.flaws


def test_a_subgradient_is_told_from_other_values() -> None:
    """The slope of x with the square root's convention at 0, which is not between its slopes."""
    flaw = LossAtPoint(Expression("abs(x)*sign(x) + max(x, 0)"), [0.0]).flaws[0]
    assert flaw.sentence.endswith("Autograd returns 0.5, which is not between them.")


SMOOTH = st.sampled_from(["sin(x)", "exp(x)", "x**3 - 2*x", "1/(1 + x**2)", "0*x", "cos(3*x)"])
SIZES = st.integers(-30, 30).filter(bool).map(lambda tenths: tenths / 10)


@settings(max_examples=8)
@given(SMOOTH, SIZES, st.integers(-20, 20).map(lambda tenths: tenths / 8), st.integers(0, 3))
def test_pieces_that_meet(smooth: str, size: float, at: float, power: int) -> None:
    """To the right of a point, a power of the distance is added: sympy knows both sides."""
    x = sympy.Symbol("x")
    left: Any = sympy.sympify(smooth)
    right = left + size * (x - at) ** power
    sides = [[float(side.diff(x, order).subs(x, at)) for side in (left, right)] for order in (1, 2)]
    piece = f"({size})*(x - ({at}))**{power}*(1 + sign(x - ({at})))/2"
    here = LossAtPoint(Expression(f"{smooth} + {piece}"), [at])
    first, second, kind = first_order(here), second_order(here), classify(here)
    partial = first.partials[0]
    expected = ("a jump", "a kink", "smooth", "smooth")[power]
    assert partial.kind == expected
    assert check_gradient(here.loss, [at]).passed
    assert bool(first.flaws) == (power < 2)
    assert bool(second.missing) == (power < 3)
    if power == 0:
        assert math.isnan(partial.sides.left)
        assert math.isnan(partial.sides.right)
    else:
        # Observed 4e-13.
        assert [partial.sides.left, partial.sides.right] == pytest.approx(sides[0], abs=1e-9)
    slope = sides[0][0] if power > 1 else math.inf
    assert kind.is_critical == (power < 2 or abs(slope) <= kind.tol)  # or there is no gradient
    if power == 2:
        behavior = here.differentiability.of_partials[0][0]
        found = torch.tensor([behavior.left.slope, behavior.right.slope])
        assert found.tolist() == pytest.approx(sides[1], abs=1e-5)  # observed 2e-7
    if kind.is_critical and power == 2:
        assert kind.kind == "degenerate"
