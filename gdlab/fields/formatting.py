"""Values as text, as a user would type them."""

from collections.abc import Mapping, Sequence
from typing import Any

_MOST_ITEMS, _LONGEST = 6, 80  # items of a list; characters
_ADDRESS = " object at 0x"


def format_value(value: Any) -> str:
    """Return a value as a user would type it."""
    if type(value) is str:  # the most common case; the isinstance checks below are slow
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(format_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{format_value(item)}' for key, item in value.items())}}}"
    if isinstance(value, float) and abs(value) > 1e15:
        return f"{value:g}"
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    text = str(value)
    return short_repr(value) if "\n" in text or _ADDRESS in text else text


def describe_type(value: Any) -> str:
    """Return the type of a value in words: a float, an int, None."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def format_shape(shape: Sequence[int], runs: int) -> str:
    """Return a shape in which the first axis is called R if it has a size for each run."""
    sizes = ["R" if axis == 0 and size == runs else str(size) for axis, size in enumerate(shape)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def short_repr(value: Any) -> str:
    """Return a value as Python would show it, in a few words: arrays by their shape."""
    shape = getattr(value, "shape", None)
    if shape is not None and len(shape):
        return f"<{type(value).__name__} {tuple(shape)}>"
    if isinstance(value, (list, tuple)) and len(value) > _MOST_ITEMS:
        return f"<{type(value).__name__} of {len(value)}>"
    name = getattr(value, "__name__", None)
    if name is not None:
        return str(name)
    lines = repr(value).splitlines()
    if len(lines) > 1 or _ADDRESS in lines[0]:
        return f"<{type(value).__name__}>"
    text = " ".join(lines[0].split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
