"""The YAML files of conf against the classes they configure."""

import importlib
import re
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

import gdlab
from gdlab.cli.composition import compose_config, hydra_ready
from gdlab.config.loading import (
    resolve_choice,
    settings_from_config,
    settings_from_flat,
    settings_from_values,
)
from gdlab.config.settings import COMMAND_KEYS, GROUPS, NODES, Settings
from gdlab.engine.metrics import Intervals
from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, declared_fields, flatten
from gdlab.losses import Quadratic, Rosenbrock
from gdlab.optimizers import SGD, Adam, Lookahead, Newton, Optimizer
from gdlab.paths import CONF
from gdlab.schedules import Constant, Cosine, Warmup
from gdlab.sweeps.plan_file import plain_settings

FILES = sorted(path for group in GROUPS for path in (CONF / group).glob("**/*.yaml"))
# Files for custom classes cannot be instantiated without a class.
CHOICES = [path for path in FILES if "???" not in path.read_text(encoding="utf-8")]

# What a preset changes in its class's defaults.
PRESETS = {
    "schedule/warmup_cosine": {"then": {"final": 0.0}},
    "optimizer/momentum": {"momentum": 0.9},
    "optimizer/nesterov": {"momentum": 0.9, "nesterov": True},
    "optimizer/adamw": {"weight_decay": 0.01, "decoupled_weight_decay": True},
    "optimizer/armijo": {"line_search": "armijo"},
    "optimizer/exact": {"line_search": "exact"},
    "optimizer/bb2": {"variant": 2},
    "optimizer/damped_newton": {"line_search": "armijo"},
    "optimizer/modified_newton": {"line_search": "armijo", "modified": True},
}


def name_of(path: Path) -> str:
    return path.relative_to(CONF).with_suffix("").as_posix()


def group_of(path: Path) -> str:
    return path.relative_to(CONF).parts[0]


def class_of(path: Path) -> type[Configured]:
    module, _, name = yaml.safe_load(path.read_text())["_target_"].rpartition(".")
    return getattr(importlib.import_module(module), name)


def values_of(path: Path) -> dict:
    """The values of a file, with its defaults list replaced by instances."""
    values = yaml.safe_load(path.read_text())
    for key in ("lr", "space"):  # the default of the setting lr, and what is tuned: no fields
        values.pop(key, None)
    defaults = {key: name for entry in values.pop("defaults", []) for key, name in entry.items()}
    groups = {key.partition("@")[2]: key.partition("@")[0].strip("/") for key in defaults}
    inner = {f: resolve_choice(group, defaults[f"/{group}@{f}"]) for f, group in groups.items()}
    return {"_target_": values.pop("_target_"), **inner, **values}


def plain(values: dict) -> dict:
    """Values with configured instances flattened."""
    flat = {k: flatten(v) if isinstance(v, Configured) else v for k, v in values.items()}
    return as_yaml(flat)


def as_yaml(values: dict) -> dict:
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


@pytest.mark.parametrize("path", CHOICES, ids=name_of)
def test_a_file_lists_the_fields_of_its_class_with_their_defaults(path):
    cls = class_of(path)
    assert issubclass(cls, GROUPS[group_of(path)])
    values = values_of(path)
    assert re.fullmatch(r"gdlab\.(losses|optimizers|schedules)\.\w+", values.pop("_target_"))
    assert list(values) == list(declared_fields(cls))
    defaults, values = plain(cls().settings()), plain(values)
    differing = {key: value for key, value in values.items() if value != defaults[key]}
    assert differing == PRESETS.get(name_of(path), {})


@pytest.mark.parametrize("path", CHOICES, ids=name_of)
def test_a_file_loads_as_an_instance_with_its_values(path):
    group, _, name = name_of(path).partition("/")
    made = resolve_choice(group, name)
    values = values_of(path)
    del values["_target_"]
    assert type(made) is class_of(path)
    assert plain(made.settings()) == plain(values)


OPTIMIZERS = [path for path in sorted((CONF / "optimizer").glob("*.yaml")) if path.stem != "custom"]


@pytest.mark.parametrize("path", OPTIMIZERS, ids=name_of)
def test_a_file_has_the_default_lr_of_its_optimizer(path):
    cls = class_of(path)
    assert issubclass(cls, Optimizer)
    assert yaml.safe_load(path.read_text()).get("lr", SGD.default_lr) == cls.default_lr


OWN = ["optimizer=custom", "optimizer._target_=gdlab.optimizers.SGD"]


@pytest.mark.parametrize(
    ("words", "lr"), [(["optimizer=newton"], 1.0), (["optimizer=sgd"], 0.1), (OWN, 0.1), ([], 0.1)]
)
def test_the_command_line_has_the_default_lr_of_the_file(words, lr):
    with hydra_ready():
        assert compose_config(words).lr == lr


def test_a_given_lr_takes_precedence_over_the_optimizers_default():
    assert gdlab.run(optimizer="newton", steps=1).settings.lr == 1
    assert gdlab.run(optimizer=Newton(), steps=1).settings.lr == 1
    assert gdlab.run(optimizer="newton", lr=0.5, steps=1).settings.lr == 0.5
    rates = gdlab.sweep(optimizer=["sgd", "newton"], steps=1).results["lr"]
    assert rates.tolist() == [0.1, 1]
    with hydra_ready():
        assert compose_config(["optimizer=newton", "lr=0.5"]).lr == 0.5


@pytest.mark.parametrize(
    ("words", "lr"), [([], 0.1), (["optimizer=newton"], 1), (["optimizer=newton", "lr=0.5"], 0.5)]
)
def test_the_recorded_config_has_the_lr_that_was_used(words, lr, gd):
    quiet = ("steps=1", "record.figures=false", "record.events=false")
    assert gd(*words, *quiet, "hydra.run.dir=run").code == 0
    assert gdlab.load("run").config["lr"] == lr
    assert gd("-m", *words, *quiet, "seed=0,1", "hydra.sweep.dir=s").code == 0
    assert gdlab.load("s").config["lr"] == lr
    assert gdlab.load("s/seed=1").config["lr"] == lr


def test_every_preset_exists():
    assert set(PRESETS) <= {name_of(path) for path in CHOICES}


@pytest.mark.parametrize("path", [*FILES, CONF / "config.yaml"], ids=name_of)
def test_every_key_has_a_comment(path):
    first, *lines = path.read_text().splitlines()
    assert re.fullmatch(r"# [A-Zl].{10,}", first)
    in_hydra = in_space = False
    for line in lines:
        key = re.match(r"( *)(\w+):", line)
        if key is None:
            assert line == "" or line.lstrip().startswith(("-", "# yaml-language-server:"))
            continue
        in_space = key[2] == "space" or (in_space and key[1] != "")
        in_hydra = key[2] == "hydra" or (in_hydra and key[1] != "")
        is_inside = in_hydra or (in_space and key[2] != "space")
        if key[2] not in ("defaults", "_target_") and not is_inside:
            assert re.search(r"\S +# \S.{4,}", line), line
        assert len(line) <= 120


def test_config_has_the_fields_of_settings():
    config = yaml.safe_load((CONF / "config.yaml").read_text())
    chosen = [entry for entry in config.pop("defaults") if isinstance(entry, dict)]
    groups = {key for entry in chosen for key in entry}
    del config["hydra"]
    for key in COMMAND_KEYS:
        config.pop(key, None)
    kept = {*config, *groups} - COMMAND_KEYS
    assert kept == set(declared_fields(Settings)) - {"choices"}
    assert {key for key in groups if key in GROUPS} == set(GROUPS)
    lr = config["lr"] = SGD.default_lr  # composed: see above
    defaults = Settings(loss=Quadratic(), optimizer=SGD(), schedule=Constant(), lr=lr)
    for key, value in config.items():
        default = getattr(defaults, key)
        expected = default.settings() if isinstance(default, Configured) else default
        assert value == expected, key
        if isinstance(default, Configured):
            own = [name for name in expected if name not in declared_fields(Intervals)]
            assert [name for name in value if name in own] == own


VALUES = {
    "loss": {"_target_": "gdlab.losses.Rosenbrock", "b": 10},
    "optimizer": {"_target_": "gdlab.optimizers.SGD", "momentum": 0.5},
    "schedule": {"_target_": "gdlab.schedules.Cosine"},
    "lr": 1,
}


def test_values_become_typed_settings():
    made = settings_from_values(dict(VALUES), {"loss": "rosenbrock", "optimizer": "custom"})
    assert isinstance(made.loss, Rosenbrock)
    assert isinstance(made.optimizer, SGD)
    assert isinstance(made.schedule, Cosine)
    assert (made.loss.b, made.optimizer.momentum, made.lr) == (10.0, 0.5, 1.0)
    assert all(type(number) is float for number in (made.loss.b, made.lr))
    assert [made.name(group) for group in GROUPS] == ["rosenbrock", "SGD", "Cosine"]


def test_flat_names_every_setting_once():
    made = settings_from_values(dict(VALUES), {"loss": "rosenbrock"})
    flat = made.flat()
    assert flat["loss"] == "rosenbrock"
    assert flat["loss.b"] == 10.0
    assert flat["stop.grad_tol"] == 1e-8
    assert "choices" not in flat
    nodes = [getattr(made, name) for name in NODES]
    per_class = [made.loss, made.optimizer, made.schedule, *nodes]
    top = set(declared_fields(Settings)) - {"choices", *NODES}
    assert len(flat) == len(top) + sum(len(part.settings()) for part in per_class)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lr": "1"}, 'lr="1": must be a number'),
        ({"nope": 1}, "nope=1: no such setting"),
        ({"loss": "quadratic"}, "loss=quadratic: must be a name from conf/loss"),
        ({"loss": {"b": 10}}, "must be a name from conf/loss"),
        ({"loss": {"_target_": "gdlab.losses.Rosenbrock", "c": 1}}, "loss.c=1: no such setting"),
        ({"stop": {"loss": "low"}}, "stop.loss=low: must be a number"),
        ({"record": {"every": 0}}, "record.every=0: must be a whole number"),
        ({"choices": {}}, "choices={}: no such setting"),
    ],
)
def test_errors_name_the_full_setting(changes, said):
    with pytest.raises(SettingError, match=re.escape(said)):
        settings_from_values({**VALUES, **changes}, {})


def test_an_unresolved_interpolation_is_named():
    with pytest.raises(SettingError, match=r"^lr: there is no setting nope$"):
        settings_from_config(OmegaConf.create({**VALUES, "lr": "${nope}"}), {})


def test_choices_from_python_are_names_or_instances():
    optimizer = SGD()
    assert resolve_choice("optimizer", optimizer) is optimizer
    adam = resolve_choice("optimizer", "adamw")
    assert isinstance(adam, Adam)
    assert adam.decoupled_weight_decay
    with pytest.raises(SettingError, match="optimizer=sdg: no such choice, did you mean sgd"):
        resolve_choice("optimizer", "sdg")
    with pytest.raises(SettingError, match="must be a name or an instance of Optimizer"):
        resolve_choice("optimizer", Quadratic())
    assert isinstance(resolve_choice("loss", Quadratic), Quadratic)


def test_an_inner_optimizer_is_given_by_name_and_settings() -> None:
    given = {"optimizer": "lookahead", "optimizer.inner": "adam", "optimizer.inner.eps": 0.1}
    settings = settings_from_flat({**given, "schedule": "warmup", "schedule.then": "cosine"})
    assert flatten(settings.optimizer) == flatten(Lookahead(inner=Adam(eps=0.1)))
    assert isinstance(settings.schedule, Warmup)
    assert isinstance(settings.schedule.then, Cosine)
    with pytest.raises(
        SettingError, match=r"optimizer\.inner\.eps=-1: must be a finite number ≥ 0"
    ):
        settings_from_flat({**given, "optimizer.inner.eps": -1})


def test_an_inner_optimizer_survives_a_plan() -> None:
    settings = settings_from_flat({"optimizer": "lookahead", "optimizer.inner": "nadam"})
    again = settings_from_values(plain_settings(settings), settings.choices)
    assert flatten(again.optimizer) == flatten(settings.optimizer)
