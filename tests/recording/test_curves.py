"""Which curves a run has in TensorBoard, how they are named, and where they have points."""

import math
from typing import Any

import numpy as np
import pytest

from gdlab.config.loading import settings_from_flat
from gdlab.engine.history import History
from gdlab.recording.curves import Curves
from gdlab.recording.thinning import thinned_steps


def records(settings: Any, losses: list[float]) -> History:
    """Records of a run, whose loss is as far above the known minimum as it says."""
    n, dim = len(losses), settings.objective.dim
    loss, minimum = np.array(losses), settings.objective.minimum
    return History(
        step=np.arange(n),
        loss=loss,
        grad_norm=np.ones(n),
        lr=np.full(n, settings.lr),
        x=np.zeros((n, dim)),
        suboptimality=None if minimum is None else loss - float(minimum),
        metrics={name: np.ones(n) for name in settings.metrics},
    )


def curves(losses: list[float], points: int = 1000, **flat: Any) -> dict[str, dict[int, float]]:
    """The points of a run by tag and step."""
    settings = settings_from_flat({"lr": 0.1, "steps": 1000, **flat})
    found: dict[str, dict[int, float]] = {}
    for steps, values in Curves(settings, points).points(records(settings, losses)):
        for tag, column in values.items():
            found.setdefault(tag, {}).update(zip(steps.tolist(), column.tolist(), strict=True))
    return found


LOGISTIC = {"loss": "logistic", "lr": 0.5}

# settings, and the groups in the order in which TensorBoard shows them
GROUPS = [
    ({}, ["loss", "step", "theory", "x"]),
    ({"schedule": "cosine"}, ["loss", "step", "x"]),
    ({**LOGISTIC, "record.sharpness_every": 2, "schedule": "cosine"}, ["loss", "step"]),
]


@pytest.mark.parametrize(("flat", "groups"), GROUPS)
def test_the_loss_is_the_first_group(flat, groups):
    tags = curves([3.0, 2.0], **flat)
    assert sorted({tag.split("/")[0] for tag in tags} - {"lr"}) == groups
    assert sorted([*groups, "overview", "pictures"])[:2] == ["loss", "overview"]


def test_metrics_stand_beside_the_loss_and_the_sharpness_beside_its_limit():
    tags = curves([3.0, 2.0, 1.0], **LOGISTIC, **{"record.sharpness_every": 2})
    assert list(tags["loss/accuracy"]) == [0, 1, 2]
    assert list(tags["loss/sharpness"]) == [0, 2]
    assert tags["loss/sharpness_limit"] == {0: 2 / 0.5, 2: 2 / 0.5}


# settings, and the logarithm that is shown
LOGARITHMS = [
    ({"loss": "rosenbrock", "lr": 1e-3}, "loss/log10_suboptimality"),
    (LOGISTIC, "loss/log10_loss"),
]


@pytest.mark.parametrize(("flat", "tag"), LOGARITHMS)
def test_a_logarithm_has_gaps_where_it_is_not_finite(flat, tag):
    tags = curves([100.0, 0.0, 0.01, -1.0, math.inf, math.nan], **flat)
    assert tags[tag] == {0: 2.0, 2: -2.0}
    assert list(tags["loss"]) == list(range(6))
    assert [name for name in tags if "log10" in name] == [tag]


@pytest.mark.parametrize("points", [200, 1000])
def test_a_tag_has_at_most_as_many_points_as_asked(points):
    losses = np.geomspace(1, 1e-9, 4001).tolist()
    tags = curves(losses, points, loss="rosenbrock", lr=1e-3, steps=4000)
    for tag, found in tags.items():
        assert list(found) == thinned_steps(4000, points).tolist(), tag
