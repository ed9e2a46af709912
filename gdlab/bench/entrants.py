"""The optimizers that a comparison enters: each with its default settings and its search space."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gdlab.bench.space import Space
from gdlab.config.choice_files import compose_file
from gdlab.config.loading import choice_from_values, resolve_choice
from gdlab.config.overrides import names_class
from gdlab.config.settings import LR, SPACE, Settings
from gdlab.errors import SettingError
from gdlab.fields.declared import declared_fields, find_field
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import choices_of
from gdlab.fields.unknown_choices import unknown_choice
from gdlab.optimizers.base import Optimizer
from gdlab.paths import CONF

_GROUP, _TARGET = "optimizer", "_target_"
_USUAL = {LR: {"log": [1e-5, 10.0]}}
"""The search space of an optimizer that declares none."""


@dataclass(frozen=True)
class Entrant:
    """An optimizer in a comparison.

    Attributes:
        name: what tables call it.
        optimizer: with its default settings.
        space: what is tuned, and where.
        lr: the default learning rate.
        typed: what the setting `optimizer` is on the command line; None if only Python has it.
    """

    name: str
    optimizer: Optimizer
    space: Space
    lr: float
    typed: str | None

    def check_space(self) -> None:
        """Check that the space names settings of the optimizer, within their ranges.

        Raises:
            SettingError: it does not.
        """
        corners = np.array([[0.0], [1.0]]).repeat(len(self.space.intervals), 1)
        for column in self.space.at(corners).items():
            self._check(*column)

    def _check(self, key: str, values: np.ndarray) -> None:
        name = key.removeprefix("optimizer.")
        field = declared_fields(Settings)[LR] if key == LR else find_field(self.optimizer, name)
        where = f"optimizer={self.name}: space.{name}"
        if field is None or not (key == LR or field.numeric):
            raise SettingError(f"{where}: is no number of {type(self.optimizer).__name__}")
        for value in values.tolist():
            field.check(where, tuple(value) if isinstance(value, list) else value)

    def defaults(self) -> dict[str, Any]:
        """Return the default values of what is tuned: numbers, or tuples of numbers."""
        return {key: self._default(key) for key in self.space.settings}

    def _default(self, key: str) -> Any:
        if key == LR:
            return self.lr
        return functools.reduce(getattr, key.split(".")[1:], self.optimizer)


def entrants_of(given: Any, folders: Iterable[Path] = ()) -> tuple[Entrant, ...]:
    """Return the optimizers of a comparison.

    Args:
        given: names from conf/optimizer, classes of one's own, optimizers or classes; one, several
            in a list, or several by the names that tables are to use.
        folders: further folders like conf, which come first.

    Raises:
        SettingError: one is unknown or wrong, or two have the same name.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        given = [given]
    named = given.items() if isinstance(given, Mapping) else ((None, each) for each in given)
    entrants = tuple(_entrant(name, each, [*folders, CONF]) for name, each in named)
    names = [entrant.name for entrant in entrants]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SettingError(f"optimizers={twice}: is given twice; in Python a mapping names them")
    if not entrants:
        raise SettingError("optimizers: must be one or more names from conf/optimizer")
    return entrants


def _entrant(name: str | None, given: Any, folders: Sequence[Path]) -> Entrant:
    """Return one optimizer, under a name or, without one, what it is called itself."""
    if not (name is None or (isinstance(name, str) and name)):
        must = "the names that a mapping gives must be texts"
        raise SettingError(f"optimizers={format_value(name)}: {must}")
    typed = given if isinstance(given, str) else None
    files = (folder / _GROUP / f"{typed}.yaml" for folder in folders)
    path = next((path for path in files if path.is_file()), None)
    if typed is not None and path is None and not names_class(typed):
        raise unknown_choice(_GROUP, typed, choices_of(_GROUP), setting="optimizers")
    values = {} if path is None else compose_file(path)
    made = choice_from_values(_GROUP, values, "") if path else resolve_choice(_GROUP, given)
    assert isinstance(made, Optimizer)
    name = name or typed or made.shown_name
    space = values.get(SPACE) or made.space or _nearest_space(made) or _USUAL
    return Entrant(name, made, Space.of(name, space), float(values.get(LR, made.default_lr)), typed)


def _nearest_space(optimizer: Optimizer) -> Any:
    """Return the space of the choice in conf that an optimizer differs from least, if any."""
    spaces = []
    for choice in choices_of(_GROUP):
        values = compose_file(CONF / _GROUP / f"{choice}.yaml")
        if values[_TARGET] == f"gdlab.optimizers.{type(optimizer).__name__}":
            other = choice_from_values(_GROUP, values, "").settings()
            own = optimizer.settings()
            spaces.append((sum(own[key] != other[key] for key in own), values.get(SPACE)))
    return min(spaces, key=lambda pair: pair[0])[1] if spaces else None
