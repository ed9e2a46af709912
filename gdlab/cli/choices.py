"""What may be chosen from a group: the names in its folder and in the folders within."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, Transformer


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


def chosen_by(overrides: Sequence[Override], loader: ConfigLoader) -> dict[str, list[str]]:
    """Return the choices that a command makes from groups, as overrides, by their keys.

    Args:
        overrides: of the command; those that set a value are left out.
        loader: knows the groups.
    """
    chosen = {}
    for override in overrides:
        group = override.key_or_group
        if not group or not loader.get_group_options(group, ObjectType.CONFIG):
            continue
        key, values = override.get_key_element(), override.value()
        if isinstance(values, Glob):
            names = matching_choices(values, group, loader)
        else:
            names = values.list if isinstance(values, ChoiceSweep) else []
        words = [f"{key}={Transformer.str(name)}" for name in names]
        chosen[key] = words or [str(override.input_line)]
    return chosen


def one_by_one(choices: Mapping[str, Sequence[str]], key: str) -> Iterator[list[str]]:
    """Yield all choices of a command, with each of those of one key, and the first of the others.

    Args:
        choices: from `chosen_by`.
        key: one of them.
    """
    for word in choices[key]:
        yield [word if other == key else words[0] for other, words in choices.items()]
