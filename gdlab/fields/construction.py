"""Create instances of declared classes from plain values; errors name the full setting."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, declared_fields
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import unknown_setting

Kind = TypeVar("Kind", bound=Configured)


_EXAMPLES = {float: "float", int: "int", bool: "bool", str: "str", tuple: "tuple[float, ...]"}
"""The types of attributes that could be settings, as one writes them."""


def make(prefix: str, cls: type[Kind], values: Any) -> Kind:
    """Create an instance of a class with declared fields.

    Args:
        prefix: what precedes a field's name in a setting, as "stop."; for errors.
        cls: the class.
        values: by field name.

    Raises:
        SettingError: a value is missing, unknown, of the wrong type or out of range.
    """
    if not isinstance(values, dict):
        fields = [*declared_fields(cls)]
        given = f"{prefix[:-1]}={format_value(values)}"
        way = f"set one of them, as {prefix}{fields[0]}=…"
        raise SettingError(f"{given}: must be a mapping with the keys {', '.join(fields)}; {way}")
    _refuse_undeclared(prefix, cls, values)
    refuse_unknown(prefix, values, set(declared_fields(cls)))
    required = [f.name for f in dataclasses.fields(cls) if _is_required(f)]  # type: ignore[arg-type]
    missing = [name for name in required if name not in values]
    if missing:
        raise SettingError(f"{prefix}{missing[0]}: required setting is missing")
    try:
        return cls(**values)
    except SettingError as error:
        raise SettingError(f"{prefix}{error}") from error


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    absent = dataclasses.MISSING
    return field.init and field.default is absent and field.default_factory is absent


def undeclared(cls: type[Configured], name: str) -> str:
    """Return how a class of the user's declares a setting that it lacks; empty if it is no such.

    Args:
        cls: the class.
        name: an attribute of it without a type, or any name if it has no settings.
    """
    owner = next((base for base in cls.__mro__ if name in vars(base)), None)
    value = None if owner is None else vars(owner)[name]
    is_value = type(value) in _EXAMPLES
    if cls.__module__.startswith("gdlab.") or not (is_value or not declared_fields(cls)):
        return ""
    kind = type(value) if is_value else float
    line = f"{name}: {_EXAMPLES[kind]} = {value!r}" if is_value else f"{name}: float = 1.0"
    fields = ", ".join(declared_fields(cls))
    has = f"; its settings are {fields}" if fields else ""
    return f"; to make it one, write `{line}` in class {cls.__name__}{has}"


def _refuse_undeclared(prefix: str, cls: type[Configured], values: Mapping[str, Any]) -> None:
    """Raise `SettingError` for a value of which the class could be told to make a setting."""
    for name in values.keys() - declared_fields(cls).keys():
        if way := undeclared(cls, name):
            given = format_value(values[name])
            raise SettingError(f"{prefix}{name}={given}: no such setting{way}")


def refuse_unknown(prefix: str, values: Mapping[Any, Any], allowed: set[str]) -> None:
    """Raise `SettingError` for an unknown key, suggesting the nearest known one."""
    for key, value in values.items():
        if key not in allowed:
            known = [f"{prefix}{name}" for name in allowed]
            raise unknown_setting(f"{prefix}{key}", format_value(value), known)
