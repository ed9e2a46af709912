"""The command line as a fixture, and settings that make the suite fast."""

import gc
import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from _pytest.doctest import DoctestModule
from helpers.command import Done
from helpers.composing import load_each_configuration_once
from helpers.parsing import copy_metadata_faster, parse_each_text_once

from gdlab.__main__ import main

# Idle threads of torch sleep instead of spinning on a core that the other worker could use. torch
# reads this when it is loaded, which nothing above does.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Each of the two workers has a core; tests of threads set their number themselves.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The suite draws the same examples every time. To search further, for hours if need be:
# pytest --hypothesis-profile=default --hypothesis-seed=random
hypothesis.settings.register_profile("same", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("same")

# Modules and tests stay: while they are imported and listed, there is next to no garbage to find.
gc.disable()

parse_each_text_once()
copy_metadata_faster()
load_each_configuration_once()

# Waiting for the disk (3 ms a file, some ten files a run) helps only where the machine fails.
os.fsync = lambda fd: None

# Files that take long, the longest first: started last, one would keep one worker busy while the
# other has nothing left to do.
LONGEST = ["test_executors", "test_hydra_plugins", "test_runner", "test_refusals"]
LONGEST += ["test_job_tables", "test_plots", "test_derivatives", "test_resuming"]
LONGEST += ["test_page_in_browser", "test_panels_in_browser", "test_browser", "test_comparison"]
LONGEST += ["test_critical_points", "test_torch_optim", "test_damage"]
LONGEST += ["test_packaging", "test_expression", "test_lanczos", "test_claims"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Look for examples in the docstrings of gdlab alone: tests have none."""
    found = yield
    return [each for each in found if not isinstance(each, DoctestModule)]


def pytest_collection_finish() -> None:
    """Exclude imported objects from garbage collection, which takes 0.4 s to scan them.

    What else there is is scanned less often: by default that takes 4 % of all the time.
    """
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Iterator[Path]:
    """An empty working directory; modules imported from it are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", ["gdlab"])
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def gd(here, capsys) -> Callable[..., Done]:
    """The command line in this process."""

    def call(*arguments: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, *capsys.readouterr())

    return call
