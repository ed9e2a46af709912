"""What a sweep found: its best settings and how they were chosen, as data and in two files.

`summary.csv` has a row for each best, with all digits; `summary.md` is for people.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gdlab.console import visible
from gdlab.engine.status import Status
from gdlab.fields.formatting import format_value
from gdlab.recording.digests import write_with_digest
from gdlab.recording.names import SUMMARY_CSV, SUMMARY_MD
from gdlab.recording.parquet import csv_of
from gdlab.results.best_settings import Best, best
from gdlab.results.best_table import BestTable
from gdlab.results.cautions import cautions, ranking_rule
from gdlab.results.diagnoses import count_diagnoses, describe_rates, unnamed_limit
from gdlab.results.ranking import DataFrame, setting_label, split_by
from gdlab.sweeps.plan import Plan

_QUARTILES = ("low", "median", "high")


@dataclass(frozen=True)
class Standings:
    """What a sweep found.

    Attributes:
        planned: number of its runs.
        statuses: number of runs that ended in each status, the most frequent first.
        diagnoses: number of runs with each diagnosis, likewise.
        metric: the column that ranks runs that reached nothing.
        winners: the best settings of each problem and combination.
        names: of the directories of their median runs.
        rule: how they were chosen, as a sentence.
        notes: what to know before one believes them, as sentences.
        failures: why runs failed, by their numbers.
    """

    planned: int
    statuses: Mapping[str, int]
    diagnoses: Mapping[str, int]
    metric: str
    winners: Sequence[Best]
    names: Sequence[str]
    rule: str
    notes: Sequence[str]
    failures: Mapping[int, str]

    @property
    def happened(self) -> str:
        """How many runs have which diagnosis."""
        return ", ".join(f"{count} {diagnosis}" for diagnosis, count in self.diagnoses.items())

    @property
    def headline(self) -> str:
        """How many runs ended how."""
        counts = ", ".join(f"{count} {status}" for status, count in self.statuses.items())
        return f"{sum(self.statuses.values())} of {self.planned} runs: {counts}"

    @property
    def table(self) -> BestTable:
        """The best settings as the cells of a table."""
        return BestTable(self.winners, self.metric, self.statuses)

    def records(self) -> list[dict[str, Any]]:
        """Return all that is known of each best as plain values, by names."""
        return [
            {
                "settings": {
                    setting_label(key): value
                    for key, value in {**winner.combination, **winner.choice}.items()
                },
                "metric": self.metric,
                **dict(zip(_QUARTILES, winner.metric, strict=True)),
                **{
                    f"evaluations_{which}": value
                    for which, value in zip(_QUARTILES, winner.evaluations, strict=True)
                },
                "converged_or_target": winner.solved,
                "at_lowest_loss": winner.reached,
                "diverged_or_failed": winner.lost,
                "count": winner.count,
                "run": winner.run,
                "name": name,
            }
            for winner, name in zip(self.winners, self.names, strict=True)
        ]

    def data(self) -> dict[str, Any]:
        """Return everything as plain values that strict JSON can hold."""
        records = [{key: _finite(item) for key, item in row.items()} for row in self.records()]
        return {
            "runs": self.planned,
            "statuses": dict(self.statuses),
            "diagnoses": dict(self.diagnoses),
            "best": [row | {"settings": _plain(row["settings"])} for row in records],
            "ranked_by": self.rule,
            "notes": list(self.notes),
            "failed": [{"run": run, "reason": text} for run, text in self.failures.items()],
        }


def standings_of(plan: Plan, results: DataFrame) -> Standings:
    """Find what a sweep found.

    Args:
        plan: of the sweep.
        results: its table.
    """
    metric, keys, problems = plan.metric, plan.keys(), plan.problems()
    winners = best(results, plan.by(), keys, metric, problems)
    failed = results[results["status"] == str(Status.FAILED)]
    limit_of = partial(_stability_limit, plan)
    rates = describe_rates(results, list(winners[0].combination), keys, limit_of)
    return Standings(
        planned=len(plan),
        statuses=results["status"].value_counts().to_dict(),
        diagnoses=count_diagnoses(results),
        metric=metric.name,
        winners=winners,
        names=[plan.name(winner.run) for winner in winners],
        rule=ranking_rule(metric.name, list(map(setting_label, problems))),
        notes=[*rates, *cautions(results, winners, keys, metric)],
        failures=dict(zip(failed["run"].tolist(), failed["reason"], strict=True)),
    )


def _stability_limit(plan: Plan, rows: DataFrame) -> str:
    """Return the formula of the stability limit of some runs, if they have it in common."""
    keys = [key for key in plan.keys() if key.partition(".")[0] == "optimizer"]  # noqa: SIM118
    firsts = [int(part["run"].iloc[0]) for _, part in split_by(rows, keys)]
    formulas = {plan.settings_of(run).optimizer.stability_formula() for run in firsts}
    return formulas.pop() if len(formulas) == 1 else unnamed_limit(rows)


def write_standings(directory: Path, standings: Standings) -> None:
    """Write what a sweep found as `summary.csv` and `summary.md`."""
    import pyarrow as pa

    rows = standings.records()
    flat = [{**row.pop("settings"), **row} for row in rows]
    columns = {key: _column([row[key] for row in flat]) for key in flat[0]}
    write_with_digest(directory, SUMMARY_CSV, csv_of(pa.table(columns)))
    write_with_digest(directory, SUMMARY_MD, _markdown(standings).encode())


def _markdown(standings: Standings) -> str:
    """Return what a sweep found as a page of Markdown."""
    named = zip(standings.table.cells(), standings.names, strict=True)
    rows = [[*cells, name] for cells, name in named]
    header = [*standings.table.header(), "run"]
    lines = [f"# {standings.headline}", ""]
    table = (header, ["---"] * len(header), *rows)
    lines += [f"| {' | '.join(map(_escape, cells))} |" for cells in table]
    lines += ["", f"What happened: {standings.happened}."] if standings.happened else []
    lines += ["", f"Ranked by {_escape(standings.rule)}."]
    notes = [*standings.notes, *(f"run {n} failed: {t}" for n, t in standings.failures.items())]
    lines += ["", *(f"- {_escape(note)}" for note in notes)] if notes else []
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Return a text that Markdown shows as it is, in a cell of a table too."""
    special = {ord(character): f"\\{character}" for character in "\\`*_<>[]|"}
    return text if set(text) == {"-"} else visible(text).translate(special)


def _column(values: Sequence[Any]) -> list[Any]:
    """Return numbers as they are, and any other values as they are typed."""
    are_numbers = all(type(value) in (int, float, type(None)) for value in values)
    return list(values) if are_numbers else list(map(format_value, values))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as JSON holds them; what it cannot hold, as it is typed."""
    kept = (bool, int, float, str, type(None))
    return {
        key: _finite(value) if type(value) in kept else format_value(value)
        for key, value in values.items()
    }


def _finite(value: Any) -> Any:
    """Return a value, or None for a number that is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
