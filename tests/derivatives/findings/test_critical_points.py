"""Critical points and their kinds against published ones."""

import math

import pytest
import torch
from losses.cases import PUBLISHED, REFERENCE, LossCase
from losses.mgh_cases import MGH

from gdlab.derivatives.findings.critical_points import critical
from gdlab.derivatives.findings.kinks import find_kinks
from gdlab.derivatives.findings.search import find
from gdlab.derivatives.methods.finite_differences import EPSILON
from gdlab.derivatives.point import LossAtPoint
from gdlab.errors import SettingError
from gdlab.losses import (
    MSE,
    Beale,
    Expression,
    Forrester,
    Himmelblau,
    Loss,
    MonkeySaddle,
    Rastrigin,
    Rosenbrock,
    Saddle,
    SixHumpCamel,
)

KNOWN = [c for c in (*PUBLISHED, *MGH) if REFERENCE[c.id].get("hess_eig_x_star")]
TOL = 1e-6


def is_singular(case: LossCase) -> bool:
    """Whether the least eigenvalue is zero in float64, relative to the largest."""
    least, largest = REFERENCE[case.id]["hess_eig_x_star"]
    return least <= 8 * case.loss.dim * EPSILON * largest


# The eigenvalues of all are in test_hessian.py.
SINGULAR = [case for case in KNOWN if is_singular(case)]
REGULAR = [case for case in KNOWN if not is_singular(case)]


@pytest.mark.parametrize("case", [*SINGULAR, *REGULAR[::4]], ids=lambda case: case.id)
def test_published_minimizers_are_minima(case: LossCase) -> None:
    at = case.loss.minimizers if case.id == "quad_k100" else [REFERENCE[case.id]["x_star"]]
    assert at is not None
    found = critical(LossAtPoint(case.loss, case.loss.tensor(at)[0]), TOL)
    assert found.is_critical
    assert found.kind == ("degenerate" if is_singular(case) else "minimum")


LISTED = [
    (case.loss, point["x"], "minimum" if "minimum" in point["kind"] else point["kind"])
    for case in (*PUBLISHED, *MGH)
    for point in REFERENCE[case.id].get("other_points") or ()
    if point["x"] is not None
]


@pytest.mark.parametrize(("loss", "at", "kind"), LISTED, ids=lambda value: type(value).__name__)
def test_other_published_points(loss: Loss, at: list[float], kind: str) -> None:
    found = critical(LossAtPoint(loss, at), 1e-5)
    assert found.is_critical
    names = {"local maximum": "maximum", "saddle point": "saddle"}
    if isinstance(loss, MonkeySaddle) or "degenerate" in kind:
        assert found.kind == "degenerate"
    else:
        assert found.kind == names.get(kind, kind)


def test_the_nine_critical_points_of_himmelblau() -> None:
    found = find(Himmelblau(), None, TOL, seed=0)
    kinds = [point.critical.kind for point in found.points]
    assert kinds == ["minimum"] * 4 + ["saddle"] * 4 + ["maximum"]
    published = [x for x, *_ in ((p["x"], p) for p in REFERENCE["himmelblau"]["other_points"])]
    for at in [*published, [3.0, 2.0]]:
        distance = min(float((point.at - torch.tensor(at)).norm()) for point in found.points)
        assert distance <= 1e-7  # float32 inputs: observed 2e-8
    lines = dict(found.section().lines)
    assert lines["found"] == "4 minima, 4 saddles, 1 maximum"


def test_the_fifteen_critical_points_of_the_six_hump_camel() -> None:
    found = find(SixHumpCamel(), None, TOL, seed=0)
    assert dict(found.section().lines)["found"] == "6 minima, 7 saddles, 2 maxima"
    # It is even: with each point its mirror image is critical, with the same value.
    points = {
        tuple(round(c, 9) + 0.0 for c in point.at.tolist()): point.value for point in found.points
    }
    for x, value in points.items():
        assert points[tuple(-c + 0.0 for c in x)] == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (Saddle(), "1 saddle"),
        (MonkeySaddle(), "1 degenerate point"),
        (Beale(), "1 minimum, 2 saddles"),
        (Rosenbrock(dim=4), "2 minima, 1 saddle"),
        # x³ near x = 1/3.
        (Forrester(), "2 minima, 1 degenerate point, 1 maximum"),
        (Expression("x**2 + y**2"), "1 minimum"),
        (Expression("x + y"), "none"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Loss) else value,
)
def test_number_of_points_of_each_kind(loss: Loss, expected: str) -> None:
    assert dict(find(loss, None, TOL, seed=0).section().lines)["found"] == expected


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_points_do_not_depend_on_the_scale_of_the_loss(scale: float) -> None:
    found = find(Expression(f"{scale}*((x**2 - 1)**2 + y**2)"))
    assert dict(found.section().lines)["found"] == "2 minima, 1 saddle"


def test_the_gradient_at_a_far_point_is_not_called_rounding() -> None:
    at = LossAtPoint(Expression("(1e-50*x)**2 + (1e-50*y)**2"), [1e160, 1e160])
    assert critical(at).is_critical is False


def test_a_line_of_minimizers_consists_of_degenerate_points() -> None:
    found = find(Expression("(x - y)**2"), None, TOL, seed=0)
    assert len(found.points) > 30
    assert {point.critical.kind for point in found.points} == {"degenerate"}


def test_only_the_hundred_lowest_points_are_listed_but_all_are_counted() -> None:
    found = find(Rastrigin(), None, TOL, seed=0)
    assert len(found.points) == 100
    # In [-5.12, 5.12] the slope of one coordinate is 0 at 11 minima and 10 maxima.
    assert found.counts == {"minimum": 121, "saddle": 220, "maximum": 100}
    lines = dict(found.section().lines)
    assert lines["found"] == "441: 121 minima, 220 saddles, 100 maxima; 100 listed"
    assert [float(c) for c in found.points[0].at] == [0.0, 0.0]
    assert "341 points with a higher loss are not listed" in found.section().notes[0]


def test_a_circle_of_minimizers_does_not_crowd_out_the_maximum() -> None:
    found = find(Expression("(x**2 + y**2 - 1)**2"))
    assert found.counts["maximum"] == 1
    assert found.total > len(found.points) == 100
    assert found.points[0].critical.kind == "maximum"
    assert found.in_continua == found.total - 1
    angles = [math.atan2(*point.at.tolist()) for point in found.points[1:]]
    assert min(angles) < -2.5
    assert max(angles) > 2.5
    assert "samples of curves or areas" in found.section().notes[0]


def test_only_points_in_the_window_are_returned() -> None:
    window = torch.tensor([[0.0, 5.0], [0.0, 5.0]], dtype=torch.float64)
    found = find(Himmelblau(), window, TOL, seed=0)
    assert all(bool((point.at >= 0).all()) for point in found.points)
    assert dict(found.section().lines)["found"] == "1 minimum, 2 saddles"


def test_a_point_that_is_not_critical() -> None:
    found = critical(LossAtPoint(Beale(), [1.0, 2.0]), TOL)
    assert not found.is_critical
    assert found.kind is None
    assert found.section().lines[0][1].startswith("no: ‖∇f‖ = 326.5")


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Rosenbrock(dim=13), "find=true: needs a loss of at most 12 dimensions; got 13"),
        (MSE(), "window=null: the loss has no window; give low and high"),
    ],
    ids=["dimensions", "window"],
)
def test_losses_that_cannot_be_searched(loss: Loss, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        find(loss, None, TOL, seed=0)


@pytest.mark.parametrize(
    ("formula", "kinks"),
    [
        ("sqrt(x**2 + y**2)", [[0.0, 0.0]]),
        ("abs(abs(x) - 1) + y**2", [[-1.0, 0.0], [1.0, 0.0]]),
        ("abs(x - 1/33) + y**2", [[1 / 33, 0.0]]),  # between two starts that are equally low
        ("10*abs(2*x - 3*y) + (x + y - 1)**2", [[0.6, 0.4]]),  # at the bottom of an oblique bend
        ("100*(y - x**2)**2 + (1 - x)**2", []),  # lows of a grid across a narrow valley
    ],
)
def test_minima_at_kinks_are_found(formula: str, kinks: list[list[float]]) -> None:
    side = (torch.arange(33, dtype=torch.float64) + 0.5) / 33 * 4 - 2
    starts, width = torch.cartesian_prod(side, side), torch.full((2,), 4 / 33, dtype=torch.float64)
    found = find_kinks(Expression(formula), starts, width, starts[:0])
    expected = torch.tensor(kinks, dtype=torch.float64).reshape(-1, 2)
    found = found[found[:, 0].argsort()]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)  # observed 1e-14


@pytest.mark.parametrize(
    ("formula", "found", "row"),
    [
        ("abs(x - 1)", "1 minimum at a kink", ("minimum at a kink", "(1)", "0", "no gradient")),
        ("-abs(x - 1)", "1 maximum at a kink", ("maximum at a kink", "(1)", "0", "no gradient")),
        ("abs(abs(x) - 1)", "2 minima at kinks, 1 maximum at a kink", None),
    ],
)
def test_extrema_at_kinks_are_listed(formula, found, row) -> None:
    points = find(Expression(formula), torch.tensor([[-2.0, 2.0]], dtype=torch.float64))
    section = points.section()
    lines, table = dict(section.lines), section.table
    assert lines["found"] == found
    assert lines["kinks"].startswith("minima and maxima; other points without a gradient")
    assert table is not None
    assert row is None or table.rows[0] == row


def test_samples_of_a_line_of_minima_at_kinks_are_found() -> None:
    side = torch.arange(-2.0, 3.0, dtype=torch.float64)
    starts, width = torch.cartesian_prod(side, side), torch.ones(2, dtype=torch.float64)
    found = find_kinks(Expression("abs(x) + 0*y"), starts, width, starts[:0])
    assert len(found) == 3  # inside the grid
    assert found[:, 0].tolist() == [0, 0, 0]


def test_it_is_said_where_kinks_are_not_searched_for() -> None:
    found = find(Expression("abs(x) + y**2 + z**2"))
    assert found.kinks == "not searched for in more than 2 dimensions"


@pytest.mark.parametrize(
    ("formula", "by_values"),
    [
        ("x**4 + y**4", "minimum"),
        ("1 + x**4 + y**2", "minimum"),
        ("-x**4 - y**2", "maximum"),
        ("x**3 + y**2", "neither"),
        ("(y - x**2)*(y - 2*x**2)", "neither"),  # Peano: higher along every line
        ("x**2 + 0*y", "weak minimum"),
        ("(x - y)**2", "weak minimum"),  # equal along a diagonal
        ("abs(x*y) + 5", "weak minimum"),
        ("-x**2*y**2", "weak maximum"),
        ("-y**10 + x**2", "neither"),
        ("0*x*y", None),
        ("max(x**2, y**2)", "minimum"),
    ],
)
def test_values_around_a_degenerate_point(formula: str, by_values: str | None) -> None:
    found = critical(LossAtPoint(Expression(formula), [0.0, 0.0]))
    assert (found.kind, found.by_values) == ("degenerate", by_values)


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("abs(x*y)", "none is lower, and those along the axes are equal up to rounding"),
        ("x**2 + 0*y", "none is lower, and those along y are equal up to rounding"),
        ("(x - y)**2", "none is lower, and others are equal up to rounding"),
        ("-x**2*y**2", "none is higher, and those along the axes are equal up to rounding"),
    ],
)
def test_a_weak_extremum_is_said_with_its_axes(formula: str, said: str) -> None:
    found = critical(LossAtPoint(Expression(formula), [0.0, 0.0])).section()
    assert said in " ".join(found.notes)
    assert "but not a strict one" in str(found.lines)


@pytest.mark.parametrize(
    ("formula", "at", "said"),
    [
        ("abs(x) + y**2", [0.0, 1.0], "the loss falls along -y, with slope -2"),
        # with (1, -1)/√2: max(1, 1) − 1 − 1 = −1, over √2
        ("max(x, -y) + x*y", [1.0, -1.0], "falls along (0.7071, -0.7071), with slope -0.7071"),
        # The hull of (101, 100) and (−99, −100) comes closest to 0 at (0.5, −0.5).
        ("abs(x + y)*100 + x", [0.0, 0.0], "falls along (-0.7071, 0.7071), with slope -0.7071"),
        ("abs(x) - abs(y)", [0.0, 0.0], "the loss falls along y, with slope -1"),
        ("abs(x) + y**2", [0.0, 0.0], None),
        ("abs(x) - y**2", [0.0, 0.0], None),  # falls, but not at first order
        ("-sqrt(abs(x))", [0.0], None),  # a maximum
    ],
)
def test_a_kink_where_the_loss_falls_is_no_minimum(
    formula: str, at: list[float], said: str | None
) -> None:
    words = critical(LossAtPoint(Expression(formula), at)).section().lines[0][1]
    assert ("no minimum" in words) is (said is not None)
    assert said is None or said in words


@pytest.mark.parametrize(
    ("formula", "kinds"),
    [
        ("1e-8*x", []),  # each gradient is within the default tolerance
        ("1e-8*x + 0*y", []),
        ("1e-12*(x**3 - x)", ["minimum", "maximum"]),
        ("1e-12*sin(x)", ["minimum", "maximum"]),
    ],
)
def test_slopes_of_a_small_loss_are_no_critical_points(formula: str, kinds: list[str]) -> None:
    assert [point.critical.kind for point in find(Expression(formula)).points] == kinds


@pytest.mark.parametrize(
    ("formula", "is_missing"),
    [
        ("cos(50*x)", True),  # 95 in the window, and 33 starts
        ("cos(5*x)", False),
        ("(x**2 - 1)**2", False),
        ("abs(x**2 - 1)", False),
        ("x**4", False),
    ],
)
def test_extrema_that_do_not_alternate_are_too_few(formula: str, is_missing: bool) -> None:
    notes = find(Expression(formula)).section().notes
    assert any("the search missed a critical point" in note for note in notes) == is_missing


@pytest.mark.parametrize("formula", ["sin(x)*sin(y)*sin(z)", "sin(x)**2*sin(y)*sin(z)"])
def test_eigenvalues_of_rounding_are_zero(formula: str) -> None:
    # At π the Hessian is 0 but for the rounding of π.
    assert critical(LossAtPoint(Expression(formula), [math.pi] * 3)).kind == "degenerate"
