"""The settings of a run, typed and checked."""

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, TypeVar

import torch

from gdlab.config.noise import Noise
from gdlab.config.overrides import SHORTHANDS
from gdlab.config.sections import Engine, Record, Summary
from gdlab.engine.batch import Stop
from gdlab.engine.metrics import Metric, metrics_of
from gdlab.errors import SettingError
from gdlab.fields.construction import make
from gdlab.fields.declared import Configured, flatten, setting
from gdlab.losses.base import Loss
from gdlab.losses.transform import Transform
from gdlab.optimizers.base import Optimizer
from gdlab.schedules import Schedule

Kind = TypeVar("Kind", bound=Configured)

COMMAND_KEYS = ("experiment", "resume", "dry_run", "check_gradient")
"""What a command says beside the settings of its runs."""

LR = "lr"
"""The setting of which an optimizer's file may have a default of its own."""

GROUPS: Mapping[str, type[Configured]] = {
    "loss": Loss,
    "optimizer": Optimizer,
    "schedule": Schedule,
}
"""The settings that name a class, with the base class that it must have."""


class Settings(Configured):
    """One run, in full. The fields are those of `conf/config.yaml`.

    Attributes:
        loss: the function being minimised.
        optimizer: the optimizer by which steps are taken.
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
    optimizer: Optimizer
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
            object.__setattr__(self, key, make_section(key, getattr(self, key)))
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
        return metrics_of(self.objective, record.full_loss_every, record.intervals)

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
                values |= {f"{key}.{name}": v for name, v in flatten(value).items()}
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


def make_section(key: str, given: Any, inner: Mapping[str, Any] | None = None) -> Any:
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
    return make(f"{key}.", cls, {**given, **inner} if inner else given)
