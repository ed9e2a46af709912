"""How a value of the wrong type may have been meant, for the ends of errors."""

import typing
from collections.abc import Sequence
from typing import Any, Literal

from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import did_you_mean

_LONGEST_LINE = 60


def explain_quotes(value: Any, kinds: Sequence[Any]) -> tuple[str, str]:
    """Return a wrong value as a user would type it, and what quotes have to do with it if they do.

    In YAML and on a command line, quotes alone tell the text "2019" from the number 2019.
    """
    text = format_value(value)
    if isinstance(value, (bool, int, float)) and str in kinds:
        return text, f"""; in quotes it is one: "{text}", on a command line '"{text}"'"""
    if isinstance(value, str) and any(kind in (bool, int, float) for kind in kinds):
        words = {"true", "false"} if bool in kinds else set()
        if text.lower() in words or _is_number(text):
            return f'"{text}"', "; leave out the quotes, or decode it: ${oc.decode:…}"
    return text, ""


def suggest(name: str, value: Any, kinds: Sequence[Any]) -> str:
    """Return how a value of the wrong type may have been meant; empty if that is not clear."""
    origins = {typing.get_origin(kind) for kind in kinds}
    if isinstance(value, (list, tuple)) and len(value) > 1 and tuple not in origins:
        line = f"{name}={','.join(map(format_value, value))}"
        is_short = len(line) <= _LONGEST_LINE and "[" not in line
        on_line = f"--multirun {line}" if is_short else "--multirun"
        return f"; several make a sweep: gdlab.sweep in Python, {on_line} on a command line"
    items = {item for kind in kinds for item in _items_of_list(kind)}
    if isinstance(value, (int, float)) and items & {int, float}:
        text = format_value(value)
        return f"; a list is [{text}], of two [{text},{text}]"
    if isinstance(value, str) and value and str in items:
        return f"; a list is {name}=[{value}]"
    if isinstance(value, str) and Literal in origins:
        return did_you_mean(value, [str(c) for kind in kinds for c in typing.get_args(kind)])
    return ""


def _items_of_list(kind: Any) -> tuple[Any, ...]:
    """Return the types of the items of a list; none if it is no list."""
    return typing.get_args(kind) if typing.get_origin(kind) is tuple else ()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
