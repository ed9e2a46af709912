"""What may be chosen from a group: the names in its folder and in the folders within."""

from collections.abc import Sequence
from fnmatch import fnmatch
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Glob, Override


def choices_in(group: str | None, loader: ConfigLoader) -> list[str]:
    """List the choices of a group, such as `rosenbrock` and `mgh/rosenbrock` of `loss`, sorted.

    Args:
        group: such as `loss` or `hydra/launcher`; none has no choices, like one that is not there.
        loader: knows the groups, also those of `--config-dir`.
    """
    if not group:
        return []
    names = loader.get_group_options(group, ObjectType.CONFIG)
    for folder in loader.get_group_options(group, ObjectType.GROUP):
        names += [f"{folder}/{name}" for name in choices_in(f"{group}/{folder}", loader)]
    return sorted(names)


def matching_choices(glob: Glob, group: str, loader: ConfigLoader) -> list[str]:
    """List the choices that a glob selects; as in a shell, `*` does not match a slash.

    Args:
        glob: the patterns, as Hydra parses `glob([mgh/b*,ros*],exclude=mgh/br*)`.
        group: to choose from.
        loader: knows the groups.
    """
    return [
        name
        for name in choices_in(group, loader)
        if _matches(name, glob.include) and not _matches(name, glob.exclude)
    ]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    depth = name.count("/")
    return any(each.count("/") == depth and fnmatch(name, each) for each in patterns)


def list_choices(override: Override, loader: ConfigLoader) -> str:
    """Return an override as text, with the choices of its glob in place of one with folders.

    Hydra's own glob selects only from the folder of the group itself.
    """
    glob: Any = override.value()
    typed = str(override.input_line)
    if not isinstance(glob, Glob) or not any("/" in pattern for pattern in glob.include):
        return typed
    names = matching_choices(glob, override.key_or_group, loader)
    return f"{typed.partition('=')[0]}=choice({','.join(names)})" if names else typed
