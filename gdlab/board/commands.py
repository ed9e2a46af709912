"""The command that computes and records a run of the live bench."""

import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from gdlab.config.loading import DEFAULT_CHOICES, settings_from_flat
from gdlab.config.settings import GROUPS, Settings
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import choices_of
from gdlab.results.chosen import choice_like

_FIRST = ("loss", "optimizer", "lr", "start", "steps")


def command_of(words: Sequence[str]) -> str:
    """Return the line for a shell, in which no word means more than it says."""
    return " ".join(["python -m gdlab", *map(shlex.quote, words)])


def words_of(settings: Settings) -> list[str]:
    """Return what is typed for a run: its choices, and each setting that is not their default."""
    choices = {group: settings.name(group) for group in GROUPS}
    usual = _defaults(tuple(choices.items()))
    shown = {key: value for key, value in choices.items() if value != DEFAULT_CHOICES[key]}
    shown |= {
        key: value
        for key, value in settings.flat().items()
        if key not in GROUPS and (key not in usual or usual[key] != value)
    }
    return [f"{key}={_exact(shown[key])}" for key in sorted(shown, key=_place)]


def with_loss_name(problem: Settings, name: str, node: Any) -> Settings:
    """Return settings that know what their loss is called on a command line.

    Args:
        problem: settings with the loss.
        name: by which it was chosen, which another folder than conf may have given it.
        node: the part of the configuration that it was made from.
    """
    if name not in _losses():
        name = choice_like("loss", node) or str(node.get("_target_"))
    return problem.unchecked(choices={**problem.choices, "loss": name})


@cache
def _losses() -> frozenset[str]:
    """Return the losses of conf, read once: a live run asks for them each time."""
    return frozenset(choices_of("loss"))


@cache
def _defaults(choices: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    """Return the settings of a run that gives nothing but its choices."""
    return settings_from_flat(dict(choices)).flat()


def _place(key: str) -> tuple[int, str]:
    """Where a setting stands in a command: what is chosen, then its fields, then the rest."""
    group = key.partition(".")[0]
    return _FIRST.index(group) if group in _FIRST else len(_FIRST), key


def _exact(value: Any) -> str:
    """Return a value as it is typed, with all its digits."""
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_exact, value))}]"
    return repr(value) if isinstance(value, float) else format_value(value)
