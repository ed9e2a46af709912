"""`gdlab.watch`: records a person's own training loop."""

import dataclasses
import re
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from gdlab.engine.metrics import SHARPNESS
from gdlab.engine.outcome import Outcome
from gdlab.errors import RecordError, SettingError
from gdlab.fields.formatting import describe_type
from gdlab.fields.validation import Range, check_value
from gdlab.paths import user_path
from gdlab.recording.files import existing_folders, remove_unused
from gdlab.recording.lock import claimed
from gdlab.recording.run_plots import RunToDraw, draw_pictures, save_pictures
from gdlab.recording.thinned_path import thinned_path
from gdlab.watching.ending import (
    PATH_EVERY,
    SKIPPED,
    VARIANCE,
    Ended,
    end_of,
    write_config,
    write_ended,
)
from gdlab.watching.events import WatchEvents
from gdlab.watching.limits import STABILITY_LIMIT, TWO_OVER_LR
from gdlab.watching.points import Points
from gdlab.watching.recorder import LoopRecorder
from gdlab.watching.records import MEASURED
from gdlab.watching.sharpness import SharpnessMeter
from gdlab.watching.subject import config_of, parameters_of, settings_of
from gdlab.watching.summary import print_summary

if TYPE_CHECKING:
    from gdlab.results.load import Recorded

_SHARPNESS_EVERY = 100
_MIB = 2**20
_NUMBERED = re.compile(r"x\d+|lr_.*|versions\..*")
_OF_RESULT = {field.name for field in dataclasses.fields(Outcome)} | {"seconds", "seed", "versions"}
_OWN = {"step", SHARPNESS, TWO_OVER_LR, STABILITY_LIMIT, PATH_EVERY, VARIANCE, SKIPPED}
_RESERVED = {*MEASURED, *_OWN, *_OF_RESULT}


def watch(
    model: nn.Module,
    optimizer: "torch.optim.Optimizer | Sequence[torch.optim.Optimizer]",
    directory: str | Path,
    *,
    closure: Callable[[], Tensor] | None = None,
    sharpness_every: int | None = None,
    memory: int = 128,
    figures: bool = True,
    quiet: bool = False,
) -> "Watch":
    """Record a training loop of your own, as a run that gdlab reads, shows and explains.

    >>> import gdlab, tempfile, torch
    >>> folder = tempfile.TemporaryDirectory()
    >>> _ = torch.manual_seed(0)
    >>> inputs, model = torch.randn(64, 3), torch.nn.Linear(3, 1)
    >>> targets = inputs @ torch.tensor([[1.0], [2.0], [3.0]])
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> with gdlab.watch(model, optimizer, f"{folder.name}/linear", quiet=True) as watch:
    ...     for _ in range(20):
    ...         optimizer.zero_grad()
    ...         loss = torch.nn.functional.mse_loss(model(inputs), targets)
    ...         loss.backward()
    ...         optimizer.step()
    ...         watch.step(loss)
    >>> watch.run.outcome.diagnosis, len(watch.run.history)
    ('descending', 20)
    >>> folder.cleanup()

    Nothing of the training changes by a bit, but for its time. Hooks of the optimizer see each step
    before it is taken; so `lr` is the one that the step used, whenever a scheduler changes it, and
    the gradient is the one that it used, after clipping. An exception is recorded and raised.

    Args:
        model: what is trained, any module.
        optimizer: what trains it, one of torch.optim or of your own class; or several, as a list.
        directory: a new or empty folder for the files of the run.
        closure: returns the loss on a fixed batch, without calling `backward`; the sharpness is
            measured with it, in evaluation mode.
        sharpness_every: at steps 0, n, 2n, …; 100 with a closure.
        memory: MiB for the path of the weights. While they fit, the weights of every step are kept,
            of a model of more than 512 weights for 128 steps; then every other one, every fourth
            and so on, evenly over all steps. Of a model too large for 128 points, every k-th
            weight is kept.
        figures: whether to draw the path, and the sharpness beside its limits, at the end.
        quiet: whether to print nothing at the end.

    Returns:
        A context, in which `step` is called once for each pass of the loop.

    Raises:
        SettingError: an argument is not what it must be, or the folder is not empty.
    """
    if not isinstance(model, nn.Module):
        raise SettingError(f"model: must be a torch.nn.Module, was {describe_type(model)}")
    optimizers = _optimizers_of(optimizer)
    _refuse_lazy(model)
    own = {*model.parameters()}
    if own.isdisjoint(parameters_of(optimizers)):
        raise SettingError("optimizer: holds no parameter of the model")
    if closure is not None and not callable(closure):
        raise SettingError(f"closure: must be a function, was {describe_type(closure)}")
    if closure is None and sharpness_every is not None:
        why = "needs closure, a function that returns the loss on a fixed batch"
        raise SettingError(f"sharpness_every={sharpness_every}: {why}")
    every = check_value("sharpness_every", sharpness_every, int | None, Range(ge=1))
    room = check_value("memory", memory, int, Range(ge=1))
    path = user_path(check_value("directory", directory, str, Range()))
    meter = None
    if closure is not None:
        meter = SharpnessMeter(closure, model, lambda: parameters_of(optimizers))
    how = _How(meter, every or _SHARPNESS_EVERY, room * _MIB, bool(figures), bool(quiet))
    return Watch(model, optimizers, path, how)


@dataclass(frozen=True)
class _How:
    """How a loop is watched: the arguments of `watch`, the memory in bytes."""

    meter: SharpnessMeter | None
    sharpness_every: int
    memory: int
    figures: bool
    quiet: bool


def _optimizers_of(given: Any) -> list[torch.optim.Optimizer]:
    """Return one optimizer or several as a list.

    Raises:
        SettingError: it is neither.
    """
    optimizers = list(given) if isinstance(given, Sequence) else [given]
    for each in optimizers:
        if not isinstance(each, torch.optim.Optimizer):
            what = f"must be a torch.optim.Optimizer or a list of them, was {describe_type(each)}"
            raise SettingError(f"optimizer: {what}")
    if len({id(each) for each in optimizers}) < len(optimizers):
        raise SettingError("optimizer: the list has the same optimizer twice")
    if not optimizers:
        raise SettingError("optimizer: must be a torch.optim.Optimizer or a list of them, was []")
    return optimizers


def _refuse_lazy(model: nn.Module) -> None:
    """Refuse a model with parameters that have no shape yet.

    Raises:
        SettingError: it has some.
    """
    for name, parameter in model.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            way = "call the model with a batch before gdlab.watch"
            raise SettingError(f"model: {name} has no shape yet (a lazy module); {way}")


class Watch:
    """A loop that is being recorded: what `gdlab.watch` returns.

    >>> import gdlab, torch
    >>> model = torch.nn.Linear(2, 1)
    >>> gdlab.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), "runs/mine")
    Watch(Linear, 0 steps, runs/mine)

    Attributes:
        directory: where its files are.
        summary: what is printed at the end; empty until then.
        problems: a message for each picture that could not be drawn.
    """

    __module__ = "gdlab"

    def __init__(
        self,
        model: nn.Module,
        optimizers: list[torch.optim.Optimizer],
        directory: Path,
        how: _How,
    ) -> None:
        self.directory, self.problems, self.summary = directory, list[str](), ""
        self._model, self._optimizers, self._how = model, optimizers, how
        self._recorder: LoopRecorder | None = None
        self._stack = ExitStack()
        self._is_recorded = False

    def __repr__(self) -> str:
        count = 0 if self._recorder is None else self._recorder.records.count
        return f"Watch({type(self._model).__name__}, {count} steps, {self.directory})"

    def __enter__(self) -> Self:
        if self._recorder is not None:
            raise SettingError(f"directory={self.directory}: a watch is used once; make a new one")
        self._folders = existing_folders(self.directory)
        claim = claimed(self.directory, exact=True, setting="directory")
        self._stack.enter_context(claim)
        self._began = time.time()
        self._settings = settings_of(self._model, self._optimizers, self._began)
        self._config = config_of(self._settings, self._optimizers)
        write_config(self.directory, self._config, self._settings.choices)
        self._events = WatchEvents(self.directory, self._config)
        points = Points(lambda: parameters_of(self._optimizers), self._how.memory)
        known = self._settings.optimizer
        self._recorder = LoopRecorder(self._optimizers, known, points, self._events.write)
        if self._how.meter is not None:
            self._recorder.measure(self._how.meter, self._how.sharpness_every)
        return self

    def step(self, loss: Tensor | float, **numbers: Tensor | float) -> None:
        """Record a step: call it once in each pass of the loop, after `optimizer.step()`.

        In a pass in which the optimizer takes no step, as where a `GradScaler` skips it, the
        weights stay, and the step is recorded too.

        Args:
            loss: the loss of this pass, a tensor of one number or a number.
            numbers: further numbers to record by name, such as accuracy=0.9; not all of them in
                each pass.

        Raises:
            SettingError: the loss or a number is none, a name is taken, or the watch is over.
        """
        if self._recorder is None or self._is_recorded:
            raise SettingError("watch.step(loss): works inside `with gdlab.watch(…) as watch` only")
        checked = {name: _checked(name, value) for name, value in numbers.items()}
        self._recorder.end_step(loss, checked)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        recorder = self._recorder
        assert recorder is not None
        recorder.stop()
        with self._stack:
            recorder.read()
            if not recorder.records.count:
                remove_unused(self.directory, self._folders)
                if error is None and recorder.has_unrecorded_step:
                    what = f"directory={self.directory}: nothing was recorded"
                    way = "call watch.step(loss) after each optimizer.step()"
                    warnings.warn(f"{what}; {way}", stacklevel=2)
                return
            ended = end_of(
                self._settings, recorder.records, recorder.points, recorder.skipped, error
            )
            self._write(ended)
        self._is_recorded = True
        self.summary = print_summary(ended, self.directory, quiet=self._how.quiet)

    def _write(self, ended: Ended) -> None:
        """Write the files of the run."""
        write_ended(self.directory, ended, self._config, time.time() - self._began)
        path = thinned_path(ended.settings, ended.history) if self._how.figures else None
        if path is not None:
            pictures, self.problems = draw_pictures(RunToDraw(ended.settings, path))
            save_pictures(self.directory, pictures, self._events.writer)
        self._events.close(ended.outcome)

    @property
    def run(self) -> "Recorded":
        """The recorded run, as `gdlab.load` reads it.

        Raises:
            RecordError: the loop has not ended, or no step was recorded.
        """
        from gdlab.results.load import load

        if not self._is_recorded:
            raise RecordError(f"{self.directory}: holds no run: no loop of a step has ended")
        return load(self.directory)


def _checked(name: str, value: Any) -> float:
    """Return a further number.

    Raises:
        SettingError: it is none, or its name is taken.
    """
    if name in _RESERVED or _NUMBERED.fullmatch(name):
        raise SettingError(f"{name}: is recorded by the watch itself; choose another name")
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value.detach())
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{name}: must be one number, was {describe_type(value)}") from error
