"""Classes that a person names: found, checked to be of the kind that is expected, and made."""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from gdlab.errors import SettingError

Kind = TypeVar("Kind")


def import_class(key: str, target: Any, base: type[Kind], base_name: str) -> type[Kind]:
    """The class of a dotted name, checked to be a subclass of its base class.

    Args:
        key: the setting, for errors.
        target: the dotted name.
        base: the base class.
        base_name: its public name, for errors.

    Raises:
        SettingError: there is no such class.
    """
    module_name, _, class_name = str(target).rpartition(".")
    expected = f"must be the dotted name of a subclass of {base_name}"
    if not module_name:
        raise SettingError(f"{key}={target}: {expected}, such as my_module.MyClass")
    try:
        what = getattr(importlib.import_module(module_name), class_name, None)
    except (Exception, SystemExit) as error:  # a person's own module may raise anything
        why = f"{type(error).__name__}: {error}"
        raise SettingError(f"{key}={target}: cannot import {module_name} ({why})") from error
    if what is None:
        raise SettingError(f"{key}={target}: {module_name} has no {class_name}")
    if not (isinstance(what, type) and issubclass(what, base)):
        raise SettingError(f"{key}={target}: {expected}")
    return what


def instantiate(
    key: str, values: Mapping[str, Any], base: type[Kind], base_name: str, seed: int = 0
) -> Kind:
    """An instance of the class that `_target_` names, from the other values.

    Args:
        key: the setting, for errors.
        values: `_target_`, and what the class is called with.
        base: what the class must be a subclass of.
        base_name: its public name, for errors.
        seed: of torch's generator while the class is called.

    Raises:
        SettingError: there is no such class, or it cannot be called so.
    """
    if "_target_" not in values:
        raise SettingError(f"{key}._target_: must name a subclass of {base_name}")
    target = values["_target_"]
    cls = import_class(f"{key}._target_", target, base, base_name)
    arguments = {name: value for name, value in values.items() if name != "_target_"}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(**arguments)
    except (Exception, SystemExit) as error:  # a person's own class may raise anything
        why = f"cannot be made ({summarize_error(error)})"
        raise SettingError(f"{key}._target_={target}: {why}") from error


@contextmanager
def errors_as(setting: str) -> Iterator[None]:
    """Whatever a class of a person's own raises is an error of the setting that names it.

    Args:
        setting: with its value, as loss=Mine.

    Raises:
        SettingError: anything was raised.
    """
    try:
        yield
    except SettingError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise SettingError(f"{setting}: cannot be used ({why})") from error


def summarize_error(error: BaseException) -> str:
    """An exception in one line: its kind, and the first line of what it says."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}".removesuffix(": ")
