"""The terminal output of a sweep: a progress bar, and the best runs at its end."""

import math
import shlex
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.table import Table

from gdlab.console import PlainConsole, styled
from gdlab.display.terminal import ProgressBar
from gdlab.engine.status import Status
from gdlab.fields.formatting import format_value
from gdlab.optimizers import Optimizer
from gdlab.recording.rate import recorded_rate
from gdlab.results.cautions import RULE, cautions
from gdlab.results.diagnoses import count_diagnoses, describe_rates
from gdlab.results.ranking import Best, best, setting_label
from gdlab.sweeps.executors.board import Statuses
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.result_files import read_directories
from gdlab.theory import predicted_rate

if TYPE_CHECKING:
    import pyarrow as pa

_FAILURES_SHOWN = 20
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


def show_sweep(plan: Plan, results: "pa.Table", directory: Path) -> None:
    """Print the summary of a sweep."""
    console = PlainConsole()
    wide = PlainConsole(width=max(console.width, _TABLE_WIDTH), soft_wrap=False)
    frame = results.to_pandas()
    counts = ", ".join(f"{n} {status}" for status, n in frame["status"].value_counts().items())
    console.print(f"{len(frame)} of {len(plan)} runs: {counts}")
    winners = best(frame, plan.by(), plan.keys(), plan.metric)
    is_failed = frame["status"] == str(Status.FAILED)
    rates = _format_rates(
        plan, directory, [winner.run for winner in winners], set(frame["run"][~is_failed])
    )
    wide.print(_table_of_winners(plan, winners, rates, frozenset(frame["status"])))
    for combination, text in describe_rates(frame, plan.by(), plan.keys()):
        console.print(styled(("lr: ", "bold"), f"{combination}{': ' * bool(combination)}{text}"))
    for caution in cautions(frame, winners, plan.keys()):
        console.print(styled(("note: ", "bold"), caution))
    failed = frame[is_failed]
    for run, reason in failed[["run", "reason"]].head(_FAILURES_SHOWN).itertuples(index=False):
        console.print(styled((f"failed: {plan.name(run)}: {reason}", "red")))
    if len(failed) > _FAILURES_SHOWN:
        console.print(f"… and {len(failed) - _FAILURES_SHOWN} more: status=failed in the tables")
    path = shlex.quote(str(directory))
    lines = {}
    if happened := count_diagnoses(frame):
        lines["what happened"] = happened
    lines["files"] = str(directory)
    if any(winner.choice for winner in winners):
        lines["ranked by"] = RULE.format(metric=plan.metric.name)
    if len(plan) > plan.options.record.max_run_dirs:
        lines["run directories"] = _describe_directories(plan, directory)
    if reasons := _why_not_batched(plan):
        lines["run by run"] = f"{reasons}; each run had its own optimizer"
    if fell := _fallbacks(results):
        lines["mode"] = fell
    if plan.options.record.events:
        lines["TensorBoard"] = f"python -m gdlab.view {path}"
    if len(frame) < len(plan) or str(Status.INTERRUPTED) in set(frame["status"]):
        lines["to resume"] = f"python -m gdlab resume={path}"
    for name, text in lines.items():
        console.print(f"  {name:<16}{text}")


def _fallbacks(results: "pa.Table") -> str:
    """Say why runs that were to be compiled ran in eager mode; empty if there are none."""
    is_interrupted = str(Status.INTERRUPTED) in results["status"].to_pylist()
    if is_interrupted or "mode_reason" not in results.column_names:
        return ""
    reasons = dict.fromkeys(results["mode_reason"].drop_null().to_pylist())
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


def _format_rates(
    plan: Plan, directory: Path, runs: Sequence[int], ended: Container[int]
) -> list[str]:
    """Return for each run the measured rate and the theoretical one; empty if theory has none."""
    names, rates = read_directories(directory), []
    for run in runs:
        settings = plan.settings_of(run) if run in ended else None
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


def _table_of_winners(
    plan: Plan, winners: list[Best], rates: Sequence[str], statuses: frozenset[str]
) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    keys = [*winners[0].combination, *winners[0].choice]
    for key in keys:
        table.add_column(
            f"best {setting_label(key)}" if key in winners[0].choice else setting_label(key)
        )
    solved = "converged or target" if str(Status.TARGET) in statuses else "converged"
    lost = "diverged or failed" if str(Status.FAILED) in statuses else "diverged"
    measured = ["rate per step (theory, almost every start)"] if any(rates) else []
    spread = f"{plan.metric.name}: median (quartiles)"
    for name in (spread, "evaluations", solved, lost, *measured, "run"):
        table.add_column(name)
    for winner, rate in zip(winners, rates, strict=True):
        chosen = {**winner.combination, **winner.choice}
        table.add_row(
            *(_format_setting(chosen[key]) for key in keys),
            _format_quartiles(winner.metric),
            _format_quartiles(winner.evaluations),
            f"{winner.solved} of {winner.count}",
            f"{winner.lost} of {winner.count}",
            *([rate] if measured else []),
            plan.name(winner.run),
        )
    return table


def _format_quartiles(quartiles: tuple[float, float, float]) -> str:
    low, median, high = quartiles
    return (
        _format_number(median)
        if low == high
        else f"{_format_number(median)} ({_format_number(low)}, {_format_number(high)})"
    )


def _format_number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def _format_setting(value: object) -> str:
    """Format a setting as it was typed; a number with many digits is rounded."""
    if not isinstance(value, float):
        return format_value(value)
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
