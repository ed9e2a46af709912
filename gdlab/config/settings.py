"""The settings of a run, typed and checked."""

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self, TypeVar

import torch

from gdlab.config.noise import Noise
from gdlab.config.overrides import FAIL_ON, SHORTHANDS
from gdlab.config.sections import Engine, Record, Summary
from gdlab.engine.batch import Stop
from gdlab.engine.metrics import Metric, metrics_of
from gdlab.errors import SettingError
from gdlab.fields.by_name import in_order
from gdlab.fields.construction import make
from gdlab.fields.declared import (
    Configured,
    declared_fields,
    find_field,
    flatten,
    setting,
    split_key,
)
from gdlab.formulas.constants import with_numbers
from gdlab.losses.base import Loss
from gdlab.losses.transform import Transform
from gdlab.optimizers.base import Optimizer
from gdlab.schedules import Schedule

Kind = TypeVar("Kind", bound=Configured)

COMMAND_FLAGS = {"dry_run", "check_gradient", "retry_failed"}
"""Keys of a command that are true or false."""

COMMAND_KEYS = {"experiment", "resume", FAIL_ON, *COMMAND_FLAGS}
"""Keys of a command that are not settings of its runs."""

LR = "lr"
"""The setting whose default an optimizer's file may override."""

SPACE = "space"
"""The key of an optimizer's file that says what a comparison tunes."""

GROUPS: Mapping[str, type[Configured]] = {
    "loss": Loss,
    "optimizer": Optimizer,
    "schedule": Schedule,
}
"""The settings that name a class, with its required base class."""


class Settings(Configured):
    """All settings of one run. The fields are those of `conf/config.yaml`.

    Attributes:
        loss: the function being minimized.
        optimizer: the optimizer that takes the steps.
        schedule: the learning rate over the steps.
        lr: the base learning rate.
        steps: maximum number of steps.
        seed: of everything random in the run.
        start: the starting point, "random", or None for the loss's own; numbers by the names of
            the coordinates become a tuple in their order.
        start_spread: s: s max(1, |xᵢ|) times a standard normal number, drawn from the seed, is
            added to each coordinate of the start.
        transform: rotation, shift and scale of the loss.
        noise: the noise added to the gradient.
        dtype: of all numbers.
        device: where the computation runs.
        stop: when the run ends before its last step.
        record: what is written.
        engine: how the run is computed.
        summary: what the summary of a sweep compares.
        choices: the names by which loss, optimizer and schedule were chosen.
    """

    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    lr: float = setting(gt=0)
    steps: int = setting(default=1000, ge=1, lt=2**53)
    seed: int = setting(default=0, ge=0, lt=2**63)
    start: tuple[float, ...] | Literal["random"] | Mapping[str, float] | None = None
    start_spread: float = setting(default=0.0, ge=0)
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
            object.__setattr__(self, key, make_section(key, getattr(self, key)))
        start: Any = with_numbers(self.start)
        object.__setattr__(self, "start", start)
        if isinstance(start, Mapping):
            names, constants = self.loss.names, self.loss.constants
            object.__setattr__(self, "start", in_order(start, names, "start", constants))
        super().__post_init__()
        try:
            self.schedule.check(self.steps)
        except SettingError as error:
            raise SettingError(f"schedule.{error}") from error

    def name(self, group: str) -> str:
        """Return the chosen name of the loss, optimizer or schedule, or what it calls itself."""
        chosen = self.choices.get(group, "custom")
        return getattr(self, group).shown_name if chosen == "custom" else chosen

    def unchecked(self, **changes: Any) -> Self:
        """Return a copy with some fields changed to values that were checked elsewhere."""
        copy = super().unchecked(**changes)
        if "objective" in vars(self) and changes.keys().isdisjoint(("loss", "transform")):
            copy.__dict__["objective"] = self.objective
        return copy

    @cached_property
    def objective(self) -> Loss:
        """The loss as it is minimized: transformed, if a transformation is given."""
        return self.transform.of(self.loss)

    def changes_problem(self, key: str) -> bool:
        """Tell whether a setting, by its dotted name, changes the function being minimized."""
        node, name = split_key(key)
        if node not in ("loss", "transform"):
            return key == "loss"
        field = find_field(getattr(self, node), name)
        return field is None or field.problem

    @property
    def most_steps(self) -> int:
        """A number of steps, at least 1, that the run does not exceed."""
        return max(1, self.stop.most_steps(self.steps))

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """The metrics recorded at intervals."""
        record = self.record
        return metrics_of(self.objective, record.full_loss_every, record.intervals)

    def starting_point(self) -> tuple[float, ...]:
        """Return the start that was given, or the loss's own."""
        if self.start is None:
            return tuple(self.objective.starts(torch.tensor([self.seed])).reshape(-1).tolist())
        return tuple(self.loss.tensor(self.start).tolist())

    def flat(self) -> dict[str, Any]:
        """Return all settings by dotted names, as plain values, with a name for each group."""
        values: dict[str, Any] = {}
        for key, value in self.settings().items():
            if isinstance(value, Configured):
                if key in GROUPS:
                    values[key] = self.name(key)
                values |= {f"{key}.{name}": v for name, v in flatten(value).items()}
            elif key != "choices":
                values[key] = value
        return values


TOP = tuple(name for name in declared_fields(Settings) if name != "choices")
"""The settings of a run that belong to no other, and its groups and sections."""

NODES: Mapping[str, type[Configured]] = {
    "transform": Transform,
    "noise": Noise,
    "stop": Stop,
    "record": Record,
    "engine": Engine,
    "summary": Summary,
}
"""The sections of the settings."""

NUMERIC = (*GROUPS, "transform", "noise")
"""The groups and sections with numbers that may differ between the runs of a batch."""


def make_section(key: str, given: Any, inner: Mapping[str, Any] | None = None) -> Any:
    """Create one of the sections in `NODES`.

    Args:
        key: its name.
        given: an instance, a mapping of its settings, or the value of the setting that the section
            stands for.
        inner: further settings, which take precedence.

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
    return make(f"{key}.", cls, {**given, **inner} if inner else given)
