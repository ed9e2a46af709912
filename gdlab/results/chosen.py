"""The names by which the loss, the optimizer and the schedule of a recorded run were chosen."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from gdlab.config.choice_files import compose_file
from gdlab.config.settings import GROUPS
from gdlab.errors import RecordError
from gdlab.fields.suggestions import choices_of
from gdlab.paths import CONF
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.names import CONFIG, HYDRA

_TARGET = "_target_"
_CHOICES = re.compile(r"^  *choices:\n((?: +[\w/]+: .*\n)+)", re.MULTILINE)
_CHOICE = re.compile(r" +(\w+): ([\w/.<>]+)")
_CUSTOM = "custom"  # stands for a class that was named instead


def recorded_choices(files: VerifiedFiles, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the chosen names, by group; a group whose name is not known has none.

    They are in the file that Hydra leaves beside the configuration. Where there is none, as in
    older runs, the class and the fields tell.

    Args:
        files: of the run.
        config: its composed configuration.

    Raises:
        RecordError: the file is damaged.
    """
    written = _written_choices(files)
    names = {group: written.get(group) or choice_like(group, config.get(group)) for group in GROUPS}
    return {group: name for group, name in names.items() if name not in ("", _CUSTOM)}


def _written_choices(files: VerifiedFiles) -> dict[str, str]:
    """Return the choices in Hydra's file; only these lines are parsed, the others are many."""
    names = [str(PurePosixPath(name).with_name(HYDRA)) for name in files.find(CONFIG)]
    for name in names[:1]:
        if name in files:
            try:
                found = _CHOICES.search(files.read_text(name))
            except UnicodeDecodeError as error:
                raise RecordError(f"{files.path(name)}: missing or damaged ({error})") from error
            lines = found[1].splitlines() if found else []
            return {m[1]: m[2] for line in lines if (m := _CHOICE.fullmatch(line))}
    return {}


def choice_like(group: str, node: Any) -> str:
    """Return the choice in conf that has the class and the fields of a node; "" if there is none.

    Where a single choice has the class, its fields may differ.

    Args:
        group: "loss", "optimizer" or "schedule".
        node: a part of a composed configuration.
    """
    if not isinstance(node, dict):
        return ""
    line = f"{_TARGET}: {node.get(_TARGET)}"
    names = sorted(choices_of(group), key=lambda name: name.count("/"))  # not mgh/… if both fit
    paths = {name: CONF / group / f"{name}.yaml" for name in names}
    same = [name for name, path in paths.items() if line in path.read_text("utf-8").splitlines()]
    fitting = (name for name in same if len(same) == 1 or _has(node, compose_file(paths[name])))
    return next(fitting, "")


def _has(node: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Tell whether a node has the values of a choice, where it has them at all."""
    return all(node[key] == value for key, value in values.items() if key in node)
