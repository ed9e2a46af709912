"""What the command line prints: how a run ended, warnings, help and completion."""

import os
import subprocess
import sys

import pytest
from helpers.command import HERE, QUIET
from helpers.files import listing


def test_the_summary_says_how_the_run_ended(gd, here):
    done = gd("start=[1,1]", "lr=0.1", *HERE)
    lines = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert lines[0] == "converged: the gradient norm fell to stop.grad_tol=1e-08 at step 175"
    table = {line[2:16].strip(): line[16:].strip() for line in lines[1:]}
    # On the axis of eigenvalue 1 a step multiplies by 0.9, so after 175 steps x0 = 0.9^175.
    x0 = 0.9**175
    assert table["steps"] == "175 of 1000"
    assert table["loss"] == f"{x0**2 / 2:.8g}"
    assert table["gradient norm"] == f"{x0:.6g}"
    assert table["point"].startswith(f"x0={x0:.6g}, x1=")
    assert table["distance"] == f"{x0:.6g} to the nearest known minimizer"
    assert table["files"] == "run"
    assert "TensorBoard" not in table


EVENTS = ("record.events=true", "record.figures=false", "steps=3")

# the words of a command, and what its summary says of TensorBoard
VIEWS = [
    (["hydra.run.dir=a/b", *EVENTS], "python -m gdlab.view a"),
    (["-m", "hydra.sweep.dir=s", "lr=0.1,0.2", *EVENTS], "python -m gdlab.view s"),
    (["-m", "hydra.sweep.dir=s", "lr=0.1,0.2", *QUIET, "steps=3"], None),
]


@pytest.mark.parametrize(("words", "view"), VIEWS)
def test_tensorboard_is_named_where_it_has_something_to_show(words, view, gd, here):
    lines = [line for line in gd(*words).out.splitlines() if "TensorBoard" in line]
    assert [line.split(None, 1)[1] for line in lines] == ([view] if view else [])
    assert any(here.rglob("events.*")) == (view is not None)


def test_a_run_that_diverges_gets_a_warning_and_advice(gd):
    done = gd("loss.condition=1500", "lr=0.1", *HERE)
    assert done.code == 0
    assert done.err.startswith("warning: lr=0.1 is above 2/λ_max = 0.00133, the stability limit")
    assert done.err.count("\n") == 1
    first, second, *_ = done.out.splitlines()
    assert first.startswith("diverged: ")
    assert second.startswith("unstable: lr=0.1 is above 2/λ_max = 0.00133")
    assert second.endswith("; try lr=0.001: the loss is 0.0676 after 1000 steps")


def test_there_is_no_warning_below_the_limit(gd):
    done = gd("loss.condition=1500", "lr=0.001", "steps=5", *HERE)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("max_steps: the step limit steps=5 was reached")


NO_TORCH = """
import sys
sys.argv[0] = "gdlab"
from gdlab.__main__ import main
try:
    main(sys.argv[1:])
finally:
    heavy = {"torch", "numpy", "pandas", "pyarrow", "matplotlib", "tensorboard"} & set(sys.modules)
    assert not heavy, heavy
"""


@pytest.mark.parametrize(
    ("arguments", "line", "said"),
    [
        (["--help"], "", "optimizer=NAME: adabelief, adadelta, adafactor"),
        (["-sc", "query=bash"], "gdlab optimizer=ad", "optimizer=adam"),
        (["-sc", "query=bash"], "gdlab lr=0.1 loss=q", "loss=quadratic"),
        (["--cfg", "job"], "", "lr: ${oc.select:optimizer.lr,0.1}"),
    ],
)
def test_help_and_completion_import_no_torch(arguments, line, said, tmp_path):
    env = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))}
    command = [sys.executable, "-c", NO_TORCH, *arguments]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
    assert listing(tmp_path) == []
