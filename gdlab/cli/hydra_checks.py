"""What a command asks of Hydra, checked before anything is made."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    Override,
    QuotedString,
    Transformer,
)
from omegaconf import DictConfig, OmegaConf

from gdlab.cli import hydra_internals
from gdlab.cli.choices import choices_in, matching_choices
from gdlab.config.overrides import FAIL_ON, OPEN_GROUPS, setting_name
from gdlab.errors import SettingError
from gdlab.fields.unknown_choices import list_choices, unknown_choice

_OUTPUT_SUBDIR = "hydra.output_subdir"
_VERBOSE = "hydra.verbose"
_PLUGINS = ("hydra.launcher", "hydra.sweeper")
_FILES = ("result.json", "history.parquet")
_OF_A_JOB = r"\$\{hydra:(job\.(id|num|override_dirname)|overrides|runtime\.output_dir)\b"
_OF_A_SWEEP = ("launcher", "sweeper", "callbacks")
"""Nodes of `hydra` that a sweep has once, whatever its jobs are."""


def check_choices(overrides: Sequence[Override], loader: ConfigLoader) -> None:
    """Check that what is chosen from a group is a name, and that a glob selects one.

    Args:
        overrides: parsed by Hydra.
        loader: knows the groups.

    Raises:
        SettingError: it is null, a number or the like, or no choice matches a glob.
    """
    for override in overrides:
        _check_glob(override, loader)
        odd = [value for value in _values(override) if not _is_name(value, override)]
        options = choices_in(override.key_or_group, loader) if odd else ()
        if options and not isinstance(odd[0], dict):
            key = setting_name(override.get_key_element().lstrip("~"))
            is_whole = odd[0] is override.value()
            typed = str(override.input_line).partition("=")[2]
            text = typed if is_whole else Transformer.str(odd[0])
            raise unknown_choice(key, text, options)


def _check_glob(override: Override, loader: ConfigLoader) -> None:
    """Refuse a glob without a match, of which a sweeper makes no runs."""
    glob: Any = override.value()
    group = override.key_or_group
    if isinstance(glob, Glob) and not matching_choices(glob, group, loader):
        choices = choices_in(group, loader)
        why = (
            f"no choice matches ({list_choices(group, choices)})"
            if choices
            else f"{group} is no group to choose from"
        )
        raise SettingError(f"{override.input_line}: {why}")


def _values(override: Override) -> list[Any]:
    """Return the values of an override; a range or an interval stands for its numbers."""
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return list(value.list)
    is_deletion = override.is_delete() and value is None
    return [] if is_deletion or isinstance(value, Glob) else [value]


def _is_name(value: object, override: Override) -> bool:
    """Tell whether a value may be chosen from a group; from some groups a list may be."""
    is_list = isinstance(value, list) and override.key_or_group not in OPEN_GROUPS
    return is_list or isinstance(value, (str, QuotedString))


def check_jobs(config: DictConfig, jobs: Iterable[DictConfig]) -> None:
    """Check that no job of a sweep sets what only the sweep as a whole has.

    Args:
        config: of the sweep.
        jobs: configurations of its jobs.

    Raises:
        SettingError: an experiment, for instance, brings axes of its own.
    """
    for job in jobs:
        for key in ("dry_run", FAIL_ON):
            if job.get(key) != config.get(key):
                raise SettingError(f"{key}: must be the same for all runs")
        for node in _OF_A_SWEEP:
            wanted, given = (OmegaConf.to_container(c.hydra[node]) for c in (config, job))
            if wanted != given:
                whole, chosen = (dict(c.hydra.runtime.choices) for c in (config, job))
                words = hydra_internals.overrides_of(job.hydra, "task")
                keys = {word: word.partition("=")[0].lstrip("+") for word in words}
                own = [word for word, key in keys.items() if chosen.get(key) != whole.get(key)]
                why = f"sets hydra.{node}, which a sweep over it cannot follow; run it by itself"
                raise SettingError(f"{', '.join(own)}: {why}")


def check_references(config: DictConfig) -> None:
    """Check that no setting of a sweep refers to what differs from job to job.

    The batched launcher composes many jobs at once, and the tables of any sweep all of them.

    Raises:
        SettingError: names the setting.
    """
    own = hydra_internals.without_hydra(config)
    for key, value in _leaves(OmegaConf.to_container(own, resolve=False)):
        if re.search(_OF_A_JOB, str(value)):
            why = "differs from job to job, which a sweep cannot follow; give it several values"
            raise SettingError(f"{key}={value}: {why}")


def _leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted names and the values in nested mappings."""
    if not isinstance(node, Mapping):
        yield name, node
        return
    for key, value in node.items():
        yield from _leaves(value, f"{name}.{key}" if name else str(key))


def check_hydra(config: DictConfig) -> None:
    """Check the `hydra` node of a composed configuration.

    Raises:
        SettingError: one of its settings cannot be used.
    """
    found = hydra_internals.select_all(config, [*_PLUGINS, _VERBOSE, _OUTPUT_SUBDIR])
    for key in _PLUGINS:
        if not OmegaConf.is_dict(found[key]) or "_target_" not in found[key]:
            raise SettingError(f"{key}: must be a mapping with the key _target_")
    verbose = found[_VERBOSE]
    names = verbose if OmegaConf.is_list(verbose) else [verbose]
    if not isinstance(verbose, bool) and not all(isinstance(name, str) for name in names):
        allowed = "must be true, false, the name of a logger or a list of names"
        raise SettingError(f"{_VERBOSE}={verbose}: {allowed}")
    folder = PurePath(found[_OUTPUT_SUBDIR] or "")
    if folder.is_absolute() or ".." in folder.parts or str(folder) in _FILES:
        raise SettingError(f"{_OUTPUT_SUBDIR}={folder}: must be a folder in the run's directory")
