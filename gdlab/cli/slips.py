"""What a shell makes of words without quotes, told in one line as it was meant."""

import re
import shlex
from collections.abc import Sequence

from gdlab.errors import SettingError

_NAMED = re.compile(r"[^\W\d]\w*:[^:,]+")
_KEY = re.compile(r"[^\W\d][\w./@]*")
_BRACKETS = {"[": "]", "{": "}", "(": ")"}


def refuse_slips(words: Sequence[str]) -> None:
    """Refuse settings that a shell took apart: blanks around =, or a value without its quotes.

    Args:
        words: of a command line, without flags.

    Raises:
        SettingError: says how the setting is typed.
    """
    _refuse_braces(words)
    for at, word in enumerate(words):
        rest = words[at + 1 :]
        if _KEY.fullmatch(word) and rest and rest[0].startswith("=") and rest[0][:2] != "==":
            joined = [word, *rest[: 1 + (rest[0] == "=")]]
        elif _KEY.fullmatch(word[:-1]) and word[-1:] == "=" and rest and "=" not in rest[0]:
            joined = [word, rest[0]]
        else:
            _refuse_blanks(word, rest)
            continue
        must = f"must have no blanks around =: {shlex.quote(''.join(joined))}"
        raise SettingError(f"{' '.join(joined)}: {must}")


def _refuse_braces(words: Sequence[str]) -> None:
    """Refuse what a shell makes of start={x:1,y:2}: start=x:1 start=y:2."""
    named: dict[str, list[str]] = {}
    for word in words:
        key, _, value = word.partition("=")
        if _NAMED.fullmatch(value):
            named.setdefault(key, []).append(value)
    for key, values in named.items():
        if len(values) > 1:
            meant = shlex.quote(f"{key}={{{','.join(values)}}}")
            typed = " ".join(f"{key}={value}" for value in values)
            raise SettingError(f"{typed}: braces need quotes: {meant}")


def _refuse_blanks(word: str, rest: Sequence[str]) -> None:
    """Refuse the first part of a list with blanks, if the next words close its bracket."""
    key, sign, value = word.partition("=")
    if not sign or value[:1] not in _BRACKETS or _is_closed(value):
        return
    for last, each in enumerate(rest, start=1):
        whole = " ".join([value, *rest[:last]])
        if "=" in each:
            return
        if _is_closed(whole):
            meant = shlex.quote(f"{key}={whole}")
            raise SettingError(f"{key}={whole}: a value with blanks needs quotes: {meant}")


def _is_closed(value: str) -> bool:
    """Tell whether a value ends with the bracket that closes its first."""
    first = value[0]
    last = _BRACKETS[first]
    return value.endswith(last) and value.count(first) == value.count(last)
