"""A batch of jobs that a sweeper made one by one, run by the batched launcher."""

import math
from collections.abc import Sequence
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from gdlab.cli.axes import grid_of_jobs
from gdlab.cli.command import EXIT_FAILED
from gdlab.cli.job_files import Job
from gdlab.cli.run import check_config
from gdlab.cli.sweep import launch_sweep, make_plan
from gdlab.errors import SettingError, describe_error
from gdlab.results.ranking import objective


def launch_batch(
    config: DictConfig,
    loader: ConfigLoader,
    jobs: Sequence[Sequence[Override]],
    first: int,
    executor: str,
) -> tuple[list[float], int]:
    """Run a batch of jobs; return what a search minimizes for each, and the exit code.

    That is the final loss, or +inf for a run that diverged or failed, and for a job with settings
    that cannot be used: it is a failed run of the sweep, and the others run.

    Args:
        config: of the sweep, including its `hydra` node.
        loader: composes the configuration of a job.
        jobs: the overrides of each.
        first: the number of the first job in the sweep.
        executor: the name of what runs the shards.

    Returns:
        No losses after an interruption or a dry run.

    Raises:
        SettingError: no job can run, whatever the sweeper chooses.
    """
    numbers = list(range(first, first + len(jobs)))
    try:
        return _launch(config, loader, jobs, numbers, executor)
    except SettingError as error:
        unusable = _find_unusable(config, loader, jobs)
        if not unusable or config.get("dry_run") or _is_bad_by_itself(config, error):
            raise
    sweep = Path(str(config.hydra.sweep.dir))
    for at, reason in unusable.items():
        overrides = [str(each.input_line) for each in jobs[at]]
        Job(numbers[at], overrides, "", failure=reason).save(sweep)
    usable = [at for at in range(len(jobs)) if at not in unusable]
    losses, code = dict.fromkeys(unusable, math.inf), EXIT_FAILED
    if usable:
        some, ours = [jobs[at] for at in usable], [numbers[at] for at in usable]
        found, code = _launch(config, loader, some, ours, executor)
        if not found:
            return [], code
        losses |= dict(zip(usable, found, strict=True))
    return [losses[at] for at in range(len(jobs))], max(code, EXIT_FAILED)


def _launch(
    config: DictConfig,
    loader: ConfigLoader,
    jobs: Sequence[Sequence[Override]],
    numbers: Sequence[int],
    executor: str,
) -> tuple[list[float], int]:
    """Run jobs that can all run; see `launch_batch`."""
    results, code = launch_sweep(config, loader, grid_of_jobs(jobs), numbers, executor)
    if code > EXIT_FAILED or results is None:
        return [], code
    ends = zip(*(results.frame[name].tolist() for name in ("status", "final_loss")), strict=True)
    return [objective(status, loss) for status, loss in ends], code


def _find_unusable(
    config: DictConfig, loader: ConfigLoader, jobs: Sequence[Sequence[Override]]
) -> dict[int, str]:
    """Return why jobs cannot run, by their places in the batch."""
    reasons = {}
    for at, job in enumerate(jobs):
        try:
            make_plan(config, loader, grid_of_jobs([job]))
        except SettingError as error:
            reasons[at] = describe_error(error)
    return reasons


def _is_bad_by_itself(config: DictConfig, error: SettingError) -> bool:
    """Tell whether a sweep has an error without what its sweeper chooses."""
    try:
        check_config(config)
    except SettingError as own:
        return str(own) == str(error)
    return False
