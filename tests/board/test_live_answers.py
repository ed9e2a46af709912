"""The messages of the live bench: what it offers for a scene, and a run in its plane."""

from typing import Any

import numpy as np
import pytest

import gdlab
from gdlab.board.service import Service
from gdlab.viewer.format import decode

LEAN: dict[str, Any] = {"record.figures": False, "record.events": False, "steps": 12}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Of runs on a loss of two dimensions and one of three."""
    root = tmp_path_factory.mktemp("runs")
    gdlab.run("rosenbrock", "adam", lr=0.05, directory=root / "plane", **LEAN)
    space: dict[str, Any] = {"loss.dim": 3, "loss.condition": 30.0}
    gdlab.run("quadratic", lr=0.01, seed=3, directory=root / "space", **space, **LEAN)
    return Service(root)


def ask(service, name, title, **query):
    problems = decode(service.answer("catalogue", {}))["problems"]
    (problem,) = (each["id"] for each in problems if each["title"].startswith(title))
    return decode(service.answer(name, {"problem": problem, **query}))


def test_a_page_begins_with_what_was_run(service, monkeypatch):
    monkeypatch.setattr("gdlab.board.choices.optimizer_names", lambda: ("adam", "sgd"))
    offered = ask(service, "choices", "rosenbrock")
    start = (offered["optimizer"], offered["lr"], offered["seed"], offered["start"])
    assert start == ("adam", 0.05, 0, [-1.2, 1.0])
    assert [field["name"] for field in offered["loss"]] == ["a", "b"]


def test_a_run_lies_in_the_plane_of_the_scene(service):
    query = {"optimizer": "adam", "lr": "0.02", "start": "-0.1,0.3", "loss.b": "7"}
    found = ask(service, "live", "rosenbrock", **query)
    run = gdlab.run("rosenbrock", "adam", lr=0.02, start=[-0.1, 0.3], b=7.0)
    origin = ask(service, "scene", "rosenbrock")["origin"]
    ours = found["run"]
    np.testing.assert_array_equal(ours["path"], (run.history.x - origin).astype(np.float32))
    np.testing.assert_array_equal(ours["loss"], run.history.loss.astype(np.float32))
    assert run.history.suboptimality is not None
    np.testing.assert_array_equal(
        ours["suboptimality"], run.history.suboptimality.astype(np.float32)
    )
    outcome = run.outcome
    assert (ours["status"], ours["steps"]) == (str(outcome.status), outcome.steps)
    assert (ours["final_loss"], ours["lr_limit"]) == (outcome.final_loss, outcome.lr_limit)
    words = ["loss=rosenbrock", "loss.b=7.0", "optimizer=adam", "lr=0.02", "start=[-0.1,0.3]"]
    assert found["words"] == words
    assert found["command"].endswith(" 'start=[-0.1,0.3]'")


def test_a_start_is_a_point_of_the_plane_in_more_dimensions(service):
    found = ask(service, "live", "quadratic", optimizer="newton", start="0.5,0.25")
    scene = ask(service, "scene", "quadratic")
    path = found["run"]["path"].astype(float) + scene["origin"]
    np.testing.assert_allclose(path[0], [0.5, 0.25], atol=1e-6)  # float32, observed: 2e-8
    (typed,) = (word for word in found["words"] if word.startswith("start="))
    start = [float(part) for part in typed.removeprefix("start=[").removesuffix("]").split(",")]
    run = gdlab.run("quadratic", "newton", start=start, dim=3, condition=30.0)
    assert len(start) == 3
    np.testing.assert_array_equal(found["run"]["loss"], run.history.loss.astype(np.float32))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"start": "1"}, "start=1: must be 2 finite numbers with commas between"),
        ({"start": "1,nan"}, "start=1,nan: must be 2 finite numbers with commas between"),
        ({"optimizer": "os.system"}, "optimizer=os.system"),
        ({"view": "0,1,0,1"}, "view=0,1,0,1: no such setting"),
        ({"plane": "0,1"}, "plane=0,1"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(service, query, message):
    with pytest.raises(gdlab.SettingError) as caught:
        ask(service, "live", "rosenbrock", **query)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
