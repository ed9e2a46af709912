"""The report of a comparison: its numbers are those of the scores, its commands work."""

import json
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import gdlab
from gdlab.bench import contest_file
from gdlab.bench.comparison import finish, prepare
from gdlab.bench.contest_file import CONTEST
from gdlab.bench.files import Files
from gdlab.bench.report import document_of
from gdlab.bench.runner import RESULT
from gdlab.bench.suites import Suite, load_suite
from gdlab.errors import RecordError, SettingError
from gdlab.report.content import Document
from gdlab.report.html import html_of

RULES = {"trials": 4, "tuning_seeds": 1, "seeds": 3, "chaos": 1}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    suite = folder / "own.yaml"
    suite.write_text(
        "budget: 80\ntargets: [0.1, 1.0e-4]\nstart_spread: 0.1\nproblems:\n  booth: {}\n"
        "  narrow: {loss: quadratic, loss.condition: 30.0}\n"
    )
    optimizers = {"momentum": "momentum", "<b>mine</b>": "adam"}
    contest = prepare(optimizers, suite, "serial", RULES)
    path = folder / "found"
    path.mkdir()
    contest_file.save(contest, path)
    finish(contest, path)
    return path


@pytest.fixture(scope="module")
def document(directory: Path) -> Document:
    return document_of(directory)


def test_a_comparison_leaves_its_report(directory: Path, document: Document) -> None:
    names = {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()}
    expected = {"bench.json", RESULT, "scores.parquet", "scores.csv", "report.html", "report.md"}
    assert names > expected | {f"tables/{table.name}.tex" for table in document.tables}
    assert (directory / "report.html").read_text() == html_of(document)


def test_expected_evaluations_are_those_of_the_scores(directory: Path, document: Document) -> None:
    (table,) = [table for table in document.tables if table.name == "expected_2"]
    scores: Any = pd.read_parquet(directory / "scores.parquet")
    for problem, _, *cells in table.rows:
        for name, cell in zip(table.columns[2:], cells, strict=True):
            rows = scores[
                (scores["problem"] == problem)
                & (scores["optimizer"] == name)
                & (scores["track"] == "tuned")
                & (scores["variant"] == "")
            ]
            spent = rows["evaluations_to_0.0001"]
            count = int(spent.notna().sum())
            total = float(rows["evaluations"].sum())
            assert cell.strip("*") == (f"{total / count:.0f}" if count else "-")


@pytest.mark.parametrize(
    ("names", "suite", "words"),
    [
        (["sgd", "adam"], "quick", "optimizers=sgd,adam suite=quick"),
        (["sgd"], "my suites/own.yaml", "optimizers=sgd 'suite=my suites/own.yaml'"),
        ({"slow": "sgd"}, "quick", "optimizers=sgd suite=quick"),
        ({"slow": "sgd", "fast": "sgd"}, "quick", ""),
        ([gdlab.optimizers.SGD], "quick", ""),
        (["sgd"], Suite("mine", "", load_suite("quick").problems), ""),
    ],
)
def test_the_command_of_a_comparison_makes_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: Any, suite: Any, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "my suites" / "own.yaml"
    own.parent.mkdir()
    own.write_text("budget: 9\nproblems: {sphere: {}}")
    contest_file.save(prepare(names, suite, "serial", {"trials": 3}), tmp_path)
    about = json.loads((tmp_path / CONTEST).read_text())
    empty: Any = {}
    command = Files(tmp_path, about, empty, empty, pd.DataFrame()).command
    assert command.startswith(f"python -m gdlab.bench {words}" if words else "")
    assert bool(command) == bool(words)
    assert ("trials=3" in command) == bool(words)
    assert contest_file.load(tmp_path).suite.typed == (suite if isinstance(suite, str) else None)


def test_the_command_of_a_score_runs_it_again(directory: Path, document: Document) -> None:
    (table,) = [table for table in document.tables if table.name == "commands"]
    assert len(table.rows) == 2 * 2 * 3
    scores = pd.read_parquet(directory / "scores.parquet")
    for problem, optimizer, track, _, command in (table.rows[0], table.rows[-1]):
        words = dict(word.split("=", 1) for word in shlex.split(command)[3:])
        given: Any = {key: yaml.safe_load(value) for key, value in words.items()}
        run = gdlab.run(**given)
        rows = scores[
            (scores["problem"] == problem)
            & (scores["optimizer"] == optimizer)
            & (scores["track"] == track)
        ]
        assert run.outcome.evaluations == rows.iloc[0]["evaluations"]


def test_hostile_names_are_shown_as_text(document: Document) -> None:
    page = html_of(document)
    assert "&lt;b&gt;mine&lt;/b&gt;" in page
    assert "<b>" not in page


def test_a_damaged_or_unfinished_comparison_is_told(directory: Path, tmp_path: Path) -> None:
    files = {p.name: p.read_bytes() for p in directory.iterdir() if p.is_file()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "scores.parquet").write_bytes(files["scores.parquet"][:-1] + b"x")
    with pytest.raises(RecordError, match=r"scores\.parquet"):
        document_of(tmp_path)
    (tmp_path / RESULT).unlink()
    with pytest.raises(SettingError, match="has not ended"):
        document_of(tmp_path)
