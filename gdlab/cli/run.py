"""One run from a composed configuration: checked, given a directory, carried out, summed up."""

import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from gdlab.cli import hydra_internals, startup
from gdlab.cli.command import EXIT_FAILED
from gdlab.cli.job_files import JobNote
from gdlab.config.loading import settings_from_config
from gdlab.config.settings import Settings
from gdlab.display.summary import warning
from gdlab.display.terminal import ProgressBar, StepProgress, show_end, show_warning
from gdlab.engine.batch import Batch
from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.recording.files import claim_directory, errors_naming
from gdlab.recording.rate import RateMeter
from gdlab.recording.recorder import RunRecorder
from gdlab.results.ranking import objective
from gdlab.runs.checks import check_run
from gdlab.runs.interruption import Interruption, interruptible
from gdlab.runs.run import execute
from gdlab.runs.sinks import Sink

EXIT_SIGNAL = 128


def run_one(config: DictConfig) -> int:
    """Carry out the run of a composed configuration and return the exit code.

    Everything that can be wrong with the settings is found before a directory is made.

    Raises:
        SettingError: a setting cannot be used.
    """
    settings, batch = check_config(config)
    directory = claim_run_directory(config, partial(_flat, settings=settings))
    with read_write(config.hydra):
        if config.hydra.mode is None:
            hydra_internals.set_mode(config, RunMode.RUN)
        if str(directory) != str(config.hydra.run.dir):
            config.hydra.run.dir = str(directory)
    # Under hydra.job.chdir a relative path would mean another place.
    place = directory.absolute() if config.hydra.job.chdir else directory
    with errors_naming(directory):
        return hydra_internals.run_as_job(config, lambda _: _carry_out(settings, batch, place))


def claim_run_directory(config: DictConfig, renamed: Callable[[Path], Path]) -> Path:
    """Make the directory that a composed configuration names, for one run alone.

    Args:
        config: with its `hydra` node, which becomes Hydra's current one.
        renamed: what to call a directory that the person has not named.

    Raises:
        SettingError: it has no path, cannot be made, or, where the person named it, is not empty.
    """
    hydra_internals.set_current_config(config)
    try:
        wanted = Path(str(OmegaConf.select(config, "hydra.run.dir")))
    except OmegaConfBaseException as error:
        raise SettingError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    words = (str(word).lstrip("+") for word in config.hydra.overrides.hydra)
    is_exact = any(word.startswith("hydra.run.dir=") for word in words)
    return claim_directory(wanted if is_exact else renamed(wanted), exact=is_exact)


def _flat(path: Path, settings: Settings) -> Path:
    """The path with a dot for the slash in a choice such as mgh/beale, which means no folder."""
    text = str(path)
    for choice in settings.choices.values():
        text = text.replace(choice, choice.replace("/", "."))
    return Path(text)


def run_job_of_sweep(config: DictConfig) -> float:
    """Carry out one job of one of Hydra's own launchers, in the directory that it made.

    A job that raises is a failed run of the sweep: the rest go on, and the tables say why.

    Returns:
        What a sweeper that searches makes small: the final loss, +inf where the run was lost.
    """
    own = HydraConfig.get()
    note = JobNote(own)
    directory = Path(own.runtime.output_dir)
    code = EXIT_FAILED
    try:
        settings, batch = check_config(config, dict(own.runtime.choices))
        if any(directory.glob("*history.parquet*")):
            raise SettingError(f"hydra.sweep.dir: {directory} holds a run; a run needs its own")
        code = _carry_out(settings, batch, directory, note)
    except Exception as error:
        note.fail(error)
    if code > EXIT_SIGNAL:
        sys.exit(code)  # who interrupts a run means the sweep
    outcome = note.outcome
    return math.inf if outcome is None else objective(str(outcome.status), outcome.final_loss)


def check_config(
    config: DictConfig, choices: dict[str, str] | None = None
) -> tuple[Settings, Batch]:
    """Read the settings of a composed configuration, check them, and return them with the batch."""
    settings = read_config(config, choices)
    return settings, check_run(settings, check_gradient=bool(config.get("check_gradient")))


def read_config(config: DictConfig, choices: dict[str, str] | None = None) -> Settings:
    """Read the settings of a composed configuration; each is checked by itself only."""
    if choices is None:
        choices = dict(config.hydra.runtime.choices)
        config = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return settings_from_config(config, choices)


def _carry_out(settings: Settings, batch: Batch, directory: Path, *sinks: Sink) -> int:
    """Run, record and sum up."""
    startup.resume_garbage_collection()
    said = warning(settings)
    if said:
        show_warning(said)
    recorder, meter = RunRecorder(directory, settings), RateMeter(settings.steps)
    with interruptible() as interruption, ProgressBar("steps", settings.steps) as bar:
        seeing = [StepProgress(bar), recorder, meter, *sinks]
        outcome = execute(settings, batch, seeing, interruption)
    show_end(settings, batch, outcome, directory, meter.per_step)
    for problem in recorder.problems:
        show_warning(problem)
    return _exit_code(outcome.status, interruption)


def _exit_code(status: Status, interruption: Interruption) -> int:
    """0, 1 for a failed run, 128 plus the signal's number for an interrupted one."""
    if status == Status.INTERRUPTED and interruption.signal is not None:
        return EXIT_SIGNAL + interruption.signal
    return EXIT_FAILED if status == Status.FAILED else 0
