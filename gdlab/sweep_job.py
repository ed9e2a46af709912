"""A sweep on the command line: composed by structure, checked, carried out, summed up.

Knows Hydra, as `application` does for one run.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from gdlab import plan_file, startup
from gdlab.application import EXIT_FAILED, EXIT_SIGNAL, checked
from gdlab.errors import SettingError
from gdlab.experiment import interruptible
from gdlab.grid import Axis, Grid, crossed
from gdlab.hydra_files import Template
from gdlab.plan_file import class_name
from gdlab.recording.results import empty
from gdlab.recording.run_dir import claim
from gdlab.screen import PatientBar
from gdlab.screen_sweep import SweepProgress, show_plan, show_sweep
from gdlab.settings import GROUPS, Settings
from gdlab.sweep_plan import Plan, grouped
from gdlab.sweeping import carry_out, check_summary, has_failed

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST_SHOWN = 200
_INTERPOLATION = re.compile(r"\$\{([^}:]+)\}")


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
    check_summary(plan)
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
    with _named_in_errors(directory):
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
    given = [override.lstrip("+").partition("=") for override in overrides]
    named = {
        name for key, _, value in given if key.endswith("._target_") for name in value.split(",")
    }
    plan = plan_file.load(directory, named)
    classes = {class_name(vars(g.settings)[node]) for g in plan.groups for node in GROUPS}
    recorded = {axis.key.lstrip("+"): axis for axis in plan.grid.axes}
    for override, (key, _, value) in zip(overrides, given, strict=True):
        if key.endswith("._target_") and classes.issuperset(value.split(",")):
            continue
        if key not in recorded or not _says(f"{key}={value}", recorded[key]):
            was = f"was {key}={_listed(recorded[key])}" if key in recorded else f"had no {key}"
            raise SettingError(
                f"{override}: the sweep in {directory} {was}; a resumed one is the same"
            )
    with _named_in_errors(directory):
        return finished(plan, directory)[1]


def _says(override: str, axis: Axis) -> bool:
    """Whether an override means the values of an axis."""
    try:
        (same,) = crossed(OverridesParser.create().parse_overrides([override]), len(axis)).axes
    except (HydraException, SettingError):
        return False
    return list(same.values) == list(axis.values) or list(same.texts) == list(axis.texts)


def _listed(axis: Axis) -> str:
    text = ",".join(axis.texts)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


@contextmanager
def _named_in_errors(directory: Path) -> Iterator[None]:
    """Let an error of the system name the directory: a full disk names no file."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(directory)
        raise


def finished(plan: Plan, directory: Path) -> tuple["pa.Table", int]:
    """Run what a sweep lacks, sum it up, and return its table and the exit code."""
    startup.done()
    with interruptible() as interruption, PatientBar("runs", len(plan)) as bar:
        results = carry_out(plan, directory, interruption, SweepProgress(bar))
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

    followed = _followed(loader.load_sweep_config(config, grid.overrides(0)))
    groups = grouped(grid, compose, followed)
    varying = list(groups[0].columns)
    templates = [Template.of(one, varying) for one in composed[-len(groups) :]]
    return Plan(grid, tuple(groups), tuple(templates))


def _followed(config: DictConfig) -> set[str]:
    """The settings that interpolations refer to: where one varies, others vary with it."""
    task = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return {name.lstrip(".") for name in _INTERPOLATION.findall(OmegaConf.to_yaml(task))}


def _is_named(config: DictConfig) -> bool:
    """Whether the person named the sweep's directory."""
    words = OmegaConf.to_container(config.hydra.overrides.hydra)
    return any(str(word).startswith("hydra.sweep.dir=") for word in words or ())
