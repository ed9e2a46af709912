"""What a sweep varies, against Hydra's own sweeper and arithmetic by hand."""

import itertools
import random
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from gdlab.cli.axes import count_values, cross_overrides, grid_of_jobs, sample_overrides
from gdlab.cli.composition import hydra_ready
from gdlab.errors import SettingError
from gdlab.fields.suggestions import choices_of
from gdlab.sweeps.grid import Grid


@pytest.fixture(scope="module", autouse=True)
def parser() -> Iterator[OverridesParser]:
    """Hydra's parser on gdlab's conf, which `glob` looks into."""
    with hydra_ready():
        loader = GlobalHydra.instance().config_loader()
        yield OverridesParser.create(config_loader=loader)


def parse(*words: str) -> list[Override]:
    loader = GlobalHydra.instance().config_loader()
    return OverridesParser.create(config_loader=loader).parse_overrides(list(words))


def jobs(grid: Grid) -> list[list[str]]:
    return [grid.overrides(run) for run in range(len(grid))]


def jobs_by_hydra(words: list[str]) -> list[list[str]]:
    (batch,) = BasicSweeper.split_arguments(parse(*words), None)
    return batch


# Hydra's grammar: the same jobs in the same order

COMMANDS = [
    [],
    ["lr=0.1"],
    ["a=1,2"],
    ["a=1,2", "b=3", "c=x,y,z"],
    ["a=range(3)"],
    ["a=range(5,1,-2)", "b=range(0,1,0.1)"],
    ["a=choice(1,x,[2])"],
    ["optimizer=glob(*)"],
    ["optimizer=glob(*,exclude=[a*])", "lr=1,2"],
    ["optimizer=glob([s*,n*])"],
    ["a='x y','z,w'", "b=\"q\",'r'", "c='',b"],
    [r"a=x\,y,z", r"b=\[x\],c"],
    ["a=[1,2],[3]", "b=[[1],[]],[]", "c=[a,'b c']"],
    ["a={k:1,l:[2]},{}"],
    ["+x=1,2", "++y=3,4", "~z", "~w=1"],
    ["a@b=c,d"],
    ["a=1,2", "b=1", "a=3,4,5"],
    ["a=1,2", "a=7"],
    ["a=7", "a=1,2"],
    ["+a=1,2", "a=3,4"],
    ["a=sort(3,1,2)", "b=sort(b,a,reverse=true)", "c=sort(range(3),reverse=true)"],
    ["a=1e-3,1e16,1.0,1_000,.5,5.", "b=inf,-inf,nan,null,true,False"],
    ["a=float(1,2)", "b=str(1,2)", "c=int(1.5,2)", "d=bool(0,1)"],
    ["a=int(range(0.5,4.5,1.5))", "b=float(range(1,3))", "c=float(int(1.5,2))"],
    ["a=int(choice(1.7,-2))", "b=str(choice(1,x))", "c=sort(int(3.9,0.2))"],
    ["a=sort(float(range(3)),reverse=true)", "b=tag(t,int(1.5,2.5))"],
    ["a=tag(t,choice(1,2))"],
    ["a=${b},${c}", "d=/x/y.csv,a-b:c"],
    ["a=choice(1)", "a.b.c=1,2", "a/b=c,d"],
]

SCALARS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False).map(repr),
    st.sampled_from(["null", "true", "False", "x", "x-y", "a/b.csv", "1e-3", "0x10", "''"]),
    st.text('ab ,=[]{}:\\"()$é', max_size=4).map(lambda text: "'" + text.replace("\\", "") + "'"),
)
ELEMENTS = st.one_of(SCALARS, st.lists(SCALARS, max_size=3).map(lambda v: f"[{','.join(v)}]"))
SEVERAL = st.lists(ELEMENTS, min_size=1, max_size=3).map(",".join)
RANGES = st.tuples(st.integers(-3, 3), st.integers(1, 3), st.sampled_from([1, 2, -1, 0.25])).map(
    lambda r: f"range({r[0]},{r[0] + (r[1] if r[2] > 0 else -r[1])},{r[2]})"
)
SORTED = st.lists(st.integers(-5, 5), min_size=1, max_size=3).map(
    lambda v: f"sort({','.join(map(str, v))})"
)
CHOICES = SEVERAL.map("choice({})".format).filter(lambda v: "null" not in v)  # Hydra requires it
VALUES = st.one_of(SEVERAL, CHOICES, RANGES, SORTED)
WORDS = st.one_of(
    st.tuples(st.sampled_from(["a", "b.c", "+x", "++y"]), VALUES).map("=".join),
    st.sampled_from(["schedule=glob(*)", "loss=glob([q*,r*])", "~z"]),
)


def assert_same_jobs_as_hydra(words: list[str]) -> None:
    assert jobs(cross_overrides(parse(*words), points=20)) == jobs_by_hydra(words)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_jobs_are_those_of_hydra(words):
    assert_same_jobs_as_hydra(words)


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, max_size=4))
def test_jobs_of_any_command_are_those_of_hydra(words):
    assert_same_jobs_as_hydra(words)


def test_glob_lists_all_files_of_a_group():
    grid = cross_overrides(parse("optimizer=glob(*)"), 20)
    assert grid.column("optimizer") == choices_of("optimizer")


# Without choice(…): Hydra takes the quotes off its texts.
@settings(max_examples=40, deadline=None)
@given(st.one_of(SEVERAL, RANGES, SORTED))
@example("shuffle(1,2,3,4,5,6,7,8)")
@example("shuffle(range(8))")
@example("shuffle(a,'b c',[d,'e f'],{k:'l m'})")
def test_the_text_of_a_value_parses_to_the_value(values):
    """Parsing the text of a value alone gives the value."""
    (axis,) = cross_overrides(parse(f"a={values}"), 20).axes
    alone = [parse(f"a={text}")[0].value() for text in axis.texts]
    assert [repr(value) for value in axis.values] == [repr(value) for value in alone]


def test_a_shuffled_axis_has_the_order_of_hydra():
    for word in ("a=shuffle(1,2,3,4,5,6,7,8)", "a=shuffle(range(8))"):
        random.seed(1)
        hydras = jobs_by_hydra([word])
        random.seed(1)
        assert jobs(cross_overrides(parse(word), 20)) == hydras != sorted(hydras)


def test_the_last_axis_varies_fastest():
    grid = cross_overrides(parse("a=1,2", "b=x", "c=3,4,5"), 20)
    assert grid.column("a") == [1, 1, 1, 2, 2, 2]
    assert grid.column("b") == ["x"] * 6
    assert grid.column("c") == [3, 4, 5, 3, 4, 5]


# Intervals

# what is typed, its ends
INTERVALS = [
    ("interval(0.01,0.1)", 0.01, 0.1),
    ("interval(-3,5)", -3, 5),
    ("interval(0.1,0.3)", 0.1, 0.3),
    ("interval(1,1.0000000000000002)", 1, 1 + 2**-52),
    ("tag(log,interval(1e-4,1))", 1e-4, 1),
    ("tag(log,interval(0.3,0.7))", 0.3, 0.7),
    ("tag(log,interval(0.2,0.3))", 0.2, 0.3),  # 10 ** log10 rounds both inwards
    ("tag(log,interval(1e-300,1e300))", 1e-300, 1e300),
    ("tag(log,interval(3,3.000000000000001))", 3, 3.000000000000001),
]


def spread(word: str, points: int) -> list[float]:
    return cross_overrides(parse(f"lr={word}"), points).column("lr")


@pytest.mark.parametrize(("word", "low", "high"), INTERVALS)
@pytest.mark.parametrize("points", [2, 3, 20, 1001])
def test_points_of_an_interval_are_evenly_spaced_on_its_scale(word, low, high, points):
    values = spread(word, points)
    assert len(values) == points
    assert (values[0], values[-1]) == (low, high)
    assert values == sorted(values)
    first, last = Decimal(low), Decimal(high)
    shares = [Decimal(k) / (points - 1) for k in range(points)]
    if word.startswith("tag"):
        exact = [float(first * (last / first) ** share) for share in shares]
        assert np.allclose(values, exact, rtol=1e-12, atol=0)  # observed: 2e-13, at 1e±300
    else:
        exact = [float(first + share * (last - first)) for share in shares]
        assert np.allclose(values, exact, rtol=0, atol=4e-16 * max(abs(low), abs(high)))


@given(st.integers(1, 9), st.integers(-300, 299), st.integers(1, 40), st.sampled_from([1, 2, 5]))
@example(1, -5, 10, 1)
@example(1, 0, 30, 2)  # 1e23 lies halfway between two floats
@example(1, -8, 8, 1)  # np.geomspace has 9.999999999999999e-06
@settings(max_examples=20)
def test_decades_of_a_logarithmic_interval_are_exact(digit, first, decades, parts):
    decades = min(decades, 300 - first)
    wanted = [float(f"{digit}e{first + k}") for k in range(decades + 1)]
    values = spread(f"tag(log,interval({wanted[0]!r},{wanted[-1]!r}))", parts * decades + 1)
    assert values[::parts] == wanted


def test_points_of_a_logarithmic_interval_are_those_of_numpy():
    for word, low, high in INTERVALS[4:]:
        assert spread(word, 50) == np.geomspace(low, high, 50).tolist()


@pytest.mark.parametrize(("word", "low", "high"), INTERVALS)
def test_one_point_of_an_interval_is_its_lower_end(word, low, high):
    assert spread(word, 1) == [low]


def test_the_text_of_a_point_is_the_point():
    (axis,) = cross_overrides(parse("lr=tag(log,interval(1e-7,1e17))"), 100).axes
    assert [float(text) for text in axis.texts] == list(axis.values)
    assert jobs(cross_overrides(parse(f"lr={','.join(axis.texts)}"), 1)) == [
        [f"lr={text}"] for text in axis.texts
    ]


def test_an_interval_is_crossed_like_any_axis():
    grid = cross_overrides(parse("a=x,y", "lr=interval(1,3)", "seed=0,1"), 3)
    wanted = [list(job) for job in itertools.product("xy", [1.0, 2.0, 3.0], [0, 1])]
    assert [list(row) for row in zip(*map(grid.column, ("a", "lr", "seed")), strict=True)] == wanted


# what is typed, points, the whole numbers, each once
WHOLE = [
    ("int(interval(1,10))", 20, range(1, 11)),
    ("int(interval(1,10))", 4, [1, 4, 7, 10]),
    ("int(interval(1,10))", 5, [1, 3, 6, 8, 10]),  # 3.25, 5.5 to the even one, 7.75
    ("int(interval(1,10))", 1, [1]),
    ("int(interval(-1.9,2.9))", 9, [-1, 0, 1, 2]),  # Hydra casts the ends
    ("int(float(interval(0,2)))", 3, [0, 1, 2]),
    ("int(tag(log,interval(1,1000)))", 4, [1, 10, 100, 1000]),
    ("tag(log,int(interval(1,1000)))", 7, [1, 3, 10, 32, 100, 316, 1000]),
    ("tag(log,int(interval(1,8)))", 100, range(1, 9)),
    ("int(interval(0,9007199254740993))", 2, [0, 2**53]),  # Hydra reads the ends as floats
]


@pytest.mark.parametrize(("word", "points", "wanted"), WHOLE)
def test_an_interval_of_whole_numbers_has_each_once(word, points, wanted):
    (override,) = parse(f"steps={word}")
    sweep: Any = override.value()
    (axis,) = cross_overrides([override], points).axes
    assert list(axis.values) == list(wanted)
    assert list(axis.texts) == [str(value) for value in wanted]
    assert (type(sweep.start), type(sweep.end)) == (int, int)  # so Hydra marks the cast
    assert axis.values[0] == sweep.start
    assert points == 1 or axis.values[-1] == sweep.end


def test_an_interval_of_whole_numbers_cast_to_float_is_continuous():
    assert spread("float(int(interval(0.5,2.5)))", 3) == [0.0, 1.0, 2.0]
    assert spread("float(int(interval(0.5,2.5)))", 5) == [0.0, 0.5, 1.0, 1.5, 2.0]


# Zipped axes

ZIPPED = [
    (["a=1,2", "b=3,4"], ["a", "b"], ["a=1 b=3", "a=2 b=4"]),
    (["a=1,2", "b=3,4"], ["b", "a"], ["a=1 b=3", "a=2 b=4"]),
    (
        ["a=1,2", "c=x,y", "b=3,4"],
        ["a", "b"],
        ["a=1 c=x b=3", "a=1 c=y b=3", "a=2 c=x b=4", "a=2 c=y b=4"],
    ),
    (
        ["c=x,y", "a=1,2", "b=3,4"],
        ["b", "a"],
        ["c=x a=1 b=3", "c=x a=2 b=4", "c=y a=1 b=3", "c=y a=2 b=4"],
    ),
    (["a=1,2", "b=3,4"], ["a"], ["a=1 b=3", "a=1 b=4", "a=2 b=3", "a=2 b=4"]),
    (["a=1,2", "+b=3,4", "c=5,6"], ["a", "+b", "c"], ["a=1 +b=3 c=5", "a=2 +b=4 c=6"]),
    (["a=1", "b=3"], ["a", "b"], ["a=1 b=3"]),
    (["a=interval(0,1)", "b=x,y"], ["a", "b"], ["a=0.0 b=x", "a=1.0 b=y"]),
]


@pytest.mark.parametrize(("words", "zipped", "wanted"), ZIPPED)
def test_zipped_axes_vary_together_at_the_position_of_the_first(words, zipped, wanted):
    grid = cross_overrides(parse(*words), 2, zipped)
    assert [" ".join(job) for job in jobs(grid)] == wanted


# Random samples

AXES = ("lr=tag(log,interval(1e-4,1))", "optimizer.momentum=interval(0.2,0.9)", "seed=range(7)")


def test_the_same_seed_draws_the_same_bits():
    one, same = sample_overrides(parse(*AXES), 50, 3), sample_overrides(parse(*AXES), 50, 3)
    other = sample_overrides(parse(*AXES), 50, 4)
    assert jobs(one) == jobs(same)
    for axis in one.axes:
        assert one.column(axis.key) != other.column(axis.key)


def test_fewer_samples_are_a_prefix_of_more():
    assert (
        jobs(sample_overrides(parse(*AXES), 9, 3))
        == jobs(sample_overrides(parse(*AXES), 50, 3))[:9]
    )


@pytest.mark.parametrize(
    "words",
    [
        AXES[:1],
        AXES[::-1],
        ("steps=10", "loss.condition=interval(1,9)", *AXES),
        (AXES[0], "seed=5"),
    ],
)
def test_what_an_axis_draws_does_not_depend_on_the_others(words):
    grid = sample_overrides(parse(*words), 50, 3)
    assert grid.column("lr") == sample_overrides(parse(*AXES), 50, 3).column("lr")


def test_samples_lie_within_their_axes():
    grid = sample_overrides(parse(*AXES, "a=x,y", "b=1"), 2000, 0)
    lr, momentum = np.array(grid.column("lr")), np.array(grid.column("optimizer.momentum"))
    assert len(grid) == 2000
    assert ((lr > 1e-4) & (lr < 1)).all()
    assert ((momentum > 0.2) & (momentum < 0.9)).all()
    assert set(grid.column("seed")) == set(range(7))
    assert set(grid.column("a")) == {"x", "y"}
    assert set(grid.column("b")) == {1}


# A true sample fails with probability 0.001; the seed is fixed, and the values were not looked at.
DISTRIBUTIONS = [
    ("lr", lambda v: (np.log10(v) + 4) / 4),
    ("optimizer.momentum", lambda v: (np.array(v) - 0.2) / 0.7),
]


@pytest.mark.parametrize(("key", "to_unit"), DISTRIBUTIONS)
def test_samples_are_uniform_on_the_scale_of_their_interval(key, to_unit):
    values = sample_overrides(parse(*AXES), 5000, 12).column(key)
    assert kstest(to_unit(values), "uniform").pvalue > 1e-3


def test_choices_are_drawn_equally_often():
    counts = np.bincount(sample_overrides(parse(*AXES), 7000, 12).column("seed"), minlength=7)
    assert ((counts - 1000) ** 2 / 1000).sum() < 22.5  # χ² of 6 degrees of freedom at 0.001


def test_whole_numbers_of_an_interval_are_drawn_equally_often():
    (axis,) = (grid := sample_overrides(parse("a=int(interval(3,9))"), 7000, 12)).axes
    assert sorted(axis.values) == list(range(3, 10))  # each once, and the ends among them
    counts = np.bincount(grid.column("a"))[3:]
    # χ² of 6 degrees of freedom at 0.001; rounding alone would draw the ends half as often
    assert ((counts - 1000) ** 2 / 1000).sum() < 22.5  # observed 3.6


def test_whole_numbers_on_a_logarithmic_scale_have_their_probabilities():
    grid = sample_overrides(parse("a=tag(log,int(interval(1,4)))"), 6000, 12)
    shares = np.diff(np.log([0.5, 1.5, 2.5, 3.5, 4.5])) / np.log(9)
    counts = np.bincount(grid.column("a"))[1:]
    assert ((counts - 6000 * shares) ** 2 / (6000 * shares)).sum() < 16.3  # 3 degrees, 0.001


def test_axes_are_drawn_independently():
    grid = sample_overrides(parse(*AXES), 5000, 12)
    lr, momentum = np.log(grid.column("lr")), grid.column("optimizer.momentum")
    assert abs(np.corrcoef(lr, momentum)[0, 1]) < 3.3 / 5000**0.5  # 3.3 standard deviations


# Jobs that were made one by one


@pytest.mark.parametrize("words", COMMANDS[1:], ids=" ".join)
def test_a_list_of_jobs_is_the_grid_that_made_it(words):
    grid = cross_overrides(parse(*words), 20)
    again = grid_of_jobs([parse(*job) for job in jobs(grid)])
    assert jobs(again) == jobs(grid)
    if any("str(" in word for word in words):
        return  # Hydra writes str(1) as 1, which is a number again
    for axis in grid.axes:
        assert repr(again.column(axis.key)) == repr(grid.column(axis.key))


def test_no_jobs_are_an_empty_grid():
    assert len(grid_of_jobs([])) == 0


# Refused in one line

# what is typed, points, zip, what the error says
REFUSED = [
    (["lr=range(1,1)"], 20, (), "lr=range(1,1): holds no values"),
    (["optimizer=glob(zz*)"], 20, (), "optimizer=glob(zz*): holds no values"),
    (["lr=interval(2,1)"], 20, (), "lr=interval(2,1): must have its lower end first"),
    (["lr=interval(1,1)"], 20, (), "lr=interval(1,1): must have its lower end first"),
    (["lr=interval(nan,1)"], 20, (), "lr=interval(nan,1): must have its lower end first"),
    (["lr=interval(0,inf)"], 20, (), "lr=interval(0,inf): must be finite"),
    (["lr=interval(-1e308,1e308)"], 20, (), "lr=interval(-1e308,1e308): must be finite"),
    (["lr=tag(log,interval(0,1))"], 20, (), "lr=tag(log,interval(0,1)): must lie above 0"),
    (["lr=tag(log,interval(-1,1))"], 20, (), "must lie above 0"),
    (["lr=tag(ln,interval(1,2))"], 20, (), "the tag of an interval is log"),
    (["lr=interval(1,2)"], 0, (), "hydra.sweeper.points=0: must be a whole number ≥ 1"),
    (["lr=interval(1,2)"], -3, (), "hydra.sweeper.points=-3: must be a whole number ≥ 1"),
    (["lr=interval(1,2)"], 2.5, (), "hydra.sweeper.points=2.5: must be a whole number"),
    (["lr=interval(1,2)"], "many", (), "hydra.sweeper.points=many: must be a whole number"),
    (["lr=interval(1,2)"], None, (), "hydra.sweeper.points=null: must be a whole number"),
    (["lr=interval(1,2)"], True, (), "hydra.sweeper.points=true: must be a whole number"),
    (["a=1,2", "b=1,2,3"], 20, ("a", "b"), "must have the same length; a has 2, b has 3"),
    (["a=1,2", "b=1"], 20, ("a", "b"), "must have the same length; a has 2, b has 1"),
    (["a=1,2", "b=3"], 20, ("a", "c"), "hydra.sweeper.zip=[a,c]: c must be one of a"),
    (["a=1,2", "+b=3,4"], 20, ("a", "c"), "hydra.sweeper.zip=[a,c]: c must be one of a, +b"),
    (["a=1,2"], 20, "a", "hydra.sweeper.zip=a: must be a list"),
    (["a=1,2"], 20, (1,), "hydra.sweeper.zip[0]=1: must be a string"),
    (["a=int(interval(1.2,1.7))"], 20, (), "a=int(interval(1.2,1.7)): must have its lower end"),
    (["a=tag(log,int(interval(0.5,9)))"], 20, (), "a=tag(log,int(interval(0.5,9))): must lie"),
    (["a=range(0,1,0)"], 20, (), "a=range(0,1,0): must have a step other than 0"),
    (["a=range(0,1,0.0)"], 20, (), "a=range(0,1,0.0): must have a step other than 0"),
    (["a=range(0,inf)"], 20, (), "a=range(0,inf): must be finite"),
    (["a=range(nan,1)"], 20, (), "a=range(nan,1): must be finite"),
    (["a=range(0,1,inf)"], 20, (), "a=range(0,1,inf): must be finite"),
]

TOO_MANY = "runs, but a sweep can have at most 20,000,000"

# what is typed, points, zip, what the error says: each would fill the memory
ABSURD = [
    (["seed=range(10000000000)"], 20, (), f"seed (10,000,000,000): 10,000,000,000 {TOO_MANY}"),
    (["seed=shuffle(range(10000000000))"], 20, (), TOO_MANY),
    (["seed=range(10000000000,0,-1)"], 20, (), f"10,000,000,000 {TOO_MANY}"),
    (["lr=range(0,1,1e-10)"], 20, (), TOO_MANY),
    (["lr=range(0,1,1e-40)"], 20, (), TOO_MANY),  # Hydra would never come to its end
    (["seed=range(10000000000)", "lr=range(1,1)"], 20, (), TOO_MANY),
    (["seed=range(20000000)", "b=x,y"], 20, (), "seed (20,000,000) x b (2): 40,000,000 runs"),
    (
        ["a=range(10000000000)", "b=range(10000000000)"],
        20,
        ("a", "b"),
        f"10,000,000,000 {TOO_MANY}",
    ),
    (["lr=interval(0,1)"], 10**9, (), "hydra.sweeper.points=1000000000: must be a whole number"),
    (["lr=int(interval(0,9))"], 10**9, (), "hydra.sweeper.points=1000000000: must be"),
    (["lr=interval(0,1)", "b=interval(0,1)"], 10**4, (), f"100,000,000 {TOO_MANY}"),
]


def one_line(refused: pytest.ExceptionInfo[SettingError]) -> str:
    text = str(refused.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(("words", "points", "zipped", "says"), REFUSED)
def test_an_impossible_grid_is_refused(words, points, zipped, says):
    with pytest.raises(SettingError) as refused:
        cross_overrides(parse(*words), points, zipped)
    assert says in one_line(refused)


@contextmanager
def limited_memory() -> Iterator[None]:
    """Fail if more than a megabyte is allocated at any time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 2**20  # observed: 40 KiB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("words", "points", "zipped", "says"), ABSURD)
def test_an_absurd_sweep_is_refused_before_it_takes_memory(words, points, zipped, says):
    overrides = parse(*words)
    with limited_memory(), pytest.raises(SettingError) as refused:
        cross_overrides(overrides, points, zipped)
    assert says in one_line(refused)


def test_absurd_samples_are_refused_before_they_take_memory():
    overrides = parse("seed=range(10000000000)")
    with limited_memory(), pytest.raises(SettingError) as refused:
        sample_overrides(overrides, 3, 0)
    assert "seed=range(10000000000): has 10,000,000,000 values, but" in one_line(refused)
    with limited_memory(), pytest.raises(SettingError) as refused:
        sample_overrides(parse("lr=interval(0,1)"), 10**9, 0)
    assert "hydra.sweeper.samples=1000000000: must be a whole number" in one_line(refused)


@pytest.mark.parametrize(
    "word", ["range(7)", "range(5,1,-2)", "range(0,1,0.1)", "range(0.3,2,0.7)"]
)
def test_the_length_of_a_range_is_counted_as_hydra_lists_it(word):
    (override,) = parse(f"a={word}")
    assert count_values(override, 1) == len(list(override.sweep_iterator())) > 1


# samples, seed, what the error says
REFUSED_SAMPLES = [
    (0, 0, "hydra.sweeper.samples=0: must be a whole number ≥ 1"),
    (-1, 0, "hydra.sweeper.samples=-1: must be a whole number ≥ 1"),
    (1.5, 0, "hydra.sweeper.samples=1.5: must be a whole number"),
    ("x", 0, "hydra.sweeper.samples=x: must be a whole number"),
    (1, -1, "hydra.sweeper.seed=-1: must be a whole number ≥ 0"),
    (1, 0.5, "hydra.sweeper.seed=0.5: must be a whole number"),
    (1, 2**63, f"hydra.sweeper.seed={2**63}: must be a whole number"),
    (1, None, "hydra.sweeper.seed=null: must be a whole number"),
]


@pytest.mark.parametrize(("samples", "seed", "says"), REFUSED_SAMPLES)
def test_a_bad_number_of_samples_or_seed_is_refused(samples, seed, says):
    with pytest.raises(SettingError) as refused:
        sample_overrides(parse(*AXES), samples, seed)
    assert says in one_line(refused)


@pytest.mark.parametrize("words", [row[0] for row in REFUSED[:10]])
def test_axes_without_samples_are_refused(words):
    with pytest.raises(SettingError) as refused:
        sample_overrides(parse(*words), 5, 0)
    assert str(words[0].partition("=")[0]) in one_line(refused)


def test_jobs_with_different_settings_are_refused():
    for apart in (["a=2", "b=1"], ["b=1"], []):
        with pytest.raises(SettingError, match="must override the same settings"):
            grid_of_jobs([parse("a=1"), parse(*apart)])
