"""What a summary reads of a sweep's table, and that it does not matter how the table comes."""

import pandas as pd
import pyarrow as pa
import pytest
from helpers.command import TABLES

import gdlab
from gdlab.sweeps import shard_tables
from gdlab.sweeps.results import results_of
from gdlab.sweeps.sweep import _make_plan

SWEEPS = {
    "one group": ("lr=0.01,0.1,0.3,2.5", "seed=range(5)"),
    "groups that alternate": ("seed=range(5)", "optimizer=sgd,adam,momentum", "lr=0.1,2.5"),
    "a setting of several kinds": ("loss.center=0,[1,2]", "lr=0.1,0.2"),
}


@pytest.mark.parametrize("words", SWEEPS.values(), ids=SWEEPS)
def test_a_table_in_parts_gives_the_files_of_the_whole_one(words, gd, here, monkeypatch):
    command = ("-m", *words, "steps=20", *TABLES, "engine.max_rows=3")
    whole = gd(*command, "hydra.sweep.dir=whole")
    monkeypatch.setattr(shard_tables, "ROWS", 4)
    parts = gd(*command, "hydra.sweep.dir=parts")
    assert parts.out.replace("parts", "whole") == whole.out
    for name in ("summary.csv", "summary.md"):
        assert (here / "parts" / name).read_bytes() == (here / "whole" / name).read_bytes()
    one, other = (gdlab.load(name).results.drop(columns="seconds") for name in ("whole", "parts"))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    one, other = (
        pd.read_csv(here / name / "results.csv", dtype=str) for name in ("whole", "parts")
    )
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"))


def test_the_columns_are_those_of_the_table():
    plan = _make_plan({"lr": [0.1, 0.2, 0.3], "steps": 5}, [])
    table = pa.table(
        {
            "run": [0, 1, 2],
            "lr": [0.1, 0.2, 0.3],
            "status": ["converged", "failed", "converged"],
            "reason": ["a", None, "a"],
            "steps": [3, None, 5],
            "final_loss": [0.5, None, 0.25],
            "distance": [1.0, 2.0, 3.0],
            "mode_reason": pa.nulls(3, pa.string()),
        }
    )
    results = results_of(plan, [table.slice(0, 2), table.slice(2)])
    frame = table.drop_columns("distance").to_pandas()
    assert list(results.frame) == list(frame)
    for name in frame:
        pairs = zip(results.frame[name], frame[name], strict=True)
        assert all(a == b or (pd.isna(a) and pd.isna(b)) for a, b in pairs)
        assert (results.frame[name].dtype.kind == "f") == (frame[name].dtype.kind == "f")
    assert results.frame["reason"][0] is results.frame["reason"][2]
    assert list(results.machines_differ) == []


def test_equal_endings_have_equal_reasons(gd, here):
    words = ("-m", "lr=0.01,0.1,0.3,2.5", "seed=range(3)", "steps=200", *TABLES)
    assert gd(*words, "hydra.sweep.dir=s").code == 0
    results = gdlab.load("s").results
    told = {}
    columns = (results[name].tolist() for name in ("lr", "seed", "reason"))
    for lr, seed, reason in zip(*columns, strict=True):
        told[reason] = gdlab.run(lr=lr, seed=seed, steps=200).outcome.reason
    assert len(told) >= 3
    assert all(one == other for one, other in told.items())
