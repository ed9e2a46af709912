"""From YAML and Python to typed, checked settings: the only module that knows `DictConfig`."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gdlab.batch import Stop
from gdlab.errors import SettingError
from gdlab.fields import Configured, Field, declared, field_of, flat, placed, setting
from gdlab.losses.base import Loss
from gdlab.losses.function import Function
from gdlab.losses.transformed import Transform
from gdlab.metrics import Metric, metrics_of
from gdlab.noise import Noise
from gdlab.optimizers.base import Rule
from gdlab.own import found
from gdlab.paths import CONF
from gdlab.schedules import Schedule
from gdlab.suggest import choices_of, unknown_choice, unknown_setting
from gdlab.values import shown
from gdlab.words import SHORTHANDS

Kind = TypeVar("Kind", bound=Configured)

COMMAND_KEYS = ("experiment", "resume", "dry_run", "check_gradient")
"""What a command says beside the settings of its runs."""

LR = "lr"
"""The setting of which an optimizer's file may have a default of its own."""

_DEFAULTS = {"loss": "quadratic", "optimizer": "sgd", "schedule": "constant"}

GROUPS: Mapping[str, type[Configured]] = {"loss": Loss, "optimizer": Rule, "schedule": Schedule}
"""The settings that name a class, with the base class that it must have."""


class Record(Configured):
    """What is written into a run's directory.

    Attributes:
        every: the history keeps the records of steps 0, every, 2·every, … and the last.
        full_loss_every: with minibatches the loss and its gradient, of all examples, are computed
            at steps 0, n, 2n, … and the last alone, and only there a run can end by them; the
            other records have none. A metric such as accuracy is computed there with or without.
        sharpness_every: the sharpness λ_max, the Hessian's greatest eigenvalue, is recorded at
            steps 0, n, 2n, … and the last; None or 0 for never.
        max_coords: the history keeps at most so many coordinates.
        events: whether events are written for TensorBoard.
        figures: whether the trajectory is drawn.
        max_run_dirs: at most so many runs of a sweep get a directory.
        max_figures: at most so many runs of a sweep get pictures.
    """

    every: int = setting(default=1, ge=1)
    full_loss_every: int = setting(default=1, ge=1)
    sharpness_every: int | None = setting(default=None, ge=0)
    max_coords: int = setting(default=64, ge=1)
    events: bool = True
    figures: bool = True
    max_run_dirs: int = setting(default=1000, ge=0)
    max_figures: int = setting(default=20, ge=0)


class Engine(Configured):
    """How runs are computed.

    Attributes:
        mode: eager (torch's kernels, one by one), compiled (the whole step at once, in C), or auto
            for compiled where there are steps and runs enough to repay it.
        threads: how many cores a compiled batch may use; None for all there are.
        max_rows: a batch of more runs is cut into shards of so many.
    """

    mode: Literal["auto", "eager", "compiled"] = "auto"
    threads: int | None = setting(default=None, ge=1)
    max_rows: int = setting(default=8192, ge=1)


class Summary(Configured):
    """What the summary of a sweep compares.

    Attributes:
        by: the settings for whose combinations a best is named; None for what is no number.
        metric: the column by which runs that did not converge are ranked.
        direction: which of its values is best, the least or the greatest; None for the greatest of
            what a loss measures, such as accuracy, and for the least of all else.
    """

    by: tuple[str, ...] | None = None
    metric: str = "final_loss"
    direction: Literal["min", "max"] | None = None


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
        transform: what is done to the landscape of the loss.
        noise: what is added to the gradient.
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
    transform: Transform = dataclasses.field(default_factory=Transform)
    noise: Noise = dataclasses.field(default_factory=Noise)
    dtype: Literal["float64", "float32"] = "float64"
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    stop: Stop = dataclasses.field(default_factory=Stop)
    record: Record = dataclasses.field(default_factory=Record)
    engine: Engine = dataclasses.field(default_factory=Engine)
    summary: Summary = dataclasses.field(default_factory=Summary)
    choices: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in SHORTHANDS:
            object.__setattr__(self, key, node(key, getattr(self, key)))
        super().__post_init__()
        try:
            self.schedule.check(self.steps)
        except SettingError as error:
            raise SettingError(f"schedule.{error}") from error

    def name(self, group: str) -> str:
        """The name of the loss, the optimizer or the schedule: as chosen, or its class's."""
        chosen = self.choices.get(group, "custom")
        return type(getattr(self, group)).__name__ if chosen == "custom" else chosen

    @cached_property
    def objective(self) -> Loss:
        """The loss as it is minimised: transformed, where a transformation is given."""
        return self.transform.of(self.loss)

    @property
    def metrics(self) -> dict[str, Metric]:
        """What is recorded of the points every so often."""
        record = self.record
        return metrics_of(self.objective, record.full_loss_every, record.sharpness_every)

    def starting_point(self) -> tuple[float, ...]:
        """The start that was given, or the loss's own."""
        if self.start is None:
            return tuple(self.objective.starts(torch.tensor([self.seed])).reshape(-1).tolist())
        return tuple(self.loss.tensor(self.start).tolist())

    def flat(self) -> dict[str, Any]:
        """All settings by their dotted names, as plain values, the groups' names among them."""
        values: dict[str, Any] = {}
        for key, value in self.settings().items():
            if isinstance(value, Configured):
                if key in GROUPS:
                    values[key] = self.name(key)
                values |= {f"{key}.{name}": v for name, v in flat(value).items()}
            elif key != "choices":
                values[key] = value
        return values


NODES: Mapping[str, type[Configured]] = {
    "transform": Transform,
    "noise": Noise,
    "stop": Stop,
    "record": Record,
    "engine": Engine,
    "summary": Summary,
}
"""The settings that hold others."""

NUMERIC = (*GROUPS, "transform", "noise")
"""The settings that hold numbers which may differ between the runs of a batch."""


def from_config(config: DictConfig, choices: Mapping[str, str]) -> Settings:
    """The settings of a composed configuration.

    Args:
        config: the configuration without its `hydra` node.
        choices: the names chosen for the groups.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    return from_values(plain_values(config), choices)


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


def from_values(values: dict[str, Any], choices: Mapping[str, str]) -> Settings:
    """The settings of plain nested values; see `from_config`."""
    values = {key: value for key, value in values.items() if key not in COMMAND_KEYS}
    names = {group: choices[group] for group in GROUPS if group in choices}
    return filled(Settings, values, names)


def filled(cls: type[Kind], values: dict[str, Any], choices: Mapping[str, str]) -> Kind:
    """An instance of a class whose fields are the settings of a command, from plain nested values.

    Args:
        cls: the class, with a field `choices`.
        values: of the other fields.
        choices: the names chosen for those of `GROUPS` that are fields.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    fields = set(declared(cls)) - {"choices"}
    _refuse_unknown("", values, fields)
    made = {
        group: _instance(group, values.get(group), GROUPS[group]) for group in fields & {*GROUPS}
    }
    made |= {key: node(key, values.get(key, {})) for key in fields & {*NODES}}
    return _make("", cls, {**values, **made, "choices": dict(choices)})


def from_flat(given: Mapping[str, Any]) -> Settings:
    """The settings that Python gives by their dotted names; what is not given has its default.

    Args:
        given: loss, optimizer and schedule as `named` takes them; the rest plain values.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    made: dict[str, Any] = {g: named(g, given.get(g, _DEFAULTS[g])) for g in GROUPS}
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
        changes = placed(owner, nodes[group])
        made[group] = _make(f"{group}.", type(owner), owner.settings() | changes)
    for key in NODES:
        made[key] = node(key, given.get(key, {}), nodes[key])
    names = {g: given.get(g, _DEFAULTS[g]) for g in GROUPS}
    choices = {group: name for group, name in names.items() if isinstance(name, str)}
    top.setdefault(LR, made["optimizer"].default_lr)
    return _make("", Settings, {**top, **made, "choices": choices})


def node(key: str, given: Any, inner: Mapping[str, Any] | None = None) -> Any:
    """What is given for one of `NODES`, an instance of its class.

    Args:
        key: its name.
        given: an instance, a mapping of its settings, or the value of the one that it stands for.
        inner: further settings in it, which come before those.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    cls = NODES[key]
    if isinstance(given, cls):
        if not inner:
            return given
        given = given.settings()
    elif key in SHORTHANDS and not isinstance(given, dict):
        given = {SHORTHANDS[key]: given}
    return _make(f"{key}.", cls, {**given, **inner} if inner else given)


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
    """An owner with what is given for its own losses, rules and schedules; that leaves `values`."""
    for key in sorted(values, key=lambda name: name.count(".")):
        group = _group_of(field_of(owner, key))
        if group is not None:
            inner = named(group, values.pop(key))
            owner = owner.unchecked(**placed(owner, {key: inner}))
    return owner


def _with_instances(
    prefix: str, cls: type[Configured], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Values with instances in the place of losses, rules and schedules that a class holds."""
    made = dict(values)
    for name, field in declared(cls).items():
        group, value = _group_of(field), values.get(name)
        if group is not None and isinstance(value, str):
            made[name] = named(group, value)
        elif group is not None and isinstance(value, dict):
            made[name] = _instance(f"{prefix}{name}", value, GROUPS[group])
    return made


def _instance(group: str, values: Any, base: type[Configured]) -> Any:
    """An instance of the class that `_target_` names, from the other values."""
    if not isinstance(values, dict) or "_target_" not in values:
        raise SettingError(f"{group}={shown(values)}: must name a choice of conf/{group}")
    fields = dict(values)
    target = fields.pop("_target_")
    cls = found(f"{group}._target_", target, base, f"gdlab.{base.__name__}")
    if issubclass(cls, Rule) and LR not in declared(cls):
        fields.pop(LR, None)  # the default of the setting `lr`, and no field
    try:
        return _make(f"{group}.", cls, _with_instances(f"{group}.", cls, fields))
    except SettingError:
        raise
    except Exception as error:  # a person's own class may raise anything
        what = f"{type(error).__name__}: {error}"
        raise SettingError(f"{group}._target_={target}: cannot be made ({what})") from error


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
