"""Messages asked of the server by name and query, and what it refuses."""

import shutil

import numpy as np
import pytest
from helpers.recorded import QUIET
from scipy.optimize import rosen

import gdlab
from gdlab.board.service import Service
from gdlab.errors import GdlabError
from gdlab.viewer.format import decode


@pytest.fixture(scope="module")
def service(runs) -> Service:
    return Service(runs)


@pytest.fixture(scope="module")
def ids(service) -> dict[str, str]:
    catalogue = decode(service.answer("catalogue", {}))
    assert catalogue["version"] == 1 and catalogue["complete"]
    return {problem["title"]: problem["id"] for problem in catalogue["problems"]}


def test_the_catalogue_lists_problems_and_what_is_wrong(service):
    catalogue = decode(service.answer("catalogue", {}))
    assert [problem["runs"] for problem in catalogue["problems"]] == [4, 4, 4, 1, 1, 1]
    assert catalogue["notes"] == ["writing: is still being written, so that its path is not shown"]
    settings = [p["settings"] for p in catalogue["problems"] if p["settings"]]
    assert settings == [{"loss.condition": 10.0}, {"loss.condition": 100.0}]


def test_a_scene_is_made_once(service, ids):
    query = {"problem": ids["rosenbrock"], "plane": ""}
    assert service.answer("scene", query) is service.answer("scene", query)
    assert len(decode(service.answer("scene", query))["runs"]) == 3


def test_a_grid_of_any_view(service, ids):
    query = {"problem": ids["rosenbrock"], "view": "0,0.9,-1,2", "side": "16"}
    grid = decode(service.answer("grid", query))["grid"]
    x, y = np.linspace(0, 0.9, 16), np.linspace(-1, 2, 16)
    np.testing.assert_allclose(grid["values"], rosen(np.stack(np.meshgrid(x, y))), rtol=1e-7)


def test_a_grid_and_a_point_of_another_loss_of_the_family(service, ids):
    """½ (x² + c y²): its Hessian is diag(1, c)."""
    query = {"problem": ids["quadratic, condition=10"], "at": "1,2", "loss.condition": "50"}
    point = decode(service.answer("point", query))
    assert point["hessian"] == [[1.0, 0.0], [0.0, 50.0]]
    assert (point["value"], point["gradient"]) == (100.5, [1.0, 100.0])
    query = {**query, "view": "0,1,0,1", "side": "2"}
    grid = decode(service.answer("grid", query))["grid"]
    assert grid["values"][1, 1] + grid["base"] == 25.5


def test_marks_and_runs(service, ids):
    problem = {"problem": ids["x**4 - 3*x**2 + x"]}
    assert len(decode(service.answer("marks", problem))["marks"]) == 3
    run = decode(service.answer("run", {**problem, "run": "0"}))["run"]
    assert run["step"].tolist() == list(range(31))


ROSENBROCK, LINE, FIVE, MINE = "rosenbrock", "x**4 - 3*x**2 + x", "ellipsoid", "Mine"
REFUSED = [
    ("secrets", ROSENBROCK, {}, "secrets: must be one of catalogue, scene, grid"),
    ("scene", "../../etc", {}, "problem=../../etc: there is no such problem"),
    ("scene", FIVE, {"plane": "0,5"}, "plane=0,5: must be principal or two of the coordinates"),
    ("scene", FIVE, {"plane": "/etc/passwd"}, "plane=/etc/passwd: must be principal"),
    ("run", ROSENBROCK, {"run": "4"}, "run=4: must be a whole number 0 to 3"),
    ("run", ROSENBROCK, {"run": "-1"}, "run=-1: must be a whole number 0 to 3"),
    ("run", ROSENBROCK, {}, "run: is missing"),
    ("grid", ROSENBROCK, {"side": "9"}, "view: is missing"),
    ("grid", ROSENBROCK, {"view": "0,1,0,1", "side": "513"}, "side=513: must be a whole number 2"),
    ("grid", ROSENBROCK, {"view": "0,1,0,1", "side": "٣"}, "side=٣: must be a whole number"),
    ("grid", ROSENBROCK, {"view": "0,1,0,nan"}, "view=0,1,0,nan: must be 4 finite numbers"),
    ("grid", ROSENBROCK, {"view": "0,1,2,1"}, "view=0,1,2,1: must be lower and upper limits"),
    ("grid", ROSENBROCK, {"view": "0,1,0,1e200"}, "view=0,1,0,1e200: must be lower and upper"),
    ("grid", ROSENBROCK, {"view": "1" * 999}, "view: must have at most 256 characters"),
    ("grid", LINE, {"view": "0,1", "side": "2002"}, "side=2002: must be a whole number 2 to 2001"),
    ("grid", MINE, {"view": "0,1,0,1"}, "the files hold no function to evaluate"),
    ("point", ROSENBROCK, {"at": "0"}, "at=0: must be 2 finite numbers"),
    ("point", MINE, {"at": "0,0"}, "the files hold no function to evaluate"),
    ("point", ROSENBROCK, {"at": "0,0", "loss.c": "1"}, "loss.c: is no number of this loss"),
    ("point", ROSENBROCK, {"at": "0,0", "loss._target_": "1"}, "loss._target_: is no number"),
    ("point", ROSENBROCK, {"at": "0,0", "loss.a": "inf"}, "loss.a=inf: must be a finite number"),
    ("point", ROSENBROCK, {"at": "0,0", "loss.dim": "9"}, "loss.dim: must stay as it is"),
]


@pytest.mark.parametrize(("name", "title", "query", "message"), REFUSED)
def test_what_is_refused(name, title, query, message, service, ids):
    with pytest.raises(GdlabError) as raised:
        service.answer(name, {"problem": ids.get(title, title), **query})
    assert message in str(raised.value)
    assert len(raised.value.lines) == 1


def test_a_trusted_loss_of_a_persons_own_has_a_landscape(runs):
    service = Service(runs, trust=True)
    catalogue = decode(service.answer("catalogue", {}))
    (mine,) = [p for p in catalogue["problems"] if p["title"] == "Mine"]
    point = decode(service.answer("point", {"problem": mine["id"], "at": "3,4"}))
    assert point["value"] == 25.0


def test_new_runs_are_seen(runs, tmp_path):
    shutil.copytree(runs / "line", tmp_path / "line")
    service = Service(tmp_path)
    before = service.answer("scene", {"problem": "p0"})
    assert len(decode(service.answer("catalogue", {}))["problems"]) == 1
    assert service.answer("scene", {"problem": "p0"}) is before
    gdlab.run("sphere", steps=2, directory=tmp_path / "new", **QUIET)
    assert len(decode(service.answer("catalogue", {}))["problems"]) == 2


def test_a_directory_without_runs(tmp_path):
    service = Service(tmp_path)
    assert decode(service.answer("catalogue", {}))["problems"] == []
    with pytest.raises(GdlabError, match="problem=p0: there is no such problem"):
        service.answer("scene", {})
