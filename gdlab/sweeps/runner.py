"""A sweep from its plan to its tables, shard by shard.

A shard is run whole or not at all: once its runs have ended its table is written, and it never runs
again. After an interruption the shards without a table run again with the same rows, so that the
tables in the end are those of a sweep that was never interrupted.

Shapes: R runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gdlab.engine.history import History
from gdlab.engine.outcome import Outcomes
from gdlab.engine.status import Status
from gdlab.numerics.threads import cores as available_cores
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.files import make_folder, remove_tree
from gdlab.recording.names import ABOUT, SHARDS
from gdlab.results.ranking import DataFrame, rank_order
from gdlab.sweeps.executors.base import ShardLost, find_executor
from gdlab.sweeps.executors.board import Statuses
from gdlab.sweeps.executors.driver import run_shards
from gdlab.sweeps.illustrating import draw_pictures
from gdlab.sweeps.labels import Labels
from gdlab.sweeps.plan import Plan, with_resolved_mode
from gdlab.sweeps.result_files import (
    read_directories,
    read_shard,
    shard_name,
    write_about,
    write_results,
)
from gdlab.sweeps.results import SweepResults, results_of
from gdlab.sweeps.run_dirs import RunDirectories
from gdlab.sweeps.selection import choose_representatives, spaced_places
from gdlab.sweeps.shard import run_group
from gdlab.sweeps.shard_tables import ShardTables
from gdlab.sweeps.standings import write_standings
from gdlab.sweeps.subject import SweepToDraw


def run_sweep(
    plan: Plan,
    directory: Path,
    interrupted: Callable[[], bool] = lambda: False,
    progress: Callable[[Statuses], None] = lambda rows: None,
    *,
    retry_failed: bool = False,
) -> SweepResults:
    """Run the shards that a sweep still lacks; write its tables, run directories and pictures.

    Args:
        plan: of the sweep, already written in the directory.
        directory: the sweep's; the caller holds its lock.
        interrupted: asked at every step, at every record of a run directory and before every
            picture; the sweep ends once it returns true.
        progress: receives the statuses of rows.
        retry_failed: whether to run those shards again in which a run failed.

    Returns:
        The results of each run that ended or was interrupted.

    Raises:
        RecordError: the table of a finished shard is damaged.
        ShardLost: some shards were; the tables of all others are written.
        ChildProcessError: a process that ran a shard died.
        KeyboardInterrupt: the caller's; the tables of the shards that ended are written.
    """
    if retry_failed:
        _forget_failed(plan, directory)
    return _run_missing(plan, directory, interrupted, progress)


def _forget_failed(plan: Plan, directory: Path) -> None:
    """Remove the tables of those shards in which a run failed, and the directories of these runs.

    Raises:
        RecordError: the table of a shard is damaged.
    """
    files = VerifiedFiles(directory)
    names = read_directories(directory) if (directory / ABOUT).exists() else {}
    for number, shard in enumerate(plan.shards()):
        name = shard_name(SHARDS, number)
        if name not in files:
            continue
        table = read_shard(files, name, shard.runs)
        ended = zip(table["run"].to_pylist(), table["status"].to_pylist(), strict=True)
        failed = [run for run, status in ended if status == str(Status.FAILED)]
        for path in (directory / names[str(run)] for run in failed if str(run) in names):
            if directory.resolve() in path.resolve().parents:
                remove_tree(path)
        if failed:
            files.path(name).unlink()


def _run_missing(
    plan: Plan,
    directory: Path,
    interrupted: Callable[[], bool],
    progress: Callable[[Statuses], None],
) -> SweepResults:
    """Do what `run_sweep` says, for the shards without a table."""
    make_folder(directory / SHARDS)
    shards = dict(enumerate(plan.shards()))
    tables = ShardTables(directory, shards)
    finished = np.concatenate([np.zeros(0, np.int64), *(shards[n].runs for n in tables)])
    missing = {number: shard for number, shard in shards.items() if number not in tables}
    records = None
    executor = find_executor(plan.executor)
    if executor.shares_disk and len(plan) <= plan.options.record.max_run_dirs:
        cores = 1 if executor.shares_cores else available_cores()
        records = RunDirectories(directory, plan, range(len(plan)), cores)
        records.remove_damaged(finished)
    try:
        for number, table in run_shards(plan, missing, records, interrupted, progress):
            tables.add(number, table)
    except (KeyboardInterrupt, ShardLost):
        if records is not None:
            records.abandon()
        if len(tables):
            _write_loadable(directory, plan, tables, records)
        raise
    results = _write_loadable(directory, plan, tables, records)
    if not interrupted():
        records = _illustrate(plan, directory, results.frame, records, finished, interrupted)
        write_about(directory, plan, records.names())
    return results


def _write_loadable(
    directory: Path,
    plan: Plan,
    tables: ShardTables,
    records: RunDirectories | None,
) -> SweepResults:
    """Write the table of all shards that ended, so that the directory can be loaded."""
    schema = tables.schema()
    results = results_of(plan, write_results(directory, schema, tables.parts(schema)))
    write_about(directory, plan, {} if records is None else records.names())
    write_standings(directory, results.standings)
    return results


def _illustrate(
    plan: Plan,
    directory: Path,
    results: DataFrame,
    records: RunDirectories | None,
    finished: np.ndarray,
    interrupted: Callable[[], bool],
) -> RunDirectories:
    """Give chosen runs their directories, if missing, and draw the pictures of a sweep.

    Args:
        plan: of the sweep.
        directory: the sweep's.
        results: the table of all runs.
        records: the directories of all runs; None for a large sweep, of which some get one.
        finished: the runs that ended before this process.
        interrupted: asked before every picture.
    """
    record = plan.options.record
    shown = choose_representatives(plan, results, min(record.max_figures, record.max_run_dirs))
    if records is None:
        chosen = _choose_runs(plan, results, shown)
        records = RunDirectories(directory, plan, chosen, available_cores())
        records.remove_damaged(finished)
    _record_again(plan, records, interrupted)
    if record.formats and not interrupted():
        sweep = SweepToDraw(plan, results, records, Labels.of(plan), record.figure_size)
        drawn = [run for run in shown if run in records]
        draw_pictures(sweep, records, directory, drawn, interrupted)
    return records


def _choose_runs(plan: Plan, results: DataFrame, shown: Sequence[int]) -> list[int]:
    """Choose the runs of a large sweep that get a directory: best, worst, and evenly between.

    Args:
        plan: of the sweep.
        results: the table of all runs.
        shown: the runs that get pictures.
    """
    most = plan.options.record.max_run_dirs
    ranked = results["run"].to_numpy()[rank_order(results, plan.metric, plan.problems())]
    chosen = list(dict.fromkeys([*ranked[[0, -1]].tolist(), *shown]))[:most]
    rest = ranked[~np.isin(ranked, chosen)]
    return chosen + rest[spaced_places(len(rest), most - len(chosen))].tolist()


class _Interrupted(Exception):
    """The sweep was interrupted while runs were recorded again."""


@dataclass(frozen=True)
class _UntilInterrupted:
    """Records that raise once a sweep is interrupted, even between two runs of a chunk."""

    records: RunDirectories
    interrupted: Callable[[], bool]

    def write(self, run: int, piece: History) -> None:
        self._raise_if_interrupted()
        self.records.write(run, piece)

    def close_all(self, runs: Sequence[int], outcomes: Outcomes, seconds: float) -> None:
        self.records.close_all(runs, outcomes, seconds, self._raise_if_interrupted)

    def forget(self, run: int) -> None:
        self.records.forget(run)

    def _raise_if_interrupted(self) -> None:
        if self.interrupted():
            raise _Interrupted


def _record_again(plan: Plan, records: RunDirectories, interrupted: Callable[[], bool]) -> None:
    """Run those chosen runs again that have no records, now recording them."""
    chosen = np.array(records.missing(), dtype=np.int64)
    guarded = _UntilInterrupted(records, interrupted)
    for group in map(with_resolved_mode, plan.groups):
        rows = np.flatnonzero(np.isin(group.runs, chosen))
        if not len(rows):
            continue
        try:
            for _ in run_group(group.take(rows), guarded, interrupted):
                pass
        except _Interrupted:
            records.abandon()
            return
