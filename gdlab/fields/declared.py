"""Declared fields: the base of losses, optimizers and schedules, which are frozen dataclasses.

A field has a type and a range, so that one check serves YAML, Python and sweeps. A field of type
`Number` is one number for all runs or a column with one number per run; a field of type `Numbers`
maps names to such numbers. A field may itself be such a dataclass: its fields are then settings
too, as `name.field`.
"""

import dataclasses
import functools
import operator
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self, TypeAlias, dataclass_transform

from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.formatting import short_repr
from gdlab.fields.validation import (
    Range,
    check_value,
    describe_types,
    fits_type,
    is_from_python,
    union_members,
)

Number: TypeAlias = float | Tensor
"""One float for all runs, or a tensor with one number per run."""

Numbers: TypeAlias = Mapping[str, Number]
"""Numbers by name; each is a setting of its own, as `parameters.a`."""

_COMPARED = (bool, int, float, str, tuple)
_MAPPING = typing.get_origin(Numbers)


def setting(
    *,
    default: Any = dataclasses.MISSING,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    column: bool = True,
    problem: bool = True,
) -> Any:
    """Declare a dataclass field with a default and the interval its numbers must lie in.

    >>> import gdlab
    >>> class Ridge(gdlab.PointLoss):
    ...     penalty: gdlab.Number = gdlab.setting(default=0.1, ge=0)
    ...     dim, start = 2, (1.0, 1.0)
    ...     def point(self, x):
    ...         return (x[0] - 1) ** 2 + self.penalty * (x @ x)
    >>> Ridge(penalty=-1)
    Traceback (most recent call last):
    gdlab.SettingError: penalty=-1: must be a finite number ≥ 0

    With `column=False`, a number is the same for all runs of a batch, as integers always are. With
    `problem=False`, a setting of a loss does not change the function being minimized.
    """
    metadata = {"range": Range(gt, ge, lt, le), "column": column, "problem": problem}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass_transform(frozen_default=True, field_specifiers=(setting, dataclasses.field))
class Configured:
    """A frozen dataclass whose fields are settings, checked when an instance is created.

    Subclasses need no decorator. Integers given for floats become floats, lists become tuples.

    Raises:
        SettingError: a value has the wrong type or lies outside its field's range.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)

    def __post_init__(self) -> None:
        for name, field in declared_fields(type(self)).items():
            value = field.check(name, getattr(self, name))
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """Show the fields that do not have their defaults, in a line."""
        fields = dataclasses.fields(typing.cast("Any", self))
        shown = [
            f"{field.name}={short_repr(value)}"
            for field in fields
            if field.init and not _is_default(field, value := getattr(self, field.name))
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    @property
    def shown_name(self) -> str:
        """What reprs, tables and pictures call it where it was not chosen by a name."""
        return type(self).__name__

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, checked again."""
        return dataclasses.replace(typing.cast("Any", self), **changes)

    def unchecked(self, **changes: Any) -> Self:
        """Return a copy with some fields changed to values that were checked elsewhere."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.settings() | changes)
        return copy

    def short_names(self) -> Mapping[str, str]:
        """Return the names of settings that Python may give, each with its full name here."""
        return {name: name for name in declared_fields(type(self))}

    def settings(self) -> dict[str, Any]:
        """Return field names and values, in order of declaration."""
        return {name: getattr(self, name) for name in declared_fields(type(self))}


def _is_default(field: dataclasses.Field, value: Any) -> bool:
    """Whether a field has its default, or what its factory makes, where that can be told."""
    if field.default_factory is not dataclasses.MISSING:
        return repr(field.default_factory()) == repr(value)
    return value is field.default or (type(value) in _COMPARED and value == field.default)


@dataclasses.dataclass(frozen=True)
class Field:
    """One declared field: its type, its range, and what `setting` says besides."""

    hint: Any
    range: Range
    column: bool = True
    problem: bool = True

    @functools.cached_property
    def numeric(self) -> bool:
        """Whether the field may hold columns: a `Number`, or a tuple or mapping of them."""
        is_container = typing.get_origin(self.hint) in (tuple, _MAPPING)
        items = typing.get_args(self.hint) if is_container else ()
        return self.column and any(_is_number(hint) for hint in (self.hint, *items))

    @functools.cached_property
    def item(self) -> "Field | None":
        """The field of each item of a mapping; None if the field is not a mapping."""
        for hint in union_members(self.hint):
            if typing.get_origin(hint) is _MAPPING:
                return dataclasses.replace(self, hint=typing.get_args(hint)[1])
        return None

    @functools.cached_property
    def scalar(self) -> type | None:
        """The one type of its values, null aside: bool or float; None for texts, lists or a mix.

        Integers count as floats, and a column as its numbers.
        """
        kinds = [kind for kind in union_members(self.hint) if kind not in (Tensor, type(None))]
        if kinds == [bool]:
            return bool
        return float if all(map(_holds_numbers, kinds)) else None

    @property
    def allowed(self) -> str:
        """The values it takes, in words."""
        kinds = union_members(self.hint)
        words = f"{describe_types(kinds)} {self.range}".rstrip()
        return f"{words}, or null" if type(None) in kinds else words

    def takes_list(self, items: Sequence[Any]) -> bool:
        """Return whether a list of these items is one value of the field, not one value per item.

        The declared type decides: the list is one value if the type includes a list of such items.
        A list of lists or of mappings is several values, as is any list for a field whose type is
        `Any`. Where the items fit neither reading, the list is one value if the field takes lists
        and no item alone is a value, so that the error names the whole list. Ranges are not
        checked.

        Args:
            items: plain Python values, as from `tolist()`.
        """
        if not any(typing.get_origin(kind) is tuple for kind in union_members(self.hint)):
            return False
        if any(isinstance(item, (list, tuple, Mapping)) for item in items):
            return False
        return fits_type(items, self.hint) or not any(fits_type(i, self.hint) for i in items)

    def stand_in(self, name: str, value: Any) -> Any:
        """Return what an object of Python stands for in the field, else the object.

        Raises:
            SettingError: it could stand for a value, but has a fault.
        """
        kinds = [kind for kind in union_members(self.hint) if is_from_python(kind)]
        found = (kind.of(name, value) for kind in kinds)
        return next((item for item in found if item is not None), value)

    def check(self, name: str, value: Any) -> Any:
        """Convert a value to the field's type, or raise `SettingError`."""
        return check_value(name, value, self.hint, self.range)


@functools.cache
def declared_fields(cls: type) -> Mapping[str, Field]:
    """Return the declared fields of a dataclass by name."""
    hints = typing.get_type_hints(cls)
    return {
        field.name: Field(
            hints[field.name],
            field.metadata.get("range", Range()),
            field.metadata.get("column", True),
            field.metadata.get("problem", True),
        )
        for field in dataclasses.fields(cls)
        if field.init
    }


def flatten(owner: Configured) -> dict[str, Any]:
    """Return field names and values, with each item of a mapping under its dotted name.

    A field that is itself configured appears as its class's name, followed by its own fields.
    """
    values: dict[str, Any] = {}
    for name, value in owner.settings().items():
        if isinstance(value, Configured):
            values[name] = type(value).__name__
            values |= {f"{name}.{inner}": item for inner, item in flatten(value).items()}
        elif declared_fields(type(owner))[name].item is not None and isinstance(value, Mapping):
            values |= {f"{name}.{item}": number for item, number in value.items()}
        else:
            values[name] = value
    return values


def find_field(owner: Configured, name: str) -> Field | None:
    """Return the declared field of a name, which may be dotted; None if there is none."""
    outer, dot, inner = name.partition(".")
    field = declared_fields(type(owner)).get(outer)
    if not dot or field is None:
        return field
    value = getattr(owner, outer)
    return find_field(value, inner) if isinstance(value, Configured) else field.item


def nest_changes(owner: Configured, values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn values by (dotted) names into changes of the owner's own fields, for `replace`.

    Raises:
        SettingError: a value does not fit a field of a configured field.
    """
    changes: dict[str, Any] = {}
    inner_values: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        outer, dot, item = name.partition(".")
        if not dot or find_field(owner, name) is None:
            changes[name] = value
        elif isinstance(getattr(owner, outer), Configured):
            inner_values.setdefault(outer, {})[item] = value
        else:
            items = changes.get(outer, getattr(owner, outer))
            changes[outer] = {**(items if isinstance(items, Mapping) else {}), item: value}
    for outer, given in inner_values.items():
        inner = changes.get(outer, getattr(owner, outer))
        try:
            changes[outer] = inner.replace(**nest_changes(inner, given))
        except SettingError as error:
            raise SettingError(f"{outer}.{error}") from error
    return changes


def map_numbers(owner: Configured, convert: Callable[[Number], Number]) -> Any:
    """Return a copy of `owner` with `convert` applied to every `Number`; nothing is checked again.

    `convert` receives each number or tensor of a numeric field, including those of configured
    fields, and returns its replacement.
    """
    changed = {}
    for name, field in declared_fields(type(owner)).items():
        value = getattr(owner, name)
        if isinstance(value, Configured):
            changed[name] = map_numbers(value, convert)
        elif field.numeric and value is not None:
            changed[name] = _convert_numbers(value, convert)
    copy = object.__new__(type(owner))
    copy.__dict__.update(owner.__dict__ | changed)
    return copy


def _convert_numbers(value: Any, convert: Callable[[Number], Number]) -> Any:
    """Convert a number, or each of several; return the same object where none changed."""
    if isinstance(value, tuple):
        items = tuple(map(convert, value))
        return value if all(map(operator.is_, items, value)) else items
    if isinstance(value, Mapping):
        named = {name: convert(item) for name, item in value.items()}
        return value if all(map(operator.is_, named.values(), value.values())) else named
    return convert(value)


def split_key(key: str) -> tuple[str, str]:
    """Split a dotted name after its first word, which is empty if there is no dot."""
    node, dot, name = key.partition(".")
    return (node, name) if dot else ("", node)


def _holds_numbers(kind: Any) -> bool:
    """Whether all values of a type are numbers; True and False are none here."""
    if typing.get_origin(kind) is Literal:
        return all(type(value) in (int, float) for value in typing.get_args(kind))
    return kind in (int, float)


def _is_number(hint: Any) -> bool:
    """Whether a type hint is `float` or `Number`."""
    return float in union_members(hint)
