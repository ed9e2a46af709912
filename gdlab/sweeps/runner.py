"""A sweep from its plan to its tables, shard by shard.

A shard is run whole or not at all: once its runs have ended its table is written, and it is never
run again. What an interrupted sweep lacks is the shards without a table; they are run anew with the
same rows, so that the tables in the end are those of a sweep that was never interrupted.

Shapes: R runs.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gdlab.engine.history import History
from gdlab.engine.metrics import check_quantities
from gdlab.engine.outcome import Outcome, Outcomes
from gdlab.engine.status import Status
from gdlab.errors import RecordError
from gdlab.recording.files import write_atomically
from gdlab.recording.parquet import read_parquet, write_csv, write_table
from gdlab.results.ranking import DataFrame, best, rank_order
from gdlab.runs.batching import batch_of
from gdlab.sweeps.executors.board import Statuses
from gdlab.sweeps.executors.driver import run_shards
from gdlab.sweeps.plan import Group, Plan, with_resolved_mode
from gdlab.sweeps.plots import draw_sweep
from gdlab.sweeps.run_dirs import RunDirectories
from gdlab.sweeps.selection import choose_representatives, evenly_spaced
from gdlab.sweeps.shard import FinishedRuns, run_group
from gdlab.sweeps.table import join_tables, table_of

if TYPE_CHECKING:
    import pyarrow as pa

SHARDS, ABOUT = "shards", "sweep.json"


def run_sweep(
    plan: Plan,
    directory: Path,
    interrupted: Callable[[], bool] = lambda: False,
    progress: Callable[[Statuses], None] = lambda rows: None,
) -> "pa.Table":
    """Run what a sweep's directory lacks; write its tables, run directories and pictures.

    Args:
        plan: of the sweep, written in the directory already.
        directory: the sweep's own.
        interrupted: asked at every step, at every record of a directory and before every picture;
            the sweep ends once it says true.
        progress: told what became of rows.

    Returns:
        One row per run that ended, and per run of the shards that were interrupted.

    Raises:
        RecordError: the table of a finished shard is damaged.
        ChildProcessError: a process that ran a shard died.
    """
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
    write_table(directory / "results.parquet", results)
    write_csv(directory / "results.csv", results)
    _describe(plan, directory, records)  # what there is can be loaded, whatever happens to the rest
    if not interrupted():
        records = _illustrated(plan, directory, results.to_pandas(), records, interrupted)
        _describe(plan, directory, records)
    return results


def _describe(plan: Plan, directory: Path, records: RunDirectories) -> None:
    """Write down which settings vary and which runs have directories."""
    about = {
        "varied": plan.keys(),
        "metrics": plan.metrics,
        "directories": records.names(),
    }
    write_atomically(directory / ABOUT, json.dumps(about, indent=1).encode())


def _read_shard(path: Path, shard: Group) -> "pa.Table":
    """The table of a shard that was run before.

    Raises:
        RecordError: the file is damaged, or of other runs.
    """
    table = read_parquet(path)
    if "run" not in table.column_names or table["run"].to_pylist() != sorted(shard.runs.tolist()):
        raise RecordError(f"{path}: missing or damaged (it holds other runs than the plan)")
    return table


def check_summary(plan: Plan) -> None:
    """Sum up the runs before they start, so that it cannot fail when they have ended.

    Raises:
        SettingError: the settings of the summary do not fit.
    """
    starts = []
    for group in plan.groups:
        first = group.runs[:1]
        batch = batch_of(group.settings)
        check_quantities(batch.loss, batch.start, batch.intervals)
        start = FinishedRuns(first, Outcomes(batch), 0.0)
        starts.append(table_of(group, start, plan.varied(first)))
    best(join_tables(starts).to_pandas(), plan.by(), plan.keys(), plan.metric)


def _illustrated(
    plan: Plan,
    directory: Path,
    results: DataFrame,
    records: RunDirectories,
    interrupted: Callable[[], bool],
) -> RunDirectories:
    """Give the runs that stand for a sweep their directories, if they have none, and pictures."""
    record = plan.options.record
    shown = choose_representatives(plan, results, min(record.max_figures, record.max_run_dirs))
    if len(plan) > record.max_run_dirs:
        ranked = results["run"].to_numpy()[rank_order(results, plan.metric)].tolist()
        chosen = list(dict.fromkeys([ranked[0], ranked[-1], *shown]))[: record.max_run_dirs]
        shown = [run for run in shown if run in chosen]
        named = set(chosen)
        rest = [run for run in ranked if run not in named]
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
    """The runs that are recorded again shall end."""


@dataclass(frozen=True)
class _UntilInterrupted:
    """Records that are given up once a sweep is interrupted, even between two runs of a chunk."""

    records: RunDirectories
    interrupted: Callable[[], bool]

    def write(self, run: int, piece: History) -> None:
        self._go_on()
        self.records.write(run, piece)

    def close(self, run: int, outcome: Outcome, seconds: float) -> None:
        self._go_on()
        self.records.close(run, outcome, seconds)

    def forget(self, run: int) -> None:
        self.records.forget(run)

    def _go_on(self) -> None:
        if self.interrupted():
            raise _Interrupted


def _record_again(plan: Plan, records: RunDirectories, interrupted: Callable[[], bool]) -> None:
    """Run the chosen ones that have no records once more, now with them."""
    chosen = np.array(records.missing(), dtype=np.int64)
    watched = _UntilInterrupted(records, interrupted)
    for group in map(with_resolved_mode, plan.groups):
        rows = np.flatnonzero(np.isin(group.runs, chosen))
        if not len(rows):
            continue
        try:
            for _ in run_group(group.take(rows), watched, interrupted):
                pass
        except _Interrupted:
            records.abandon()
            return


def has_failed(results: "pa.Table") -> bool:
    """Whether any run has."""
    return str(Status.FAILED) in results["status"].to_pylist()
