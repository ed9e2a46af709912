"""The repository's root, and what a run or a sweep left in its directory."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

import gdlab

ROOT = Path(__file__).resolve().parents[2]


def listing(folder: Path) -> list[str]:
    """Everything under a folder, by relative path."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def result(directory: Path) -> dict[str, Any]:
    """The fields of a run's `result.json`."""
    return json.loads((directory / "result.json").read_text())


def table(directory: Path | str) -> Any:
    """The table of a sweep."""
    return gdlab.load(directory).results


def assert_same_tables(one: Any, other: Any) -> None:
    """Assert that two tables of a sweep are equal, bit for bit, but for the time it took."""
    left, right = (found.drop(columns="seconds") for found in (one, other))
    pd.testing.assert_frame_equal(left, right, check_exact=True)


def assert_same_sweep(one: Path | str, other: Path | str, every: int = 1) -> None:
    """Assert that two sweeps left the same tables, run directories, histories and names of files.

    Args:
        one: the directory of a sweep.
        other: that of the other.
        every: of how many runs one has its history compared.
    """
    left, right = (gdlab.load(folder) for folder in (one, other))
    assert_same_tables(left.results, right.results)
    assert left.directories == right.directories
    for run in list(left.directories or {})[::every]:
        pd.testing.assert_frame_equal(left.history(run), right.history(run), check_exact=True)
    for name in (left.directories or {}).values():
        assert listing(Path(one, name)) == listing(Path(other, name))
