"""One run from a composed configuration: checked, given a directory, carried out, summed up."""

from collections.abc import Callable, Sequence
from pathlib import Path

from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, read_write

from gdlab.batch import Batch
from gdlab.experiment import Interruption, execute, interruptible
from gdlab.plan import batch_of
from gdlab.recording.recorder import RunRecorder
from gdlab.recording.run_dir import claim
from gdlab.screen import Progress, show_end, show_warning
from gdlab.settings import Settings, from_config
from gdlab.status import Status
from gdlab.summary import warning

EXIT_FAILED = 1
_EXIT_SIGNAL = 128


def run_one(config: DictConfig, overrides: Sequence[str]) -> int:
    """Carry out the run of a composed configuration and return the exit code.

    Everything that can be wrong with the settings is found before a directory is made.

    Raises:
        SettingError: a setting cannot be used.
    """
    settings, batch = _checked(config)
    HydraConfig.instance().set_config(config)
    wanted = Path(str(OmegaConf.select(config, "hydra.run.dir")))
    is_exact = any(o.lstrip("+").startswith("hydra.run.dir=") for o in overrides)
    directory = claim(wanted, exact=is_exact)
    with read_write(config.hydra):
        config.hydra.mode = RunMode.RUN
        if directory != wanted:
            config.hydra.run.dir = str(directory)
    return _as_job(config, lambda _: _carry_out(settings, batch, directory))


def run_job_of_sweep(config: DictConfig) -> int:
    """Carry out one job of one of Hydra's own launchers, in the directory that it made."""
    settings, batch = _checked(config, dict(HydraConfig.get().runtime.choices))
    return _carry_out(settings, batch, Path(HydraConfig.get().runtime.output_dir))


def _checked(config: DictConfig, choices: dict[str, str] | None = None) -> tuple[Settings, Batch]:
    """The settings and the batch of a composed configuration."""
    if choices is None:
        choices = dict(config.hydra.runtime.choices)
        config = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    settings = from_config(config, choices)
    return settings, batch_of(settings)


def _as_job(config: DictConfig, task: Callable[[DictConfig], int]) -> int:
    """Let Hydra write its own files into the run's directory and call the task."""
    callbacks = Callbacks(config)
    callbacks.on_run_start(config=config, config_name=config.hydra.job.config_name)
    loader = GlobalHydra.instance().config_loader()
    done = run_job(
        task_function=task,
        config=config,
        job_dir_key="hydra.run.dir",
        job_subdir_key=None,
        hydra_context=HydraContext(config_loader=loader, callbacks=callbacks),
    )
    callbacks.on_run_end(config=config, config_name=config.hydra.job.config_name, job_return=done)
    return done.return_value


def _carry_out(settings: Settings, batch: Batch, directory: Path) -> int:
    """Run, record and sum up."""
    said = warning(settings)
    if said:
        show_warning(said)
    recorder = RunRecorder(directory, settings)
    with interruptible() as interruption, Progress(settings.steps) as progress:
        outcome = execute(settings, batch, [progress, recorder], interruption)
    show_end(settings, batch, outcome, directory)
    return _exit_code(outcome.status, interruption)


def _exit_code(status: Status, interruption: Interruption) -> int:
    """0, 1 for a failed run, 128 plus the signal's number for an interrupted one."""
    if status == Status.INTERRUPTED and interruption.signal is not None:
        return _EXIT_SIGNAL + interruption.signal
    return EXIT_FAILED if status == Status.FAILED else 0
