"""What a page may ask the live bench to compute: texts of a query, turned into checked settings.

Names stand for what gdlab has itself: optimizers of conf, and the fields that a class declares. No
text is imported or evaluated; a formula goes through the parser of formulas.
"""

import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, TypeVar

from torch import Tensor

from gdlab.bench.entrants import Entrant, entrants_of
from gdlab.config.choice_files import compose_file
from gdlab.config.settings import Settings
from gdlab.errors import SettingError
from gdlab.fields.construction import make
from gdlab.fields.custom_classes import import_class
from gdlab.fields.declared import (
    Configured,
    Field,
    declared_fields,
    find_field,
    flatten,
    nest_changes,
)
from gdlab.fields.suggestions import choices_of, unknown_setting
from gdlab.fields.unknown_choices import unknown_choice
from gdlab.fields.validation import union_members
from gdlab.optimizers.base import Optimizer
from gdlab.paths import CONF
from gdlab.schedules import Constant
from gdlab.viewer.problems import MOST_LIVE_DIMENSIONS

MOST_STEPS = 2000
_LONGEST_TEXT = 400  # characters of a value: a formula
_LONGEST_SHOWN = 40
_GROUPS = ("loss", "optimizer")
_OPEN = "???"  # stands for the name of a class
_FLAGS = {"true": True, "false": False}

Kind = TypeVar("Kind", bound=Configured)


@dataclass(frozen=True)
class Ask:
    """A run that a page asks for.

    Attributes:
        optimizer: its name in conf.
        lr: the learning rate; None for the default of the optimizer.
        steps: the most steps, at most 2,000.
        seed: of everything random.
        start: D numbers; None for the start of the loss.
        loss: texts of fields of the loss by their names.
        fields: texts of fields of the optimizer by their names.
    """

    optimizer: str = "sgd"
    lr: float | None = None
    steps: int = 1000
    seed: int = 0
    start: tuple[float, ...] | None = None
    loss: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Ask":
        """Read a query: optimizer, lr, steps, seed, start, and `loss.…` and `optimizer.…`.

        Raises:
            SettingError: a name is unknown, or a text is no number where one must be.
        """
        nested: dict[str, dict[str, str]] = {group: {} for group in _GROUPS}
        given: dict[str, Any] = {}
        for key, text in query.items():
            group, dot, name = key.partition(".")
            if dot and group in nested:
                nested[group][name] = text
            elif key in _READ:
                given[key] = _READ[key](key, text)
            else:
                raise unknown_setting(key[:_LONGEST_SHOWN], _short(text), [*_READ, *_GROUPS])
        return cls(**given, loss=nested["loss"], fields=nested["optimizer"])

    def settings(self, problem: Settings) -> Settings:
        """Return the settings of the run.

        Args:
            problem: settings with the loss and its transform.

        Raises:
            SettingError: a value is unknown, of the wrong type or out of range, or the run is
                larger than the live bench computes.
        """
        entrant = optimizer_named(self.optimizer)
        loss = changed("loss", problem.loss, self.loss)
        _check_size(loss.dim, problem.loss.dim, self.steps)
        values = {
            "loss": loss,
            "optimizer": changed("optimizer", entrant.optimizer, self.fields),
            "schedule": Constant(),
            "lr": entrant.lr if self.lr is None else self.lr,
            "steps": self.steps,
            "seed": self.seed,
            "start": self.start,
            "transform": problem.transform,
            "choices": {**problem.choices, "optimizer": self.optimizer, "schedule": "constant"},
        }
        return make("", Settings, values)


def _check_size(dim: int, expected: int, steps: int) -> None:
    """Refuse a run that would take long, before anything of its size is made.

    Raises:
        SettingError: it has too many steps or dimensions, or others than the plane it is shown in.
    """
    if steps > MOST_STEPS:
        raise SettingError(f"steps={steps}: must be at most {MOST_STEPS} on the live bench")
    if dim > MOST_LIVE_DIMENSIONS:
        what = f"must have at most {MOST_LIVE_DIMENSIONS} dimensions on the live bench, has {dim}"
        raise SettingError(f"loss: {what}")
    if dim != expected:
        raise SettingError(f"loss: must keep its {expected} dimensions, would have {dim}")


@cache
def optimizer_names() -> tuple[str, ...]:
    """Return the optimizers of conf, but for those that are made of the name of a class."""
    return tuple(name for name in choices_of("optimizer") if _is_whole(name))


@cache
def _is_whole(name: str) -> bool:
    """Tell whether a choice of conf says which optimizer it is; nothing is made of it yet."""
    target = compose_file(CONF / "optimizer" / f"{name}.yaml")["_target_"]
    if target == _OPEN:
        return False
    cls = import_class("optimizer", target, Optimizer, "a class of gdlab")
    return str not in [declared.hint for declared in declared_fields(cls).values()]


@cache
def optimizer_named(name: str) -> Entrant:
    """Return an optimizer of conf, with its defaults and what is tuned of it.

    Raises:
        SettingError: the live bench has none of this name.
    """
    if name not in choices_of("optimizer") or not _is_whole(name):
        raise unknown_choice("optimizer", _short(name), optimizer_names())
    return entrants_of(name)[0]


def changed(group: str, owner: Kind, texts: Mapping[str, str]) -> Kind:
    """Return a loss or an optimizer with some of its fields changed and checked.

    Args:
        group: "loss" or "optimizer", for errors.
        owner: it.
        texts: of the new values, by the names of fields; one of a list ends in its number, as
            `betas.0`.

    Raises:
        SettingError: there is no such field, it cannot be set here, or its value is wrong.
    """
    if not texts:
        return owner
    values: dict[str, Any] = {}
    for name, text in texts.items():
        key = f"{group}.{name[:_LONGEST_SHOWN]}"
        declared, position = _field_of(owner, name)
        if declared is None:
            raise unknown_setting(key, _short(text), [f"{group}.{n}" for n in flatten(owner)])
        if position is None:
            values[name] = value_of(key, text, declared, takes_formula=group == "loss")
        else:
            whole = name.rpartition(".")[0]
            items = list(values.get(whole, _get(owner, whole)))
            items[position] = _number(key, text)
            values[whole] = tuple(items)
    try:
        changes = nest_changes(owner, values)
    except SettingError as error:
        raise SettingError(f"{group}.{error}") from error
    return make(f"{group}.", type(owner), owner.settings() | changes)


def _field_of(owner: Configured, name: str) -> tuple[Field | None, int | None]:
    """Return the field of a name, and the position for one number of a list."""
    whole, _, last = name.rpartition(".")
    if whole and last.isdecimal() and find_field(owner, whole) is not None:
        items = _get(owner, whole)
        if isinstance(items, tuple) and int(last) < len(items):
            return find_field(owner, whole), int(last)
    return find_field(owner, name), None


def _get(owner: Configured, name: str) -> Any:
    for part in name.split("."):
        owner = getattr(owner, part)
    return owner


def value_of(key: str, text: str, declared: Field, *, takes_formula: bool = False) -> Any:
    """Return the value that a text stands for in a field.

    Args:
        key: the setting, for errors.
        text: as typed.
        declared: the field.
        takes_formula: whether a field that holds any text may be set.

    Raises:
        SettingError: it stands for none, or such a field cannot be set here.
    """
    if len(text) > _LONGEST_TEXT:
        raise SettingError(f"{key}={_short(text)}: must have at most {_LONGEST_TEXT} characters")
    kinds = union_members(declared.hint)
    if text == "null" and type(None) in kinds:
        return None
    if bool in kinds and text in _FLAGS:
        return _FLAGS[text]
    for kind in kinds:
        if typing.get_origin(kind) is Literal:
            same = (each for each in typing.get_args(kind) if str(each) == text)
            return next(same, text)
        if typing.get_origin(kind) is tuple and declared.numeric and "," in text:
            return tuple(_number(key, part) for part in text.strip("[]").split(","))
    if any(kind in (float, int, Tensor) for kind in kinds):
        return _number(key, text)
    if bool in kinds:
        raise SettingError(f"{key}={_short(text)}: must be true or false")
    if str in kinds and takes_formula:
        return text
    raise SettingError(f"{key}={_short(text)}: cannot be set on the live bench")


def _number(key: str, text: str) -> float | int:
    """Read a finite number.

    Raises:
        SettingError: it is none.
    """
    try:
        number = float(text) if len(text) <= _LONGEST_SHOWN else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SettingError(f"{key}={_short(text)}: must be a finite number")
    return int(text) if text.lstrip("+-").isdecimal() and text.isascii() else number


def _whole(key: str, text: str) -> int:
    """Read a whole number.

    Raises:
        SettingError: it is none.
    """
    number = _number(key, text)
    if number != int(number):
        raise SettingError(f"{key}={_short(text)}: must be a whole number")
    return int(number)


def _point(key: str, text: str) -> tuple[float, ...]:
    """Read the coordinates of a point, with commas between."""
    parts = text.split(",", MOST_LIVE_DIMENSIONS)
    if len(parts) > MOST_LIVE_DIMENSIONS:
        raise SettingError(f"{key}={_short(text)}: must be at most {MOST_LIVE_DIMENSIONS} numbers")
    return tuple(float(_number(key, part)) for part in parts)


_READ = {
    "optimizer": lambda key, text: text,
    "lr": _number,
    "steps": _whole,
    "seed": _whole,
    "start": _point,
}
"""How the texts of a query are read."""


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
