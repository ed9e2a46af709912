"""What a sweep found, in its two files and as a document."""

import csv
import hashlib
import json
from pathlib import Path

import pytest
from helpers.command import BASIC, TABLES

import gdlab
from gdlab.recording.digests import SUMS

WORDS = ("-m", *TABLES, "loss=expression", "loss.formula=x**2+a*y**2", "steps=15")
WORDS = (*WORDS, "loss.parameters.a=1,2", "lr=0.1,0.3", "hydra.sweep.dir=s")


def test_the_files_and_the_document_hold_the_best_of_each_problem(gd, here):
    done = gd(*WORDS, "--json", "fail_on=max_steps,stalled")
    assert (done.code, done.out.count("\n")) == (3, 1)
    said = json.loads(done.out)
    assert said["directory"] == "s"
    assert (said["runs"], said["statuses"]) == (4, {"max_steps": 4})
    best = gdlab.load("s").best()
    assert [one["settings"] for one in said["best"]] == [
        {**one.combination, **one.choice} for one in best
    ]
    assert [one["median"] for one in said["best"]] == [one.metric[1] for one in best]
    assert said["ranked_by"].endswith("nothing across problems (loss.parameters.a)")
    assert said["notes"] == said["failed"] == []
    rows = list(csv.DictReader((here / "s" / "summary.csv").read_text().splitlines()))
    assert [(row["loss.parameters.a"], row["lr"], row["count"]) for row in rows] == [
        ("1", "0.3", "1"),
        ("2", "0.3", "1"),
    ]
    page = (here / "s" / "summary.md").read_text()
    assert page.startswith("# 4 of 4 runs: 4 max_steps\n\n| loss.parameters.a | best lr | ")
    assert "\n| 1 | 0.3 | " in page
    for line in done.err.splitlines()[2:4]:
        assert line.split()[:2] in (["1", "0.3"], ["2", "0.3"])
    sums = (here / "s" / SUMS).read_text()
    for name in ("summary.csv", "summary.md"):
        digest = hashlib.sha256((here / "s" / name).read_bytes()).hexdigest()
        assert f"{digest}  {name}\n" in sums
    assert gd("resume=s").code == 0
    assert gd("resume=s", "fail_on=max_steps").code == 3


def test_jobs_one_by_one_leave_the_same_files(gd, here):
    gd(*WORDS)
    done = gd(*WORDS[:-1], "hydra.sweep.dir=t", "--json", "fail_on=max_steps", *BASIC)
    assert (done.code, done.out.count("\n")) == (3, 1)
    assert json.loads(done.out)["best"][1]["settings"] == {"loss.parameters.a": 2, "lr": 0.3}
    one, other = ((here / name / "summary.csv").read_text().splitlines() for name in "st")
    assert [row.rpartition(",")[0] for row in one] == [row.rpartition(",")[0] for row in other]


def test_a_page_shows_names_as_they_are(gd, here):
    gdlab.sweep("expression", formula=["x*x", "x*x*1"], start=[1], steps=2, directory="s")
    assert "| x\\*x | " in (here / "s" / "summary.md").read_text()


# fail_on, lr, exit code
ENDINGS = [
    ("max_steps", 0.01, 3),
    ("[max_steps]", 0.01, 3),
    ("diverged,stalled", 0.01, 0),
    ("diverged,stalled", 1e9, 3),
    ("null", 1e9, 0),
]


@pytest.mark.parametrize(("unwanted", "lr", "code"), ENDINGS)
def test_an_unwanted_ending_sets_the_exit_code(unwanted, lr, code, gd):
    words = (*TABLES, "hydra.run.dir=r", "steps=20", f"lr={lr}", f"fail_on={unwanted}")
    done = gd(*words, "--json")
    assert done.code == code
    said = json.loads(done.out)
    assert said["directory"] == "r"
    stored = json.loads(Path("r/result.json").read_text())
    assert {**stored, "directory": "r"} == said


# arguments, what the document holds
DOCUMENTS = [
    (["--losses", "rosenbrock"], {"name": "rosenbrock", "dim": 2, "start": [-1.2, 1.0]}),
    (["--losses", "custom"], {"name": "custom", "needs": "loss._target_=???: must be the dotted"}),
    (["--optimizers", "adam"], {"name": "adam"}),
]


@pytest.mark.parametrize(("words", "holds"), DOCUMENTS)
def test_choices_as_a_document(words, holds, gd):
    ((found,),) = json.loads(gd(*words, "--json").out).values()
    for key, value in holds.items():
        assert found[key] == value or str(found[key]).startswith(str(value))


def test_a_refused_command_prints_no_document(gd):
    done = gd("lr=-1", "--json")
    assert (done.code, done.out) == (2, "")
    assert gd("-m", "lr=1,2", "--json", "dry_run=true").out == '{"runs": 2, "batches": 1}\n'
