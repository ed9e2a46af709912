"""The settings of a run from Python, as a file like the one that a command leaves."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from gdlab.config.settings import GROUPS, Settings
from gdlab.fields.declared import Configured
from gdlab.fields.remembered import remembered
from gdlab.recording.files import write_atomically
from gdlab.recording.names import HYDRA

_PLAIN = (bool, int, float, str, type(None))
_FILE = ".hydra/config.yaml"


def write_settings(directory: Path, settings: Settings, *, durable: bool = True) -> None:
    """Write the settings of a run by name; what is no plain value, such as a function, is left out.

    The names of the choices are in a second file, where Hydra has them for a command.

    Args:
        directory: of the run.
        settings: its settings.
        durable: whether to fsync.
    """
    path = directory / _FILE
    path.parent.mkdir()
    values = settings.settings()
    del values["choices"]
    entries = (_entry(key, value) for key, value in values.items())
    write_atomically(path, "".join(entries).encode(), durable=durable)
    choices = {group: settings.name(group) for group in GROUPS}
    about = _dump(_Section("hydra", {"runtime": {"choices": choices}}))
    write_atomically(path.with_name(HYDRA), about.encode(), durable=durable)


def _entry(key: str, value: Any) -> str:
    """Return a setting, or a part of the settings, by its name; nothing for what is not plain."""
    if isinstance(value, Configured):
        return _part(value, key)
    plain = _plain(value)
    return "" if plain is _LEFT_OUT else _dump(_Section(key, plain))


@remembered
def _part(owner: Configured, key: str) -> str:
    """Return a part of the settings, which the runs of a sweep may share."""
    return _dump(_Section(key, _node(owner)))


class _Section:
    """An entry of a configuration; two are equal if they are written alike."""

    def __init__(self, key: str, value: Any) -> None:
        self.node = {key: value}
        self._text = repr(self.node)

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Section) and self._text == other._text


@lru_cache(maxsize=1024)  # the runs of a sweep differ in a few of them
def _dump(section: _Section) -> str:
    import yaml

    return yaml.safe_dump(section.node, sort_keys=False)


def _node(owner: Configured) -> dict[str, Any]:
    """Return the class of a loss, an optimizer or a schedule, and the settings that are plain."""
    cls = type(owner)
    is_chosen = isinstance(owner, tuple(GROUPS.values()))
    target = {"_target_": f"{cls.__module__}.{cls.__qualname__}"} if is_chosen else {}
    plain = {name: _plain(value) for name, value in owner.settings().items()}
    return target | {name: value for name, value in plain.items() if value is not _LEFT_OUT}


_LEFT_OUT = object()


def _plain(value: Any) -> Any:
    """Return a value as YAML can hold it, a class by its dotted name; or `_LEFT_OUT`."""
    if isinstance(value, Configured):
        return _node(value)
    if isinstance(value, Mapping):
        items = {str(key): _plain(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not _LEFT_OUT}
    if isinstance(value, (tuple, list)):
        items = [_plain(item) for item in value]
        return _LEFT_OUT if _LEFT_OUT in items else items
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    return value if type(value) in _PLAIN else _LEFT_OUT
