"""A recorded run or a sweep in a notebook: how it ended, and its numbers as a table."""

import base64
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gdlab.console import plain_html
from gdlab.errors import GdlabError
from gdlab.plots.style import render
from gdlab.results.best_table import BestTable
from gdlab.results.cautions import cautions, ranking_rule
from gdlab.results.diagnoses import count_diagnoses, describe_rates
from gdlab.results.ranking import setting_label
from gdlab.results.recorded_run import run_title

if TYPE_CHECKING:
    from gdlab.results.load import Recorded

_MOST_ROWS, _MOST_COORDINATES = 50, 6
_LEFT = " style='text-align:left'"


def html(sweep: "Recorded") -> str:
    """Return the headline of a sweep, the table of its best settings, and how they were chosen.

    They are the best of each problem and combination that the summary in the terminal tells apart.

    Args:
        sweep: with at least one run.
    """
    results = sweep.results
    counts = results["status"].value_counts()
    ends = ", ".join(f"{count} {status}" for status, count in counts.items())
    parts = [f"<b>{len(results):,} run{'s' * (len(results) != 1)}</b>: {plain_html(ends)}"]
    happened = ", ".join(f"{count} {name}" for name, count in count_diagnoses(results).items())
    parts += [f"<br>What happened: {plain_html(happened)}"] if happened else []
    winners = sweep.best()
    table = BestTable(winners, sweep.metric, set(counts.index))
    rows = zip(table.cells(), winners, strict=True)
    body = [_row("td", [*cells, str(winner.run)]) for cells, winner in rows]
    shown = "".join(body[:_MOST_ROWS])
    parts.append(f"<table>{_row('th', [*table.header(), 'run'])}{shown}</table>")
    if len(body) > _MOST_ROWS:
        parts.append(f"<p>and {len(body) - _MOST_ROWS:,} more: best() has all</p>")
    rule = ranking_rule(sweep.metric, list(map(setting_label, sweep.problems)))
    rates = describe_rates(results, list(winners[0].combination), sweep.varied)
    doubts = cautions(results, winners, sweep.varied, sweep.ranked_by)
    notes = [f"Ranked by {rule}.", *rates, *doubts]
    return f"<div>{''.join(parts)}{''.join(f'<p>{plain_html(note)}</p>' for note in notes)}</div>"


def run_html(run: "Recorded") -> str:
    """Return how a recorded run ended, its numbers as a table, and the picture of its losses."""
    end = run.outcome
    title = run_title(run)
    parts = [f"{plain_html(title)}<br><b>{plain_html(str(end.status))}</b>: "]
    parts += [plain_html(end.reason)]
    parts += [] if end.explanation is None else [f"<br>{plain_html(end.explanation)}"]
    numbers = {"steps": end.steps, "loss": end.final_loss, "gradient norm": end.grad_norm}
    numbers |= end.metrics
    rows = [(name, f"{value:.8g}") for name, value in numbers.items() if value is not None]
    point = ", ".join(f"x{i}={value:.6g}" for i, value in enumerate(end.x[:_MOST_COORDINATES]))
    rows += [("point", point + ", …" * (len(end.x) > _MOST_COORDINATES))]
    parts.append(f"<table>{''.join(_row('td', row) for row in rows)}</table>")
    return f"<div>{''.join(parts)}{_picture(run)}</div>"


def _picture(run: "Recorded") -> str:
    """Return the losses of a run as an image; empty where no file holds them."""
    try:
        figure = run.plot("loss")
    except GdlabError:
        return ""
    data = base64.b64encode(render(figure, "png")).decode("ascii")
    return f"<img alt='loss' src='data:image/png;base64,{data}'>"


def _row(tag: str, cells: Iterable[str]) -> str:
    inside = "".join(f"<{tag}{_LEFT}>{plain_html(cell)}</{tag}>" for cell in cells)
    return f"<tr>{inside}</tr>"
