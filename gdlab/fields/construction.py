"""Create instances of declared classes from plain values; errors name the full setting."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, declared_fields
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import unknown_setting

Kind = TypeVar("Kind", bound=Configured)


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


def refuse_unknown(prefix: str, values: Mapping[Any, Any], allowed: set[str]) -> None:
    """Raise `SettingError` for an unknown key, suggesting the nearest known one."""
    for key, value in values.items():
        if key not in allowed:
            known = [f"{prefix}{name}" for name in allowed]
            raise unknown_setting(f"{prefix}{key}", format_value(value), known)
