"""Points given by the names of coordinates, by every entrance."""

from collections.abc import Mapping
from typing import Any

import pytest
from helpers.command import HERE, QUIET, refusal

import gdlab
from gdlab.derivatives import report
from gdlab.errors import SettingError
from gdlab.fields.by_name import in_order
from gdlab.losses import Expression

F = "y**2 + x"


def test_values_come_in_the_order_of_the_names() -> None:
    assert in_order({"y": 2, "x": 1}, ("x", "y"), "start") == (1, 2)
    assert in_order((3, 4, 5), ("x", "y"), "start") == (3, 4, 5)


WRONG: list[tuple[Mapping[str, Any], str]] = [
    ({"x": 1}, "start={x:1}: must have a value for each of x, y"),
    ({}, "start={}: must have a value for each of x, y"),
    ({"x": 1, "y": 2, "z": 3}, "start.z=3: no such coordinate; the coordinates are x, y"),
]


@pytest.mark.parametrize(("given", "says"), WRONG)
def test_a_name_that_is_unknown_or_missing_is_refused(given: Mapping[str, Any], says: str) -> None:
    with pytest.raises(SettingError) as refused:
        in_order(given, ("x", "y"), "start")
    assert str(refused.value) == says
    with pytest.raises(SettingError) as refused:
        gdlab.run(Expression(F), start=given)
    assert str(refused.value).startswith(says)  # and how a constant is given


def test_the_coordinates_of_a_function_have_no_names() -> None:
    with pytest.raises(SettingError, match=r"^start={x:1}: must be a list of numbers, without nam"):
        gdlab.run(lambda p: p.square().sum(), start={"x": 1})


def test_a_start_by_name_on_the_command_line(here, gd) -> None:
    words = ("loss=expression", f"loss.formula={F}", "steps=1")
    assert gd(*words, "start={y:2,x:1}", *HERE).code == 0
    history = gdlab.load("run").history()
    assert tuple(history.loc[0, ["x0", "x1", "loss"]]) == (1, 2, 5)
    assert gd("-m", *words, "start={y:2,x:1},{x:0,y:3}", "hydra.sweep.dir=s", *QUIET).code == 0
    losses = [gdlab.load("s").history(run)["loss"][0] for run in (0, 1)]
    assert losses == [5, 9]
    said = refusal(gd(*words, "start={x:a,y:2}", *HERE, "hydra.run.dir=other"))
    assert "must be a number" in said


def test_a_start_by_name_from_python() -> None:
    run = gdlab.run(Expression(F), start={"y": 2, "x": 1}, steps=1)
    assert run.settings.start == (1, 2)
    swept = gdlab.sweep(
        loss=Expression(F), start=[{"y": 2, "x": 1}, {"x": 0, "y": 3}], lr=0.5, steps=1
    )
    assert swept.results["final_loss"].tolist() == [0.5, -0.5]


def test_a_report_takes_points_directions_and_formulas_by_name() -> None:
    loss = Expression("v*u**2")
    one = report(loss, at={"v": 2, "u": 1}, direction={"v": 1, "u": 0}, step={"u": 0.1, "v": 0})
    assert one.text == report(loss, at=[1, 2], direction=[0, 1], step=[0.1, 0]).text
    assert "point     u = 1, v = 2" in one.text
    other = report(loss, inner={"v": "x-y", "u": "x+y"}, at={"y": 1, "x": 2})
    assert other.text == report(loss, inner=["x+y", "x-y"], at=[2, 1]).text
    along = report(loss, path={"v": "cos(t)", "u": "t"}, t=1)
    assert along.text == report(loss, path=["t", "cos(t)"], t=1).text
    jacobian = report(loss, formulas=["y*x", "x+y"], at={"y": 1, "x": 2})
    assert jacobian.text == report(loss, formulas=["y*x", "x+y"], at=[2, 1]).text
    with pytest.raises(SettingError, match=r"^at.w=1: no such coordinate"):
        report(loss, at={"w": 1, "u": 2})
