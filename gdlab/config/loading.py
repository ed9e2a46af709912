"""From YAML and Python to settings: the only module that knows `DictConfig`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gdlab.config.settings import COMMAND_KEYS, GROUPS, LR, NODES, Settings, make_section
from gdlab.errors import SettingError
from gdlab.fields.construction import Kind, make, refuse_unknown
from gdlab.fields.custom_classes import import_class
from gdlab.fields.declared import Configured, Field, declared_fields, find_field, nest_changes
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import choices_of, unknown_choice
from gdlab.losses.function import Function
from gdlab.optimizers.base import Optimizer
from gdlab.paths import CONF

DEFAULT_CHOICES = {"loss": "quadratic", "optimizer": "sgd", "schedule": "constant"}
"""The loss, optimizer and schedule of a run that names none."""


def settings_from_config(config: DictConfig, choices: Mapping[str, str]) -> Settings:
    """The settings of a composed configuration.

    Args:
        config: the configuration without its `hydra` node.
        choices: the names chosen for the groups.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    return settings_from_values(plain_values(config), choices)


def plain_values(config: DictConfig) -> dict[str, Any]:
    """The values of a composed configuration, all of them resolved.

    Raises:
        SettingError: one stands for another that there is not.
    """
    try:
        values = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise SettingError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def settings_from_values(values: dict[str, Any], choices: Mapping[str, str]) -> Settings:
    """The settings of plain nested values; see `settings_from_config`."""
    values = {key: value for key, value in values.items() if key not in COMMAND_KEYS}
    names = {group: choices[group] for group in GROUPS if group in choices}
    return instance_from_values(Settings, values, names)


def instance_from_values(
    cls: type[Kind], values: dict[str, Any], choices: Mapping[str, str]
) -> Kind:
    """An instance of a class whose fields are the settings of a command, from plain nested values.

    Args:
        cls: the class, with a field `choices`.
        values: of the other fields.
        choices: the names chosen for those of `GROUPS` that are fields.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    fields = set(declared_fields(cls)) - {"choices"}
    refuse_unknown("", values, fields)
    made = {
        group: _instance(group, values.get(group), GROUPS[group]) for group in fields & {*GROUPS}
    }
    made |= {key: make_section(key, values.get(key, {})) for key in fields & {*NODES}}
    return make("", cls, {**values, **made, "choices": dict(choices)})


def settings_from_flat(given: Mapping[str, Any]) -> Settings:
    """The settings that Python gives by their dotted names; what is not given has its default.

    Args:
        given: loss, optimizer and schedule as `resolve_choice` takes them; the rest plain values.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    made: dict[str, Any] = {g: resolve_choice(g, given.get(g, DEFAULT_CHOICES[g])) for g in GROUPS}
    nodes: dict[str, dict[str, Any]] = {place: {} for place in (*GROUPS, *NODES)}
    top: dict[str, Any] = {}
    for key, value in given.items():
        place, _, name = key.partition(".")
        if name and place in nodes:
            nodes[place][name] = value
        elif key not in made and key not in NODES:
            top[key] = value
    for group, owner in made.items():
        owner = _with_named(owner, nodes[group])
        changes = nest_changes(owner, nodes[group])
        made[group] = make(f"{group}.", type(owner), owner.settings() | changes)
    for key in NODES:
        made[key] = make_section(key, given.get(key, {}), nodes[key])
    names = {g: given.get(g, DEFAULT_CHOICES[g]) for g in GROUPS}
    choices = {group: name for group, name in names.items() if isinstance(name, str)}
    top.setdefault(LR, made["optimizer"].default_lr)
    return make("", Settings, {**top, **made, "choices": choices})


def resolve_choice(group: str, given: "str | Configured | Callable[..., Any]") -> Configured:
    """What a person gives in Python for a loss, an optimizer or a schedule.

    Args:
        group: "loss", "optimizer" or "schedule".
        given: a name from conf, an instance, or (for a loss) a function of one point.

    Raises:
        SettingError: there is no such name, or it is of another kind.
    """
    base = GROUPS[group]
    if isinstance(given, base):
        return given
    if isinstance(given, str):
        path = CONF / group / f"{given}.yaml"
        if not path.is_file():
            raise unknown_choice(group, given, choices_of(group))
        return _instance(group, _composed(path), base)
    if group == "loss" and callable(given) and not isinstance(given, type):
        return Function(given)
    raise SettingError(f"{group}={given!r}: must be a name or an instance of {base.__name__}")


def _composed(path: Path) -> dict[str, Any]:
    """The values of a file of conf; what its defaults list names stands in its place."""
    values: Any = OmegaConf.to_container(OmegaConf.load(path))
    for entry in values.pop("defaults", []):
        for place, name in entry.items():
            group, _, field = place.lstrip("/").partition("@")
            values[field] = _composed(CONF / group / f"{name}.yaml")
    return values


def _group_of(field: Field | None) -> str | None:
    """The group of conf whose classes a field holds, where it holds a class of one."""
    hint = None if field is None else field.hint
    kinds = (g for g, base in GROUPS.items() if isinstance(hint, type) and issubclass(hint, base))
    return next(kinds, None)


def _with_named(owner: Configured, values: dict[str, Any]) -> Configured:
    """An owner with what is given for what it holds; that leaves `values`."""
    for key in sorted(values, key=lambda name: name.count(".")):
        group = _group_of(find_field(owner, key))
        if group is not None:
            inner = resolve_choice(group, values.pop(key))
            owner = owner.unchecked(**nest_changes(owner, {key: inner}))
    return owner


def _with_instances(
    prefix: str, cls: type[Configured], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Values with instances in the place of losses, optimizers and schedules that a class holds."""
    made = dict(values)
    for name, field in declared_fields(cls).items():
        group, value = _group_of(field), values.get(name)
        if group is not None and isinstance(value, str):
            made[name] = resolve_choice(group, value)
        elif group is not None and isinstance(value, dict):
            made[name] = _instance(f"{prefix}{name}", value, GROUPS[group])
    return made


def _instance(group: str, values: Any, base: type[Configured]) -> Any:
    """An instance of the class that `_target_` names, from the other values."""
    if not isinstance(values, dict) or "_target_" not in values:
        raise SettingError(f"{group}={format_value(values)}: must name a choice of conf/{group}")
    fields = dict(values)
    target = fields.pop("_target_")
    cls = import_class(f"{group}._target_", target, base, f"gdlab.{base.__name__}")
    if issubclass(cls, Optimizer) and LR not in declared_fields(cls):
        fields.pop(LR, None)  # the default of the setting `lr`, and no field
    try:
        return make(f"{group}.", cls, _with_instances(f"{group}.", cls, fields))
    except SettingError:
        raise
    except Exception as error:  # a person's own class may raise anything
        what = f"{type(error).__name__}: {error}"
        raise SettingError(f"{group}._target_={target}: cannot be made ({what})") from error
