"""A sweep on the command line: compose each structure once, check, run, print a summary."""

import dataclasses
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from gdlab.cli import hydra_internals, output, startup
from gdlab.cli.command import as_system_error, exit_code
from gdlab.cli.hydra_checks import check_jobs
from gdlab.cli.hydra_template import make_template
from gdlab.cli.job_files import JOBS, note_batch
from gdlab.cli.run import EXIT_SIGNAL, read_config, read_unwanted
from gdlab.config.settings import Settings
from gdlab.display.terminal import ProgressBar, show_warning
from gdlab.errors import SettingError
from gdlab.losses.datasets.fingerprints import noting_files
from gdlab.recording.digests import SUMS
from gdlab.recording.files import partial_name
from gdlab.recording.lock import claimed
from gdlab.recording.names import ABOUT, MULTIRUN, RESULTS, SHARDS, SUMMARY_CSV, SUMMARY_MD
from gdlab.runs.interruption import interruptible
from gdlab.sweeps import plan_file
from gdlab.sweeps.checks import check_plan
from gdlab.sweeps.dry_run import show_plan
from gdlab.sweeps.executors.choice import with_shards_for
from gdlab.sweeps.executors.table import DEFAULT
from gdlab.sweeps.grid import Grid
from gdlab.sweeps.grouping import group_runs
from gdlab.sweeps.names import check_names
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.result_files import write_multirun
from gdlab.sweeps.results import SweepResults
from gdlab.sweeps.runner import run_sweep
from gdlab.sweeps.summary import SweepProgress, show_sweep

# Files that a sweep may leave if it dies before it has a plan.
_LEFTOVERS = {
    SUMS,
    MULTIRUN,
    plan_file.INDEX,
    *map(partial_name, (plan_file.PLAN, plan_file.INDEX, MULTIRUN)),
}
# What a sweep's directory holds beside the directories of its runs.
_NAMES = {SUMS, MULTIRUN, plan_file.PLAN, plan_file.INDEX, SHARDS, ABOUT, JOBS, RESULTS}
_NAMES |= {SUMMARY_CSV, SUMMARY_MD}
_DIRECTORY = "hydra.sweep.dir"
_INTERPOLATION = re.compile(r"\$\{([^}:]+)\}")


def launch_sweep(
    config: DictConfig,
    loader: ConfigLoader,
    grid: Grid,
    numbers: Sequence[int] = (),
    executor: str = DEFAULT,
) -> tuple[SweepResults | None, int]:
    """Run a grid of runs and return how they ended, None after a dry run, and the exit code.

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
    unwanted = read_unwanted(config)
    if config.get("dry_run"):
        show_plan(plan)
        output.print_json(lambda: {"runs": len(plan), "batches": len(plan.groups)})
        return None, 0
    sweep = Path(str(config.hydra.sweep.dir))
    wanted = sweep / f"from={numbers[0]}" if numbers else sweep
    is_named = hydra_internals.is_typed(config, _DIRECTORY)
    if (wanted / plan_file.PLAN).exists() and is_named:
        raise SettingError(f"hydra.sweep.dir={wanted}: holds a sweep; resume={wanted} continues it")
    with (
        claimed(wanted, exact=is_named, setting=_DIRECTORY, leftovers=_LEFTOVERS) as directory,
        errors_naming_sweep(directory),
    ):
        write_multirun(directory, OmegaConf.to_yaml(config))
        plan_file.save(plan, directory)
        results, code = finish_sweep(plan, directory, frozenset() if numbers else unwanted)
        if numbers:
            note_batch(sweep, directory, grid, numbers)
        else:
            print_sweep(results, directory)
        return results, code


@contextmanager
def errors_naming_sweep(directory: Path) -> Iterator[None]:
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
        told = as_system_error(error, f"; resume={directory} continues the sweep", str(directory))
        if told is None:
            raise
        raise told from error


def finish_sweep(
    plan: Plan, directory: Path, unwanted: Collection[str] = (), *, retry_failed: bool = False
) -> tuple[SweepResults, int]:
    """Run the missing runs, print the summary, and return the results and the exit code.

    Args:
        plan: of the sweep.
        directory: the sweep's.
        unwanted: the statuses that `fail_on` names.
        retry_failed: whether to run those batches again in which runs failed.
    """
    startup.resume_garbage_collection()
    with interruptible(show_warning) as interruption, ProgressBar("runs", len(plan)) as bar:
        results = run_sweep(
            plan, directory, interruption, SweepProgress(bar), retry_failed=retry_failed
        )
    show_sweep(results, directory)
    if interruption.signal is not None:
        return results, EXIT_SIGNAL + interruption.signal
    return results, exit_code(results.frame["status"].unique().tolist(), unwanted)


def print_sweep(results: SweepResults, directory: Path) -> None:
    """Print what a sweep found as a document, where the command asks for one."""

    def found() -> dict[str, Any]:
        return {"directory": str(directory), **results.standings.data()}

    output.print_json(found)


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
