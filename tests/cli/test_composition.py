"""The command line's words to a configuration."""

import pytest
from helpers.command import BASIC, QUIET
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from gdlab.cli.composition import compose_config, hydra_ready
from gdlab.config import overrides
from gdlab.config.loading import resolve_choice, settings_from_config
from gdlab.config.overrides import expand_shorthand, to_hydra_overrides
from gdlab.errors import SettingError
from gdlab.fields.declared import flatten
from gdlab.optimizers import Adam, Lookahead

# what is typed, what Hydra is given
REWRITTEN = [
    (["lr=1", "loss.dim=3"], ["lr=1", "loss.dim=3"]),
    (
        ["loss=custom", "loss._target_=m.C", "loss.k=3"],
        ["loss=custom", "loss._target_=m.C", "++loss.k=3"],
    ),
    (["loss.k=3", "loss=custom"], ["++loss.k=3", "loss=custom"]),
    (["loss=custom", "optimizer.k=3"], ["loss=custom", "optimizer.k=3"]),
    (["optimizer=custom", "optimizer.k=3"], ["optimizer=custom", "++optimizer.k=3"]),
    (["schedule=custom", "schedule.k=3"], ["schedule=custom", "++schedule.k=3"]),
    (["loss=custom", "loss_k=3"], ["loss=custom", "loss_k=3"]),
    ([], []),
    (["loss.parameters.a=1,2"], ["++loss.parameters.a=1,2"]),
    (["++loss.parameters.a=1"], ["++loss.parameters.a=1"]),
    (["loss.parameters={a:1}"], ["++loss.parameters={a:1}"]),
    (["~loss.parameters"], ["~loss.parameters"]),
    (["loss.module._target_=m.Net"], ["++loss.module._target_=m.Net"]),
    (["loss.module.width=4,8"], ["++loss.module.width=4,8"]),
    (["loss.data._target_=m.Data"], ["++loss.data._target_=m.Data"]),
    (["loss.data=iris"], ["loss.data=iris"]),
    (["optimizer.inner=adam"], ["optimizer@optimizer.inner=adam"]),
    (["optimizer.inner.inner=sgd,adam"], ["optimizer@optimizer.inner.inner=sgd,adam"]),
    (["optimizer@optimizer.inner=adam"], ["optimizer@optimizer.inner=adam"]),
    (["optimizer.inner.eps=1"], ["optimizer.inner.eps=1"]),
    (["optimizer.inner", "optimizer.inners=1"], ["optimizer.inner", "optimizer.inners=1"]),
    (["schedule.then=cosine"], ["schedule@schedule.then=cosine"]),
    (
        ["optimizer.inner=custom", "optimizer.inner._target_=m.C", "optimizer.inner.k=3"],
        [
            "optimizer@optimizer.inner=custom",
            "optimizer.inner._target_=m.C",
            "++optimizer.inner.k=3",
        ],
    ),
    (["path=[cos(t),max(t, 1)]"], ['path=["cos(t)","max(t, 1)"]']),
    (['inner=["x+y", x-y]'], ['inner=["x+y","x-y"]']),
    (["formulas=null"], ["formulas=null"]),
    (["loss.formula=x**2 + y"], ['loss.formula="x**2 + y"']),
    (["++loss.formula=x**2 + y"], ['++loss.formula="x**2 + y"']),
    (["loss=custom", "loss.formula=x+y"], ["loss=custom", '++loss.formula="x+y"']),
    (["loss.formula=x**2, max(x,y)"], ['loss.formula="x**2","max(x,y)"']),
    (['loss.formula="x", (y'], ['loss.formula="x","(y"']),
    (["loss.formula='x+y'"], ["loss.formula='x+y'"]),
    (['loss.formula="x,y",z'], ['loss.formula="x,y","z"']),
    (['loss.formula=a"b\\"c\\'], ['loss.formula="a\\"b\\\\\\"c\\\\"']),
    (["loss.formula=${lr}*x"], ['loss.formula="\\${lr}*x"']),
    (["loss.formula=null", "loss.formula=", "loss.formula"],) * 2,
]


@pytest.mark.parametrize(("typed", "expected"), REWRITTEN)
def test_overrides_as_hydra_takes_them(typed, expected):
    assert to_hydra_overrides(typed) == expected


@pytest.mark.parametrize("others", [["loss=custom"], ["loss@loss=custom"]])
def test_other_overrides_may_choose_the_custom_class(others):
    assert to_hydra_overrides(["loss.k=1,2"], others) == ["++loss.k=1,2"]
    assert to_hydra_overrides(["loss.k=1,2"], ["optimizer=custom"]) == ["loss.k=1,2"]


SINGLE = ("lr=0.05", "noise=0", "optimizer=clip_norm", "optimizer.inner=adam")
SWEPT = ("-m", "lr=0.05,0.1", "noise=0,0.1", "loss=expression", "loss.formula=x**2")
EXPERIMENT = """# @package _global_
hydra:
  mode: MULTIRUN
  sweeper:
    params:
      noise: 0,0.1
      loss.parameters.a: 1,2
"""


@pytest.mark.parametrize(
    ("words", "params"),
    [
        (SINGLE, []),
        (SWEPT, []),
        ((*SWEPT, *BASIC), []),
        (
            ("experiment=mine", "--config-dir", "conf", "loss=expression", "loss.formula=a*x**2"),
            ["noise=0,0.1", "loss.parameters.a=1,2"],
        ),
        (("--cfg", "job", *SINGLE), []),
    ],
)
def test_each_override_is_rewritten_once(words, params, gd, here, monkeypatch):
    (here / "conf" / "experiment").mkdir(parents=True)
    (here / "conf" / "experiment" / "mine.yaml").write_text(EXPERIMENT)
    rewritten: list[str] = []

    def count(override: str) -> str:
        rewritten.append(override)
        return expand_shorthand(override)

    monkeypatch.setattr(overrides, "expand_shorthand", count)
    further = ("steps=2", *QUIET, "hydra.run.dir=run", "hydra.sweep.dir=sweep")
    done = gd(*words, *further)
    assert (done.code, done.err) == (0, "")
    typed = [word for word in (*words, *further) if "=" in word]
    assert sorted(rewritten) == sorted([*typed, *params])


def test_what_is_composed():
    with hydra_ready():
        config = compose_config(["optimizer=adam", "lr=0.01", "loss.dim=5"])
    assert (config.lr, config.loss.dim, config.optimizer._target_) == (
        0.01,
        5,
        "gdlab.optimizers.Adam",
    )
    assert config.hydra.job.name == "gdlab"
    assert dict(config.hydra.runtime.choices)["optimizer"] == "adam"


def test_a_custom_class_is_composed_with_its_fields():
    with hydra_ready():
        config = compose_config(["loss=custom", "loss._target_=mine.Loss", "loss.k=[1,2]"])
    assert OmegaConf.to_container(config.loss) == {"_target_": "mine.Loss", "k": [1, 2]}


def test_hydra_is_restored_afterwards():
    before = GlobalHydra.instance().is_initialized()
    with hydra_ready():
        assert GlobalHydra.instance().is_initialized()
    with pytest.raises(SettingError), hydra_ready():
        compose_config(["nope=1"])
    assert GlobalHydra.instance().is_initialized() == before


def test_a_folder_adds_choices(tmp_path, monkeypatch):
    (tmp_path / "mine" / "optimizer").mkdir(parents=True)
    (tmp_path / "mine" / "optimizer" / "heavy.yaml").write_text(
        "_target_: gdlab.optimizers.SGD\nmomentum: 0.99\n"
    )
    monkeypatch.chdir(tmp_path)
    for folder in ("mine", str(tmp_path / "mine")):
        with hydra_ready(folder):
            assert compose_config(["optimizer=heavy"]).optimizer.momentum == 0.99
            with pytest.raises(SettingError, match="did you mean heavy or heavy_ball"):
                compose_config(["optimizer=heav"])
    with hydra_ready(), pytest.raises(SettingError, match="optimizer=heavy: no such choice"):
        compose_config(["optimizer=heavy"])
    with pytest.raises(SettingError, match="--config-dir=nowhere: no such folder"):
        hydra_ready("nowhere").__enter__()


PLUGINS = """# @package _global_
defaults:
  - override /hydra/launcher: basic
  - override /hydra/sweeper: random
hydra: {sweeper: {samples: 5}}
"""


@pytest.mark.parametrize(
    ("words", "launcher", "sweeper"),
    [
        ([], "batched", "grid"),
        (["experiment=mine"], "basic", "random"),
        (["experiment=mine", "hydra/launcher=batched"], "batched", "random"),
    ],
)
def test_an_experiment_chooses_the_plugins_and_the_command_line_over_it(
    words, launcher, sweeper, tmp_path
):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(PLUGINS)
    with hydra_ready(str(tmp_path)):
        choices = compose_config(words).hydra.runtime.choices
    assert (choices["hydra/launcher"], choices["hydra/sweeper"]) == (launcher, sweeper)


def test_a_sweep_of_the_configuration_is_no_single_run():
    with hydra_ready():
        words = ["hydra.mode=MULTIRUN", "lr=0.1,0.2", "seed=range(3)"]
        assert compose_config(words).hydra.mode.name == "MULTIRUN"
        with pytest.raises(SettingError, match="add --multirun"):
            compose_config(["hydra.mode=RUN", *words[1:]])
        assert compose_config(["hydra.mode=MULTIRUN"]).hydra.mode.name == "MULTIRUN"
        assert compose_config([]).hydra.mode is None


def test_an_optimizer_around_others_is_composed_with_all():
    words = ["optimizer=clip_norm", "optimizer.inner=lookahead", "optimizer.inner.inner=adam"]
    with hydra_ready():
        config = compose_config([*words, "optimizer.inner.inner.eps=0.1", "optimizer.inner.k=3"])
    optimizer = resolve_choice("optimizer", "clip_norm").replace(
        inner=Lookahead(k=3, inner=Adam(eps=0.1))
    )
    made = settings_from_config(
        OmegaConf.masked_copy(config, [str(k) for k in config if k != "hydra"]), {}
    )
    assert flatten(made.optimizer) == flatten(optimizer)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimizer=sgd", "optimizer.inner=adam"], "optimizer.inner=adam: no such setting"),
        (
            ["optimizer=lookahead", "optimizer.inner=adm"],
            "optimizer.inner=adm: no such choice, did you mean adam, radam or nadam?",
        ),
        (
            ["optimizer=lookahead", "optimizer.inner=3"],
            "optimizer.inner=3: no such choice (choices: ",
        ),
        (
            ["schedule=warmup", "schedule.then=cosin"],
            "schedule.then=cosin: no such choice, did you mean cosine, cosine_restarts or warm",
        ),
        (
            ["optimizer=lookahead", "optimizer.inner.momentun=0.5"],
            "optimizer.inner.momentun=0.5: no such setting, did you mean optimizer.inner.momentum?",
        ),
    ],
)
def test_errors_name_a_setting_of_an_inner_one(words, said):
    with hydra_ready(), pytest.raises(SettingError) as error:
        compose_config(words)
    assert str(error.value).startswith(said)
