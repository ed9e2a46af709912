"""Recorded runs as racers: on one loss, told apart, with their records and their ends."""

from typing import Any

import numpy as np
import pytest

import gdlab
from gdlab.viewer.animation import race
from gdlab.viewer.animation.race import race_of

LEAN: dict[str, Any] = {"record.figures": False, "record.events": False, "steps": 500}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Of three runs on one loss, one of which diverges, and one on another."""
    root = tmp_path_factory.mktemp("runs")
    settings: dict[str, Any] = {"dim": 3, "condition": 30.0, "stop.max_loss": 1e6, **LEAN}
    runs = {"newton": 1.0, "sgd": 0.2, "momentum": 0.0005}
    for name, lr in runs.items():
        gdlab.run("quadratic", name, lr, directory=root / "space" / name, **settings)
    gdlab.run("booth", "sgd", 0.1, directory=root / "other", **{**LEAN, "steps": 5})
    return root


@pytest.fixture(scope="module")
def track(root):
    """The runs on the first loss, in the plane of two of its three coordinates."""
    return race_of([root / "space"], plane="0,2").track


def test_paths_are_the_recorded_points_in_the_plane(root, track):
    names = [racer.name for racer in track.racers]
    assert names == ["momentum, lr = 0.0005", "newton, lr = 1", "sgd, lr = 0.2"]
    for racer, path in zip(track.racers, track.paths, strict=True):
        recorded = gdlab.load(root / "space" / racer.name.partition(",")[0]).history
        np.testing.assert_array_equal(racer.points, recorded.x)
        np.testing.assert_array_equal(racer.steps, recorded.step)
        np.testing.assert_array_equal(racer.values, recorded.loss)  # the minimum is 0
        inside = np.isfinite(path).all(axis=1) & (np.abs(recorded.x) < 2).all(axis=1)
        assert inside.any()
        assert np.diff(racer.steps).max() == 1
        exact = recorded.x[inside][:, [0, 2]]
        np.testing.assert_allclose(path[inside], exact, atol=1e-14)  # observed: 2e-16


def test_ends_are_marked_by_the_status(track):
    marks = {racer.name.partition(",")[0]: (racer.mark, racer.end) for racer in track.racers}
    assert marks == {
        "momentum": ("", ""),
        "newton": ("ring", "converged"),
        "sgd": ("cross", "diverged"),
    }


def test_directories_are_taken_together_each_run_once(root):
    folders = [root / "space" / "sgd", root / "space" / "newton", root / "space" / "sgd"]
    names = [racer.name for racer in race_of(folders).track.racers]
    assert names == ["sgd, lr = 0.2", "newton, lr = 1"]


def test_runs_of_several_losses_are_refused(root):
    with pytest.raises(gdlab.SettingError, match="minimize 2 different losses: quadratic"):
        race_of([root])


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(gdlab.SettingError, match="holds no run"):
        race_of([tmp_path])


def test_many_runs_are_thinned_and_colored_by_what_is_not_averaged(tmp_path, monkeypatch):
    monkeypatch.setattr(race, "MOST_RUNS", 9)
    lrs = np.linspace(0.01, 0.1, 6).tolist()
    gdlab.sweep(
        "booth", ["sgd", "momentum"], lrs, directory=tmp_path / "sweep", **{**LEAN, "steps": 5}
    )
    page = race_of([tmp_path / "sweep"]).track._page
    assert page._look.note == "9 of 12 runs"
    assert {entry.name: len(entry.members) for entry in page.entries} == {"momentum": 4, "sgd": 5}


def test_a_title_is_text_that_shows_control_characters(root):
    look = race_of([root / "other"], title="$\\frac{1}{2}$ <b>\x1b[31m\n").track._page._look
    assert look.title.startswith("$\\frac{1}{2}$ <b>")
    assert look.title.isprintable()
