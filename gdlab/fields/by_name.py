"""Values given by the names of a loss's coordinates, such as `{x: 1, y: 2}`, in their order."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import did_you_mean

Value = TypeVar("Value")
_SHOWN = 8


def in_order(
    values: "Mapping[str, Value] | tuple[Value, ...]",
    names: Sequence[str],
    setting: str,
    way: str = "",
) -> tuple[Value, ...]:
    """Return values in the order of the names; a tuple is in that order already.

    Args:
        values: one for each name, by name, or a tuple of any length, which is not checked.
        names: of the coordinates.
        setting: the setting that gave the values, for errors.
        way: what else the names may be than coordinates, if anything; "…" stands for one of them.

    Raises:
        SettingError: a name is unknown or missing.
    """
    if not isinstance(values, Mapping):
        return values
    if not names:  # a function has as many coordinates as its start
        given = format_value(dict(values))
        raise SettingError(f"{setting}={given}: must be a list of numbers, without names")
    known = ", ".join([*names[:_SHOWN], *["…"] * (len(names) > _SHOWN)])
    for name, value in values.items():
        if name not in names:
            hint = did_you_mean(name, names) or f"; the coordinates are {known}"
            raise SettingError(f"{setting}.{name}={format_value(value)}: no such coordinate{hint}")
    missing = [name for name in names if name not in values]
    if missing:
        given = format_value(dict(values))
        further = f"; {way.replace('…', missing[0])}" if way else ""
        raise SettingError(f"{setting}={given}: must have a value for each of {known}{further}")
    return tuple(values[name] for name in names)
