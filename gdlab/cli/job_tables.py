"""The tables of a sweep whose jobs ran one by one, or in batches that a sweeper made one by one.

At the end a callback reads the notes of the jobs and writes the same tables that the batched
launcher writes when it has all runs at once.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from gdlab.cli.axes import grid_of_jobs
from gdlab.cli.command import exit_code
from gdlab.cli.job_files import Job, read_jobs
from gdlab.cli.run import read_unwanted
from gdlab.cli.sweep import make_plan, print_sweep
from gdlab.engine.outcome import Outcomes
from gdlab.errors import SettingError
from gdlab.runs.batching import batch_of
from gdlab.sweeps.grid import POSITION, Grid
from gdlab.sweeps.plan import Group, Plan
from gdlab.sweeps.result_files import write_about, write_multirun, write_results
from gdlab.sweeps.results import results_of
from gdlab.sweeps.shard import FinishedRuns
from gdlab.sweeps.standings import write_standings
from gdlab.sweeps.summary import show_sweep
from gdlab.sweeps.table import join_tables, table_of, table_of_failed

if TYPE_CHECKING:
    import pyarrow as pa

_NO_RESULT = "ended without a result"


def check_dry_run(config: DictConfig, *, is_batched: bool) -> None:
    """Refuse a dry run of a launcher that cannot do one, before the first job starts.

    Raises:
        SettingError: only the batched launcher can.
    """
    if config.get("dry_run") and not is_batched:
        launcher = config.hydra.runtime.choices["hydra/launcher"]
        raise SettingError(f"dry_run=true: needs hydra/launcher=batched, and it is {launcher}")


class TablesCallback(Callback):
    """Writes the tables of a sweep and prints its summary when the jobs have ended.

    Hydra turns a callback's exceptions into warnings: an error is kept until `exit_code` raises it.

    Args:
        loader: composes the configuration of a run.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        self._loader = loader
        self._code = 0
        self._error: Exception | None = None

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Gather the tables."""
        try:
            self._code = _gather_tables(config, self._loader)
        except Exception as error:
            self._error = error

    def exit_code(self) -> int:
        """Return the exit code of the sweep; raise the error of gathering the tables."""
        if self._error is not None:
            raise self._error
        return self._code


def _gather_tables(config: DictConfig, loader: ConfigLoader) -> int:
    """Write the tables of a sweep's directory, print a summary and return the exit code."""
    directory = Path(str(config.hydra.sweep.dir))
    jobs = read_jobs(directory)
    if not jobs:
        return 0
    plan, table = _collect(jobs, directory, config, loader)
    write_multirun(directory, OmegaConf.to_yaml(config))
    results = results_of(plan, write_results(directory, table.schema, [table]))
    directories = {job.number: job.directory for job in jobs if job.result and job.directory}
    write_about(directory, plan, directories)
    write_standings(directory, results.standings)
    show_sweep(results, directory)
    print_sweep(results, directory)
    return exit_code(results.frame["status"].unique().tolist(), read_unwanted(config))


def _collect(
    jobs: Sequence[Job], directory: Path, config: DictConfig, loader: ConfigLoader
) -> tuple[Plan, "pa.Table"]:
    """Return the plan that corresponds to the jobs, and its table.

    Raises:
        SettingError: no job has a result; the message gives the reason of the first.
    """
    parser = OverridesParser.create(config_loader=loader)
    parsed = {job.number: parser.parse_overrides(list(job.overrides)) for job in jobs}
    ended = {job.number: job.result for job in jobs if job.result is not None}
    failed = {j.number: j.failure or _NO_RESULT for j in jobs if j.number not in ended}
    if not ended:
        raise SettingError(f"{directory / jobs[0].directory}: {failed[jobs[0].number]}")
    all_jobs = grid_of_jobs(list(parsed.values()))
    index = np.zeros((max(parsed) + 1, len(all_jobs.axes)), dtype=POSITION)
    index[list(parsed)] = all_jobs.index  # a job that never started is in no table
    # Only jobs with a result are composed: the settings of a failed one may be unusable.
    usable_jobs = grid_of_jobs([parsed[number] for number in ended])
    usable = make_plan(config, loader, usable_jobs, check=False)
    numbers = np.array(list(ended))
    groups = tuple(Group(g.settings, g.columns, numbers[g.runs]) for g in usable.groups)
    plan = Plan(Grid(all_jobs.axes, index), groups, usable.templates)
    tables = [
        _make_table(plan, group, [ended[run] for run in group.runs.tolist()]) for group in groups
    ]
    if failed:
        tables.append(table_of_failed(plan.options, failed, plan.varied(np.array(list(failed)))))
    return plan, join_tables(tables)


def _make_table(plan: Plan, group: Group, results: Sequence[Mapping[str, Any]]) -> "pa.Table":
    """Return the rows of a group from the notes of its jobs."""
    ends = Outcomes(batch_of(group.settings, group.columns, len(group)))
    ends.fill(results)
    seconds = np.array([result["seconds"] for result in results])
    return table_of(group, FinishedRuns(group.runs, ends, seconds), plan.varied(group.runs))
