"""What the jobs of a sweep note of themselves, one file each in `jobs/` of its directory.

A job that runs by itself, maybe in another process or on another machine, says there which run of
the sweep it is and how it ended, so that the tables can be gathered when all have ended.
"""

import dataclasses
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.conf import HydraConf

from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.errors import RecordError
from gdlab.recording.files import write_atomically

if TYPE_CHECKING:
    import pyarrow as pa

    from gdlab.sweeps.grid import Grid

_JOBS = "jobs"


@dataclass(frozen=True)
class Job:
    """What a job notes of itself, as it begins and again as it ends.

    Attributes:
        number: in the sweep.
        overrides: its own.
        directory: relative to the sweep's; empty where it has none.
        result: the fields of its outcome and the seconds, exactly: `result.json` holds null for
            what is not finite.
        failure: why there is no result, where it could say so.
    """

    number: int
    overrides: Sequence[str]
    directory: str
    result: Mapping[str, Any] | None = None
    failure: str | None = None

    def save(self, sweep: Path) -> None:
        """Write the note into the sweep's directory."""
        (sweep / _JOBS).mkdir(exist_ok=True)
        text = json.dumps(vars(self), indent=1)
        write_atomically(sweep / _JOBS / f"{self.number:05}.json", text.encode())


class JobNote:
    """A sink that keeps a job's note.

    Args:
        own: the `hydra` node of the job's configuration.

    Attributes:
        outcome: how the run ended, once it has.
    """

    def __init__(self, own: HydraConf) -> None:
        # The job's own directory may be the current one.
        self._sweep = Path(own.runtime.cwd) / str(own.sweep.dir)
        directory = Path(os.path.relpath(own.runtime.output_dir, self._sweep)).as_posix()
        overrides = [str(text) for text in own.overrides.task]
        self._job = Job(int(own.job.num), overrides, directory)
        self.outcome: Outcome | None = None
        self._job.save(self._sweep)

    def write(self, piece: History) -> None:
        """Nothing: the run's own directory holds its records."""

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """JobNote how the run ended."""
        self.outcome = outcome
        if outcome is not None:
            plain = {"status": int(outcome.status), "x": outcome.x.tolist(), "seconds": seconds}
            result = vars(outcome) | dict(outcome.metrics) | plain
            result.pop("metrics")
            dataclasses.replace(self._job, result=result).save(self._sweep)

    def fail(self, error: Exception) -> None:
        """JobNote why there is no result."""
        words = " ".join(f"{type(error).__name__}: {error}".split())
        dataclasses.replace(self._job, failure=words).save(self._sweep)


def note_batch(sweep: Path, part: Path, grid: "Grid", results: "pa.Table", first: int) -> None:
    """JobNote the jobs of a batch that a sweeper made, and that ran as one.

    Args:
        sweep: the directory of the sweep.
        part: the batch's own.
        grid: its jobs.
        results: its table.
        first: the number of its first job in the sweep.
    """
    from gdlab.sweeps.runner import ABOUT  # it imports what a run alone has no need of

    named = json.loads((part / ABOUT).read_text(encoding="utf-8"))["directories"]
    for row in results.to_pylist():
        name = named.get(str(row["run"]))
        coordinates = [row[key] for key in row if re.fullmatch(r"x\d+", key)]
        row["x"] = [value for value in coordinates if value is not None]
        row["status"] = int(Status[row["status"].upper()])
        directory = f"{part.name}/{name}" if name else ""
        Job(first + row["run"], grid.overrides(row["run"]), directory, row).save(sweep)


def read_jobs(directory: Path) -> list[Job]:
    """The jobs of a sweep by their numbers.

    Raises:
        RecordError: a note is damaged.
    """
    jobs = []
    for path in (directory / _JOBS).glob("*.json"):
        try:
            jobs.append(Job(**json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError) as error:
            raise RecordError(f"{path}: missing or damaged ({error})") from error
    return sorted(jobs, key=lambda job: job.number)
