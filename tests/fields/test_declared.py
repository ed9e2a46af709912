"""Declared fields: types, ranges and columns."""

import array
import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gdlab.config.sections import Summary
from gdlab.config.settings import Settings
from gdlab.errors import SettingError
from gdlab.fields.declared import (
    Configured,
    Number,
    declared_fields,
    find_field,
    flatten,
    map_numbers,
    nest_changes,
    setting,
)
from gdlab.fields.formatting import format_value
from gdlab.fields.validation import Range
from gdlab.losses import Expression, Transform
from gdlab.optimizers import Adam
from gdlab.schedules import MultiStep


class Every(Configured):
    """A field of every kind."""

    whole: int = setting(default=3, ge=1, lt=10)
    number: float = setting(default=0.5, gt=0, le=1)
    each: Number = setting(default=0.25, ge=0)
    flag: bool = False
    text: str = "a"
    kind: Literal["red", "blue"] = "red"
    maybe: float | None = None
    pair: tuple[Number, Number] = setting(default=(0.1, 0.2), ge=0, lt=1)
    many: tuple[float, ...] | None = None
    either: Number | tuple[float, ...] = 0.0
    call: Callable[[float], float] = math.sqrt
    inner: Range = dataclasses.field(default_factory=Range)
    anything: Any = None


LETTERS = iter("ab")

GOOD: list[tuple[str, Any, Any]] = [
    ("whole", 1, 1),
    ("whole", 9.0, 9),
    ("whole", np.int64(4), 4),
    ("number", 1, 1.0),
    ("number", np.float64(0.25), 0.25),
    ("number", np.float32(0.25), 0.25),
    ("each", np.int32(2), 2.0),
    ("flag", True, True),
    ("text", "", ""),
    ("kind", "blue", "blue"),
    ("maybe", None, None),
    ("maybe", 2, 2.0),
    ("pair", [0, 0.5], (0.0, 0.5)),
    ("many", [1, 2, 3], (1.0, 2.0, 3.0)),
    ("many", (), ()),
    ("either", 3, 3.0),
    ("either", [1, 2], (1.0, 2.0)),
    ("flag", np.bool_(True), True),
    ("text", Path("a/b"), str(Path("a/b"))),
    ("text", np.str_("a"), np.str_("a")),
    ("whole", np.array(4), 4),
    ("number", np.array(0.25), 0.25),
    ("pair", np.array([0, 0.5]), (0.0, 0.5)),
    ("many", np.array([1, 2]), (1.0, 2.0)),
    ("many", pd.Series([1, 2], index=[5, 4]), (1.0, 2.0)),
    ("many", pd.Index([1, 2]), (1.0, 2.0)),
    ("many", array.array("d", [1, 2]), (1.0, 2.0)),
    ("many", (x for x in (1, 2)), (1.0, 2.0)),
    ("many", map(float, "12"), (1.0, 2.0)),
    ("many", {"a": 1, "b": 2}.values(), (1.0, 2.0)),
    ("either", np.array([1, 2]), (1.0, 2.0)),
    ("anything", LETTERS, LETTERS),
    ("call", math.sin, math.sin),
    ("inner", Range(gt=1), Range(gt=1)),
    ("anything", [object], [object]),
]


@pytest.mark.parametrize(("name", "given", "kept"), GOOD)
def test_values_that_fit(name: str, given: Any, kept: Any) -> None:
    value = getattr(Every(**{name: given}), name)
    assert value == kept
    assert type(value) is type(kept)


QUOTED = """must be a string; in quotes it is one: "{}", on a command line '"{}"'"""

BAD: list[tuple[str, Any, str]] = [
    ("whole", 0, "whole=0: must be a whole number ≥ 1 and < 10"),
    ("whole", 10, "whole=10: must be a whole number ≥ 1 and < 10"),
    ("whole", 2.5, "whole=2.5: must be a whole number, as 2 or 3"),
    (
        "whole",
        "2",
        'whole="2": must be a whole number; leave out the quotes, or decode it: ${oc.decode:…}',
    ),
    ("whole", True, "whole=true: must be a whole number"),
    ("whole", math.inf, "whole=inf: must be a whole number"),
    ("whole", math.nan, "whole=nan: must be a whole number"),
    ("whole", np.bool_(True), "whole=true: must be a whole number"),
    ("whole", None, "whole=null: must be a whole number"),
    ("number", 0, "number=0: must be a finite number > 0 and ≤ 1"),
    ("number", 1.5, "number=1.5: must be a finite number > 0 and ≤ 1"),
    ("number", math.nan, "number=nan: must be a finite number > 0 and ≤ 1"),
    ("number", False, "number=false: must be a number"),
    (
        "number",
        "0.1",
        'number="0.1": must be a number; leave out the quotes, or decode it: ${oc.decode:…}',
    ),
    ("number", "a0.1", "number=a0.1: must be a number, as 0.1 or 1e-3"),
    (
        "number",
        pd.Series([0.5, 1]),
        "number=[0.5,1.0]: must be a number; several make a sweep: gdlab.sweep in Python, "
        "--multirun number=0.5,1.0 on a command line",
    ),
    ("number", {0.1}, "number={0.1}: must be a number"),
    ("number", torch.tensor([0.5, 2.0]), "number=2.0: must be a finite number > 0 and ≤ 1"),
    ("maybe", math.inf, "maybe=inf: must be a finite number; null leaves it unset"),
    ("each", torch.tensor([1.0, -2.0]), "each=-2.0: must be a finite number ≥ 0"),
    ("each", torch.tensor([1.0, math.nan]), "each=nan: must be a finite number ≥ 0"),
    ("each", 1j, "each=1j: must be a number"),
    ("flag", 1, "flag=1: must be true or false"),
    (
        "flag",
        "True",
        'flag="True": must be true or false; leave out the quotes, or decode it: ${oc.decode:…}',
    ),
    ("text", 1, f"text=1: {QUOTED.format('1', '1')}"),
    ("text", True, f"text=true: {QUOTED.format('true', 'true')}"),
    ("text", 0.5, f"text=0.5: {QUOTED.format('0.5', '0.5')}"),
    ("text", b"a", "text=b'a': must be a string"),
    (
        "many",
        ["1"],
        'many[0]="1": must be a number; leave out the quotes, or decode it: ${oc.decode:…}',
    ),
    ("many", itertools.count(), "many=count: has more than 1,000,000 items"),
    ("many", range(10**30), "many=range: has more than 20,000,000 items"),
    ("many", range(10**30, 0, -1), "many=range: has more than 20,000,000 items"),
    ("kind", pd.Series(["red"]), "kind=[red]: must be one of red, blue"),
    ("kind", "green", "kind=green: must be one of red, blue"),
    ("pair", [0.5], "pair=[0.5]: must be a list of 2 numbers"),
    ("pair", [0.5, 1], "pair[1]=1: must be a finite number ≥ 0 and < 1"),
    ("pair", [0.5, "x"], "pair[1]=x: must be a number, as 0.1 or 1e-3"),
    ("pair", 0.5, "pair=0.5: must be a list of 2 numbers"),
    ("many", "12", "many=12: must be a list of numbers; a list is [12]"),
    ("many", [1, None], "many[1]=null: must be a number"),
    ("either", "x", "either=x: must be a number or a list of numbers, as 0.1 or 1e-3"),
    ("call", 3, "call=3: must be a function"),
    ("inner", 3, "inner=3: must be a Range"),
]


@pytest.mark.parametrize(("name", "given", "message"), BAD)
def test_values_that_do_not_fit(name: str, given: Any, message: str) -> None:
    with pytest.raises(SettingError) as error:
        Every(**{name: given})
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["number", "each", "maybe", "whole"])
def test_integers_beyond_float_range_are_refused(name: str) -> None:
    with pytest.raises(SettingError, match=f"{name}=1000*: must be a (finite|whole) number"):
        Every().replace(**{name: 10**400})


def test_instances_are_frozen_and_replace_checks() -> None:
    every = Every()
    with pytest.raises(dataclasses.FrozenInstanceError):
        every.whole = 4  # type: ignore[misc]
    assert every.replace(whole=5).whole == 5
    assert every.whole == 3
    with pytest.raises(SettingError, match="whole=50"):
        every.replace(whole=50)


def test_settings_are_in_order_of_declaration() -> None:
    names = [
        "whole",
        "number",
        "each",
        "flag",
        "text",
        "kind",
        "maybe",
        "pair",
        "many",
        "either",
        "call",
        "inner",
        "anything",
    ]
    assert list(Every().settings()) == list(declared_fields(Every)) == names


def test_numeric_fields_are_those_that_may_hold_a_column() -> None:
    numeric = [name for name, field in declared_fields(Every).items() if field.numeric]
    assert numeric == ["number", "each", "maybe", "pair", "either"]


def test_columns_go_through_every_number() -> None:
    column = torch.tensor([1.0, 2.0])
    owner = Every(each=column, pair=(0.5, 0.25), either=(1.0, 2.0))
    seen: list[Any] = []

    def note(value: Number) -> Number:
        seen.append(value)
        return value * 2

    doubled = map_numbers(owner, note)
    assert type(doubled) is Every
    assert torch.equal(torch.as_tensor(doubled.each), torch.tensor([2.0, 4.0]))
    assert doubled.pair == (1.0, 0.5)  # past its range: nothing is checked again
    assert doubled.either == (2.0, 4.0)
    assert doubled.number == 1.0
    assert (doubled.whole, doubled.maybe, doubled.call) == (3, None, math.sqrt)
    assert len(seen) == 6
    assert owner.pair == (0.5, 0.25)


def test_a_number_may_be_the_same_for_all_runs() -> None:
    class Shared(Configured):
        each: Number = 1.0
        shared: float | None = setting(default=2.0, ge=0, column=False)

    assert [name for name, field in declared_fields(Shared).items() if field.numeric] == ["each"]
    doubled = map_numbers(Shared(), lambda value: value * 2)
    assert (doubled.each, doubled.shared) == (2.0, 2.0)
    with pytest.raises(SettingError, match="shared=-1: must be a finite number ≥ 0"):
        Shared(shared=-1)


def test_a_field_may_be_a_mapping_or_something_else() -> None:
    class Named(Configured):
        source: str | Mapping[str, Any] = "a"

    assert flatten(Named()) == {"source": "a"}
    changed = Named().replace(**nest_changes(Named(), {"source.x": 1, "source.y": "b"}))
    assert flatten(changed) == {"source.x": 1, "source.y": "b"}
    assert flatten(changed.replace(**nest_changes(changed, {"source.x": 2}))) == {
        "source.x": 2,
        "source.y": "b",
    }
    with pytest.raises(SettingError) as error:
        Named(source=3)  # type: ignore[arg-type]
    assert str(error.value).startswith(
        "source=3: must be a string or a mapping from names to values; in quotes it is one"
    )


class Lists(Configured):
    """Fields that take a list as one value, and some that do not."""

    whole: int = 1
    number: Number = setting(default=0.1, gt=0)
    text: str = "a"
    anything: Any = None
    named: Mapping[str, Number] = dataclasses.field(default_factory=dict)
    pair: tuple[Number, Number] = setting(default=(0.9, 0.999), ge=0, lt=1)
    steps: tuple[int, ...] = setting(default=(1, 2), ge=1)
    columns: tuple[str, ...] | None = None
    number_or_list: Number | tuple[Number, ...] = 0.0
    number_or_pair: Number | tuple[Number, Number] = 0.0
    point: tuple[float, ...] | Literal["random"] | None = None


# a field, a list, and whether the list is one value of the field
LISTS: list[tuple[str, list[Any], bool]] = [
    ("whole", [1, 2], False),
    ("whole", [], False),
    ("number", [0.1, 0.2], False),
    ("text", ["a", "b"], False),
    ("anything", [1, 2], False),
    ("named", [{"a": 1}, {"a": 2}], False),
    ("pair", [0.9, 0.99], True),
    ("pair", [0, 1.5], True),  # out of range, yet of the right type
    ("pair", [0.9], True),  # neither reading fits; no number alone is a value
    ("pair", [0.9, 0.99, 0.999], True),
    ("pair", [[0.9, 0.99], [0.8, 0.9]], False),
    ("pair", [(0.9, 0.99), [0.8]], False),
    ("steps", [2, 4], True),
    ("steps", [2.0, 4], True),
    ("steps", [2], True),
    ("steps", [], True),
    ("steps", [2, "x"], True),
    ("steps", [[2, 4]], False),
    ("steps", [[2, 4], [3]], False),
    ("columns", ["a", "b"], True),
    ("columns", [None, ["a"]], False),
    ("columns", [None], False),
    ("number_or_list", [1, 2], True),
    ("number_or_list", [1], True),
    ("number_or_list", [[1, 2], 3], False),
    ("number_or_list", [1, "x"], False),
    ("number_or_pair", [1, 2], True),
    ("number_or_pair", [1, 2, 3], False),
    ("point", [0.0, 1.0], True),
    ("point", [math.inf, 1.0], True),
    ("point", ["random", None], False),
    ("point", ["random", 1.0], False),
    ("point", [[0.0, 1.0], "random"], False),
    ("point", [[0.0, 1.0], [2.0, 3.0]], False),
]


@pytest.mark.parametrize(("name", "items", "is_one_value"), LISTS)
def test_whether_a_list_is_one_value(name: str, items: list[Any], is_one_value: bool) -> None:
    field = declared_fields(Lists)[name]
    assert field.takes_list(items) == is_one_value
    assert field.takes_list(tuple(items)) == is_one_value


def test_an_item_of_a_mapping_takes_lists_by_its_own_type() -> None:
    item = declared_fields(Lists)["named"].item
    assert item is not None
    assert not item.takes_list([1.0, 2.0])


# a setting, a list, and whether the list is one value of the setting
LISTS_OF_SETTINGS: list[tuple[type[Configured], str, list[Any], bool]] = [
    (MultiStep, "milestones", [2, 4], True),
    (Transform, "shift", [1, 2], True),
    (Settings, "lr", [0.1, 0.2], False),
    (Settings, "start", [0.0, 1.0], True),
    (Settings, "start", [[0.0, 1.0], [2.0, 3.0]], False),
    (Adam, "betas", [0.9, 0.99], True),
    (Adam, "betas", [[0.9, 0.99], [0.8, 0.9]], False),
    (Expression, "formula", ["x**2", "x**4"], False),
    (Summary, "by", ["lr"], True),
]


@pytest.mark.parametrize(("owner", "name", "items", "is_one_value"), LISTS_OF_SETTINGS)
def test_whether_a_list_is_one_value_of_a_setting(
    owner: type[Configured], name: str, items: list[Any], is_one_value: bool
) -> None:
    assert declared_fields(owner)[name].takes_list(items) == is_one_value


bounds = st.none() | st.floats(allow_nan=False)


@given(bounds, bounds, bounds, bounds, st.floats() | st.integers())
@hypothesis_settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_a_range_contains_the_numbers_between_its_bounds(
    gt: float | None, ge: float | None, lt: float | None, le: float | None, value: float
) -> None:
    below = (gt is not None and value <= gt) or (ge is not None and value < ge)
    above = (lt is not None and value >= lt) or (le is not None and value > le)
    expected = math.isfinite(value) and not below and not above
    assert (value in Range(gt, ge, lt, le)) == expected


RANGES = [
    (Range(), ""),
    (Range(gt=0), "> 0"),
    (Range(ge=0, lt=1), "≥ 0 and < 1"),
    (Range(gt=-1.5, le=1e20), "> -1.5 and ≤ 1e+20"),
]


@pytest.mark.parametrize(("interval", "words"), RANGES)
def test_a_range_in_words(interval: Range, words: str) -> None:
    assert str(interval) == words


SHOWN: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "true"),
    ((1.0, (2, None)), "[1.0,[2,null]]"),
    (0.1, "0.1"),
    (1e300, "1e+300"),
    ("text", "text"),
]


@pytest.mark.parametrize(("value", "text"), SHOWN)
def test_values_are_formatted_as_typed(value: Any, text: str) -> None:
    assert format_value(value) == text


class Inner(Configured):
    """An inner class."""

    size: Number = setting(default=1.0, gt=0)


class Outer(Configured):
    """A class with an instance of another as a field."""

    share: Number = 0.5
    inner: Inner = dataclasses.field(default_factory=Inner)


def test_fields_of_an_inner_instance_have_dotted_names() -> None:
    outer = Outer(inner=Inner(size=2))
    assert flatten(outer) == {"share": 0.5, "inner": "Inner", "inner.size": 2.0}
    field = find_field(outer, "inner.size")
    assert field is not None
    assert field.numeric
    assert find_field(outer, "inner.other") is None
    changed = outer.replace(**nest_changes(outer, {"inner.size": 3, "share": 0.1}))
    assert flatten(changed) == {"share": 0.1, "inner": "Inner", "inner.size": 3.0}
    with pytest.raises(SettingError, match=r"^inner\.size=0: must be a finite number > 0$"):
        nest_changes(outer, {"inner.size": 0})
    with pytest.raises(SettingError, match=r"^inner=3: must be an Inner$"):
        Outer(inner=3)  # type: ignore[arg-type]


def test_map_numbers_reaches_inner_instances() -> None:
    doubled = map_numbers(Outer(), lambda number: 2 * number)
    assert (doubled.share, doubled.inner.size) == (1.0, 2.0)
