"""The names of a sweep's runs, in its directory and in TensorBoard's list."""

from typing import Any

import numpy as np
import pytest

from gdlab.config.loading import settings_from_flat
from gdlab.sweeps.grid import Axis, product
from gdlab.sweeps.plan import Group, Plan

# axes, and the name of the last run
NAMES: list[tuple[dict[str, list[Any]], str]] = [
    ({"optimizer": ["sgd", "adam"], "lr": [0.1, 0.01], "seed": [0, 1]}, "adam,lr=0.01,seed=1"),
    ({"optimizer.momentum": [0.0, 0.9], "loss.parameters.a": [1, 2]}, "momentum=0.9,a=2"),
    ({"lr": [1e-4, 0.00010023075482838654]}, "lr=0.000100231"),
    ({"lr": [0.1, 0.10000000000000002]}, "lr=0.10000000000000002"),
    ({"optimizer.eps": [1, 2], "schedule.eps": [3, 4]}, "optimizer.eps=2,schedule.eps=4"),
    ({"stop.loss": [1.0, 0.5], "optimizer.inner.lr": [1, 2]}, "stop.loss=0.5,optimizer.inner.lr=2"),
    ({"start.0": [1, 2], "start.1": [3, 4]}, "start.0=2,start.1=4"),
    ({"loss": ["beale", "mgh/wood"], "lr": [0.1]}, "mgh.wood"),
    ({"lr": [0.1]}, "run=0"),
]


@pytest.mark.parametrize(("axes", "name"), NAMES)
def test_a_run_is_named_shortly_by_what_varies(axes, name):
    grid = product([Axis(key, values, [str(v) for v in values]) for key, values in axes.items()])
    group = Group(settings_from_flat({}), {}, np.arange(len(grid)))
    plan = Plan(grid, (group,), (None,))
    assert plan.name(len(plan) - 1) == name
    assert len({plan.name(run) for run in range(len(plan))}) == len(plan)
