"""A comparison from its plan to the table of its scores.

Each shard leaves a table once its runs have ended, so that a comparison that was interrupted goes
on where it stopped and ends with the same scores.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gdlab.bench.contest import FLOAT32, SCORE, TRACKS, ULP, Contest
from gdlab.bench.tuning import Tuned, best_of, decide, results_of, tuned_of
from gdlab.engine.status import Status
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.files import make_folder
from gdlab.recording.parquet import write_table
from gdlab.results.ranking import DataFrame
from gdlab.sweeps.executors.board import Statuses
from gdlab.sweeps.executors.driver import run_shards
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.result_files import read_shard, shard_name
from gdlab.sweeps.table import join_tables

if TYPE_CHECKING:
    import pyarrow as pa

TUNING, FINALS, SCORING = "tuning", "finals", "scoring"
"""The folders of the tables of shards."""

SCORES, RESULT = "scores.parquet", "comparison.json"
"""The files of a comparison that has ended."""


_NAMES = ("optimizer", "problem", "track", "variant", "seed")


class Interrupted(Exception):
    """A comparison was interrupted; the tables of the shards that ended are kept."""


@dataclass(frozen=True)
class Watch:
    """Who is asked whether to stop, and who hears of progress.

    Attributes:
        interrupted: asked at every step.
        progress: receives the statuses of rows.
    """

    interrupted: Callable[[], bool] = lambda: False
    progress: Callable[[Statuses], None] = lambda rows: None


def run_contest(
    contest: Contest, directory: Path | None, watch: Watch = Watch()
) -> tuple[Tuned, DataFrame]:
    """Tune and score every optimizer.

    Args:
        contest: the comparison.
        directory: where the tables of shards are kept; None to keep nothing.
        watch: who is asked whether to stop, and who hears of progress.

    Returns:
        What tuning chose, and a table with a row for each scored run.

    Raises:
        Interrupted: `watch` asked to stop.
    """
    tuned = _tune(contest, directory, watch)
    plan = contest.scoring(tuned.settings)
    return tuned, _with_names(contest, tuned, _run(plan, directory, SCORING, watch))


def _tune(contest: Contest, directory: Path | None, watch: Watch) -> Tuned:
    """Try all settings, the best of them once more, and return what is chosen."""
    rules = contest.rules
    results = results_of(contest, _run(contest.tuning(), directory, TUNING, watch), rules.trials)
    best = best_of(results, max(rules.finals, 1))
    if rules.finals:
        frame = _run(contest.finals(best), directory, FINALS, watch)
        best = decide(results, results_of(contest, frame, 2 * rules.finals), best)
    return tuned_of(contest, best)


def _run(plan: Plan, directory: Path | None, folder: str, watch: Watch) -> DataFrame:
    """Run the shards without a table, and return the table of all runs."""
    shards = dict(enumerate(plan.shards()))
    tables: dict[int, pa.Table] = {}
    if directory is not None:
        make_folder(directory / folder)
        files = VerifiedFiles(directory)
        for number, shard in shards.items():
            name = shard_name(folder, number)
            if name in files:
                tables[number] = read_shard(files, name, shard.runs)
    missing = {number: shard for number, shard in shards.items() if number not in tables}
    for number, table in run_shards(plan, missing, None, watch.interrupted, watch.progress):
        if str(Status.INTERRUPTED) in table["status"].to_pylist():
            continue
        tables[number] = table
        if directory is not None:
            write_table(directory, shard_name(folder, number), table)
    if len(tables) < len(shards):
        raise Interrupted
    return join_tables([tables[number] for number in sorted(tables)]).to_pandas()


def _with_names(contest: Contest, tuned: Tuned, frame: DataFrame) -> DataFrame:
    """Add to scored runs what they are: problem, optimizer, track, variant, seed, settings, lr."""
    import pandas as pd

    entrants, problems = contest.entrants, contest.suite.problems
    rules = contest.rules
    seeds, chaos = rules.seeds_to_score.tolist(), min(rules.chaos, rules.seeds)
    rows = [
        (
            entrants[cell.entrant].name,
            problems[cell.problem].name,
            track,
            variant,
            seed,
            tuned.typed(cell, track),
            tuned.rate(cell, track, entrants[cell.entrant].lr),
        )
        for variant in (SCORE, FLOAT32, ULP)
        for cell in contest.playing
        for track in (TRACKS if variant == SCORE else TRACKS[:1])
        for seed in (seeds if variant == SCORE else seeds[:chaos])
    ]
    names = pd.DataFrame(rows, columns=[*_NAMES, "settings", "lr"])
    limits = {problem.name: problem.budget for problem in problems}
    names["budget"] = (
        [limits[name] for name in names["problem"]] if rules.budget is None else rules.budget
    )
    targets = {p.name: " ".join(map(repr, p.targets)) for p in problems}
    names["targets"] = [targets[name] for name in names["problem"]]
    dims = {problems[c.problem].name: c.settings.loss.dim for c in contest.playing}
    names["dim"] = [dims[name] for name in names["problem"]]
    kept = frame.drop(columns=["run", *names.columns.intersection(frame.columns), "loss"])
    return pd.concat([names, kept], axis=1)
