"""A sweep on the command line: compose each structure once, check, run, print a summary."""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from gdlab.cli import hydra_internals, startup
from gdlab.cli.axes import cross_overrides
from gdlab.cli.command import EXIT_FAILED, out_of_memory
from gdlab.cli.hydra_checks import check_jobs
from gdlab.cli.hydra_template import make_template
from gdlab.cli.job_files import JOBS, note_batch
from gdlab.cli.run import EXIT_SIGNAL, read_config
from gdlab.config.overrides import names_class, setting_name
from gdlab.config.settings import GROUPS, Settings
from gdlab.display.terminal import ProgressBar, show_warning
from gdlab.errors import SettingError, is_out_of_memory
from gdlab.fields.formatting import format_value
from gdlab.losses.datasets.fingerprints import noting_files
from gdlab.recording.digests import SUMS
from gdlab.recording.files import partial_name
from gdlab.recording.lock import claimed, locked
from gdlab.recording.names import ABOUT, MULTIRUN, RESULTS, SHARDS
from gdlab.runs.interruption import interruptible
from gdlab.sweeps import plan_file
from gdlab.sweeps.checks import check_plan
from gdlab.sweeps.dry_run import show_plan
from gdlab.sweeps.executors.choice import with_executor, with_shards_for
from gdlab.sweeps.executors.table import DEFAULT
from gdlab.sweeps.executors.table import SETTING as EXECUTOR_SETTING
from gdlab.sweeps.grid import Axis, Grid
from gdlab.sweeps.grouping import group_runs
from gdlab.sweeps.names import check_names
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.plan_file import class_name
from gdlab.sweeps.result_files import write_multirun
from gdlab.sweeps.runner import has_failed, run_sweep
from gdlab.sweeps.summary import SweepProgress, show_sweep
from gdlab.sweeps.table import empty_table

if TYPE_CHECKING:
    import pyarrow as pa

# Files that a sweep may leave if it dies before it has a plan.
_LEFTOVERS = {
    SUMS,
    MULTIRUN,
    plan_file.INDEX,
    *map(partial_name, (plan_file.PLAN, plan_file.INDEX, MULTIRUN)),
}
# What a sweep's directory holds beside the directories of its runs.
_NAMES = {SUMS, MULTIRUN, plan_file.PLAN, plan_file.INDEX, SHARDS, ABOUT, JOBS, RESULTS}
_DIRECTORY = "hydra.sweep.dir"
_LONGEST_SHOWN = 200
# Settings of a command that are not settings of its runs, with their values in any saved plan.
_NOT_IN_PLAN = {"dry_run": False, "check_gradient": False, "experiment": None}
_RETRY = "retry_failed"
_INTERPOLATION = re.compile(r"\$\{([^}:]+)\}")


def launch_sweep(
    config: DictConfig,
    loader: ConfigLoader,
    grid: Grid,
    numbers: Sequence[int] = (),
    executor: str = DEFAULT,
) -> tuple["pa.Table", int]:
    """Run a grid of runs and return its table and the exit code.

    Args:
        config: of the sweep, including its `hydra` node.
        loader: composes the configuration of a run.
        grid: the runs.
        numbers: of the runs, if the grid is one of several batches of a sweep.
        executor: the name of what runs the shards.

    Raises:
        SettingError: a setting of any run cannot be used; no files are made then.
        ChildProcessError: a process that ran a shard died.
    """
    plan = with_shards_for(make_plan(config, loader, grid, numbers=numbers), executor)
    if config.get("dry_run"):
        show_plan(plan)
        return empty_table(), 0
    sweep = Path(str(config.hydra.sweep.dir))
    wanted = sweep / f"from={numbers[0]}" if numbers else sweep
    is_named = hydra_internals.is_typed(config, _DIRECTORY)
    if (wanted / plan_file.PLAN).exists() and is_named:
        raise SettingError(f"hydra.sweep.dir={wanted}: holds a sweep; resume={wanted} continues it")
    with (
        claimed(wanted, exact=is_named, setting=_DIRECTORY, leftovers=_LEFTOVERS) as directory,
        _errors_naming_sweep(directory),
    ):
        write_multirun(directory, OmegaConf.to_yaml(config))
        plan_file.save(plan, directory)
        results, code = finish_sweep(plan, directory)
        if numbers:
            note_batch(sweep, directory, grid, results, numbers)
        return results, code


def resume_sweep(directory: Path, overrides: Sequence[str]) -> int:
    """Finish the sweep of a directory and return the exit code.

    Args:
        directory: the sweep's.
        overrides: the command's other overrides: classes to trust, the executor, whether to retry
            failed runs, and settings, which must equal those of the plan.

    Raises:
        SettingError: there is no plan, the overrides differ from it, or another process is writing
            into the directory.
        ChildProcessError: a process that ran a shard died.
    """
    parts = [override.partition("=") for override in overrides]
    pairs = [(setting_name(key), value) for key, _, value in parts]
    of_class = tuple(f".{name}" for name in plan_file.CLASS_NAMES)
    words = {(key, word) for key, value in pairs for word in value.split(",")}
    trusted = {
        word
        for key, word in words
        if key.endswith(of_class) or (key in GROUPS and names_class(word))
    }
    plan = plan_file.load(directory, trusted)
    classes = {class_name(vars(g.settings)[node]) for g in plan.groups for node in GROUPS}
    executor, retries = plan.executor, False
    for override, (key, value) in zip(overrides, pairs, strict=True):
        if key == EXECUTOR_SETTING:
            executor = value
        elif key == _RETRY:
            if value.lower() not in ("true", "false"):
                raise SettingError(f"{override}: must be true or false")
            retries = value.lower() == "true"
        elif not (key.endswith("._target_") and classes.issuperset(value.split(","))):
            difference = _describe_difference(plan, key, value)
            if difference is not None:
                raise SettingError(
                    f"{override}: the sweep in {directory} {difference}; resume keeps its settings"
                )
    with locked(directory, "resume"), _errors_naming_sweep(directory):
        return finish_sweep(with_executor(plan, executor), directory, retry_failed=retries)[1]


def _describe_difference(plan: Plan, key: str, value: str) -> str | None:
    """Say what a plan has instead of a setting's value; None if it has that value."""
    recorded = {axis.name: axis for axis in plan.grid.axes}
    if key not in recorded:
        # A setting that the command left out has one value, or one for each group.
        flat = [group.settings.flat() | _NOT_IN_PLAN for group in plan.groups]
        if not all(key in settings for settings in flat):
            return f"had no {key}"
        values = list({format_value(settings[key]): settings[key] for settings in flat}.values())
        recorded[key] = Axis(key, values, list(map(format_value, values)))
    is_same = _means(f"{key}={value}", recorded[key])
    return None if is_same else f"had {key}={_list_values(recorded[key])}"


def _means(override: str, axis: Axis) -> bool:
    """Tell whether an override means the values of an axis."""
    try:
        (typed,) = cross_overrides(
            OverridesParser.create().parse_overrides([override]), len(axis)
        ).axes
    except (HydraException, SettingError):
        return False
    same_values = _to_comparable(typed.values) == _to_comparable(axis.values)
    return same_values or list(typed.texts) == list(axis.texts)


def _to_comparable(values: Sequence[Any]) -> list[Any]:
    """Convert values so that == compares them: true is not 1, and a list equals a tuple."""

    def convert(value: Any) -> Any:
        is_list = isinstance(value, (list, tuple))
        return tuple(_to_comparable(value)) if is_list else (type(value) is bool, value)

    return list(map(convert, values))


def _list_values(axis: Axis) -> str:
    text = ",".join(axis.texts)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


@contextmanager
def _errors_naming_sweep(directory: Path) -> Iterator[None]:
    """Add the directory to errors of the system: that of a full disk names no file."""
    try:
        yield
    except ChildProcessError as error:
        error.filename = str(directory)
        error.strerror = f"{error.strerror}; resume={directory} continues the sweep"
        raise
    except OSError as error:
        error.filename = error.filename or str(directory)
        raise
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        further = f"; resume={directory} continues the sweep"
        raise out_of_memory(error, further, str(directory)) from error


def finish_sweep(
    plan: Plan, directory: Path, *, retry_failed: bool = False
) -> tuple["pa.Table", int]:
    """Run the missing runs, print the summary, and return the table and the exit code."""
    startup.resume_garbage_collection()
    with interruptible(show_warning) as interruption, ProgressBar("runs", len(plan)) as bar:
        results = run_sweep(
            plan, directory, interruption, SweepProgress(bar), retry_failed=retry_failed
        )
    show_sweep(plan, results, directory)
    if interruption.signal is not None:
        return results, EXIT_SIGNAL + interruption.signal
    return results, EXIT_FAILED if has_failed(results) else 0


def make_plan(
    config: DictConfig,
    loader: ConfigLoader,
    grid: Grid,
    *,
    check: bool = True,
    numbers: Sequence[int] = (),
) -> Plan:
    """Make the plan of a grid: each structure is composed once.

    Args:
        config: of the sweep, including its `hydra` node.
        loader: composes the configuration of a run.
        grid: the runs.
        check: whether to check the settings of all runs.
        numbers: of the runs, if the grid is one of several batches of a sweep.

    Raises:
        SettingError: a setting of any run cannot be used.
    """

    @cache
    def composed(*overrides: str) -> DictConfig:
        return loader.load_sweep_config(config, list(overrides))

    @cache
    def settings_of(*overrides: str) -> Settings:
        return read_config(composed(*overrides))

    followed = _interpolated_settings(composed(*grid.overrides(0)))
    with noting_files() as files:
        groups = group_runs(grid, lambda overrides: settings_of(*overrides), followed)
        varying = list(groups[0].columns)
        configs = [composed(*grid.overrides(int(group.runs[0]))) for group in groups]
        templates = [make_template(config, varying, numbers) for config in configs]
        plan = Plan(grid, tuple(groups), tuple(templates))
        if check:
            check_jobs(config, configs)
            several = {axis.name for axis in grid.axes if len(axis) > 1}
            _check_one_directory(config, configs, several)
            check_plan(plan, [bool(config.get("check_gradient")) for config in configs])
            check_names(plan, _NAMES)
    return dataclasses.replace(plan, data=tuple(files.values()))


def _check_one_directory(
    config: DictConfig, configs: Sequence[DictConfig], varied: set[str]
) -> None:
    """Check that `hydra.sweep.dir` names the same directory for all runs.

    Args:
        config: of the sweep.
        configs: of its runs, one for each group.
        varied: the settings that differ between runs.
    """
    raw: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    wanted = hydra_internals.resolve(config, _DIRECTORY)
    others = {hydra_internals.resolve(config, _DIRECTORY) for config in configs} - {wanted}
    if others or not varied.isdisjoint(_INTERPOLATION.findall(raw["dir"])):
        why = "must be the same for all runs; what varies belongs into hydra.sweep.subdir"
        raise SettingError(f"{_DIRECTORY}={raw['dir']}: {why}")


def _interpolated_settings(config: DictConfig) -> set[str]:
    """Return the settings that interpolations refer to: where one varies, others vary with it."""
    task = hydra_internals.without_hydra(config)
    return {name.lstrip(".") for name in _INTERPOLATION.findall(OmegaConf.to_yaml(task))}
