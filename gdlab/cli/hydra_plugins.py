"""The batched launcher and the sweepers: thin layers that hand a grid of runs to the sweep.

Hydra takes plugins only from modules under `hydra_plugins` and looks their classes up there by
name, so `register` registers this module there. It imports torch only when a sweep starts.
"""

import importlib.util
import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from gdlab.cli import hydra_internals
from gdlab.cli.choices import list_choices
from gdlab.cli.class_source import ClassSearchPath, ClassSource
from gdlab.cli.command import EXIT_FAILED
from gdlab.cli.hydra_checks import check_choices
from gdlab.config.overrides import to_hydra_overrides
from gdlab.errors import CUSTOM_ERRORS, SettingError, describe_error

if TYPE_CHECKING:
    from gdlab.sweeps.grid import Grid

_MODULE = "hydra_plugins.gdlab"


class BatchedLauncher(Launcher):
    """Runs all jobs of a sweep as few tensor programs.

    Args:
        executor: what runs them: `serial`, only this process, `processes`, one for each core, or
            `ray`, a cluster.
    """

    def __init__(self, executor: str = "serial") -> None:
        self.executor = executor

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep the configuration for the launch.

        Raises:
            SettingError: a callback wants to be called for each job.
        """
        for name in hydra_internals.callbacks_of_jobs(hydra_context):
            why = (
                "must be called for each job; use hydra/launcher=basic, which runs them one by one"
            )
            raise SettingError(f"hydra.callbacks: {name} {why}")
        self.hydra_context, self.config = hydra_context, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run jobs that a sweeper made one by one; each returns what a search minimizes.

        That is the final loss, or +inf if the run diverged, failed or has unusable settings.

        Raises:
            SettingError: no job can run.
        """
        from gdlab.cli.batches import launch_batch

        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        jobs = [parser.parse_overrides(list(overrides)) for overrides in job_overrides]
        loader = self.hydra_context.config_loader
        losses, code = launch_batch(self.config, loader, jobs, initial_job_idx, self.executor)
        if code > EXIT_FAILED or not losses:
            sys.exit(code)  # interrupted or a dry run: the sweeper must not continue
        returns = []
        for overrides, loss in zip(job_overrides, losses, strict=True):
            job = JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
            job.return_value = loss
            returns.append(job)
        return returns

    def launch_grid(self, grid: "Grid") -> int:
        """Run a grid and return the exit code."""
        from gdlab.cli.sweep import launch_sweep

        loader = self.hydra_context.config_loader
        return launch_sweep(self.config, loader, grid, executor=self.executor)[1]


class _AxesSweeper(Sweeper):
    """The base of the sweepers: axes from the command line and from an experiment's params."""

    def __init__(self, params: Mapping[str, str] | None = None) -> None:
        self.params = dict(params or {})

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Instantiate the launcher."""
        self.hydra_context, self.config = hydra_context, config
        self.loader = hydra_context.config_loader
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Hand the runs to the launcher; the batched one gets the whole grid at once."""
        params = [f"{key}={value}" for key, value in self.params.items()]
        parser = OverridesParser.create(config_loader=self.loader)
        axes = parser.parse_overrides(to_hydra_overrides(params, arguments))
        listed = [list_choices(axis, self.loader) for axis in axes]
        overrides = parser.parse_overrides([*listed, *arguments])  # arguments are rewritten
        check_choices(overrides, self.loader)
        grid = self.grid(overrides)
        if isinstance(self.launcher, BatchedLauncher):
            return self.launcher.launch_grid(grid)
        assert self.launcher is not None
        assert self.config is not None
        from gdlab.cli.sweep import make_plan

        make_plan(self.config, self.loader, grid)  # which checks it
        jobs = [grid.overrides(run) for run in range(len(grid))]
        return [self.launcher.launch(jobs, initial_job_idx=0)]

    @abstractmethod
    def grid(self, overrides: Sequence[Override]) -> "Grid":
        """Return the runs of the parsed axes."""


class GridSweeper(_AxesSweeper):
    """Every combination of the axes' values.

    Args:
        points: number of values into which an interval is divided.
        zip: axes that vary together instead of being crossed.
        params: axes from an experiment: each setting with its values as text.
    """

    def __init__(
        self,
        points: int = 20,
        zip: Sequence[str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(params)
        self.points, self.zip = points, zip or ()

    def grid(self, overrides: Sequence[Override]) -> "Grid":
        """Return the product of the axes; those of `zip` vary together."""
        from gdlab.cli.axes import cross_overrides

        return cross_overrides(overrides, self.points, self.zip)


class RandomSweeper(_AxesSweeper):
    """Random samples of the axes.

    Args:
        samples: number of runs.
        seed: of the samples.
        params: axes from an experiment: each setting with its values as text.
    """

    def __init__(
        self, samples: int = 100, seed: int = 0, params: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(params)
        self.samples, self.seed = samples, seed

    def grid(self, overrides: Sequence[Override]) -> "Grid":
        """Return runs whose values are drawn at random."""
        from gdlab.cli.axes import sample_overrides

        return sample_overrides(overrides, self.samples, self.seed)


def is_gdlab_plugin(config: DictConfig, kind: str) -> bool:
    """Tell whether the launcher or the sweeper of a configuration is one of gdlab's."""
    return str(config.hydra[kind]._target_).startswith(f"{_MODULE}.")


def register() -> None:
    """Register the plugins with Hydra, which imports all other plugins then.

    Raises:
        SettingError: another plugin cannot be imported.
    """
    if _MODULE in sys.modules:
        return
    spec = importlib.util.find_spec("hydra_plugins")
    if spec is None or spec.submodule_search_locations is None:
        # There is no such package, or a file of that name is found before its folders.
        spec = ModuleSpec("hydra_plugins", None, is_package=True)
        folders = (Path(entry) / "hydra_plugins" for entry in sys.path)
        spec.submodule_search_locations = [str(folder) for folder in folders if folder.is_dir()]
        sys.modules["hydra_plugins"] = importlib.util.module_from_spec(spec)  # Hydra scans it
    try:
        Plugins.instance()
    except CUSTOM_ERRORS as error:  # a plugin for another version of Python, for instance
        why = f"a plugin of Hydra cannot be imported ({describe_error(error)}); uninstall it"
        raise SettingError(f"hydra_plugins: {why}") from error
    sys.modules[_MODULE] = sys.modules[__name__]
    for plugin in (BatchedLauncher, GridSweeper, RandomSweeper):
        plugin.__module__ = _MODULE
    for plugin in (BatchedLauncher, GridSweeper, RandomSweeper, ClassSource, ClassSearchPath):
        Plugins.instance().register(plugin)
