"""What a sweep ran and left no directory of: the page shows only runs that have one."""

from collections import Counter

from gdlab.console import visible
from gdlab.errors import RecordError
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.names import RESULTS
from gdlab.recording.parquet import read_parquet
from gdlab.viewer.directories import FoundRuns, RunDirectory


def notes_of_sweeps(found: FoundRuns) -> tuple[str, ...]:
    """Say of each sweep how many of its runs have no directory, one line each.

    A sweep whose table cannot be read has no line: its runs are shown all the same.
    """
    below = Counter(parent for run in found.runs for parent in run.path.parents)
    lines = (_note_of(sweep, below[sweep.path]) for sweep in found.sweeps)
    return tuple(line for line in lines if line)


def _note_of(sweep: RunDirectory, kept: int) -> str:
    try:
        count = len(read_parquet(VerifiedFiles(sweep.path), RESULTS))
    except RecordError:
        return ""
    if count <= kept:
        return ""
    return visible(
        f"{sweep.name}: {kept:,} of its {count:,} runs have a directory (record.max_run_dirs); "
        f"only these are shown, also in medians and bands. All are in {RESULTS}"
    )
