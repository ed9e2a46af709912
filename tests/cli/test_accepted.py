"""Settings and flags that work as typed."""

from pathlib import Path

import pytest
import yaml
from helpers.command import HERE, QUIET
from helpers.files import listing, result

import gdlab
from gdlab.losses import MSE

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
def test_a_setting_works_as_typed(typed, key, value, gd, here):
    assert gd("steps=2", *typed.split(), *HERE).code == 0
    config = yaml.safe_load((here / "run" / ".hydra" / "config.yaml").read_text())
    assert config[key] == value
    used = {} if key == "lr" else {"lr": 0.1}  # by default it follows the optimizer
    assert gdlab.load("run").config == config | used


def test_a_setting_may_refer_to_hydras_configuration(gd, here):
    (here / "d.csv").write_text("x,y\n1,2\n2,3\n3,5\n")
    data = ("loss=mse", "loss.data=${hydra:runtime.cwd}/d.csv")
    assert gd("steps=1", *data, "hydra.run.dir=run", *QUIET).code == 0
    assert (
        result(here / "run")["final_loss"]
        == gdlab.run(loss=MSE("d.csv"), steps=1).outcome.final_loss
    )
    assert gd("-m", "steps=1", "lr=0.1", *data, "hydra.sweep.dir=s", *QUIET).code == 0


def test_flags_and_settings_may_be_mixed(gd, here):
    (here / "mine" / "loss").mkdir(parents=True)
    text = "_target_: gdlab.losses.Quadratic\ndim: 7\n"
    (here / "mine" / "loss" / "my_bowl.yaml").write_text(text)
    done = gd("steps=2", "--config-dir", "mine", "loss=my_bowl", *HERE)
    assert (done.code, done.err) == (0, "")
    assert len(result(here / "run")["x"]) == 7
    shown = gd("loss.dim=5", "--cfg", "job", "steps=3")
    assert shown.code == 0
    assert yaml.safe_load(shown.out)["loss"]["dim"] == 5


def test_a_run_may_change_into_its_directory(gd, here):
    done = gd("steps=2", "hydra.job.chdir=true", *HERE)
    assert done.code == 0
    assert set(listing(here)) >= {"run/result.json", "run/history.parquet"}
    assert not (here / "run" / "run").exists()
    assert Path.cwd() == here
