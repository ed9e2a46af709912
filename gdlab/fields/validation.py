"""Check one value against its declared type, be it from YAML, Python or a column of a sweep."""

import dataclasses
import io
import itertools
import numbers
import os
import sys
import types
import typing
from collections.abc import Callable, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Any, ClassVar, Literal, Self, Union

import numpy as np
import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.fields.hints import explain_quotes, how_to_unset, suggest

_PLAIN = {type(None), bool, int, float, str, tuple, list, dict}
_MOST_ITEMS, _MOST_IN_RANGE = 1_000_000, 20_000_000  # a sweep has as many runs at most


@dataclasses.dataclass(frozen=True)
class Range:
    """The allowed interval of a number; None means unbounded on that side."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            abs(value) <= sys.float_info.max
            and (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
        )

    def __str__(self) -> str:
        signs = ((">", self.gt), ("≥", self.ge), ("<", self.lt), ("≤", self.le))
        bounds = [f"{sign} {bound:g}" for sign, bound in signs if bound is not None]
        return " and ".join(bounds)


class FromPython:
    """A type of settings whose values other objects of Python can stand for.

    Attributes:
        described: what these are, for errors.
    """

    described: ClassVar[str]

    @classmethod
    def of(cls, name: str, value: Any) -> Self | None:
        """Return what an object stands for; None if it stands for none.

        Args:
            name: of the setting, for errors.
            value: the object.

        Raises:
            SettingError: it could stand for one, but has a fault.
        """
        raise NotImplementedError(f"{cls.__name__} must implement of")


def is_from_python(kind: Any) -> bool:
    """Return whether other objects of Python can stand for values of a type."""
    return isinstance(kind, type) and issubclass(kind, FromPython)


def union_members(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself if it is not one."""
    is_union = typing.get_origin(hint) in (Union, types.UnionType)
    return typing.get_args(hint) if is_union else (hint,)


def plain_value(name: str, value: Any) -> Any:
    """Return a value as Python's own: paths as strings, and columns and iterators as lists.

    Columns are those of NumPy, pandas and others that have `tolist`, and a data frame is a list of
    its rows; tensors stay tensors.

    Raises:
        SettingError: an iterator does not end, or a range has too many items.
    """
    _refuse_long_range(name, value)
    if type(value) in _PLAIN or isinstance(value, (Tensor, io.IOBase, type)):
        return value
    if hasattr(value, "iloc") and len(value.shape) == 2:
        return value.to_numpy().tolist()
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, (Iterator, KeysView, ValuesView)):
        items = list(itertools.islice(value, _MOST_ITEMS + 1))
        if len(items) > _MOST_ITEMS:
            raise _too_many(name, value, _MOST_ITEMS)
        return items
    return value.tolist() if callable(getattr(value, "tolist", None)) else value


def _refuse_long_range(name: str, value: Any) -> None:
    """Refuse a range of more items than memory should hold, or `len` can count."""
    if isinstance(value, range) and value[_MOST_IN_RANGE:]:
        raise _too_many(name, value, _MOST_IN_RANGE)


def _too_many(name: str, value: Any, most: int) -> SettingError:
    """Return the error for more values than memory should hold."""
    return SettingError(f"{name}={type(value).__name__}: has more than {most:,} items")


def plain_point(name: str, value: Any) -> Any:
    """Return the coordinates of a point as a tuple, whatever sequence they are; others as they are.

    A column of pandas with names is a mapping from names to coordinates.

    Raises:
        SettingError: an iterator does not end.
    """
    if hasattr(value, "to_dict") and all(isinstance(label, str) for label in value.index):
        return dict(value.to_dict())
    value = value.tolist() if isinstance(value, Tensor) else plain_value(name, value)
    is_point = isinstance(value, Sequence) and not isinstance(value, str)
    return tuple(value) if is_point else value


def check_value(name: str, value: Any, hint: Any, allowed: Range) -> Any:
    """Convert `value` to the first member of `hint` that fits.

    Raises:
        SettingError: no member fits, or a number is out of range.
    """
    kinds = union_members(hint)
    if hint is Any or (value is None and type(None) in kinds):
        return value
    way = how_to_unset(value, kinds)
    try:
        converted = _convert_first(kinds, name, value, allowed)
        if converted is None:
            if isinstance(value, Tensor) and value.ndim == 0:
                value = value.item()
            value = plain_value(name, value)
            converted = _convert_first(kinds, name, value, allowed)
    except SettingError as error:
        raise SettingError(f"{error}{way}") from error
    if converted is not None:
        return converted
    shown, hint = explain_quotes(value, kinds)
    hint = hint or way or suggest(name, value, kinds)
    raise SettingError(f"{name}={shown}: must be {describe_types(kinds)}{hint}")


def fits_type(value: Any, hint: Any) -> bool:
    """Return whether a value is of a type, with any finite numbers."""
    try:
        check_value("", value, hint, Range())
    except SettingError:
        return False
    return True


def _convert_first(kinds: Sequence[Any], name: str, value: Any, allowed: Range) -> Any:
    """Convert `value` to the first kind that fits; None if none does."""
    converted = (_convert(kind, name, value, allowed) for kind in kinds)
    return next((item for item in converted if item is not None), None)


def _convert(kind: Any, name: str, value: Any, allowed: Range) -> Any:
    """Convert `value` to `kind`; None if it is not of that kind."""
    origin = typing.get_origin(kind)
    if is_from_python(kind):
        return kind.of(name, value)
    if origin is Literal:
        return _convert_literal(typing.get_args(kind), value)
    if origin is tuple:
        return _convert_tuple(typing.get_args(kind), name, value, allowed)
    if origin is Mapping:
        return _convert_mapping(typing.get_args(kind)[1], name, value, allowed)
    if kind is float and isinstance(value, Tensor):
        return _check_column(name, value, allowed)
    if kind in (float, int):
        return _convert_number(kind, name, value, allowed)
    return value if isinstance(value, origin or kind) else None


def _convert_literal(choices: tuple[Any, ...], value: Any) -> Any:
    """Return a value that is one of some choices; torch and NumPy name types and devices so."""
    if isinstance(value, (torch.dtype, torch.device)):
        value = str(value).removeprefix("torch.")
    elif isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        value = np.dtype(value).name
    return value if isinstance(value, (str, int)) and value in choices else None


def _convert_number(kind: Any, name: str, value: Any, allowed: Range) -> Any:
    """Convert a number, NumPy's included, to `kind`; None if it is not a number or not whole."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return None
    number: Any = value
    number = int(number) if isinstance(value, numbers.Integral) else float(number)
    if kind is int and isinstance(number, float) and not number.is_integer():
        return None
    if number not in allowed:
        what = "a whole number" if kind is int else "a finite number"
        raise SettingError(f"{name}={format_value(value)}: must be {what} {allowed}".rstrip())
    return kind(number)


def _convert_tuple(hints: tuple[Any, ...], name: str, value: Any, allowed: Range) -> Any:
    """Convert a sequence to a tuple, checking each item; None if it has the wrong form."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return None
    _refuse_long_range(name, value)
    if hints[-1] is Ellipsis:
        hints = (hints[0],) * len(value)
    if len(hints) != len(value):
        return None
    pairs = zip(value, hints, strict=True)
    return tuple(check_value(f"{name}[{i}]", v, hint, allowed) for i, (v, hint) in enumerate(pairs))


def _convert_mapping(hint: Any, name: str, value: Any, allowed: Range) -> Any:
    """Convert a mapping from strings, checking each item; None if it has the wrong form."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        return None
    return {key: check_value(f"{name}.{key}", item, hint, allowed) for key, item in value.items()}


def _check_column(name: str, value: Tensor, allowed: Range) -> Tensor:
    """Return a column if all its numbers are in range; raise for the first that is not."""
    bad = [v for v in value.detach().reshape(-1).tolist() if v not in allowed]
    if bad:
        raise SettingError(
            f"{name}={format_value(bad[0])}: must be a finite number {allowed}".rstrip()
        )
    return value


_SINGULARS = {float: "a number", int: "a whole number", bool: "true or false", str: "a string"}
_PLURALS = {float: "numbers", int: "whole numbers", str: "strings"}


def describe_types(kinds: Sequence[Any]) -> str:
    """Return the alternatives of a union in words."""
    return " or ".join(filter(None, map(_describe, kinds)))


def _describe(kind: Any) -> str:
    """Return a type in words; empty for types that a user cannot type."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return f"{'one of ' if len(args) > 1 else ''}{', '.join(map(str, args))}"
    if origin is tuple:
        return f"a {_describe_list('list', args)}"
    if origin is Mapping:
        return "a mapping from names to " + ("values" if args[1] is Any else "numbers")
    if origin is Callable:
        return "a function"
    if kind in (Tensor, type(None)):
        return ""
    if is_from_python(kind):
        return kind.described
    class_name = getattr(kind, "__name__", str(kind))
    article = "an" if class_name[0] in "AEIOU" else "a"
    return _SINGULARS.get(kind, f"{article} {class_name}")


def _describe_list(noun: str, args: tuple[Any, ...]) -> str:
    """Return "list of 2 numbers", "lists of strings" or the like; items are named by the first."""
    kind = union_members(args[0])[0]
    is_nested = typing.get_origin(kind) is tuple
    inner = _describe_list("lists", typing.get_args(kind)) if is_nested else _PLURALS[kind]
    return f"{noun} of {inner}" if args[-1] is Ellipsis else f"{noun} of {len(args)} {inner}"
