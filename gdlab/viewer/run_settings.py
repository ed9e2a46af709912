"""The settings in which the runs of a problem differ, and what the runs are called by them."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from gdlab.config.loading import choice_from_values
from gdlab.config.settings import Settings
from gdlab.console import visible
from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.plots.colors import text_of
from gdlab.results.labels import USUAL, labels_of, short_names
from gdlab.theory import predicted_rate
from gdlab.viewer.problems import Problem
from gdlab.viewer.reading import ReadRun
from gdlab.viewer.values import is_number

_ORDER = ("optimizer", "lr", "schedule", "noise", "start", "start_spread", "loss", "transform")
_ORDER += ("steps", "dtype", "seed")
_OWN = {"optimizer": "gdlab.optimizers.", "schedule": "gdlab.schedules."}


def differing(runs: Sequence[ReadRun]) -> list[str]:
    """Return the settings, by dotted names, that have several values among runs that have them.

    A setting of an optimizer or a schedule has several with the same choice.
    """
    seen: dict[tuple[str, Any], set[Any]] = {}
    for run in runs:
        for key, value in run.settings.items():
            if _is_of_run(key):
                group, _, inner = key.partition(".")
                choice = run.settings.get(group) if inner else None
                plain = float(value) if is_number(value) else repr(value)
                seen.setdefault((key, str(choice)), set()).add(plain)
    keys = {key for (key, _), values in seen.items() if len(values) > 1}
    return sorted(keys, key=lambda key: (_ORDER.index(key.split(".")[0]), key.count("."), key))


@lru_cache(maxsize=4096)
def _is_of_run(key: str) -> bool:
    group, _, name = key.partition(".")
    return group in _ORDER and name.partition(".")[0] != "space"


def _text(value: Any) -> str:
    """Return a value as a text that only equal values have, 1 and 1.0 being equal."""
    return repr(float(value)) if is_number(value) else repr(value)


def shown(value: Any) -> Any:
    """Return a value of a setting as a message has it: a number, true, false, null or a text."""
    if value is None or isinstance(value, bool) or is_number(value):
        return value
    return visible(format_value(value))[:200]


def settings_of(run: ReadRun, keys: Sequence[str]) -> dict[str, Any]:
    """Return some settings of a run; one that it does not have is missing."""
    return {key: shown(run.settings[key]) for key in keys if key in run.settings}


def axes_of(runs: Sequence[ReadRun], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return the settings that differ between runs with their values, in increasing order."""
    axes = []
    for key, label in zip(keys, short_names(keys), strict=True):
        values = {_text(v): v for run in runs if (v := shown(run.settings.get(key))) is not None}
        numeric = all(map(is_number, values.values()))
        ordered = sorted(values.values(), key=None if numeric else str)
        axes.append({"name": key, "label": visible(label), "numeric": numeric, "values": ordered})
    return axes


def labels_of_runs(runs: Sequence[ReadRun], keys: Sequence[str]) -> list[str]:
    """Return what runs are called: the settings in which they differ, else their directories.

    Runs that share their settings have the names of their directories, too.
    """
    if not keys:
        return [run.name for run in runs]
    rows = [[shown(run.settings[k]) if k in run.settings else USUAL for k in keys] for run in runs]
    names = short_names(keys)
    labels = labels_of(names, keys, rows)
    texts = [v if isinstance(v, str) else f"{names[0]} = {text_of(v)}" for v in labels]
    count = {text: texts.count(text) for text in set(texts)} if len(set(texts)) < len(texts) else {}
    return [
        f"{text} ({PurePosixPath(run.name).name})" if count.get(text, 1) > 1 or not text else text
        for text, run in zip(texts, runs, strict=True)
    ]


def rate_of(problem: Problem, run: ReadRun) -> float | None:
    """Return the factor per step of the loss above its minimum that theory predicts.

    None where it predicts none, or the run cannot be made again from what gdlab has.
    """
    made = problem.made
    if isinstance(made, str):
        return None
    config = {key: run.config.get(key) for key in ("optimizer", "schedule", "lr", "noise")}
    return _rate(_Question(made, config))


class _Question:
    """Settings with the loss of a problem, and all else that a rate depends on."""

    def __init__(self, made: Settings, config: Mapping[str, Any]) -> None:
        self.made, self.config = made, config
        self._key = (id(made), repr(config))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Question) and self._key == other._key


@lru_cache(maxsize=4096)
def _rate(question: _Question) -> float | None:
    config, noise = question.config, question.config["noise"]
    is_noisy = isinstance(noise, Mapping) and noise.get("scale")
    if is_noisy or not is_number(config["lr"]):
        return None
    try:
        parts = {group: _part(group, config[group]) for group in _OWN}
        return factor_of(question.made.unchecked(**parts, lr=float(config["lr"])))
    except (SettingError, TypeError, ValueError):  # theory says nothing of such settings
        return None


def factor_of(settings: Settings) -> float | None:
    """Return the factor per step of the loss above its minimum that theory predicts, if any."""
    rate = predicted_rate(settings)
    return None if rate is None else rate.per_step**2


def _part(group: str, node: Any) -> Any:
    """Make the optimizer or the schedule of a run, if gdlab has its class and it holds no other.

    Raises:
        SettingError: it cannot be made.
    """
    if not isinstance(node, Mapping) or not str(node.get("_target_")).startswith(_OWN[group]):
        raise SettingError(f"{group}: is none of gdlab's")
    if any(isinstance(v, Mapping) and "_target_" in v for v in node.values()):
        raise SettingError(f"{group}: holds another class")
    return choice_from_values(group, dict(node))
