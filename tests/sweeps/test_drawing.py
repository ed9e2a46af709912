"""Pictures of sweeps from Python, and the labels of their runs."""

from typing import Any

import numpy as np
import pytest

import gdlab
from gdlab.plots.colors import CATEGORIES

GIVEN: dict[str, Any] = {"lr": [1e-4, 3e-4, 1e-3, 2e-3, 3e-3], "optimizer": ["sgd", "adam"]}
SWEPT = gdlab.sweep("rosenbrock", steps=10, **GIVEN)


def test_an_optimizer_has_one_color_in_all_pictures_of_a_sweep() -> None:
    for kind in ("overview", "convergence", "sensitivity"):
        figure = SWEPT.plot(kind)
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        colors = [line.get_color() for line in figure.legends[0].get_lines()]
        looks = dict(zip(names, colors, strict=True))
        assert (looks["sgd"], looks["adam"]) == (CATEGORIES[0][0], CATEGORIES[1][0])
        drawn = {line.get_color() for line in figure.axes[0].lines}
        assert {CATEGORIES[0][0], CATEGORIES[1][0]} <= drawn


def test_the_runs_are_run_again_as_they_were() -> None:
    figure = SWEPT.plot("convergence")
    ends = [float(np.asarray(line.get_ydata())[-1]) for line in figure.axes[0].lines]
    results: Any = SWEPT.results
    names = ("sgd", "adam")
    assert ends == [float(results[results["optimizer"] == n]["final_loss"].min()) for n in names]


def test_a_picture_that_a_sweep_does_not_have_is_refused_with_those_that_it_has() -> None:
    reason = (
        "kind=basins: cannot be drawn, only start.0 .*; can be drawn: overview, convergence, sens"
    )
    with pytest.raises(gdlab.SettingError, match=reason):
        SWEPT.plot("basins")
    with pytest.raises(gdlab.SettingError, match="kind=loss: must be one of overview, basins"):
        SWEPT.plot("loss")


# what varies, and the names of the first curves
NAMES: list[tuple[dict[str, Any], list[str]]] = [
    ({"optimizer": "momentum", "momentum": [0.0, 0.5]}, ["momentum = 0", "momentum = 0.5"]),
    (
        {"optimizer": ["sgd", "momentum"], "loss.b": [1.0, 100.0], "seed": [0, 1]},
        ["sgd, b = 1", "sgd, b = 100", "momentum, b = 1", "momentum, b = 100"],
    ),
]


@pytest.mark.parametrize(("given", "names"), NAMES)
def test_numbers_that_vary_make_curves_with_their_names(given: Any, names: list[str]) -> None:
    swept = gdlab.sweep("rosenbrock", steps=3, lr=GIVEN["lr"], **given)
    legend = swept.plot("sensitivity").legends[0]
    assert [text.get_text() for text in legend.get_texts()][: len(names)] == names


def test_a_sweep_without_paths_draws_the_first_picture_that_it_has() -> None:
    figure = gdlab.sweep(["booth", "beale"], ["sgd", "adam"], lr=0.01, steps=2).plot()
    assert [axes.get_title() for axes in figure.axes] == ["booth", "beale"]


def test_a_sweep_read_from_files_draws_what_its_tables_hold(tmp_path: Any) -> None:
    quiet: dict[str, Any] = {"record.events": False, "record.figures": False}
    gdlab.sweep("booth", lr=[0.1, 0.2], steps=2, directory=tmp_path / "s", **quiet)
    recorded = gdlab.load(tmp_path / "s")
    with pytest.raises(gdlab.SettingError, match=r"evaluate; can be drawn: convergence$"):
        recorded.plot("overview")
    curves = recorded.plot().axes[0].lines
    ends = [float(np.asarray(line.get_ydata())[-1]) for line in curves]
    assert ends == recorded.to_frame()["final_loss"].tolist()
    assert recorded.to_frame()["lr"].tolist() == [0.1, 0.2]
