"""The tables of a sweep: their columns, and that a file is read back exactly or refused."""

import csv
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers.batches import finish

from gdlab.config.settings import Settings
from gdlab.engine.batch import Stop
from gdlab.errors import RecordError
from gdlab.losses import MSE, Loss, Quadratic, Rosenbrock
from gdlab.optimizers import SGD
from gdlab.recording import parquet
from gdlab.recording.digests import SUMS, VerifiedFiles, write_with_digest
from gdlab.recording.parquet import csv_of, csv_parts, read_parquet, table_written, write_table
from gdlab.runs.batching import batch_of
from gdlab.schedules import Constant
from gdlab.sweeps.plan import Group
from gdlab.sweeps.shard import run_group
from gdlab.sweeps.table import in_order, join_tables, table_of

ENDS = [
    ("status", pa.string()),
    ("reason", pa.string()),
    ("steps", pa.int64()),
    ("final_loss", pa.float64()),
    ("best_loss", pa.float64()),
    ("best_step", pa.int64()),
    ("grad_norm", pa.float64()),
    ("distance", pa.float64()),
    ("suboptimality", pa.float64()),
    ("evaluations", pa.int64()),
    ("diagnosis", pa.string()),
    ("lr_limit", pa.float64()),
    ("seconds", pa.float64()),
    ("mode", pa.string()),
    ("mode_reason", pa.string()),
]
CHOSEN = {"loss": "quadratic", "optimizer": "sgd", "schedule": "constant"}


def group_of(loss: Loss | None = None, runs: Sequence[int] = (0, 1, 2), **columns: Any) -> Group:
    settings = Settings(
        loss=loss or Quadratic(),
        optimizer=SGD(),
        schedule=Constant(),
        lr=0.1,
        steps=5,
        choices=CHOSEN,
        stop=Stop(max_loss=1e300),
    )
    dotted = {key.replace("__", "."): np.asarray(values) for key, values in columns.items()}
    return Group(settings, dotted, np.array(runs))


def table_for(group: Group, varied: Mapping[str, Sequence[Any]] | None = None) -> pa.Table:
    (ended,) = run_group(group)
    return table_of(group, ended, varied or {})


def schema(table: pa.Table) -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in table.schema]


def point(dim: int) -> list[tuple[str, pa.DataType]]:
    return [(f"x{i}", pa.float64()) for i in range(dim)]


ALWAYS = {
    "loss": pa.string(),
    "optimizer": pa.string(),
    "lr": pa.float64(),
    "seed": pa.int64(),
}
TYPES = {
    "run": pa.int64(),
    **ALWAYS,
    "optimizer.momentum": pa.float64(),
    "loss.center": pa.string(),
    "loss.dim": pa.int64(),
    "stop.loss": pa.null(),
    "optimizer.nesterov": pa.string(),
}

# columns, the varied settings of runs 0, 1 and 2, the columns of settings in the table
VARIED = [
    ({}, {}, "run loss optimizer lr seed"),
    ({"lr": [0.1, 0.2, 0.3]}, {"lr": [0.1, 0.2, 0.3]}, "run lr loss optimizer seed"),
    (
        {"lr": [1.0, 2.0, 3.0], "seed": np.array([5, 6, 2**63 - 1])},
        {"seed": [5, 6, 2**63 - 1], "lr": [1, 2, 3]},
        "run seed lr loss optimizer",
    ),
    (
        {"optimizer__momentum": [0.0, 0.5, 0.9], "loss__center": [[0, 1], [1, 2], [2, 3]]},
        {"optimizer.momentum": [0, 0.5, 0.9], "loss.center": [[0, 1], [1, 2], [2, 3]]},
        "run optimizer.momentum loss.center loss optimizer lr seed",
    ),
    (
        {},
        {"stop.loss": [None] * 3, "loss.dim": [2] * 3, "optimizer.nesterov": [True] * 3},
        "run stop.loss loss.dim optimizer.nesterov loss optimizer lr seed",
    ),
    (
        {"lr": [1.0, 2.0, 3.0]},
        {"optimizer": ["sgd"] * 3, "lr": [1, 2, 3]},
        "run optimizer lr loss seed",
    ),
]


@pytest.mark.parametrize(("columns", "varied", "wanted"), VARIED)
def test_columns_and_their_order(columns, varied, wanted):
    table = table_for(group_of(**columns), varied)
    settings = [(name, TYPES[name]) for name in wanted.split()]
    assert schema(table) == [*settings, *ENDS, *point(2)]
    assert table["run"].to_pylist() == [0, 1, 2]
    for key, values in varied.items():
        given = [f"[{v[0]},{v[1]}]" if isinstance(v, list) else v for v in values]
        assert table[key].to_pylist() == (["true"] * 3 if values == [True] * 3 else given)


def test_a_row_holds_the_outcome_of_its_run():
    group = group_of(lr=[0.1, 0.02, 1e200], seed=[3, 4, 5], runs=(4, 7, 9))
    table = table_for(group, {"lr": [0.1, 0.02, 1e200]})
    for row, values in enumerate(table.to_pylist()):
        outcome = finish(batch_of(group.settings_of(row)))[0].outcome
        assert values["run"] == (4, 7, 9)[row]
        assert (values["loss"], values["optimizer"], values["mode"]) == (
            "quadratic",
            "sgd",
            "eager",
        )
        for name in ("reason", "steps", "final_loss", "best_loss", "best_step", "grad_norm"):
            np.testing.assert_equal(values[name], getattr(outcome, name), name)
        assert values["status"] == str(outcome.status)
        assert values["evaluations"] == outcome.evaluations
        assert (values["distance"], values["suboptimality"]) == (
            outcome.distance,
            outcome.suboptimality,
        )
        assert [values["x0"], values["x1"]] == outcome.x.tolist()
        assert 0 < values["seconds"] < 60
    assert table["status"].to_pylist() == ["max_steps", "max_steps", "diverged"]


def test_unknown_numbers_are_null():
    unknown = table_for(group_of(Rosenbrock(dim=3, a=2.0)))
    for name in ("distance", "suboptimality"):
        assert unknown[name].null_count == 3
        assert unknown[name].type == pa.float64()
    assert table_for(group_of())["distance"].null_count == 0


@pytest.mark.parametrize(("dim", "shown"), [(1, 1), (16, 16), (17, 0)])
def test_points_of_up_to_sixteen_coordinates(dim, shown):
    table = table_for(group_of(Quadratic(dim=dim)))
    assert schema(table)[-shown - 1 :] == [("mode_reason", pa.string()), *point(shown)]


# Tables of several groups


def test_groups_of_other_dimensions_are_joined():
    small = table_for(group_of(Quadratic(dim=1), runs=(0, 3, 5)), {"loss.dim": [1] * 3})
    large = table_for(group_of(Quadratic(dim=3), runs=(1, 2, 4)), {"loss.dim": [3] * 3})
    huge = table_for(group_of(Quadratic(dim=20), runs=(8, 7, 6)), {"loss.dim": [20] * 3})
    for order in ([small, large, huge], [huge, large, small]):
        whole = join_tables(order)
        settings = [("loss.dim", pa.int64()), *ALWAYS.items()]
        assert schema(whole) == [("run", pa.int64()), *settings, *ENDS, *point(3)]
        assert whole["run"].to_pylist() == list(range(9))
        assert whole["loss.dim"].to_pylist() == [1, 3, 3, 1, 3, 1, 20, 20, 20]
        known = [value is not None for value in whole["x1"].to_pylist()]
        assert known == [False, True, True, False, True, False, False, False, False]
        assert whole["x0"].null_count == 3


# the values of a setting in three groups, and the column
MIXED = [
    ([None, 0.1, 1], [None, 0.1, 1.0]),
    ([1, 2, 3], [1, 2, 3]),
    ([1, 0.5, 2], [1.0, 0.5, 2.0]),
    ([0, [1, 2], -1.5], ["0", "[1,2]", "-1.5"]),
    ([None, "a", "b"], ["null", "a", "b"]),
    ([None, [1, 2], "random"], ["null", "[1,2]", "random"]),
    ([True, False, True], ["true", "false", "true"]),
    ([True, None, 2], ["true", "null", "2"]),
    ([10**20, 1, 2], [1e20, 1.0, 2.0]),
    ([{"a": 1}, {"a": 2}, 0.5], ["{a:1}", "{a:2}", "0.5"]),
]


@pytest.mark.parametrize(("values", "wanted"), MIXED)
def test_a_setting_of_several_kinds(values, wanted, tmp_path):
    parts = [
        table_for(group_of(runs=(number,)), {"what": [value]})
        for number, value in enumerate(values)
    ]
    for order in (parts, parts[::-1]):
        whole = join_tables(order)
        assert whole["what"].to_pylist() == wanted
    for number, part in enumerate(parts):  # as the shards of a sweep are kept
        write_table(tmp_path, f"{number}.parquet", part)
    files = VerifiedFiles(tmp_path)
    again = join_tables([read_parquet(files, f"{number}.parquet") for number in range(3)])
    assert again["what"].to_pylist() == wanted


def numbered(runs: list[int]) -> pa.Table:
    return pa.table({"run": runs, "twice": [2 * run for run in runs]})


# the runs of shards, in the order of their first runs
SHARDS = {
    "one after the other": [[*range(7)], [*range(7, 14)], [14]],
    "two groups that alternate": [[0, 2, 4], [1, 3, 5], [6, 8], [7, 9], [10]],
    "one from the first to the last": [[0, 9], [1, 2], [3, 4, 5], [6], [7, 8]],
    "some are missing": [[0, 2], [5, 6, 7], [9]],
    "many groups": [[*range(first, 1000, 7)] for first in range(7)],
    "one": [[3, 4, 5]],
    "none": [],
}


@pytest.mark.parametrize("rows", [1, 3, 4, 1000])
@pytest.mark.parametrize("shards", SHARDS.values(), ids=SHARDS)
def test_tables_are_read_in_the_order_of_their_runs_a_few_rows_at_a_time(shards, rows):
    parts = list(in_order(map(numbered, shards), rows))
    runs = sorted(run for shard in shards for run in shard)
    assert [part["run"].to_pylist() for part in parts] == [
        runs[first : first + rows] for first in range(0, len(runs), rows)
    ]
    assert all(part.equals(numbered(part["run"].to_pylist())) for part in parts)


def test_tables_of_one_group_are_let_go_of_before_the_last_is_read():
    read = []

    def tables() -> Iterator[pa.Table]:
        for first in range(0, 100, 10):
            read.append(first)
            yield numbered([*range(first, first + 10)])

    parts = in_order(tables(), 10)
    assert next(parts)["run"].to_pylist() == [*range(10)]
    assert read == [0, 10, 20]


def test_a_table_written_in_parts_is_the_whole_one(tmp_path):
    table = sample()
    with table_written(tmp_path, "parts.parquet", table.schema) as write:
        for first in (0, 3, 6):
            write(table.slice(first, 3))
            assert not (tmp_path / "parts.parquet").exists()
    again = read_parquet(VerifiedFiles(tmp_path), "parts.parquet")
    assert repr(again.to_pydict()) == repr(table.to_pydict())  # NaN equals itself in a text
    parts = [csv_parts(table.slice(first, 3), header=first == 0) for first in (0, 3, 6)]
    assert b"".join(chain(*parts)) == csv_of(table)


def test_an_error_between_two_parts_leaves_the_old_table(tmp_path):
    table = sample()
    write_table(tmp_path, "results.parquet", table)
    with (
        pytest.raises(OSError, match="No space left"),
        table_written(tmp_path, "results.parquet", table.schema) as write,
    ):
        write(table.slice(0, 3))
        raise OSError(28, "No space left on device")
    again = read_parquet(VerifiedFiles(tmp_path), "results.parquet")
    assert repr(again.to_pydict()) == repr(table.to_pydict())
    assert sorted(p.name for p in tmp_path.iterdir()) == [SUMS, "results.parquet"]


def test_one_table_joined_is_itself():
    table = table_for(group_of(lr=[0.1, 0.2, 0.3]), {"lr": [0.1, 0.2, 0.3]})
    assert join_tables([table]).equals(table)


# On disk

BITS = [0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, 1 / 3, 2**-1074 * 3]


def sample() -> pa.Table:
    return pa.table(
        {
            "run": pa.array(range(8)),
            "seed": pa.array([0, 1, 2**63 - 1, -(2**63), 2**53 + 1, 5, 6, 7]),
            "lr": pa.array(BITS),
            "distance": pa.array([None, 1.0, math.nan, *BITS[3:]], pa.float64()),
            "reason": pa.array(["é", "", None, "=1+1", "a,b", 'q"q', "two\nlines", "∇"]),
        }
    )


def bits(values: list[float | None]) -> list[bytes | None]:
    return [None if value is None else struct.pack("<d", value) for value in values]


def test_parquet_is_read_back_bit_for_bit(tmp_path):
    table = sample()
    write_table(tmp_path, "results.parquet", table)
    again = read_parquet(VerifiedFiles(tmp_path), "results.parquet")
    assert again.schema == table.schema
    for name in ("run", "seed", "reason"):
        assert again[name].to_pylist() == table[name].to_pylist()
    for name in ("lr", "distance"):
        assert bits(again[name].to_pylist()) == bits(table[name].to_pylist())
    assert sorted(p.name for p in tmp_path.iterdir()) == [SUMS, "results.parquet"]


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"run,lr\n0,0.1\n", b"PAR1" * 100])
def test_a_file_that_is_not_a_table_is_refused(content, tmp_path):
    write_with_digest(tmp_path, "results.parquet", content or b"")
    if content is None:
        (tmp_path / "results.parquet").unlink()
    with pytest.raises(RecordError, match=r"results\.parquet: missing or damaged") as refused:
        read_parquet(VerifiedFiles(tmp_path), "results.parquet")
    assert "\n" not in str(refused.value)


def test_a_table_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "results.parquet"
    write_table(tmp_path, path.name, sample())
    before = path.read_bytes()

    def fail(*names: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_table(tmp_path, path.name, sample().slice(0, 1))
    assert path.read_bytes() == before
    assert len(read_parquet(VerifiedFiles(tmp_path), path.name)) == len(sample())
    assert sorted(p.name for p in tmp_path.iterdir()) == [SUMS, "results.parquet"]


# a string, and how the CSV file holds it
CELLS = [
    ("=cmd()", "'=cmd()"),
    ("+1", "'+1"),
    ("-1.5", "'-1.5"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("a=b", "a=b"),
    ("[1,-2]", "[1,-2]"),
    ("'=x", "'=x"),
    ('say "x", y', 'say "x", y'),
    ("two\nlines", "two\nlines"),
    ("é", "é"),
    ("", ""),
    (None, ""),
]


@pytest.mark.parametrize("at_once", [1, 5, 12, 100])
def test_strings_that_a_spreadsheet_could_take_for_formulas_are_quoted(
    at_once, tmp_path, monkeypatch
):
    monkeypatch.setattr(parquet, "_CSV_ROWS", at_once)
    path = tmp_path / "results.csv"
    numbers = [-1.5 + i for i in range(len(CELLS))]
    whole = [-3 + i for i in range(len(CELLS))]
    known = [None if i % 2 else -0.25 for i in range(len(CELLS))]
    texts = [text for text, _ in CELLS]
    columns = {"run": whole, "lr": numbers, "reason": texts, "distance": known}
    path.write_bytes(csv_of(pa.table(columns)))
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["run", "lr", "reason", "distance"]
    assert [row[2] for row in rows[1:]] == [cell for _, cell in CELLS]
    assert [row[0] for row in rows[1:]] == [str(number) for number in whole]
    assert [float(row[1]) for row in rows[1:]] == numbers
    assert [row[1][:2] for row in rows[1:3]] == ["-1", "-0"]
    assert [row[3] for row in rows[1:3]] == ["-0.25", ""]


def test_the_csv_file_says_what_the_parquet_file_says(tmp_path):
    table = table_for(group_of(MSE(), lr=[0.1, 1 / 3, 1e-9]), {"lr": [0.1, 1 / 3, 1e-9]})
    (tmp_path / "results.csv").write_bytes(csv_of(table))
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == table.column_names
    for field in table.schema:
        read = float if pa.types.is_floating(field.type) else str
        if pa.types.is_integer(field.type):
            read = int
        texts = [row[field.name] for row in rows]  # null is an empty cell
        assert [read(text) if text else None for text in texts] == table[field.name].to_pylist()
