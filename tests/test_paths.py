"""Paths that users give: `~` is expanded once, wherever a path is given."""

import os
from pathlib import Path
from typing import Any

import pytest
from helpers.command import BASIC, QUIET

import gdlab
from gdlab import view
from gdlab.paths import user_path

DATA = "a,y\n1,2\n2,3\n3,5\n"
CONFIG = """# @package _global_
hydra:
  run: {dir: ~/y}
  sweep: {dir: ~/y}
"""


@pytest.fixture
def home(here, monkeypatch) -> Path:
    """A home with a data set and a configuration, which is not the working directory."""
    folder = here / "home"
    (folder / "mine" / "experiment").mkdir(parents=True)
    (folder / "mine" / "experiment" / "e.yaml").write_text(CONFIG)
    (folder / "d.csv").write_text(DATA)
    monkeypatch.setenv("HOME", str(folder))
    work = here / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return folder


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("~", "../home"),
        ("~/x", "../home/x"),
        ("a", "a"),
        ("./~/x", "~/x"),
        ("~nobody-has-this-name/x", "~nobody-has-this-name/x"),
        ("b/~", "b/~"),
    ],
)
def test_a_path_is_expanded_once(given, wanted, home):
    path = user_path(given)
    assert path.resolve() == (Path.cwd() / wanted).resolve()
    assert os.path.expanduser(path) == str(path)  # pyarrow would expand it


AXIS = ("-m", "lr=0.01,0.02")
COMMANDS = [
    ["hydra.run.dir='~/x'"],
    [*AXIS, "hydra.sweep.dir='~/x'"],
    [*AXIS, *BASIC, "hydra.sweep.dir='~/x'"],
    ["--config-dir", "~/mine", "experiment=e"],
    [*AXIS, *BASIC, "--config-dir", "~/mine", "experiment=e"],
]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_directory_may_begin_with_a_tilde(words, gd, home):
    done = gd("loss=mse", "loss.data='~/d.csv'", "steps=3", *QUIET, *words)
    assert (done.code, done.err) == (0, "")
    name = "y" if "experiment=e" in words else "x"
    assert len(gdlab.load(f"~/{name}").results) == (2 if "-m" in words else 1)
    assert list(Path.cwd().iterdir()) == []


def test_other_entrances_know_the_home(gd, home, capsys):
    quiet: Any = {"record.events": False, "record.figures": False}
    gdlab.sweep(loss="quadratic", lr=[0.1, 0.2], steps=3, directory="~/x", **quiet)
    assert f"resume={home / 'x'}: holds a sweep made in Python" in gd("resume='~/x'").err
    assert view.main(["~/z"]) == 2
    assert f"there is no folder {home / 'z'}" in capsys.readouterr().err
    assert list(Path.cwd().iterdir()) == []
