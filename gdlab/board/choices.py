"""What the live bench offers for a problem: the optimizers that fit its loss, and their sliders."""

import math
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from gdlab.bench.entrants import Entrant
from gdlab.bench.space import Interval
from gdlab.board.asks import MOST_STEPS, Ask, optimizer_named, optimizer_names
from gdlab.config.settings import LR, Settings
from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, Field, find_field, flatten
from gdlab.fields.validation import Range, union_members
from gdlab.runs.checks import check_run

_REACH = 100.0  # a slider without limits goes from a value over this to the value times this
_TINY = 1e-2  # from here on down, numbers differ by factors
_USUAL_LR = Interval(1e-5, 10.0, "log")


def choices(problem: Settings) -> dict[str, Any]:
    """Return the optimizers and the fields of the loss, each with where its slider goes.

    Args:
        problem: settings with the loss and its transform.
    """
    return {
        "optimizers": [_optimizer(each) for each in fitting(problem)],
        "loss": [each for each in fields_of(problem.loss) if _is_slider(each)],
        "most_steps": MOST_STEPS,
    }


def fitting(problem: Settings) -> Iterator[Entrant]:
    """Yield the optimizers of conf that can minimize a loss, in alphabetical order."""
    for name in optimizer_names():
        try:
            check_run(Ask(name, steps=1).settings(problem))
        except SettingError:  # it needs what this loss lacks, such as residuals
            continue
        yield optimizer_named(name)


def _is_slider(field: Mapping[str, Any]) -> bool:
    """Tell whether a field takes any number; another whole one may be another dimension."""
    return field["scale"] != "choice" and not field.get("whole")


def _optimizer(entrant: Entrant) -> dict[str, Any]:
    searched = entrant.space.intervals.get((LR, None), _USUAL_LR)
    return {
        "name": entrant.name,
        "lr": {"low": searched.low, "high": searched.high, "value": entrant.lr},
        "fields": list(fields_of(entrant.optimizer, entrant)),
    }


def fields_of(owner: Configured, entrant: Entrant | None = None) -> Iterator[dict[str, Any]]:
    """Yield the fields that can be set, each with its value and where its slider goes.

    What is tuned comes first. A list of numbers has a field for each, as `betas.0`.

    Args:
        owner: the loss or the optimizer.
        entrant: of the optimizer.
    """
    found = [field for key, value in flatten(owner).items() for field in _fields(owner, key, value)]
    tuned = {} if entrant is None else _tuned(entrant)
    for field in found:
        interval = tuned.get(field["name"])
        field["tuned"] = interval is not None
        if interval is not None:
            scale = "log" if interval.scale == "log" else "linear"
            field |= {"low": interval.low, "high": interval.high, "scale": scale}
    yield from sorted(found, key=lambda field: not field["tuned"])


def _tuned(entrant: Entrant) -> dict[str, Interval]:
    """Return what a comparison tunes, by the names of fields."""
    searched = entrant.space.intervals.items()
    names = {key: key[0].removeprefix("optimizer.") for key, _ in searched}
    return {
        names[key] if key[1] is None else f"{names[key]}.{key[1]}": interval
        for key, interval in searched
    }


def _fields(owner: Configured, name: str, value: Any) -> Iterator[dict[str, Any]]:
    """Yield what the page is told of a field; nothing of one that it cannot set."""
    declared = find_field(owner, name)
    if declared is None:
        return
    words = _words(declared)
    if words:
        yield {"name": name, "value": value, "scale": "choice", "values": words}
    elif isinstance(value, tuple) and declared.numeric:
        for position, number in enumerate(value):
            yield _slider(f"{name}.{position}", number, declared.range)
    elif isinstance(value, (int, float)):
        yield _slider(name, value, declared.range)


def _words(declared: Field) -> list[Any]:
    """Return the values of a field that has few; none for one that holds numbers."""
    kinds = union_members(declared.hint)
    if bool in kinds:
        return [False, True]
    literals = (kind for kind in kinds if typing.get_origin(kind) is Literal)
    return [value for kind in literals for value in typing.get_args(kind)]


def _slider(name: str, value: float, allowed: Range) -> dict[str, Any]:
    """Return a slider for a number: its whole range, or as much of it as is near."""
    least = next((v for v in (allowed.gt, allowed.ge) if v is not None), -math.inf)
    most = next((v for v in (allowed.lt, allowed.le) if v is not None), math.inf)
    field: dict[str, Any] = {"name": name, "value": value}
    if isinstance(value, int):
        field["whole"] = True
    if least > -math.inf and most <= 1 and not 0 < value < _TINY:
        edge = 1e-3 * (most - least)  # the limits themselves may be refused
        low = least if allowed.ge is not None else least + edge
        high = most if allowed.le is not None else most - edge
        return field | {"low": min(low, value), "high": max(high, value), "scale": "linear"}
    if least >= 0 and value > 0:
        low, high = max(least, value / _REACH), min(most, value * _REACH)
        return field | {"low": low, "high": high, "scale": "log"}
    reach = max(1.0, 2 * abs(value))
    low, high = max(least, value - reach), min(most, value + reach)
    return field | {"low": low, "high": high, "scale": "linear"}
