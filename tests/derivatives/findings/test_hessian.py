"""The Hessian against published eigenvalues, and where its symmetry fails."""

import pytest
import torch
from losses.cases import PUBLISHED, REFERENCE, LossCase
from losses.mgh_cases import MGH

from gdlab.derivatives.findings.hessian import second_order
from gdlab.derivatives.point import LossAtPoint
from gdlab.losses import MLP, Beale, Clairaut, Expression, Forrester, Quadratic, Rosenbrock

KNOWN = [c for c in (*PUBLISHED, *MGH) if REFERENCE[c.id].get("hess_eig_x_star")]


def at_the_minimizer(case: LossCase) -> LossAtPoint:
    # The minimizer of our quadratic differs from the published one.
    at = case.loss.minimizers if case.id == "quad_k100" else [REFERENCE[case.id]["x_star"]]
    assert at is not None
    return LossAtPoint(case.loss, case.loss.tensor(at)[0])


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.id)
def test_eigenvalues_at_the_minimizer(case: LossCase) -> None:
    found = torch.linalg.eigvalsh(at_the_minimizer(case).hessian)
    least, largest = REFERENCE[case.id]["hess_eig_x_star"]
    # Observed 2e-13 (mgh10).
    assert abs(float(found[0]) - least) <= 1e-11 * largest
    assert abs(float(found[-1]) - largest) <= 1e-11 * largest


@pytest.mark.parametrize("case", KNOWN[::6], ids=lambda case: case.id)
def test_the_finding_has_the_eigenvalues_and_the_largest_stable_lr(case: LossCase) -> None:
    found = second_order(at_the_minimizer(case))
    least, largest = REFERENCE[case.id]["hess_eig_x_star"]
    # Observed 2e-13 (mgh10).
    assert abs(float(found.eigenvalues[0]) - least) <= 1e-11 * largest
    assert abs(found.lambda_max - largest) <= 1e-11 * largest
    assert found.max_stable_lr == pytest.approx(2 / largest, rel=1e-10)
    assert found.is_symmetric


def test_clairaut_has_two_mixed_derivatives_at_the_origin() -> None:
    found = second_order(LossAtPoint(Clairaut(), [0.0, 0.0]))
    assert not found.is_symmetric
    assert not found.agrees
    assert found.asymmetry is not None
    assert found.asymmetry.names == ("x0", "x1")
    assert found.asymmetry.xy == pytest.approx(-1, abs=1e-9)  # observed 1.2e-10
    assert found.asymmetry.yx == pytest.approx(1, abs=1e-9)  # observed 1.2e-10
    # Neither autograd nor the formula detects it.
    assert found.hessian.tolist() == [[0, 0], [0, 0]]
    assert found.symbolic is not None
    assert bool(found.symbolic.isnan().all())
    words = dict(found.section().lines)["symmetric"]
    assert words == "NO: ∂/∂x1(∂f/∂x0) = -1, but ∂/∂x0(∂f/∂x1) = 1"


@pytest.mark.parametrize("at", [(1.0, 0.5), (0.0, 1.0), (1e-3, 2e-3), (-2.0, 0.3)])
def test_clairaut_is_smooth_away_from_the_origin(at: tuple[float, float]) -> None:
    x, y = at
    mixed = (x**6 + 9 * x**4 * y**2 - 9 * x**2 * y**4 - y**6) / (x**2 + y**2) ** 3
    found = second_order(LossAtPoint(Clairaut(), at))
    assert found.is_symmetric
    assert found.agrees
    assert float(found.hessian[0, 1]) == pytest.approx(mixed, rel=1e-13)  # observed 2e-16
    assert found.differences is not None
    assert float(found.differences[0, 1]) == pytest.approx(mixed, rel=1e-6)  # observed 3e-8


def test_the_asymmetric_pair_is_found_among_three_coordinates() -> None:
    """Clairaut's function of the last two of three coordinates, with the opposite sign."""
    smooth = "u**2 + 0*(x + y)"
    loss = Expression(f"{smooth} - x*y*(x**2 - y**2)/(x**2 + y**2 + 1e-300)")
    found = second_order(LossAtPoint(loss, [1.0, 0.0, 0.0]))
    assert found.asymmetry is not None
    assert found.asymmetry.names == ("x", "y")
    assert found.asymmetry.xy == pytest.approx(1, abs=1e-9)  # observed 1.2e-10
    assert found.asymmetry.yx == pytest.approx(-1, abs=1e-9)


def test_quantities_derived_from_eigenvalues() -> None:
    found = second_order(LossAtPoint(Quadratic(eigenvalues=(1.0, 4.0, 100.0)), [1.0, 1.0, 1.0]))
    assert found.eigenvalues.tolist() == pytest.approx([1, 4, 100], rel=1e-14)
    assert found.condition == pytest.approx(100, rel=1e-14)
    assert found.max_stable_lr == pytest.approx(0.02, rel=1e-14)
    vectors = found.eigenvectors
    reconstructed = vectors @ torch.diag(found.eigenvalues) @ vectors.T
    assert float((reconstructed - found.hessian).abs().max()) <= 1e-13  # observed 0


NONE = ("stable lr", "none: steps grow along the negative eigenvalues at every lr")

# a formula, its condition, the largest stable lr, and what is said of it
STABLE: list[tuple[str, float | None, float | None, tuple[str, str] | None]] = [
    ("x**2 + y**2/2", 2.0, 1.0, ("2/λ_max", "1, the largest stable lr")),
    ("-x**2 - 2*y**2", 2.0, None, NONE),
    ("x**2 - y**2", 1.0, None, NONE),
    ("x**2 - y**2/1000", 1000.0, None, NONE),
    ("0*x - y**2", None, None, NONE),
    ("x**2 + 0*y", None, 1.0, ("2/λ_max", "1, no larger lr is stable")),
    # the eigenvalues of (x + y)² are 0, or −1e-16 in rounding, and 4
    ("(x + y)**2/3 + (x + y)**2/7", None, 1.05, ("2/λ_max", "1.05, no larger")),
    ("x + y", None, None, None),
]


@pytest.mark.parametrize(("formula", "condition", "lr", "said"), STABLE)
def test_a_stable_lr_is_said_where_the_hessian_decides(
    formula: str, condition: float | None, lr: float | None, said: tuple[str, str] | None
) -> None:
    found = second_order(LossAtPoint(Expression(formula), [1.0, 2.0]))
    for number, expected in ((found.condition, condition), (found.max_stable_lr, lr)):
        assert number == (None if expected is None else pytest.approx(expected, rel=1e-14))
    lines = {name: words for name, words in found.section().lines if "stable" in words + name}
    if said is None:
        assert lines == {}
    else:
        assert list(lines) == [said[0]]
        assert lines[said[0]].startswith(said[1])


def test_one_dimension_has_no_mixed_derivatives() -> None:
    found = second_order(LossAtPoint(Forrester(), [0.3]))
    assert found.asymmetry is None
    assert found.is_symmetric
    assert found.section().table is not None


def test_many_dimensions_have_no_table_and_no_nested_differences() -> None:
    loss = MLP(widths=(8,), count=20)
    found = second_order(LossAtPoint(loss))
    assert found.differences is None
    assert found.asymmetry is None
    assert found.section().table is None
    few = second_order(LossAtPoint(Rosenbrock(dim=8)))
    assert few.is_symmetric
    assert few.agrees
    assert few.section().table is None


def test_names_and_table() -> None:
    found = second_order(LossAtPoint(Beale(), [1.0, 2.0]))
    table = found.section().table
    assert table is not None
    # By hand, with a = x1 − 1, b = x1² − 1 and c = x1³ − 1: 2 (a² + b² + c²) = 2 (1 + 9 + 49).
    assert table.rows[0][0] == "∂²f/∂x0²"
    assert table.rows[0][1] == table.rows[0][4] == "118"
