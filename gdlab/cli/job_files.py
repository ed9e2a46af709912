"""Notes of the jobs of a sweep, one file per job in the folder `jobs/` of the sweep's directory.

A job that runs on its own, perhaps in another process or on another machine, writes there which
run of the sweep it is and how it ended. The tables are gathered from these notes at the end.
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

from gdlab.cli import hydra_internals
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.errors import RecordError, describe_error
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.files import write_atomically
from gdlab.recording.names import RESULTS
from gdlab.recording.parquet import read_parquet

if TYPE_CHECKING:
    from gdlab.sweeps.grid import Grid

JOBS = "jobs"


@dataclass(frozen=True)
class Job:
    """The note of a job, written when the job starts and again when it ends.

    Attributes:
        number: of the job in the sweep.
        overrides: of the job.
        directory: relative to the sweep's directory; empty if the job has none.
        result: the fields of the outcome and the seconds, in full precision; `result.json` has null
            for values that are not finite.
        failure: why there is no result, if the job could tell.
    """

    number: int
    overrides: Sequence[str]
    directory: str
    result: Mapping[str, Any] | None = None
    failure: str | None = None

    def save(self, sweep: Path) -> None:
        """Write the note into the sweep's directory."""
        (sweep / JOBS).mkdir(parents=True, exist_ok=True)
        text = json.dumps(vars(self), indent=1)
        write_atomically(sweep / JOBS / f"{self.number:05}.json", text.encode())


class JobNote:
    """A sink that writes a job's note.

    Args:
        hydra: the `hydra` node of the job's configuration.

    Attributes:
        outcome: how the run ended; None before.
    """

    def __init__(self, hydra: HydraConf) -> None:
        # The working directory may be the job's own.
        self._sweep = Path(hydra.runtime.cwd) / str(hydra.sweep.dir)
        directory = Path(os.path.relpath(hydra.runtime.output_dir, self._sweep)).as_posix()
        overrides = hydra_internals.overrides_of(hydra, "task")
        self._job = Job(int(hydra.job.num), overrides, directory)
        self.outcome: Outcome | None = None
        self._job.save(self._sweep)

    def write(self, piece: History) -> None:
        """Do nothing: the run's directory holds its records."""

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Note how the run ended."""
        self.outcome = outcome
        if outcome is not None:
            plain = {"status": int(outcome.status), "x": outcome.x.tolist(), "seconds": seconds}
            result = vars(outcome) | dict(outcome.metrics) | plain
            result.pop("metrics")
            dataclasses.replace(self._job, result=result).save(self._sweep)

    def fail(self, error: BaseException) -> None:
        """Note why there is no result."""
        text = describe_error(error)
        dataclasses.replace(self._job, failure=text).save(self._sweep)


def note_batch(sweep: Path, part: Path, grid: "Grid", numbers: Sequence[int]) -> None:
    """Note the jobs of a batch that a sweeper made and that ran as one.

    Args:
        sweep: the directory of the sweep.
        part: the directory of the batch.
        grid: the jobs of the batch.
        numbers: of the jobs in the sweep.
    """
    from gdlab.sweeps.result_files import read_directories  # a single run does not need it

    directories = read_directories(part)
    for row in read_parquet(VerifiedFiles(part), RESULTS).to_pylist():
        name = directories.get(str(row["run"]))
        coordinates = [row[key] for key in row if re.fullmatch(r"x\d+", key)]
        row["x"] = [value for value in coordinates if value is not None]
        row["status"] = int(Status[row["status"].upper()])
        directory = f"{part.name}/{name}" if name else ""
        overrides = grid.overrides(row["run"])
        Job(numbers[row["run"]], overrides, directory, row).save(sweep)


def read_jobs(directory: Path) -> list[Job]:
    """Read the jobs of a sweep, in the order of their numbers.

    Raises:
        RecordError: a note is damaged.
    """
    jobs = []
    for path in (directory / JOBS).glob("*.json"):
        try:
            jobs.append(Job(**json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError) as error:
            raise RecordError(f"{path}: missing or damaged ({error})") from error
    return sorted(jobs, key=lambda job: job.number)
