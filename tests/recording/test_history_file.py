"""Tables are read back bit for bit, or refused with the name of the file."""

import itertools
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gdlab.config.sections import Record
from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.errors import RecordError
from gdlab.losses import Quadratic
from gdlab.optimizers import SGD
from gdlab.recording.digests import SUMS, write_with_digest
from gdlab.recording.history_file import HistoryFile, read_history
from gdlab.recording.parquet import write_table
from gdlab.recording.result_file import write_result
from gdlab.results.load import load
from gdlab.schedules import Constant

RESULT, CONFIG, HISTORY = "result.json", ".hydra/config.yaml", "history.parquet"

# Numbers that text or float32 would not keep.
HARD = [0.1 + 0.2, 1 / 3, 5e-324, -0.0, 1.7976931348623157e308, math.inf, -math.inf, math.nan]


OUTCOME = Outcome(
    status=Status.DIVERGED,
    reason="no longer finite",
    steps=3,
    final_loss=0.1 + 0.2,
    best_loss=0.1,
    best_step=2,
    grad_norm=math.inf,
    x=np.array([1 / 3, math.nan]),
    distance=None,
    suboptimality=None,
    lr_limit=None,
    evaluations=4,
)


def history(steps: int, dim: int) -> History:
    """T + 1 records of a run of T steps, its learning rate NaN in the last."""
    random = np.random.default_rng(steps)
    columns = random.choice([*HARD, *random.normal(size=20)], (3 + dim, steps + 1))
    lr = np.abs(np.where(np.isfinite(columns[2]), columns[2], 1.0))
    lr[-1] = np.nan
    return History(np.arange(steps + 1), columns[0], columns[1], lr, columns[3:].T.copy())


def cut(whole: History, *places: int) -> list[History]:
    ends = [0, *places, len(whole)]
    return [whole.take(np.arange(a, b)) for a, b in itertools.pairwise(ends)]


def settings(dim: int, max_coords: int = 64) -> Settings:
    """Of a run of at most 1,000 steps."""
    named = {"loss": Quadratic(dim=dim), "optimizer": SGD(), "schedule": Constant()}
    record = Record(max_coords=max_coords)
    return Settings(**named, lr=0.1, steps=1000, record=record)


def write(
    directory: Path, pieces: list[History], max_coords: int = 64, block_rows: int = 65_536
) -> None:
    file = HistoryFile(directory, settings(pieces[0].x.shape[1], max_coords), block_rows=block_rows)
    for piece in pieces:
        file.write(piece)
    file.close(OUTCOME, 1.0)


def bits(values: object) -> list[int]:
    """Floats as the integers of their bits, every NaN as one."""
    array = np.array(values, dtype=np.float64)
    return np.where(np.isnan(array), np.nan, array).view(np.int64).tolist()


@pytest.fixture
def recorded(tmp_path) -> Path:
    """A directory that `load` takes."""
    (tmp_path / ".hydra").mkdir()
    write_with_digest(tmp_path, CONFIG, b"lr: 0.1\nloss:\n  dim: 4\n")
    write_result(tmp_path, OUTCOME, seed=3, seconds=0.5)
    write(tmp_path, [history(20, 4)])
    return tmp_path


# What is written is what is read


@pytest.mark.parametrize("places", [(), (1,), (3, 3, 90)])
@pytest.mark.parametrize("dim", [1, 3])
def test_every_number_is_read_back_bit_for_bit(places, dim, recorded):
    whole = history(100, dim)
    write(recorded, cut(whole, *places), block_rows=50)
    table = load(recorded).history()
    assert list(table) == ["step", "loss", "grad_norm", "lr", *(f"x{i}" for i in range(dim))]
    assert table["step"].tolist() == list(range(101))
    assert table["step"].dtype == np.int64
    for name in ("loss", "grad_norm", "lr"):
        assert bits(table[name]) == bits(getattr(whole, name))
    for i in range(dim):
        assert bits(table[f"x{i}"]) == bits(whole.x[:, i])


def test_the_last_lr_and_missing_losses_are_null(recorded):
    """A NaN loss ends a run, so NaN before the last row means not computed."""
    table = pq.read_table(recorded / "history.parquet")
    assert table.column("lr").is_null().to_pylist() == [False] * 20 + [True]
    whole = history(20, 4)
    for name in ("loss", "grad_norm"):
        missing = np.isnan(getattr(whole, name)) & ~np.isnan(whole.lr)
        assert table.column(name).is_null().to_pylist() == missing.tolist()
    assert table.column("x0").null_count == 0
    assert table.schema.types == [pa.int64(), *[pa.float64()] * 7]


def test_float32_points_are_kept_as_they_are(recorded):
    whole = history(5, 2)
    loss, norm, lr, x = (
        v.astype(np.float32) for v in (whole.loss, whole.grad_norm, whole.lr, whole.x)
    )
    single = History(whole.step, loss, norm, lr, x)
    write(recorded, [single])
    assert bits(load(recorded).history()["x1"]) == bits(single.x[:, 1].astype(np.float64))


def test_beyond_max_coords_there_are_snapshots(tmp_path):
    whole = history(700, 5)
    write(tmp_path, cut(whole, 10, 200), max_coords=3)
    table = pq.read_table(tmp_path / "history.parquet")
    assert table.column_names == ["step", "loss", "grad_norm", "lr", "x0", "x1", "x2"]
    snapshots = pq.read_table(tmp_path / "snapshots.parquet").to_pydict()
    steps = snapshots["step"]
    # Nine steps spaced by 1000^(1/8) = 2.37 from 1 to 1000, those up to 700, the start, the last.
    assert steps == [0, 1, 2, 5, 13, 31, 74, 177, 421, 700]
    for step, x in zip(steps, snapshots["x"], strict=True):
        assert bits(x) == bits(whole.x[step])


def test_up_to_max_coords_there_are_no_snapshots(tmp_path):
    write(tmp_path, [history(7, 3)], max_coords=3)
    assert not (tmp_path / "snapshots.parquet").exists()


def test_the_file_has_its_name_only_when_it_is_whole(tmp_path):
    file = HistoryFile(tmp_path, settings(2))
    file.write(history(65_536, 2))
    assert [path.name for path in tmp_path.iterdir()] == [".history.parquet.partial"]
    file.close(OUTCOME, 1.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [SUMS, "history.parquet"]


def test_a_history_that_could_not_be_written_keeps_its_partial_name(tmp_path, monkeypatch):
    """As on a full disk: the later records and the footer would make a file with a gap."""
    file = HistoryFile(tmp_path, settings(2), block_rows=10)
    file.write(history(10, 2))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("gdlab.recording.history_file._to_table", fail)
        with pytest.raises(OSError, match="No space left"):
            file.write(history(10, 2))
    file.close(None, 1.0)
    assert [path.name for path in tmp_path.iterdir()] == [".history.parquet.partial"]


def test_a_link_in_place_of_the_partial_file_is_not_written_through(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".history.parquet.partial").symlink_to(outside)
    write(tmp_path / "run", [history(20, 2)])
    assert outside.read_text() == "mine"
    assert len(read_history(tmp_path / "run")) == 21


def test_a_run_without_records_has_an_empty_history(tmp_path):
    HistoryFile(tmp_path, settings(2, max_coords=1)).close(None, 1.0)
    table = pq.read_table(tmp_path / "history.parquet")
    assert (table.num_rows, table.column_names) == (0, ["step", "loss", "grad_norm", "lr", "x0"])


def test_a_history_is_read_as_it_was_written(tmp_path):
    whole = history(100, 3)
    write(tmp_path, cut(whole, 40))
    found = read_history(tmp_path)
    assert found.step.tolist() == whole.step.tolist()
    for name in ("loss", "grad_norm", "lr", "x"):
        assert bits(getattr(found, name)) == bits(getattr(whole, name))


@pytest.mark.parametrize("damage", ["gone", "short", "of something else"])
def test_a_damaged_history_is_refused_in_one_line(damage, tmp_path):
    write(tmp_path, [history(20, 2)])
    path = tmp_path / "history.parquet"
    if damage == "gone":
        path.unlink()
    elif damage == "short":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        write_table(tmp_path, HISTORY, pa.table({"run": [1, 2]}))
    with pytest.raises(RecordError) as refused:
        read_history(tmp_path)
    assert str(refused.value).startswith(f"{path}: missing or damaged (")
    assert "\n" not in str(refused.value)


# Loading


def test_a_loaded_run_is_tables(recorded):
    run = load(str(recorded))
    assert isinstance(run.results, pd.DataFrame)
    assert len(run.results) == 1
    row = run.results.iloc[0]
    assert (row["status"], row["steps"], row["seed"]) == ("diverged", 3, 3)
    assert (row["final_loss"], row["x0"]) == (0.1 + 0.2, 1 / 3)
    assert pd.isna(row["x1"])
    assert row["versions.numpy"] == np.__version__
    assert run.config == {"lr": 0.1, "loss": {"dim": 4}}


# file, its content (None: it is missing), part of the message
DAMAGED = [
    (RESULT, None, "holds no run (no result.json)"),
    (RESULT, b"", "missing or damaged"),
    (RESULT, b'{"steps": 3', "missing or damaged"),
    (RESULT, b"[1, 2]", "missing or damaged (it holds no settings)"),
    (RESULT, b'{"steps": 3}', "damaged (no versions or no point)"),
    (RESULT, b'{"versions": [], "x": []}', "damaged (no versions or no point)"),
    (RESULT, b'{"versions": {}, "x": 1}', "damaged (no versions or no point)"),
    (RESULT, b'{"x": "\xff"}', "missing or damaged"),
    (RESULT, b"[" * 100_000, "missing or damaged"),
    (CONFIG, None, "missing or damaged (No such file"),
    (CONFIG, b"", "missing or damaged (it holds no settings)"),
    (CONFIG, b"lr: [", "missing or damaged"),
    (CONFIG, b"lr: !!python/object/apply:os.system ['touch evaluated']", "missing or damaged"),
    (CONFIG, b"\x80\x04K\x01.", "missing or damaged"),
    (CONFIG, b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "(it holds an alias)"),
    (HISTORY, None, "missing or damaged"),
    (HISTORY, b"", "missing or damaged"),
    (HISTORY, b"PAR1PAR1", "missing or damaged"),
    (HISTORY, b"\x80\x04K\x01.", "missing or damaged"),
]


@pytest.mark.parametrize(("name", "content", "message"), DAMAGED)
def test_a_damaged_file_is_named(name, content, message, recorded, monkeypatch):
    monkeypatch.chdir(recorded)
    path = recorded / name
    path.unlink()
    if content is not None:
        write_with_digest(recorded, name, content)
    with pytest.raises(RecordError) as refused:
        load(recorded).history()
    assert str(refused.value).startswith(f"{recorded if name == RESULT and not content else path}")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (recorded / "evaluated").exists()


def test_a_folder_in_place_of_a_file_is_named(recorded):
    (recorded / HISTORY).unlink()
    (recorded / HISTORY).mkdir()
    (recorded / HISTORY / "part.txt").write_text("no table")
    with pytest.raises(RecordError, match=r"history\.parquet: missing or damaged"):
        load(recorded).history()


@pytest.mark.parametrize("name", [RESULT, CONFIG, HISTORY])
def test_a_file_that_differs_from_what_was_written_is_named(name, recorded):
    """Though it may be read without an error: a digit of the result, a bit of the history."""
    path = recorded / name
    content = bytearray(path.read_bytes())
    content[content.index(b"3") if name == RESULT else len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"missing or damaged \(it differs from its digest\)"):
        load(recorded).history()


@pytest.mark.parametrize("kept", [0, 1])
def test_a_run_without_a_configuration_is_loaded(kept, recorded):
    """As under `hydra.output_subdir=null`; a folder of another name is found."""
    folder = recorded / ".hydra"
    text = (folder / "config.yaml").read_bytes()
    shutil.rmtree(folder)
    sums = (recorded / SUMS).read_text().splitlines(keepends=True)
    (recorded / SUMS).write_text("".join(line for line in sums if CONFIG not in line))
    if kept:
        (recorded / "cfg").mkdir()
        write_with_digest(recorded, "cfg/config.yaml", text)
    run = load(recorded)
    assert run.config == ({"lr": 0.1, "loss": {"dim": 4}} if kept else {})
    assert len(run.history()) == 21


def test_nothing_is_unpickled(recorded, monkeypatch):
    import pickle

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    run = load(recorded)
    assert len(run.history()) == 21
    assert json.loads((recorded / RESULT).read_text())["steps"] == run.results["steps"][0]
