"""What TensorBoard's tabs Text and HParams say of a run."""

import dataclasses
from pathlib import Path

import pytest
from markdown import markdown

import gdlab
from gdlab.recording.run_text import summarize, trial_name

TRIALS = [
    ("runs/261127-115019-sweep/adam,lr=0.1", "adam,lr=0.1 · runs/261127-115019-sweep"),
    ("runs/261127-115024-rosenbrock,sgd", "rosenbrock,sgd · 261127-115024 · here/runs"),
    ("runs/261127-115024-rosenbrock,sgd-2", "rosenbrock,sgd-2 · 261127-115024 · here/runs"),
    ("runs/mine", "mine · here/runs"),
]


@pytest.mark.parametrize(("path", "name"), TRIALS)
def test_a_trial_is_named_by_what_was_run_and_then_by_where(path, name):
    assert trial_name(Path("/here", path)) == name


def test_a_trial_in_the_root_has_a_name():
    assert trial_name(Path("/mine")) == "mine · //"


def test_the_summary_is_the_reason_and_a_table_of_numbers():
    outcome = dataclasses.replace(
        gdlab.run(steps=3).outcome,
        reason="stopped <at> steps=3",
        final_loss=0.25,
        distance=None,
        metrics={"accuracy": 0.5, "a|b": 1.0, "sharpness": None},
    )
    # With the extensions that TensorBoard turns on.
    shown = markdown(summarize(outcome), extensions=["tables", "fenced_code"])
    assert "<strong>max_steps</strong>: stopped &lt;at&gt; steps=3" in shown
    for name, number in (("steps", 3), ("final_loss", 0.25), ("accuracy", 0.5), ("a|b", 1)):
        assert f"<td>{name}</td>\n<td>{number}</td>" in shown, name
    assert "distance" not in shown and "sharpness" not in shown
