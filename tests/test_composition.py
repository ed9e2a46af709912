"""The command line's words to a configuration."""

import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from gdlab.composition import composed, hydra_ready, opened
from gdlab.errors import SettingError

# what is typed, what Hydra is given
OPENED = [
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
]


@pytest.mark.parametrize(("typed", "given"), OPENED)
def test_fields_of_a_class_of_ones_own_need_no_plus(typed, given):
    assert opened(typed) == given


def test_what_is_composed():
    with hydra_ready():
        config = composed(["optimizer=adam", "lr=0.01", "loss.dim=5"])
    assert (config.lr, config.loss.dim, config.optimizer._target_) == (
        0.01,
        5,
        "gdlab.optimizers.Adam",
    )
    assert config.hydra.job.name == "gdlab"
    assert dict(config.hydra.runtime.choices)["optimizer"] == "adam"


def test_a_custom_class_is_composed_with_its_fields():
    with hydra_ready():
        config = composed(["loss=custom", "loss._target_=mine.Loss", "loss.k=[1,2]"])
    assert OmegaConf.to_container(config.loss) == {"_target_": "mine.Loss", "k": [1, 2]}


def test_hydra_is_given_back():
    before = GlobalHydra.instance().is_initialized()
    with hydra_ready():
        assert GlobalHydra.instance().is_initialized()
    with pytest.raises(SettingError), hydra_ready():
        composed(["nope=1"])
    assert GlobalHydra.instance().is_initialized() == before


def test_a_folder_of_ones_own_adds_choices(tmp_path, monkeypatch):
    (tmp_path / "mine" / "optimizer").mkdir(parents=True)
    (tmp_path / "mine" / "optimizer" / "heavy.yaml").write_text(
        "_target_: gdlab.optimizers.SGD\nmomentum: 0.99\n"
    )
    monkeypatch.chdir(tmp_path)
    for folder in ("mine", str(tmp_path / "mine")):
        with hydra_ready(folder):
            assert composed(["optimizer=heavy"]).optimizer.momentum == 0.99
            with pytest.raises(SettingError, match=r"choices: .*heavy"):
                composed(["optimizer=nope"])
    with hydra_ready(), pytest.raises(SettingError, match="optimizer=heavy: no such choice"):
        composed(["optimizer=heavy"])
    with pytest.raises(SettingError, match="--config-dir=nowhere: no such folder"):
        hydra_ready("nowhere").__enter__()


def test_a_sweep_of_the_configuration_is_no_single_run():
    with hydra_ready():
        assert composed(["hydra.mode=MULTIRUN"]).hydra.mode.name == "MULTIRUN"
        assert composed([]).hydra.mode is None
