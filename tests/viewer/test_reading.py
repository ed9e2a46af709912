"""Which runs are found below a directory, and what is said of those that are damaged."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from helpers.recorded import QUIET

import gdlab
from gdlab.recording.names import ABOUT, RESULTS
from gdlab.recording.parquet import write_table
from gdlab.results.config_text import parse_many, parse_yaml
from gdlab.viewer.directories import find_runs, has_runs, natural_key
from gdlab.viewer.reading import Reader
from gdlab.viewer.sweep_notes import notes_of_sweeps


def test_runs_are_found_however_deep(runs):
    found = find_runs(runs)
    names = [run.name for run in found.runs]
    assert found.complete
    assert {"single/adam", "single/away", "deep/er/five", "damaged", "writing"} <= {*names}
    assert len([name for name in names if name.startswith("sweep/")]) == 8
    assert names == sorted(names, key=natural_key)


def test_a_run_that_is_the_directory_itself_has_its_name(runs):
    assert [run.name for run in find_runs(runs / "line").runs] == ["line"]


def test_links_are_not_followed(runs, tmp_path):
    (tmp_path / "out").symlink_to(runs, target_is_directory=True)
    (tmp_path / "up").symlink_to(tmp_path, target_is_directory=True)
    assert find_runs(tmp_path).runs == ()
    assert not has_runs(tmp_path)
    assert has_runs(runs)


def test_numbers_in_names_sort_by_size():
    names = ["lr=0.1,seed=10", "lr=0.1,seed=9", "lr=0.02,seed=9", "lr=1e-05", "a", "²"]
    expected = ["lr=1e-05", "lr=0.02,seed=9", "lr=0.1,seed=9", "lr=0.1,seed=10"]
    assert [n for n in sorted(names, key=natural_key) if n.startswith("lr")] == expected


def test_what_is_damaged_is_a_note_and_the_rest_is_read(runs):
    by_name = {run.name: run for run in Reader(runs).read().runs}
    assert [name for name, run in by_name.items() if run.notes] == ["writing"]
    writing = by_name["writing"]
    assert writing.notes == ("writing: is still being written, so that its path is not shown",)
    assert writing.settings["optimizer"] == "adam"
    assert by_name["single/adam"].result["steps"] == 60


def test_damage_of_each_file_is_one_line(runs, tmp_path):
    """Text in files that would be markup or move the cursor is shown as it is."""
    run = Path(shutil.copytree(runs / "single" / "adam", tmp_path / "<b>\x1b[31m"))
    (run / ".hydra" / "config.yaml").write_text("lr: [")
    (run / "result.json").write_text("{")
    (read,) = Reader(tmp_path).read().runs
    assert [note.split(": ")[0] for note in read.notes] == [
        "<b>\\x1b[31m/.hydra/config.yaml",
        "<b>\\x1b[31m/result.json",
    ]
    assert all("\n" not in note and "\x1b" not in note for note in read.notes)
    assert (read.config, read.result) == ({}, {})
    (run / "SHA256SUMS").unlink()
    (read,) = Reader(tmp_path).read().runs
    assert "SHA256SUMS: missing or damaged" in read.notes[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_link_or_a_pipe_in_place_of_a_file_is_not_opened(runs, tmp_path):
    run = Path(shutil.copytree(runs / "single" / "adam", tmp_path / "run"))
    (run / "result.json").unlink()
    (run / "result.json").symlink_to(runs / "single" / "adam" / "result.json")
    (run / ".hydra" / "config.yaml").unlink()
    os.mkfifo(run / ".hydra" / "config.yaml")
    (read,) = Reader(tmp_path).read().runs
    assert len(read.notes) == 2
    assert (read.config, read.result) == ({}, {})


def test_only_what_has_changed_is_read_again(runs, tmp_path):
    shutil.copytree(runs / "sweep", tmp_path / "sweep")
    reader = Reader(tmp_path)
    first, second = reader.read().runs, reader.read().runs
    assert all(a is b for a, b in zip(first, second, strict=True))
    gdlab.run("sphere", steps=2, directory=tmp_path / "new", **QUIET)
    (tmp_path / first[0].name / "result.json").write_text("{}")
    third = reader.read().runs
    assert [run.name for run in third if run not in first] == ["new", first[0].name]


CONFIGS = [
    "lr: 0.1\nloss:\n  a: [1, 2]\nbetas:\n- 0.9\n- 0.999\n",
    "lr: ${oc.select:optimizer.lr,0.01}\noptimizer:\n  lr: null\n",
    'text: "a\nloss: 2"\nb: 1\n',
    "text: |\n  loss: 1\n  b: 2\nb: 1\n",
]


@pytest.mark.parametrize("text", CONFIGS)
def test_sections_parsed_one_by_one_are_the_whole(text):
    expected = parse_yaml(text)
    if "oc.select" in text:
        expected["lr"] = 0.01
    assert parse_many(text) == expected


@pytest.mark.parametrize("text", ["a: &b [1]\nc: *b\n", "[1, 2]", "just words"])
def test_a_configuration_of_another_kind_is_refused(text):
    with pytest.raises(ValueError, match="it holds"):
        parse_many(text)


def test_what_a_sweep_left_no_directory_of_is_said(tmp_path):
    """Its table has three runs, its folder one."""
    write_table(tmp_path, RESULTS, pa.table({"run": [0, 1, 2]}))
    (tmp_path / ABOUT).write_text("{}")
    (tmp_path / "lr=0.1").mkdir()
    (tmp_path / "lr=0.1" / "result.json").write_text("{}")
    found = find_runs(tmp_path)
    (line,) = notes_of_sweeps(found)
    assert line.startswith(f"{tmp_path.name}: 1 of its 3 runs have a directory")
    assert notes_of_sweeps(replace(found, sweeps=())) == ()
