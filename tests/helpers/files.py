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
