"""Runs as processes: signals, shared directories, a full disk."""

import os
import signal
import sys
import time

import numpy as np
import pytest
import yaml
from helpers.command import QUIET, start_command
from helpers.files import listing, result

import gdlab
from gdlab.runs.interruption import WAITING

ENDLESS = '''
from pathlib import Path

import gdlab


class Endless(gdlab.Loss):
    """An unbounded slope, which creates a file at its 50th value."""

    dim = 1
    start = (0.0,)
    seen = 0

    def __call__(self, x):
        type(self).seen += 1
        if self.seen == 50:
            Path("mark").touch()
        return x[..., 0]
'''


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals on Windows")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_keeps_what_was_computed(number, code, tmp_path):
    (tmp_path / "slope.py").write_text(ENDLESS)
    # In compiled mode the loss would run once and leave no mark.
    own = ("loss=custom", "loss._target_=slope.Endless", "steps=1000000000", "engine.mode=eager")
    process = start_command(*own, "hydra.run.dir=run", "record.figures=false", cwd=tmp_path)
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "mark").exists():
            assert process.code is None, process.done(0)
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, number)
        done = process.done(60)
    finally:
        process.kill()
    assert done.code == code
    assert done.err in ("", f"warning: {WAITING}\n")  # on a slow machine
    assert done.out.startswith("interrupted: ")
    kept = result(tmp_path / "run")
    history = gdlab.load(tmp_path / "run").history()
    assert kept["status"] == "interrupted"
    # The mark is left at the value of step 49.
    assert kept["steps"] >= 49
    assert history["step"].tolist() == list(range(kept["steps"] + 1))
    # x falls by lr at each step and the loss is x.
    expected = np.subtract.accumulate(np.r_[0.0, np.full(kept["steps"], 0.1)])
    np.testing.assert_array_equal(history["loss"], expected)
    assert history["lr"].isna().tolist() == [False] * kept["steps"] + [True]


def test_two_processes_at_once_do_not_share_a_directory(tmp_path):
    both = [start_command("steps=3", *QUIET, cwd=tmp_path) for _ in range(2)]
    for process in both:
        done = process.done(120)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("max_steps: ")
    directories = list((tmp_path / "runs").iterdir())
    assert len(directories) == 2
    assert all(result(directory)["steps"] == 3 for directory in directories)


def test_runs_in_one_second_do_not_share_a_directory(gd, here):
    for _ in range(5):
        assert gd("steps=2", *QUIET).code == 0
    directories = sorted((here / "runs").iterdir())
    assert len(directories) == 5
    for directory in directories:
        assert result(directory)["steps"] == 2
        hydra = yaml.safe_load((directory / ".hydra" / "hydra.yaml").read_text())["hydra"]
        assert hydra["runtime"]["output_dir"] == str(directory)


def test_an_interrupt_before_the_run_prints_nothing(gd, here):
    (here / "stopped.py").write_text("raise KeyboardInterrupt\n")
    done = gd("loss=custom", "loss._target_=stopped.Loss")
    assert (done.code, done.out, done.err) == (130, "", "")
    assert [name for name in listing(here) if "__pycache__" not in name] == ["stopped.py"]


# A full disk: one line that names the directory, exit code 1, earlier files intact


@pytest.mark.skipif(sys.platform == "win32", reason="there are no resource limits on Windows")
@pytest.mark.parametrize("limit", [0, 2_000, 50_000])
@pytest.mark.parametrize("further", [(), QUIET])
def test_a_full_disk_is_reported_in_one_line(limit, further, gd, here):
    import resource

    assert gd("steps=3", "hydra.run.dir=earlier", *QUIET).code == 0
    before = {p: p.read_bytes() for p in (here / "earlier").rglob("*") if p.is_file()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        done = gd("steps=3000", "stop.grad_tol=0", "noise=1", "hydra.run.dir=run", *further)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert "run" in done.err.split(":")[1]
    assert "File too large" in done.err
    assert "converged" not in done.out
    assert {p: p.read_bytes() for p in before} == before
    if (here / "run" / "result.json").exists():
        assert result(here / "run")["steps"] == 3000
