"""Suites: the files of conf, and what is refused in one's own."""

from pathlib import Path
from typing import Any

import pytest

from gdlab.bench.entrants import entrants_of
from gdlab.bench.suites import Problem, Suite, load_suite, suite_names
from gdlab.errors import SettingError


def test_every_problem_of_every_suite_can_be_run_and_has_a_minimum() -> None:
    assert suite_names() == ["all", "classic", "convex_data", "mgh", "networks", "noisy", "quick"]
    problems = load_suite("all").problems
    assert len(problems) >= 90
    for problem in (*problems, *load_suite("quick").problems):
        settings = problem.base_settings()
        assert settings.stop.targets == problem.targets
        assert settings.steps == problem.budget
        is_known = settings.objective.minimum is not None
        assert is_known != (settings.stop.minimum is not None)
        assert is_known or problem.source


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("budget: 9\nproblems: {sphere: {lr: 1}}", "lr=1: the comparison sets it"),
        ("budget: 9\nproblems: {sphere: {optimizer.momentum: 1}}", "the comparison sets it"),
        ("problems: {sphere: {}}", "budget, the evaluations of a run, is missing"),
        ("budget: 1\nproblems: {sphere: {}}", "budget=1"),
        ("budget: 9\nproblems: {sphere: {budgett: 9}}", "did you mean budget"),
        ("budget: 9\nproblems: {sphere: {stop.evaluations: 5}}", "makes it of budget"),
        ("budget: 9\nproblems: {sphere: {stop.targets: [0.5]}}", "makes it of targets"),
        ("budget: 9\ntargets: 0.1\nproblems: {sphere: {}}", "targets=0.1: must be a list"),
        ("budget: 9\ntargets: []\nproblems: {sphere: {}}", "targets=[]: must be a list"),
        ("budget: 9\ntargets: '0.1'\nproblems: {sphere: {}}", "must be a list"),
        ("budget: 9\nproblems: {sphere: 3}", "must map settings to values"),
        ("budget: 9\nproblems: {sphere: 0}", "must map settings to values"),
        ("budget: 9\nproblems: {sphere: []}", "must map settings to values"),
        ("budget: 9\nproblems: [sphere]", "must map names to settings"),
        ("budget: 9\nproblems: {}", "has no problems"),
        ("budget: 9\ninclude: mine.yaml", "there is no such file"),
        ("include: nowhere", "must be one of all, classic"),
        ("include: [quick, quick]", "is in it twice"),
        ("include: 5", "include=5: must be a name or a file"),
        ("include: {quick: 1}", "must be a name or a file"),
        ("problems:\n  a: {}\n  a: {}", "line 3: found duplicate key a"),
        ("problems: &a {sphere: *a}", "is no YAML (it holds itself"),
        ("problems: {null: {}}", "is no YAML"),
        ("[1, 2]", "must map settings to values"),
        ("a: [", "is no YAML"),
        ("budget: 9\nproblems: {a: {loss: sphere}, b: {loss: sphere, targets: [0.1]}}", "as many"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(SettingError, match=r"^suite=") as error:
        load_suite(str(path))
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spher: {}", "problem spher: loss=spher: no such choice, did you mean sphere"),
        ("sphere: {loss.dim: 0}", "problem sphere: loss.dim=0"),
        ("clairaut: {}", "stop.minimum"),
        ("sphere: {targets: [0.1, 0.5]}", "decreasing"),
    ],
)
def test_a_wrong_problem_is_refused_with_its_name(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"budget: 9\nproblems: {{{text}}}")
    (problem,) = load_suite(str(path)).problems
    with pytest.raises(SettingError) as error:
        problem.base_settings()
    assert words in str(error.value)


def test_a_file_may_include_suites_and_itself_never(tmp_path: Path) -> None:
    own = tmp_path / "suite" / "own.yaml"
    own.parent.mkdir()
    own.write_text("include: quick\nbudget: 50\nproblems: {mine: {loss: booth}}")
    problems = load_suite("own", [tmp_path]).problems
    assert [len(problems), problems[-1].name, problems[-1].budget] == [11, "mine", 50]
    own.write_text("include: own")
    with pytest.raises(SettingError, match="includes itself"):
        load_suite("own", [tmp_path])


def test_paths_begin_beside_the_file_or_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "base.yaml").write_text("budget: 9\nproblems: {sphere: {}}")
    (tmp_path / "inner" / "top.yaml").write_text("include: base.yaml")
    (tmp_path / "all.yaml").write_text("include: [~/inner/top.yaml, quick]")
    problems = load_suite("~/all.yaml").problems
    assert [len(problems), problems[0].name] == [11, "sphere"]


def test_numbers_are_read_as_hydra_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("budget: 1e3\ntargets: [1e-1, 1e-6]\ninclude:\nproblems: {sphere:}")
    (problem,) = load_suite(str(path)).problems
    settings = problem.base_settings()
    assert (settings.steps, settings.stop.targets) == (1000, (0.1, 1e-6))


RUN = {"loss": "sphere", "stop.evaluations": 9, "stop.targets": (0.1,)}


@pytest.mark.parametrize(
    ("problems", "words"),
    [
        ({}, "suite=own: has no problems"),
        (
            {"a": {"loss": "sphere", "stop.targets": (0.1,)}},
            "problem a: stop.evaluations: required",
        ),
        ({"a": {"loss": "sphere", "stop.evaluations": 9}}, "problem a: stop.targets: required"),
        (
            {"a": RUN, "b": {**RUN, "stop.targets": (0.1, 0.01)}},
            "suite=own: targets: must be as many",
        ),
    ],
)
def test_a_wrong_suite_from_python_is_refused(problems: Any, words: str) -> None:
    with pytest.raises(SettingError) as error:
        Suite("own", "", tuple(Problem(name, settings) for name, settings in problems.items()))
    assert words in str(error.value)


def test_a_problem_is_in_a_suite_once() -> None:
    with pytest.raises(SettingError, match="suite=own: the problem a is in it twice"):
        Suite("own", "", (Problem("a", RUN), Problem("a", RUN)))


def test_optimizers_may_come_from_an_iterator() -> None:
    assert [entrant.name for entrant in entrants_of(iter(["adam", "sgd"]))] == ["adam", "sgd"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({1: "sgd"}, "optimizers=1: the names that a mapping gives must be texts"),
        ({"": "sgd"}, "must be texts"),
        (iter(()), "one or more names"),
        ("adm", "did you mean adam"),
        (["adam", "adam"], "is given twice"),
        ([], "one or more names"),
        ("my_module.Mine", "my_module"),
        ([3], "optimizer"),
    ],
)
def test_wrong_optimizers_are_refused(given: object, words: str) -> None:
    with pytest.raises(SettingError) as error:
        entrants_of(given)
    assert words in str(error.value)
