"""One run from a composed configuration: check it, claim a directory, run, print a summary."""

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, read_write

from gdlab.cli import hydra_internals, output, startup
from gdlab.cli.command import exit_code
from gdlab.cli.hydra_checks import check_hydra
from gdlab.cli.job_files import JobNote
from gdlab.config.loading import settings_from_config, unwanted_statuses
from gdlab.config.overrides import FAIL_ON
from gdlab.config.settings import Settings
from gdlab.display.summary import warning
from gdlab.display.terminal import ProgressBar, StepProgress, show_end, show_warning
from gdlab.engine.batch import Batch
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.errors import CUSTOM_ERRORS, SettingError, describe_error
from gdlab.paths import user_path
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.files import errors_naming, existing_folders, remove_unused
from gdlab.recording.lock import claimed
from gdlab.recording.names import RESULT
from gdlab.recording.rate import RateMeter
from gdlab.recording.recorder import RunRecorder
from gdlab.results.ranking import objective
from gdlab.runs.checks import check_run
from gdlab.runs.interruption import interruptible
from gdlab.runs.run import execute
from gdlab.runs.sinks import Sink

EXIT_SIGNAL = 128


def run_one(config: DictConfig) -> int:
    """Run what a composed configuration describes and return the exit code.

    All checks of the settings come before a directory is made.

    Raises:
        SettingError: a setting cannot be used.
    """
    settings, batch = check_config(config)
    unwanted = read_unwanted(config)
    if config.get("dry_run"):
        raise SettingError("dry_run=true: needs a sweep; add -m")
    check_hydra(config)
    callbacks = hydra_internals.make_callbacks(config)
    kept = existing_folders(user_path(hydra_internals.resolve(config, "hydra.run.dir")))
    has_begun = False

    def task(_: DictConfig) -> int:
        nonlocal has_begun
        has_begun = True
        outcome, code = _execute(settings, batch, path)
        output.print_json(partial(_read_result, path))
        return code or exit_code([str(outcome.status)], unwanted)

    name = partial(_plain_name, settings=settings)
    with claimed_run_directory(config, name) as directory, errors_naming(directory):
        if hydra_internals.select(config, "hydra.mode") is None:
            hydra_internals.set_mode(config, RunMode.RUN)
        with read_write(config.hydra):
            if str(directory) != str(config.hydra.run.dir):
                config.hydra.run.dir = str(directory)
        # Under hydra.job.chdir a relative path would point elsewhere.
        path = directory.absolute() if config.hydra.job.chdir else directory
        try:
            return hydra_internals.run_as_job(config, callbacks, task)
        except Exception as error:
            if has_begun or isinstance(error, OSError):
                raise
            # Hydra could not set up the job, with an error of any type.
            remove_unused(directory, kept)
            why = f"cannot set up the run ({describe_error(error)})"
            raise SettingError(f"hydra: {why}") from error


@contextmanager
def claimed_run_directory(config: DictConfig, rename: Callable[[Path], Path]) -> Iterator[Path]:
    """Make the directory that a composed configuration names, and hold its lock during a run.

    Args:
        config: including its `hydra` node, which becomes Hydra's current one.
        rename: returns the path to use where the command does not set `hydra.run.dir`.

    Raises:
        SettingError: the directory has no path, cannot be made, or was named by the command and is
            not empty or in use.
    """
    hydra_internals.set_current_config(config)
    wanted = user_path(hydra_internals.resolve(config, "hydra.run.dir"))
    is_named = hydra_internals.is_typed(config, "hydra.run.dir")
    path = wanted if is_named else rename(wanted)
    with claimed(path, exact=is_named, setting="hydra.run.dir") as directory:
        yield directory


def _plain_name(path: Path, settings: Settings) -> Path:
    """Give lr six digits, and replace the slash of a choice such as mgh/beale by a dot."""
    text = str(path).replace(f"lr={settings.lr}", f"lr={settings.lr:.6g}")
    for choice in settings.choices.values():
        text = text.replace(choice, choice.replace("/", "."))
    return Path(text)


def run_job_of_sweep(config: DictConfig) -> float:
    """Run one job of one of Hydra's own launchers, in the directory that the launcher made.

    A job that raises is a failed run of the sweep: the others continue, and the tables give the
    reason.

    Returns:
        What a searching sweeper minimizes: the final loss, or +inf if the run diverged or failed.
    """
    hydra = HydraConfig.get()
    note = JobNote(hydra)
    directory = Path(hydra.runtime.output_dir)
    code = 0
    try:
        # Under hydra.job.chdir the job is in its own directory; data files are where one typed.
        with chdir(hydra.runtime.cwd):
            settings, batch = check_config(config, dict(hydra.runtime.choices))
        if any(directory.glob("*history.parquet*")):
            raise SettingError(f"hydra.sweep.dir: {directory} holds a run; a run needs its own")
        _, code = _execute(settings, batch, directory, note)
    except CUSTOM_ERRORS as error:
        note.fail(error)
    if code:
        sys.exit(code)  # an interrupt of a run ends the whole sweep
    outcome = note.outcome
    return math.inf if outcome is None else objective(str(outcome.status), outcome.final_loss)


def check_config(
    config: DictConfig, choices: dict[str, str] | None = None
) -> tuple[Settings, Batch]:
    """Read the settings of a composed configuration, check them, and return them with the batch."""
    settings = read_config(config, choices)
    return settings, check_run(settings, check_gradient=bool(config.get("check_gradient")))


def read_config(config: DictConfig, choices: dict[str, str] | None = None) -> Settings:
    """Read the settings of a composed configuration; each is checked by itself only.

    Args:
        config: including its `hydra` node, unless the job of a sweep runs.
        choices: the names chosen for the groups; None if the `hydra` node has them.
    """
    if choices is not None:
        return settings_from_config(config, choices)
    own = hydra_internals.without_hydra(config)
    with hydra_internals.current_config(config):
        return settings_from_config(own, dict(config.hydra.runtime.choices))


def read_unwanted(config: DictConfig) -> frozenset[str]:
    """Return the statuses that `fail_on` of a composed configuration names.

    Raises:
        SettingError: one is no status.
    """
    return unwanted_statuses(config.get(FAIL_ON))


def _execute(
    settings: Settings, batch: Batch, directory: Path, *sinks: Sink
) -> tuple[Outcome, int]:
    """Run a batch of one, record it and print its summary.

    Returns:
        How it ended, and the exit code if a signal ended it, 128 plus the signal's number, else 0.
    """
    startup.resume_garbage_collection()
    text = warning(settings)
    if text:
        show_warning(text)
    recorder, meter = RunRecorder(directory, settings), RateMeter(settings)
    bar = ProgressBar("steps", settings.most_steps)
    with interruptible(show_warning) as interruption, bar:
        all_sinks = [StepProgress(bar), recorder, meter, *sinks]
        outcome = execute(settings, batch, all_sinks, interruption)
    show_end(settings, batch, outcome, directory, meter.per_step)
    for problem in recorder.problems:
        show_warning(problem)
    signal = interruption.signal if outcome.status == Status.INTERRUPTED else None
    return outcome, 0 if signal is None else EXIT_SIGNAL + signal


def _read_result(directory: Path) -> dict[str, Any]:
    """Return what a run's directory says of its end, and the directory."""
    result = json.loads(VerifiedFiles(directory).read_text(RESULT))
    return {"directory": str(directory), **result}
