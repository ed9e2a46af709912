"""Which pictures a sweep and its runs get, and the lines of theory in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import gdlab
from gdlab.losses import Quadratic, Rosenbrock
from gdlab.optimizers import SGD
from gdlab.plots.background import Background
from gdlab.plots.trajectory import trajectory_png
from gdlab.recording import backgrounds, run_plots
from gdlab.recording.history_file import read_history as real
from gdlab.sweeps import illustrating, plots, run_dirs

LRS = [0.02, 0.04, 0.08, 0.1, 0.15]
FEW = LRS[:4]
PICTURES = {"overview", "sensitivity", "basins"}


@pytest.fixture(autouse=True)
def one_core(monkeypatch):
    """Draw in this process, where the tests look on."""
    monkeypatch.setattr(illustrating, "available_cores", lambda: 1)


@pytest.fixture
def draw(tmp_path, monkeypatch) -> Callable[..., dict[str, Any]]:
    """Run a sweep and return the arguments of each picture's function, without drawing it."""

    def call(**given: Any) -> dict[str, Any]:
        asked: dict[str, Any] = {}

        def keep(name: str) -> Callable[..., object]:
            def picture(*positional: Any, **named: Any) -> object:
                asked[name] = positional, named
                return object()

            return picture

        for name in PICTURES:
            monkeypatch.setattr(plots, f"draw_{name}", keep(name))
        monkeypatch.setattr(plots, "render", lambda figure, suffix: b"picture")
        quiet = {"record.events": False, "record.max_figures": 0}
        gdlab.sweep(**{"steps": 5, **quiet, **given}, directory=tmp_path / "s")
        drawn = {path.stem for path in (tmp_path / "s").glob("*.png")}
        assert drawn == set(asked)
        return asked

    return call


# what is swept, and the pictures of it
SWEEPS: list[tuple[dict[str, Any], set[str]]] = [
    ({}, set()),
    ({"seed": range(3), "start": "random"}, {"overview"}),
    ({"lr": FEW}, {"overview"}),
    ({"lr": LRS}, {"overview", "sensitivity"}),
    ({"lr": LRS, "seed": range(2)}, {"overview", "sensitivity"}),
    ({"lr": [0.1] * 5}, {"overview"}),
    ({"optimizer": ["sgd", "adam"]}, {"overview"}),
    ({"optimizer.momentum": [0.1, 0.2]}, {"overview"}),
    ({"start": [[1, 2], [3, 4]]}, {"overview"}),
    ({"loss": ["quadratic", "rosenbrock"]}, set()),
    ({"loss.condition": [1, 2]}, set()),
    ({"loss.condition": [1, 2], "lr": LRS}, {"sensitivity"}),
    ({"loss": "rosenbrock", "loss.dim": 5, "lr": LRS}, {"overview", "sensitivity"}),
    ({"start": [0, 0], "start.0": [1, 2], "start.1": [1, 2]}, {"basins"}),
    ({"start": [0, 0], "start.0": [1, 2], "start.1": [1, 2], "lr": LRS}, {"basins", "sensitivity"}),
    ({"start": [0, 0], "start.0": [1, 2]}, {"overview"}),
    (
        {
            "loss": "rosenbrock",
            "loss.dim": 3,
            "start": [0, 0, 0],
            "start.0": [1, 2],
            "start.1": [1, 2],
        },
        {"overview"},
    ),
    ({"lr": LRS, "record.max_run_dirs": 0}, {"sensitivity"}),
    ({"lr": LRS, "record.figures": False}, set()),
    ({"loss": "rosenbrock", "loss.dim": 5, "record.max_coords": 3, "seed": [0, 1]}, set()),
]


@pytest.mark.parametrize(("given", "pictures"), SWEEPS)
def test_the_pictures_follow_from_what_varies(given, pictures, draw):
    assert set(draw(**given)) == pictures


NO_LINES: dict[str, Any] = {}

# what is swept beside lr, and the lines of theory in the picture, one number for each series
LINES: list[tuple[dict[str, Any], dict[str, list[float]]]] = [
    # 2/L, and 2/(μ + L) with μ = 1 and L the condition
    ({"loss.condition": 10}, {"stability limit": [2 / 10], "optimal lr": [2 / 11]}),
    (
        {"loss.condition": [10, 40], "summary.by": ["loss.condition"]},
        {"stability limit": [2 / 10, 2 / 40], "optimal lr": [2 / 11, 2 / 41]},
    ),
    (
        {"loss.condition": [10, 40]},
        {"stability limit": [2 / 10, 2 / 40], "optimal lr": [2 / 11, 2 / 41]},
    ),
    # one line for runs of two conditions would be wrong of one of them
    ({"loss.condition": [10, 40], "summary.by": []}, NO_LINES),
    # 2 (1 + β)/L
    ({"optimizer": SGD(momentum=0.5), "loss.condition": 10}, {"stability limit": [2 * 1.5 / 10]}),
    (
        {"optimizer": "momentum", "optimizer.momentum": [0.5, 0.9], "loss.condition": 10},
        {"stability limit": [2 * 1.5 / 10, 2 * 1.9 / 10]},
    ),
    ({"optimizer": ["sgd", "adam"]}, NO_LINES),
    ({"optimizer": "adam"}, NO_LINES),
    ({"loss": "rosenbrock"}, NO_LINES),
    ({"loss": [Quadratic(condition=4), Rosenbrock()]}, NO_LINES),
    (
        {"loss": [Quadratic(condition=4), Quadratic(condition=8)]},
        {"stability limit": [2 / 4, 2 / 8], "optimal lr": [2 / 5, 2 / 9]},
    ),
    # theory speaks of a constant lr, all examples, exact gradients
    ({"schedule": "cosine"}, NO_LINES),
    ({"noise.scale": 0.1}, NO_LINES),
    ({"loss": "mse", "loss.batch_size": 1}, NO_LINES),
    # an eigenvalue is zero or negative
    ({"loss": Quadratic(eigenvalues=(0.0, 4.0))}, {"stability limit": [2 / 4]}),
    ({"loss": "saddle"}, NO_LINES),
    ({"loss": Quadratic(eigenvalues=(3.0, -1.0))}, NO_LINES),
    ({"seed": [0, 1], "loss.condition": 10}, {"stability limit": [2 / 10], "optimal lr": [2 / 11]}),
]


@pytest.mark.parametrize(("given", "lines"), LINES)
def test_lines_of_theory_are_drawn_only_where_they_are_known(given, lines, draw):
    _, named = draw(lr=LRS, **given)["sensitivity"]
    assert set(named["lines"]) == set(lines)
    for name, values in lines.items():
        np.testing.assert_allclose(named["lines"][name], values, rtol=1e-14)


def test_the_sensitivity_is_the_tables(draw, tmp_path):
    given: dict[str, Any] = {"lr": [*LRS, 5.0], "optimizer": ["sgd", "adam"], "seed": range(4)}
    asked = draw(**given, steps=400, start="random")
    ((series, palette), named) = asked["sensitivity"]
    assert named["labels"] == ("lr", "final loss")
    assert palette.values == ("sgd", "adam")
    results: Any = gdlab.load(tmp_path / "s").results
    assert list(series) == ["sgd", "adam"]
    for name, band in series.items():
        assert list(band.x) == given["lr"]
        for at, lr in enumerate(given["lr"]):
            rows = results[(results["optimizer"] == name) & (results["lr"] == lr)]
            lost = rows["status"] == "diverged"
            values = pd.Series(np.where(lost, np.inf, rows["final_loss"]))
            if not lost.any():
                drawn = [band.low[at], band.median[at], band.high[at]]
                # observed: at most 2e-16 apart
                np.testing.assert_allclose(drawn, values.quantile([0.25, 0.5, 0.75]), rtol=1e-15)
    assert series["sgd"].median[-1] == np.inf
    winners = gdlab.load(tmp_path / "s").best()
    for one in winners:
        band = series[one.combination["optimizer"]]
        assert band.best == ((one.choice["lr"], one.metric[1], one.is_by_evaluations),)
        assert band.median[band.x == one.choice["lr"]] == one.metric[1]
    assert [one.is_by_evaluations for one in winners] == [True, True]


def test_the_overviews_paths_are_the_runs(draw, tmp_path):
    asked = draw(lr=LRS)
    ((_, paths, palette), _) = asked["overview"]
    assert (palette.setting, list(palette.values)) == ("lr", LRS)
    sweep = gdlab.load(tmp_path / "s")
    assert [path.value for path in paths] == LRS
    for run, path in enumerate(paths):
        np.testing.assert_array_equal(path.points, sweep.history(run)[["x0", "x1"]])


def test_the_lowest_run_is_among_the_paths(draw, monkeypatch):
    monkeypatch.setattr(plots, "_MAX_PATHS", 2)
    ((_, paths, _), named) = draw(lr=LRS, optimizer=["sgd", "adam"])["overview"]
    assert named["total"] == 10
    assert [path.name for path in paths] == ["sgd,lr=0.1", "adam,lr=0.08"]


def test_a_basin_is_the_minimizer_that_a_start_came_near_to(draw):
    x, y = [-3.0, -2.0, 3.0, 3.5], [-3.0, 2.0, 3.0]
    given: dict[str, Any] = {
        "loss": "himmelblau",
        "start": [0, 0],
        "start.0": x,
        "start.1": y,
        "lr": 0.01,
    }
    ((across, up, labels, names, minimizers), _) = draw(**given, steps=500)["basins"]
    assert (across.tolist(), up.tolist(), names) == (x, y, ("x0", "x1"))
    for i, row in enumerate(labels):
        for j, label in enumerate(row):
            end = gdlab.run(loss="himmelblau", start=(x[j], y[i]), lr=0.01, steps=500).outcome.x
            away = [float(np.hypot(*(end - point))) for point in np.asarray(minimizers)]
            assert label == int(np.argmin(away))
            assert min(away) < 1e-3
    assert len(set(np.ravel(labels).tolist())) == 4


class OffPath(gdlab.Loss):
    """Cannot be drawn: it takes at most 64 points at once."""

    dim: int = 2  # type: ignore[assignment]
    start = (1.0, 1.0)  # type: ignore[assignment]

    def __call__(self, x):
        if x.ndim != 2 or len(x) > 64:
            raise RuntimeError("off the path")
        return x.square().sum(-1)


def test_a_loss_that_cannot_be_drawn_ends_no_sweep_and_is_named(tmp_path, capsys):
    sweep = gdlab.sweep(loss=OffPath(), lr=[*FEW, 0.2], steps=5, directory=tmp_path / "s")
    assert len(sweep.results) == 5
    assert [path.name for path in (tmp_path / "s").rglob("*.png")] == ["sensitivity.png"]
    why = "is not drawn (RuntimeError: off the path)"
    said = [f"warning: lr={lr}: the trajectory {why}" for lr in [*FEW, 0.2]]
    told = capsys.readouterr().err.splitlines()
    assert sorted(told) == sorted([*said, f"warning: the overview {why}"])


def count_backgrounds(monkeypatch, tmp_path, **given: Any) -> int:
    """Count how often the loss is drawn for the trajectories of a sweep."""
    drawn = []

    def counted(*arguments: Any) -> Background:
        drawn.append(arguments)
        return Background(*arguments)

    monkeypatch.setattr(backgrounds, "Background", counted)
    gdlab.sweep(**given, steps=20, directory=tmp_path / "s")
    count = len(list((tmp_path / "s").glob("*/trajectory.png")))
    assert count == len(gdlab.load(tmp_path / "s").results)
    return len(drawn)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"loss": "rosenbrock", "lr": [1e-4, 2e-4, 3e-4]}, 1),
        ({"loss": "rosenbrock", "schedule": ["constant", "cosine"], "lr": 1e-3}, 1),
        # another loss, though in the same view
        ({"loss": "rosenbrock", "loss.b": [100, 90], "lr": [1e-4, 2e-4]}, 2),
        ({"loss": [Rosenbrock(), Rosenbrock(b=90.0)], "lr": 2e-4}, 2),
        # the plane of each path
        ({"loss": "rosenbrock", "loss.dim": 3, "lr": [1e-4, 2e-4]}, 2),
    ],
)
def test_a_loss_is_drawn_once_for_the_runs_that_share_its_view(
    given, expected, monkeypatch, tmp_path
):
    assert count_backgrounds(monkeypatch, tmp_path, **given) == expected


def test_a_run_of_a_sweep_is_drawn_as_if_alone(tmp_path):
    sweep = gdlab.sweep(loss="rosenbrock", lr=[1e-4, 2e-4], steps=20, directory=tmp_path / "s")
    for run, lr in enumerate(sweep.results["lr"]):
        alone = gdlab.run(loss="rosenbrock", lr=lr, steps=20)
        points = sweep.history(run)[["x0", "x1"]].to_numpy(copy=True)
        png = trajectory_png(run_plots.landscape(alone.settings), np.arange(21), points)
        assert (tmp_path / "s" / f"lr={lr}" / "trajectory.png").read_bytes() == png


def test_the_basins_of_several_sweeps_in_one_are_those_of_the_best_runs_settings(draw):
    starts: dict[str, Any] = {"start": [0, 0], "start.0": [-3.0, 3.0], "start.1": [2.0, 3.0]}
    several: dict[str, Any] = {"lr": [1e-5, 0.01, 1.0], "optimizer.weight_decay": [0.0, 5.0]}
    given: dict[str, Any] = {"loss": "himmelblau", "steps": 500, **starts}
    (best, named) = draw(**given, **several)["basins"]
    assert named["title"] == (
        "himmelblau · sgd · lr = 0.01 · optimizer.weight_decay = 0.0 · best of 6"
    )
    labels = best[2]
    assert (labels >= 0).all()
    assert len(np.unique(labels)) > 1


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ({"lr": FEW}, "quadratic · sgd"),
        ({"optimizer": ["sgd", "adam"]}, "quadratic · lr = 0.1"),
        ({"seed": [0, 1]}, "quadratic · sgd · lr = 0.1"),
    ],
)
def test_the_title_says_only_what_the_runs_have_in_common(given, title, draw):
    ((scene, *_), _) = draw(**{"lr": 0.1, **given})["overview"]
    assert scene.title == title


def test_no_more_histories_are_read_than_are_drawn(draw, monkeypatch):
    read = []
    monkeypatch.setattr(run_dirs, "read_history", lambda path: read.append(path) or real(path))
    ((_, paths, _), _) = draw(lr=np.geomspace(0.01, 0.1, 60).tolist())["overview"]
    assert len(read) == len(paths) == 40


def image_tags(directory: Path) -> set[str]:
    """The tags of the images, without their group."""
    tags = EventAccumulator(str(directory)).Reload().Tags()["images"]
    return {tag.removeprefix("pictures/") for tag in tags}


# settings besides lr, and the pictures of each run
RUNS: list[tuple[dict[str, Any], set[str]]] = [
    ({"record.sharpness_every": 3}, {"trajectory", "convergence", "stability"}),
    ({"optimizer": "adam", "steps": 1}, {"trajectory"}),
    ({"dtype": "float32"}, {"trajectory", "convergence"}),
    ({"record.figures": False}, set()),
]


@pytest.mark.parametrize(("given", "expected"), RUNS)
def test_a_run_of_a_sweep_has_the_pictures_of_a_single_run(given, expected, here, gd):
    words = [f"{key}={value}" for key, value in {"steps": 20, **given}.items()]
    assert gd(*words, "lr=1e-3", "hydra.run.dir=single").code == 0
    assert gd("-m", *words, "lr=1e-3,2e-3", "hydra.sweep.dir=sweep").code == 0
    single, run = here / "single", here / "sweep" / "lr=0.001"
    pictures = {path.stem: path.read_bytes() for path in single.glob("*.png")}
    assert set(pictures) == expected
    assert {path.stem: path.read_bytes() for path in run.glob("*.png")} == pictures
    assert image_tags(run) == image_tags(single) == expected


def test_only_the_chosen_runs_of_a_sweep_have_pictures(here, gd):
    words = ("-m", "lr=0.01,0.02,0.03", "steps=20", "record.max_figures=2")
    assert gd(*words, "hydra.sweep.dir=s").code == 0
    assert len(list(here.glob("s/*/trajectory.png"))) == 2
    assert len(list(here.glob("s/*/convergence.png"))) == 2


def test_resuming_draws_the_pictures_that_are_missing(here, gd):
    words = ("-m", "lr=0.01,0.02", "steps=20", "record.sharpness_every=5")
    assert gd(*words, "hydra.sweep.dir=s").code == 0
    run = here / "s" / "lr=0.01"
    pictures = {path.name: path.read_bytes() for path in run.glob("*.png")}
    for name in ("convergence.png", "stability.png"):
        (run / name).unlink()
    kept = (run / "trajectory.png").stat().st_mtime_ns
    assert gd("resume=s").code == 0
    assert {path.name: path.read_bytes() for path in run.glob("*.png")} == pictures
    assert (run / "trajectory.png").stat().st_mtime_ns == kept
    files = len(list(run.glob("events.*")))
    assert gd("resume=s").code == 0
    assert len(list(run.glob("events.*"))) == files


def test_the_pictures_are_in_the_directory_and_in_tensorboard(tmp_path):
    few: dict[str, Any] = {"record.max_figures": 0, "steps": 5}
    gdlab.sweep(lr=LRS, **few, directory=tmp_path / "s")
    for name in ("overview", "sensitivity"):
        with Image.open(tmp_path / "s" / f"{name}.png") as image:
            assert min(image.size) > 300
    events = EventAccumulator(str(tmp_path / "s" / "overview")).Reload()
    assert sorted(events.Tags()["images"]) == ["overview/overview", "overview/sensitivity"]
    for name in ("overview", "sensitivity"):
        (image,) = events.Images(f"overview/{name}")
        png: Path = tmp_path / "s" / f"{name}.png"
        assert image.encoded_image_string == png.read_bytes()
