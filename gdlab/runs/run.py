"""One experiment from Python: `gdlab.run`."""

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdlab.config.every_error import with_every_error
from gdlab.config.loading import DEFAULT_CHOICES, settings_from_flat, unfinished_choice
from gdlab.config.python import FullNames
from gdlab.config.settings import GROUPS, TOP, Settings
from gdlab.console import visible
from gdlab.display.summary import explanation
from gdlab.engine.batch import Batch, Stop
from gdlab.engine.chunk import Chunk
from gdlab.engine.failures import failed_part
from gdlab.engine.history import History, split_by_run
from gdlab.engine.loop import advance
from gdlab.engine.outcome import Outcome, Outcomes
from gdlab.errors import SettingError, describe_error, describe_gpu_memory, where_raised
from gdlab.fields.validation import Range, check_value
from gdlab.losses.transform import Transform
from gdlab.numerics.threads import one_thread
from gdlab.paths import user_path
from gdlab.plots.style import Size
from gdlab.recording.figures import Look
from gdlab.recording.lock import claimed
from gdlab.recording.recorder import RunRecorder
from gdlab.recording.run_plots import loss_title
from gdlab.recording.settings_file import write_settings
from gdlab.runs.batching import batch_of
from gdlab.runs.checks import check_run
from gdlab.runs.sinks import MemorySink, Sink
from gdlab.schedules import Schedule
from gdlab.theory import diagnose

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from gdlab.viewer.notebook import View


@dataclass(frozen=True)
class Run:
    """A finished run: its settings, outcome and history.

    >>> import gdlab
    >>> gdlab.run("quadratic", "sgd", lr=0.1)
    Run(quadratic, sgd, lr=0.1: converged at step 175, loss 4.8289e-17)

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
        settings = self.settings
        what = f"{loss_title(settings)}, {settings.name('optimizer')}, lr={settings.lr:g}"
        return f"Run({visible(f'{what}: {self.outcome.short}')})"

    def explain(self) -> str | None:
        """Say what happened, and what to try: the second line of a summary on the command line.

        >>> import gdlab
        >>> for part in gdlab.run("rosenbrock", lr=0.1).explain().split("; "):
        ...     print(part)
        unstable: lr=0.1 is above 2/λ_max = 0.00133 at the start
        try lr=0.001: the loss is 0.4535 after 1000 steps

        Other settings are run before they are named, which may take as long as the run;
        `outcome.explanation` has what happened only.

        Returns:
            A sentence, or None where nothing is known.
        """
        return explanation(self.settings, batch_of(self.settings), self.outcome)

    def plot(
        self,
        kind: str | None = None,
        *,
        title: str | None = None,
        size: Size | None = None,
        path: str | Path | None = None,
    ) -> "Figure":
        """Draw a picture of the run.

        >>> import gdlab
        >>> run = gdlab.run("rosenbrock", "adam", lr=0.05)
        >>> figure = run.plot("loss", title="Adam in the valley")
        >>> figure.axes[0].get_ylabel()
        'loss above the minimum'

        Args:
            kind: "trajectory", the path on the loss; "loss", over the steps, with that of held-out
                examples; "convergence", beside the bound that theory predicts; "stability", the
                sharpness beside its edge, where `record.sharpness_every` asks for it. None for the
                first that the run has.
            title: the first line; None for the loss, the optimizer and lr.
            size: width and height in inches, 3 to 40; None for what the picture needs.
            path: a file to write it to, that ends in .png, .svg or .pdf.

        Returns:
            The figure, which pyplot does not know. In a notebook it shows itself.

        Raises:
            SettingError: there is no such kind, this run has no such picture, or the path has
                another ending.
        """
        from gdlab.runs.plot import draw_run

        return draw_run(self.settings, self.outcome, self.history, kind, Look(title, size, path))

    def view(self) -> "View":
        """Show the path on its landscape in the viewer, which moves.

        >>> import gdlab
        >>> gdlab.run("rosenbrock", "adam", lr=0.05, steps=100).view()
        View(title='rosenbrock, adam, lr=0.05')

        Returns:
            What a notebook shows as the viewer. `save("run.html")` writes it as a file that opens
            in any browser, without a network.
        """
        from gdlab.runs.view import view_run

        return view_run(self.settings, self.outcome, self.history, self.seconds)

    def module(self, which: int | str = "last") -> "nn.Module":
        """Return the network of the run, as a `torch.nn.Module` with the parameters of a record.

        >>> import gdlab
        >>> gdlab.run("mlp", widths=[3], activation="relu", steps=5).module("best")[1]
        ReLU()

        Args:
            which: "last"; "best", the lowest loss on held-out examples, or without any the lowest
                loss; or a step that was recorded.

        Raises:
            SettingError: there is no such record, or the loss is no network.
        """
        from gdlab.runs.module import module_of_run

        return module_of_run(self.settings, self.history, which)

    def _repr_html_(self) -> str:
        from gdlab.display.notebook import html

        return html(self.settings, self.outcome, self.history)


def run(
    loss: Any = "quadratic",
    optimizer: Any = "sgd",
    lr: float | None = None,
    *,
    schedule: Schedule | str = "constant",
    start: "Sequence[float] | Mapping[str, float] | str | None" = None,
    transform: Transform | None = None,
    stop: Stop | None = None,
    directory: str | Path | None = None,
    **settings: Any,
) -> Run:
    """Run one experiment and return its history and outcome.

    >>> import gdlab
    >>> run = gdlab.run(loss="quadratic", optimizer="sgd", lr=0.1)
    >>> run.outcome.status.name, run.outcome.steps
    ('CONVERGED', 175)
    >>> run = gdlab.run("expression", formula="(x - 1)**2 + y**2", start={"x": 3, "y": 1})
    >>> run.history.x[0].tolist()
    [3.0, 1.0]
    >>> features, targets = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> gdlab.run("mse", data=(features, targets), lr=0.3)
    Run(mse, sgd, lr=0.3: converged at step 92, loss 7.95444e-17)

    Signals are the caller's: Ctrl-C raises KeyboardInterrupt, SIGTERM ends the program.

    Args:
        loss: a name from conf/loss, a `gdlab.Loss` or its class, a function of one point (D,),
            which requires `start`, or a `torch.nn.Module` or its class, which requires `data`.
        optimizer: a name from conf/optimizer, a `gdlab.Optimizer` or its class, or a class of
            torch.optim, with its arguments by their names.
        lr: the learning rate; None for the optimizer's default, usually 0.1.
        schedule: a name from conf/schedule or a `gdlab.Schedule`.
        start: D numbers, in order or by the names of the coordinates, "random", or None for the
            loss's default start.
        transform: a `gdlab.Transform` of the loss.
        stop: when the run ends before its last step, a `gdlab.Stop`.
        directory: a new or empty folder for the files that a run on the command line leaves; None
            to write nothing.
        settings: further settings by their names in conf/config.yaml, such as steps, seed and
            noise; those with a dot as `**{"loss.condition": 10}`. A setting of the loss, the
            optimizer or the schedule also by its own name, as `momentum=0.9`, where only one of
            them has it. The `data` of a loss may be a data frame or a pair (features, targets) of
            arrays or tensors.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range, or the loss, the
            optimizer or the schedule fails before the first step is taken. Later failures are
            outcomes.
    """
    optional = {"lr": lr, "start": start, "transform": transform, "stop": stop}
    given = {"loss": loss, "optimizer": optimizer, "schedule": schedule, **settings}
    given |= {key: value for key, value in optional.items() if value is not None}
    all_settings, batch = with_every_error(_prepare, given)
    memory, began = MemorySink(), time.perf_counter()
    chunks = _refuse_failed_start(all_settings, advance(batch))
    with ExitStack() as stack:
        recorders: list[RunRecorder] = []
        if directory is not None:
            path = user_path(check_value("directory", directory, str, Range()))
            claim = claimed(path, exact=True, setting="directory")
            folder = stack.enter_context(claim)
            write_settings(folder, all_settings)
            recorders.append(RunRecorder(folder, all_settings))
        stack.enter_context(one_thread())  # a process forked later could not use torch's threads
        outcome = record(all_settings, batch, chunks, [memory, *recorders], began)
    for problem in (problem for recorder in recorders for problem in recorder.problems):
        warnings.warn(problem, stacklevel=2)
    return Run(all_settings, outcome, History.join(memory.pieces), memory.seconds)


def _prepare(given: Mapping[str, Any]) -> tuple[Settings, Batch]:
    """Return the settings and the batch of a run from what Python gives, all checked."""
    choices = DEFAULT_CHOICES | dict(given)
    names = FullNames(TOP, lambda: {g: [unfinished_choice(g, choices[g])] for g in GROUPS})
    settings = settings_from_flat(names.spell_out(given))
    return settings, check_run(settings)


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
    return record(settings, batch, advance(batch, interrupted), sinks, time.perf_counter())


def _refuse_failed_start(settings: Settings, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Return the chunks of a run, unless it fails before its first step.

    Raises:
        SettingError: it does; names the setting and says why.
    """
    first = next(chunks)
    error = first.error
    if error is not None and int(first.first + first.last[0]) == 0:
        part, where = failed_part(error), where_raised(error)
        # Without a line of the user's, the error is gdlab's own and says what must be.
        said = describe_error(error) if where else " ".join(str(error).split())
        said = describe_gpu_memory(error) or f"{said}{where}"
        raise SettingError(f"{part}={settings.name(part)}: {said}") from error
    return chain([first], chunks)


def record(
    settings: Settings,
    batch: Batch,
    chunks: Iterable[Chunk],
    sinks: Sequence[Sink],
    start: float,
    *,
    diagnosed: bool = True,
) -> Outcome:
    """Pass the records of a batch of one row to the sinks, and then its outcome.

    Args:
        settings: the settings of the run.
        batch: the batch.
        chunks: what `advance` yields for it.
        sinks: they receive every record, then the outcome and the elapsed seconds.
        start: when the run began, by `time.perf_counter`.
        diagnosed: whether the outcome says why the run ended as it did.
    """
    outcomes = Outcomes(batch)
    try:
        for chunk in chunks:
            outcomes.add(chunk)
            for _, piece in split_by_run(chunk, settings.record.every):
                for sink in sinks:
                    sink.write(piece)
    except BaseException:
        _close(sinks, None, time.perf_counter() - start)
        raise
    if diagnosed:
        diagnose(batch, outcomes)
    outcome = outcomes[0]
    _close(sinks, outcome, time.perf_counter() - start)
    return outcome


def _close(sinks: Sequence[Sink], outcome: Outcome | None, seconds: float) -> None:
    for sink in sinks:
        sink.close(outcome, seconds)
