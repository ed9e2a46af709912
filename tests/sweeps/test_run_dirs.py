"""What is recorded in the directories of a sweep's runs."""

from typing import Any

import pytest
from helpers.events import read_scalars

import gdlab
from gdlab.recording.thinning import points_for
from gdlab.sweeps import run_dirs


@pytest.mark.parametrize(("runs", "points"), [(1, 1000), (100, 1000), (101, 200), (1000, 200)])
def test_many_runs_keep_fewer_points_of_each_curve(runs, points):
    assert points_for(runs) == points


def test_a_sweep_has_as_many_points_as_its_number_of_runs_allows(tmp_path, monkeypatch):
    monkeypatch.setattr(run_dirs, "points_for", lambda runs: 10 * runs)
    few: dict[str, Any] = {"steps": 300, "record.figures": False}
    swept = gdlab.sweep("rosenbrock", lr=[1e-4, 1e-3], directory=tmp_path / "s", **few)
    for tag, points in read_scalars(tmp_path / "s" / "lr=0.001").items():
        assert len(points) == 20, tag
        assert (min(points), max(points)) == (0, 300)
    assert len(swept.history(1)) == 301
