"""The texts that a run or a sweep leaves, its composed configuration first, as plain values."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from gdlab.errors import RecordError, first_line
from gdlab.recording.digests import VerifiedFiles

_SELECTED = re.compile(r"\$\{oc\.select:(\w+)\.(\w+),([\w.+-]*)\}", re.ASCII)
_SECTION = re.compile(r"^(?=\w+:)", re.MULTILINE | re.ASCII)


def parse_yaml(text: str) -> Any:
    """Parse YAML without aliases, a few of which can stand for billions of values.

    Raises:
        ValueError: it holds an alias.
        yaml.YAMLError: it is no YAML.
    """
    import yaml

    may_hold = "*" in text
    if may_hold and any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
        raise ValueError("it holds an alias")
    return yaml.safe_load(text)


def parse_many(text: str) -> dict[str, Any]:
    """Parse a configuration section by section, each distinct one once; not to be changed.

    The runs of a sweep differ in a few lines: those of 1,000 runs then take 0.1 s instead of 6 s.

    Raises:
        ValueError: it holds an alias or no settings.
        yaml.YAMLError: it is no YAML.
    """
    import yaml

    try:
        parts = [_parse_section(part) for part in _SECTION.split(text) if part.strip()]
    except yaml.YAMLError:  # a line of a longer text looked like the start of a section
        parts = [parse_yaml(text)]
    if not all(isinstance(part, dict) for part in parts):
        raise ValueError("it holds no settings")
    return resolve({key: value for part in parts for key, value in part.items()})


@lru_cache(maxsize=4096)
def _parse_section(text: str) -> Any:
    return parse_yaml(text)


def resolve(config: Mapping[str, Any]) -> dict[str, Any]:
    """Replace interpolations at the top level, such as that of lr, by their values.

    Only the form `${oc.select:setting,default}` is supported.
    """
    import yaml

    resolved = dict(config)
    for key, value in config.items():
        match = _SELECTED.fullmatch(value) if isinstance(value, str) else None
        if match is not None:
            section, name, default = match.groups()
            owner = config.get(section)
            selected = owner.get(name) if isinstance(owner, dict) else None
            resolved[key] = yaml.safe_load(default) if selected is None else selected
    return resolved


def read_config(files: VerifiedFiles, pattern: str) -> dict[str, Any]:
    """Read the configuration; a run that Hydra was told to keep none of has an empty one."""
    names = files.find(pattern)
    return resolve(read_mapping(files, names[0], parse_yaml)) if names else {}


def read_mapping(files: VerifiedFiles, name: str, parse: Callable[[str], Any]) -> dict[str, Any]:
    """Read a JSON or YAML file that contains a mapping."""
    import yaml

    path = files.path(name)
    try:
        values = parse(files.read_text(name))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise RecordError(f"{path}: missing or damaged ({first_line(error)})") from error
    if not isinstance(values, dict):
        raise RecordError(f"{path}: missing or damaged (it holds no settings)")
    return values
