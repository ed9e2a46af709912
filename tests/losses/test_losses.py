"""Losses against finite differences, closed forms and least squares; see also test_published.py."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.gradients import (
    central_differences,
    gradient_by_autograd,
    relative,
)
from helpers.tensors import hessian, point
from torch import Tensor

import gdlab
from gdlab import losses
from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, Number
from gdlab.losses import (
    MSE,
    Ackley,
    Branin,
    Cube,
    Ellipsoid,
    Loss,
    Michalewicz,
    PointLoss,
    Quadratic,
    Rastrigin,
    Rosenbrock,
    RotatedQuadratic,
)
from gdlab.losses.function import Function
from gdlab.losses.models.data_loss import DataLoss
from losses.cases import DIABETES, REFERENCE, Angle, Barrier, Quartic, Squash, Waves

ALL: dict[str, Loss] = {
    "rosenbrock": Rosenbrock(),
    "rosenbrock in 10": Rosenbrock(dim=10),
    "quadratic": Quadratic(condition=100),
    "eigenvalues": Quadratic(eigenvalues=tuple(2 * 10 ** (6 * i / 9) for i in range(10))),
    "center": Quadratic(dim=5, condition=50, center=(1.0, 2.0, 3.0, 4.0, 5.0)),
    "diabetes": DIABETES,
    "line3": MSE(),
    "waves": Waves(),
    "squash": Squash(),
    "quartic": Quartic(),
    "angle": Angle(),
    "barrier": Barrier(),
}

everyone = pytest.mark.parametrize("name", ALL)


@pytest.mark.parametrize(
    "name", ["rosenbrock", "rosenbrock in 10", "waves", "squash", "quartic", "angle"]
)
def test_central_differences_converge_with_the_square_of_h(name: str) -> None:
    loss = ALL[name]
    x = 0.9 * torch.as_tensor(loss.start)
    exact = gradient_by_autograd(loss, x)
    steps = 2.0 ** -np.arange(4, 12)
    errors = [np.linalg.norm(central_differences(loss, x, h) - exact) for h in steps]
    slopes = -np.diff(np.log2(errors))
    assert slopes.min() >= 1.9  # observed 2.0


@pytest.mark.parametrize("name", ["quadratic", "eigenvalues", "center", "diabetes", "line3"])
def test_central_differences_are_exact_for_quadratics(name: str) -> None:
    loss = ALL[name]
    x = torch.linspace(-1, 2, loss.dim, dtype=torch.float64)
    for h in (1.0, 0.5, 0.125):
        error = relative(central_differences(loss, x, h), gradient_by_autograd(loss, x))
        assert error <= 1e-12  # observed 2e-13


@everyone
@pytest.mark.parametrize("shape", [(5,), (2, 3)], ids=str)
def test_a_batch_of_points_gives_the_values_of_single_points(
    name: str, shape: tuple[int, ...]
) -> None:
    loss = ALL[name]
    generator = torch.Generator().manual_seed(2)
    away = torch.rand(*shape, loss.dim, generator=generator, dtype=torch.float64)
    x = torch.as_tensor(loss.start) + away
    values = loss(x)
    assert values.shape == shape
    # Lone numbers take the scalar path of a kernel, which may round differently.
    alone = [float(loss(one)) for one in x.reshape(-1, loss.dim)]
    np.testing.assert_allclose(values.flatten(), alone, rtol=1e-14)  # observed 0


@everyone
def test_the_properties_of_a_loss_are_consistent(name: str) -> None:
    loss = ALL[name]
    assert len(loss.names) == loss.dim == len(torch.as_tensor(loss.start))
    assert len(set(loss.names)) == loss.dim
    assert (loss.minimum is None) == (loss.minimizers is None)
    if loss.minimizers is not None and loss.minimum is not None:
        scale = float(loss(torch.as_tensor(loss.start)))
        for x in loss.tensor(loss.minimizers):
            assert abs(float(loss(x)) - float(loss.minimum)) <= 1e-15 * scale  # observed 0
            at_start = np.linalg.norm(gradient_by_autograd(loss, torch.as_tensor(loss.start)))
            assert (
                np.linalg.norm(gradient_by_autograd(loss, x)) <= 1e-12 * at_start
            )  # observed 8e-14
    if loss.window is not None:
        assert loss.tensor(loss.window).shape == (loss.dim, 2)


# Quadratic bowls.

SPECTRA: dict[str, tuple[Quadratic, list[float]]] = {
    "linear": (Quadratic(dim=4, condition=10), [1, 4, 7, 10]),
    "geometric": (Quadratic(dim=4, condition=1000, spectrum="geometric"), [1, 10, 100, 1000]),
    "explicit": (Quadratic(eigenvalues=(3, 0.5, -2)), [-2, 0.5, 3]),
    "one dimension": (Quadratic(dim=1, condition=6), [6]),
    "round": (Quadratic(dim=3, condition=1), [1, 1, 1]),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_the_hessian_has_the_requested_spectrum(name: str) -> None:
    loss, expected = SPECTRA[name]
    found = torch.linalg.eigvalsh(hessian(loss, torch.ones(loss.dim, dtype=torch.float64)))
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)  # observed 9e-16
    assert loss.curvature == (expected[0], expected[-1])


@pytest.mark.parametrize("center", [0.5, (1.0, -2.0, 3.0)], ids=str)
def test_the_center_is_the_minimizer(center: Any) -> None:
    loss = Quadratic(dim=3, center=center)
    expected = np.broadcast_to(center, 3)
    assert loss.tensor(loss.minimizers)[0].tolist() == expected.tolist()
    assert torch.as_tensor(loss.start).tolist() == (expected + 1).tolist()
    assert float(loss(point(expected.copy()))) == 0
    low, high = loss.window.T
    assert ((low + high) / 2).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("eigenvalues", "has_minimizer", "minimum"),
    [((1.0, 2.0), True, 0.0), ((0.0, 2.0), False, 0.0), ((-1.0, 2.0), False, None)],
)
def test_minimum_by_the_sign_of_the_eigenvalues(
    eigenvalues: tuple[float, ...], has_minimizer: bool, minimum: float | None
) -> None:
    loss = Quadratic(eigenvalues=eigenvalues)
    assert (loss.minimizers is not None) == has_minimizer
    assert loss.minimum == minimum


BAD_QUADRATICS: list[tuple[dict[str, Any], str]] = [
    ({"dim": 0}, "dim=0: must be a whole number ≥ 1 and ≤ 1e+06"),
    ({"condition": 0.5}, "condition=0.5: must be a finite number ≥ 1"),
    ({"spectrum": "flat"}, "spectrum=flat: must be one of linear, geometric"),
    ({"eigenvalues": ()}, "eigenvalues=[]: must hold at least one number"),
    ({"center": (1.0, 2.0, 3.0)}, "center=[1.0,2.0,3.0]: must be one number or 2, one per dim"),
]


@pytest.mark.parametrize(("settings", "message"), BAD_QUADRATICS)
def test_bad_settings_of_a_quadratic_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(SettingError) as error:
        Quadratic(**settings)
    assert str(error.value) == message


# Columns.

COLUMNS: dict[str, tuple[type[Loss], dict[str, Any], dict[str, list[float]]]] = {
    "rosenbrock": (Rosenbrock, {"dim": 2}, {"a": [0.5, 1.0, 2.0], "b": [1.0, 10.0, 100.0]}),
    "rosenbrock in 3": (Rosenbrock, {"dim": 3}, {"b": [1.0, 10.0, 100.0]}),
    "condition": (Quadratic, {"dim": 4}, {"condition": [1.0, 5.0, 50.0]}),
    "condition in 1": (Quadratic, {"dim": 1}, {"condition": [1.0, 5.0, 50.0]}),
    "center": (Quadratic, {"dim": 3, "spectrum": "geometric"}, {"center": [-1.0, 0.0, 2.0]}),
    "point": (Barrier, {}, {"weight": [0.1, 0.2, 0.3]}),
    "cube": (Cube, {}, {"b": [1.0, 10.0, 100.0]}),
    "ellipsoid": (Ellipsoid, {"dim": 3}, {"condition": [1.0, 5.0, 50.0]}),
    "rotated quadratic": (RotatedQuadratic, {}, {"condition": [1.0, 5.0, 50.0]}),
    "ackley": (Ackley, {}, {"a": [1.0, 20.0, 9.0], "b": [0.1, 0.2, 0.3], "c": [3.0, 1.0, 2.0]}),
    "rastrigin": (Rastrigin, {"dim": 3}, {"a": [0.0, 5.0, 10.0]}),
    "michalewicz": (Michalewicz, {}, {"steepness": [1.0, 2.5, 7.0]}),
    "branin": (
        Branin,
        {"a": 2.0},
        {"b": [0.1, 0.2, 0.3], "c": [1.0, 2.0, 1.5], "r": [5.0, 6.0, 7.0], "s": [1.0, 5.0, 9.0]},
    ),
}


@pytest.mark.parametrize("size", [2.0**-1070, 2.0**-600, 1.0, 2.0**600, 2.0**1020])
def test_a_distance_of_any_size_loses_no_digit(size: float) -> None:
    assert Quadratic().distance(point([3 * size, 4 * size])) == 5 * size


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_gives_each_run_its_own_loss(name: str) -> None:
    cls, shared, columns = COLUMNS[name]
    together = cls(**shared, **{key: point(values) for key, values in columns.items()})
    x = torch.rand(4, 3, together.dim, generator=torch.Generator().manual_seed(3)).double() + 0.1
    values, distances = together(x), together.distance(x)
    for row in range(3):
        alone = cls(**shared, **{key: values[row] for key, values in columns.items()})
        np.testing.assert_allclose(values[:, row], alone(x[:, row]), rtol=1e-14)  # observed 0
        expected = alone.distance(x[:, row])
        assert (expected is None) == (distances is None)
        if distances is not None and expected is not None:
            np.testing.assert_allclose(distances[:, row], expected, rtol=1e-14)  # observed 0
        for of_column, of_one in (
            (together.start, alone.start),
            (together.window, alone.window),
            (together.minimum, alone.minimum),
        ):
            if of_one is not None:
                one = together.tensor(of_one)
                many = together.tensor(of_column).expand(3, *one.shape)
                assert torch.equal(many[row], one)


def test_the_wells_of_a_branin_function_with_other_settings() -> None:
    loss = Branin(a=2.0, b=0.2, c=1.2, r=5.0, s=4.0, t=0.3)
    x = loss.minimizers
    np.testing.assert_allclose(loss(x), loss.minimum, rtol=1e-14)  # observed 0
    assert np.abs(gradient_by_autograd(loss, x)).max() <= 1e-14  # observed 2e-15
    assert float(loss(x + 0.1).min()) > float(loss.minimum)


def test_a_loss_with_a_column_has_no_symbolic_form() -> None:
    import sympy

    x = sympy.symbols("x0 x1")
    assert Rastrigin(a=point([1.0, 2.0])).symbolic(x) is None
    formula = Rosenbrock(b=0.5, a=2.0).symbolic(x)
    assert formula == 0.5 * (x[1] - x[0] ** 2) ** 2 + (2 - x[0]) ** 2


def test_rosenbrock_in_more_dimensions_knows_its_minimizer_if_a_is_one() -> None:
    ones = Rosenbrock(dim=4, a=point([1.0, 1.0]))
    assert ones.tensor(ones.minimizers).tolist() == [[1.0] * 4]
    assert Rosenbrock(dim=4, a=point([1.0, 2.0])).minimizers is None
    assert Rosenbrock(dim=4, a=2.0).minimum is None


def test_another_dtype_moves_everything() -> None:
    for loss in (Quadratic(center=(1.0, 2.0)), Rosenbrock(), MSE(data="diabetes")):
        moved = loss.to(torch.float32, torch.device("cpu"))
        start = torch.as_tensor(moved.start)
        assert start.dtype == torch.float32
        assert moved(start).dtype == torch.float32
        assert moved.tensor(moved.minimizers).dtype == torch.float32
        assert torch.as_tensor(loss.start).dtype == torch.float64


# Losses of one point.


class Valley(PointLoss):
    """Rosenbrock's function of one point."""

    dim: int = 2  # type: ignore[assignment]
    a: Number = 1.0
    b: Number = 100.0

    @property
    def start(self) -> Tensor:
        return self.tensor([-1.2, 1.0])

    def point(self, x: Tensor) -> Tensor:
        u, v = x
        return self.b * (v - u**2) ** 2 + (self.a - u) ** 2


def test_a_point_loss_equals_the_batched_form() -> None:
    a, b = point([0.5, 1.0, 2.0]), point([1.0, 10.0, 100.0])
    x = 2 * torch.rand(5, 3, 2, generator=torch.Generator().manual_seed(4)).double()
    for settings in ({}, {"a": a}, {"b": b}, {"a": a, "b": b}):
        one, many = Valley().replace(**settings), Rosenbrock().replace(**settings)
        np.testing.assert_allclose(one(x), many(x), rtol=1e-14)  # observed 0
        gradients = gradient_by_autograd(one, x), gradient_by_autograd(many, x)
        assert relative(*gradients) <= 1e-14  # observed 0


class Unfinished(Loss):
    """A loss without its value."""

    dim: int = 2  # type: ignore[assignment]
    start = (1.0, 1.0)  # type: ignore[assignment]


class UnfinishedPoint(PointLoss):
    """A loss without its value at a point."""

    dim: int = 2  # type: ignore[assignment]
    start = (1.0, 1.0)  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("loss", "method"), [(Unfinished(), "__call__"), (UnfinishedPoint(), "point")]
)
def test_a_loss_without_a_value_names_the_missing_method(loss: Loss, method: str) -> None:
    what = f"{type(loss).__name__} must implement {method}"
    with pytest.raises(NotImplementedError, match=f"^{what}$"):
        loss(point([1.0, 1.0]))
    with pytest.raises(
        SettingError, match=f"^loss={type(loss).__name__}: must implement {method}$"
    ):
        gdlab.run(loss, lr=0.1, steps=1)


MODELS = [cls for name in losses.__all__ if issubclass(cls := getattr(losses, name), DataLoss)]


@pytest.mark.parametrize("cls", MODELS, ids=lambda cls: cls.__name__)
def test_a_model_is_at_most_four_classes_below_configured(cls: type[Loss]) -> None:
    assert sum(issubclass(base, Configured) for base in cls.__mro__) <= 5


def test_a_function_is_a_loss() -> None:
    loss = Function(lambda x: (x[0] - 1) ** 2 + x[1] ** 4, start=(3.0, 2.0))
    assert loss.dim == 2
    assert float(loss(point([3.0, 2.0]))) == 20.0
    assert loss(point([[3.0, 2.0], [1.0, 1.0]])).tolist() == [20.0, 1.0]
    assert gradient_by_autograd(loss, point([3.0, 2.0])).tolist() == [4.0, 32.0]
    assert (loss.minimizers, loss.minimum, loss.curvature) == (None, None, None)


# Regression.


def test_the_line_through_three_points() -> None:
    loss = MSE()
    assert loss.names == ("x", "intercept")
    gradient = gradient_by_autograd(loss, point([2.0, 1.0]))
    # Residuals −1, 0, 0: both partials are 2/3 · (−1).
    np.testing.assert_allclose(gradient, [-2 / 3, -2 / 3], rtol=1e-15)  # observed 0
    assert relative(loss.solution, [1.5, 7 / 3]) <= 1e-14  # observed 2e-15


def test_diabetes_raw_has_the_published_solution() -> None:
    loss, known = MSE(data="diabetes"), REFERENCE["diabetes_raw"]
    expected = np.roll(known["x_star"], -1)  # our intercept comes last
    assert float(loss(torch.as_tensor(loss.start))) == pytest.approx(known["f_x0"], rel=1e-14)
    assert relative(loss.solution, expected) <= 1e-13  # observed 3e-15
    assert loss.minimum == pytest.approx(known["f_star"], rel=1e-14)  # observed 0
    # Observed 2e-15, though λ_min lies 8 decimals below λ_max.
    curvature = known["lambda_min"], known["lambda_max"]
    np.testing.assert_allclose(np.array(loss.curvature), curvature, rtol=1e-12)


def test_diabetes_standardized_has_the_published_solution() -> None:
    """The published features have norm 1, ours have variance 1: ours are √n as large."""
    known, root = REFERENCE["diabetes_scaled"], math.sqrt(442)
    expected = np.append(np.array(known["x_star"][1:]) / root, known["x_star"][0])
    assert relative(DIABETES.solution, expected) <= 1e-13  # observed 4e-16
    assert DIABETES.minimum == pytest.approx(known["f_star"], rel=1e-14)  # observed 0
    assert DIABETES.curvature is not None
    assert DIABETES.curvature[0] == pytest.approx(
        442 * known["lambda_min"], rel=1e-12
    )  # observed 1e-15
    design = DIABETES.inputs.numpy()
    np.testing.assert_allclose(design[:, :10].mean(0), 0, atol=1e-14)  # observed 5e-15
    np.testing.assert_allclose(design[:, :10].std(0), 1, rtol=1e-14)  # observed 9e-16


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_the_solution_is_least_squares(standardize: bool, intercept: bool) -> None:
    loss = MSE(data="diabetes", standardize=standardize, intercept=intercept)
    a, y = loss.inputs.numpy(), loss.targets.numpy()
    assert a.shape == (442, 11 if intercept else 10)
    expected, (squares,), _, _ = np.linalg.lstsq(a, y, rcond=None)
    assert relative(loss.solution, expected) <= 1e-12  # observed 5e-15
    assert loss.minimum == pytest.approx(squares / 442, rel=1e-13)  # observed 2e-15
    eigenvalues = np.linalg.eigvalsh(2 / 442 * a.T @ a)
    assert loss.curvature is not None
    assert loss.curvature[1] == pytest.approx(eigenvalues[-1], rel=1e-13)  # observed 1e-15


def test_chosen_features_and_target() -> None:
    loss = MSE(data="diabetes", target="bmi", features=("s5", "age"))
    whole = MSE(data="diabetes")
    columns = dict(zip(whole.names, whole.inputs.T, strict=True))
    assert loss.names == ("s5", "age", "intercept")
    assert torch.equal(loss.inputs[:, 0], columns["s5"])
    assert torch.equal(loss.inputs[:, 1], columns["age"])
    assert torch.equal(loss.targets, columns["bmi"])


def test_collinear_features_have_no_solution(tmp_path: Path) -> None:
    file = tmp_path / "twice.csv"
    file.write_text("x,twice,y\n1,1,4\n2,2,5\n3,3,7\n", "utf-8")
    loss = MSE(data=str(file))
    assert loss.solution is None
    assert loss.minimizers is None
    assert loss.minimum is None
    assert loss.curvature is not None
    assert loss.curvature[0] == 0


def test_partial_losses_are_means_over_the_chosen_examples() -> None:
    loss = MSE(batch_size=2)
    x = point([[2.0, 1.0], [0.0, 0.0]])
    # Residuals at (2, 1): −1, 0, 0; at 0: −4, −5, −7.
    partial = loss.partial(x, torch.tensor([[0, 1], [1, 2]]))
    np.testing.assert_allclose(partial, [1 / 2, (25 + 49) / 2], rtol=1e-15)  # observed 0


def test_a_minibatch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(
        SettingError, match="batch_size=4: must be at most 3, the number of examples"
    ):
        MSE(batch_size=4)
