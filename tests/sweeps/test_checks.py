"""What a sweep checks before it runs, and how often it makes a batch."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

import gdlab
from gdlab.runs.batching import batch_of

QUIET = ("record.figures=false", "record.events=false")


@contextmanager
def counted_batches() -> Iterator[list[int]]:
    """The numbers of runs of the batches that are made inside the block."""
    made: list[int] = []

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is batch_of.__code__:
            made.append(frame.f_locals["runs"])

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield made
    finally:
        sys.setprofile(before)


def test_a_sweep_from_python_makes_one_batch_to_check_a_group_and_one_to_run_it():
    with counted_batches() as made:
        gdlab.sweep(loss=["quadratic", "rosenbrock"], lr=[0.001, 0.002, 0.003], steps=5)
    assert made == [1, 1, 3, 3]


def test_a_sweep_on_the_command_line_makes_as_many(gd):
    words = ("-m", "loss=quadratic,rosenbrock", "lr=0.001,0.002,0.003", "steps=5", *QUIET)
    with counted_batches() as made:
        assert gd(*words).code == 0
    assert made == [1, 1, 3, 3]


# what the first run of a group would meet, and what is said of it
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"lr": [0.1, 0.2], "start": [1.0, 2.0, 3.0]}, r"start=\[1\.0,2\.0,3\.0\]: must be 2 numbers"),
    ({"loss": lambda x: x.sum(), "lr": [0.1, 0.2]}, "a function needs a start of D numbers"),
    ({"lr": [0.1, 0.2], "summary.metric": "speed"}, r"summary\.metric=speed: must be one of"),
    ({"loss": ["quadratic", "huber"], "dtype": ["float64", "f"]}, "dtype=f: must be one of"),
]


@pytest.mark.parametrize(("given", "says"), WRONG)
def test_a_sweep_is_refused_before_it_makes_anything(given, says, tmp_path):
    with pytest.raises(gdlab.SettingError, match=says):
        gdlab.sweep(**given, directory=tmp_path / "s")
    assert not (tmp_path / "s").exists()
