"""All wrong settings of a command or a call at once, each as it is reported alone."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from gdlab.config.overrides import OPEN_GROUPS
from gdlab.errors import SettingError

Result = TypeVar("Result")

_MOST = 20
_NAME = re.compile(r"[+~]*([\w./@]+)")
_JUDGED_WITH_LOSS = ("start", "transform")
_JUDGED_WITH_DATA = ("target", "features", "batch_size")


def with_every_error(
    attempt: Callable[[Mapping[str, Any]], Result], given: Mapping[str, Any]
) -> Result:
    """Return what an attempt makes of settings, or raise one error with all that is wrong in them.

    After an error, the setting that it names is left out and the others are tried again, until
    nothing is wrong or an error names none of them.

    Args:
        attempt: uses settings, and raises a `SettingError` for the first that is wrong.
        given: the settings by name.

    Raises:
        SettingError: with a line for each setting that is wrong.
    """
    if any(isinstance(value, Iterator) for value in given.values()):
        return attempt(given)  # it can be read only once
    messages: list[str] = []
    left = dict(given)
    while len(messages) < _MOST:
        try:
            result = attempt(left)
        except SettingError as error:
            culprits = _culprits(str(error), left)
            if culprits or not messages:  # else it may follow from what was left out
                messages += [line for line in error.lines if line not in messages]
            if not culprits:
                break
            left = {key: value for key, value in left.items() if key not in culprits}
            if not left:  # the defaults are right
                break
        else:
            if not messages:
                return result
            break
    raise SettingError(*messages)


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
    parts = (culprit, *(_JUDGED_WITH_LOSS if culprit == "loss" else ()))
    if culprit in ("data", "loss.data"):
        return {key for key in given if key == culprit or _last(key) in _JUDGED_WITH_DATA}
    if culprit not in OPEN_GROUPS:
        return {culprit}
    return {key for key in given if key.partition(".")[0] in parts}


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _is_inside(named: str, key: str) -> bool:
    """Tell whether a setting is part of another that is no group, as start[0] of start."""
    return key not in OPEN_GROUPS and named.startswith((f"{key}.", f"{key}["))
