"""The files of the choices in conf, as Python reads them."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from gdlab.config.settings import GROUPS, SPACE
from gdlab.fields.custom_classes import import_class
from gdlab.fields.declared import Configured
from gdlab.paths import CONF

_TARGET, _OPEN = "_target_", "???"


def compose_file(path: Path) -> dict[str, Any]:
    """Return the values of a file in conf, with the files in its defaults list included."""
    values: Any = OmegaConf.to_container(OmegaConf.load(path))
    for entry in values.pop("defaults", []):
        for key, name in entry.items():
            group, _, field = key.lstrip("/").partition("@")
            values[field] = compose_file(CONF / group / f"{name}.yaml")
    return values


def default_values(group: str, name: str) -> dict[str, Any]:
    """Return the settings of a choice in its file, by dotted names; none where it has no file."""
    path = CONF / group / f"{name}.yaml"
    values = compose_file(path) if path.is_file() else {}
    return {f"{group}.{key}": value for key, value in values.items() if key not in (_TARGET, SPACE)}


def open_choice(group: str, given: Any) -> Configured | None:
    """Return a choice whose file names its class, but not that of one of its settings.

    None stands for anything else. Nothing is checked: it is created anew with that setting.
    """
    path = CONF / group / f"{given}.yaml"
    if not isinstance(given, str) or not path.is_file():
        return None
    fields = compose_file(path)
    target = fields.pop(_TARGET)
    if not any(isinstance(each, dict) and each.get(_TARGET) == _OPEN for each in fields.values()):
        return None
    unfinished = object.__new__(import_class(group, target, GROUPS[group], "a class of gdlab"))
    unfinished.__dict__.update(fields)
    return unfinished
