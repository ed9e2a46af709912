"""One value against the type that it must have: from YAML, from Python, from a sweep's column."""

import dataclasses
import numbers
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union

from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value


@dataclasses.dataclass(frozen=True)
class Range:
    """The allowed interval of a number; `None` leaves a side open."""

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


def union_members(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the one type."""
    is_union = typing.get_origin(hint) in (Union, types.UnionType)
    return typing.get_args(hint) if is_union else (hint,)


def check_value(name: str, value: Any, hint: Any, allowed: Range) -> Any:
    """`value` as one of the hint's alternatives."""
    kinds = union_members(hint)
    if hint is Any or (value is None and type(None) in kinds):
        return value
    for kind in kinds:
        found = _as(kind, name, value, allowed)
        if found is not None:
            return found
    raise SettingError(f"{name}={format_value(value)}: must be {describe_types(kinds)}")


def fits_type(value: Any, hint: Any) -> bool:
    """Return whether a value is of a type, with any finite numbers."""
    try:
        check_value("", value, hint, Range())
    except SettingError:
        return False
    return True


def _as(kind: Any, name: str, value: Any, allowed: Range) -> Any:
    """`value` as `kind`, or None where it is not of that kind."""
    origin = typing.get_origin(kind)
    if origin is Literal:
        return value if value in typing.get_args(kind) else None
    if origin is tuple:
        return _as_tuple(typing.get_args(kind), name, value, allowed)
    if origin is Mapping:
        return _as_mapping(typing.get_args(kind)[1], name, value, allowed)
    if kind is float and isinstance(value, Tensor):
        return _column(name, value, allowed)
    if kind in (float, int):
        return _as_number(kind, name, value, allowed)
    return value if isinstance(value, origin or kind) else None


def _as_number(kind: Any, name: str, value: Any, allowed: Range) -> Any:
    """A number, NumPy's included, as `kind`; None where it is none or not whole."""
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


def _as_tuple(hints: tuple[Any, ...], name: str, value: Any, allowed: Range) -> Any:
    """A sequence as a tuple, each item checked; None where the form does not fit."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return None
    if hints[-1] is Ellipsis:
        hints = (hints[0],) * len(value)
    if len(hints) != len(value):
        return None
    pairs = zip(value, hints, strict=True)
    return tuple(check_value(f"{name}[{i}]", v, hint, allowed) for i, (v, hint) in enumerate(pairs))


def _as_mapping(hint: Any, name: str, value: Any, allowed: Range) -> Any:
    """A mapping with names as keys, each item checked; None where the form does not fit."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        return None
    return {key: check_value(f"{name}.{key}", item, hint, allowed) for key, item in value.items()}


def _column(name: str, value: Tensor, allowed: Range) -> Tensor:
    """A column whose every number is in range; the first that is not is named."""
    bad = [v for v in value.detach().reshape(-1).tolist() if v not in allowed]
    if bad:
        raise SettingError(
            f"{name}={format_value(bad[0])}: must be a finite number {allowed}".rstrip()
        )
    return value


def describe_types(kinds: Sequence[Any]) -> str:
    """Some types in words."""
    return " or ".join(filter(None, map(_describe, kinds)))


def _describe(kind: Any) -> str:
    """A type in words."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return f"one of {', '.join(map(str, args))}"
    if origin is tuple:
        many = args[-1] is Ellipsis
        item = describe_types(union_members(args[0]))
        return f"a list, each {item}" if many else f"a list of {len(args)}, each {item}"
    if origin is Mapping:
        return "names, each with a value" if args[1] is Any else "names, each with a number"
    names = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
    silent = kind in (Tensor, type(None))
    name = str(getattr(kind, "__name__", kind))
    article = "an" if name[0] in "AEIOU" else "a"
    return "" if silent else names.get(kind, f"{article} {name}")
