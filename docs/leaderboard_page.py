"""Generate the page of the leaderboard from the comparison in docs/leaderboard.

Shapes: O optimizers, P problems.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml
from leaderboard_markup import folded, link, listed, table
from leaderboard_optimizers import sections

from gdlab.bench.contest import TRACKS, TUNED
from gdlab.bench.files import Files
from gdlab.bench.report import profiles_of, standing_of
from gdlab.bench.standings import Track, chaotic, track_of
from gdlab.bench.summary import COLUMNS, TITLES, rank_of, rows_of
from gdlab.paths import CONF
from gdlab.plots.style import render
from gdlab.report.content import Figure
from gdlab.report.markdown import plain

PICTURES = "leaderboard_pictures"
_SHOWN = 3
"""The optimizers that are named for each problem."""


def write(data: Path, docs: Path) -> None:
    """Write the page, and its pictures into a folder beside it.

    Args:
        data: the folder of a comparison.
        docs: the folder of the pages.

    Raises:
        RecordError: a file of the comparison is missing or damaged.
    """
    files = Files.read(data)
    pictures = docs / PICTURES
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    parts = [
        *_introduction(files),
        *_overall(files),
        *_by_kind(files),
        *_profiles(files, pictures),
        *_by_problem(files.tracks[TUNED]),
        *sections(files),
        *_care(files),
        *_again(files),
    ]
    (docs / "leaderboard.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _introduction(files: Files) -> Iterator[str]:
    rules, track = files.about["rules"], files.tracks[TUNED]
    best = [track.optimizers[at] for at in track.order if track.ranks[at] == 1]
    verb = "is first" if len(best) == 1 else "share the first place"
    yield "# Leaderboard"
    yield (
        f"{len(track.optimizers)} optimizers of `conf/optimizer` on the {len(track.problems)} "
        f"problems of `suite={files.about['suite']['name']}`, each with the same {rules['trials']} "
        f"trials, scored on {rules['seeds']} seeds that tuning never saw. What is counted, and how "
        "ties are found, is said in [Comparing optimizers](compare.md). A problem that an "
        "optimizer does not fit counts as not solved, so those for special problems stand low "
        "here; [their sections](#optimizer-by-optimizer) say what they fit."
    )
    yield f"Tuned for each problem, {', '.join(map(link, best))} {verb}."


def _overall(files: Files) -> Iterator[str]:
    yield "## All problems"
    for name in TRACKS:
        rows = [[r[0], link(r[1]), *map(plain, r[2:])] for r in rows_of(files.tracks[name])]
        title = TITLES[name][:1].upper() + TITLES[name][1:]
        shown = table(COLUMNS, rows)
        yield f"{title}:\n\n{shown}" if name == TUNED else folded(title, shown)


def _by_kind(files: Files) -> Iterator[str]:
    """Yield the ranks on each of the suites that the suite includes, if any."""
    path = CONF / "suite" / f"{files.about['suite']['name']}.yaml"
    kinds = yaml.safe_load(path.read_text("utf-8")).get("include", []) if path.is_file() else []
    if not kinds:
        return
    named = {kind: _problems_of(kind) for kind in kinds}
    tracks = {
        f"{kind} ({len(names)})": track_of(files.scores[files.scores["problem"].isin(names)], TUNED)
        for kind, names in named.items()
    }
    whole = files.tracks[TUNED]
    yield "## By kind of problem"
    yield (
        "The rank on each part of the suite, tuned, and the share of runs that reach the last "
        "target; a dash where an optimizer fits no problem of it."
    )
    yield table(
        ["optimizer", *map(plain, tracks)],
        [
            [link(name), *(_standing(track, name) for track in tracks.values())]
            for name in (whole.optimizers[at] for at in whole.order)
        ],
    )


def _problems_of(kind: str) -> list[str]:
    return list(yaml.safe_load((CONF / "suite" / f"{kind}.yaml").read_text("utf-8"))["problems"])


def _standing(track: Track, name: str) -> str:
    """Return the rank and the solved share of an optimizer on a part of the suite."""
    if name not in track.optimizers:
        return "-"
    at = list(track.optimizers).index(name)
    return f"{rank_of(track, at)}&nbsp;({track.solved[at, -1]:.0%})"


def _profiles(files: Files, pictures: Path) -> Iterator[str]:
    """Yield the pictures of all profiles, and write them."""
    yield "## Profiles"
    standings = (block for name in TRACKS for block in standing_of(files, name))
    shown = {}
    for block in (*standings, *profiles_of(files)):
        if isinstance(block, Figure):
            (pictures / f"{block.name}.png").write_bytes(render(block.drawing, "png"))
            caption = plain(block.caption)
            shown[block.name] = f"![{caption}]({PICTURES}/{block.name}.png)\n\n{caption}"
    yield from (shown.pop(name) for name in ("profile_tuned", "performance_profile", "pairs"))
    yield folded("More profiles", "\n\n".join(shown.values()))


def _by_problem(track: Track) -> Iterator[str]:
    """Yield who needs the fewest evaluations to the last target of each problem."""
    yield "## Problem by problem"
    yield (
        "Expected evaluations to the last target by independent restarts (ERT): all that the runs "
        "spent, over the number of runs that came there; tuned for each problem."
    )
    yield folded(f"The best {_SHOWN} on each problem", _best_by_problem(track))
    yield folded("All optimizers", _expected(track))


def _best_by_problem(track: Track) -> str:
    """Return a table of the optimizers with the least expected evaluations."""
    expected = track.expected[:, :, -1]
    rows = []
    for p, name in enumerate(track.problems):
        order: list[int] = np.argsort(expected[:, p], kind="stable").tolist()
        reached = [at for at in order if np.isfinite(expected[at, p])]
        best = [f"{link(track.optimizers[at])} {expected[at, p]:.0f}" for at in reached[:_SHOWN]]
        best += ["-"] * (_SHOWN - len(best))
        solved = f"{len(reached)} of {track.plays[:, p].sum()}"
        rows.append([plain(name), f"{track.dim[p]:.0f}", *best, solved])
    return table(["problem", "D", "least", "second", "third", "solved by"], rows)


def _expected(track: Track) -> str:
    """Return a table of the expected evaluations of all optimizers."""
    names = [link(track.optimizers[at]) for at in track.order]
    rows = []
    for name, values in zip(track.problems, track.expected[track.order, :, -1].T, strict=True):
        rows.append([plain(name), *("-" if np.isinf(v) else f"{v:.0f}" for v in values)])
    return table(["problem", *names], rows)


def _care(files: Files) -> Iterator[str]:
    track = files.tracks[TUNED]
    yield "## What to take with care"
    order: list[int] = np.argsort(-track.unsettled, kind="stable").tolist()
    falling = [
        f"{link(track.optimizers[at])} {track.unsettled[at]:.0%}"
        for at in order
        if track.unsettled[at] >= 0.01
    ]
    changed = [plain(name) for name in chaotic(files.scores)]
    yield (
        "- Still falling when the budget was spent, as a share of the tuned runs: "
        f"{listed(falling)}.\n"
        "- Rounding (float32, or a start moved by one unit in the last place) changes who is "
        f"better on {len(changed)} of {len(track.problems)} problems: {listed(changed)}."
    )


def _again(files: Files) -> Iterator[str]:
    versions = ", ".join(f"{name} {value}" for name, value in files.result["versions"].items())
    yield "## Make it again"
    yield (
        f"Made on {files.result['date']} with {plain(versions)}. `make leaderboard` runs it again, "
        "for an hour or more on two cores; what was interrupted goes on. The scores lie in "
        "`docs/leaderboard`. "
        "One optimizer of yours against some of these:"
    )
    yield "```sh\npython -m gdlab.bench optimizers=adam,lbfgs,my_module.Mine suite=all\n```"
