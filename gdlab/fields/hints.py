"""How a value of the wrong type may have been meant, for the ends of errors."""

import math
import re
import typing
from collections.abc import Callable, Sequence
from typing import Any, Literal

from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import did_you_mean

_LONGEST_LINE = 60
_MOST_EXACT = 2**53

_PLAIN = r"([-+]?\d+\.?\d*(?:[eE][-+]?\d+)?)"
_NUMBER = re.compile(_PLAIN)
_NUMBERS: Sequence[tuple[re.Pattern[str], Callable[..., float]]] = (
    (re.compile(rf"{_PLAIN}\s*/\s*{_PLAIN}"), lambda a, b: _divide(a, b)),
    (re.compile(rf"{_PLAIN}\s*(?:\*\*|\^)\s*{_PLAIN}"), lambda a, b: _power(a, b)),
    (re.compile(rf"{_PLAIN}[kK]"), lambda a: 1e3 * a),
    (re.compile(rf"{_PLAIN}%"), lambda a: a / 100),
    (re.compile(rf"{_PLAIN}[,.;]"), float),
)
"""Texts that people take for numbers, and the numbers that they mean."""

_SEVERAL = re.compile(rf"\[?\s*{_PLAIN}(?:\s*[,;]\s*{_PLAIN})+\s*\]?")
"""Such as 0.1,0.2: Python takes a list instead."""

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(?:-|\.\.+|:)(\d+(?:\.\d+)?)")
"""Such as 1-10, 1..10 or 1:10."""

_SCALE = re.compile(rf"(?:log|geom)(?:space)?|{_PLAIN}(?:-|\.\.+|:){_PLAIN}(?::{_PLAIN})?")
"""Such as logspace, 1e-4:1 or 1e-4:1:10."""


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


_NO_WORDS = ("", "none", "off", "no", "false", "never", "unlimited", "nan", "inf")
_NO_NUMBERS = (0, -1, math.inf)  # false is 0


def suggest(name: str, value: Any, kinds: Sequence[Any]) -> str:
    """Return how a value of the wrong type may have been meant; empty if that is not clear."""
    origins = {typing.get_origin(kind) for kind in kinds}
    if isinstance(value, (list, tuple)) and len(value) > 1 and tuple not in origins:
        line = f"{name}={','.join(map(format_value, value))}"
        is_short = len(line) <= _LONGEST_LINE and "[" not in line
        on_line = f"--multirun {line}" if is_short else "--multirun"
        return f"; several make a sweep: gdlab.sweep in Python, {on_line} on a command line"
    items = {item for kind in kinds for item in _items_of_list(kind)}
    if any(typing.get_origin(item) is tuple for item in items):
        return ", as [[-1,1],[-2,2]]"
    if isinstance(value, (int, float)) and items & {int, float}:
        text = format_value(value)
        return f"; a list is [{text}], of two [{text},{text}]"
    if isinstance(value, str) and value and str in items:
        return f"; a list is [{value}]"
    if isinstance(value, float) and int in kinds and abs(value) < _MOST_EXACT:
        low = math.floor(value)
        return f", as {' or '.join(str(whole) for whole in (low, low + 1) if whole)}"
    if isinstance(value, str) and {int, float} & {*kinds}:
        return _how_number(name, value, is_whole=float not in kinds)
    if isinstance(value, str) and {int, float} & items:
        return f"; a list is [{_separate(value)}]"
    if isinstance(value, str) and Literal in origins:
        return did_you_mean(value, [str(c) for kind in kinds for c in typing.get_args(kind)])
    return ""


def how_to_unset(value: Any, kinds: Sequence[Any]) -> str:
    """Return how to leave a setting unset, if it may be and the value looks as if that was meant.

    Args:
        value: that is refused.
        kinds: the types that the setting may have.
    """
    if type(None) not in kinds:
        return ""
    if isinstance(value, str):
        looks_so = value.strip().lower() in _NO_WORDS
    else:
        is_number = isinstance(value, (int, float)) and bool({int, float} & {*kinds})
        looks_so = is_number and value in _NO_NUMBERS
    return "; null leaves it unset" if looks_so else ""


def _items_of_list(kind: Any) -> tuple[Any, ...]:
    """Return the types of the items of a list of any length; none for anything else."""
    args = typing.get_args(kind) if typing.get_origin(kind) is tuple else ()
    return args if args[-1:] == (Ellipsis,) else ()


def _separate(text: str) -> str:
    """Write the numbers in a text with commas between; two examples where there are none."""
    return ",".join(_NUMBER.findall(text)) or "1,2"


def number_meant(text: str) -> float | None:
    """Return the number that a text such as 1/3, 10^-3, 5k or 20% means; None if it means none."""
    for pattern, rewrite in _NUMBERS:
        match = pattern.fullmatch(text.strip())
        number = rewrite(*map(float, match.groups())) if match else math.nan
        if math.isfinite(number):
            return number
    return None


def _how_number(name: str, text: str, *, is_whole: bool) -> str:
    """Return how a text that is no number may be typed as one or several of a setting."""
    number = number_meant(text)
    if number is not None and not (is_whole and number % 1):
        return f"; write {number:.6g}"
    if _SEVERAL.fullmatch(text):
        return f"; several are a list, {name}=[{', '.join(_NUMBER.findall(text))}], of gdlab.sweep"
    span = _SPAN.fullmatch(text)
    if span:
        low, high = span.groups()
        way = f"range({low},{int(high) + 1})" if is_whole else f"interval({low},{high})"
        return f"; in a sweep, all of these are {way}"
    scale = None if is_whole else _SCALE.fullmatch(text)
    if scale:
        low, high = scale[1] or "1e-4", scale[2] or "1"
        low, high = (low, high) if 0 < float(low) < float(high) else ("1e-4", "1")
        way = f"'{name}=tag(log,interval({low},{high}))', of single values {name}=0.1,0.01"
        return f"; on a command line, a sweep of a logarithmic scale is {way}"
    return ", as 100 or 1e3" if is_whole else ", as 0.1 or 1e-3"


def _divide(a: float, b: float) -> float:
    return a / b if b else math.nan


def _power(base: float, exponent: float) -> float:
    return base**exponent if base > 0 and abs(exponent) < 300 else math.nan


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
