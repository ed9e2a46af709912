"""Runs sorted by the function that they minimize, and what they are called."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gdlab.errors import SettingError
from gdlab.viewer.problems import Problem, problems_of
from gdlab.viewer.reading import Reader, ReadRun
from gdlab.viewer.run_settings import axes_of, differing, labels_of_runs, rate_of


@pytest.fixture(scope="module")
def problems(runs) -> dict[str, Problem]:
    return {problem.title: problem for problem in problems_of(Reader(runs).read().runs)}


def test_each_function_is_a_problem(problems):
    counts = {title: len(problem.runs) for title, problem in problems.items()}
    assert counts == {
        "quadratic, condition=10": 4,
        "quadratic, condition=100": 4,
        "rosenbrock": 4,
        "ellipsoid": 1,
        "x**4 - 3*x**2 + x": 1,
        "Mine": 1,
    }
    assert [problem.id for problem in problems.values()] == [f"p{k}" for k in range(6)]


def test_problems_that_differ_in_a_number_are_a_group(problems):
    ten, hundred = (problems[f"quadratic, condition={c}"] for c in (10, 100))
    assert ten.group == hundred.group
    assert [p.settings for p in (ten, hundred)] == [
        {"loss.condition": 10.0},
        {"loss.condition": 100.0},
    ]
    assert len({problem.group for problem in problems.values()}) == 5


def test_a_loss_of_a_persons_own_is_made_only_if_trusted(runs, problems):
    mine = problems["Mine"].head()
    assert (mine["has_landscape"], mine["dim"]) == (False, 2)
    assert mine["why"].startswith("the files hold no function to evaluate (")
    trusted = {p.title: p for p in problems_of(Reader(runs).read().runs, trust=True)}
    assert trusted["Mine"].head()["has_landscape"]


def test_a_number_of_the_loss_can_be_changed(problems):
    changed = problems["quadratic, condition=10"].changed({"condition": 1000.0})
    assert not isinstance(changed.made, str)
    assert changed.made.loss.condition == 1000.0
    with pytest.raises(SettingError, match=r"loss\.b: is no number of this loss"):
        changed.changed({"b": 1.0})
    with pytest.raises(SettingError, match=r"loss\.dim: must stay"):
        changed.changed({"dim": 3.0})
    with pytest.raises(SettingError, match="condition"):
        changed.changed({"condition": -1.0})


def test_axes_are_what_differs_and_labels_name_it(problems):
    runs = problems["quadratic, condition=10"].runs
    keys = differing(runs)
    assert keys == ["optimizer", "lr"]  # the momentum follows from the optimizer
    assert [(axis["numeric"], axis["values"]) for axis in axes_of(runs, keys)] == [
        (False, ["momentum", "sgd"]),
        (True, [0.005, 0.01]),
    ]
    assert {*labels_of_runs(runs, keys)} == {
        f"{name}, lr = {lr}" for name in ("sgd", "momentum") for lr in (0.005, 0.01)
    }


def test_runs_with_equal_settings_have_the_names_of_their_directories(problems):
    runs = problems["rosenbrock"].runs
    labels = labels_of_runs(runs, differing(runs))
    names = ("adam", "damaged", "writing")
    assert sorted(labels) == [*(f"adam, lr = 0.05 ({name})" for name in names), "sgd, lr = 0.02"]


def test_the_rate_is_that_of_gradient_descent_on_a_quadratic(problems):
    """(1 − lr)² per step for the smallest eigenvalue 1 (Nesterov, Introductory Lectures, 2.1.5)."""
    problem = problems["quadratic, condition=10"]
    rates = {
        run.settings["lr"]: rate_of(problem, run)
        for run in problem.runs
        if run.settings["optimizer"] == "sgd"
    }
    assert rates == pytest.approx({lr: (1 - lr) ** 2 for lr in (0.005, 0.01)}, rel=1e-14)
    assert rate_of(problems["rosenbrock"], problems["rosenbrock"].runs[0]) is None


LOSS = {"_target_": "gdlab.losses.MSE", "data": "diabetes", "standardize": True, "batch_size": None}
SAME = [
    ({"loss": {**LOSS, "batch_size": 8}}, True),
    ({"loss": {**LOSS, "standardize": False}}, False),
    ({"loss": {**LOSS, "_target_": "my.MSE"}}, False),
    ({"transform": {"scale": 1}}, True),
    ({"transform": {"scale": 2.0}}, False),
    ({"loss": "five"}, False),
    ({"loss": {1: None, "a": [float("nan")]}}, False),
]


@pytest.mark.parametrize(("change", "is_same"), SAME)
def test_what_is_the_same_function(change, is_same):
    config = {"loss": LOSS, "transform": {"scale": 1.0}}
    runs = [run_of("one", config), run_of("other", {**config, **change})]
    assert len(problems_of(runs)) == 2 - is_same


def test_a_large_loss_is_evaluated_in_blocks_at_fewer_points():
    problem = problems_of([run_of("one", {"loss": LOSS})], trust=True)[0]
    assert not isinstance(problem.made, str)
    assert problem.made.objective.examples == 442
    assert problem.most_side == 248  # 248² points, 442 examples, 11 dimensions: 3e8 products
    assert problem.landscape is not None
    points = np.random.default_rng(0).normal(size=(3, 4_000, problem.dim))
    whole = problem.made.objective(torch.from_numpy(points[1])).numpy()
    np.testing.assert_array_equal(problem.landscape.value(points)[1], whole)


def run_of(name: str, config: dict[Any, Any]) -> ReadRun:
    return ReadRun(Path(name), name, config, {}, {}, True, (), ())
