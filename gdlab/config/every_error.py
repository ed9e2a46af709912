"""All wrong settings of a command or a call at once, each as it is reported alone."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from gdlab.config.overrides import OPEN_GROUPS
from gdlab.errors import SettingError

Result = TypeVar("Result")

_MOST = 20
_NAME = re.compile(r"[+~]*([\w./@]+)")
_JUDGED_WITH_LOSS = ("start", "transform", "at")
"""What depends on the coordinates of the loss."""

_JUDGED_WITH_DATA = ("target", "features", "batch_size")


def with_every_error(
    attempt: Callable[[Mapping[str, Any]], Result], given: Mapping[str, Any]
) -> Result:
    """Return what an attempt makes of settings, or raise one error with all that is wrong in them.

    Args:
        attempt: uses settings, and raises a `SettingError` for the first that is wrong.
        given: the settings by name.

    Raises:
        SettingError: with a line for each setting that is wrong.
    """
    try:
        return attempt(given)
    except SettingError as error:
        if any(isinstance(value, Iterator) for value in given.values()):
            raise  # it can be read only once
        raise with_others(error, attempt, given) from None


def with_others(
    first: SettingError, attempt: Callable[[Mapping[str, Any]], Any], given: Mapping[str, Any]
) -> SettingError:
    """Return an error together with those that it hides: a line for each setting that is wrong.

    The setting that an error names is left out and the others are tried again, until nothing is
    wrong or an error names none of them.

    Args:
        first: the error of an attempt with all settings.
        attempt: uses settings, and raises a `SettingError` for the first that is wrong.
        given: the settings by name.
    """
    messages: list[str] = []
    left, error = dict(given), first
    while error is not None and len(messages) < _MOST:
        culprits = _culprits(str(error), left)
        if culprits or not messages:  # else it may follow from what was left out
            messages += [line for line in error.lines if line not in messages]
        left = {key: value for key, value in left.items() if key not in culprits}
        error = _error_of(attempt, left) if culprits and left else None
    return SettingError(*messages)


def _error_of(
    attempt: Callable[[Mapping[str, Any]], Any], given: Mapping[str, Any]
) -> SettingError | None:
    """Return the error of an attempt; None if it succeeds."""
    try:
        attempt(given)
    except SettingError as error:
        return error
    return None


def _culprits(message: str, given: Mapping[str, Any]) -> set[str]:
    """Return the settings that an error is about, and those that can no longer be judged."""
    found = _NAME.match(message)
    named = found[1].rstrip(".") if found else ""
    class_of = named.removesuffix("._target_")
    names = [key for key in given if key in (named, class_of) or _is_inside(named, key)]
    names = names or [key for key in given if f".{named}".endswith(f".{key}")]  # a short name
    if not names:
        return set()
    culprit = class_of if class_of in given else max(names, key=len)
    judged = _JUDGED_WITH_LOSS if _group(named) == "loss" else ()
    gone = {key for key in given if _group(key) in judged}
    if culprit in ("data", "loss.data"):
        return gone | {key for key in given if key == culprit or _last(key) in _JUDGED_WITH_DATA}
    if culprit not in OPEN_GROUPS:
        return gone | {culprit}
    return gone | {key for key in given if _group(key) == culprit}


def _group(key: str) -> str:
    return key.partition(".")[0]


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _is_inside(named: str, key: str) -> bool:
    """Tell whether a setting is part of another that is no group, as start[0] of start."""
    return key not in OPEN_GROUPS and named.startswith((f"{key}.", f"{key}["))
