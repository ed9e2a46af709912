"""The report of a comparison, made from the files of its directory alone.

Shapes: O optimizers, P problems, S seeds, J targets, G points of a grid.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gdlab.bench.contest import FLOAT32, SCORE, TRACKS, TUNED, ULP, Rules
from gdlab.bench.contest_file import CONTEST
from gdlab.bench.files import Files
from gdlab.bench.profiles import data_profile, ecdf, performance_profile
from gdlab.bench.report_settings import settings_of
from gdlab.bench.standings import LEAST, LEVEL, LOST, Track
from gdlab.bench.summary import COLUMNS, TITLES, rows_of
from gdlab.console import visible
from gdlab.plots.profiles import draw_pairs, draw_profiles
from gdlab.report.content import Block, Command, Document, Figure, Items, Section, Table, Text

_POINTS = 120
_MOST_RATIO = 100.0


def is_comparison(directory: Path) -> bool:
    """Return whether a directory holds a comparison."""
    return (directory / CONTEST).is_file()


def document_of(directory: Path, tracks: Mapping[str, Track] | None = None) -> Document:
    """Return the report of a comparison.

    Args:
        directory: of the comparison.
        tracks: the scores on each track, where these are at hand.

    Raises:
        RecordError: one of its files is missing or damaged.
    """
    files = Files.read(directory, tracks)
    suite, optimizers = files.about["suite"], files.about["optimizers"]
    tuned = files.tracks[TUNED]
    best = [tuned.optimizers[at] for at in tuned.order if tuned.ranks[at] == 1]
    tie = " is best" if len(best) == 1 else " tie for the first place"
    summary = (
        f"{len(optimizers)} optimizers on {len(suite['problems'])} problems, each with the same "
        f"{files.about['rules']['trials']} trials, scored on seeds that tuning never saw. "
        f"Tuned for each problem, {_join(best)}{tie}."
    )
    sections = [
        Section("What was run", list(_what_was_run(files))),
        *(Section(_capital(TITLES[name]), list(standing_of(files, name))) for name in TRACKS),
        Section("Profiles", list(profiles_of(files))),
        Section("Problem by problem", list(_by_problem(files))),
        Section("What to take with care", list(_cautions(files))),
        Section("Settings", list(settings_of(files))),
    ]
    return Document(f"Comparison of optimizers on the suite {suite['name']}", summary, sections)


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _what_was_run(files: Files) -> Iterator[Block]:
    rules, suite = files.about["rules"], files.about["suite"]
    yield Text(suite["about"])
    command, again = files.command, "The command above makes every number again; "
    if command:
        yield Command(command)
    else:
        again = "The comparison was made in Python, by gdlab.bench; "
    yield Items(
        [
            "The number is evaluations to a target: gradients with their losses, and what an "
            "optimizer asks besides. The targets of a problem are f* + τ (f(x₀) - f*), fixed "
            "before anything runs; a target that is not reached within the budget counts as ten "
            "budgets.",
            f"Tuning: {rules['trials']} settings of each optimizer from a Sobol sequence over its "
            f"search space, {rules['tuning_seeds']} runs of each on every problem"
            f"{_again(rules)}; the least mean logarithm of evaluations is chosen.",
            f"Scores: {rules['seeds']} runs with each chosen setting, on seeds counted from "
            f"{rules['seed'] + 2**32}, which no trial uses.",
            "Pairs are tested by Wilcoxon's signed-rank test over (problem, seed) with Holm's "
            f"correction at {LEVEL:.0%}; what is not significant is a tie and shares a rank. "
            "Intervals are paired bootstraps of the median, 95%. Both speak of these problems.",
            f"{again}python -m gdlab.report DIR, given the folder, makes each table and figure "
            "again from scores.parquet; the commands of single scores are at the end of the "
            "report, under Settings.",
        ]
    )
    versions = [[name, str(value)] for name, value in files.result["versions"].items()]
    yield Table("versions", "Versions", ("", "version"), versions)


def _again(rules: Mapping[str, Any]) -> str:
    """Say how the best trials are run again."""
    finals = Rules(**rules).finals
    return f", and of the best {finals} as many on further seeds" if finals else ""


def standing_of(files: Files, name: str) -> Iterator[Block]:
    """Yield the table of a track, and its profile."""
    track, order = files.tracks[name], files.tracks[TUNED].order
    caption = "Rank with ties; share of runs that reach the last target; area under the profile; "
    caption += "budget spent until a target; significantly better and worse than so many."
    yield Table(f"standing_{name}", caption, COLUMNS, rows_of(track))
    grid = np.logspace(np.log10(LEAST), 0, _POINTS)
    shares = ecdf(track.relative.reshape(len(order), -1)[order], grid)
    yield Figure(
        f"profile_{name}",
        "Share of all targets, of all problems and seeds, reached within a part of the budget.",
        draw_profiles(
            grid,
            shares,
            [visible(track.optimizers[at]) for at in order],
            title=_capital(TITLES[name]),
            xlabel="part of the budget",
        ),
    )


def profiles_of(files: Files) -> Iterator[Block]:
    """Yield the profiles of what is tuned for each problem, and the picture of all pairs."""
    track = files.tracks[TUNED]
    order = track.order
    names = [visible(track.optimizers[at]) for at in order]
    spent = track.spent[order].reshape(len(order), -1)
    ratios = np.logspace(0, np.log10(_MOST_RATIO), _POINTS)
    yield Figure(
        "performance_profile",
        "Performance profile (Dolan and Moré 2002): share solved within a ratio of the evaluations "
        "of the best optimizer for that problem, seed and target.",
        draw_profiles(
            ratios,
            performance_profile(spent, ratios),
            names,
            title="Performance profile, tuned",
            xlabel="evaluations over those of the best",
        ),
    )
    dims = np.broadcast_to(track.dim[:, None, None], track.spent.shape[1:]).reshape(-1)
    units = np.logspace(
        -1, np.log10(max(10.0, float((track.budget / (track.dim + 1)).max()))), _POINTS
    )
    yield Figure(
        "data_profile",
        "Data profile (Moré and Wild 2009): share solved within so many times D + 1 evaluations.",
        draw_profiles(
            units,
            data_profile(spent, dims, units),
            names,
            title="Data profile, tuned",
            xlabel="evaluations over D + 1",
        ),
    )
    yield Figure(
        "pairs",
        "Who is significantly better than whom, tuned.",
        draw_pairs(track.beats()[np.ix_(order, order)], names, title="Pairs, tuned"),
    )


def _by_problem(files: Files) -> Iterator[Block]:
    track = files.tracks[TUNED]
    expected = track.expected
    for at in range(track.targets.shape[1] - 1, -1, -2):
        yield Table(
            f"expected_{at + 1}",
            f"Expected evaluations to target {at + 1} of {track.targets.shape[1]} by restarts, "
            "tuned; the least is marked by *.",
            ("problem", "τ", *track.optimizers),
            [
                (name, f"{track.targets[p, at]:g}", *_marked(expected[:, p, at]))
                for p, name in enumerate(track.problems)
            ],
        )
    yield Table(
        "wins",
        "Where each optimizer, tuned, needs the least and the most, of those that fit.",
        ("optimizer", "least on", "most on"),
        [
            (track.optimizers[at], *(", ".join(names) or "none" for names in _ends(track, at)))
            for at in track.order
        ],
    )


def _marked(values: np.ndarray) -> list[str]:
    """Format expected evaluations, with a mark at the least; a dash where none was reached."""
    least = values.min()
    marks = np.where(values == least, "*", "")
    pairs = zip(values, marks, strict=True)
    return ["-" if np.isinf(value) else f"{value:.0f}{mark}" for value, mark in pairs]


def _ends(track: Track, at: int) -> tuple[list[str], list[str]]:
    """Return the problems on which an optimizer has the least and the greatest mean cost."""
    cost = track.cost.mean(2)
    fits = track.plays[at]
    with np.errstate(invalid="ignore"):
        low, high = np.nanmin(cost, 0), np.nanmax(cost, 0)
    is_spread = fits & (low < high)
    return (
        [track.problems[p] for p in np.flatnonzero(is_spread & (cost[at] == low)).tolist()],
        [track.problems[p] for p in np.flatnonzero(is_spread & (cost[at] == high)).tolist()],
    )


def _cautions(files: Files) -> Iterator[Block]:
    yield Items(files.result["notes"] or ["Nothing."])
    scores = files.scores[files.scores["variant"] == SCORE]
    counts = scores.groupby(["optimizer", "track"])["status"].value_counts().unstack(fill_value=0)
    statuses = list(counts.columns)
    yield Table(
        "endings",
        "How the scored runs ended.",
        ("optimizer", "track", *map(str, statuses)),
        [
            (*map(str, key), *map(str, row))
            for key, row in zip(counts.index, counts.to_numpy(), strict=True)
        ],
    )
    lost = scores[scores["status"].isin(LOST)]
    examples = lost.drop_duplicates(["optimizer", "track", "problem", "status"])
    columns = ["optimizer", "track", "problem", "status", "reason", "diagnosis"]
    yield Table(
        "lost",
        "Runs that diverged, failed or stalled: the first of each kind, with its reason.",
        columns,
        [tuple("" if v is None else str(v) for v in row) for row in examples[columns].to_numpy()],
        folded=True,
    )
    changed = [files.scores["variant"] == variant for variant in (FLOAT32, ULP)]
    yield Text(
        f"{sum(int(rows.sum()) for rows in changed):,} of the tuned runs were run again in float32 "
        "and with the start moved by one unit in the last place; problems where that changes "
        "who is better are named above."
    )
