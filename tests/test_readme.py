"""Every command and program of the documentation, run as a reader would."""

import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Container
from pathlib import Path

import pytest
from helpers.files import ROOT

from gdlab.__main__ import main
from gdlab.derivatives.__main__ import main as derivatives

PAGES = ["README.md", "CONTRIBUTING.md", *sorted(map(str, ROOT.glob("experiments/*/README.md")))]
# Sweeps of hundreds of directories, and studies whose findings tests/test_experiments.py checks.
SHRUNK = {
    "hydra.launcher.executor=processes": ["record.max_run_dirs=20"],
    "engine.mode=compiled": ["record.max_run_dirs=20"],
    "experiment=lr_sensitivity": ["hydra.sweeper.points=5"],
    "experiment=rosenbrock_race": ["hydra.sweeper.points=3", "steps=50", "record.figures=false"],
    "experiment=edge_of_stability": ["steps=100", "record.figures=false"],
    "experiment=basins": ["hydra.sweeper.points=20", "record.figures=false"],
}
NO_PICTURES = {"gdlab": "record.figures=false", "gdlab.derivatives": "draw=false"}
INSTALLS = ("make ", "pip install ")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ADDRESS = re.compile(rb"http://localhost:\d+/")


@pytest.mark.parametrize("page", PAGES)
def test_page_works_as_written(page: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(here))
    blocks = FENCE.findall((ROOT / page).read_text(encoding="utf-8"))
    assert blocks
    # The README's first command of each kind draws; the pictures have own tests.
    drawn = set() if page == "README.md" else set(NO_PICTURES)
    for language, block in blocks:
        if language == "sh":
            for line in block.splitlines():
                run_command(line, drawn)
                drawn |= {name for name in NO_PICTURES if f"-m {name} " in line}
        elif language == "python":
            run_python(block)


def run_command(line: str, without_pictures: Container[str] = ()) -> None:
    """A line of shell, in this process where it can be.

    Args:
        line: as the page has it.
        without_pictures: the commands that draw nothing, such as `gdlab.derivatives`.
    """
    words = shlex.split(line, comments=True)
    if line.startswith(INSTALLS):
        return
    assert words[:2] == ["python", "-m"], line
    if words[2] == "gdlab.view":
        assert_serves(words[2:])
        return
    command = {"gdlab": main, "gdlab.derivatives": derivatives}[words[2]]
    pictures = ["record.max_figures=2"] if "-m" in words[3:] else []
    if words[2] in without_pictures:
        pictures = [NO_PICTURES[words[2]]]
    with pytest.raises(SystemExit) as exit_:
        command([*words[3:], *pictures, *SHRUNK.get(words[-1], ())])
    assert exit_.value.code in (0, None), line


def run_python(block: str) -> None:
    """A program; one whose first line names a file is written there instead."""
    named = re.match(r"# (\w+\.py)\n", block)
    if named:
        Path(named[1]).write_text(block, encoding="utf-8")
    else:
        exec(compile(block, "README", "exec"), {"__name__": "readme"})


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
