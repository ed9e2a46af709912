"""One experiment from Python: `gdlab.run`."""

import time
from collections.abc import Callable, Mapping, Sequence
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
from gdlab.numerics.threads import one_thread
from gdlab.optimizers.base import Optimizer
from gdlab.runs.checks import check_run
from gdlab.runs.sinks import MemorySink, Sink
from gdlab.schedules import Schedule


@dataclass(frozen=True)
class Run:
    """A finished run: its settings, outcome and history.

    Attributes:
        settings: the settings.
        outcome: how it ended.
        history: all records, as arrays.
        seconds: the time of the steps and their recording.
    """

    __module__ = "gdlab"

    settings: Settings
    outcome: Outcome
    history: History
    seconds: float

    def __repr__(self) -> str:
        end = self.outcome
        loss = f"loss={end.final_loss:.6g}"
        return f"Run({end.status} after {end.steps} steps, {loss}: {end.reason})"

    def _repr_html_(self) -> str:
        from gdlab.display.notebook import html

        return html(self.settings, self.outcome, self.history)


def run(
    loss: "Loss | str | Callable[..., Any]" = "quadratic",
    optimizer: Optimizer | str = "sgd",
    lr: float | None = None,
    *,
    schedule: Schedule | str = "constant",
    start: "Sequence[float] | Mapping[str, float] | str | None" = None,
    transform: Transform | None = None,
    stop: Stop | None = None,
    **settings: Any,
) -> Run:
    """Run one experiment and return its history and outcome.

    >>> import gdlab
    >>> run = gdlab.run(loss="quadratic", optimizer="sgd", lr=0.1)
    >>> run.outcome.status.name, run.outcome.steps
    ('CONVERGED', 175)

    Signals are the caller's: Ctrl-C raises KeyboardInterrupt, SIGTERM ends the program.

    Args:
        loss: a name from conf/loss, a `gdlab.Loss`, or a function of one point (D,), which
            requires `start`.
        optimizer: a name from conf/optimizer or a `gdlab.Optimizer`.
        lr: the learning rate; None for the optimizer's default, usually 0.1.
        schedule: a name from conf/schedule or a `gdlab.Schedule`.
        start: D numbers, in order or by the names of the coordinates, "random", or None for the
            loss's default start.
        transform: a `gdlab.Transform` of the loss.
        stop: when the run ends before its last step, a `gdlab.Stop`.
        settings: steps, seed, noise (a scale or a `gdlab.Noise`), dtype, device and engine (a
            `gdlab.Engine`), as in conf/config.yaml.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    choices = {"loss": loss, "optimizer": optimizer, "schedule": schedule}
    groups: dict[str, Any] = {
        group: resolve_choice(group, choice) for group, choice in choices.items()
    }
    point: Any = start
    if start is not None and not isinstance(start, (str, Mapping)):
        point = tuple(start)
    if isinstance(groups["loss"], Function) and isinstance(point, tuple):
        groups["loss"] = groups["loss"].replace(start=point)
    names = {group: choice for group, choice in choices.items() if isinstance(choice, str)}
    unknown = set(settings) - {"steps", "seed", "noise", "dtype", "device", "engine"}
    if unknown:
        raise SettingError(f"{min(unknown)}: no such setting of gdlab.run")
    groups |= {"transform": transform or Transform(), "stop": stop or Stop()}
    rate = groups["optimizer"].default_lr if lr is None else lr
    all_settings = Settings(**groups, lr=rate, start=point, choices=names, **settings)
    batch, memory = check_run(all_settings), MemorySink()
    with one_thread():  # a process that is forked later could not use threads of torch
        outcome = execute(all_settings, batch, [memory])
    return Run(all_settings, outcome, History.join(memory.pieces), memory.seconds)


def execute(
    settings: Settings,
    batch: Batch,
    sinks: Sequence[Sink],
    interrupted: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run a batch of one row to its end, and pass its records to the sinks.

    Args:
        settings: the settings of the run.
        batch: the batch that `batch_of` made from them.
        sinks: they receive every record, then the outcome and the elapsed seconds.
        interrupted: called at every step; the run ends once it returns True.
    """
    start = time.perf_counter()
    outcomes, record = Outcomes(batch), settings.record
    try:
        for chunk in advance(batch, interrupted):
            outcomes.add(chunk)
            for _, piece in split_by_run(chunk, record.every):
                for sink in sinks:
                    sink.write(piece)
    except BaseException:
        _close(sinks, None, time.perf_counter() - start)
        raise
    outcome = outcomes[0]
    _close(sinks, outcome, time.perf_counter() - start)
    return outcome


def _close(sinks: Sequence[Sink], outcome: Outcome | None, seconds: float) -> None:
    for sink in sinks:
        sink.close(outcome, seconds)
