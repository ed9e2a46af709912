"""Where runs lie in and below a directory. Links are not followed: one may lead out of it."""

import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gdlab.recording.files import partial_name
from gdlab.recording.names import ABOUT, CONFIG, HISTORY, MULTIRUN, RESULT

MAX_DIRECTORIES = 100_000
MAX_RUNS = 10_000
_MOST_SEARCHED = 5_000

_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)", re.ASCII)
_CONFIG_FILE = CONFIG.rpartition("/")[2]
_ENDED = {RESULT, HISTORY}
_RUNNING = partial_name(HISTORY)
_OF_SWEEPS = {ABOUT, MULTIRUN}


@dataclass(frozen=True)
class RunDirectory:
    """A directory that holds a run.

    Attributes:
        path: the directory.
        name: its path below the directory that was searched, with slashes, as in TensorBoard.
    """

    path: Path
    name: str


@dataclass(frozen=True)
class FoundRuns:
    """The directories with runs, those with sweeps, and whether these are all of them."""

    runs: tuple[RunDirectory, ...]
    complete: bool
    sweeps: tuple[RunDirectory, ...] = ()


def find_runs(root: Path) -> FoundRuns:
    """Find the runs in and below a directory, sorted by name, numbers in names by size.

    A run has no runs below it. At most 10,000 runs are found, in at most 100,000 directories.
    """
    runs: list[RunDirectory] = []
    sweeps: list[RunDirectory] = []
    count = 0
    for path, entries in _walk(root):
        count += 1
        if count > MAX_DIRECTORIES or len(runs) > MAX_RUNS:
            break
        relative = path.relative_to(root).as_posix()
        directory = RunDirectory(path, path.name if relative == "." else relative)
        if is_run(path, entries):
            runs.append(directory)
        elif any(entry.name == ABOUT for entry in entries):
            sweeps.append(directory)
    is_complete = count <= MAX_DIRECTORIES and len(runs) <= MAX_RUNS
    runs = sorted(runs[:MAX_RUNS], key=lambda run: natural_key(run.name))
    return FoundRuns(tuple(runs), is_complete, tuple(sweeps))


def has_runs(root: Path) -> bool:
    """Tell whether there is a run among the first 5,000 directories in and below one."""
    return any(is_run(path, entries) for path, entries in islice(_walk(root), _MOST_SEARCHED))


def is_run(path: Path, entries: list[os.DirEntry[str]]) -> bool:
    """Tell whether a directory with these entries holds a run, or one that is being written."""
    names = {entry.name for entry in entries}
    if names & _ENDED or _RUNNING in names:
        return True
    if names & _OF_SWEEPS:
        return False
    folders = (entry.name for entry in entries if entry.name.startswith(".") and _is_folder(entry))
    return any((path / name / _CONFIG_FILE).is_file() for name in folders)


def stamp_of_file(path: Path) -> tuple[int, int] | None:
    """Return the time and the size of a file; None for one that is missing."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def natural_key(name: str) -> list[tuple[int, float, str]]:
    """Return a key by which `lr=0.1,seed=9` precedes `lr=0.1,seed=10`."""
    return [_part_key(part) for part in _NUMBER.split(name)]


def _walk(root: Path) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """Yield directories with their entries, those near the root first; none below a run."""
    waiting = deque([root])
    while waiting:
        path = waiting.popleft()
        try:
            with os.scandir(path) as scanned:
                entries = list(scanned)
        except OSError:  # it was removed meanwhile, or may not be read
            continue
        yield path, entries
        if not is_run(path, entries):
            waiting.extend(path / e.name for e in entries if e.name[:1] != "." and _is_folder(e))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _part_key(part: str) -> tuple[int, float, str]:
    is_number = part[:1].isascii() and part[:1].isdigit()
    return (0, float(part), "") if is_number else (1, 0.0, part)
