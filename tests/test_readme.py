"""Every command and program of the documentation, run as a reader would."""

import os
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import examples
import pytest
from helpers.files import ROOT

pytestmark = pytest.mark.site

EXPERIMENTS = sorted(f"{path.parent.name}" for path in ROOT.glob("experiments/*/README.md"))
PAGES = ["README.md", "CONTRIBUTING.md"]
PAGES += [f"experiments/{name}/README.md" for name in EXPERIMENTS]
SMALL = [
    "trials=1",
    "tuning_seeds=1",
    "seeds=4",
    "chaos=0",
    "budget=3",
    "executor=serial",
    "report=false",
]
# Sweeps of hundreds of directories, and studies, which tests/docs/test_experiments.py checks.
SHRUNK = {
    "optimizers=sgd,momentum,adam": [*SMALL, "report=false"],
    "start=random": ["record.max_run_dirs=20"],
    "out=race.gif": ["seconds=1", "fps=2"],
    "experiment=lr_sensitivity": ["hydra.sweeper.points=5"],
    "experiment=rosenbrock_race": ["hydra.sweeper.points=3", "steps=50", "record.figures=false"],
    "experiment=edge_of_stability": ["steps=100", "record.figures=false"],
    "experiment=basins": ["hydra.sweeper.points=20", "record.figures=false"],
    "experiment=rates_by_condition": [
        *("optimizer=sgd,heavy_ball", "loss.condition=10,100", "lr=0.1,0.01"),
        *("optimizer.momentum=0,0.5", "steps=20", "record.events=false"),
    ],
    "experiment=newton_vs_descent": ["steps=10", "record.events=false"],
    "experiment=steps_without_tuning": ["steps=2", "record.max_run_dirs=0"],
    "experiment=saddle_escape": ["hydra.sweeper.points=3", "steps=20", "record.max_run_dirs=0"],
    "experiment=edge_with_momentum": [
        *("optimizer=momentum,nesterov", "optimizer.momentum=0,0.5", "lr=0.1,0.15"),
        *("loss.count=20", "steps=2", "record.max_run_dirs=0"),
    ],
    "experiment=basins_with_momentum": ["hydra.sweeper.points=3", "record.figures=false"],
    "experiment=stationary_variance": [
        "hydra.sweeper.params.seed='range(2)'",
        "steps=10",
        "record.figures=false",
    ],
    "suite=experiments/adabelief_on_toys/suite.yaml": SMALL,
    "optimizers=adam,momentum,adam_eps": [*SMALL, "optimizers=adam_eps"],
    "hydra.run.dir=runs/defaults": [*SMALL, "optimizers=adam,rmsprop"],
}
ADDRESS = re.compile(rb"http://localhost:\d+/")


@pytest.mark.parametrize("page", PAGES)
def test_page_works_as_written(page: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(here))
    (here / "experiments").symlink_to(ROOT / "experiments")
    blocks = examples.read_items((ROOT / page).read_text(encoding="utf-8"))
    assert blocks
    # The README's first command of each kind draws; the pictures have own tests.
    drawn = set() if page == "README.md" else set(examples.COMMANDS)
    for block in blocks:
        if not isinstance(block, examples.Block):
            continue
        if block.language == "sh":
            for line in block.text.splitlines():
                run_line(line, draw=not any(f"-m {name} " in line for name in drawn))
                drawn |= {name for name in examples.COMMANDS if f"-m {name} " in line}
        elif block.language == "python":
            examples.run_program(block.text, {"__name__": "readme"})


def run_line(line: str, *, draw: bool) -> None:
    """A line of shell, shrunk where it would take long."""
    words = shlex.split(line, comments=True)
    if words[:3] == ["python", "-m", "gdlab.view"]:
        assert_serves(words[2:])
        return
    few = ["record.max_figures=2"] if draw and "-m" in words[3:] else []
    examples.run_line(line, draw=draw, more=[*few, *SHRUNK.get(words[-1], ())])


def assert_serves(words: list[str]) -> None:
    """`python -m gdlab.view` prints an address that answers."""
    command = [sys.executable, "-m", *words, "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    ) as viewer:
        assert viewer.stdout is not None
        try:
            address = next(filter(None, map(ADDRESS.search, viewer.stdout)))
            with urllib.request.urlopen(address[0].decode() + "data/runs", timeout=60) as answer:
                assert b"quadratic" in answer.read()
        finally:
            viewer.terminate()
