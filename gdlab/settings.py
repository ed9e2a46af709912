"""From YAML and Python to typed, checked settings: the only module that knows `DictConfig`."""

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gdlab.batch import Stop
from gdlab.errors import SettingError
from gdlab.fields import Configured, declared, setting, shown
from gdlab.losses.base import Loss
from gdlab.losses.function import Function
from gdlab.optimizers.base import Rule
from gdlab.paths import CONF
from gdlab.schedules import Schedule
from gdlab.suggest import choices_of, unknown_choice, unknown_setting

Kind = TypeVar("Kind", bound=Configured)

COMMAND_KEYS = ("experiment", "resume", "dry_run")
"""What a command says beside the settings of its runs."""

_DEFAULTS = {"loss": "quadratic", "optimizer": "sgd", "schedule": "constant"}

GROUPS: Mapping[str, type[Configured]] = {"loss": Loss, "optimizer": Rule, "schedule": Schedule}
"""The settings that name a class, with the base class that it must have."""


class Record(Configured):
    """What is written into a run's directory.

    Attributes:
        every: the history keeps the records of steps 0, every, 2·every, … and the last.
        max_coords: the history keeps at most so many coordinates.
        events: whether events are written for TensorBoard.
        figures: whether the trajectory is drawn.
        max_run_dirs: at most so many runs of a sweep get a directory.
        max_figures: at most so many runs of a sweep get pictures.
    """

    every: int = setting(default=1, ge=1)
    max_coords: int = setting(default=64, ge=1)
    events: bool = True
    figures: bool = True
    max_run_dirs: int = setting(default=1000, ge=0)
    max_figures: int = setting(default=20, ge=0)


class Engine(Configured):
    """How runs are computed.

    Attributes:
        max_rows: a batch of more runs is cut into shards of so many.
    """

    max_rows: int = setting(default=8192, ge=1)


class Summary(Configured):
    """What the summary of a sweep compares.

    Attributes:
        by: the settings for whose combinations a best is named; None for what is no number.
        metric: the column by which runs that did not converge are ranked.
    """

    by: tuple[str, ...] | None = None
    metric: str = "final_loss"


class Settings(Configured):
    """One run, in full. The fields are those of `conf/config.yaml`.

    Attributes:
        loss: the function being minimised.
        optimizer: the rule by which steps are taken.
        schedule: the learning rate over the steps.
        lr: the base learning rate.
        steps: how many steps the run may take.
        seed: of everything random in the run.
        start: the starting point, "random", or None for the loss's own.
        noise: standard deviation of the Gaussian noise added to the gradient.
        dtype: of all numbers.
        device: where the computation runs.
        stop: when the run ends before its last step.
        record: what is written.
        engine: how it is computed.
        summary: what the summary of a sweep compares.
        choices: the names by which loss, optimizer and schedule were chosen.
    """

    loss: Loss
    optimizer: Rule
    schedule: Schedule
    lr: float = setting(gt=0)
    steps: int = setting(default=1000, ge=1, lt=2**53)
    seed: int = setting(default=0, ge=0, lt=2**63)
    start: tuple[float, ...] | Literal["random"] | None = None
    noise: float = setting(default=0.0, ge=0)
    dtype: Literal["float64", "float32"] = "float64"
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    stop: Stop = dataclasses.field(default_factory=Stop)
    record: Record = dataclasses.field(default_factory=Record)
    engine: Engine = dataclasses.field(default_factory=Engine)
    summary: Summary = dataclasses.field(default_factory=Summary)
    choices: dict[str, str] = dataclasses.field(default_factory=dict)

    def name(self, group: str) -> str:
        """The name of the loss, the optimizer or the schedule: as chosen, or its class's."""
        chosen = self.choices.get(group, "custom")
        return type(getattr(self, group)).__name__ if chosen == "custom" else chosen

    def starting_point(self) -> tuple[float, ...]:
        """The start that was given, or the loss's own."""
        given = self.loss.start if self.start is None else self.start
        return tuple(self.loss.tensor(given).tolist())

    def flat(self) -> dict[str, Any]:
        """All settings by their dotted names, as plain values, the groups' names among them."""
        values: dict[str, Any] = {}
        for key, value in self.settings().items():
            if isinstance(value, Configured):
                if key in GROUPS:
                    values[key] = self.name(key)
                values |= {f"{key}.{name}": v for name, v in value.settings().items()}
            elif key != "choices":
                values[key] = value
        return values


NODES: Mapping[str, type[Configured]] = {
    "stop": Stop,
    "record": Record,
    "engine": Engine,
    "summary": Summary,
}
"""The settings that hold others."""


def from_config(config: DictConfig, choices: Mapping[str, str]) -> Settings:
    """The settings of a composed configuration.

    Args:
        config: the configuration without its `hydra` node.
        choices: the names chosen for the groups.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    try:
        values = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise SettingError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    assert isinstance(values, dict)
    return from_values({str(key): value for key, value in values.items()}, choices)


def from_values(values: dict[str, Any], choices: Mapping[str, str]) -> Settings:
    """The settings of plain nested values; see `from_config`."""
    values = {key: value for key, value in values.items() if key not in COMMAND_KEYS}
    _refuse_unknown("", values, set(declared(Settings)) - {"choices"})
    for group, base in GROUPS.items():
        values[group] = _instance(group, values.get(group), base)
    for key, cls in NODES.items():
        values[key] = _make(f"{key}.", cls, values.get(key, {}))
    names = {group: choices[group] for group in GROUPS if group in choices}
    return _make("", Settings, {**values, "choices": names})


def from_flat(given: Mapping[str, Any]) -> Settings:
    """The settings that Python gives by their dotted names; what is not given has its default.

    Args:
        given: loss, optimizer and schedule as `named` takes them; the rest plain values.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    made: dict[str, Any] = {g: named(g, given.get(g, _DEFAULTS[g])) for g in GROUPS}
    nodes: dict[str, dict[str, Any]] = {node: {} for node in (*GROUPS, *NODES)}
    top: dict[str, Any] = {}
    for key, value in given.items():
        node, _, name = key.partition(".")
        if name and node in nodes:
            nodes[node][name] = value
        elif key not in GROUPS:
            top[key] = value
    for group, owner in made.items():
        made[group] = _make(f"{group}.", type(owner), owner.settings() | nodes[group])
    for node, cls in NODES.items():
        made[node] = _make(f"{node}.", cls, nodes[node])
    names = {g: given.get(g, _DEFAULTS[g]) for g in GROUPS}
    choices = {group: name for group, name in names.items() if isinstance(name, str)}
    return _make("", Settings, {"lr": 0.1, **top, **made, "choices": choices})


def named(group: str, given: "str | Configured | Callable[..., Any]") -> Configured:
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
        return _instance(group, OmegaConf.to_container(OmegaConf.load(path)), base)
    if group == "loss" and callable(given) and not isinstance(given, type):
        return Function(given)
    raise SettingError(f"{group}={given!r}: must be a name or an instance of {base.__name__}")


def _instance(group: str, values: Any, base: type[Configured]) -> Any:
    """An instance of the class that `_target_` names, from the other values."""
    if not isinstance(values, dict) or "_target_" not in values:
        raise SettingError(f"{group}={shown(values)}: must name a choice of conf/{group}")
    fields = dict(values)
    target = fields.pop("_target_")
    cls = _class(f"{group}._target_", target, base)
    try:
        return _make(f"{group}.", cls, fields)
    except SettingError:
        raise
    except Exception as error:  # a person's own class may raise anything
        what = f"{type(error).__name__}: {error}"
        raise SettingError(f"{group}._target_={target}: cannot be made ({what})") from error


def _class(key: str, target: Any, base: type[Kind]) -> type[Kind]:
    """The class of a dotted name, checked to be a subclass of its base class."""
    module_name, _, class_name = str(target).rpartition(".")
    expected = f"must be the dotted name of a subclass of gdlab.{base.__name__}"
    if not module_name:
        raise SettingError(f"{key}={target}: {expected}, such as my_module.MyClass")
    try:
        found = getattr(importlib.import_module(module_name), class_name, None)
    except (Exception, SystemExit) as error:  # a person's own module may raise anything
        what = f"{type(error).__name__}: {error}"
        raise SettingError(f"{key}={target}: cannot import {module_name} ({what})") from error
    if found is None:
        raise SettingError(f"{key}={target}: {module_name} has no {class_name}")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise SettingError(f"{key}={target}: {expected}")
    return found


def _make(prefix: str, cls: type[Kind], values: Any) -> Kind:
    """An instance of a class of declared fields; its errors name the whole setting."""
    if not isinstance(values, dict):
        raise SettingError(f"{prefix[:-1]}={shown(values)}: must hold {', '.join(declared(cls))}")
    _refuse_unknown(prefix, values, set(declared(cls)))
    required = [f.name for f in dataclasses.fields(cls) if _is_required(f)]  # type: ignore[arg-type]
    missing = [name for name in required if name not in values]
    if missing:
        raise SettingError(f"{prefix}{missing[0]}: {cls.__name__} needs it, and it is not given")
    try:
        return cls(**values)
    except SettingError as error:
        raise SettingError(f"{prefix}{error}") from error


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    absent = dataclasses.MISSING
    return field.init and field.default is absent and field.default_factory is absent


def _refuse_unknown(prefix: str, values: Mapping[Any, Any], allowed: set[str]) -> None:
    """Refuse keys that are no settings, with the nearest that is."""
    for key, value in values.items():
        if key not in allowed:
            known = [f"{prefix}{name}" for name in allowed]
            raise unknown_setting(f"{prefix}{key}", shown(value), known)
