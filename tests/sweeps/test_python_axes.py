"""Lists that Python gives a sweep: several values of a setting, or one."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import gdlab
from gdlab.losses import Quadratic
from gdlab.optimizers import SGD, Adam, Lookahead
from gdlab.sweeps.python_axes import axes_of, grid_of

MULTISTEP = {"schedule": "multistep"}
ADAM = {"optimizer": "adam"}
LOOKAHEAD = {"optimizer": "lookahead"}
TORCH = {"optimizer": "torch"}

# what else is given, the setting, its value, the number of values
LISTS: list[tuple[dict[str, Any], str, Any, int]] = [
    (MULTISTEP, "schedule.milestones", [2, 4], 1),
    (MULTISTEP, "schedule.milestones", (2, 4), 1),
    (MULTISTEP, "schedule.milestones", range(2, 5), 1),
    (MULTISTEP, "schedule.milestones", np.array([2, 4]), 1),
    (MULTISTEP, "schedule.milestones", [[2, 4], [3, 5]], 2),
    ({"schedule": ["constant", "multistep"]}, "schedule.milestones", [2, 4], 1),
    ({}, "transform.shift", [1, 2], 1),
    ({}, "transform.shift", torch.tensor([1.0, 2.0]), 1),
    ({}, "transform.shift", [[0, 0], [1, 2]], 2),
    ({}, "transform.shift", [0, [1, 2]], 2),
    ({}, "transform.rotation", [1, 2], 2),
    ({}, "lr", [0.1, 0.2], 2),
    ({}, "lr", (0.1, 0.2), 2),
    ({}, "lr", np.array([0.1, 0.2]), 2),
    ({}, "lr", torch.tensor([0.1, 0.2]), 2),
    ({}, "lr", pd.Series([0.1, 0.2], index=[7, 3]), 2),
    ({}, "lr", (rate / 10 for rate in (1, 2)), 2),
    ({}, "lr", {"a": 0.1, "b": 0.2}.values(), 2),
    ({"loss": "mse"}, "loss.data", Path("d.csv"), 1),
    ({"loss": "mse"}, "loss.data", [Path("d.csv"), "iris"], 2),
    ({"loss": "mse"}, "loss.features", pd.Index(["bmi", "bp"]), 1),
    ({"loss": "mse"}, "loss.features", iter([["bmi"], ["bp"]]), 2),
    ({}, "start", pd.Series([1, 2]), 1),
    ({}, "start", pd.DataFrame([[1, 2], [3, 4]]).itertuples(index=False), 2),
    ({}, "optimizer", iter(["sgd", "adam"]), 2),
    ({}, "noise", [0.1, 0.2], 2),
    (ADAM, "optimizer.betas", [0.9, 0.99], 1),
    (ADAM, "optimizer.betas", np.array([0.9, 0.99]), 1),
    (ADAM, "optimizer.betas", [0.9, 1.5], 1),  # out of range, and still the two betas
    (ADAM, "optimizer.betas", [0.9], 1),
    (ADAM, "optimizer.betas", [(0.5, 0.9), (0.9, 0.99)], 2),
    ({"optimizer": [Adam(), SGD()]}, "optimizer.betas", [0.9, 0.99], 1),
    ({"optimizer": ["adam", "adamw"]}, "optimizer.eps", [1e-8, 1e-3], 2),
    ({**LOOKAHEAD, "optimizer.inner": "adam"}, "optimizer.inner.betas", [0.9, 0.99], 1),
    ({**LOOKAHEAD, "optimizer.inner": ["sgd", "adam"]}, "optimizer.inner.betas", [0.9, 0.99], 1),
    ({"optimizer": Lookahead(inner=Adam())}, "optimizer.inner.betas", [0.9, 0.99], 1),
    (LOOKAHEAD, "optimizer.inner", ["sgd", "adam"], 2),
    # torch declares no types: one value if the class accepts a list
    (TORCH, "optimizer.kwargs.betas", [0.9, 0.99], 1),
    (TORCH, "optimizer.kwargs.eps", [1e-8, 1e-3], 2),
    ({**TORCH, "optimizer.cls": "torch.optim.Rprop"}, "optimizer.kwargs.etas", [0.5, 1.2], 1),
    ({**TORCH, "optimizer.cls": "torch.optim.Rprop"}, "optimizer.kwargs.etas", [[0.5, 1.2]], 1),
    ({**TORCH, "optimizer.cls": "torch.optim.SGD"}, "optimizer.kwargs.momentum", [0, 0.9], 2),
    ({"loss": "mlp"}, "loss.widths", [3], 1),
    ({"loss": "mlp"}, "loss.widths", [[3], [4, 4]], 2),
    ({"loss": "mlp"}, "loss.widths", [], 1),
    ({"loss": Quadratic()}, "loss.center", [1, 2], 1),
    ({"loss": "expression"}, "loss.formula", ["x**2", "y**2"], 2),
    ({"loss": "expression"}, "loss.variables", ["x", "y"], 1),
    ({"loss": "mse"}, "loss.features", ["bmi", "bp"], 1),
    ({}, "loss.data", ["line3", "diabetes"], 2),  # no such setting of this loss
    ({}, "start", [1, 2], 1),
    ({}, "start", torch.tensor([1.0, 2.0]), 1),
    ({}, "start", [float("nan"), 2], 1),
    ({}, "start", [[1, 2], [3, 4]], 2),
    ({}, "start", np.array([[1, 2], [3, 4]]), 2),
    ({}, "start", [None, "random"], 2),
    ({}, "seed", range(3), 3),
    ({}, "summary.by", ["lr"], 1),
    ({}, "stop.loss", [1, 2], 2),
    ({}, "no.such.setting", [1, 2], 2),
]


@pytest.mark.parametrize(("rest", "key", "value", "count"), LISTS)
def test_the_declared_type_says_whether_a_list_is_one_value(rest, key, value, count):
    given = {"loss": "quadratic", "optimizer": "sgd", **rest, key: value}
    axis = axes_of(given)[list(given).index(key)]
    assert len(axis) == count


def test_lists_that_are_one_value_run():
    given: dict[str, Any] = {"schedule.milestones": [[2, 4], [3, 5]], "transform.shift": [1, 2]}
    results: Any = gdlab.sweep(schedule="multistep", steps=6, **given).results
    assert results["schedule.milestones"].tolist() == ["[2,4]", "[3,5]"]
    shifted = gdlab.Transform(shift=(1, 2))
    alone = gdlab.run(schedule=gdlab.schedules.MultiStep((2, 4)), steps=6, transform=shifted)
    assert results["final_loss"][0] == alone.outcome.final_loss


def test_tables_in_memory_vary_and_a_pair_is_one() -> None:
    x, y = torch.arange(6.0).reshape(3, 2), torch.tensor([0.0, 1.0, 3.0])
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 3.0], "y": [0.0, 1.0]})
    assert len(grid_of({"loss": "mse", "data": (x, y)})) == 1
    grid = grid_of({"loss": "mse", "data": [(x, y), (-x, y), frame, "line3"]})
    assert grid.axes[1].texts == [
        "a table of 3 × 3 in memory",
        "a table of 3 × 3 in memory-2",
        "a table of 2 × 3 in memory",
        "line3",
    ]


def test_the_results_tell_tables_in_memory_apart() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 3.0], "y": [0.0, 1.0]})
    swept = gdlab.sweep("mse", data=[frame, -frame], intercept=[True, False], steps=1)
    assert swept.results["loss.data"].unique().tolist() == [
        "a table of 2 × 3 in memory",
        "a table of 2 × 3 in memory-2",
    ]
