"""Which losses optimizers take: those small enough, or for some those proved to be quadratic."""

import dataclasses
from typing import Any

import pytest
import torch
from helpers.batches import finish, make_batch
from hypothesis import given, settings
from hypothesis import strategies as st
from losses.cases import DIABETES
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gdlab import losses
from gdlab.config.loading import resolve_choice
from gdlab.engine.loop import advance
from gdlab.errors import SettingError
from gdlab.fields.suggestions import choices_of
from gdlab.losses import MLP, Expression, Loss, Module, PointLoss, Quadratic, Transform
from gdlab.losses.function import Function
from gdlab.optimizers import (
    BFGS,
    LBFGS,
    Adam,
    GaussNewton,
    LevenbergMarquardt,
    LineSearchDescent,
    Muon,
    NaturalGradient,
    Newton,
    Optimizer,
)
from gdlab.optimizers.oracle import is_quadratic
from optimizers.choices import optimizer_of

LINE = torch.tensor([-1.0, 1.0, 3.0, 5.0])[:, None] * torch.tensor([700.0, -300.0])
"""Points on both sides of the kinks of random formulas."""


class Bowl(PointLoss):
    """A custom loss."""

    dim, start = 2, (1.0, 1.0)  # type: ignore[assignment]

    def point(self, x: Tensor) -> Tensor:
        """Return a sum of squares."""
        return (x * x).sum() + 3 * x[0] - x[0] * x[1]


class Smooth(Bowl):
    """A custom loss whose operations are those of no polynomial."""

    def point(self, x: Tensor) -> Tensor:
        """Return ‖x‖², by way of the norm."""
        return x.norm() ** 2


class Declared(Smooth):
    """The same loss with its own word."""

    is_quadratic = True  # type: ignore[override]


def parabola(a: float | Tensor, power: float | Tensor = 2) -> Expression:
    return Expression("a*x**p + x*y", parameters={"a": a, "p": power})


def module(*last: nn.Module) -> Module:
    return Module(module=nn.Sequential(nn.Linear(2, 2), *last), task="regression", count=8)


REGRESSION = MLP(data="two_moons", count=8, task="regression", widths=())

QUADRATIC: dict[str, Loss] = {
    "quadratic": Quadratic(dim=3),
    "unevenly scaled": Transform(rotation=1, scale=(1.0, 2.0)).of(Quadratic(dim=2)),
    "mse": DIABETES,
    "ridge": losses.Ridge(data="diabetes"),
    "trid": losses.Trid(),
    "sphere": losses.Sphere(dim=1),
    "hilbert": losses.Hilbert(),
    "least squares of lines": losses.LinearRank1Zero(),
    "saddle": losses.Saddle(),
    "a formula": Expression("1e9 + 5*(x - 1)*(y + 2) - x**2/3"),
    "a formula of degree 1": Expression("x - y + pi"),
    "parameters": Expression("a*x**2 + x*y", parameters={"a": torch.tensor([1.0, 2.0])}),
    "a function": Function(lambda x: (x**2).sum() + (x[0] - 1) ** 2, (1.0, 2.0)),
    "a custom loss": Bowl(),
    "a custom loss that says so": Declared(),
    "no hidden layer": REGRESSION,
    "a linear module": Module(module=nn.Linear(2, 1), task="regression", count=8),
}

NOT_QUADRATIC: dict[str, Loss] = {
    "huber": losses.Huber(data="diabetes"),
    "lasso": losses.Lasso(data="diabetes"),
    "logistic": losses.Logistic(),
    "softmax": losses.Softmax(),
    "mlp": MLP(),
    "a hidden layer": dataclasses.replace(REGRESSION, widths=(2,), activation="relu"),
    "classes": dataclasses.replace(REGRESSION, task="classification"),
    "absolute values": Expression("abs(x) + abs(y)"),
    "linear pieces": Expression("max(x, 0) + min(y, 2*y, 3)"),
    "quadratic pieces": Expression("max(x**2, y**2)"),
    "linear where it starts": Expression("x + max(0, x - 1e6)**2 + y"),
    "cubic": Expression("1e-9*x**3 + y**2"),
    "bilinear in three": Expression("x*y*z"),
    "an exponent": parabola(1, torch.tensor([2.0, 3.0])),
    "a function with a kink": Function(lambda x: x.abs().sum(), (1.0, 2.0)),
    "a function in pieces": Function(lambda x: torch.where(x > 9, x**2, x).sum(), (1.0, 2.0)),
    "two linear layers": module(nn.Linear(2, 1)),
    "a module in pieces": module(nn.ReLU(), nn.Linear(2, 1)),
    "a custom loss without its word": Smooth(),
    "transformed": Transform(shift=1.0).of(losses.Huber(data="diabetes")),
}


@pytest.mark.parametrize("case", QUADRATIC)
def test_a_loss_that_is_quadratic_is_known_to_be(case: str) -> None:
    assert is_quadratic(QUADRATIC[case], 2)


@pytest.mark.parametrize("case", NOT_QUADRATIC)
def test_a_loss_that_is_not_known_to_be_quadratic_is_refused(case: str) -> None:
    loss = NOT_QUADRATIC[case]
    batch = make_batch(loss, LineSearchDescent(line_search="exact"), [1.0, 1.0])
    what = f"must be wolfe or armijo: loss={type(loss).__name__} is not known to be quadratic"
    with pytest.raises(SettingError, match=f"^optimizer.line_search=exact: {what}$"):
        finish(batch)


def combine(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    shapes = ["({} + {})", "({} - {})", "({} * {})", "max({}, {})", "min({}, {})"]
    shapes += ["{}**2 + {}", "{}/3 - {}", "abs({}) + {}", "sin({}) * {}", "atan({}) - {}"]
    return st.builds(str.format, st.sampled_from(shapes), parts, parts)


FORMULAS = st.recursive(
    st.sampled_from(["x", "y", "1e3", "(x - 1)", "(y/4 + x)"]), combine, max_leaves=5
)


@settings(max_examples=60)
@given(FORMULAS)
def test_formulas_taken_as_quadratic_are_parabolas_along_a_line(formula: str) -> None:
    loss = Expression(f"{formula} + 0*x*y")
    if is_quadratic(loss, 1):
        values = loss(LINE.double())
        # Third differences vanish; observed: 2.6e-16.
        assert abs(float(values.diff(n=3))) <= 1e-12 * float(values.abs().max())


# Matrices that do not fit into memory

EXTENDED: Any = resolve_choice("loss", "mgh/extended_rosenbrock")

# an optimizer, a loss, and the shape that is refused
TOO_LARGE: list[tuple[Optimizer, Loss, str]] = [
    (Newton(), Quadratic(dim=10**6), "1,000,000 by 1,000,000"),
    (Newton(modified=True), Quadratic(dim=8193), "8,193 by 8,193"),
    (BFGS(), Quadratic(dim=10**5), "100,000 by 100,000"),
    (LBFGS(history=1000), Quadratic(dim=10**5), "1,000 by 100,000"),
    (NaturalGradient(), Quadratic(dim=10**5), "100,000 by 100,000"),
    (GaussNewton(), EXTENDED.replace(dim=10**4), "10,000 by 10,000"),
    (LevenbergMarquardt(), EXTENDED.replace(dim=10**4), "20,000 by 10,000"),
]


@pytest.mark.parametrize(("optimizer", "loss", "shape"), TOO_LARGE)
def test_too_large_a_matrix_is_refused_before_it_is_made(
    optimizer: Optimizer, loss: Loss, shape: str
) -> None:
    batch = make_batch(loss, optimizer)
    for mode in ("eager", "compiled"):
        with pytest.raises(SettingError, match=f"needs a matrix of {shape} for this loss"):
            next(advance(dataclasses.replace(batch, mode=mode)))


def test_rows_with_a_matrix_each_are_cut_to_what_fits() -> None:
    batch = make_batch(Quadratic(dim=1000), BFGS(), [0.1] * 200)
    assert [len(part) for part in batch.parts()] == [64, 64, 64, 8]
    assert [len(part) for part in dataclasses.replace(batch, optimizer=Adam()).parts()] == [200]


ONE_OF_EACH = {type(optimizer_of(n)): n for n in choices_of("optimizer") if n != "custom"}.values()


class Largest(TorchDispatchMode):
    """Notes the number of float64 numbers in the largest tensor that is made."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call an operation and note the size of its results."""
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple) else (made,):
            if isinstance(tensor, Tensor):
                self.numbers = max(self.numbers, tensor.untyped_storage().nbytes() // 8)
        return made


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_an_optimizer_makes_no_larger_matrix_than_it_says(name: str) -> None:
    """What it makes for each row in two steps is that matrix, or a few vectors."""
    optimizer, loss = optimizer_of(name), EXTENDED.replace(dim=20)
    if isinstance(optimizer, NaturalGradient | Muon):
        loss = losses.Logistic() if isinstance(optimizer, NaturalGradient) else MLP(widths=(4,))
    batch = make_batch(loss, optimizer, [1e-3] * 32, steps=2)
    with Largest() as largest:
        finish(batch)
    height, width = optimizer.matrix_shape(loss)
    vectors = 10 * max(loss.dim, loss.examples or 0)  # observed: 8
    assert largest.numbers <= 32 * max(height * width, vectors)
