"""Everything in Hydra that gdlab uses but Hydra does not document; no other module touches it.

Written for hydra-core 1.3.8 to 1.4. `tests/cli/test_hydra_internals.py` names each private part,
so that a new Hydra without it fails there first. Imports no torch.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, Self

import hydra
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import configure_log, env_override, run_job
from hydra.experimental.callback import Callback
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from gdlab.cli.class_source import CLASSES
from gdlab.errors import CUSTOM_ERRORS, SettingError, describe_error, first_line


def defaults_of_hydra() -> dict[str, str]:
    """Return the arguments of `hydra.main` and `initialize_config_dir` that ask for 1.3's defaults.

    Hydra below 1.4 wants `version_base` and warns without it; from 1.4 on there is one set of
    defaults, which is that of 1.3, and naming any version warns.
    """
    return {"version_base": "1.3"} if _is_before_1_4() else {}


def make_argument_parser() -> argparse.ArgumentParser:
    """Make the parser of Hydra's own command lines."""
    return get_args_parser()


def config_loader() -> ConfigLoader:
    """Return what composes configurations in the running Hydra."""
    return _running_hydra().config_loader


class _Repository(ConfigRepository):
    """The sources of configurations; Hydra copies them, with all they hold, at each composition."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy with the same sources: a copy replaces its list, never what it holds."""
        return copy(self)


class _Loader(ConfigLoaderImpl):
    """A loader whose configurations list as their sources what plain Hydra would list."""

    def __init__(self, search: ConfigSearchPath) -> None:
        super().__init__(search)
        self.repository = _Repository(search)

    def load_configuration(self, *args: Any, **kwargs: Any) -> DictConfig:
        config = super().load_configuration(*args, **kwargs)
        runtime = config.hydra.runtime
        with read_write(runtime):
            runtime.config_sources = [s for s in runtime.config_sources if s.schema != CLASSES]
        return config


def set_config_folders(conf: Path, folder: Path | None) -> None:
    """Tell the running Hydra where to look for configurations, besides its plugins.

    Args:
        conf: the first folder.
        folder: one more, put where `--config-dir` of `hydra.main` puts it; None for none.
    """
    search = create_config_search_path(str(conf))
    if folder is not None:
        search.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema"))
    # A loader reads its search path only once, when it is made.
    _running_hydra().config_loader = _Loader(search)


def compose_sweep(name: str, overrides: Sequence[str]) -> DictConfig:
    """Compose the configuration of a sweep, including its `hydra` node.

    Args:
        name: of the configuration.
        overrides: the sweep's; those with several values are left to its sweeper.
    """
    return _running_hydra().compose_config(name, list(overrides), RunMode.MULTIRUN)


def configure_logging(config: DictConfig) -> None:
    """Set up the logging of Hydra itself, as `hydra.main` does for a sweep.

    Raises:
        SettingError: the configuration of logging is wrong.
    """
    try:
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    except Exception as error:  # from the standard library, of whatever type
        raise SettingError(f"hydra.hydra_logging: cannot be set up ({error})") from error


def make_callbacks(config: DictConfig) -> Callbacks:
    """Make the callbacks of a configuration.

    Raises:
        SettingError: one cannot be made.
    """
    try:
        return Callbacks(config)
    except CUSTOM_ERRORS as error:
        raise SettingError(f"hydra.callbacks: cannot be made ({describe_error(error)})") from error


def callbacks_of_jobs(context: HydraContext) -> list[str]:
    """Return the names of the callbacks that want to be called for each job."""
    events = ("on_job_start", "on_job_end")
    return [
        type(callback).__name__
        for callback in context.callbacks.callbacks
        if any(getattr(type(callback), e, None) not in (None, getattr(Callback, e)) for e in events)
    ]


@contextmanager
def errors_raised() -> Iterator[None]:
    """Let `hydra.main` raise its errors; else it prints them and exits."""
    with env_override({"HYDRA_FULL_ERROR": "1"}):
        yield


def set_current_config(config: DictConfig) -> None:
    """Make a configuration the one that `HydraConfig.get()` and `${hydra:…}` refer to."""
    HydraConfig.instance().set_config(config)


@contextmanager
def current_config(config: DictConfig) -> Iterator[None]:
    """Make a configuration the one that `${hydra:…}` refers to, for a while.

    `set_current_config` copies the whole `hydra` node, which takes longer than what is asked of it.
    """
    current = HydraConfig.instance()
    before = current.cfg
    try:
        current.cfg = config  # pyright: ignore[reportAttributeAccessIssue]
        yield
    finally:
        current.cfg = before


def select(config: DictConfig, key: str) -> Any:
    """Return a value of a configuration with its interpolations resolved, `${hydra:…}` as well.

    Raises:
        SettingError: it cannot be resolved.
    """
    return select_all(config, [key])[key]


def select_all(config: DictConfig, keys: Sequence[str]) -> dict[str, Any]:
    """Return several values of a configuration by their keys, each as `select` returns it.

    Raises:
        SettingError: one cannot be resolved.
    """
    found = {}
    with current_config(config):
        for key in keys:
            try:
                found[key] = OmegaConf.select(config, key, throw_on_missing=True)
            except OmegaConfBaseException as error:
                raise SettingError(f"{key}: {first_line(error)}") from error
    return found


def without_hydra(config: DictConfig) -> DictConfig:
    """Return a copy of a configuration without its `hydra` node: the settings alone."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def overrides_of(hydra: Any, kind: str) -> list[str]:
    """Return the overrides of a command as typed: their interpolations are not resolved.

    Args:
        hydra: the `hydra` node of a configuration.
        kind: "task" or "hydra", for the overrides that begin with `hydra`.
    """
    words = OmegaConf.to_container(hydra.overrides[kind], resolve=False)
    return [str(word) for word in words or ()]


def resolve(config: DictConfig, key: str) -> str:
    """Return a value of a configuration as `select` does, as a text."""
    return str(select(config, key))


def is_sweep(config: DictConfig) -> bool:
    """Tell whether a configuration asks for a sweep.

    Raises:
        SettingError: its `hydra.mode` cannot be resolved.
    """
    return select(config, "hydra.mode") == RunMode.MULTIRUN


def is_typed(config: DictConfig, key: str) -> bool:
    """Tell whether the command itself, and not a file, sets a setting of `hydra`."""
    words = overrides_of(config.hydra, "hydra")
    return any(word.lstrip("+").partition("=")[0] == key for word in words)


def set_mode(config: DictConfig, mode: RunMode) -> None:
    """Set the mode of a configuration that has none, as `hydra.main` does, for its saved files."""
    with read_write(config.hydra):
        config.hydra.mode = mode
        if mode == RunMode.MULTIRUN or _is_before_1_4():
            config.hydra.overrides.hydra.append(f"hydra.mode={mode.name}")


def set_sweep_directory(config: DictConfig, path: Path) -> None:
    """Set the directory of a composed sweep, and of the jobs that are composed from it."""
    quoted = str(path).replace("\\", "\\\\").replace("'", "\\'")
    with read_write(config.hydra):
        config.hydra.sweep.dir = str(path)
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")


def run_as_job(config: DictConfig, callbacks: Callbacks, task: Callable[[DictConfig], int]) -> int:
    """Call a task as `hydra.main` does for a single run: with its files, logging and callbacks.

    Args:
        config: including its `hydra` node.
        callbacks: from `make_callbacks`.
        task: takes the configuration without it.

    Raises:
        Exception: the one that the task raised.
    """
    callbacks.on_run_start(config=config, config_name=config.hydra.job.config_name)
    ended = run_job(
        task_function=task,
        config=config,
        job_dir_key="hydra.run.dir",
        job_subdir_key=None,
        hydra_context=HydraContext(config_loader=config_loader(), callbacks=callbacks),
    )
    callbacks.on_run_end(config=config, config_name=config.hydra.job.config_name, job_return=ended)
    if isinstance(ended._return_value, Exception):
        raise ended._return_value  # reading `return_value` would print a message as well
    return ended.return_value


def run_sweeper(
    config: DictConfig, loader: ConfigLoader, task: TaskFunction, callback: Callback
) -> Any:
    """Run the sweeper of a configuration as `hydra.main` does, and return what it returns.

    Args:
        config: from `compose_sweep`.
        loader: composes the configurations of the jobs.
        task: runs one job.
        callback: called after those of the configuration; it also sees the end of an interrupted
            sweep.
    """
    name = config.hydra.job.config_name
    callbacks = make_callbacks(config)
    callbacks.callbacks.append(callback)
    callbacks.on_multirun_start(config=config, config_name=name)
    context = HydraContext(config_loader=loader, callbacks=callbacks)
    try:
        sweeper: Sweeper = Plugins.instance().instantiate_sweeper(
            hydra_context=context, task_function=task, config=config
        )
    except SettingError:
        raise
    except CUSTOM_ERRORS as error:
        why = f"cannot be made ({describe_error(_first_cause(error))})"
        raise SettingError(f"hydra.sweeper, hydra.launcher: {why}") from error
    try:
        return sweeper.sweep(overrides_of(config.hydra, "task"))
    finally:
        callbacks.on_multirun_end(config=config, config_name=name)


def _first_cause(error: BaseException) -> BaseException:
    """Return what caused an error of Hydra, which names only the class that it could not make."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _running_hydra() -> Hydra:
    running = GlobalHydra.instance().hydra
    assert running is not None, "Hydra is not initialized"
    return running


def _is_before_1_4() -> bool:
    major, minor = (int(part) for part in hydra.__version__.split(".")[:2])
    return (major, minor) < (1, 4)
