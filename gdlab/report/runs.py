"""The report of recorded runs and sweeps, made from the files of their directories alone."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.names import MULTIRUN, OVERRIDES
from gdlab.report.content import (
    Block,
    Command,
    Document,
    Figure,
    Items,
    Paths,
    Section,
    Table,
    Text,
)
from gdlab.results.best_table import BestTable, format_setting
from gdlab.results.cautions import cautions, ranking_rule
from gdlab.results.diagnoses import count_diagnoses, describe_rates
from gdlab.results.load import Recorded
from gdlab.results.ranking import rank_order, setting_label
from gdlab.results.recorded_run import flat_settings, loss_name
from gdlab.viewer.messages import messages_of

_MOST_ROWS = 1000
_OF_RUN, _OF_SWEEP = ("loss", "stability"), ("convergence", "sensitivity")
_LOST = (str(Status.DIVERGED), str(Status.FAILED), str(Status.STALLED))
_LEFT_OUT = ("reason", "mode_reason", "mode", "seconds", "explanation")


def document_of(recorded: Sequence[Recorded]) -> Document:
    """Return the report of runs and sweeps that were loaded from their directories."""
    runs = sum(len(each.results) for each in recorded)
    names = [_name(each) for each in recorded]
    title = names[0] if len(names) == 1 else f"{len(names)} directories of runs"
    statuses = [status for each in recorded for status in each.results["status"]]
    ended = statuses.count(str(Status.CONVERGED)) + statuses.count(str(Status.TARGET))
    many = "1 run" if runs == 1 else f"{runs:,} runs"
    summary = f"{many}, of which {ended:,} converged or reached a target."
    sections = [Section("Overview", list(_overview(recorded)))] if len(recorded) > 1 else []
    sections += _paths([each.directory for each in recorded if each.directory is not None])
    sections += [
        Section(_name(each), list((_run if each.is_run else _sweep)(number, each)))
        for number, each in enumerate(recorded, 1)
    ]
    return Document(title, summary, sections)


def _paths(directories: Sequence[Path]) -> list[Section]:
    """Return the section with the viewer, if a run has a path."""
    messages = messages_of(directories)
    if not messages:
        return []
    return [Section("Paths", [Paths("paths", "The runs on their landscape.", messages)])]


def _name(recorded: Recorded) -> str:
    return (recorded.directory or Path()).resolve().name


def _overview(recorded: Sequence[Recorded]) -> Iterator[Block]:
    rows = []
    for each in recorded:
        counts = each.results["status"].value_counts()
        ends = ", ".join(f"{count} {status}" for status, count in counts.items())
        best = each.results["final_loss"].min()
        rows.append((_name(each), str(len(each.results)), ends, f"{best:.6g}"))
    yield Table("overview", "What there is.", ("directory", "runs", "ended", "least loss"), rows)


def _run(number: int, run: Recorded) -> Iterator[Block]:
    row = run.results.iloc[0]
    yield from _command(run, OVERRIDES, "python -m gdlab")
    yield Text(f"{row['status']}: {row['reason']}.")
    if isinstance(row.get("explanation"), str):
        yield Text(row["explanation"])
    yield from _figures(number, run, _OF_RUN)
    numbers = [(str(key), _cell(value)) for key, value in row.items() if key not in _LEFT_OUT]
    yield Table(f"result_{number}", "How it ended.", ("", "value"), numbers)
    yield from _all_settings(number, run)


def _sweep(number: int, sweep: Recorded) -> Iterator[Block]:
    results, winners = sweep.results, sweep.best()
    yield from _command(sweep, MULTIRUN, "python -m gdlab -m")
    counts = results["status"].value_counts()
    ends = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    happened = ", ".join(f"{count:,} {name}" for name, count in count_diagnoses(results).items())
    yield Text(
        f"{len(results):,} runs: {ends}." + (f" What happened: {happened}." * bool(happened))
    )
    table = BestTable(winners, sweep.metric, set(counts.index))
    yield Table(f"best_{number}", "The best settings.", table.header(), list(table.cells()))
    rule = ranking_rule(sweep.metric, list(map(setting_label, sweep.problems)))
    rates = describe_rates(results, list(winners[0].combination), sweep.varied)
    yield Items([f"ranked by {rule}", *rates, *cautions(results, winners, sweep.varied)])
    yield from _figures(number, sweep, _OF_SWEEP)
    lost = results[results["status"].isin(_LOST)]
    columns = ["run", *sweep.varied, "status", "reason"]
    if len(lost):
        caption = "Runs that diverged, failed or stalled, with the reason."
        yield Table(f"lost_{number}", caption, columns, _rows(lost, columns), folded=True)
    shown = [name for name in results if name not in _LEFT_OUT]
    ordered = results.iloc[rank_order(results, sweep.ranked_by, sweep.problems)]
    caption = "All runs, best first."
    if len(results) > _MOST_ROWS:
        caption = f"The best {_MOST_ROWS:,} of {len(results):,} runs; results.csv has all."
    yield Table(f"runs_{number}", caption, shown, _rows(ordered, shown), folded=True)
    yield from _all_settings(number, sweep)


def _command(recorded: Recorded, pattern: str, start: str) -> Iterator[Block]:
    """Yield the command that makes a run or a sweep again, if the files tell."""
    assert recorded.directory is not None
    files = VerifiedFiles(recorded.directory)
    found = [name for name in files.find(pattern) if name in files]
    if not found:
        return
    content = yaml.safe_load(files.read_text(found[0])) or []
    if isinstance(content, dict):
        content = (content.get("hydra") or {}).get("overrides", {}).get("task", [])
    words = [shlex.quote(str(word)) for word in content]
    yield Command(" ".join([start, *words]))


def _figures(number: int, recorded: Recorded, kinds: Sequence[str]) -> Iterator[Block]:
    """Yield the pictures that can be drawn of what was recorded."""
    for kind in kinds:
        try:
            drawing = recorded.plot(kind)
        except SettingError:
            continue  # there is none of this kind
        yield Figure(f"{kind}_{number}", f"{kind.capitalize()} of {loss_name(recorded)}.", drawing)


def _all_settings(number: int, recorded: Recorded) -> Iterator[Block]:
    settings = flat_settings(recorded)
    rows = [(key, format_value(value)) for key, value in settings.items()]
    yield Table(f"settings_{number}", "All settings.", ("setting", "value"), rows, folded=True)


def _rows(results: Any, columns: Sequence[str]) -> list[tuple[str, ...]]:
    values = results[list(columns)].head(_MOST_ROWS).to_numpy(dtype=object)
    return [tuple(map(_cell, row)) for row in values]


def _cell(value: Any) -> str:
    """Format a value of a table; nothing where it is unknown."""
    if value is None or value != value:
        return ""
    value = value.item() if hasattr(value, "item") else value
    return format_setting(value) if isinstance(value, float) else str(value)
