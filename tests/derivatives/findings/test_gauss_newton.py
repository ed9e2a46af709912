"""Least-squares losses against sympy's residuals and NumPy's linear algebra."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from torch import Tensor

import gdlab.losses
from gdlab.derivatives.findings.gauss_newton import residuals
from gdlab.derivatives.methods.residuals import residual_jacobian, residuals_at, squares_factor
from gdlab.derivatives.point import LossAtPoint
from gdlab.errors import SettingError
from gdlab.losses import MLP, MSE, Beale, Loss, Ridge, Rosenbrock
from gdlab.losses.functions.closed_form import Known, SumOfSquares
from gdlab.losses.transform import Transform
from gdlab.numerics.autodiff import jacobian_by_rows


def is_sum_of_squares(value: Any) -> bool:
    is_class = isinstance(value, type) and issubclass(value, SumOfSquares)
    return is_class and value is not SumOfSquares


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def beale(x: Any, y: Any) -> list[Any]:
    """Beale's residuals as published."""
    return [
        c - x * (1 - y**k)
        for k, c in enumerate(
            (sympy.Integer(3) / 2, sympy.Integer(9) / 4, sympy.Integer(21) / 8), 1
        )
    ]


class Tilted(SumOfSquares):
    """A multiple of x² + y² plus a multiple of x that its residuals do not include.

    Attributes:
        weight: factor of the squares.
        tilt: factor of x.
    """

    known = Known(start=(0.0, 0.0))
    weight: float = 1.0
    tilt: float = 0.0

    def terms(self, m: Any, x: Any) -> Any:
        return x

    def value(self, m: Any, x: Any) -> Any:
        return self.weight * super().value(m, x) + self.tilt * x[0]


def test_beale_against_sympy() -> None:
    x, y = sympy.symbols("x y")
    r = sympy.Matrix(beale(x, y))
    at = {x: 1, y: 2}
    j = r.jacobian([x, y])
    rest = sympy.zeros(2)
    for residual in r:
        rest += 2 * residual * sympy.hessian(residual, (x, y))
    found = residuals(LossAtPoint(Beale(), [1, 2]))
    assert found is not None and found.jacobian is not None and found.curvature is not None
    for ours, exact in (
        (found.values, r),
        (found.jacobian.values, j),
        (found.gradient, 2 * j.T * r),
        (found.curvature.gauss_newton, 2 * j.T * j),
        (found.curvature.rest, rest),
        (found.curvature.hessian, 2 * j.T * j + rest),
    ):
        assert ours is not None
        expected = np.array(exact.subs(at).tolist(), dtype=np.float64)
        np.testing.assert_array_equal(ours.numpy(), expected.reshape(tuple(ours.shape)))
    norm = float(sympy.Matrix(rest.subs(at)).norm())
    assert found.curvature.rest_norm == pytest.approx(norm, rel=1e-14)  # seen: 0
    assert (found.factor, found.jacobian.rank, found.agrees) == (2, 2, True)
    assert found.jacobian.disagreement <= 1e-8  # seen: 1.1e-10


def test_the_gauss_newton_matrix_of_a_linear_model_is_the_hessian() -> None:
    loss = MSE("diabetes", standardize=True)
    found = residuals(LossAtPoint(loss, range(loss.dim)))
    assert found is not None and found.curvature is not None and found.jacobian is not None
    a = loss.inputs.numpy()
    assert found.factor == 2 / 442
    assert found.jacobian.values is None  # 442 · 11 numbers are not kept
    assert found.jacobian.rank == loss.dim
    matrix = found.curvature.gauss_newton
    assert matrix is not None
    np.testing.assert_allclose(matrix, 2 * a.T @ a / 442, rtol=0, atol=1e-13)  # seen: 5.8e-15
    r = a @ np.arange(loss.dim) - loss.targets.numpy()
    np.testing.assert_allclose(found.gradient, 2 * a.T @ r / 442, rtol=1e-12)  # seen: 3.3e-15
    assert found.curvature.share <= 1e-12  # seen: 5.0e-17
    assert "a Gauss-Newton step is a Newton step" in found.section().notes[0]


SQUARES = [cls() for cls in vars(gdlab.losses).values() if is_sum_of_squares(cls)]


@pytest.mark.parametrize("loss", SQUARES, ids=lambda loss: type(loss).__name__)
def test_published_sums_of_squares(loss: SumOfSquares) -> None:
    """At the start and at the minimizer, where the residuals can be 0."""
    points = [loss.start, *(loss.minimizers if loss.minimizers is not None else [])]
    for x in points[:2]:
        found = residuals(LossAtPoint(loss, x))
        assert found is not None
        assert found.factor == 2
        assert found.agrees, found.disagreement


FACTORS: list[tuple[Loss, float, str]] = [
    (MSE(), 2 / 3, "f = (1/3) Σ rᵢ² of 3 residuals (c = 2/3) = "),
    (MLP("diabetes", widths=(2,), standardize=True), 2 / 442, "f = (1/442) Σ rᵢ² of 442"),
    (MLP("teacher_student", widths=(2,), count=20), 2 / 20, "f = (1/20) Σ rᵢ² of 20"),
    (Transform(scale=3.0, shift=1.0).of(Beale()), 2.0, "f = Σ rᵢ² of 3 residuals (c = 2) = "),
    (Tilted(weight=3.0), 6.0, "f = ½ c Σ rᵢ² of 2 residuals (c = 6) = "),
]


@pytest.mark.parametrize(("loss", "c", "formula"), FACTORS)
def test_the_factor_is_inferred_from_the_values(loss: Loss, c: float, formula: str) -> None:
    x = loss.tensor(loss.start) + 0.5
    found = residuals(LossAtPoint(loss, x))
    assert found is not None
    assert found.factor == pytest.approx(c, rel=1e-15)  # seen: 0
    assert found.agrees
    assert found.section().lines[0][1].startswith(formula)


def test_the_factor_is_known_where_the_residuals_are_0() -> None:
    assert squares_factor(Beale(), tensor(3, 0.5)) == 2
    assert squares_factor(Tilted(weight=3.0), tensor(0, 0)) == 6


def test_residuals_that_do_not_match_the_loss() -> None:
    found = residuals(LossAtPoint(Tilted(tilt=1.0), [1, 2]))
    assert found is not None
    assert not found.agrees
    assert "do not match the loss" in found.section().notes[0]


@pytest.mark.parametrize("loss", [Rosenbrock(), Ridge(), MLP("iris")])
def test_other_losses_have_no_residuals(loss: Loss) -> None:
    assert residuals(LossAtPoint(loss)) is None


def test_jacobians_by_rows_and_by_columns_agree() -> None:
    loss = MLP("teacher_student", widths=(4,), count=30)
    by_columns = residual_jacobian(loss, loss.start)
    by_rows = jacobian_by_rows(partial(residuals_at, loss), loss.start)
    assert by_columns.shape == (30, 25)
    torch.testing.assert_close(by_columns, by_rows, rtol=0, atol=1e-14)  # seen: 5.6e-17


def test_large_matrices_are_not_computed() -> None:
    loss = MLP("teacher_student", widths=(4,), count=30)
    at = LossAtPoint(loss)
    full, limited = residuals(at), residuals(at, 30 * loss.dim - 1)
    assert full is not None and limited is not None and full.jacobian is not None
    assert limited.jacobian is None and limited.curvature is None
    difference = (limited.gradient - full.gradient).abs().max()
    assert difference <= 1e-14  # seen: 1.1e-16
    (note,) = limited.section().notes
    assert (
        note == f"J has 30 by {loss.dim} entries, too many to compute; Jᵀr took one backward pass."
    )


def test_residuals_must_be_finite() -> None:
    with pytest.raises(SettingError, match=r"^at=\[0,5e\+102\]: the residuals and the gradient"):
        residuals(LossAtPoint(Beale(), [0, 5e102]))


def test_the_hessian_can_be_too_large_while_the_jacobian_is_not() -> None:
    found = residuals(LossAtPoint(MLP("teacher_student", widths=(4,), count=10), [1.0] * 25), 250)
    assert found is not None and found.jacobian is not None and found.jacobian.values is not None
    assert found.curvature is None
    assert found.section().notes[0].startswith("JᵀJ and the Hessian have 25 by 25 entries")
