"""`python -m gdlab.bench` and `python -m gdlab.report` as typed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.command import Done

from gdlab.bench.__main__ import main as bench_main
from gdlab.report.__main__ import main as report_main

SMALL = ("optimizers=sgd,lbfgs", "suite=own.yaml", "executor=serial", "trials=2", "seeds=2")
QUIET = ("report=false", "chaos=0")
SUITE = "# Two bowls.\nbudget: 30\nproblems:\n  sphere: {}\n  booth: {}\n"


def caller(
    main: Callable[[list[str]], None], capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    def call(*words: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        assert isinstance(ended.value.code, int)
        said = capsys.readouterr()
        return Done(ended.value.code, said.out, said.err)

    return call


@pytest.fixture
def bench(here: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    (here / "own.yaml").write_text(SUITE)
    return caller(bench_main, capsys)


def test_a_comparison_prints_who_is_best_and_leaves_a_report(
    bench: Callable[..., Done], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = bench(*SMALL, "hydra.run.dir=found", "chaos=1", "report=false")
    assert done.code == 0
    assert "tuned for each problem" in done.out
    assert done.out.index("lbfgs") < done.out.index("sgd")
    assert not (here / "found" / "report.html").exists()
    again = caller(report_main, capsys)("found")
    assert again == Done(0, "found/report.html\n", "")
    assert (here / "found" / "report.html").is_file()
    resumed = bench("resume=found", "report=false")
    assert (resumed.code, resumed.out) == (0, done.out)


def test_json_holds_the_tables_and_the_notes(bench: Callable[..., Done]) -> None:
    done = bench(*SMALL, *QUIET, "--json")
    found = json.loads(done.out)
    assert list(found["tracks"]) == ["tuned", "shared", "default"]
    assert found["tracks"]["tuned"][0]["optimizer"] == "lbfgs"
    assert found["directory"].endswith("-own")


def test_a_dry_run_counts(bench: Callable[..., Done], here: Path) -> None:
    done = bench(*SMALL, "dry_run=true")
    # 2 optimizers, 2 problems: 2 trials on 3 seeds; 2 scores on 3 tracks, and 2 · 2 variants.
    assert "24 runs to tune, 40 to score" in done.out
    assert not (here / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimizers=adm"], "optimizers=adm: no such choice, did you mean adam, "),
        (["suite=quik"], "suite=quik"),
        (["trials=0"], "trials=0: must be a whole number ≥ 1"),
        (["triels=3"], "triels"),
        (["executor=dask"], "executor=dask: must be one of serial, processes, ray"),
        (["-m", "seed=1,2"], "a comparison is a sweep already"),
        (["resume=own.yaml"], "resume=own.yaml: there is no such folder"),
        (["optimizers=[]"], "optimizers: must be one or more names"),
        (["report=maybe"], "report=maybe: must be true or false"),
        (["budget=1"], "budget=1: must be a whole number ≥ 2"),
    ],
)
def test_a_wrong_setting_is_one_line(
    bench: Callable[..., Done], here: Path, words: list[str], said: str
) -> None:
    done = bench(*words)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not (here / "runs").exists()


def test_a_class_of_ones_own_is_named_again_to_resume(
    bench: Callable[..., Done], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "bench_mine.py").write_text(
        "import gdlab\nclass Mine(gdlab.Optimizer):\n"
        "    space = {'lr': {'log': [0.01, 0.5]}}\n"
        "    def update(self, x, grad, state, lr):\n        return x - lr * grad, state\n"
    )
    monkeypatch.syspath_prepend(str(here))
    words = ("optimizers=sgd,bench_mine.Mine", *SMALL[1:], *QUIET, "hydra.run.dir=found")
    done = bench(*words)
    assert done.code == 0
    refused = bench("resume=found")
    assert refused.code == 2
    assert "names bench_mine.Mine; to run that class, name it again" in refused.err
    assert bench("resume=found", "optimizers=bench_mine.Mine", *QUIET).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "DIR: the folder of a run, a sweep or a comparison is missing"),
        (["nowhere"], "nowhere: there is no such folder"),
        (["--open", "x"], "--open: no such flag"),
        (["."], "holds no run (no result.json) and no sweep (no sweep.json)"),
    ],
)
def test_a_report_on_nothing_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    done = caller(report_main, capsys)(*words)
    assert done.code == 2
    assert said in done.err


def test_help_has_examples(bench: Callable[..., Done], capsys: pytest.CaptureFixture[str]) -> None:
    assert "python -m gdlab.bench optimizers=sgd,adam,lbfgs" in bench("--help").out
    assert "report.html" in caller(report_main, capsys)("--help").out
