"""What is recorded in the directories of a sweep's runs."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers.events import read_scalars

import gdlab
from gdlab.recording.recorder import RunRecorder
from gdlab.recording.thinning import points_for
from gdlab.sweeps import run_dirs, runner
from gdlab.sweeps.run_dirs import RunDirectories


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


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a sweep but for its tables and events, without seconds and digests."""
    paths = [
        path for name in ("lr=*/history.parquet", "lr=*/.hydra/*") for path in folder.glob(name)
    ]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    for path in folder.glob("lr=*/result.json"):
        lines = path.read_bytes().splitlines(keepends=True)
        found[path.parent.name] = b"".join(line for line in lines if b'"seconds"' not in line)
    return found


@pytest.mark.parametrize("fails", [False, True])
def test_directories_are_the_same_whichever_process_writes_them(fails, tmp_path, monkeypatch):
    settings: dict[str, Any] = {"lr": [1e-4 * n for n in range(1, 10)], "steps": 20}
    settings |= {"record.figures": False}
    monkeypatch.setattr(runner, "available_cores", lambda: 1)
    gdlab.sweep("rosenbrock", directory=tmp_path / "one", **settings)
    for name, value in (("_PART", 2), ("_WORTH_A_PROCESS", 1)):
        monkeypatch.setattr(run_dirs, name, value)
    monkeypatch.setattr(runner, "available_cores", lambda: 3)
    parent, close, fork, forked = os.getpid(), RunRecorder.close, os.fork, []

    def close_here_only(self: RunRecorder, *arguments: Any) -> None:
        close(self, *arguments)
        if fails and os.getpid() != parent:
            raise MemoryError

    def note() -> int:
        forked.append(fork())
        return forked[-1]

    monkeypatch.setattr(RunRecorder, "close", close_here_only)
    monkeypatch.setattr(os, "fork", note)
    swept = gdlab.sweep("rosenbrock", directory=tmp_path / "three", **settings)
    assert len(forked) == 2
    assert contents(tmp_path / "three") == contents(tmp_path / "one")
    assert [len(swept.history(run)) for run in range(9)] == [21] * 9


def test_a_run_that_goes_on_has_its_directory_before_it_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(run_dirs, "_SECONDS", 0.0)
    seen: list[bool] = []
    close_all = RunDirectories.close_all

    def look(self: RunDirectories, runs: Sequence[int], *rest: Any) -> None:
        seen.extend(self.path(run).is_dir() for run in runs)
        close_all(self, runs, *rest)

    monkeypatch.setattr(RunDirectories, "close_all", look)
    gdlab.sweep("rosenbrock", lr=[1e-4, 1e-3], steps=20, directory=tmp_path / "s")
    assert seen == [True, True]
