"""What pictures and tables call runs that differ in some settings."""

from collections.abc import Sequence
from typing import Any, TypeGuard

from gdlab.console import visible
from gdlab.fields.formatting import format_value
from gdlab.plots.colors import Value, text_of

USUAL = object()
"""Stands for a value that goes without saying: the default of the run's choice, or none."""


def short_names(keys: Sequence[str]) -> list[str]:
    """Return the shortest names of settings that differ: `momentum` for `optimizer.momentum`."""
    last = [key.rpartition(".")[2] for key in keys]
    return [n if last.count(n) == 1 else key for n, key in zip(last, keys, strict=True)]


def labels_of(
    names: Sequence[str], keys: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[Value]:
    """Return the labels of runs: numbers if a single setting is one in all, else texts.

    Args:
        names: what the settings are called.
        keys: their full names; a choice, such as an optimizer, has no dot in it.
        rows: the values of each run; `USUAL` is left out.
    """
    numbers = [float(row[0]) for row in rows if len(row) == 1 and _is_number(row[0])]
    if len(numbers) == len(rows):
        return [*numbers]
    parts = [zip(names, keys, row, strict=True) for row in rows]
    words = [[_word(*each) for each in one if each[2] is not USUAL] for one in parts]
    return [visible(", ".join(one)) for one in words]


def told_apart(setting: str, labels: Sequence[Value], panels: Sequence[str]) -> list[Value]:
    """Number the labels that two runs of one panel share, as in `adam (2)`, the second run's.

    Args:
        setting: what labels that are numbers are values of.
        labels: of the runs.
        panels: in which each run is drawn.
    """
    seen = list(zip(panels, labels, strict=True))
    if len(set(seen)) == len(seen):
        return [*labels]
    texts = [v if isinstance(v, str) else f"{setting} = {text_of(v)}" for v in labels]
    return [
        text if seen.count(pair) == 1 else f"{text} ({number})".lstrip()
        for number, (pair, text) in enumerate(zip(seen, texts, strict=True), start=1)
    ]


def _is_number(value: Any) -> TypeGuard[float]:
    """Tell whether a value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _word(name: str, key: str, value: Any) -> str:
    """Return what a label says of one setting: its value, with its name unless it is a choice."""
    if _is_number(value):
        return f"{name} = {text_of(float(value))}"
    is_choice = "." not in key and isinstance(value, str)
    return format_value(value) if is_choice else f"{name} = {format_value(value)}"
