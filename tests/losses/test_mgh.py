"""What the problems of Moré, Garbow and Hillstrom say beyond the published table."""

import math
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from helpers.gradients import gradient_by_autograd, gradient_by_sympy, relative
from helpers.tensors import point
from torch import Tensor

import gdlab
from gdlab.cli.composition import compose_config, hydra_ready
from gdlab.cli.run import run_one
from gdlab.config.loading import resolve_choice
from gdlab.errors import SettingError
from gdlab.fields.suggestions import choices_of, did_you_mean
from gdlab.losses import Loss, mgh
from gdlab.losses.mgh import tables
from gdlab.losses.mgh.base import ScalableSquares
from losses.cases import REFERENCE, LossCase
from losses.mgh_cases import MGH

every = pytest.mark.parametrize("case", MGH, ids=lambda case: case.id)

DIMS: dict[type[ScalableSquares], tuple[int, ...]] = {
    mgh.Watson: (2, 3, 31),
    mgh.ExtendedRosenbrock: (2, 4),
    mgh.ExtendedPowell: (4, 8),
    mgh.Penalty1: (1, 2, 50),
    mgh.Penalty2: (2, 3, 30),
    mgh.VariablyDimensioned: (1, 2, 30),
    mgh.Trigonometric: (1, 2, 30),
    mgh.BrownAlmostLinear: (2, 3, 5, 20),
    mgh.DiscreteBoundary: (1, 2, 30),
    mgh.DiscreteIntegral: (1, 2, 30),
    mgh.BroydenTridiagonal: (1, 2, 30),
    mgh.BroydenBanded: (1, 3, 30),
    mgh.LinearFull: (1, 2, 30),
    mgh.LinearRank1: (1, 2, 30),
    mgh.LinearRank1Zero: (3, 4, 30),
    mgh.Chebyquad: (1, 2, 9),
}
SIZED = [(cls, dim) for cls, dims in DIMS.items() for dim in dims]
sized = pytest.mark.parametrize(("cls", "dim"), SIZED, ids=lambda v: getattr(v, "__name__", str(v)))


@every
def test_the_squares_of_the_residuals_add_up_to_the_value(case: LossCase) -> None:
    x = torch.as_tensor(case.loss.start) + torch.linspace(0, 0.3, 6).double().reshape(2, 3, 1)
    residuals = case.loss.residuals(x)
    assert residuals is not None
    assert residuals.shape[:2] == (2, 3)
    np.testing.assert_allclose(residuals.square().sum(-1), case.loss(x), rtol=1e-14)  # observed 0


QUADRATIC = {"mgh04", "mgh27", "mgh32", "mgh33", "mgh34"}
"""Those that are quadratic in each single coordinate: differences are exact."""


@every
def test_central_differences_converge_with_the_square_of_h(case: LossCase) -> None:
    """The error falls with slope 2 until it meets rounding, or is rounding from the first."""
    loss = case.loss
    low, high = loss.tensor(loss.window).unbind(-1)
    x = torch.as_tensor(loss.start) + 0.03 * (high - low)
    scale = high - low  # coordinates of one size, as those of Meyer differ by 10⁶
    exact = gradient_by_autograd(loss, x) * scale.numpy()

    def error(h: float) -> float:
        away = h * torch.diag(scale)
        return relative((loss(x + away) - loss(x - away)) / (2 * h), exact)

    steps = 2.0 ** -np.arange(6, 22)
    errors = np.array([error(h) for h in steps])
    rounding = 1e-15 * (1 + float(loss(x)) / np.linalg.norm(exact)) / steps
    if case.id in QUADRATIC:
        assert (errors <= 8 * rounding).all()  # observed 0.4
        return
    slopes = -np.diff(np.log2(errors))
    clear = (errors[1:] > 100 * rounding[1:]) & (errors[:-1] < 0.05)
    assert clear.sum() >= 2
    assert slopes[clear].min() >= 1.9  # observed 1.945 (mgh35_n10, at the largest h), elsewhere 2


@sized
def test_any_number_of_dimensions(cls: type[ScalableSquares], dim: int) -> None:
    loss = cls(dim=dim)
    start = torch.as_tensor(loss.start)
    assert loss.dim == len(loss.names) == len(start) == dim
    assert loss.tensor(loss.window).shape == (dim, 2)
    assert float(loss.to(torch.float32, start.device)(start.float())) == pytest.approx(
        float(loss(start)), rel=1e-4
    )  # observed 2e-6
    if loss.minimizers is not None and loss.minimum is not None:
        minimizers = loss.tensor(loss.minimizers)
        assert minimizers.shape[1:] == (dim,)
        # Observed 4e-16 of a minimum, and 1e-29 where it is 0.
        np.testing.assert_allclose(loss(minimizers), loss.minimum, rtol=1e-13, atol=1e-26)
        hessian = torch.autograd.functional.hessian(loss, minimizers[0])
        eigenvalues = torch.linalg.eigvalsh(hessian)  # type: ignore[arg-type]
        scale = float(eigenvalues[-1])
        assert float(eigenvalues[0]) >= -1e-14 * scale  # observed -1e-16
        for x in minimizers:
            gradient = np.linalg.norm(gradient_by_autograd(loss, x))
            assert gradient <= 1e-14 * scale * max(1.0, float(x.norm()))  # observed 1e-16


@pytest.mark.parametrize("cls", DIMS, ids=lambda cls: cls.__name__)
def test_the_formula_in_few_dimensions(cls: type[ScalableSquares]) -> None:
    loss = cls(dim=DIMS[cls][1])
    x = torch.as_tensor(loss.start) + 0.1
    exact = gradient_by_sympy(loss, x.tolist())
    assert relative(gradient_by_autograd(loss, x), exact) <= 1e-13  # observed 2e-15


@pytest.mark.parametrize("dim", [2, 10, 12, 13])
def test_two_sums_of_the_integral_equation_are_the_double_sum(dim: int) -> None:
    t = np.arange(1, dim + 1) / (dim + 1)
    x = np.linspace(-1, 1, dim)
    kernel = np.minimum.outer(t, t) - np.outer(t, t)
    expected = x + kernel @ (x + t + 1) ** 3 / (2 * (dim + 1))
    found = mgh.DiscreteIntegral(dim=dim).residuals(point(x))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)  # observed 2e-16


def watson(x: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
    """Value, half the gradient and half the Hessian by the paper, in mpmath's numbers x (D,)."""
    dim = len(x)
    t = np.array([[mpmath.mpf(i) / 29] for i in range(1, 30)])
    powers = t ** np.arange(dim)
    slopes = np.hstack([0 * t, np.arange(1, dim) * powers[:, :-1]])
    first, second = np.eye(dim, dtype=int)[:2]
    p = powers @ x
    r = np.array([*(slopes @ x - p**2 - 1), x[0], x[1] - x[0] ** 2 - 1])
    jacobian = np.vstack([slopes - 2 * p[:, None] * powers, first, second - 2 * x[0] * first])
    hessian = jacobian.T @ jacobian - 2 * powers.T @ (r[:-2, None] * powers)
    hessian[0, 0] -= 2 * r[-1]
    return r @ r, jacobian.T @ r, hessian


@pytest.mark.parametrize("dim", tables.WATSON)
def test_the_minimum_of_watson_in_sixty_digits(dim: int) -> None:
    minimum, minimizer = tables.WATSON[dim]
    with mpmath.workdps(60):
        x = np.array(list(map(mpmath.mpf, minimizer)))
        for _ in range(3):  # of Newton's steps
            _, gradient, hessian = watson(x)
            x = x - np.array(mpmath.lu_solve(mpmath.matrix(hessian), mpmath.matrix(gradient)))
        value, gradient, _ = watson(x)
        assert mpmath.norm(gradient) < mpmath.mpf("1e-50")
        assert tuple(map(float, x)) == minimizer
        assert float(value) == minimum


def test_linear_problems_have_the_requested_number_of_equations() -> None:
    for cls in (mgh.LinearFull, mgh.LinearRank1, mgh.LinearRank1Zero):
        loss = cls(dim=4, equations=9)
        assert loss.residuals(point([1.0] * 4)).shape == (9,)
        assert loss.count == 9
        assert cls(dim=4).count == 8
        assert loss.minimizers is not None
        x = loss.minimizers[0].numpy()
        start = torch.as_tensor(loss.start)
        jacobian = torch.autograd.functional.jacobian(loss.residuals, start)
        assert isinstance(jacobian, Tensor)
        # A least-squares step from the start is the shortest, by the pseudo-inverse.
        residuals = loss.residuals(start).numpy()
        expected = start.numpy() - np.linalg.pinv(jacobian.numpy()) @ residuals
        np.testing.assert_allclose(x, expected, rtol=0, atol=1e-14)  # observed 9e-16


BAD: list[tuple[type[ScalableSquares], dict[str, Any], str]] = [
    (mgh.Watson, {"dim": 32}, "dim=32: must be a whole number ≥ 2 and ≤ 31"),
    (mgh.ExtendedRosenbrock, {"dim": 7}, "dim=7: must be a multiple of 2"),
    (mgh.ExtendedPowell, {"dim": 10}, "dim=10: must be a multiple of 4"),
    (mgh.Penalty2, {"dim": 1}, "dim=1: must be a whole number ≥ 2 and ≤ 1e+06"),
    (mgh.LinearFull, {"equations": 9}, "equations=9: must be at least dim=10"),
    (mgh.LinearRank1Zero, {"dim": 2}, "dim=2: must be a whole number ≥ 3 and ≤ 1e+06"),
]


@pytest.mark.parametrize(
    ("cls", "settings", "message"), BAD, ids=lambda v: getattr(v, "__name__", None)
)
def test_bad_dimensions_are_refused(
    cls: type[ScalableSquares], settings: Any, message: str
) -> None:
    with pytest.raises(SettingError) as error:
        cls(**settings)
    assert str(error.value) == message


# Helical valley: the branch, the axis and the origin.


@pytest.mark.parametrize("u", [-2.0, -1e-300, -0.0, 0.0, 1e-300, 0.5])
@pytest.mark.parametrize("v", [-1.5, -0.0, 0.0, 2.0])
def test_the_helical_valley_has_the_published_branch(u: float, v: float) -> None:
    loss, w = mgh.HelicalValley(), 0.3
    if u == 0:
        theta = math.copysign(0.25, v) if v else 0.0
    else:
        theta = math.atan(v / u) / (2 * math.pi) + (0.5 if u < 0 else 0)
    expected = [10 * (w - 10 * theta), 10 * (math.hypot(u, v) - 1), w]
    residuals = loss.residuals(point([u, v, w]))
    np.testing.assert_allclose(residuals, expected, rtol=1e-14)  # observed 2e-16
    assert np.isfinite(gradient_by_autograd(loss, point([u, v, w]))).all()


@pytest.mark.parametrize("v", [-2.0, 2.0])
def test_the_slope_on_the_axis_is_that_of_the_right_side(v: float) -> None:
    on, beside = (gradient_by_autograd(mgh.HelicalValley(), point([u, v, 0.3])) for u in (0, 1e-9))
    assert relative(on, beside) <= 1e-8  # observed 5e-10, as far as the side is away


def test_kinks_of_gulf_have_a_slope() -> None:
    y = 25 + (-50 * math.log(0.5)) ** (2 / 3)
    for exponent in (0.15, 1.0, 1.5):
        x = point([5.0, float(np.float64(y)), exponent])
        assert np.isfinite(gradient_by_autograd(mgh.Gulf(), x)).all()
    nearest = 25 + (-50 * np.log(np.arange(1, 100) / 100)) ** (2 / 3)
    assert float(mgh.Gulf().residuals(point([5.0, nearest[49], 0.15]))[49]) == 0.5


def test_a_product_with_zeros_has_its_slope() -> None:
    loss = mgh.BrownAlmostLinear(dim=4)
    for x in ([2.0, 0.0, 3.0, 5.0], [2.0, 0.0, 0.0, 5.0]):
        jacobian = torch.autograd.functional.jacobian(loss.residuals, point(x))
        assert isinstance(jacobian, Tensor)
        expected = [math.prod(x[:i] + x[i + 1 :]) for i in range(4)]
        assert jacobian[-1].tolist() == expected


def test_nothing_is_lost_near_zero_in_the_trigonometric_problem() -> None:
    x = 1e-9 * np.arange(1, 6)
    expected = np.sum(x**2 / 2) + np.arange(1, 6) * x**2 / 2 - x
    residuals = mgh.Trigonometric(dim=5).residuals(point(x))
    np.testing.assert_allclose(residuals, expected, rtol=1e-15)  # observed 0


def test_all_minimizers_that_are_known() -> None:
    assert len(mgh.Biggs().tensor(mgh.Biggs().minimizers)) == 6
    assert len(mgh.Osborne2().tensor(mgh.Osborne2().minimizers)) == 6
    counts = [len(mgh.BrownAlmostLinear(dim=n).known.minimizers or ()) for n in (2, 3, 10)]
    assert counts == [2, 3, 2]
    assert len(mgh.Chebyquad(dim=10).known.minimizers or ()) == 2
    assert len(mgh.Chebyquad(dim=7).known.minimizers or ()) == 1


# By name.


@pytest.mark.parametrize("name", [c for c in choices_of("loss") if c.startswith("mgh/")])
def test_a_run_by_name(name: str) -> None:
    outcome = gdlab.run(loss=name, steps=3, lr=1e-18).outcome
    loss = resolve_choice("loss", name)
    assert isinstance(loss, Loss)
    assert outcome.steps == 3
    assert outcome.final_loss == pytest.approx(float(loss(torch.as_tensor(loss.start))), rel=1e-3)


def test_a_choice_of_a_folder_makes_no_folder_of_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    overrides = ["loss=mgh/helical_valley", "lr=0.01", "steps=2", "record.figures=false"]
    with hydra_ready():
        assert run_one(compose_config(overrides)) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.endswith("-mgh.helical_valley,sgd,lr=0.01")
    assert (folder / "result.json").is_file()


def test_misspelled_names() -> None:
    names = choices_of("loss")
    assert did_you_mean("mgh/beal", names) == ", did you mean mgh/beale?"
    assert did_you_mean("helical", names) == ", did you mean mgh/helical_valley?"
    assert did_you_mean("box", names) == ", did you mean mgh/box?"
    with hydra_ready(), pytest.raises(SettingError, match=r"did you mean mgh/beale\?"):
        compose_config(["loss=mgh/beal"])
    with pytest.raises(SettingError, match=r"did you mean mgh/bard\?"):
        resolve_choice("loss", "mgh/bart")


def test_every_problem_has_a_file() -> None:
    classes = {
        type(resolve_choice("loss", name)) for name in choices_of("loss") if name.startswith("mgh/")
    }
    assert {type(case.loss) for case in MGH} <= classes
    assert len({key for key in REFERENCE if key.startswith("mgh")}) == len(MGH) + 1
