"""Search spaces: their files, their trials, and what is close to an end."""

import numpy as np
import pytest
from scipy import stats

from gdlab.bench.entrants import entrants_of
from gdlab.bench.space import Interval, Space
from gdlab.errors import SettingError
from gdlab.fields.suggestions import choices_of

ADAM = {"lr": {"log": [1e-5, 10]}, "betas": [{"complement": [0, 0.99]}, 0.999]}


def test_every_optimizer_of_conf_has_a_space_that_fits_it() -> None:
    names = [name for name in choices_of("optimizer") if name not in ("custom", "torch")]
    entrants = entrants_of(names)
    assert len(entrants) > 40
    for entrant in entrants:
        entrant.check_space()
        assert entrant.defaults().keys() == entrant.space.trials(2).keys()
        assert Space.of(entrant.name, entrant.space.written()) == entrant.space


def test_trials_are_spread_evenly_on_the_scale_of_each_number() -> None:
    columns = Space.of("adam", ADAM).trials(64)
    betas = columns["optimizer.betas"]
    assert (betas[:, 1] == 0.999).all()
    for even in (
        (np.log10(columns["lr"]) + 5) / 6,
        np.log(1 - betas[:, 0]) / np.log(0.01),
    ):
        # One of each 64th, as in any Sobol sequence of 64 points in base 2.
        assert sorted(np.floor(even * 64).astype(int).tolist()) == list(range(64))
        assert stats.kstest(even, "uniform").pvalue > 0.99  # observed 1.0


def test_trials_are_the_same_every_time_and_the_first_of_more() -> None:
    space = Space.of("adam", ADAM)
    first, again, more = space.trials(8), space.trials(8), space.trials(16)
    for name, column in first.items():
        assert np.array_equal(column, again[name])
        assert np.array_equal(column, more[name][:8])


@pytest.mark.parametrize(
    ("interval", "value", "end"),
    [
        (Interval(1e-5, 10, "log"), 1e-5, "lowest"),
        (Interval(1e-5, 10, "log"), 9.0, "highest"),
        (Interval(1e-5, 10, "log"), 1e-2, None),
        (Interval(0, 0.99, "complement"), 0.989, "highest"),
        (Interval(0, 0.99, "complement"), 0.9, None),
        (Interval(0, 1, "linear"), 0.04, "lowest"),
    ],
)
def test_what_is_close_to_an_end(interval: Interval, value: float, end: str | None) -> None:
    assert interval.edge(value) == end


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"lr": [1e-5, 10]},
        {"lr": {"log": [0, 1]}},
        {"lr": {"log": [2, 1]}},
        {"lr": {"logarithmic": [1, 2]}},
        {"lr": {"complement": [0, 1]}},
        {"lr": {"log": [1, 2, 3]}},
        {"lr": {"log": ["a", 2]}},
        {"lr": 0.1},
        {f"a{i}": {"linear": [0, 1]} for i in range(5)},
        "lr",
    ],
)
def test_a_wrong_space_is_refused_by_name(given: object) -> None:
    with pytest.raises(SettingError, match=r"^optimizer=mine: space"):
        Space.of("mine", given)
