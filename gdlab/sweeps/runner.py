"""A sweep from its plan to its tables, shard by shard.

A shard is run whole or not at all: once its runs have ended its table is written, and it never runs
again. After an interruption the shards without a table run again with the same rows, so that the
tables in the end are those of a sweep that was never interrupted.

Shapes: R runs.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.errors import RecordError
from gdlab.recording.files import write_atomically
from gdlab.recording.lock import locked
from gdlab.recording.parquet import read_parquet, write_csv, write_table
from gdlab.results.ranking import DataFrame, rank_order
from gdlab.sweeps.executors.board import Statuses
from gdlab.sweeps.executors.driver import run_shards
from gdlab.sweeps.plan import Group, Plan, with_resolved_mode
from gdlab.sweeps.plots import draw_sweep
from gdlab.sweeps.run_dirs import RunDirectories
from gdlab.sweeps.selection import choose_representatives, evenly_spaced
from gdlab.sweeps.shard import run_group
from gdlab.sweeps.table import join_tables

if TYPE_CHECKING:
    import pyarrow as pa

SHARDS, ABOUT = "shards", "sweep.json"


def run_sweep(
    plan: Plan,
    directory: Path,
    interrupted: Callable[[], bool] = lambda: False,
    progress: Callable[[Statuses], None] = lambda rows: None,
) -> "pa.Table":
    """Run the shards that a sweep still lacks; write its tables, run directories and pictures.

    Args:
        plan: of the sweep, already written in the directory.
        directory: the sweep's.
        interrupted: asked at every step, at every record of a run directory and before every
            picture; the sweep ends once it returns true.
        progress: receives the statuses of rows.

    Returns:
        A table with a row for each run that ended or was interrupted.

    Raises:
        SettingError: another process is writing into the directory.
        RecordError: the table of a finished shard is damaged.
        ChildProcessError: a process that ran a shard died.
    """
    with locked(directory, "resume"):
        return _run_missing(plan, directory, interrupted, progress)


def _run_missing(
    plan: Plan,
    directory: Path,
    interrupted: Callable[[], bool],
    progress: Callable[[Statuses], None],
) -> "pa.Table":
    """Do what `run_sweep` says in a directory that is locked."""
    (directory / SHARDS).mkdir(exist_ok=True)
    is_small = len(plan) <= plan.options.record.max_run_dirs
    records = RunDirectories(directory, plan, range(len(plan)) if is_small else ())
    shards = dict(enumerate(plan.shards()))
    paths = {number: directory / SHARDS / f"{number:05}.parquet" for number in shards}
    tables = {n: _read_shard(paths[n], s) for n, s in shards.items() if paths[n].is_file()}
    missing = {number: shard for number, shard in shards.items() if number not in tables}
    kept = records if is_small else None
    for number, table in run_shards(plan, missing, kept, interrupted, progress):
        tables[number] = table
        if str(Status.INTERRUPTED) not in table["status"].to_pylist():
            write_table(paths[number], table)
    results = join_tables([tables[number] for number in sorted(tables)])
    _write_results(directory, results)
    _describe(plan, directory, records)  # loadable from here on, whatever happens below
    if not interrupted():
        records = _illustrate(plan, directory, results.to_pandas(), records, interrupted)
        _describe(plan, directory, records)
    return results


def _write_results(directory: Path, results: "pa.Table") -> None:
    """Write the table of all runs, for programs and for spreadsheets."""
    write_table(directory / "results.parquet", results)
    write_csv(directory / "results.csv", results)


def _describe(plan: Plan, directory: Path, records: RunDirectories) -> None:
    """Write which settings vary and which runs have directories."""
    about = {
        "varied": plan.keys(),
        "metrics": plan.metrics,
        "directories": records.names(),
    }
    write_atomically(directory / ABOUT, json.dumps(about, indent=1).encode())


def _read_shard(path: Path, shard: Group) -> "pa.Table":
    """Read the table of a shard that ran before.

    Raises:
        RecordError: the file is damaged, or holds other runs.
    """
    table = read_parquet(path)
    if "run" not in table.column_names or table["run"].to_pylist() != sorted(shard.runs.tolist()):
        raise RecordError(f"{path}: missing or damaged (its runs are not those of the plan)")
    return table


def _illustrate(
    plan: Plan,
    directory: Path,
    results: DataFrame,
    records: RunDirectories,
    interrupted: Callable[[], bool],
) -> RunDirectories:
    """Give the representative runs of a sweep their directories, if missing, and pictures."""
    record = plan.options.record
    shown = choose_representatives(plan, results, min(record.max_figures, record.max_run_dirs))
    if len(plan) > record.max_run_dirs:
        ranked = results["run"].to_numpy()[rank_order(results, plan.metric)].tolist()
        chosen = list(dict.fromkeys([ranked[0], ranked[-1], *shown]))[: record.max_run_dirs]
        shown = [run for run in shown if run in chosen]
        first = set(chosen)
        rest = [run for run in ranked if run not in first]
        chosen += evenly_spaced(rest, record.max_run_dirs - len(chosen))
        records = RunDirectories(directory, plan, chosen)
    _record_again(plan, records, interrupted)
    for run in shown if record.figures else ():
        if interrupted():
            break
        records.draw([run])
    if record.figures and not interrupted():
        draw_sweep(plan, directory, results, records)
    return records


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

    def close(self, run: int, outcome: Outcome, seconds: float) -> None:
        self._raise_if_interrupted()
        self.records.close(run, outcome, seconds)

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


def has_failed(results: "pa.Table") -> bool:
    """Whether any run failed."""
    return str(Status.FAILED) in results["status"].to_pylist()
