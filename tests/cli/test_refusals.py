"""What the command line refuses: one line on stderr, exit code 2, nothing left behind."""

import os

import hypothesis
import pytest
import torch
from helpers.command import QUIET, Done, refusal, start_command
from helpers.files import listing
from hypothesis import strategies as st

import gdlab
from gdlab.__main__ import main

SETTINGS = "device, d"
OPTIMIZERS = "python -m gdlab --optimizers"

# arguments, then what the line must contain
BAD_SETTINGS = [
    # unknown settings
    ("learning_rate=0.1", "learning_rate=0.1: no such setting, did you mean lr?"),
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
    ("optimizer=sdg", f"optimizer=sdg: no such choice, did you mean sgd? (all: {OPTIMIZERS})"),
    ("loss=quadratik", "loss=quadratik: no such choice, did you mean quadratic? (all: python -m g"),
    ("schedule=cosin", "schedule=cosin: no such choice, did you mean cosine"),
    ("loss=", "loss=: no such choice (choices: ackley"),
    ("loss=null", "loss=null: no such choice (choices: ackley"),
    ("optimizer=null", f"optimizer=null: no such choice, did you mean sgd? (all: {OPTIMIZERS})"),
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
    ("start={a:1}", "start.a=1", "no such coordinate; the coordinates are x0, x1"),
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
    ("stop=3", "stop=3: must be a mapping with the keys grad_tol, loss, max_loss, evaluations"),
    ("stop=null", "stop=null: must be a mapping with the keys grad_tol, loss, max_loss, eva"),
    ("stop.evaluations=0", "stop.evaluations=0: must be a whole number ≥ 1"),
    ("stop.loss=abc", "stop.loss=abc: must be a number"),
    ("stop.loss=nan", "stop.loss=nan: must be a finite number"),
    ("stop.max_loss=-1", "stop.max_loss=-1: must be a finite number > 0"),
    ("stop.grad_tol=-1", "stop.grad_tol=-1: must be a finite number ≥ 0"),
    ("record.sharpness_every=9223372036854775807", "must be a whole number ≥ 0 and < 9.0072e+15"),
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
    # words that are not overrides
    ("lr", "lr: must have the form setting=value, such as lr=0.1"),
    ("=1", "=1: must have the form setting=value, such as lr=0.1"),
    ("-m lr=0.1 0.01 1e-3", "0.01: several values have commas between: lr=0.1,0.01,1e-3"),
    ("lr==1", "lr==1: must have the form setting=value"),
    ("lr=((", "lr=((: the bracket ( is not closed"),
    ("größe=3", "größe=3: must have the form setting=value"),
    ("hydra.run.dir=~/x", "hydra.run.dir=~/x: ", "needs quotes: 'hydra.run.dir=\"~/x\"'"),
    ("lr=0.1,0.2", "lr=0.1,0.2", "--multirun"),
    ("-m loss=quadratic,cube loss.condition=5", "loss.condition=5: loss=cube has no such setting"),
    ("lr=range(1,3)", "lr=range(1,3)", "--multirun"),
    ("lr=${nope}", "lr: ", "there is no setting nope"),
    ("lr=${oc.env:GDLAB_NOT_SET}", "lr: ", "'GDLAB_NOT_SET' not found"),
    ("+lr=0.2", "+lr=0.2: the setting exists"),
    # flags of a command
    ("check_gradient=no", "check_gradient=no: must be true or false"),
    ("dry_run=true", "dry_run=true: needs a sweep; add -m"),
    ("-m dry_run=flase lr=0.1,0.2", "dry_run=flase: must be true or false"),
    ("-m dry_run=true,false", "dry_run: must be the same for all runs"),
    (
        "-m check_gradient=no hydra/launcher=basic hydra/sweeper=basic",
        "check_gradient=no: must be true or false",
    ),
    ("resume=", "resume=: must be the directory of a sweep"),
    ("+resume=x", "resume=x: there is no such folder"),
    ("-m ++resume=x", "resume=x: there is no such folder"),
    ("view", "view: must have the form", "TensorBoard is python -m gdlab.view"),
    ("steps", "did you mean steps=…?"),
    # flags of Hydra
    ("--json=true", "--json: takes no value, not 'true'"),
    ("--learning-rate 1", "unrecognized arguments: --learning-rate; settings have no dashes: lr=…"),
    ("--nope", "unrecognized arguments: --nope", "--help"),
    ("--cfg nope", "--cfg", "invalid choice: 'nope'", "'job'"),
    ("--config-dir nowhere", "--config-dir=nowhere: no such folder"),
    ("lr=1 --config-dir nowhere", "--config-dir=nowhere: no such folder"),
    ("--config-path nowhere", "--config-path is not supported", "--config-dir"),
    ("--config-name nope", "--config-name=nope: there is no nope.yaml in conf"),
    ("--cfg job learning_rate=1", "learning_rate=1: no such setting, did you mean lr?"),
    ("-m --cfg=job lr=0.1,0.2", "--multirun, --cfg: only one of these can be asked for"),
    ("--cfg job --resolve lr=${nope}", "Interpolation key 'nope' not found"),
    ("--cfg job lr=0.1,0.2", "lr=0.1,0.2: has several values, and --cfg shows"),
    ("--cfg job -p nope", "--package=nope: the configuration has no such part"),
    ("--resolve", "--resolve: needs --cfg"),
    ("-p loss", "--package=loss: needs --cfg"),
    ("--info defaults lr=((", "lr=((: the bracket ( is not closed"),
    ("--hydra-help hydra.nope=3", "Hydra cannot answer this (", "hydra.nope"),
    ("-sc install=nope", "Hydra cannot answer this (", "No completion plugin for 'nope'"),
    ("--config-dir nowhere --info", "--config-dir=nowhere: no such folder"),
    ("--config-name nope lr=((", "lr=((: the bracket ( is not closed"),
    # Hydra's own settings
    ("hydra.verbose=1.5", "hydra.verbose=1.5: must be true, false, the name of a logger or"),
    ("+hydra.callbacks.m._target_=nowhere.C", "hydra.callbacks: cannot be made (", "'nowhere.C'"),
    ("-m +hydra.callbacks.m._target_=nowhere.C", "hydra.callbacks: cannot be made (", "nowhere"),
    ("+hydra.job_logging.root.handlers=[nope]", "hydra: cannot set up the run (ValueError: "),
    ("+hydra.job.env_set.A=${nope}", "hydra: cannot set up the run (", "'nope' not found"),
    ("hydra.job.env_copy=[GDLAB_NOT_SET]", "cannot be composed (KeyError: 'GDLAB_NOT_SET')"),
    ("hydra.output_subdir=../x", "hydra.output_subdir=../x: must be a folder in the run's"),
    ("-m hydra.sweeper._target_=nope.X", "cannot be made (", "'nope"),
    ("-m hydra/sweeper=basic lr=abc", "lr=abc: must be a number"),
    (
        "-m hydra/launcher=basic +hydra.job_logging.root.handlers=[nope]",
        "hydra/sweeper=grid, hydra/launcher=basic: cannot run (ValueError: ",
    ),
    # directories
    ("hydra.run.dir=${nope}", "hydra.run.dir: ", "'nope' not found"),
    ("hydra.run.dir=null", "hydra.run.dir"),
    ("hydra.run.dir=/proc/nothing/run", "hydra.run.dir=/proc/nothing/run: cannot be made"),
    ("hydra.run.dir=full", "hydra.run.dir=full: is not empty, and a run needs its own"),
    ("hydra.run.dir=full/file", "hydra.run.dir=full/file: cannot be made (File exists)"),
    ("hydra.run.dir=full/file/run", "hydra.run.dir=full/file/run: cannot be made ("),
    (f"hydra.run.dir=new/{300 * 'x'}", "hydra.run.dir=new/xx", "cannot be made (File name too"),
    # custom classes
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
    ("loss=custom loss._target_=gdlab.Loss", "loss=Loss: has no dim and no start; write `dim = 2`"),
]


@pytest.mark.parametrize(("typed", "said"), [(row[0], row[1:]) for row in BAD_SETTINGS])
def test_a_bad_setting_is_refused_in_one_line(typed, said, gd, here, monkeypatch):
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


HYDRAS = ["verbose", "mode", "searchpath", "output_subdir", "callbacks", "launcher", "sweeper"]
HYDRAS += ["sweeper.params", "sweeper.points", "sweeper.zip", "launcher.executor", "sweep.dir"]
HYDRAS += ["sweep.subdir", "run.dir", "job.name", "job.num", "job.id", "job.chdir", "job.env_copy"]
HYDRAS += ["job.config.override_dirname.exclude_keys", "hydra_logging", "job_logging.root", "help"]
ODD = ["", "null", "1.5", "-0.0", "true", "abc", "[1]", "[a,null]", "{a:1}", "${nope}", "???"]
ODD += ["${hydra:nope}", "a,b", "range(1,3)", "'\"'", "9223372036854775808", "../x", "${oc.env:NO}"]


@hypothesis.settings(
    max_examples=6, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    sign=st.sampled_from(["", "", "+", "++", "~"]),
    key=st.sampled_from(HYDRAS),
    value=st.sampled_from(ODD),
)
def test_an_odd_setting_of_hydra_is_used_or_refused_in_one_line(sign, key, value, gd, here):
    done = gd("-m", "dry_run=true", "lr=0.1,0.2", f"{sign}hydra.{key}={value}")
    assert (done.code, done.err) == (0, "") or refusal(done)
    assert listing(here) == []


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("start", "2: a list has square brackets and commas: 'start=[1,2]'"),
        ("loss.eigenvalues", "2: a list has square brackets and commas: 'loss.eigenvalues=[1,2]'"),
        ("seed", "2: several values have commas between: seed=1,2"),
    ],
)
def test_numbers_with_blanks_between_are_a_list_or_several(key, said, gd):
    assert gd(f"{key}=1", "2").err.splitlines()[0] == f"error: {said}"


def test_a_file_named_runs_is_refused(gd, here):
    (here / "runs").write_text("a file")
    done = gd(*QUIET)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: hydra.run.dir=runs/")
    assert done.err.endswith("cannot be made (File exists)\n")
    assert listing(here) == ["runs"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_an_unwritable_folder_runs_is_refused(gd, here):
    (here / "runs").mkdir(mode=0o500)
    done = gd(*QUIET)
    assert done.code == 2
    assert "cannot be made (Permission denied)" in done.err
    assert listing(here) == ["runs"]


# content of data.csv, more settings, what the line must contain
BAD_DATA = [
    (None, "", "loss.data=data.csv: no such file (data sets: breast_cancer, diabetes, "),
    ("", "", "loss.data=data.csv: the file is empty"),
    ("a,y\n", "", "loss.data=data.csv: the file has no rows"),
    ("a,y\n1,2\n3,oops\n", "", "loss.data=data.csv: line 3, column y: 'oops' is not a"),
    ("a,y\n1,2\nnan,4\n", "", "loss.data=data.csv: line 3, column a: 'nan' is not a"),
    ("a,y\n1,2\n3,\n", "", "line 3, column y: the cell is empty"),
    ("a,y\n1,2\n", "loss.target=z", "loss.target=z: no such column in data.csv; it has a, y"),
    ("a,y\n1,2\n", "loss.features=[z]", "loss.features=[z]: z is not one of a"),
    ("a,y\n1,2\n", "loss.batch_size=2", "loss.batch_size=2: must be at most 1"),
    ("a,a\n1,2\n", "", "more than one column is named a"),
    ("y\n1\n", "", "needs at least one column besides the target y"),
]


@pytest.mark.parametrize(("content", "further", "said"), BAD_DATA)
def test_bad_data_is_refused_in_one_line(content, further, said, gd, here):
    if content is not None:
        (here / "data.csv").write_text(content)
    before = listing(here)
    done = gd("loss=mse", "loss.data=data.csv", *further.split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert listing(here) == before


def test_debug_raises_the_exception(gd, here, monkeypatch):
    for arguments in (["lr=-1", "--debug"], ["--debug", "lr=-1"]):
        with pytest.raises(gdlab.SettingError, match="lr=-1"):
            main(arguments)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(gdlab.SettingError, match="lr=-1"):
        main(["lr=-1"])
    assert listing(here) == []


def test_a_bad_setting_in_a_process(tmp_path):
    done = start_command("lr=-1", cwd=tmp_path).done(120)
    assert done == Done(2, "", "error: lr=-1: must be a finite number > 0\n")
    assert listing(tmp_path) == []
