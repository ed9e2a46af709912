"""Each way to call gdlab, once and without a warning; `make hydra-rc` runs it on the next Hydra."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers.command import BASIC, HERE, QUIET, STOCK
from helpers.files import result, table

from gdlab.derivatives.__main__ import main as derivatives

pytestmark = pytest.mark.filterwarnings("error")
SWEEP = ("-m", "lr=0.05,0.1", "steps=3", *QUIET, "hydra.sweep.dir=sweep")


def start_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with all warnings as errors."""
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_run(gd, here):
    done = gd("optimizer=adam", "steps=3", *HERE)
    assert (done.code, done.err) == (0, "")
    assert result(here / "run")["steps"] == 3
    files = {path.name for path in (here / "run" / ".hydra").iterdir()}
    assert files == {"config.yaml", "hydra.yaml", "overrides.yaml"}


def test_a_run_in_a_process_of_its_own(here):
    ended = start_python("-m", "gdlab", "steps=3", *HERE)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert result(here / "run")["steps"] == 3


def test_a_sweep_and_its_resumption(gd, here):
    done = gd(*SWEEP)
    assert (done.code, done.err) == (0, "")
    before = table(here / "sweep")
    assert before["lr"].tolist() == [0.05, 0.1]
    (here / "sweep" / "results.parquet").unlink()
    done = gd("resume=sweep")
    assert (done.code, done.err) == (0, "")
    assert table(here / "sweep").drop(columns="seconds").equals(before.drop(columns="seconds"))


@pytest.mark.parametrize("words", [BASIC, STOCK, ("hydra/sweeper=basic",)])
def test_a_sweep_with_hydras_own_launcher_or_sweeper(words, gd, here):
    done = gd(*SWEEP, *words)
    assert (done.code, done.err) == (0, "")
    assert table(here / "sweep")["steps"].tolist() == [3, 3]


def test_an_experiment_that_is_a_sweep(gd, here):
    points = ("lr=0.01,0.1", "loss.condition=10,20", "hydra.sweep.dir=s")
    done = gd("experiment=lr_sensitivity", *points, *QUIET)
    assert (done.code, done.err) == (0, "")
    assert table(here / "s")["lr"].tolist() == [0.01, 0.1, 0.01, 0.1]


def test_a_folder_of_further_choices(gd, here):
    (here / "mine" / "optimizer").mkdir(parents=True)
    text = "_target_: gdlab.optimizers.SGD\nmomentum: 0.99\n"
    (here / "mine" / "optimizer" / "heavy.yaml").write_text(text)
    assert gd("optimizer=heavy", "steps=1", "--config-dir", "mine", *HERE).code == 0


def test_the_configuration_is_printed(gd, here):
    done = gd("--cfg", "job", "loss.dim=5")
    assert (done.code, done.err) == (0, "")
    assert yaml.safe_load(done.out)["loss"]["dim"] == 5


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("gdlab", "optimizer=NAME: adabelief, adadelta"),
        ("gdlab.bench", "suite=NAME: all, classic"),
        ("gdlab.report", "Writes report.html"),
    ],
)
def test_help_imports_no_torch(command, said, here):
    code = (
        f"import sys; sys.argv = ['gdlab', '--help']; from {command}.__main__ import main\n"
        "try: main()\nfinally: assert 'torch' not in sys.modules"
    )
    ended = start_python("-c", code)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert said in ended.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("lr=-1",), "lr=-1: must be a finite number > 0"),
        (("learning_rate=1",), "learning_rate=1: no such setting, did you mean lr?"),
        (("optimizer=sdg",), "optimizer=sdg: no such choice, did you mean sgd?"),
        (("lr=((",), "lr=((: the bracket ( is not closed"),
        (("-m", "lr=1,-1"), "lr=-1: must be a finite number > 0"),
    ],
)
def test_an_error_is_one_line(words, line, gd, here):
    done = gd(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {line}")
    assert done.err.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_derivatives(here, capsys):
    with pytest.raises(SystemExit) as ended:
        derivatives(["loss=beale", "at=[1,2]", "hydra.run.dir=report"])
    assert ended.value.code == 0
    assert capsys.readouterr().err == ""
    assert (here / "report" / "report.json").is_file()
