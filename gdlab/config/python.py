"""What Python gives for a setting: instances, classes, and fields by their own names."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch

from gdlab.config.settings import NODES
from gdlab.config.ways import is_a, way_for
from gdlab.errors import CUSTOM_ERRORS, SettingError, describe_error
from gdlab.fields.construction import undeclared
from gdlab.fields.declared import Configured, declared_fields
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import nearest, unknown_setting
from gdlab.losses import Module
from gdlab.losses.base import Loss
from gdlab.losses.function import Function
from gdlab.optimizers.base import Optimizer
from gdlab.optimizers.torch_optim import Torch

GROUP_OF_NETWORKS = "loss"
_LONGEST_LIST = 20


def _inside_sections() -> list[str]:
    """Return the names of the settings in sections, as stop.grad_tol."""
    return [f"{node}.{key}" for node, section in NODES.items() for key in declared_fields(section)]


def instance_of(group: str, base: type[Configured], given: Any) -> Configured:
    """Return the loss, optimizer or schedule that an object other than a name stands for.

    Args:
        group: "loss", "optimizer" or "schedule".
        base: the class of what is chosen from the group.
        given: an instance or a subclass of it; for an optimizer also a subclass of
            `torch.optim.Optimizer`; for a loss also a function of one point.

    Raises:
        SettingError: it stands for none; the error says what does.
    """
    if isinstance(given, base):
        return given
    if isinstance(given, type):
        if issubclass(given, base):
            return _make(group, given)
        if base is Optimizer and issubclass(given, torch.optim.Optimizer):
            return Torch(cls=f"{given.__module__}.{given.__qualname__}")
    if base is Loss and callable(given) and not isinstance(given, (type, torch.nn.Module)):
        function: Any = given
        return Function(function)
    way = way_for(base, given)
    must = f"must be a name or an instance of {base.__name__}"
    raise SettingError(f"{group}={_describe(given)}: {must}{'; ' if way else ''}{way}")


def network_of(group: str, given: Any) -> Configured | None:
    """Return the loss of a `torch.nn.Module` or of its class, on data that are yet to be set.

    None stands for anything else. Nothing is checked: the loss has its defaults, and is created
    anew with its data.
    """
    if group != GROUP_OF_NETWORKS or not is_a(given, torch.nn.Module):
        return None
    unfinished = object.__new__(Module)
    module = {"_target_": given} if isinstance(given, type) else given
    unfinished.__dict__["module"] = module
    return unfinished


def _make(group: str, cls: type[Configured]) -> Configured:
    """Return an instance of a class with the defaults of its settings."""
    try:
        return cls()
    except CUSTOM_ERRORS as error:
        why = f"cannot be made without arguments ({describe_error(error)})"
        raise SettingError(f"{group}={cls.__name__}: {why}; give an instance of it") from error


def _describe(given: Any) -> str:
    """Describe an object in a word or two: a table or a network would fill a page."""
    if given is None or isinstance(given, (bool, int, float)):
        return format_value(given)
    return given.__name__ if isinstance(given, type) else type(given).__name__


class FullNames:
    """The full names of settings: `momentum` is `optimizer.momentum` where sgd is chosen.

    Args:
        top: names of settings that belong to no loss, optimizer or schedule; they have precedence.
        choose: returns the losses, optimizers and schedules that are chosen, by their groups. It is
            called only for a short name, since a loss may read a file.
    """

    def __init__(
        self, top: Collection[str], choose: Callable[[], Mapping[str, Sequence[Configured]]]
    ) -> None:
        self._top, self._choose = top, choose

    @cached_property
    def _owned(self) -> dict[str, list[str]]:
        """The full names that each name of a setting of the chosen ones can mean."""
        owned: dict[str, list[str]] = {}
        for group, owners in self._choose().items():
            for owner in owners:
                for name, full in owner.short_names().items():
                    meanings = owned.setdefault(name, [])
                    meanings += [each for each in [f"{group}.{full}"] if each not in meanings]
        return owned

    def of(self, name: str, shown: str = "…") -> str:
        """Return the full name of a setting; one with a dot is full already.

        Args:
            name: as given.
            shown: the value it is given, for errors.

        Raises:
            SettingError: no setting has the name, or several that are chosen do.
        """
        if "." in name or name in self._top:
            return name
        found = self._owned.get(name, [])
        if not found:
            for group, owners in self._choose().items():
                for way in filter(None, (undeclared(type(owner), name) for owner in owners)):
                    raise SettingError(f"{group}.{name}={shown}: no such setting{way}")
            known = [*self._top, *(each for several in self._owned.values() for each in several)]
            meant = nearest(name, [*known, *_inside_sections()])
            if meant.partition(".")[0] in NODES:
                way = f'did you mean {meant}, as **{{"{meant}": {shown}}}?'
                raise SettingError(f"{name}={shown}: no such setting, {way}")
            raise unknown_setting(name, shown, known)
        if len(found) > 1:
            ways = " or ".join(f'**{{"{each}": {shown}}}' for each in found)
            raise SettingError(f"{name}={shown}: can mean {' or '.join(found)}; give {ways}")
        return found[0]

    def spell_out(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return values by the full names of their settings.

        Raises:
            SettingError: as `of`, or a setting is given twice.
        """
        full: dict[str, Any] = {}
        for name, value in given.items():
            key = self.of(name, _short(value))
            if key in full:
                raise SettingError(f"{name}={_short(value)}: {key} is given twice")
            full[key] = value
        return full


def _short(value: Any) -> str:
    """Format a value for an error, in at most a few words."""
    is_list = isinstance(value, (list, tuple)) and len(value) <= _LONGEST_LIST
    is_list = is_list and not any(hasattr(item, "shape") for item in value)
    text = format_value(value) if is_list or isinstance(value, (str, int, float)) else ""
    return text if text and len(text) <= 40 else _describe(value)
