"""Where each optimizer of a comparison wins and loses: a section of a page for each.

Shapes: O optimizers, P problems.
"""

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from leaderboard_markup import listed, table

from gdlab.bench.contest import DEFAULT, SCORE, SHARED, TRACKS, TUNED
from gdlab.bench.files import Files
from gdlab.bench.space import Space
from gdlab.bench.standings import Track
from gdlab.bench.summary import rank_of
from gdlab.report.markdown import plain

CLOSE = 1.1
"""Who spends at most so many times the evaluations of the best is among the best."""

_NAMES = {TUNED: "tuned", SHARED: "one setting", DEFAULT: "defaults"}


class Places(NamedTuple):
    """On which problems an optimizer stands how, tuned for each: (O, P).

    Attributes:
        best: it spends at most `CLOSE` times what the best spends, and that reaches a target.
        unsolved: none of its runs reaches the last target, and some run of another does.
        worst: it spends the most of those that fit, and another spends less.
    """

    best: np.ndarray
    unsolved: np.ndarray
    worst: np.ndarray


def places_of(track: Track) -> Places:
    """Return how the optimizers stand on each problem."""
    cost = track.cost.mean(2)
    low, high = np.nanmin(cost, 0), np.nanmax(cost, 0)
    solves = np.isfinite(track.spent[..., -1]).any(2)
    with np.errstate(invalid="ignore"):
        best = (cost <= low + np.log10(CLOSE)) & np.isfinite(track.spent).any((0, 2, 3))
        return Places(best, track.plays & ~solves & solves.any(0), (cost == high) & (low < high))


def edges_of(files: Files) -> Mapping[str, Counter[str]]:
    """Return for each optimizer the ends of its space, and on how many problems it is tuned there.

    An end is a setting with the word lowest or highest.
    """
    scores = files.scores
    tuned = scores[(scores["track"] == TUNED) & (scores["variant"] == SCORE)]
    chosen = tuned.drop_duplicates(["optimizer", "problem"])
    found: dict[str, Counter[str]] = {}
    for each in files.about["optimizers"]:
        space = Space.of(each["name"], each["space"])
        settings = chosen.loc[chosen["optimizer"] == each["name"], "settings"]
        ends = (end for typed in settings for end in space.edges(_read(typed)))
        found[each["name"]] = Counter(
            f"{key.removeprefix('optimizer.')} {end}" for key, end in ends
        )
    return found


def _read(typed: str) -> dict[str, float | list[float]]:
    """Return the values of settings that stand as in a command."""
    pairs = (word.partition("=") for word in shlex.split(typed))
    return {key: json.loads(value) for key, _, value in pairs}


def sections(files: Files) -> Iterator[str]:
    """Yield a section for each optimizer, the best first."""
    track = files.tracks[TUNED]
    places, edges = places_of(track), edges_of(files)
    yield "## Optimizer by optimizer"
    yield (
        "Tuned for each problem. Among the best is who spends at most "
        f"{CLOSE - 1:.0%} more than the best. At the end of its space is a setting that might be "
        "better beyond, with the number of problems. A run is lost if it diverged, failed or "
        "stalled."
    )
    for at in track.order:
        name = track.optimizers[at]
        ranks = {key: rank_of(files.tracks[key], at) for key in TRACKS}
        lost = {key: f"{files.tracks[key].lost[at]:.0%}" for key in TRACKS}
        yield f"### {plain(name)}"
        rows = [_counted("among the best", track, at, places.best)]
        kinds = (("not solved, as others do", places.unsolved), ("the worst", places.worst))
        rows += [_counted(kind, track, at, which) for kind, which in kinds if which[at].any()]
        ends = [plain(f"{end} ({count})") for end, count in edges[name].most_common()]
        rows += [("at an end of its space", listed(ends))] if ends else []
        rows.append(("runs lost", _by_track(lost)))
        yield table((f"rank of {len(track.optimizers)}", _by_track(ranks)), rows)


def _counted(kind: str, track: Track, at: int, which: np.ndarray) -> tuple[str, str]:
    """Return a row with the problems (O, P) of an optimizer, and how many of those that it fits."""
    names = [plain(track.problems[p]) for p in np.flatnonzero(which[at]).tolist()]
    return kind, f"{len(names)} of {track.plays[at].sum()}: {listed(names)}"


def _by_track(values: Mapping[str, str]) -> str:
    return ", ".join(f"{_NAMES[name]} {value}" for name, value in values.items())
