"""Numbers and names in the query of a request, each within its bounds."""

import math
from collections.abc import Mapping

from gdlab.errors import SettingError

Query = Mapping[str, str]
"""The values of a query by name."""

_LONGEST = 64


def text(query: Query, name: str, default: str | None = None) -> str:
    """Return a short text.

    Raises:
        SettingError: it is missing and has no default, or too long.
    """
    value = query.get(name, default)
    if value is None:
        raise SettingError(f"{name}: is missing")
    if len(value) > _LONGEST * 4:
        raise SettingError(f"{name}: must have at most {_LONGEST * 4} characters")
    return value


def whole(query: Query, name: str, low: int, high: int, default: int | None = None) -> int:
    """Return a whole number between two others.

    Raises:
        SettingError: it is missing and has no default, or none of these.
    """
    value = text(query, name, None if default is None else str(default))
    is_whole = value.isascii() and value.isdecimal() and len(value) < 16
    if not is_whole or not low <= int(value) <= high:
        raise SettingError(f"{name}={value[:_LONGEST]}: must be a whole number {low} to {high}")
    return int(value)


def numbers(query: Query, name: str, count: int) -> list[float]:
    """Return finite numbers, separated by commas.

    Raises:
        SettingError: they are missing, not finite, or not so many.
    """
    value = text(query, name)
    try:
        found = [float(part) for part in value.split(",")]
    except ValueError:
        found = []
    if len(found) != count or not all(map(math.isfinite, found)):
        what = "a finite number" if count == 1 else f"{count} finite numbers with commas between"
        raise SettingError(f"{name}={value[:_LONGEST]}: must be {what}")
    return found


def fields(query: Query, prefix: str) -> dict[str, float]:
    """Return the numbers whose names begin with a prefix, such as `loss.`, by what follows it.

    Raises:
        SettingError: a value is no finite number.
    """
    names = [name for name in query if name.startswith(prefix)]
    return {name.removeprefix(prefix): numbers(query, name, 1)[0] for name in names}
