"""What a sweep ran and left no directory of: the page shows only runs that have one."""

from collections import Counter
from functools import lru_cache
from pathlib import Path

from gdlab.console import visible
from gdlab.errors import RecordError
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.names import RESULTS
from gdlab.recording.parquet import read_parquet
from gdlab.viewer.directories import FoundRuns, RunDirectory, stamp_of_file


def notes_of_sweeps(found: FoundRuns) -> tuple[str, ...]:
    """Say of each sweep how many of its runs have no directory, one line each.

    A sweep whose table cannot be read has no line: its runs are shown all the same.
    """
    below = Counter(parent for run in found.runs for parent in run.path.parents)
    lines = (_note_of(sweep, below[sweep.path]) for sweep in found.sweeps)
    return tuple(line for line in lines if line)


def _note_of(sweep: RunDirectory, kept: int) -> str:
    count = _runs_of(sweep.path, stamp_of_file(sweep.path / RESULTS))
    if count <= kept:
        return ""
    return visible(
        f"{sweep.name}: {kept:,} of its {count:,} runs have a directory (record.max_run_dirs); "
        f"only these are shown, also in medians and bands. All are in {RESULTS}"
    )


@lru_cache(maxsize=256)
def _runs_of(sweep: Path, stamp: tuple[int, int] | None) -> int:
    """Return how many runs the table of a sweep has, 0 where it cannot be read.

    Args:
        sweep: its directory.
        stamp: what changes when the table does, which is then read again.
    """
    try:
        return 0 if stamp is None else len(read_parquet(VerifiedFiles(sweep), RESULTS))
    except RecordError:
        return 0
