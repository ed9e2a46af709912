"""Regression and classification against certified answers, closed forms, sympy and SciPy."""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import sympy
import torch
from helpers.gradients import central_differences, gradient_by_autograd, relative
from helpers.tensors import point
from torch import Tensor

import gdlab
from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.losses import MSE, Huber, Lasso, Logistic, Loss, Ridge, Softmax
from gdlab.losses.datasets import tables as data_module
from gdlab.losses.datasets.csv_table import CsvTable
from gdlab.losses.datasets.features import prepare_examples
from gdlab.losses.datasets.tables import read_examples
from gdlab.optimizers import SGD
from gdlab.paths import DATA
from losses.cases import REFERENCE

CERTIFIED = json.loads((DATA / "certified.json").read_text("utf-8"))


def linear_set(name: str) -> MSE:
    settings = CERTIFIED[name]["settings"]
    return MSE(data=name, **{key.removeprefix("loss."): value for key, value in settings.items()})


# The Statistical Reference Datasets of NIST.

# Name: condition of A, and with its columns scaled to norm 1; digits asked of the solution's worst
# coordinate. Rounding loses the digits of the condition, less where it is a matter of units alone
# (Pontius, Filip); large residuals lose more of them (Wampler 4 and 5).
DIGITS: dict[str, tuple[float, float, float]] = {
    "noint1": (1.0, 1.0, 15.0),  # observed 15.7
    "norris": (8.6e2, 2.8, 12.0),  # observed 13.0
    "longley": (4.9e9, 4.3e4, 10.0),  # observed 11.0
    "wampler1": (6.4e6, 2.2e3, 8.5),  # observed 9.3
    "wampler2": (6.4e6, 2.2e3, 12.0),  # observed 13.4
    "wampler3": (6.4e6, 2.2e3, 8.5),  # observed 9.3
    "wampler4": (6.4e6, 2.2e3, 7.0),  # observed 7.6
    "wampler5": (6.4e6, 2.2e3, 5.0),  # observed 5.6
    "filip": (1.8e15, 5.2e9, 7.0),  # observed 7.9
    "pontius": (1.4e13, 18, 11.0),  # observed 12.1
}


def test_all_certified_sets_are_there() -> None:
    assert set(DIGITS) == set(CERTIFIED)


@pytest.mark.parametrize("name", DIGITS)
def test_the_solution_is_the_certified_one_to_the_digits_its_condition_leaves(name: str) -> None:
    loss, known, (condition, scaled, digits) = linear_set(name), CERTIFIED[name], DIGITS[name]
    assert loss.solution is not None and loss.curvature is not None
    assert loss.names == tuple(known["solution"])
    expected = np.array(list(known["solution"].values()))
    error = np.abs(loss.solution.numpy() / expected - 1).max()
    assert error <= 10**-digits
    a = loss.inputs.numpy()
    assert np.linalg.cond(a) == pytest.approx(condition, rel=0.05)
    assert np.linalg.cond(a / np.linalg.norm(a, axis=0)) == pytest.approx(scaled, rel=0.05)
    # The minimum needs the differences of predictions that cancel; Wampler 1 and 2 have none.
    size = float(loss(loss.start))
    assert loss.minimum == pytest.approx(known["minimum"], rel=2e-7, abs=1e-28 * size)
    # Observed at most 7e-16 for the greatest; for the least 3e-13 on Longley, 3e-8 on Filip.
    least, greatest = loss.curvature
    assert greatest == pytest.approx(known["curvature"][1], rel=1e-14)
    assert least == pytest.approx(known["curvature"][0], rel=1e-16 * scaled + 1e-14)


@pytest.mark.parametrize("name", [*DIGITS, "stackloss"])
def test_the_bundled_data_are_the_published_ones(name: str) -> None:
    """The data give the published loss at 0, and the certified file the published answers."""
    known = REFERENCE[name if name == "stackloss" else f"nist_{name}"]
    loss = linear_set(name) if name in CERTIFIED else MSE(data=name)
    assert loss.examples == known["n_obs"]
    assert float(loss(loss.start)) == pytest.approx(known["f_x0"], rel=1e-15)  # observed 2e-16
    has_intercept = bool(loss.intercept)
    expected = np.roll(known["x_star"], -1) if has_intercept else np.array(known["x_star"])
    if name in CERTIFIED:
        certified = CERTIFIED[name]
        assert list(certified["solution"].values()) == expected.tolist()
        assert certified["minimum"] == known["f_star"]
        assert certified["curvature"] == [known["lambda_min"], known["lambda_max"]]
    else:
        assert relative(loss.solution, expected) <= 1e-14  # observed 6e-16


@pytest.mark.parametrize("name", ["longley", "filip"])
def test_ill_conditioned_raw_data_do_not_converge(name: str) -> None:
    loss = linear_set(name)
    assert loss.curvature is not None
    run = gdlab.run(loss=loss, lr=1.9 / float(loss.curvature[1]), steps=3000)
    assert run.outcome.status == Status.MAX_STEPS
    assert run.outcome.final_loss < float(loss(loss.start))
    assert run.outcome.distance is not None
    assert run.outcome.distance > 0.9 * float(torch.linalg.vector_norm(loss.solution))  # type: ignore[arg-type]


# Values and gradients.

EVERY: dict[str, Loss] = {
    "mse": MSE(data="stackloss"),
    "ridge": Ridge(data="stackloss", penalty=0.3),
    "ridge without intercept": Ridge(data="longley", penalty=0.3, intercept=False),
    "lasso": Lasso(data="stackloss", penalty=0.7),
    "huber": Huber(data="stackloss", delta=1.5),
    "logistic": Logistic(features=("mean_radius", "mean_texture"), penalty=0.2),
    "logistic without intercept": Logistic(features=("mean_area",), intercept=False),
    "softmax": Softmax(penalty=0.2),
    "softmax without intercept": Softmax(data="wine", features=("hue", "ash"), intercept=False),
    "polynomial": Ridge(data="stackloss", degree=2, penalty=0.1),
}

everyone = pytest.mark.parametrize("name", EVERY)


def somewhere(loss: Loss, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, loss.dim, generator=generator, dtype=torch.float64)


def by_hand(loss: Any, w: list[sympy.Expr]) -> sympy.Expr:
    """The loss of the first examples, as its docstring says it, with symbols for parameters."""
    rows, targets = loss.inputs.tolist(), loss.targets.tolist()
    count, free = len(rows), int(loss.intercept)

    def score(weights: list[sympy.Expr], row: list[float]) -> sympy.Expr:
        return sympy.Add(*(wi * sympy.Float(v, 40) for wi, v in zip(weights, row, strict=True)))

    def cost(row: list[float], target: float) -> sympy.Expr:
        if isinstance(loss, Softmax):
            p = len(row)
            scores = [score(w[c * p : (c + 1) * p], row) for c in range(loss.classes or 0)]
            return sympy.log(sympy.Add(*map(sympy.exp, scores))) - scores[int(target)]
        a = score(w, row)
        if isinstance(loss, Logistic):
            return sympy.log(1 + sympy.exp((1 - 2 * int(target)) * a))
        r = a - sympy.Float(target, 40)
        if isinstance(loss, Huber):
            d = sympy.Float(loss.delta, 40)
            return sympy.Piecewise((r**2 / 2, abs(r) <= d), (d * (abs(r) - d / 2), True))
        return r**2

    p = len(rows[0])
    weights = [wi for i, wi in enumerate(w) if not free or i % p < p - 1]
    power = sympy.Abs if isinstance(loss, Lasso) else (lambda v: v**2)
    penalty = sympy.Float(getattr(loss, "penalty", 0.0), 40)
    mean = sympy.Add(*map(cost, rows, targets)) / count
    return mean + penalty * sympy.Add(*map(power, weights))


@everyone
def test_value_and_gradient_against_sympy(name: str) -> None:
    loss: Any = EVERY[name]
    few: Any = loss.unchecked()
    vars(few).update(inputs=loss.inputs[:5], targets=loss.targets[-5:])
    x = somewhere(loss)
    symbols = sympy.symbols(f"w0:{loss.dim}", real=True)
    formula = by_hand(few, list(symbols))
    at = {symbol: sympy.Float(value, 40) for symbol, value in zip(symbols, x.tolist(), strict=True)}
    value = float(sympy.N(formula.xreplace(at), 30))
    assert float(few(x)) == pytest.approx(value, rel=1e-14)  # observed 3e-16
    gradient = [float(sympy.N(sympy.diff(formula, s).xreplace(at), 30)) for s in symbols]
    assert relative(gradient_by_autograd(few, x), gradient) <= 1e-13  # observed 4e-16


@everyone
def test_gradients_against_central_differences(name: str) -> None:
    loss = EVERY[name]
    x = somewhere(loss)
    found = central_differences(loss, x, 1e-4)
    assert relative(found, gradient_by_autograd(loss, x)) <= 1e-6  # observed 6e-8


@everyone
@pytest.mark.parametrize("shape", [(5,), (2, 3)], ids=str)
def test_batches_are_single_points(name: str, shape: tuple[int, ...]) -> None:
    loss = EVERY[name]
    x = somewhere(loss, *shape)
    values, gradients = loss(x), gradient_by_autograd(loss, x).reshape(-1, loss.dim)
    assert values.shape == shape
    for i, one in enumerate(x.reshape(-1, loss.dim)):
        np.testing.assert_allclose(values.flatten()[i], float(loss(one)), rtol=1e-13)  # seen 4e-16
        assert relative(gradients[i], gradient_by_autograd(loss, one)) <= 1e-13  # observed 4e-16
    for metric in loss.metrics.values():
        assert metric(x).shape == shape
        assert metric(x).flatten().tolist() == [
            float(metric(one)) for one in x.reshape(-1, loss.dim)
        ]


@everyone
def test_a_minibatch_of_all_examples_is_the_loss(name: str) -> None:
    loss: Any = EVERY[name]
    x = somewhere(loss, 3)
    chosen = torch.stack([torch.randperm(loss.examples) for _ in range(3)])
    np.testing.assert_allclose(loss.partial(x, chosen), loss(x), rtol=1e-13)  # observed 5e-16
    few = loss.partial(x, chosen[:, :4])
    for row in range(3):
        alone: Any = loss.unchecked()
        which = chosen[row, :4]
        vars(alone).update(inputs=loss.inputs[which], targets=loss.targets[which])
        np.testing.assert_allclose(few[row], float(alone(x[row])), rtol=1e-13)  # observed 3e-16


@everyone
@pytest.mark.parametrize("size", [1, 30, 400])
def test_no_value_depends_on_how_many_examples_fit_into_memory(name: str, size: int) -> None:
    loss = EVERY[name]
    x = somewhere(loss, 2, 3)
    values, gradients = loss(x), gradient_by_autograd(loss, x)
    metrics = {name: metric(x) for name, metric in loss.metrics.items()}
    in_blocks = loss.unchecked()
    vars(in_blocks).update(max_scores=size)
    np.testing.assert_allclose(in_blocks(x), values, rtol=1e-14)  # observed 4e-16
    assert relative(gradient_by_autograd(in_blocks, x), gradients) <= 1e-14  # observed 2e-15
    for name, metric in in_blocks.metrics.items():
        np.testing.assert_allclose(metric(x), metrics[name], rtol=0, atol=1e-15)


COLUMNS: list[tuple[Any, str, list[float]]] = [
    (Ridge(data="stackloss"), "penalty", [0.0, 0.1, 10.0]),
    (Ridge(data="noint1", standardize=False, intercept=False), "penalty", [0.0, 0.1, 10.0]),
    (Lasso(data="stackloss"), "penalty", [0.0, 0.1, 10.0]),
    (Huber(), "delta", [0.5, 1.0, 3.0]),
    (Logistic(), "penalty", [0.0, 0.1, 1.0]),
    (Softmax(), "penalty", [0.0, 0.1, 1.0]),
]


@pytest.mark.parametrize(("loss", "field", "values"), COLUMNS, ids=lambda v: type(v).__name__)
def test_a_column_gives_each_run_its_own_loss(loss: Any, field: str, values: list[float]) -> None:
    together = loss.replace(**{field: point(values)})
    x = somewhere(loss, 4, 3)
    found, distances = together(x), together.distance(x)
    partial = together.partial(x[0], torch.arange(6).expand(3, 6))
    for row, value in enumerate(values):
        alone = loss.replace(**{field: value})
        np.testing.assert_allclose(found[:, row], alone(x[:, row]), rtol=1e-13)  # observed 5e-16
        one = alone.partial(x[0, row : row + 1], torch.arange(6)[None])
        np.testing.assert_allclose(partial[row], one[0], rtol=1e-13)  # observed 4e-16
        assert (distances is None) == (alone.distance(x[:, row]) is None)
        if distances is not None:
            assert relative(distances[:, row], alone.distance(x[:, row])) <= 1e-12  # observed 6e-16
            assert together.minimum[row] == pytest.approx(alone.minimum, rel=1e-12)  # seen 4e-16
            for side in range(2):
                ours, theirs = together.curvature[side][row], alone.curvature[side]
                assert float(ours) == pytest.approx(theirs, rel=1e-12)  # observed 9e-16


def test_a_swept_penalty_is_one_batch_and_the_file_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, reads = tmp_path / "mine.csv", []
    file.write_bytes((DATA / "stackloss.csv").read_bytes())
    read = read_examples

    def count_read(*arguments: Any, **options: Any) -> Any:
        reads.append(arguments)
        return read(*arguments, **options)

    monkeypatch.setattr("gdlab.losses.datasets.features.read_examples", count_read)
    loss = Ridge(data=str(file))
    penalties = [0.01, 0.1, 1.0]
    given: dict[str, Any] = {"loss.penalty": penalties}
    swept = gdlab.sweep(loss=loss, lr=0.1, steps=3000, directory=None, **given)
    assert len(reads) == 1
    assert swept.results["status"].tolist() == ["converged"] * 3
    for penalty, distance, final in zip(
        penalties, swept.results["distance"], swept.results["final_loss"], strict=True
    ):
        assert distance <= 1e-6  # observed 6e-8
        assert final == pytest.approx(Ridge(data="stackloss", penalty=penalty).minimum, rel=1e-13)


# Exact solutions and optima.


@pytest.mark.parametrize("penalty", [0.0, 1e-6, 0.1, 100.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_ridge_has_the_solution_of_its_normal_equations(penalty: float, intercept: bool) -> None:
    loss = Ridge(data="stackloss", penalty=penalty, intercept=intercept)
    a, y = loss.inputs.numpy(), loss.targets.numpy()
    free = np.diag([1.0] * 3 + ([0.0] if intercept else []))
    hessian = 2 * (a.T @ a / len(y) + penalty * free)
    expected = np.linalg.solve(hessian, 2 * a.T @ y / len(y))
    assert relative(loss.solution, expected) <= 1e-12  # observed 2e-15
    eigenvalues = np.linalg.eigvalsh(hessian)
    np.testing.assert_allclose(
        np.array(loss.curvature), eigenvalues[[0, -1]], rtol=1e-12
    )  # observed 3e-15
    assert np.linalg.norm(gradient_by_autograd(loss, loss.tensor(loss.solution))) <= 1e-11  # 2e-14


def test_a_penalty_makes_one_minimizer_of_many(tmp_path: Path) -> None:
    twice = str(tmp_path / "twice.csv")
    Path(twice).write_text("x,twice,y\n1,2,4\n2,4,5\n3,6,7\n", "utf-8")
    free = Ridge(data=twice, penalty=0.0)
    assert free.solution is None
    assert free.curvature is not None and free.curvature[0] == 0
    loss = Ridge(data=twice, penalty=0.5)
    assert loss.solution is not None
    assert loss.solution[0] == pytest.approx(float(loss.solution[1]), rel=1e-13)  # observed 2e-16
    assert MSE(data="digits").solution is None  # three pixels are always 0
    assert Ridge(data="digits", standardize=False).solution is not None
    assert MSE(data="line3", degree=3).solution is None  # three points, four parameters
    mixed = Ridge(data=twice, penalty=point([0.0, 0.5]))
    assert mixed.solution is None


def test_ridge_takes_the_steps_of_weight_decay() -> None:
    options: Any = {"data": "stackloss", "intercept": False, "standardize": True}
    ridge = gdlab.run(loss=Ridge(**options, penalty=0.15), lr=0.05, steps=50)
    optimizer = SGD(weight_decay=0.3)
    decayed = gdlab.run(loss=MSE(**options), optimizer=optimizer, lr=0.05, steps=50)
    assert relative(ridge.history.x, decayed.history.x) <= 1e-14  # observed 1e-16


def test_lasso_with_orthogonal_features_thresholds_softly(tmp_path: Path) -> None:
    """With AᵀA = n · 1 the minimizer is sign(b) max(|b| − penalty / 2, 0), b = Aᵀ y / n."""
    file = tmp_path / "orthogonal.csv"
    file.write_text("a,b,y\n1,1,3\n1,-1,1\n-1,1,-1\n-1,-1,-2.2\n", "utf-8")
    loss = Lasso(data=str(file), intercept=False, penalty=1.0)
    a, y = loss.inputs.numpy(), loss.targets.numpy()
    b = a.T @ y / 4
    soft = np.sign(b) * np.maximum(np.abs(b) - 0.5, 0)
    assert b.tolist() == pytest.approx([1.8, 0.8])
    best = float(loss(point(soft)))
    away = point(soft) + 0.01 * somewhere(loss, 200)
    assert float(loss(away).min()) > best
    heavy = loss.replace(penalty=2.0)
    assert float(heavy(point([0.8, 0.0]))) < float(heavy(point([0.8, 1e-3])))
    # The penalty's subgradient at a weight of 0 is 0.
    np.testing.assert_allclose(gradient_by_autograd(heavy, point([0.0, 0.0])), -2 * b, rtol=1e-15)


def test_huber_is_a_half_mse_near_and_absolute_far() -> None:
    near, half = Huber(delta=1e6), MSE(data="stackloss", standardize=True)
    x = somewhere(near, 5)
    np.testing.assert_allclose(near(x), half(x) / 2, rtol=1e-14)  # observed 2e-16
    far = Huber(delta=1e-9)
    absolute = half.residuals(x).abs().mean(-1)
    np.testing.assert_allclose(far(x) / 1e-9, absolute, rtol=1e-9)  # observed 4e-11
    torchs = torch.nn.functional.huber_loss(
        half.residuals(x[0]), torch.zeros(21, dtype=torch.float64), delta=2.0
    )
    assert float(Huber(delta=2.0)(x[0])) == pytest.approx(float(torchs), rel=1e-14)  # observed 0


def optimum(loss: Loss) -> scipy.optimize.OptimizeResult:
    def value(x: np.ndarray) -> float:
        return float(loss(torch.from_numpy(x)))

    def gradient(x: np.ndarray) -> np.ndarray:
        return gradient_by_autograd(loss, torch.from_numpy(x))

    start = torch.as_tensor(loss.start).numpy()
    return scipy.optimize.minimize(value, start, jac=gradient, tol=1e-9)


@pytest.mark.parametrize(
    "loss",
    [Logistic(data="breast_cancer", penalty=0.01), Softmax(penalty=0.01), Huber(delta=2.0)],
    ids=lambda loss: type(loss).__name__,
)
def test_a_run_ends_at_the_optimum_that_scipy_finds(loss: Loss) -> None:
    run = gdlab.run(loss=loss, optimizer="nesterov", lr=0.2, steps=8000)
    assert run.outcome.status == Status.CONVERGED
    found = optimum(loss)
    assert run.outcome.final_loss == pytest.approx(found.fun, rel=1e-12)  # observed 7e-15
    # The minimizers of softmax differ by what adds the same to all classes; scipy's path and ours
    # both start at 0 and never go that way. Observed 4e-7.
    assert relative(run.outcome.x, found.x) <= 1e-5


def test_cross_entropies_are_torchs() -> None:
    loss = Logistic()
    x = 3 * somewhere(loss)
    scores = loss.inputs @ x
    torchs = torch.nn.functional.binary_cross_entropy_with_logits(scores, loss.targets)
    assert float(loss(x)) == pytest.approx(float(torchs), rel=1e-14)  # observed 2e-16
    several = Softmax(data="digits", standardize=False)
    x = somewhere(several)
    scores = several.inputs @ x.reshape(10, 65).T
    torchs = torch.nn.functional.cross_entropy(scores, several.targets.long())
    assert float(several(x)) == pytest.approx(float(torchs), rel=1e-14)  # observed 2e-16
    assert several.names[0] == "0:pixel_0_0"
    assert several.names[-1] == "9:intercept"


def test_large_scores_neither_overflow_nor_lose_small_costs() -> None:
    """Cost and gradient of a right label at a score of 40 are e⁻⁴⁰, of a wrong one 40 and 1."""
    for size, right in ((40.0, math.exp(-40)), (1e4, 0.0)):
        for label in (0.0, 1.0):
            sign = 2 * label - 1
            score = point([sign * size, -sign * size]).requires_grad_()
            cost = Logistic().costs(score, point([label, label]))
            (gradient,) = torch.autograd.grad(cost.sum(), score)
            assert cost.tolist() == pytest.approx([right, size], rel=1e-14)  # observed 0
            assert gradient.tolist() == pytest.approx([-sign * right, -sign], rel=1e-14)


def test_accuracy_is_the_share_of_right_labels() -> None:
    loss = Logistic(data="breast_cancer")
    accuracy = loss.metrics["accuracy"]
    benign = float((loss.targets == 1).sum()) / 569
    assert float(accuracy(point([0.0] * 30 + [1.0]))) == pytest.approx(benign, rel=1e-15)
    assert float(accuracy(point([0.0] * 31))) == pytest.approx(1 - benign, rel=1e-15)
    several = Softmax()
    x = somewhere(several)
    best = (several.inputs @ x.reshape(3, 5).T).argmax(1)
    right = float((best == several.targets).sum()) / 150
    assert 0 < right < 1
    assert float(several.metrics["accuracy"](x)) == pytest.approx(right, rel=1e-15)
    assert MSE().metrics == {}


# Data sets and features.


def test_polynomial_features_have_names_and_values(tmp_path: Path) -> None:
    file = tmp_path / "two.csv"
    file.write_text("x,z,y\n2,3,1\n-1,0.5,0\n4,1,2\n", "utf-8")
    loss = MSE(data=str(file), degree=3)
    cubic = ("x^3", "x^2*z", "x*z^2", "z^3")
    assert loss.names == ("x", "z", "x^2", "x*z", "z^2", *cubic, "intercept")
    assert loss.inputs[0].tolist() == [2, 3, 4, 6, 9, 8, 12, 18, 27, 1]
    scaled = MSE(data=str(file), degree=2, standardize=True)
    np.testing.assert_allclose(scaled.inputs[:, :-1].mean(0), 0, atol=1e-15)  # observed 2e-16
    np.testing.assert_allclose(scaled.inputs[:, :-1].std(0, correction=0), 1, rtol=1e-14)
    assert scaled.inputs[:, -1].tolist() == [1, 1, 1]


BAD: list[tuple[type[Loss], dict[str, Any], str]] = [
    (MSE, {"degree": 0}, "degree=0: must be a whole number ≥ 1 and ≤ 100"),
    (MSE, {"features": ["x", "x"]}, "features=[x,x]: x occurs more than once"),
    (MSE, {"data": "digits", "degree": 50}, "degree=50: makes 6.6e+32 features from 64, too many"),
    (
        MSE,
        {"data": "digits", "degree": 4},
        "degree=4: makes 814,384 features from 64, too many for 1 GiB with 1,797 examples",
    ),
    (MSE, {"data": "pontius", "degree": 60}, "degree=60: x^48 exceeds the largest float64"),
    (Ridge, {"penalty": -1}, "penalty=-1: must be a finite number ≥ 0"),
    (Huber, {"delta": 0}, "delta=0: must be a finite number > 0"),
    (Logistic, {"data": "iris"}, "data=iris: the labels must be 0 and 1, but there are 3 classes"),
    (
        Logistic,
        {"data": "diabetes"},
        "data=diabetes: the 214 different labels must be 0 to 213, but one is 214",
    ),
    (Softmax, {"data": "longley"}, "the 16 different labels must be 0 to 15, but one is 60171"),
    (Softmax, {"data": "digits"}, "standardize=true: the column pixel_0_0 of digits is constant"),
    (Softmax, {"batch_size": 151}, "batch_size=151: must be at most 150, the number of examples"),
]


@pytest.mark.parametrize(("cls", "settings", "message"), BAD)
def test_bad_settings_are_refused(cls: type[Loss], settings: Any, message: str) -> None:
    with pytest.raises(SettingError) as error:
        cls(**settings)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_no_exact_answers_for_too_many_parameters() -> None:
    loss = MSE(data="digits", degree=2)
    assert (loss.dim, loss.solution, loss.minimum, loss.curvature) == (2145, None, None, None)


TOO_LARGE = {
    "the Hessian": ("1e308,1\n-1e308,2\n1e308,3\n", False, torch.float64),
    "the features": ("1e160,3\n2e160,5\n3e160,7\n", False, torch.float32),
    "the targets": ("1,1e200\n2,2e200\n3,4e200\n", True, torch.float32),
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_what_is_too_large_to_solve_is_a_run_that_diverges(case: str, tmp_path: Path) -> None:
    rows, standardize, dtype = TOO_LARGE[case]
    (tmp_path / "d.csv").write_text(f"x,y\n{rows}")
    loss = MSE(data=str(tmp_path / "d.csv"), standardize=standardize)
    if case == "the Hessian":
        assert loss.curvature is None
    run = gdlab.run(loss=loss, dtype=str(dtype).removeprefix("torch."), steps=3)
    assert run.outcome.status == Status.DIVERGED


def test_too_many_different_labels_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "counted.csv"
    file.write_text("x,y\n" + "".join(f"{i},{i}\n" for i in range(12_000)), "utf-8")
    with pytest.raises(SettingError, match="12,000 labels make more scores than fit into 1 GiB"):
        Softmax(data=str(file))


def test_labels_that_are_all_alike_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "alike.csv"
    file.write_text("x,y\n1,1\n2,1\n", "utf-8")
    with pytest.raises(SettingError, match=r"the labels must be 0, 1, …, but all are 1$"):
        Softmax(data=str(file))


SHAPES = {
    "iris": (150, 4, [50, 50, 50]),
    "wine": (178, 13, [59, 71, 48]),
    "breast_cancer": (569, 30, [212, 357]),
    "digits": (1797, 64, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
}


@pytest.mark.parametrize("name", SHAPES)
def test_bundled_classes(name: str) -> None:
    """The sizes and classes that scikit-learn's documentation names."""
    examples = read_examples(name, None, None)
    rows, columns, counts = SHAPES[name]
    assert examples.features.shape == (rows, columns)
    assert np.bincount(examples.targets.astype(int)).tolist() == counts


def test_losses_of_one_file_share_its_numbers_until_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("x,y\n1,2\n2,3\n", "utf-8")
    first = MSE(data=str(file))
    again = MSE(data=str(file))
    assert again.inputs.data_ptr() == first.inputs.data_ptr()
    file.write_text("x,y\n1,2\n2,3\n5,6\n", "utf-8")
    assert MSE(data=str(file)).examples == 3
    assert first.examples == 2


def test_a_file_read_block_by_block_is_the_same_as_a_whole(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    table = random.standard_normal((60_000, 4))
    file = tmp_path / "data.csv"
    text = "\n".join(",".join(map(repr, row)) for row in table.tolist())
    file.write_text(f"a,b,c,d\n{text}\n", "utf-8")
    assert file.stat().st_size > 2**22  # several blocks
    choose = partial(data_module._choose_columns, file, "b", ("d", "a"))
    streamed = data_module._stream(file, choose, True)
    assert streamed is not None
    assert np.array_equal(streamed.features, np.column_stack([table[:, [3, 0]], np.ones(60_000)]))
    assert np.array_equal(streamed.targets, table[:, 1])
    whole = data_module._from_table(CsvTable.read(file), choose, True)
    assert np.array_equal(whole.features, streamed.features)
    assert np.array_equal(prepare_examples(str(file), "b", ("d", "a")).features, table[:, [3, 0]])
