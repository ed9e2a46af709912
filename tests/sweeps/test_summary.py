"""The summary of a sweep."""

import pytest
from helpers.command import QUIET

import gdlab

SHORT = (*QUIET, "steps=5", "hydra.sweep.dir=s")


def rows(out: str) -> list[list[str]]:
    """The table, as the words of each line."""
    return [line.split() for line in out.splitlines()[1:] if not line.startswith("  ")]


# an override, the first word of each line of the table
SETTINGS = [
    (["stop.loss=null,1e-3"], ["stop.loss", "null", "0.001"]),
    (["transform.rotation=null,12345"], ["transform.rotation", "null", "12345"]),
    (
        ["optimizer=momentum", "optimizer.nesterov=true,false"],
        ["optimizer.nesterov", "true", "false"],
    ),
    (["start=[1,2],random,null"], ["start", "[1,2]", "random", "null"]),
    (["steps=5,6"], ["steps", "5", "6"]),
    (
        ["loss=mse", "loss.data=d.csv", "loss.features=[a],[b],[a,b]"],
        ["loss.features", "[a]", "[b]", "[a,b]"],
    ),
]


@pytest.mark.parametrize(("words", "wanted"), SETTINGS)
def test_settings_are_shown_as_they_were_typed(words, wanted, gd, here):
    (here / "d.csv").write_text("a,b,y\n1,2,3\n4,5,7\n2,2,1\n")
    done = gd("-m", *(w for w in SHORT if w.split("=")[0] != words[0].split("=")[0]), *words)
    assert done.code == 0
    assert [row[0] for row in rows(done.out)] == wanted


# record.max_run_dirs, and the line about it; None if every run has a directory
KEPT = [
    (3, None),
    (2, "2 of 3: the best and the worst (record.max_run_dirs=2); all are in the tables"),
    (1, "1 of 3: the best (record.max_run_dirs=1); all are in the tables"),
    (0, "none; all runs are in the tables only (record.max_run_dirs=0)"),
]


@pytest.mark.parametrize(("most", "says"), KEPT)
def test_the_summary_says_which_runs_have_directories(most, says, gd, here):
    done = gd("-m", *SHORT, "lr=0.1,0.2,0.3", f"record.max_run_dirs={most}")
    assert done.code == 0
    said = [line.split(None, 2)[2] for line in done.out.splitlines() if "run directories" in line]
    assert said == ([] if says is None else [says])
    assert len(list((here / "s").glob("*/result.json"))) == most


def test_columns_are_named_by_what_they_count(gd):
    done = gd("-m", *SHORT, "lr=0.1,0.12", "stop.loss=1")
    assert "converged or target" in done.out
    assert "1 of 1" in done.out
    assert "to resume" not in done.out


# overrides, the name in the table, in directories and in Python
INNER = [
    (["optimizer=lookahead", "optimizer.inner=sgd,adam"], "optimizer.inner"),
    (["schedule=warmup", "schedule.warmup=2", "schedule.then=cosine,linear"], "schedule.then"),
]


@pytest.mark.parametrize(("words", "name"), INNER)
def test_an_inner_optimizer_or_schedule_is_called_by_its_name(words, name, gd, here):
    choices = words[-1].partition("=")[2].split(",")
    done = gd("-m", *SHORT, *words)
    assert [row[0] for row in rows(done.out)] == [name, *choices]
    assert gdlab.load("s").results[name].tolist() == choices
    short = name.split(".")[1]
    assert all((here / "s" / f"{short}={choice}" / "result.json").is_file() for choice in choices)
    assert gd("resume=s", f"{name}={','.join(choices)}").code == 0
    zipped = (f"hydra.sweeper.zip=[{name},lr]", f"summary.by=[{name}]", "lr=0.1,0.2")
    done = gd("-m", *SHORT[:-1], *words, *zipped)
    assert [row[:2] for row in rows(done.out)[1:]] == [[choices[0], "0.1"], [choices[1], "0.2"]]


def test_only_a_fallback_to_eager_mode_is_explained(gd):
    out = gd("-m", "optimizer=sgd,torch", "record.figures=false").out
    (said,) = [line.split(None, 1)[1] for line in out.splitlines() if line.startswith("  mode")]
    assert said.endswith("compiled: a torch optimizer has no compiled form")
    assert said.count("compiled:") == 1
