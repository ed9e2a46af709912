"""The settings of a run from Python, as a file like the one that a command leaves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gdlab.config.settings import GROUPS, Settings
from gdlab.fields.declared import Configured
from gdlab.recording.files import write_atomically
from gdlab.recording.names import HYDRA

_PLAIN = (bool, int, float, str, type(None))
_FILE = ".hydra/config.yaml"


def write_settings(directory: Path, settings: Settings) -> None:
    """Write the settings of a run by name; what is no plain value, such as a function, is left out.

    The names of the choices are in a second file, where Hydra has them for a command.

    Args:
        directory: of the run.
        settings: its settings.
    """
    import yaml

    values = _node(settings)
    del values["choices"]
    path = directory / _FILE
    path.parent.mkdir()
    write_atomically(path, yaml.safe_dump(values, sort_keys=False).encode())
    choices = {group: settings.name(group) for group in GROUPS}
    about = {"hydra": {"runtime": {"choices": choices}}}
    write_atomically(path.with_name(HYDRA), yaml.safe_dump(about).encode())


def _node(owner: Configured) -> dict[str, Any]:
    """Return the class of a loss, an optimizer or a schedule, and the settings that are plain."""
    cls = type(owner)
    is_chosen = isinstance(owner, tuple(GROUPS.values()))
    target = {"_target_": f"{cls.__module__}.{cls.__qualname__}"} if is_chosen else {}
    plain = {name: _plain(value) for name, value in owner.settings().items()}
    return target | {name: value for name, value in plain.items() if value is not _LEFT_OUT}


_LEFT_OUT = object()


def _plain(value: Any) -> Any:
    """Return a value as YAML can hold it, or `_LEFT_OUT`."""
    if isinstance(value, Configured):
        return _node(value)
    if isinstance(value, Mapping):
        items = {str(key): _plain(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not _LEFT_OUT}
    if isinstance(value, (tuple, list)):
        items = [_plain(item) for item in value]
        return _LEFT_OUT if _LEFT_OUT in items else items
    return value if type(value) in _PLAIN else _LEFT_OUT
