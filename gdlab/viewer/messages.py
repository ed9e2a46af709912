"""The messages that a page holds itself, without a server: a report, a notebook."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gdlab.config.settings import Settings
from gdlab.errors import SettingError, first_line
from gdlab.viewer.format import encode
from gdlab.viewer.problems import Problem, problems_of
from gdlab.viewer.reading import Reader, ReadRun, first_notes
from gdlab.viewer.scene import REPORT_POINTS, VERSION, make_scene, scene_message

MOST_RUNS = 1000
MOST_PROBLEMS = 6


def messages_of(
    directories: Sequence[Path], points: int = REPORT_POINTS, known: Settings | None = None
) -> dict[str, bytes]:
    """Return the catalogue and the first plane of each problem, by name and query.

    Args:
        directories: with the runs in and below them; the first 1,000 runs are shown, of the six
            problems with the most of them.
        points: of all paths together; a few per run are kept even if they are more.
        known: settings with the loss that all runs minimize, where they are at hand.

    Returns:
        The messages; none where no run has a path.
    """
    notes: list[str] = []
    runs = [r for each in directories for r in _read(each, len(directories) > 1, notes)]
    problems = [replace(p, known=known) for p in problems_of(runs[:MOST_RUNS])]
    notes += _left_out(len(runs), MOST_RUNS, "runs")
    notes += _left_out(len(problems), MOST_PROBLEMS, "problems")
    shown: dict[str, dict[str, Any]] = {}
    for problem in problems[:MOST_PROBLEMS]:
        share = points * len(problem.runs) // len(runs[:MOST_RUNS])
        try:
            shown[problem.id] = _scene(problem, share)
        except SettingError as error:
            notes.append(first_line(error))
    if not shown:
        return {}
    heads = [scene["problem"] for scene in shown.values()]
    catalogue = {"version": VERSION, "problems": heads, "complete": True}
    messages = {"catalogue": encode({**catalogue, "notes": first_notes(notes)})}
    return messages | {f"scene?problem={key}": encode(scene) for key, scene in shown.items()}


def _read(directory: Path, is_named: bool, notes: list[str]) -> list[ReadRun]:
    """Read the runs of a directory, with its name before theirs where there are several."""
    read = Reader(directory).read()
    notes += read.notes
    if not is_named:
        return [*read.runs]
    own = directory.resolve().name
    return [r if r.name == own else replace(r, name=f"{own}/{r.name}") for r in read.runs]


def _scene(problem: Problem, points: int) -> dict[str, Any]:
    """Return the message of a scene without what only a server can answer."""
    head = scene_message(make_scene(problem), points)
    plane = head["plane"]
    only = [choice for choice in plane["choices"] if choice["key"] == plane["key"]]
    return {
        **head,
        "problem": {**head["problem"], "live": False},
        "plane": {**plane, "choices": only},
    }


def _left_out(count: int, most: int, what: str) -> list[str]:
    return [f"the first {most:,} of {count:,} {what} are shown"] if count > most else []
