"""The records of all runs of a problem, no more of each than fit into memory together."""

import numpy as np

from gdlab.errors import RecordError
from gdlab.viewer.problems import Problem
from gdlab.viewer.reading import ReadRun, in_threads, note_of
from gdlab.viewer.records import MOST_RECORDS, Records, end_of, read_records

_NUMBERS = 8_000_000  # float64 in all: 64 MB
_COLUMNS, _MOST_COORDINATES = 6, 64
_FEWEST = 100


def read_all(problem: Problem, notes: list[str]) -> tuple[list[int], list[Records]]:
    """Read the records of all runs that have any; of one that is damaged, its end.

    Args:
        problem: the problem.
        notes: a line is added for each run that cannot be shown as it was.

    Returns:
        The numbers of the runs, and the records of each, all with the same coordinates.
    """
    runs = problem.runs
    each = _NUMBERS // (len(runs) * (_COLUMNS + min(problem.dim, _MOST_COORDINATES)))
    most = min(MOST_RECORDS, max(_FEWEST, each))

    def read(run: ReadRun) -> Records | str | None:
        try:
            if run.has_history:
                return read_records(run.path, most)
        except RecordError as error:
            return note_of(run.path, run.name, error)
        return None

    found = in_threads(read, runs)
    ends = [
        f if isinstance(f, Records) else end_of(run) for run, f in zip(runs, found, strict=True)
    ]
    for note, end in zip(found, ends, strict=True):
        if isinstance(note, str):
            notes.append(f"{note}; {'it is not' if end is None else 'its end is'} shown")
    usable = [(k, r) for k, r in enumerate(ends) if r is not None and _has_point(r)]
    width = max((r.x.shape[1] for _, r in usable), default=0)
    kept = [(k, r) for k, r in usable if r.x.shape[1] == width]
    for k, r in usable:
        if r.x.shape[1] < width:
            notes.append(f"{runs[k].name}: has {r.x.shape[1]} of {width} coordinates, not shown")
    return [k for k, _ in kept], [r for _, r in kept]


def _has_point(records: Records) -> bool:
    return records.x.shape[1] > 0 and bool(np.isfinite(records.x).all(axis=1).any())
