"""What may be chosen from a group, and what a glob selects."""

from typing import Any

import hypothesis
import pytest
from helpers.command import BASIC
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hypothesis import strategies as st

from gdlab.cli.choices import choices_in, chosen_by, list_choices, matching_choices, one_by_one
from gdlab.cli.composition import CommandLine, hydra_ready
from gdlab.cli.hydra_checks import check_choices
from gdlab.cli.hydra_internals import config_loader
from gdlab.cli.hydra_sweep import check_choices_of_jobs
from gdlab.errors import SettingError
from gdlab.fields.suggestions import choices_of


@pytest.fixture(scope="module")
def loader() -> ConfigLoader:
    with hydra_ready():
        return config_loader()


def parse(override: str, loader: ConfigLoader) -> Override:
    return OverridesParser.create(loader).parse_overrides([override])[0]


@pytest.mark.parametrize("group", ["loss", "optimizer", "schedule", "experiment", "nope"])
def test_the_choices_of_a_group_are_its_files(group, loader):
    assert choices_in(group, loader) == choices_of(group)


# typed, what a sweeper gets
GLOBS = [
    ("loss=glob(mgh/be*)", "loss=choice(mgh/beale)"),
    ("++loss=glob(mgh/bro*_*d)", "++loss=choice(mgh/brown_badly_scaled,mgh/broyden_banded)"),
    (
        "loss=glob([mgh/b*,ros*],exclude=[mgh/b?o*,mgh/bi*,mgh/ba*,mgh/box])",
        "loss=choice(mgh/beale,rosenbrock)",
    ),
    ("loss=glob(*/ros*)", "loss=choice(mgh/rosenbrock)"),
    ("loss=glob(ros*)", "loss=glob(ros*)"),
    ("loss=glob(mgh/zz*)", "loss=glob(mgh/zz*)"),
    ("loss=mgh/beale,mgh/box", "loss=mgh/beale,mgh/box"),
    ("loss.data=a/*", "loss.data=a/*"),
]


@pytest.mark.parametrize(("typed", "given"), GLOBS)
def test_a_glob_looks_into_folders(typed, given, loader):
    assert list_choices(parse(typed, loader), loader) == given


@hypothesis.settings(max_examples=4)
@hypothesis.given(
    group=st.sampled_from(["loss", "optimizer", "schedule"]),
    include=st.text("abqrs*?", min_size=1, max_size=3),
    exclude=st.text("abqrs*?", min_size=1, max_size=2),
)
def test_patterns_without_a_slash_select_what_hydra_selects(group, include, exclude, loader):
    override = parse(f"{group}=glob({include}*,exclude={exclude}*)", loader)
    glob: Any = override.value()
    assert matching_choices(glob, group, loader) == list(override.sweep_iterator())


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("loss=glob(mgh/zz*)", "loss=glob(mgh/zz*): no choice matches (choices: ackley, "),
        ("optimizer=glob(zz*)", "optimizer=glob(zz*): no choice matches (choices: adabelief"),
        ("lr=glob(*)", "lr=glob(*): lr is no group to choose from"),
    ],
)
def test_a_glob_without_a_match_is_refused(override, said, loader):
    with pytest.raises(SettingError) as error:
        check_choices([parse(override, loader)], loader)
    assert str(error.value).startswith(said)


def test_a_choice_is_tried_with_those_that_it_needs(loader):
    words = ["optimizer=lookahead", "optimizer@optimizer.inner=sgd,adam", "loss=glob([q*,ros*])"]
    overrides = OverridesParser.create().parse_overrides([*words, "lr=0.1,0.2", "loss.data=a"])
    choices = chosen_by(overrides, loader)
    assert list(one_by_one(choices, "optimizer@optimizer.inner")) == [
        ["optimizer=lookahead", "optimizer@optimizer.inner=sgd", "loss=qing"],
        ["optimizer=lookahead", "optimizer@optimizer.inner=adam", "loss=qing"],
    ]
    assert choices["loss"] == ["loss=qing", "loss=quadratic", "loss=rosenbrock"]


def test_an_inner_optimizer_is_swept_over_by_hydras_launcher():
    line = CommandLine(["optimizer=lookahead", "optimizer.inner=sgd,adam", *BASIC])
    with hydra_ready():
        check_choices_of_jobs(line.compose_sweep())


AXES = "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {loss: glob(mgh/be*)}}}\n"


@pytest.mark.parametrize("words", [["loss=glob(mgh/be*)"], ["--config-dir", ".", "experiment=e"]])
def test_a_folder_is_swept_over(words, gd, here):
    (here / "experiment").mkdir()
    (here / "experiment" / "e.yaml").write_text(AXES)
    done = gd("-m", *words, "dry_run=true")
    assert (done.code, done.out.count("mgh/beale")) == (0, 1)
