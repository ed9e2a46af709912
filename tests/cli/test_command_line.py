"""The command line as a person meets it: what it refuses, says and leaves behind."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from helpers.command import HERE, QUIET, start_command
from helpers.files import listing, result

import gdlab
from gdlab.__main__ import main
from gdlab.paths import CONF

# Refusals: one line on stderr, exit code 2, nothing left behind

SETTINGS = "device, d"
OPTIMIZERS = ", ".join(sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml")))

# arguments, then what the line must say
BAD_SETTINGS = [
    # unknown settings
    ("learning_rate=0.1", "learning_rate=0.1: no such setting, did you mean lr?", SETTINGS),
    ("+learning_rate=0.1", "learning_rate=0.1: no such setting, did you mean lr?"),
    ("++learning_rate=0.1", "learning_rate=0.1: no such setting, did you mean lr?"),
    ("~learning_rate", "learning_rate", "no such setting, did you mean lr?"),
    ("+x=1", "x=1: no such setting", SETTINGS),
    ("loss.conditon=3", "loss.conditon=3", "did you mean loss.condition?"),
    ("+loss.conditon=3", "loss.conditon=3", "did you mean loss.condition?"),
    ("loss.start=[1,2]", "loss.start=[1,2]: no such setting, did you mean start?"),
    ("stop.gradtol=1", "stop.gradtol=1", "did you mean stop.grad_tol?"),
    ("record.figure=false", "record.figure=false", "did you mean record.figures?"),
    ("choices={}", "choices={}: no such setting"),
    ("optimizer.betas=[0.9,0.9]", "optimizer.betas=[0.9,0.9]: no such setting"),
    ("+optimizer.kwargs.x=1", "optimizer.kwargs=", "no such setting"),
    ("schedule.gamma=2", "schedule.gamma=2: no such setting"),
    ("loss@foo=quadratic", "loss@foo=quadratic: no such setting"),
    # unknown choices
    ("optimizer=sdg", f"optimizer=sdg: no such choice, did you mean sgd? (choices: {OPTIMIZERS})"),
    ("loss=quadratik", "loss=quadratik: no such choice, did you mean quadratic? (choices: ackley"),
    ("schedule=cosin", "schedule=cosin: no such choice, did you mean cosine? (choices: constant"),
    ("loss=", "loss=: no such choice (choices: ackley"),
    ("loss=null", "loss=null: no such choice (choices: ackley"),
    ("optimizer=null", f"optimizer=null: no such choice (choices: {OPTIMIZERS})"),
    ("loss=a b", "loss=a b: no such choice (choices: ackley"),
    ("experiment=nope", "experiment=nope: no such choice"),
    ("+experiment=nope", "experiment=nope: no such choice"),
    ("hydra/launcher=nope", "hydra/launcher=nope: no such choice (choices: basic"),
    # values of the wrong type or out of range
    ("lr=abc", "lr=abc: must be a number"),
    ("lr=", "lr=: must be a number"),
    ("lr=null", "lr=null: must be a number"),
    ("lr=[0.1]", "lr=[0.1]: must be a number"),
    ("lr={a:1}", "lr=", "must be a number"),
    ("lr=true", "lr=true: must be a number"),
    ("lr=abc def", "lr=abc def: must be a number"),
    ("lr=-1", "lr=-1: must be a finite number > 0"),
    ("lr=0", "lr=0: must be a finite number > 0"),
    ("lr=nan", "lr=nan: must be a finite number > 0"),
    ("lr=inf", "lr=inf: must be a finite number > 0"),
    ("lr=1e400", "lr=inf: must be a finite number > 0"),
    ("lr=1e-400", "lr=0.0: must be a finite number > 0"),
    ("~lr", "lr: ", "required setting is missing"),
    ("~loss", "loss=null: must be a name from conf/loss"),
    ("steps=0", "steps=0: must be a whole number ≥ 1"),
    ("steps=-3", "steps=-3: must be a whole number ≥ 1"),
    ("steps=10.5", "steps=10.5: must be a whole number"),
    ("steps=true", "steps=true: must be a whole number"),
    ("steps=1e400", "steps=inf: must be a whole number"),
    ("steps=99999999999999999999", "steps=99999999999999999999: must be a whole number ≥ 1 and <"),
    ("seed=-1", "seed=-1: must be a whole number ≥ 0"),
    ("seed=1.5", "seed=1.5: must be a whole number"),
    ("seed=null", "seed=null: must be a whole number"),
    ("seed=99999999999999999999", "seed=99999999999999999999: must be a whole number ≥ 0 and <"),
    ("start=random2", "start=random2: must be", "random"),
    ("start=1", "start=1: must be a list"),
    ("start=true", "start=true: must be a list"),
    ("start={a:1}", "start=", "must be a list"),
    ("start=[]", "start=[]: must be 2 numbers (x0, x1), or random"),
    ("start=[1,2,3]", "start=[1", "must be 2 numbers (x0, x1), or random"),
    ("start=[1,abc]", "start[1]=abc: must be a number"),
    ("start=[nan,1]", "start[0]=nan: must be a finite number"),
    ("start=[1e400,1]", "start[0]=inf: must be a finite number"),
    ("start=[[1,2]]", "start[0]=[1,2]: must be a number"),
    ("noise=-1", "noise.scale=-1: must be a finite number ≥ 0"),
    ("noise=abc", "noise.scale=abc: must be a number"),
    ("dtype=float12", "dtype=float12: must be one of float64, float32"),
    ("device=cuda", "device=cuda: no CUDA device is available here; use cpu or auto"),
    ("device=gpu", "device=gpu: must be one of cpu, cuda, auto"),
    ("stop=3", "stop=3: must be a mapping with the keys grad_tol, loss, max_loss"),
    ("stop=null", "stop=null: must be a mapping with the keys grad_tol, loss, max_loss"),
    ("stop.loss=abc", "stop.loss=abc: must be a number"),
    ("stop.loss=nan", "stop.loss=nan: must be a finite number"),
    ("stop.max_loss=-1", "stop.max_loss=-1: must be a finite number > 0"),
    ("stop.grad_tol=-1", "stop.grad_tol=-1: must be a finite number ≥ 0"),
    ("record.every=0", "record.every=0: must be a whole number ≥ 1"),
    ("record.max_coords=0", "record.max_coords=0: must be a whole number ≥ 1"),
    ("record.events=maybe", "record.events=maybe: must be true or false"),
    ("optimizer.momentum=1.5", "optimizer.momentum=1.5: must be a finite number ≥ 0 and < 1"),
    ("optimizer.nesterov=1", "optimizer.nesterov=1: must be true or false"),
    ("loss.dim=0", "loss.dim=0: must be a whole number ≥ 1"),
    ("loss.condition=0.5", "loss.condition=0.5: must be a finite number ≥ 1"),
    ("loss.spectrum=log", "loss.spectrum=log: must be one of linear, geometric"),
    ("loss.eigenvalues=[]", "loss.eigenvalues=[]: must hold at least one number"),
    ("loss.eigenvalues=[1,nan]", "loss.eigenvalues[1]=nan: must be a finite number"),
    ("loss.eigenvalues=3", "loss.eigenvalues=3: must be a list"),
    ("loss.center=[1,2,3]", "loss.center=[1", "must be one number or 2"),
    # words that are no overrides
    ("lr", "lr: must have the form setting=value, such as lr=0.1"),
    ("=1", "=1: must have the form setting=value, such as lr=0.1"),
    ("lr==1", "lr==1: must have the form setting=value"),
    ("lr=((", "lr=((: must have the form setting=value"),
    ("größe=3", "größe=3: must have the form setting=value"),
    ("lr=0.1,0.2", "lr=0.1,0.2", "--multirun"),
    ("lr=range(1,3)", "lr=range(1,3)", "--multirun"),
    ("lr=${nope}", "lr: ", "'nope' not found"),
    ("lr=${oc.env:GDLAB_NOT_SET}", "lr: ", "'GDLAB_NOT_SET' not found"),
    ("+lr=0.2", "lr=0.2", "already"),
    # flags
    ("--nope", "unrecognized arguments: --nope", "--help"),
    ("--cfg nope", "--cfg", "invalid choice: 'nope'", "'job'"),
    ("--config-dir nowhere", "--config-dir=nowhere: no such folder"),
    ("lr=1 --config-dir nowhere", "--config-dir=nowhere: no such folder"),
    ("--config-path nowhere", "--config-path is not supported", "--config-dir"),
    ("--config-name nope", "primary config 'nope'"),
    ("--cfg job learning_rate=1", "learning_rate=1: no such setting, did you mean lr?"),
    # directories
    ("hydra.run.dir=${nope}", "hydra.run.dir: ", "'nope' not found"),
    ("hydra.run.dir=null", "hydra.run.dir"),
    ("hydra.run.dir=/proc/nothing/run", "hydra.run.dir=/proc/nothing/run: cannot be made"),
    ("hydra.run.dir=full", "hydra.run.dir=full: is not empty; a run needs its own"),
    ("hydra.run.dir=full/file", "hydra.run.dir=full/file: cannot be made (File exists)"),
    ("hydra.run.dir=full/file/run", "hydra.run.dir=full/file/run: cannot be made ("),
    (f"hydra.run.dir=new/{300 * 'x'}", "hydra.run.dir=new/xx", "cannot be made (File name too"),
    # classes of one's own
    ("loss=custom", "loss._target_=???: must be the dotted name of a subclass of gdlab.Loss"),
    ("loss=custom loss._target_=", "loss._target_=: must be the dotted name of a subclass"),
    ("loss=custom loss._target_=Name", "such as my_module.MyClass"),
    ("loss=custom loss._target_=nowhere.X", "loss._target_=nowhere.X: cannot import nowhere"),
    ("loss=custom loss._target_=..x", "loss._target_=..x: cannot import"),
    ("loss=custom loss._target_=gdlab.losses.X", "gdlab.losses has no X"),
    ("loss=custom loss._target_=os.system", "loss._target_=os.system: must be the dotted name"),
    ("loss._target_=os.system", "loss._target_=os.system: must be the dotted name"),
    ("loss._target_=gdlab.optimizers.SGD", "must be the dotted name of a subclass of gdlab.Loss"),
    (
        "optimizer._target_=gdlab.losses.Loss",
        "must be the dotted name of a subclass of gdlab.Optimizer",
    ),
    ("loss=custom loss._target_=gdlab.Loss", "loss=Loss: cannot be used ("),
]


@pytest.mark.parametrize(("typed", "said"), [(row[0], row[1:]) for row in BAD_SETTINGS])
def test_a_bad_setting_is_one_line_and_leaves_nothing(typed, said, gd, here, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("GDLAB_NOT_SET", raising=False)
    (here / "full").mkdir()
    (here / "full" / "file").write_text("kept")
    before = listing(here)
    # A space divides arguments only before a flag's value or the next setting.
    is_one = typed in ("loss=a b", "lr=abc def")
    done = gd(*([typed] if is_one else typed.split(" ")))
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert [text for text in said if text not in done.err] == []
    assert listing(here) == before
    assert (here / "full" / "file").read_text() == "kept"


def test_runs_that_is_a_file_is_refused(gd, here):
    (here / "runs").write_text("a file")
    done = gd(*QUIET)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: hydra.run.dir=runs/")
    assert done.err.endswith("cannot be made (File exists)\n")
    assert listing(here) == ["runs"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable for root")
def test_an_unwritable_runs_is_refused(gd, here):
    (here / "runs").mkdir(mode=0o500)
    done = gd(*QUIET)
    assert done.code == 2
    assert "cannot be made (Permission denied)" in done.err
    assert listing(here) == ["runs"]


# content of data.csv, further settings, what is said
BAD_DATA = [
    (None, "", "loss.data=data.csv: no such file (data sets: breast_cancer, diabetes, "),
    ("", "", "loss.data=data.csv: the file is empty"),
    ("a,y\n", "", "loss.data=data.csv: the file has no rows"),
    ("a,y\n1,2\n3,oops\n", "", "loss.data=data.csv: line 3, column y: 'oops' is not a"),
    ("a,y\n1,2\nnan,4\n", "", "loss.data=data.csv: line 3, column a: 'nan' is not a"),
    ("a,y\n1,2\n3,\n", "", "line 3, column y: '' is not a"),
    ("a,y\n1,2\n", "loss.target=z", "loss.target=z: no such column in data.csv; it has a, y"),
    ("a,y\n1,2\n", "loss.features=[z]", "loss.features=[z]: z is not one of a"),
    ("a,y\n1,2\n", "loss.batch_size=2", "loss.batch_size=2: must be at most 1"),
    ("a,a\n1,2\n", "", "more than one column is called a"),
    ("y\n1\n", "", "needs at least one column beside the target y"),
]


@pytest.mark.parametrize(("content", "further", "said"), BAD_DATA)
def test_bad_data_is_one_line_and_leaves_nothing(content, further, said, gd, here):
    if content is not None:
        (here / "data.csv").write_text(content)
    before = listing(here)
    done = gd("loss=mse", "loss.data=data.csv", *further.split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert listing(here) == before


def test_debug_shows_where_it_was_refused(gd, here, monkeypatch):
    for arguments in (["lr=-1", "--debug"], ["--debug", "lr=-1"]):
        with pytest.raises(gdlab.SettingError, match="lr=-1"):
            main(arguments)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(gdlab.SettingError, match="lr=-1"):
        main(["lr=-1"])
    assert listing(here) == []


# What works as typed

WORKS = [
    ("steps=1e3", "steps", 1000),
    ("++lr=0.2", "lr", 0.2),
    ("lr=2", "lr", 2),
    ("start=[3,4]", "start", [3, 4]),
    ("start=random", "start", "random"),
    ("~optimizer.momentum", "seed", 0),
    ("lr=${noise.scale} noise=0.5", "lr", "${noise.scale}"),
    ("seed=9223372036854775807", "seed", 2**63 - 1),
]


@pytest.mark.parametrize(("typed", "key", "value"), WORKS)
def test_it_works_as_typed(typed, key, value, gd, here):
    assert gd("steps=2", *typed.split(), *HERE).code == 0
    config = yaml.safe_load((here / "run" / ".hydra" / "config.yaml").read_text())
    assert config[key] == value
    used = {} if key == "lr" else {"lr": 0.1}  # not said, it follows the optimizer
    assert gdlab.load("run").config == config | used


def test_flags_may_stand_among_settings(gd, here):
    (here / "mine" / "loss").mkdir(parents=True)
    text = "_target_: gdlab.losses.Quadratic\ndim: 7\n"
    (here / "mine" / "loss" / "my_bowl.yaml").write_text(text)
    done = gd("steps=2", "--config-dir", "mine", "loss=my_bowl", *HERE)
    assert (done.code, done.err) == (0, "")
    assert len(result(here / "run")["x"]) == 7
    shown = gd("loss.dim=5", "--cfg", "job", "steps=3")
    assert shown.code == 0
    assert yaml.safe_load(shown.out)["loss"]["dim"] == 5


def test_the_working_directory_may_be_the_runs_own(gd, here):
    done = gd("steps=2", "hydra.job.chdir=true", *HERE)
    assert done.code == 0
    assert set(listing(here)) >= {"run/result.json", "run/history.parquet"}
    assert not (here / "run" / "run").exists()
    assert Path.cwd() == here


# On screen


def test_the_end_is_said_in_words(gd, here):
    done = gd("start=[1,1]", "lr=0.1", *HERE)
    lines = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert lines[0] == "converged: the gradient norm fell to stop.grad_tol=1e-08 at step 175"
    table = {line[2:16].strip(): line[16:].strip() for line in lines[1:]}
    # On the axis of eigenvalue 1 a step multiplies by 0.9, so after 175 steps x0 = 0.9^175.
    x0 = 0.9**175
    assert table["steps"] == "175 of 1000"
    assert table["loss"] == f"{x0**2 / 2:.8g}"
    assert table["gradient norm"] == f"{x0:.6g}"
    assert table["point"].startswith(f"x0={x0:.6g}, x1=")
    assert table["distance"] == f"{x0:.6g} to the nearest known minimizer"
    assert table["files"] == "run"
    assert table["TensorBoard"] == "python -m gdlab.view ."


def test_a_run_that_must_diverge_is_warned_of_and_explained(gd):
    done = gd("loss.condition=1500", "lr=0.1", *HERE)
    assert done.code == 0
    assert done.err.startswith("warning: lr=0.1 is above 2/λ_max = 0.00133, the stability limit")
    assert done.err.count("\n") == 1
    first, second, *_ = done.out.splitlines()
    assert first.startswith("diverged: ")
    assert second.startswith("lr=0.1 is above 2/λ_max = 0.00133")
    assert second.endswith("; try lr ≤ 0.001")


def test_below_the_limit_nothing_is_warned_of(gd):
    done = gd("loss.condition=1500", "lr=0.001", "steps=5", *HERE)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("max_steps: the step limit steps=5 was reached")


# Help and completion

NO_TORCH = """
import sys
sys.argv[0] = "gdlab"
from gdlab.__main__ import main
try:
    main(sys.argv[1:])
finally:
    heavy = {"torch", "numpy", "pandas", "pyarrow", "matplotlib", "tensorboard"} & set(sys.modules)
    assert not heavy, heavy
"""


@pytest.mark.parametrize(
    ("arguments", "line", "said"),
    [
        (["--help"], "", "optimizer: adabelief, adadelta, adafactor"),
        (["-sc", "query=bash"], "gdlab optimizer=ad", "optimizer=adam"),
        (["-sc", "query=bash"], "gdlab lr=0.1 loss=q", "loss=quadratic"),
        (["--cfg", "job"], "", "lr: ${oc.select:optimizer.lr,0.1}"),
    ],
)
def test_help_and_completion_import_no_torch(arguments, line, said, tmp_path):
    env = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))}
    command = [sys.executable, "-c", NO_TORCH, *arguments]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
    assert listing(tmp_path) == []


# The process: exit codes and signals

ENDLESS = '''
from pathlib import Path

import gdlab


class Endless(gdlab.Loss):
    """A slope without a floor, which leaves a mark at its 50th value."""

    dim = 1
    start = (0.0,)
    seen = 0

    def __call__(self, x):
        type(self).seen += 1
        if self.seen == 50:
            Path("mark").touch()
        return x[..., 0]
'''


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals on Windows")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_keeps_what_was_computed(number, code, tmp_path):
    (tmp_path / "slope.py").write_text(ENDLESS)
    # In compiled mode the loss would run once and leave no mark.
    own = ("loss=custom", "loss._target_=slope.Endless", "steps=1000000000", "engine.mode=eager")
    with start_command(*own, "hydra.run.dir=run", "record.figures=false", cwd=tmp_path) as process:
        try:
            deadline = time.monotonic() + 120
            while not (tmp_path / "mark").exists():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err) == (code, "")
    assert out.startswith("interrupted: ")
    kept = result(tmp_path / "run")
    history = gdlab.load(tmp_path / "run").history()
    assert kept["status"] == "interrupted"
    # The mark is left at the value of step 49.
    assert kept["steps"] >= 49
    assert history["step"].tolist() == list(range(kept["steps"] + 1))
    # x falls by lr at each step and the loss is x.
    expected = np.subtract.accumulate(np.r_[0.0, np.full(kept["steps"], 0.1)])
    np.testing.assert_array_equal(history["loss"], expected)
    assert history["lr"].isna().tolist() == [False] * kept["steps"] + [True]


def test_two_processes_at_once_do_not_share_a_directory(tmp_path):
    both = [start_command("steps=3", *QUIET, cwd=tmp_path) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert out.startswith("max_steps: ")
    directories = list((tmp_path / "runs").iterdir())
    assert len(directories) == 2
    assert all(result(directory)["steps"] == 3 for directory in directories)


def test_runs_in_one_second_do_not_share_a_directory(gd, here):
    for _ in range(5):
        assert gd("steps=2", *QUIET).code == 0
    directories = sorted((here / "runs").iterdir())
    assert len(directories) == 5
    for directory in directories:
        assert result(directory)["steps"] == 2
        hydra = yaml.safe_load((directory / ".hydra" / "hydra.yaml").read_text())["hydra"]
        assert hydra["runtime"]["output_dir"] == str(directory)


def test_a_bad_setting_in_a_process(tmp_path):
    done = start_command("lr=-1", cwd=tmp_path)
    debug = start_command("lr=-1", cwd=tmp_path, env={**os.environ, "HYDRA_FULL_ERROR": "1"})
    assert done.communicate(timeout=120) == ("", "error: lr=-1: must be a finite number > 0\n")
    assert done.returncode == 2
    _, err = debug.communicate(timeout=120)
    assert err.startswith("Traceback")
    assert err.endswith("SettingError: lr=-1: must be a finite number > 0\n")
    assert debug.returncode == 1
    assert listing(tmp_path) == []


def test_an_interrupt_before_the_run_is_quiet(gd, here):
    (here / "stopped.py").write_text("raise KeyboardInterrupt\n")
    done = gd("loss=custom", "loss._target_=stopped.Loss")
    assert (done.code, done.out, done.err) == (130, "", "")
    assert [name for name in listing(here) if "__pycache__" not in name] == ["stopped.py"]


# A full disk: one line that names the directory, exit code 1, earlier files intact


@pytest.mark.skipif(sys.platform == "win32", reason="there are no resource limits on Windows")
@pytest.mark.parametrize("limit", [0, 2_000, 100_000])
@pytest.mark.parametrize("further", [(), QUIET])
def test_a_full_disk_is_one_line(limit, further, gd, here):
    import resource

    assert gd("steps=3", "hydra.run.dir=earlier", *QUIET).code == 0
    before = {p: p.read_bytes() for p in (here / "earlier").rglob("*") if p.is_file()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        done = gd("steps=3000", "stop.grad_tol=0", "noise=1", "hydra.run.dir=run", *further)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert "run" in done.err.split(":")[1]
    assert "File too large" in done.err
    assert "converged" not in done.out
    assert {p: p.read_bytes() for p in before} == before
    if (here / "run" / "result.json").exists():
        assert result(here / "run")["steps"] == 3000


# .hydra: what stock Hydra writes

STOCK = """
import hydra

@hydra.main(version_base="1.3", config_path={conf!r}, config_name="config")
def main(config):
    pass

if __name__ == "__main__":
    main()
"""

# In hydra.yaml only the place may differ: the directory as typed and as an absolute path.
COMPARED = [
    ("lr=0.05", "optimizer=adam", "loss.dim=3"),
    ("++lr=0.05", "schedule=cosine", "~optimizer.momentum", "hydra.verbose=true"),
    ("start=[1,2]", "hydra.mode=RUN", "experiment=zigzag"),
]


def stock(directory: Path, *arguments: str) -> None:
    """The same arguments to a plain Hydra program."""
    script = directory / "stock.py"
    script.write_text(STOCK.format(conf=str(CONF)))
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def hydra_files(directory: Path) -> dict[str, str]:
    """What Hydra wrote, the directory's name left out."""
    found = sorted(directory.rglob(".hydra/*.yaml")) + sorted(directory.glob("multirun.yaml"))
    return {
        path.relative_to(directory).as_posix(): path.read_text()
        .replace(str(directory), "PLACE")
        .replace(f"dir: {directory.name}\n", "dir: PLACE\n")
        .replace(f".dir={directory.name}\n", ".dir=PLACE\n")
        for path in found
    }


@pytest.mark.parametrize("arguments", COMPARED)
def test_hydras_files_are_those_of_hydra(arguments, gd, here):
    typed = (*arguments, "steps=2", *QUIET)
    stock(here, *typed, "hydra.run.dir=stock")
    assert gd(*typed, "hydra.run.dir=own").code == 0
    own = hydra_files(here / "own")
    assert set(own) == {".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"}
    assert own == hydra_files(here / "stock")


def test_without_a_directory_only_the_time_stamp_may_differ(gd, here):
    stock(here, "steps=2", *QUIET)
    (stock_run,) = (here / "runs").iterdir()
    stock_run = stock_run.rename(here / "stock")
    assert gd("steps=2", *QUIET).code == 0
    (own_run,) = (here / "runs").iterdir()
    own = (own_run / ".hydra" / "hydra.yaml").read_text().splitlines()
    other = (stock_run / ".hydra" / "hydra.yaml").read_text().splitlines()
    different = [pair for pair in zip(own, other, strict=True) if pair[0] != pair[1]]
    assert [mine.split(":")[0].strip() for mine, _ in different] in ([], ["output_dir"])


def test_a_sweep_by_hydras_own_launcher(gd, here):
    basic = ("hydra/launcher=basic", "hydra/sweeper=basic")
    typed = ("-m", "lr=0.1,0.01", "steps=5", *basic)
    stock(here, *typed, "hydra.sweep.dir=stock")
    done = gd(*typed, "hydra.sweep.dir=own")
    assert (done.code, done.err) == (0, "")
    assert hydra_files(here / "own") == hydra_files(here / "stock")
    runs = [here / "own" / name for name in ("lr=0.1,steps=5", "lr=0.01,steps=5")]
    for directory, lr in zip(runs, (0.1, 0.01), strict=True):
        expected = gdlab.run(lr=lr, steps=5).outcome
        assert result(directory)["final_loss"] == expected.final_loss
        assert (directory / "trajectory.png").is_file()
    again = gd(*typed, "hydra.sweep.dir=own")
    assert again.code == 2
    assert "hydra.sweep.dir=own: is not empty; a sweep needs its own" in again.err


# A class of one's own: what the README shows

MY_LOSSES = '''
import gdlab


class Valley(gdlab.PointLoss):
    """x² + steepness · y⁴."""

    steepness: gdlab.Number = gdlab.setting(default=3.0, gt=0)
    dim = 2
    start = (1.0, 1.0)

    def point(self, x):
        return x[0] ** 2 + self.steepness * x[1] ** 4
'''

BATCHED = '''
import gdlab


class Valley(gdlab.Loss):
    """x² + steepness · y⁴, of many points at once."""

    steepness: gdlab.Number = gdlab.setting(default=3.0, gt=0)
    dim = 2
    start = (1.0, 1.0)

    def __call__(self, x):
        return x[..., 0] ** 2 + self.steepness * x[..., 1] ** 4
'''

MY_OPTIMIZERS = '''
import gdlab


class SignDescent(gdlab.Optimizer):
    """Steps of one length along each axis."""

    scale: gdlab.Number = gdlab.setting(default=1.0, gt=0)

    def update(self, x, grad, state, lr):
        return x - lr * self.scale * grad.sign(), state
'''


@pytest.mark.parametrize("source", [MY_LOSSES, BATCHED], ids=["PointLoss", "Loss"])
def test_a_loss_of_ones_own(source, gd, here):
    (here / "my_losses.py").write_text(source)
    own = ("loss=custom", "loss._target_=my_losses.Valley", "loss.steepness=5")
    done = gd(*own, "lr=0.03", "steps=40", "hydra.run.dir=run")
    assert (done.code, done.err) == (0, "")
    point = np.array([1.0, 1.0])
    for _ in range(40):
        point = point - 0.03 * np.array([2 * point[0], 20 * point[1] ** 3])
    kept = result(here / "run")
    np.testing.assert_allclose(kept["x"], point, rtol=1e-13)
    np.testing.assert_allclose(kept["final_loss"], point[0] ** 2 + 5 * point[1] ** 4, rtol=1e-12)
    assert (kept["distance"], kept["suboptimality"]) == (None, None)
    assert (here / "run" / "trajectory.png").is_file()
    config = yaml.safe_load((here / "run" / ".hydra" / "config.yaml").read_text())
    assert config["loss"] == {"_target_": "my_losses.Valley", "steepness": 5}


def test_an_optimizer_of_ones_own(gd, here):
    (here / "my_optimizers.py").write_text(MY_OPTIMIZERS)
    own = (
        "optimizer=custom",
        "optimizer._target_=my_optimizers.SignDescent",
        "optimizer.scale=0.5",
    )
    done = gd(*own, "lr=0.25", "steps=4", *HERE)
    assert (done.code, done.err) == (0, "")
    assert result(here / "run")["x"] == [0.5, 0.5]


def test_a_sweep_over_a_loss_of_ones_own(gd, here):
    (here / "my_losses.py").write_text(MY_LOSSES)
    own = ("loss=custom", "loss._target_=my_losses.Valley", "steps=0")
    done = gd("-m", *own, "loss.steepness=5,6", "hydra.sweep.dir=sweep")
    assert done.code == 2
    assert "steps=0: must be a whole number" in done.err
    own = ("loss=custom", "loss._target_=my_losses.Valley", "steps=1")
    done = gd("-m", *own, "loss.steepness=5,6", "hydra.sweep.dir=other", *QUIET)
    assert (done.code, done.err) == (0, "")
    losses = {result(path.parent)["best_loss"] for path in here.glob("other/*/result.json")}
    assert len(losses) == 2


REFUSED_CLASSES = """
import gdlab


class Fine(gdlab.Loss):
    k: float = gdlab.setting(default=3.0, gt=0)
    dim = 2
    start = (1.0, 1.0)

    def __call__(self, x):
        return x.square().sum(-1)


class NoDim(gdlab.Loss):
    start = (1.0, 1.0)


class NoStart(gdlab.Loss):
    dim = 2


class Breaks(Fine):
    def __post_init__(self):
        raise RuntimeError("no luck\\nat all")


class BadHint(Fine):
    m: "Nothing" = 3.0


class WrongDim(Fine):
    dim = 2.0


class WrongStart(Fine):
    start = "abc"


class StartBreaks(Fine):
    @property
    def start(self):
        raise RuntimeError("no start")


class WrongNames(Fine):
    names = ("a",)


class WrongWindow(Fine):
    window = ((0.0, 1.0),)


class WrongDomain(Fine):
    domain = ((0.0, 1.0),)


class WrongMinimizers(Fine):
    minimizers = (1.0, 2.0, 3.0)


class WrongMinimum(Fine):
    minimum = "zero"


class CurvatureBreaks(Fine):
    @property
    def curvature(self):
        raise RuntimeError("no curvature")


class Stepless(gdlab.Optimizer):
    pass


class Optimizer(gdlab.Optimizer):
    def init(self, x, layout):
        raise RuntimeError("no init")

    def update(self, x, grad, state, lr):
        return x, state


class Limit(gdlab.Optimizer):
    def max_stable_lr(self, largest):
        raise RuntimeError("no limit")

    def update(self, x, grad, state, lr):
        return x, state


def function(x):
    return x.square().sum()
"""

BAD_CLASSES = [
    ("loss", "Fine loss.k=-3", "loss.k=-3: must be a finite number > 0"),
    ("loss", "Fine loss.kk=3", "loss.kk=3: no such setting", "loss.k"),
    ("loss", "Fine loss.dim=3", "loss.dim=3: no such setting"),
    ("loss", "function", "must be the dotted name of a subclass of gdlab.Loss"),
    ("loss", "Optimizer", "must be the dotted name of a subclass of gdlab.Loss"),
    ("loss", "NoDim", "loss=NoDim: cannot be used", "'dim'"),
    ("loss", "NoStart", "loss=NoStart: cannot be used", "'start'"),
    ("loss", "Breaks", "mine.Breaks: cannot be instantiated (RuntimeError: no luck at all)"),
    ("loss", "BadHint", "mine.BadHint: cannot be instantiated (NameError", "Nothing"),
    ("loss", "WrongDim", "loss=WrongDim: its dim is 2.0, and must be a whole number"),
    ("loss", "WrongStart", "loss=WrongStart: cannot be used"),
    ("loss", "StartBreaks", "loss=StartBreaks: cannot be used (RuntimeError: no start)"),
    ("loss", "WrongNames", "loss=WrongNames: has 1 names, and must have 2"),
    ("loss", "WrongWindow", "loss=WrongWindow: its window must hold 2 pairs"),
    ("loss", "WrongDomain", "loss=WrongDomain: its domain must hold 2 pairs"),
    ("loss", "WrongMinimizers", "loss=WrongMinimizers: cannot be used"),
    ("loss", "WrongMinimum", "loss=WrongMinimum: cannot be used"),
    ("loss", "CurvatureBreaks", "loss=CurvatureBreaks: cannot be used (RuntimeError: no curv"),
    ("optimizer", "Fine", "must be the dotted name of a subclass of gdlab.Optimizer"),
    (
        "optimizer",
        "Stepless",
        "Stepless: cannot be instantiated (TypeError: Can't instantiate",
    ),
    ("optimizer", "Optimizer", "optimizer=Optimizer: cannot be used (RuntimeError: no init)"),
    ("optimizer", "Limit", "optimizer=Limit: cannot be used (RuntimeError: no limit)"),
]


@pytest.mark.parametrize(("group", "typed", "said"), [(r[0], r[1], r[2:]) for r in BAD_CLASSES])
def test_a_class_that_cannot_be_used_is_one_line(group, typed, said, gd, here, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (here / "mine.py").write_text(REFUSED_CLASSES)
    done = gd(f"{group}=custom", *f"{group}._target_=mine.{typed}".split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert [text for text in said if text not in done.err] == []
    assert listing(here) == ["mine.py"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "raise OSError('broken\\nindeed')",
            "cannot import mine (OSError: broken indeed",
        ),
        ("def (", "cannot import mine (SyntaxError: "),
        ("import sys; sys.exit(3)", "cannot import mine (SystemExit: 3)"),
        ("", "mine has no Loss"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line(source, said, gd, here, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (here / "mine.py").write_text(source)
    done = gd("loss=custom", "loss._target_=mine.Loss")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: loss._target_=mine.Loss: ")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert listing(here) == ["mine.py"]


FAILING = '''
import gdlab


class Third(gdlab.Loss):
    """Fails at its fourth value, that of step 3."""

    dim = 2
    start = (1.0, 1.0)
    seen = 0

    def __call__(self, x):
        type(self).seen += 1
        if self.seen == 4:
            raise RuntimeError("out of luck")
        return x.square().sum(-1)


class Shape(Third):
    def __call__(self, x):
        return x.square()


class OffPath(Third):
    """Fails wherever it is asked for a picture."""

    def __call__(self, x):
        if x.numel() > 64:
            raise RuntimeError("not here")
        return x.square().sum(-1)
'''


def test_a_run_that_fails_keeps_its_files_and_says_why(gd, here):
    (here / "mine.py").write_text(FAILING)
    own = ("loss=custom", "loss._target_=mine.Third", "engine.mode=eager")  # it counts its calls
    done = gd(*own, "lr=0.25", "hydra.run.dir=run")
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith("failed: RuntimeError after step 2: out of luck\n")
    kept = result(here / "run")
    assert (kept["status"], kept["steps"], kept["x"]) == ("failed", 2, [0.25, 0.25])
    assert kept["reason"] == "RuntimeError after step 2: out of luck"
    history = gdlab.load("run").history()
    assert history["x0"].tolist() == [1.0, 0.5, 0.25]
    assert history["loss"].tolist() == [2.0, 0.5, 0.125]


def test_values_of_a_wrong_shape_fail_with_both_shapes(gd, here):
    (here / "mine.py").write_text(FAILING)
    done = gd("loss=custom", "loss._target_=mine.Shape", "hydra.run.dir=run")
    assert (done.code, done.err) == (1, "")
    assert "returned values of shape (32, 2) for points (32, 2), not (32,)" in done.out
    kept = result(here / "run")
    assert (kept["status"], kept["steps"], kept["final_loss"]) == ("failed", 0, None)


def test_a_picture_that_cannot_be_drawn_costs_nothing_else(gd, here):
    (here / "mine.py").write_text(FAILING)
    done = gd("loss=custom", "loss._target_=mine.OffPath", "steps=3", "hydra.run.dir=run")
    assert done.code == 0
    assert done.err == "warning: the trajectory is not drawn (RuntimeError: not here)\n"
    assert result(here / "run")["status"] == "max_steps"
    assert not (here / "run" / "trajectory.png").exists()


def test_a_start_that_is_not_finite_is_a_diverged_run(gd, here):
    source = FAILING.replace("start = (1.0, 1.0)", 'start = (float("nan"), 1.0)')
    (here / "mine.py").write_text(source)
    done = gd("loss=custom", "loss._target_=mine.Third", "hydra.run.dir=run")
    assert done.out.startswith("diverged: the loss, its gradient or the point is not finite at")
    kept = result(here / "run")
    assert (kept["status"], kept["steps"], kept["x"]) == ("diverged", 0, [None, 1.0])


def test_a_sweep_with_a_failed_run_says_so(gd, here):
    (here / "mine.py").write_text(FAILING)
    own = ("loss=custom", "loss._target_=mine.Third,mine.OffPath", "steps=5", *QUIET)
    done = gd("-m", *own, "hydra.sweep.dir=sweep")
    assert done.code == 1
    statuses = [result(path.parent)["status"] for path in here.glob("sweep/*/result.json")]
    assert sorted(statuses) == ["failed", "max_steps"]


def test_an_interrupt_ends_a_sweep(gd, here):
    source = FAILING.replace(
        'raise RuntimeError("out of luck")', "import signal; signal.raise_signal(signal.SIGINT)"
    )
    (here / "mine.py").write_text(source)
    own = ("loss=custom", "loss._target_=mine.Third", "stop.grad_tol=0", *QUIET)
    basic = ("hydra/launcher=basic", "hydra/sweeper=basic")
    done = gd("-m", *own, *basic, "lr=0.25,0.125", "hydra.sweep.dir=sweep")
    assert done.code == 130
    (only,) = here.glob("sweep/*/result.json")
    assert result(only.parent)["status"] == "interrupted"


def test_claims_from_many_threads_are_never_shared(tmp_path):
    from gdlab.recording.files import claim_directory

    with ThreadPoolExecutor(16) as pool:
        wanted = [tmp_path / "runs" / "same"] * 200
        claimed = list(pool.map(lambda path: claim_directory(path, exact=False), wanted))
    assert len(set(claimed)) == 200
    assert {p.name for p in claimed} == {"same"} | {f"same-{i}" for i in range(2, 201)}
