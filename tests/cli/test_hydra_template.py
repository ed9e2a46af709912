"""The directories of a sweep's runs have the names that Hydra would give them."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from gdlab.cli import hydra_internals
from gdlab.cli.composition import compose_config, hydra_ready
from gdlab.cli.hydra_template import make_template
from gdlab.sweeps.hydra_dir import RunWords


@pytest.fixture(scope="module")
def composed() -> DictConfig:
    with hydra_ready():
        return compose_config(["lr=0.5", "seed=1", "steps=2"])


NAMES = ["lr", "seed", "steps", "noise.scale", "transform.shift", "optimizer.momentum"]
NAMES += ["hydra.job.num", "hydra.job.id", "hydra:job.num", "hydra:runtime.choices.loss"]
NAMES += ["hydra.job.override_dirname", "hydra:sweep.dir"]
PIECES = st.sampled_from(
    [*(f"${{{name}}}" for name in NAMES), "run ", "/", "_", "0", "GDLAB", "=;"]
)


@settings(max_examples=12)
@given(
    pieces=st.lists(PIECES, min_size=1, max_size=6),
    rate=st.one_of(st.floats(1e-12, 1e12), st.integers(1, 9)),
    seed=st.integers(0, 2**40),
    number=st.integers(0, 99),
)
def test_a_name_is_what_hydra_makes_of_the_pattern(composed, pieces, rate, seed, number):
    pattern = f"runs-{''.join(pieces)}"
    config = copy.deepcopy(composed)
    with read_write(config), open_dict(config):
        config.hydra.sweep.subdir = pattern
        config.noise.scale = "${lr}"
    template = make_template(config, ["lr", "seed"], range(7, 8 + number))
    words = [f"lr={rate}", f"seed={seed}", "steps=2"]
    name = template.name(RunWords(number, words, {"lr": rate, "seed": seed}))
    with read_write(config), open_dict(config):
        config.lr, config.seed = rate, seed
        job = config.hydra.job
        OmegaConf.set_readonly(job, False)
        job.num, job.id = number + 7, str(number + 7)
        job.override_dirname = ",".join(words)
    assert name == hydra_internals.resolve(config, "hydra.sweep.subdir")


def test_without_a_pattern_gdlab_gives_the_names(composed):
    assert make_template(composed, ["lr"]).subdir is None
