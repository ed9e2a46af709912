"""The settings of a run, typed and checked."""

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, TypeVar

import torch

from gdlab.engine.batch import Stop
from gdlab.engine.metrics import Metric, metrics_of
from gdlab.errors import SettingError
from gdlab.fields.construction import make
from gdlab.fields.declared import Configured, flat, setting
from gdlab.losses.base import Loss
from gdlab.losses.transform import Transform
from gdlab.noise import Noise
from gdlab.optimizers.base import Rule
from gdlab.schedules import Schedule
from gdlab.words import SHORTHANDS

Kind = TypeVar("Kind", bound=Configured)

COMMAND_KEYS = ("experiment", "resume", "dry_run", "check_gradient")
"""What a command says beside the settings of its runs."""

LR = "lr"
"""The setting of which an optimizer's file may have a default of its own."""

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
    return make(f"{key}.", cls, {**given, **inner} if inner else given)
