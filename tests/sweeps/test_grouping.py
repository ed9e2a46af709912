"""Grouping the runs of a sweep: what is a column, what is structure, and what is refused."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gdlab.cli.axes import cross_overrides, sample_overrides
from gdlab.cli.composition import CONFIG_NAME, hydra_ready
from gdlab.cli.run import check_config
from gdlab.config.settings import Settings
from gdlab.errors import SettingError
from gdlab.fields.declared import Number, setting
from gdlab.losses import Quadratic
from gdlab.optimizers import SGD
from gdlab.schedules import Exponential, Step
from gdlab.sweeps.grid import Grid
from gdlab.sweeps.grouping import group_runs
from gdlab.sweeps.plan import Group, Plan

Compose = Callable[[Sequence[str]], Settings]


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    """The settings of one run, as Hydra composes them; each command once."""
    with hydra_ready():
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        master = hydra.compose_config(CONFIG_NAME, [], RunMode.MULTIRUN)
        known: dict[tuple[str, ...], Settings] = {}

        def composed(overrides: Sequence[str]) -> Settings:
            key = tuple(overrides)
            if key not in known:
                config = hydra.config_loader.load_sweep_config(master, list(overrides))
                known[key] = check_config(config)[0]
            return known[key]

        yield composed


def grid_of(*words: str) -> Grid:
    loader = GlobalHydra.instance().config_loader()
    return cross_overrides(
        OverridesParser.create(config_loader=loader).parse_overrides(list(words)), 3
    )


def assert_partitions(groups: Sequence[Group], runs: int) -> None:
    """Each run is in one group; runs increase in each group, and first runs from group to group."""
    assert sorted(run for group in groups for run in group.runs.tolist()) == list(range(runs))
    assert all((np.diff(group.runs) > 0).all() for group in groups)
    assert [group.runs[0] for group in groups] == sorted(group.runs[0] for group in groups)


def assert_says_the_same(one: Settings, other: Settings) -> None:
    """All settings are equal, types included, and so are the classes."""
    assert repr(one.flat()) == repr(other.flat())
    for group in ("loss", "optimizer", "schedule"):
        assert type(getattr(one, group)) is type(getattr(other, group))


def different_settings(one: Settings, other: Settings) -> set[str]:
    a, b = one.flat(), other.flat()
    assert a.keys() == b.keys()
    return {key for key in a if repr(a[key]) != repr(b[key])}


# Structure and columns

FREE = ("optimizer=sgd", "loss=quadratic")

# other overrides, the axis, the number of groups
AXES = [
    ((), "lr=0.1,0.2", 1),
    ((), "lr=1,0.5,1e-3", 1),
    ((), "seed=0,1,2.0", 1),
    ((), "noise.scale=0,0.5", 1),
    (("noise.kind=student_t", "noise.scale=0.1"), "noise.dof=2,3.5", 1),
    ((), "noise.kind=gaussian,student_t", 2),
    ((), "transform.shift=0,1.5", 1),
    ((), "transform.shift=[0,1],[1.5,2]", 1),
    ((), "transform.scale=1,2", 1),
    ((), "start=[1,2],[3.5,-4e-7]", 1),
    (("start=[1,2]",), "start.0=5,6", 1),
    (("start=[1,2]",), "start.1=5,6.5", 1),
    ((), "loss.condition=2,3.5", 1),
    ((), "loss.center=0,1", 1),
    ((), "loss.center=[0,1],[1,2]", 1),
    ((), "optimizer.momentum=0,0.9", 1),
    ((), "optimizer.weight_decay=0,0.9", 1),
    (("optimizer=adam",), "optimizer.betas=[0.9,0.99],[0,0.5]", 1),
    (("optimizer=adam",), "optimizer.eps=1e-8,1", 1),
    (("schedule=step",), "schedule.gamma=0.1,0.5", 1),
    (("schedule=cosine",), "schedule.final=0,0.5", 1),
    (("loss=rosenbrock",), "loss.a=1,2", 1),
    ((), "lr=0.1,0.1", 1),
    ((), "loss.dim=2,3", 2),
    ((), "steps=10,20", 2),
    ((), "dtype=float32,float64", 2),
    ((), "optimizer.nesterov=true,false", 2),
    (("schedule=step",), "schedule.step_size=10,20", 2),
    (("loss=mse",), "loss.data=line3,diabetes", 2),
    (("loss=mse",), "loss.batch_size=null,1,2", 3),
    ((), "stop.grad_tol=0,1e-3", 2),
    ((), "stop.loss=null,1", 2),
    ((), "record.every=1,2", 2),
    ((), "transform.rotation=0,1", 2),
    ((), "loss.eigenvalues=[1,2],[3,4]", 2),
    ((), "loss.spectrum=linear,geometric", 2),
    ((), "loss.center=0,[1,2]", 2),
    ((), "start=null,[1,2]", 2),
    ((), "start=random,null,[1,2],[3,4]", 4),
    ((), "++lr=0.1,0.2", 1),
    (("loss=expression", "loss.formula='a*x+x**2'"), "++loss.parameters.a=1,2.5", 1),
    ((), "schedule=constant,step", 2),
    ((), "steps=10,10", 2),
]


@pytest.mark.parametrize(("fixed", "axis", "count"), AXES)
def test_what_is_a_column(fixed, axis, count, compose):
    grid = grid_of(*fixed, axis)
    groups = group_runs(grid, compose)
    assert_partitions(groups, len(grid))
    assert len(groups) == count
    if count == 1:
        (held,) = groups[0].columns
        assert held == axis.partition("=")[0].lstrip("+")
        assert groups[0].columns[held].dtype == (np.int64 if held == "seed" else np.float64)
    else:
        assert all(not group.columns for group in groups)


def test_seeds_beyond_the_integers_of_a_float_are_exact(compose):
    (group,) = group_runs(grid_of("seed=9007199254740993,9223372036854775807"), compose)
    assert group.columns["seed"].tolist() == [2**53 + 1, 2**63 - 1]
    assert [group.settings_of(row).seed for row in (0, 1)] == [2**53 + 1, 2**63 - 1]


def test_structure_in_one_group_is_structure_in_all():
    """schedule.final is a float in one class and an integer in the other."""

    class Whole(Exponential):
        final: int = 1

    class Free(Exponential):
        final: Number = 1.0

    def made(overrides: Sequence[str]) -> Settings:
        given = dict(override.split("=") for override in overrides)
        kind = {"whole": Whole, "free": Free}[given["schedule"]]
        schedule = kind(final=int(given["schedule.final"]))
        lr = float(given["lr"])
        return Settings(loss=Quadratic(), optimizer=SGD(), schedule=schedule, lr=lr)

    words = ("schedule.final=1,2", "lr=1,2,3")
    for kinds, count, columns in (
        ("free", 1, {"schedule.final", "lr"}),
        ("whole", 2, {"lr"}),
        ("whole,free", 4, {"lr"}),
        ("free,whole", 4, {"lr"}),
    ):
        groups = group_runs(grid_of(f"schedule={kinds}", *words), made)
        assert len(groups) == count, kinds
        assert all(set(group.columns) == columns for group in groups), kinds


def test_each_structure_is_composed_once(compose):
    asked = []

    def counting(overrides: Sequence[str]) -> Settings:
        asked.append(overrides)
        return compose(overrides)

    group_runs(grid_of("optimizer=sgd,adam", "lr=range(1,50)", "seed=range(20)"), counting)
    assert asked == [["optimizer=sgd", "lr=1", "seed=0"], ["optimizer=adam", "lr=1", "seed=0"]]


def test_a_sweep_without_an_axis_is_one_run(compose):
    for words in ((), ("lr=0.3",)):
        (group,) = group_runs(grid_of(*words), compose)
        assert (group.runs.tolist(), dict(group.columns)) == ([0], {})
        assert group.settings_of(0).lr == (0.3 if words else 0.1)


# Any mix of settings

CHOICES = {
    "lr": ["0.1", "1", "1e-3", "0.07"],
    "seed": ["0", "1", "7.0"],
    "noise.scale": ["0", "0.5", "1"],
    "noise.dof": ["2", "3.5"],
    "transform.shift": ["0", "1.5", "[1,2]", "[0.3,-1]"],
    "transform.scale": ["1", "0.5"],
    "transform.rotation": ["null", "3"],
    "start": ["[1,2]", "[3.5,-4e-7]", "[0.1,0]"],
    "loss.condition": ["2", "15.5", "1e3"],
    "loss.center": ["0", "1.5", "[1,2]", "[0.3,-1]"],
    "optimizer": ["sgd", "momentum", "nesterov"],
    "optimizer.momentum": ["0.5", "0.25"],
    "optimizer.weight_decay": ["0", "0.5"],
    "schedule": ["step", "exponential"],
    "schedule.gamma": ["0.5", "1", "2"],
    "dtype": ["float64", "float32"],
    "stop.loss": ["null", "1", "0.5"],
    "steps": ["5", "6"],
}


@st.composite
def commands(draw) -> list[str]:
    keys = draw(st.lists(st.sampled_from(sorted(CHOICES)), min_size=1, max_size=4, unique=True))
    if "schedule.gamma" in keys and "schedule" not in keys:
        keys.insert(0, "schedule")
    words = []
    for key in keys:
        values = draw(st.lists(st.sampled_from(CHOICES[key]), min_size=1, max_size=2))
        words.append(f"{key}={','.join(values)}")
    return words


@hypothesis_settings(max_examples=6, deadline=None)
@given(words=commands(), data=st.data())
def test_any_mix_of_settings(words, data, compose):
    grid = grid_of(*words)
    groups = group_runs(grid, compose)
    assert_partitions(groups, len(grid))
    plan = Plan(grid, tuple(groups), (None,) * len(groups))
    for number, group in enumerate(groups):
        for row, run in enumerate(group.runs.tolist()):
            alone = compose(grid.overrides(run))
            assert_says_the_same(group.settings_of(row), alone)
            assert different_settings(alone, group.settings) <= group.columns.keys()
            assert plan.place(run) == (number, row)
    which = np.array(data.draw(st.lists(st.integers(0, len(groups[0]) - 1), max_size=3)), dtype=int)
    taken = groups[0].take(which)
    assert taken.runs.tolist() == groups[0].runs[which].tolist()
    for row, at in enumerate(which.tolist()):
        assert_says_the_same(taken.settings_of(row), groups[0].settings_of(at))


def test_a_coordinate_of_a_swept_start(compose):
    grid = grid_of("start=[1,2],[3,4]", "start.1=7,8.5", "loss.center=0,[1,1]")
    for group in group_runs(grid, compose):
        for row, run in enumerate(group.runs.tolist()):
            assert_says_the_same(group.settings_of(row), compose(grid.overrides(run)))


def test_random_samples_are_grouped_like_any_grid(compose):
    loader = GlobalHydra.instance().config_loader()
    words = ["optimizer=sgd,momentum", "lr=interval(1,2)", "seed=range(5)", "steps=3,4"]
    grid = sample_overrides(
        OverridesParser.create(config_loader=loader).parse_overrides(words), 20, 1
    )
    groups = group_runs(grid, compose)
    assert_partitions(groups, 20)
    assert len(groups) == 4
    for group in groups:
        for row, run in enumerate(group.runs.tolist()):
            assert_says_the_same(group.settings_of(row), compose(grid.overrides(run)))


# What is refused: a bad value anywhere in an axis

REFUSED = [
    (("lr=0.1,-1",), "lr=-1: must be a finite number > 0"),
    (("lr=-1,0.1",), "lr=-1"),
    (("lr=0.1,0",), "lr=0: must be a finite number > 0"),
    (("lr=0.1,nan",), "lr=nan"),
    (("lr=0.1,1e400",), "lr=inf"),
    (("lr=0.1,true",), "lr=true: must be a number"),
    (("lr=0.1,abc",), "lr=abc: must be a number"),
    (("lr=0.1,null",), "lr=null: must be a number"),
    (("lr=[0.1],[0.2]",), "lr=[0.1]: must be a number"),
    (("seed=0,-1",), "seed=-1: must be a whole number ≥ 0"),
    (("seed=0,1.5",), "seed=1.5: must be a whole number"),
    (("seed=0,9223372036854775808",), "seed=9223372036854775808"),
    (("noise.scale=0,-1",), "noise.scale=-1: must be a finite number ≥ 0"),
    (("noise.dof=3,0.5",), "noise.dof=0.5: must be a finite number ≥ 1"),
    (("transform.scale=1,0",), "transform.scale=0: must be a finite number > 0"),
    (
        ("transform.shift=[0,1,2],[1,2,3]",),
        "transform.shift=[0.0,1.0,2.0]: must be one number or 2",
    ),
    (("optimizer.momentum=0.5,1.5",), "optimizer.momentum=1.5: must be a finite number ≥ 0 and"),
    (("optimizer=adam", "optimizer.betas=[0.9,0.99],[1,0.5]"), "optimizer.betas[0]=1"),
    (("optimizer=adam", "optimizer.betas=[0.9,0.99],[0.9]"), "optimizer.betas=[0.9]"),
    (("start=[1,2],[3]",), "start=[3.0]: must be 2 numbers"),
    (("start=[1,2,3],[4,5,6]",), "start=[1.0,2.0,3.0]: must be 2 numbers"),
    (("start=[1,2],[inf,1]",), "start[0]=inf"),
    (("start=[1,2],[3,a]",), "start[1]=a: must be a number"),
    (("start=[1,2]", "start.0=1,nan"), "start.0"),
    (("loss.condition=2,0.5",), "loss.condition=0.5: must be a finite number ≥ 1"),
    (("loss.center=[0,1],[1,2,3]",), "loss.center=[1.0,2.0,3.0]"),
    (("schedule=step", "schedule.gamma=0.5,0"), "schedule.gamma=0: must be a finite number > 0"),
    (("loss.dim=2,0",), "loss.dim=0: must be a whole number ≥ 1"),
    (("steps=10,0.5",), "steps=0.5: must be a whole number"),
    (("dtype=float64,float16",), "dtype=float16: must be one of float64, float32"),
    (("optimizer.nesterov=true,1",), "optimizer.nesterov=1: must be true or false"),
    (("stop.grad_tol=0,-1",), "stop.grad_tol=-1"),
    (("lr='0.1','0.2'",), "must be a number; leave out the quotes"),
    # what only a class's own check of several fields sees
    (("optimizer=nesterov", "optimizer.dampening=0,0.3"), "optimizer.dampening=0.3: must be 0"),
    (("optimizer.dampening=0,0.3", "optimizer.nesterov=false,true"), "optimizer.dampening=0.3"),
]


@pytest.mark.parametrize(("words", "says"), REFUSED)
def test_a_bad_value_anywhere_in_an_axis_is_refused(words, says, compose):
    more = "lr=1,2" if words[0].startswith("seed") else "seed=range(3)"
    with pytest.raises(SettingError) as refused:
        group_runs(grid_of(*words, more), compose)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_a_custom_class_refuses_is_refused_for_every_run():
    class Ordered(Step):
        low: Number = 0.0
        high: Number = setting(default=1.0, ge=0)

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.low > self.high:
                raise ValueError("low is above high")

    def made(overrides: Sequence[str]) -> Settings:
        given = dict(override.split("=") for override in overrides)
        fields: dict[str, Any] = {key.partition(".")[2]: float(v) for key, v in given.items()}
        return Settings(loss=Quadratic(), optimizer=SGD(), schedule=Ordered(**fields), lr=1)

    (group,) = group_runs(grid_of("schedule.low=0,1", "schedule.high=2,3"), made)
    assert len(group) == 4
    says = "schedule.low=2, schedule.high=1: ValueError: low is above high"
    with pytest.raises(SettingError, match=says):
        group_runs(grid_of("schedule.low=0,2", "schedule.high=3,1"), made)


# Names of directories, shards, and what varied

NAMES = [
    (("lr=0.1,1e-3", "seed=range(2)"), ["lr=0.1,seed=0", "lr=0.1,seed=1", "lr=0.001,seed=0"]),
    (("optimizer=sgd,adam", "steps=5"), ["sgd", "adam"]),
    (("start=[1,2],[-3.5,4e-7]",), ["start=1,2", "start=-3.5,4e-07"]),
    (("loss.data='../a b/c','$(x);é'",), ["data=...ab.c", "data=x"]),
    ((f"loss.data={'a' * 300},b",), ["run=0", "data=b"]),
    (("lr=0.1",), ["run=0"]),
]


@pytest.mark.parametrize(("words", "names"), NAMES)
def test_names_of_directories(words, names, compose):
    plan = Plan(grid_of(*words), (), ())
    assert [plan.name(run) for run in range(len(names))] == names


def test_shards_are_pieces_of_the_groups(compose):
    words = ("optimizer=sgd,adam", "lr=range(1,8)", "engine.max_rows=3", "steps=5")
    grid = grid_of(*words)
    groups = tuple(group_runs(grid, compose))
    plan = Plan(grid, groups, (None, None))
    shards = list(plan.shards())
    assert [len(shard) for shard in shards] == [3, 3, 1, 3, 3, 1]
    assert_partitions(shards, 14)
    rates = list(itertools.chain.from_iterable(s.columns["lr"].tolist() for s in shards))
    assert rates == [1, 2, 3, 4, 5, 6, 7] * 2


def test_groups_are_equal_only_if_they_are_the_same_object(compose):
    """Its arrays would answer `==` element by element."""
    one, other = (group_runs(grid_of("lr=1,2"), compose)[0] for _ in range(2))
    assert one == one and one != other
    assert len({one, other}) == 2


def test_what_varied():
    grid = grid_of("+lr=1,2", "steps=5", "start=[1,2],[3,4]")
    plan = Plan(grid, (), ())
    assert plan.varied(np.array([3, 0])) == {"lr": [2, 1], "start": [[3, 4], [1, 2]]}
