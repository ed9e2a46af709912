"""Import and instantiate classes named in settings, after checking their base class."""

import importlib
import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch

from gdlab.errors import (
    CUSTOM_ERRORS,
    SettingError,
    is_out_of_memory,
    summarize_error,
    where_raised,
)
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import did_you_mean

Kind = TypeVar("Kind")


def import_class(key: str, target: Any, base: type[Kind], base_name: str) -> type[Kind]:
    """Import the class with a dotted name, and check that it is a subclass of `base`.

    Args:
        key: the setting, for errors.
        target: the dotted name; in Python also the class itself.
        base: the base class.
        base_name: its public name, for errors.

    Raises:
        SettingError: the class does not exist or has another base class.
    """
    expected = f"must be the dotted name of a subclass of {base_name}"
    if isinstance(target, type) and issubclass(target, base):
        return target
    module_name, _, class_name = str(target).rpartition(".")
    if not module_name:
        raise SettingError(f"{key}={target}: {expected}, such as my_module.MyClass")
    try:
        module = importlib.import_module(module_name)
    except CUSTOM_ERRORS as error:
        why = f"{type(error).__name__}: {error}"
        is_absent = isinstance(error, ModuleNotFoundError) and error.name == module_name
        hint = did_you_mean(module_name, _modules_here()) if is_absent else ""
        raise SettingError(f"{key}={target}: cannot import {module_name} ({why}){hint}") from error
    cls = getattr(module, class_name, None)
    if cls is None:
        classes = [
            n for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, base)
        ]
        hint = did_you_mean(class_name, classes)
        raise SettingError(f"{key}={target}: {module_name} has no {class_name}{hint}")
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise SettingError(f"{key}={target}: {_way_of_network(key, cls, target) or expected}")
    return cls


def _way_of_network(key: str, found: Any, target: Any) -> str:
    """Return how a network is named where a loss was wanted; empty for anything else."""
    is_network = isinstance(found, type) and issubclass(found, torch.nn.Module)
    way = f"a network is loss=module loss.module._target_={target}"
    return way if is_network and key.partition(".")[0] == "loss" else ""


def _modules_here() -> list[str]:
    """Return the names of the modules in the working directory."""
    return sorted(path.stem for path in Path.cwd().glob("*.py"))


def instantiate(
    key: str, values: Mapping[str, Any], base: type[Kind], base_name: str, seed: int = 0
) -> Kind:
    """Instantiate the class named by `_target_` with the other values as arguments.

    Args:
        key: the setting, for errors.
        values: `_target_` and the keyword arguments.
        base: the required base class.
        base_name: its public name, for errors.
        seed: of torch's generator during the call.

    Raises:
        SettingError: the class does not exist, or cannot be instantiated with these arguments.
    """
    if "_target_" not in values:
        raise SettingError(f"{key}._target_: must name a subclass of {base_name}")
    target = values["_target_"]
    cls = import_class(f"{key}._target_", target, base, base_name)
    arguments = {name: value for name, value in values.items() if name != "_target_"}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(**with_tensors(cls, arguments))
    except CUSTOM_ERRORS as error:
        why = f"cannot be instantiated ({summarize_error(error)})"
        why += "; give an instance of it" if isinstance(target, type) else ""
        raise SettingError(f"{key}._target_={format_value(target)}: {why}") from error


def with_tensors(called: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of which numbers and lists are tensors of float64 where a tensor is taken.

    Args:
        called: the class or the function that takes them; its annotations say what it takes.
        arguments: as configurations have them, by name.
    """
    try:
        parameters = inspect.signature(called).parameters
    except (TypeError, ValueError):
        return dict(arguments)
    of_tensors = {name for name, each in parameters.items() if "Tensor" in str(each.annotation)}
    return {
        name: _as_tensor(value) if name in of_tensors else value
        for name, value in arguments.items()
    }


def _as_tensor(value: Any) -> Any:
    """Return a number or a list of numbers as a tensor, anything else as it is."""
    if not isinstance(value, (int, float, list, tuple)):
        return value
    try:
        return torch.tensor(value, dtype=torch.float64)
    except (TypeError, ValueError):  # a list of something else, or of lists of several lengths
        return value


@contextmanager
def errors_as(setting: str) -> Iterator[None]:
    """Turn any exception of a custom class into an error of the setting that names it.

    Args:
        setting: with its value, as loss=Mine.

    Raises:
        SettingError: the block raised an exception.
    """
    try:
        yield
    except SettingError:
        raise
    except CUSTOM_ERRORS as error:
        if is_out_of_memory(error):
            raise
        why = f"{type(error).__name__}: {error}"
        where = f"{_failed_property(error)}{where_raised(error)}"
        raise SettingError(f"{setting}: cannot be used ({why}){where}") from error


@contextmanager
def property_errors_as(setting: str) -> Iterator[None]:
    """Do what `errors_as` does, only for an exception of a property, as of float(a column).

    Raises:
        SettingError: a property of a custom class raised an exception in the block.
    """
    try:
        yield
    except CUSTOM_ERRORS as error:
        if not _failed_property(error):
            raise
        with errors_as(setting):
            raise


def _failed_property(error: BaseException) -> str:
    """Return "; raised by its property CLASS.NAME" where a property of a custom class raised."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        cls, name = type(frame.f_locals.get("self")), frame.f_code.co_name
        found = inspect.getattr_static(cls, name, None)
        get = getattr(found, "fget", getattr(found, "func", None))
        is_own = not str(frame.f_globals.get("__name__")).startswith("gdlab.")
        if is_own and getattr(get, "__code__", None) is frame.f_code:
            return f"; raised by its property {cls.__name__}.{name}"
    return ""
