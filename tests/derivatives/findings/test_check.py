"""The gradient check: right gradients pass, wrong ones are caught."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from losses.cases import PUBLISHED
from losses.mgh_cases import MGH
from torch import Tensor

import gdlab
from derivatives.calculus import EXAMPLES
from gdlab.derivatives.findings.check import check_gradient
from gdlab.errors import SettingError
from gdlab.losses import MLP, Expression, Lasso, Loss, Rosenbrock

unary = st.sampled_from(["sin", "cos", "exp", "atan", "tanh", "sigmoid", "softplus", "erf"])
numbers = st.floats(-2, 2).map(lambda value: f"{value:.3g}")


def combine(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, st.sampled_from("+-*"), inner)
    return st.one_of(
        st.tuples(unary, inner).map(lambda pair: f"{pair[0]}({pair[1]})"),
        pairs.map(lambda triple: "({} {} {})".format(*triple)),
        inner.map(lambda text: f"({text})**2"),
        inner.map(lambda text: f"1/(1 + ({text})**2)"),
    )


smooth = st.recursive(st.one_of(st.sampled_from(["x", "y"]), numbers), combine, max_leaves=8)


@settings(max_examples=200)
@given(smooth, st.tuples(st.floats(-2, 2), st.floats(-2, 2)))
def test_smooth_functions_pass(text: str, at: tuple[float, float]) -> None:
    loss = Expression(f"{text} + 0.1*x*y", variables=("x", "y"))
    found = check_gradient(loss, at)
    assert found.passed, found.problems


@pytest.mark.parametrize("case", [*PUBLISHED, *MGH][::2], ids=lambda case: case.id)
def test_published_problems_pass(case: Any) -> None:
    found = check_gradient(case.loss)
    assert found.passed, found.problems


def test_a_network_passes_in_random_directions() -> None:
    found = check_gradient(MLP(widths=(8,), count=20))
    assert found.passed
    assert {trial.along for trial in found.trials} == {"a random direction"}


class Wrong(torch.autograd.Function):
    """x³ with a slope of 3x² times a factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.factor = factor
        return x**3

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]  # ctx
        (x,) = ctx.saved_tensors
        return grads[0] * 3 * x**2 * ctx.factor, None


class Cubes(Loss):
    """Σ x³ whose gradient is off by a factor."""

    factor: float = 1.0
    dim: int = 2  # type: ignore[assignment]
    start: tuple[float, ...] = (1.0, 2.0)  # type: ignore[assignment]

    def __call__(self, x: Tensor) -> Tensor:
        value: Any = Wrong.apply(x, self.factor)
        return value.sum(-1)


@pytest.mark.parametrize("factor", [0.0, -1.0, 0.5, 0.999, 1.00001, math.nan])
def test_a_wrong_gradient_is_caught(factor: float) -> None:
    loss = Cubes()
    object.__setattr__(loss, "factor", factor)
    found = check_gradient(loss)
    assert not found.passed
    if not math.isnan(factor):
        assert found.verdict == "WRONG: the gradient is not the derivative of the loss"
        wrong = [trial for trial in found.trials if trial.verdict == "wrong"]
        assert wrong
        # The error of a wrong slope does not depend on the step.
        assert wrong[0].slope == pytest.approx(0, abs=0.2)  # observed 0.12 for a factor of 1.00001
    else:
        assert "the gradient is not finite" in found.problems[0]


def test_a_right_gradient_written_by_hand_passes() -> None:
    assert check_gradient(Cubes()).passed


class Neighbors(Loss):
    """A loss that mixes its rows."""

    dim: int = 1  # type: ignore[assignment]
    start: tuple[float, ...] = (1.0,)  # type: ignore[assignment]

    def __call__(self, x: Tensor) -> Tensor:
        return x[..., 0] ** 2 + 0.01 * x[..., 0].detach().mean()


class Restless(Loss):
    """A loss that changes with every call."""

    dim: int = 1  # type: ignore[assignment]
    start: tuple[float, ...] = (1.0,)  # type: ignore[assignment]
    calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        type(self).calls += 1
        return x[..., 0] ** 2 + type(self).calls


class Double(Loss):
    """A loss that returns float64 for points of any dtype."""

    dim: int = 1  # type: ignore[assignment]
    start: tuple[float, ...] = (1.0,)  # type: ignore[assignment]

    def __call__(self, x: Tensor) -> Tensor:
        return x[..., 0].to(torch.float64) ** 2


class Nowhere(Loss):
    """A loss without a value."""

    dim: int = 1  # type: ignore[assignment]
    start: tuple[float, ...] = (1.0,)  # type: ignore[assignment]

    def __call__(self, x: Tensor) -> Tensor:
        return x[..., 0] + math.nan


@pytest.mark.parametrize(
    ("loss", "problem"),
    [
        (Neighbors(), "in a batch"),
        (Restless(), "two calls at the same points return different values"),
        (Double(), "for float32 points the loss is float64"),
        (Nowhere(), "the loss is not finite at any of the points"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_problems(loss: Loss, problem: str) -> None:
    found = check_gradient(loss)
    assert not found.passed
    assert any(problem in message for message in found.problems), found.problems


def test_a_kink_is_a_remark_and_no_problem() -> None:
    found = check_gradient(lambda x: torch.relu(x).sum(), [0.0, 1.0])
    assert found.passed
    assert [trial.verdict for trial in found.trials] == ["a kink", "right"]
    assert "1 of 2 slopes are at a kink" in found.remarks[0]
    lasso = Lasso(penalty=0.1)
    assert check_gradient(lasso, [0.0] * lasso.dim).passed


@pytest.mark.parametrize(
    ("formula", "at", "verdicts"),
    [
        # No derivative at the edge of the domain, at a jump, at a vertical tangent: unsure.
        ("sqrt(1-x**2)+x", [1.0], ["a vertical tangent"]),
        ("(1-x)**1.5", [1.0], ["the edge of the domain"]),
        ("sign(x)", [0.0], ["a jump"]),
        ("x**(1/3)", [0.0], ["a vertical tangent"]),
        ("sqrt(x)*y", [0.0, 1.0], ["a vertical tangent", "right"]),
        ("abs(x)-y", [0.0, 1.0], ["a kink", "right"]),
        # Scales far from 1.
        ("sin(1000*x)", [1e7], ["right"]),
        ("sin(x)", [1e10], ["right"]),
        ("1/x", [1e-10], ["right"]),
        ("log(x)", [1e-12], ["right"]),
        ("log(x)", [1e-300], ["right"]),
        ("exp(x)", [709.0], ["right"]),
        ("cos(1e10*x)", [1.0], ["right"]),
        ("cos(1e20*x)", [1.0], ["right by its formula"]),
        # The product rule does not hold at 0: this is x.
        ("abs(x)*sign(x)", [0.0], ["wrong"]),
    ],
)
def test_what_differences_cannot_show_is_not_wrong(
    formula: str, at: list[float], verdicts: list[str]
) -> None:
    found = check_gradient(Expression(formula), at)
    assert [trial.verdict for trial in found.trials] == verdicts
    assert found.passed == ("wrong" not in verdicts)
    tested = {"a kink", "right", "right by its formula"}
    is_unsure = not tested.issuperset(verdicts) and found.passed
    assert found.verdict.startswith("unsure: ") == is_unsure


def test_points_outside_the_domain_are_a_remark_and_no_problem() -> None:
    found = check_gradient(Expression("x**2 - 0.1*log(x)"))
    assert found.passed
    assert "the loss is not finite at" in found.remarks[0]


def test_explicit_points() -> None:
    assert check_gradient(Rosenbrock(), [[1.0, 1.0], [0.5, 2.0]]).points == 2
    assert gdlab.check_gradient(lambda x: x.square().sum(), [3.0]).points == 1
    assert check_gradient(Expression(EXAMPLES[0].formula)).points == 12


# a loss, its settings, and what the result says of itself
BY_NAME: list[tuple[Any, dict[str, Any], str]] = [
    ("rosenbrock", {}, "Check(correct: 1 point, 2 slopes)"),
    ("quadratic", {"condition": 5}, "Check(correct: 1 point, 2 slopes)"),
    (Rosenbrock, {"loss.b": 5}, "Check(correct: 1 point, 2 slopes)"),
    (lambda x: (x * x.detach()).sum(), {}, "Check(WRONG: 1 point, 2 slopes)"),
]


def test_a_gradient_with_a_kink_is_correct_where_there_is_a_derivative() -> None:
    found = gdlab.check_gradient(lambda x: abs(x).sum(), [0.0, 1.0])
    assert repr(found) == "Check(correct where there is a derivative: 1 point, 2 slopes)"
    assert found.remarks[0].startswith("1 of 2 slopes are at a kink")


@pytest.mark.parametrize(("f", "settings", "shown"), BY_NAME)
def test_a_loss_is_checked_by_name(f: Any, settings: dict[str, Any], shown: str) -> None:
    found = gdlab.check_gradient(f, [1.0, 2.0], **settings)
    assert repr(found) == shown
    extent = shown.partition(": ")[2].rstrip(")")
    assert str(found).splitlines() == [found.verdict, extent, *found.problems]


@pytest.mark.parametrize(
    ("f", "x", "message"),
    [
        ("rosenbrok", [1.0], "^loss=rosenbrok: no such choice, did you mean rosenbrock"),
        (lambda x: x.sum(), None, "x=None: must be a point if f is not a loss"),
        (Rosenbrock(), [1.0], r"x=\[1\]: must be 2 numbers, one for each of x0, x1; got 1"),
        (Rosenbrock(), [1.0, math.inf], r"x=\[1,inf\]: must be finite"),
        (lambda x: x.sum(), [], r"^x=\[\]: must be one point or several"),
        (lambda x: x.sum(), ["a"], r"^x=\[a\]: must be numbers, one point or several"),
        (lambda x: x.sum(), [[1.0, 2.0], [3.0]], "must be numbers, one point or several of the"),
        (lambda x: x.sum(), [math.nan], r"^x=\[nan\]: must be finite"),
    ],
)
def test_invalid_points(f: Any, x: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        check_gradient(f, x)
