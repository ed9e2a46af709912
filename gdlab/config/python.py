"""What Python gives for a setting: instances, classes, and fields by their own names."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch

from gdlab.errors import CUSTOM_ERRORS, SettingError, describe_error
from gdlab.fields.declared import Configured, declared_fields
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import unknown_setting
from gdlab.losses.base import Loss
from gdlab.losses.function import Function
from gdlab.optimizers.base import Optimizer
from gdlab.optimizers.torch_optim import Torch


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
    raise SettingError(
        f"{group}={_describe(given)}: {_explain(base, given)}"
        f"must be a name or an instance of {base.__name__}"
    )


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


def _explain(base: type[Configured], given: Any) -> str:
    """Say how what was given can be used, if it can."""
    name = _describe(given)
    if base is Optimizer and isinstance(given, torch.optim.Optimizer):
        return f"it steps its own parameters, give its class, {name}; "
    if base is Loss and isinstance(given, torch.nn.Module):
        return f"a network needs data, as in gdlab.losses.Module(module={name.lower()}, data=…); "
    if base is Loss and (isinstance(given, (Sequence, Mapping)) or hasattr(given, "shape")):
        return "data need a model, as in gdlab.losses.MSE(data=…); "
    return ""


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
            for name in dict.fromkeys(n for owner in owners for n in declared_fields(type(owner))):
                owned.setdefault(name, []).append(f"{group}.{name}")
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
            owned = (each for several in self._owned.values() for each in several)
            raise unknown_setting(name, shown, [*self._top, *owned])
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
    text = format_value(value) if isinstance(value, (str, int, float, list, tuple)) else ""
    return text if text and len(text) <= 40 else _describe(value)
