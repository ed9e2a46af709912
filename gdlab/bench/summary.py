"""A comparison in words: how the optimizers stand on each track, and what to take with care."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from gdlab.bench.contest import DEFAULT, SHARED, TUNED, Contest
from gdlab.bench.scores import PENALTY
from gdlab.bench.standings import Track
from gdlab.bench.tuning import Tuned

TITLES = {
    TUNED: "tuned for each problem",
    SHARED: "one setting for the whole suite",
    DEFAULT: "default settings, untuned",
}
"""The tracks in words."""

_MANY = 0.1
"""The share of lost runs that a reader has to know of."""

_ENDS = {"lowest": "lower", "highest": "upper"}
COLUMNS = ("rank", "optimizer", "solved", "area", "budget spent (95% interval)", "wins", "losses")


def rows_of(track: Track) -> list[tuple[str, ...]]:
    """Return a row of `COLUMNS` for each optimizer, best first."""
    better = track.beats() > 0
    rows = []
    for at in track.order:
        low, typical, high = track.typical[at]
        rows.append(
            (
                rank_of(track, at),
                track.optimizers[at],
                f"{track.solved[at, -1]:.0%}",
                f"{track.area[at]:.3f}",
                _parts(typical, low, high),
                str(better[at].sum()),
                str(better[:, at].sum()),
            )
        )
    return rows


def rank_of(track: Track, at: int) -> str:
    """Return the rank of an optimizer, marked by = where others have the same."""
    is_shared = (track.ranks == track.ranks[at]).sum() > 1
    return f"{track.ranks[at]}{'=' if is_shared else ''}"


def _parts(typical: float, low: float, high: float) -> str:
    """Format a part of the budget with its interval, if it is one."""
    if low == typical == high:
        return _part(typical)
    return f"{_part(typical)} ({_part(low)} to {_part(high)})"


def _part(value: float) -> str:
    """Format a part of the budget, in which a target that is missed counts as ten budgets."""
    if value >= PENALTY:
        return "no target"
    return f"{100 * value:.3g}%" if value <= 1 else "over 100%"


def cautions(
    contest: Contest, tuned: Tuned, tracks: Mapping[str, Track], unstable: Iterable[str]
) -> Iterator[str]:
    """Yield what a reader has to know besides the ranks.

    Args:
        contest: the comparison.
        tuned: the settings that tuning chose.
        tracks: the scores on each track.
        unstable: the problems on which rounding changes who is better.
    """
    track = tracks[TUNED]
    for at in np.flatnonzero(track.unsettled > 0).tolist():
        share, name = track.unsettled[at], track.optimizers[at]
        shown = "under 1%" if share < 0.01 else f"{share:.0%}"
        yield f"{name}: {shown} of its runs were still falling when the budget was spent"
    for title, each in tracks.items():
        for at in np.flatnonzero(each.lost >= _MANY).tolist():
            name = each.optimizers[at]
            yield f"{name}: {each.lost[at]:.0%} of its runs are lost, {TITLES[title]}"
    edges: dict[str, int] = {}
    for key, columns in tuned.settings.items():
        entrant = contest.entrants[key[0]]
        for name, end in entrant.space.edges({key: c[0].tolist() for key, c in columns.items()}):
            words = f"{entrant.name}: {name} at the {_ENDS[end]} end of its space"
            edges[words] = edges.get(words, 0) + 1
    for words, count in edges.items():
        yield f"{words} on {count} of {len(contest.suite.problems)} problems"
    yield from _obstacles(contest)
    for problem in unstable:
        yield f"{problem}: rounding changes who is better (float32, or a start one unit off)"


def _obstacles(contest: Contest) -> Iterator[str]:
    """Yield for each optimizer the problems that it does not fit, with the first reason."""
    for at, entrant in enumerate(contest.entrants):
        cells = [cell for cell in contest.cells if cell.entrant == at and cell.obstacle]
        if cells:
            names = [contest.suite.problems[cell.problem].name for cell in cells]
            where = names[0] if len(names) == 1 else f"{len(names)} problems ({names[0]}, …)"
            yield f"{entrant.name} does not fit {where}: {cells[0].obstacle}"


def lines(tracks: Mapping[str, Track], notes: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a comparison as plain text.

    Args:
        tracks: the scores on each track.
        notes: what a reader has to know besides.
    """
    for name, track in tracks.items():
        yield TITLES[name]
        table = [COLUMNS, *rows_of(track)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for row in table:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            yield "  " + "  ".join(cells).rstrip()
        yield ""
    for note in notes:
        yield f"note: {note}"
