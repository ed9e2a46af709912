"""Recorded runs as racers: on one loss, told apart, with their records and their ends."""

from typing import Any

import numpy as np
import pytest

import gdlab
from gdlab.viewer.animation.race import MOST_RUNS, race_of

LEAN: dict[str, Any] = {"record.figures": False, "record.events": False, "steps": 40}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Of three runs on one loss, one of which diverges, and of another loss."""
    root = tmp_path_factory.mktemp("runs")
    settings: dict[str, Any] = {"dim": 3, "condition": 30.0, **LEAN}
    runs = {"newton": 1.0, "sgd": 0.02, "momentum": 0.9}
    for name, lr in runs.items():
        gdlab.run("quadratic", name, lr, directory=root / "space" / name, **settings)
    gdlab.run("sphere", "sgd", 0.1, directory=root / "other", **LEAN)
    return root


def test_paths_are_the_recorded_points_in_the_plane(root):
    track = race_of([root / "space"], plane="0,2").track
    names = [racer.name for racer in track.racers]
    assert names == ["momentum, lr = 0.9", "newton, lr = 1", "sgd, lr = 0.02"]
    for name, racer, path in zip(
        ("momentum", "newton", "sgd"), track.racers, track.paths, strict=True
    ):
        recorded = gdlab.load(root / "space" / name).history
        np.testing.assert_array_equal(racer.points, recorded.x)
        np.testing.assert_array_equal(racer.steps, recorded.step)
        np.testing.assert_array_equal(racer.values, recorded.loss)  # the minimum is 0
        inside = np.isfinite(path).all(axis=1) & (np.abs(recorded.x) < 2).all(axis=1)
        assert inside.sum() > 1
        np.testing.assert_array_equal(path[inside], recorded.x[inside][:, [0, 2]])


def test_ends_are_marked_by_the_status(root):
    racers = race_of([root / "space"]).track.racers
    marks = {racer.name.partition(",")[0]: (racer.mark, racer.end) for racer in racers}
    assert marks == {
        "momentum": ("", ""),
        "newton": ("ring", "converged"),
        "sgd": ("", ""),
    }


def test_directories_are_taken_together_each_run_once(root):
    folders = [root / "space" / "sgd", root / "space" / "newton", root / "space" / "sgd"]
    names = [racer.name for racer in race_of(folders).track.racers]
    assert names == ["sgd, lr = 0.02", "newton, lr = 1"]


def test_runs_of_several_losses_are_refused(root):
    with pytest.raises(gdlab.SettingError, match="minimize 2 different losses: quadratic"):
        race_of([root])


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(gdlab.SettingError, match="holds no run"):
        race_of([tmp_path])


def test_many_runs_are_thinned_and_colored_by_the_optimizer(tmp_path):
    lrs = np.linspace(0.1, 0.3, 45).tolist()
    gdlab.sweep("sphere", "sgd", lrs, directory=tmp_path / "sweep", **LEAN)
    track = race_of([tmp_path / "sweep"]).track
    assert len(track.racers) == MOST_RUNS
    assert track._page._look.note == "40 of 45 runs"
    assert [entry.name for entry in track._page.entries] == [
        "lr = 0.1",
        "lr = 0.204545",
        "lr = 0.3",
    ]


def test_a_title_is_text_that_shows_control_characters(root):
    look = race_of([root / "other"], title="$\\frac{1}{2}$ <b>\x1b[31m\n").track._page._look
    assert look.title.startswith("$\\frac{1}{2}$ <b>")
    assert look.title.isprintable()
