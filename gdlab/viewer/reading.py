"""The runs in and below a directory: what was run, and how it ended. Nothing they name is imported.

What is damaged or still being written is a note of one line; the rest of a run is shown.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from gdlab.console import visible
from gdlab.errors import RecordError, first_line
from gdlab.recording.digests import SUMS, VerifiedFiles
from gdlab.recording.files import partial_name
from gdlab.recording.names import CONFIG, HISTORY, RESULT
from gdlab.results.chosen import recorded_choices
from gdlab.results.config_text import parse_many
from gdlab.results.recorded_run import flatten_config
from gdlab.viewer.directories import RunDirectory, find_runs, stamp_of_file
from gdlab.viewer.sweep_notes import notes_of_sweeps

_MAX_TEXT = 2**22
_WORKERS, _TOGETHER = 2, 64  # more would wait for the interpreter's lock
_NOT_SHOWN = {"record", "engine", "summary", "stop"}
_STAMPED = (SUMS, RESULT, HISTORY, partial_name(HISTORY))

Stamp: TypeAlias = tuple[tuple[int, int] | None, ...]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class ReadRun:
    """What the files of a run say of it, but for its records.

    Attributes:
        path: its directory.
        name: its path below the directory that is shown.
        config: the composed configuration; empty where it cannot be read.
        settings: the same by dotted names, with the names of the choices.
        result: how it ended; empty where that cannot be read.
        has_history: whether its records have been written.
        notes: what is damaged or missing, one line each.
        stamp: what changes when its files do.
    """

    path: Path
    name: str
    config: Mapping[str, Any]
    settings: Mapping[str, Any]
    result: Mapping[str, Any]
    has_history: bool
    notes: tuple[str, ...]
    stamp: Stamp


@dataclass(frozen=True)
class ReadRuns:
    """The runs below a directory, whether these are all of them, and notes of one line each."""

    runs: tuple[ReadRun, ...]
    complete: bool
    notes: tuple[str, ...]


class Reader:
    """Reads the runs in and below a directory; what has not changed is not read again.

    Args:
        root: the directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._known: dict[str, ReadRun] = {}

    def read(self) -> ReadRuns:
        """Read all runs, sorted by name."""
        found = find_runs(self.root)
        stamps = [stamp_of(run.path) for run in found.runs]
        runs = tuple(in_threads(self._read_or_recall, list(zip(found.runs, stamps, strict=True))))
        self._known = {run.name: run for run in runs}
        notes = (*notes_of_sweeps(found), *(note for run in runs for note in run.notes))
        return ReadRuns(runs, found.complete, notes)

    def _read_or_recall(self, found: tuple[RunDirectory, Stamp]) -> ReadRun:
        directory, stamp = found
        known = self._known.get(visible(directory.name))
        return known if known is not None and known.stamp == stamp else read_run(directory, stamp)


def in_threads(read: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return what a function that waits for files returns for each of many items, in their order.

    A task of its own for each would take as long as to read it.
    """
    parts = [items[k : k + _TOGETHER] for k in range(0, len(items), _TOGETHER)]
    with ThreadPoolExecutor(_WORKERS) as pool:
        found = pool.map(lambda part: [read(item) for item in part], parts)
        return [result for part in found for result in part]


def stamp_of(directory: Path) -> Stamp:
    """Return the time and the size of each file of a run, None for one that is missing."""
    return tuple(stamp_of_file(directory / name) for name in _STAMPED)


def read_run(directory: RunDirectory, stamp: Stamp) -> ReadRun:
    """Read what the files of a run say of it; what cannot be read is a note."""
    notes: list[str] = []
    path, name = directory.path, visible(directory.name)

    def attempt(read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except RecordError as error:
            notes.append(note_of(path, name, error))
            return otherwise

    files = attempt(lambda: VerifiedFiles(path), None)
    config, choices, result = {}, {}, {}
    has_history = os.path.lexists(path / HISTORY)
    if files is not None:
        config = attempt(lambda: _read_config(files), {})
        choices = attempt(lambda: recorded_choices(files, config), {})
        if os.path.lexists(path / RESULT):
            result = attempt(lambda: _parse(files, RESULT, json.loads), {})
    if not has_history:
        is_running = os.path.lexists(path / partial_name(HISTORY))
        why = "is still being written" if is_running else f"holds no {HISTORY}"
        notes.append(f"{name}: {why}, so that its path is not shown")
    settings = flatten_config({k: v for k, v in config.items() if k not in _NOT_SHOWN}, choices)
    return ReadRun(path, name, config, settings, result, has_history, tuple(notes), stamp)


def _read_config(files: VerifiedFiles) -> Mapping[str, Any]:
    """Read the configuration; a run that Hydra was told to keep none of has an empty one."""
    names = files.find(CONFIG)
    return _parse(files, names[0], parse_many) if names else {}


def _parse(files: VerifiedFiles, name: str, parse: Callable[[str], Any]) -> Mapping[str, Any]:
    import yaml

    try:
        values = parse(files.read_text(name, _MAX_TEXT))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise RecordError(f"{name}: damaged ({first_line(error)})") from error
    if not isinstance(values, dict):
        raise RecordError(f"{name}: damaged (it holds no values by name)")
    return values


def note_of(path: Path, name: str, error: BaseException) -> str:
    """Return a line that says which run is damaged, and how."""
    line = first_line(error).replace(str(path), name)
    return visible(line if line.startswith(name) else f"{name}: {line}")


def first_notes(notes: Sequence[str], most: int = 20) -> list[str]:
    """Return the first notes, and how many more there are."""
    more = len(notes) - most
    return [*notes[:most], *([f"{more:,} more notes of this kind"] if more > 0 else [])]
