"""The files that say how a sweep ended: its tables, and what `gdlab.load` needs to read them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gdlab.errors import RecordError
from gdlab.recording.digests import VerifiedFiles, append_digest, write_with_digest
from gdlab.recording.files import written_atomically
from gdlab.recording.names import ABOUT, MULTIRUN, RESULTS, RESULTS_CSV
from gdlab.recording.parquet import csv_parts, read_parquet, table_written
from gdlab.sweeps.plan import Plan

if TYPE_CHECKING:
    import pyarrow as pa


def write_multirun(directory: Path, text: str) -> None:
    """Write the configuration of a sweep, or list the digest of the one that Hydra wrote."""
    if (directory / MULTIRUN).exists():
        append_digest(directory, MULTIRUN)
    else:
        write_with_digest(directory, MULTIRUN, text.encode())


def write_results(
    directory: Path, schema: "pa.Schema", parts: Iterable["pa.Table"]
) -> Iterator["pa.Table"]:
    """Write the table of all runs, for programs and for spreadsheets.

    Args:
        directory: the sweep's.
        schema: of the table.
        parts: of the table, one after the other.

    Yields:
        Each part once it is written; the files are there in the end.
    """
    with (
        written_atomically(directory / RESULTS_CSV) as file,
        table_written(directory, RESULTS, schema) as write,
    ):
        for number, part in enumerate(parts):
            write(part)
            file.writelines(csv_parts(part, header=number == 0))
            yield part


def write_about(directory: Path, plan: Plan, directories: Mapping[int, str]) -> None:
    """Write which settings vary, how the summary ranks, and the directories of runs by name."""
    about = {**plan.describe(), "directories": directories}
    write_with_digest(directory, ABOUT, json.dumps(about, indent=1).encode())


def read_directories(directory: Path) -> Mapping[str, str]:
    """Read the names of the directories of a sweep's runs.

    Raises:
        RecordError: the file is missing or damaged.
    """
    files = VerifiedFiles(directory)
    try:
        return json.loads(files.read_text(ABOUT))["directories"]
    except (ValueError, KeyError) as error:
        raise RecordError(f"{files.path(ABOUT)}: missing or damaged ({error})") from error


def shard_name(folder: str, number: int) -> str:
    """Return the file of a shard's table, relative to the directory of the sweep."""
    return f"{folder}/{number:05}.parquet"


def read_shard(files: VerifiedFiles, name: str, runs: np.ndarray) -> "pa.Table":
    """Read the table of a shard that ran before.

    Args:
        files: of the sweep.
        name: of the table.
        runs: the numbers of the shard's runs.

    Raises:
        RecordError: the file is damaged, or holds other runs.
    """
    table = read_parquet(files, name)
    is_there = "run" in table.column_names
    if not is_there or not np.array_equal(table["run"].to_numpy(), np.sort(runs)):
        reason = "its runs are not those of the plan"
        raise RecordError(f"{files.path(name)}: missing or damaged ({reason})")
    return table
