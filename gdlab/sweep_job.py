"""A sweep on the command line: composed by structure, checked, carried out, summed up.

Knows Hydra, as `application` does for one run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from gdlab import plan_file
from gdlab.application import EXIT_FAILED, EXIT_SIGNAL, checked
from gdlab.errors import SettingError
from gdlab.experiment import interruptible
from gdlab.grid import Grid
from gdlab.hydra_files import Template
from gdlab.recording.results import empty
from gdlab.recording.run_dir import claim
from gdlab.screen_sweep import SweepProgress, show_plan, show_sweep
from gdlab.settings import Settings
from gdlab.sweep_plan import Plan, grouped
from gdlab.sweeping import carry_out, has_failed

if TYPE_CHECKING:
    import pyarrow as pa


def launched(
    config: DictConfig, loader: ConfigLoader, grid: Grid, first: int
) -> tuple["pa.Table", int]:
    """Run a grid of runs and return its table and the exit code.

    Args:
        config: of the sweep, its `hydra` node included.
        loader: composes the configuration of a run.
        grid: the runs.
        first: how many runs an earlier launch of the same sweep had.

    Raises:
        SettingError: a setting of any run cannot be used; nothing was made then.
    """
    plan = planned(config, loader, grid)
    if config.get("dry_run"):
        show_plan(plan)
        return empty(), 0
    HydraConfig.instance().set_config(config)
    wanted = Path(str(config.hydra.sweep.dir)) / (f"from={first}" if first else "")
    if (wanted / plan_file.PLAN).exists() and _is_named(config):
        raise SettingError(
            f"hydra.sweep.dir={wanted}: holds a sweep; resume={wanted} goes on with it"
        )
    directory = claim(wanted, exact=_is_named(config))
    OmegaConf.save(config, directory / "multirun.yaml")
    plan_file.save(plan, directory)
    return finished(plan, directory)


def resumed(directory: Path, overrides: Sequence[str]) -> int:
    """Finish the sweep of a directory and return the exit code.

    Args:
        directory: the sweep's.
        overrides: what else was said: classes to be trusted, and settings, which must be those of
            the plan.

    Raises:
        SettingError: there is no plan, or the overrides differ from it.
    """
    given = dict(override.split("=", 1) for override in overrides if "=" in override)
    named = [value for key, value in given.items() if key.endswith("._target_")]
    plan = plan_file.load(directory, named)
    recorded = {axis.key: ",".join(axis.texts) for axis in plan.grid.axes}
    for key, value in given.items():
        if key.endswith("._target_") or recorded.get(key) == value:
            continue
        was = f"was {key}={recorded[key]}" if key in recorded else f"had no {key}"
        raise SettingError(
            f"{key}={value}: the sweep in {directory} {was}; a resumed one is the same"
        )
    return finished(plan, directory)[1]


def finished(plan: Plan, directory: Path) -> tuple["pa.Table", int]:
    """Run what a sweep lacks, sum it up, and return its table and the exit code."""
    with interruptible() as interruption, SweepProgress(len(plan)) as progress:
        results = carry_out(plan, directory, interruption, progress)
    show_sweep(plan, results, directory)
    if interruption.signal is not None:
        return results, EXIT_SIGNAL + interruption.signal
    return results, EXIT_FAILED if has_failed(results) else 0


def planned(config: DictConfig, loader: ConfigLoader, grid: Grid) -> Plan:
    """The plan of a grid: each structure is composed and checked once."""
    composed: list[DictConfig] = []

    def compose(overrides: Sequence[str]) -> Settings:
        composed.append(loader.load_sweep_config(config, list(overrides)))
        return checked(composed[-1])[0]

    groups = grouped(grid, compose)
    varying = list(groups[0].columns)
    templates = [Template.of(one, varying) for one in composed[-len(groups) :]]
    return Plan(grid, tuple(groups), tuple(templates))


def _is_named(config: DictConfig) -> bool:
    """Whether the person named the sweep's directory."""
    words = OmegaConf.to_container(config.hydra.overrides.hydra)
    return any(str(word).startswith("hydra.sweep.dir=") for word in words or ())
