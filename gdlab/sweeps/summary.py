"""The terminal output of a sweep: a progress bar, and the best runs at its end."""

import itertools
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.table import Table

from gdlab.console import PlainConsole, styled
from gdlab.display.terminal import ProgressBar
from gdlab.engine.status import Status
from gdlab.optimizers import Optimizer
from gdlab.recording.names import SUMMARY_CSV, SUMMARY_MD
from gdlab.recording.rate import recorded_rate
from gdlab.results.ranking import DataFrame
from gdlab.sweeps.executors.board import Statuses
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.result_files import read_directories
from gdlab.sweeps.results import SweepResults
from gdlab.sweeps.standings import Standings
from gdlab.theory import predicted_rate

_FAILURES_SHOWN = 20
_WINNERS_SHOWN, _NOTES_SHOWN = 40, 10
_TABLE_WIDTH = 200


class SweepProgress:
    """Shows how many runs have ended, and how, on a progress bar."""

    def __init__(self, bar: ProgressBar) -> None:
        self._bar = bar
        self._ended = {Status.CONVERGED: 0, Status.DIVERGED: 0}
        self._done = 0

    def __call__(self, rows: Statuses) -> None:
        """Update the bar with the runs that ended."""
        alive = int((rows.status == Status.RUNNING).sum())
        self._done += len(rows.status) - alive
        for status in self._ended:
            self._ended[status] += int((rows.status == status).sum())
        words = [f"{alive} alive", *(f"{n} {status}" for status, n in self._ended.items())]
        self._bar.show(self._done, ", ".join(words))


def show_sweep(results: SweepResults, directory: Path) -> None:
    """Print the summary of a sweep."""
    console = PlainConsole()
    wide = PlainConsole(width=max(console.width, _TABLE_WIDTH), soft_wrap=False)
    plan, frame, standings = results.plan, results.frame, results.standings
    console.print(standings.headline)
    winners, failed = standings.winners, standings.failures
    runs = [winner.run for winner in winners[:_WINNERS_SHOWN]]
    rates = _format_rates(plan, directory, [None if run in failed else run for run in runs])
    wide.print(_table_of_winners(standings, rates))
    if len(winners) > _WINNERS_SHOWN:
        console.print(f"… and {len(winners) - _WINNERS_SHOWN} more in {SUMMARY_CSV}")
    for note in standings.notes[:_NOTES_SHOWN]:
        console.print(styled(("note: ", "bold"), note))
    if len(standings.notes) > _NOTES_SHOWN:
        console.print(f"… and {len(standings.notes) - _NOTES_SHOWN} more notes in {SUMMARY_MD}")
    for run, reason in itertools.islice(failed.items(), _FAILURES_SHOWN):
        console.print(styled((f"failed: {plan.name(run)}: {reason}", "red")))
    if len(failed) > _FAILURES_SHOWN:
        console.print(f"… and {len(failed) - _FAILURES_SHOWN} more: status=failed in the tables")
    path = shlex.quote(str(directory))
    lines = {}
    if standings.happened:
        lines["what happened"] = standings.happened
    lines["files"] = str(directory)
    if any(winner.choice for winner in winners):
        lines["ranked by"] = standings.rule
    if len(plan) > plan.options.record.max_run_dirs:
        lines["run directories"] = _describe_directories(plan, directory)
    if reasons := _why_not_batched(plan):
        lines["run by run"] = f"{reasons}; each run had its own optimizer"
    if fell := _fallbacks(frame):
        lines["mode"] = fell
    if differ := ", ".join(results.machines_differ):
        lines["machines"] = f"they differ in {differ}: so may last bits between shards"
    if plan.options.record.events:
        lines["TensorBoard"] = f"python -m gdlab.view {path}"
    if len(frame) < len(plan) or _is_interrupted(frame):
        lines["to resume"] = f"python -m gdlab resume={path}"
    for name, text in lines.items():
        console.print(f"  {name:<16}{text}")


def _is_interrupted(results: DataFrame) -> bool:
    return str(Status.INTERRUPTED) in results["status"].unique()


def _fallbacks(results: DataFrame) -> str:
    """Say why runs that were to be compiled ran in eager mode; empty if there are none."""
    if _is_interrupted(results) or "mode_reason" not in results:
        return ""
    reasons = results["mode_reason"].dropna().unique()
    return "; ".join(f"eager, not compiled: {reason}" for reason in reasons)


def _why_not_batched(plan: Plan) -> str:
    """Return why optimizers could not step the runs of a batch together; empty if all could."""
    reasons: dict[str, None] = {}
    for group in plan.groups:
        settings = group.settings
        for optimizer in _optimizers(settings.optimizer) if len(group) > 1 else ():
            why = optimizer.why_not_batched(settings.loss.layout, getattr(torch, settings.dtype))
            reasons |= {} if why is None else {why: None}
    return "; ".join(reasons)


def _optimizers(optimizer: Optimizer) -> Iterator[Optimizer]:
    """Yield an optimizer and its inner ones."""
    yield optimizer
    for value in optimizer.settings().values():
        if isinstance(value, Optimizer):
            yield from _optimizers(value)


def _format_rates(plan: Plan, directory: Path, runs: Sequence[int | None]) -> list[str]:
    """Return for each run the measured rate and the theoretical one; empty if theory has none.

    None is a run without a result.
    """
    names, rates = read_directories(directory), []
    for run in runs:
        settings = None if run is None else plan.settings_of(run)
        predicted = None if settings is None else predicted_rate(settings)
        if settings is None or predicted is None:
            rates.append("")
            continue
        name = names.get(str(run))
        measured = None if name is None else recorded_rate(settings, directory / name)
        measured_word = "-" if measured is None else f"{measured:.4g}"
        rates.append(f"{measured_word} ({predicted.per_step:.4g})")
    return rates


def _describe_directories(plan: Plan, directory: Path) -> str:
    """Say which runs of a large sweep have directories."""
    count = len(read_directories(directory))
    most = f"record.max_run_dirs={plan.options.record.max_run_dirs}"
    if count == 0:
        return f"none; all runs are in the tables only ({most})"
    chosen = ("the best", "the best and the worst", "the best, the worst and a spread between")
    return f"{count} of {len(plan)}: {chosen[min(count, 3) - 1]} ({most}); all are in the tables"


def _table_of_winners(standings: Standings, rates: Sequence[str]) -> Table:
    """Return the best settings as a table, with their rates if there are any."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    measured = ["rate per step (theory, almost every start)"] if any(rates) else []
    for name in (*standings.table.header(), *measured, "run"):
        table.add_column(name)
    rows = zip(standings.table.cells(), rates, standings.names, strict=False)
    for cells, rate, name in rows:
        table.add_row(*cells, *([rate] if measured else []), name)
    return table
