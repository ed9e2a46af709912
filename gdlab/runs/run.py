"""One experiment from Python: `gdlab.run`."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gdlab.config.loading import resolve_choice
from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch, Stop
from gdlab.engine.history import History, split_by_run
from gdlab.engine.loop import advance
from gdlab.engine.outcome import Outcome, Outcomes
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.losses.function import Function
from gdlab.losses.transform import Transform
from gdlab.optimizers.base import Optimizer
from gdlab.runs.checks import check_run
from gdlab.runs.interruption import interruptible
from gdlab.runs.sinks import Memory, Sink
from gdlab.schedules import Schedule


@dataclass(frozen=True)
class Run:
    """A finished run: its settings, outcome and history.

    Attributes:
        settings: what was asked for.
        outcome: how it ended.
        history: every record, as arrays.
        seconds: how long the steps and their recording took.
    """

    __module__ = "gdlab"

    settings: Settings
    outcome: Outcome
    history: History
    seconds: float

    def __repr__(self) -> str:
        o = self.outcome
        return f"Run({o.status} after {o.steps} steps, loss={o.final_loss:.6g}: {o.reason})"

    def _repr_html_(self) -> str:
        from gdlab.display.notebook import html

        return html(self.settings, self.outcome, self.history)


def run(
    loss: "Loss | str | Callable[..., Any]" = "quadratic",
    optimizer: Optimizer | str = "sgd",
    lr: float | None = None,
    *,
    schedule: Schedule | str = "constant",
    start: "Sequence[float] | str | None" = None,
    transform: Transform | None = None,
    stop: Stop | None = None,
    **settings: Any,
) -> Run:
    """Run one experiment and return its history and outcome.

    >>> import gdlab
    >>> run = gdlab.run(loss="quadratic", optimizer="sgd", lr=0.1)
    >>> run.outcome.status.name, run.outcome.steps
    ('CONVERGED', 175)

    Args:
        loss: a name from conf/loss, a `gdlab.Loss`, or a function of one point (D,), which
            needs a start.
        optimizer: a name from conf/optimizer or a `gdlab.Optimizer`.
        lr: the learning rate; None for the optimizer's own, 0.1 for most.
        schedule: a name from conf/schedule or a `gdlab.Schedule`.
        start: D numbers, "random", or None for the loss's own start.
        transform: what is done to the landscape of the loss, a `gdlab.Transform`.
        stop: when the run ends before its last step.
        settings: steps, seed, noise (its scale, or a `gdlab.Noise`), dtype, device and engine
            (a `gdlab.Engine`), as in conf/config.yaml.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    chosen = {"loss": loss, "optimizer": optimizer, "schedule": schedule}
    made: dict[str, Any] = {group: resolve_choice(group, given) for group, given in chosen.items()}
    point: Any = start if start is None or isinstance(start, str) else tuple(start)
    if isinstance(made["loss"], Function) and isinstance(point, tuple):
        made["loss"] = made["loss"].replace(start=point)
    names = {group: given for group, given in chosen.items() if isinstance(given, str)}
    unknown = set(settings) - {"steps", "seed", "noise", "dtype", "device", "engine"}
    if unknown:
        raise SettingError(f"{min(unknown)}: no such setting of gdlab.run")
    made |= {"transform": transform or Transform(), "stop": stop or Stop()}
    rate = made["optimizer"].default_lr if lr is None else lr
    whole = Settings(**made, lr=rate, start=point, choices=names, **settings)
    batch, memory = check_run(whole), Memory()
    with interruptible() as interrupted:
        outcome = execute(whole, batch, [memory], interrupted)
    return Run(whole, outcome, History.join(memory.pieces), memory.seconds)


def execute(
    settings: Settings, batch: Batch, sinks: Sequence[Sink], interrupted: Callable[[], bool]
) -> Outcome:
    """Run a batch of one row to its end, handing its records to the sinks.

    Args:
        settings: the settings of the batch.
        batch: what `batch_of` made of them.
        sinks: they get every record, then the outcome and the seconds that all took.
        interrupted: asked at every step; the run ends once it says true.
    """
    began = time.perf_counter()
    ends, record = Outcomes(batch), settings.record
    try:
        for chunk in advance(batch, interrupted):
            ends.add(chunk)
            for _, piece in split_by_run(chunk, record.every):
                for sink in sinks:
                    sink.write(piece)
    except BaseException:
        _close(sinks, None, time.perf_counter() - began)
        raise
    outcome = ends[0]
    _close(sinks, outcome, time.perf_counter() - began)
    return outcome


def _close(sinks: Sequence[Sink], outcome: Outcome | None, seconds: float) -> None:
    for sink in sinks:
        sink.close(outcome, seconds)
