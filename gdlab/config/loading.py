"""Turn YAML files, composed configurations and Python arguments into settings."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gdlab.config.choice_files import compose_file, open_choice
from gdlab.config.overrides import FAIL_ON, names_class
from gdlab.config.python import instance_of, network_of
from gdlab.config.settings import (
    COMMAND_FLAGS,
    COMMAND_KEYS,
    GROUPS,
    LR,
    NODES,
    SPACE,
    Settings,
    make_section,
)
from gdlab.engine.status import Status
from gdlab.errors import CUSTOM_ERRORS, SettingError, first_line
from gdlab.fields.construction import Kind, make, refuse_unknown
from gdlab.fields.custom_classes import import_class
from gdlab.fields.declared import Configured, Field, declared_fields, find_field, nest_changes
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import choices_of, did_you_mean
from gdlab.fields.unknown_choices import unknown_choice
from gdlab.fields.validation import Range, plain_point
from gdlab.losses.function import Function
from gdlab.optimizers.base import Optimizer
from gdlab.optimizers.torch_optim import Torch
from gdlab.paths import CONF

_RESOLVING = re.compile(r"^\w+ raised while resolving interpolation: ")
_NO_KEY = re.compile(r"^Interpolation key '([^']*)' not found$")
_FLAG = Field(bool, Range())
_ENDINGS = [str(status) for status in Status if status not in (Status.RUNNING, Status.INTERRUPTED)]
DEFAULT_CHOICES = {"loss": "quadratic", "optimizer": "sgd", "schedule": "constant"}
"""The loss, optimizer and schedule of a run that names none."""


def settings_from_config(config: DictConfig, choices: Mapping[str, str]) -> Settings:
    """Return the settings of a composed configuration.

    Args:
        config: the configuration without its `hydra` node.
        choices: the names chosen for the groups.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    return settings_from_values(plain_values(config), choices)


def plain_values(config: DictConfig) -> dict[str, Any]:
    """Return the values of a composed configuration with all interpolations resolved.

    Raises:
        SettingError: an interpolation cannot be resolved.
    """
    try:
        values = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        what = _NO_KEY.sub(
            r"there is no setting \1", _RESOLVING.sub("", first_line(error)).strip('"')
        )
        raise SettingError(f"{error.full_key}: {what}") from error
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def settings_from_values(values: dict[str, Any], choices: Mapping[str, str]) -> Settings:
    """Return the settings with plain nested values; see `settings_from_config`."""
    check_flags(values)
    values = {key: value for key, value in values.items() if key not in COMMAND_KEYS}
    names = {group: choices[group] for group in GROUPS if group in choices}
    return instance_from_values(Settings, values, names)


def check_flags(values: Mapping[str, Any]) -> None:
    """Check those keys of a command that are not settings of its runs.

    Raises:
        SettingError: one has the wrong type, or needs the command line or another.
    """
    for key in COMMAND_FLAGS & values.keys():
        _FLAG.check(key, values[key])
    unwanted_statuses(values.get(FAIL_ON))
    if values.get("retry_failed"):
        raise SettingError("retry_failed=true: needs resume=DIRECTORY, that of a sweep")
    if values.get("resume") is not None:
        why = "must be given on the command line, where a sweep continues"
        raise SettingError(f"resume={format_value(values['resume'])}: {why}")


def unwanted_statuses(given: Any) -> frozenset[str]:
    """Return the statuses in the value of `fail_on`: one, a list of some, or None.

    Raises:
        SettingError: one is no status in which a run may end by itself.
    """
    words = [given] if isinstance(given, str) else given or []
    for word in words if isinstance(words, Sequence) else [words]:
        if word not in _ENDINGS:
            hint = did_you_mean(str(word), _ENDINGS)
            allowed = f"must be one or more of {', '.join(_ENDINGS)}"
            raise SettingError(f"{FAIL_ON}={format_value(word)}: {allowed}{hint}")
    return frozenset(words)


def instance_from_values(
    cls: type[Kind], values: dict[str, Any], choices: Mapping[str, str]
) -> Kind:
    """Create an instance of a command's settings class from plain nested values.

    Args:
        cls: the class, with a field `choices`.
        values: the values of the other fields.
        choices: the names chosen for the fields that are in `GROUPS`.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    fields = set(declared_fields(cls)) - {"choices"}
    refuse_unknown("", values, fields)
    instances = {
        group: choice_from_values(group, values.get(group), choices.get(group, ""))
        for group in fields & {*GROUPS}
    }
    instances |= {key: make_section(key, values.get(key, {})) for key in fields & {*NODES}}
    return make("", cls, {**values, **instances, "choices": dict(choices)})


def settings_from_flat(given: Mapping[str, Any]) -> Settings:
    """Return the settings given in Python by dotted names; the others have their defaults.

    Args:
        given: loss, optimizer and schedule as `resolve_choice` takes them; the rest plain values.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    nodes: dict[str, dict[str, Any]] = {node: {} for node in (*GROUPS, *NODES)}
    top: dict[str, Any] = {}
    for key, value in given.items():
        node, _, name = key.partition(".")
        if name and node in nodes:
            nodes[node][name] = value
        elif key not in GROUPS and key not in NODES:
            top[key] = value
    parts: dict[str, Any] = {}
    for group in GROUPS:
        choice = given.get(group, DEFAULT_CHOICES[group])
        parts[group] = chosen_with(group, choice, nodes[group])
    for key in NODES:
        parts[key] = make_section(key, given.get(key, {}), nodes[key])
    names = {g: given.get(g, DEFAULT_CHOICES[g]) for g in GROUPS}
    choices = {group: name for group, name in names.items() if isinstance(name, str)}
    top.setdefault(LR, parts["optimizer"].default_lr)
    if "start" in top:
        top["start"] = plain_point("start", top["start"])  # once: an iterator ends
    if isinstance(parts["loss"], Function) and isinstance(top.get("start"), tuple):
        parts["loss"] = parts["loss"].replace(start=top["start"])
    return make("", Settings, {**top, **parts, "choices": choices})


def resolve_choice(group: str, given: Any) -> Configured:
    """Return the loss, optimizer or schedule given in Python.

    Args:
        group: "loss", "optimizer" or "schedule".
        given: a name from conf, or what `instance_of` takes.

    Raises:
        SettingError: the name is unknown, or the value has the wrong type.
    """
    base = GROUPS[group]
    if not isinstance(given, str):
        return instance_of(group, base, given)
    path = CONF / group / f"{given}.yaml"
    if not path.is_file() and names_class(given):
        if group == "optimizer" and given.startswith("torch.optim."):
            return make("optimizer.", Torch, {"cls": given})
        return choice_from_values(group, {"_target_": given}, given)
    if not path.is_file():
        raise unknown_choice(group, given, choices_of(group))
    return _make_choice(group, compose_file(path), base)


def chosen_with(group: str, given: Any, settings: Mapping[str, Any]) -> Configured:
    """Return what `resolve_choice` does, with some of its settings.

    Args:
        group: "loss", "optimizer" or "schedule".
        given: as for `resolve_choice`, or a network, which needs `data` among the settings.
        settings: by their own names, or with the name of the group before a dot.

    Raises:
        SettingError: as `resolve_choice`, or a setting is unknown, wrong or out of range.
    """
    values = {name.removeprefix(f"{group}."): value for name, value in settings.items()}
    is_complete = not values or (network_of(group, given) is not None and "data" not in values)
    owner = (resolve_choice if is_complete else unfinished_choice)(group, given)
    owner = _with_inner_choices(owner, values)
    try:
        changes = nest_changes(owner, values)
    except SettingError as error:
        raise SettingError(f"{group}.{error}") from error
    return make(f"{group}.", type(owner), owner.settings() | changes)


def unfinished_choice(group: str, given: Any) -> Configured:
    """Return what `resolve_choice` does; a loss may still lack its data or its network."""
    without = network_of(group, given) or open_choice(group, given)
    return without or resolve_choice(group, given)


def choice_from_values(group: str, values: Any, chosen: str = "") -> Configured:
    """Return the loss, optimizer or schedule of a composed node.

    Args:
        group: "loss", "optimizer" or "schedule".
        values: `_target_` and the fields of the class.
        chosen: the name that was chosen; an error names it if it is the class itself.

    Raises:
        SettingError: its class cannot be used, or a setting of it is missing or wrong.
    """
    return _make_choice(group, values, GROUPS[group], group if names_class(chosen) else "")


def _group_of(field: Field | None) -> str | None:
    """Return the group of conf that a field's value is chosen from; None if there is none."""
    hint = None if field is None else field.hint
    kinds = (g for g, base in GROUPS.items() if isinstance(hint, type) and issubclass(hint, base))
    return next(kinds, None)


def _with_inner_choices(owner: Configured, values: dict[str, Any]) -> Configured:
    """Return `owner` with the inner optimizers or schedules that `values` names, removed there."""
    for key in sorted(values, key=lambda name: name.count(".")):
        group = _group_of(find_field(owner, key))
        if group is not None:
            inner = resolve_choice(group, values.pop(key))
            owner = owner.unchecked(**nest_changes(owner, {key: inner}))
    return owner


def _with_instances(
    prefix: str, cls: type[Configured], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Replace the values of fields that hold a loss, an optimizer or a schedule by instances."""
    replaced = dict(values)
    for name, field in declared_fields(cls).items():
        group, value = _group_of(field), values.get(name)
        if group is not None and isinstance(value, str):
            replaced[name] = resolve_choice(group, value)
        elif group is not None and isinstance(value, dict):
            replaced[name] = _make_choice(f"{prefix}{name}", value, GROUPS[group])
    return replaced


def _make_choice(key: str, values: Any, base: type[Configured], named: str = "") -> Any:
    """Create an instance of the class named by `_target_` from the other values.

    Args:
        key: the setting, as "optimizer" or "optimizer.inner".
        values: `_target_` and the fields of the class.
        base: the required base class.
        named: the setting that named the class, for errors; by default that of `_target_`.
    """
    if not isinstance(values, dict) or "_target_" not in values:
        group = key.partition(".")[0]
        raise SettingError(f"{key}={format_value(values)}: must be a name from conf/{group}")
    named, fields = named or f"{key}._target_", dict(values)
    target = fields.pop("_target_")
    if base is Optimizer and str(target).startswith("torch.optim."):
        kwargs = "".join(f" {key}.kwargs.{k}={format_value(v)}" for k, v in fields.items())
        way = f"a torch optimizer is {key}=torch {key}.cls={target}{kwargs}"
        raise SettingError(f"{named}={target}: {way}")
    cls = import_class(named, target, base, f"gdlab.{base.__name__}")
    if issubclass(cls, Optimizer):
        for name in {LR, SPACE} - set(declared_fields(cls)):
            fields.pop(name, None)  # of the file, not fields of the class
    try:
        return make(f"{key}.", cls, _with_instances(f"{key}.", cls, fields))
    except SettingError:
        raise
    except CUSTOM_ERRORS as error:
        why = f"cannot be instantiated ({type(error).__name__}: {error})"
        raise SettingError(f"{named}={target}: {why}") from error
