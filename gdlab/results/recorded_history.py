"""The history that a directory holds, used as that of a run or called for a table."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.engine.history import History
from gdlab.errors import RecordError
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.names import HISTORY
from gdlab.recording.parquet import read_parquet

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("step", "loss", "grad_norm", "lr")
_FIELDS = {field.name for field in fields(History)} | {"take"}

_OF_A_SWEEP = "history: a sweep has one for each run: history(run) is its table"


class RecordedHistory:
    """The records of a recorded run, read when they are used.

    It has the attributes and the methods of `gdlab.History`, with the points that the file holds. A
    call returns the table of a run; that of a sweep's run needs its number.

    Args:
        directory: of the run or the sweep; None for a sweep that was not written to one.
        directories: the names of the directories of a sweep's runs, by run; None for a run.
    """

    def __init__(self, directory: Path | None, directories: Mapping[int, str] | None) -> None:
        self._directory, self._directories = directory, directories

    def __call__(self, run: int | None = None) -> "pd.DataFrame":
        """Read a history, one row per record: step, loss, grad_norm, lr, x0 … .

        Args:
            run: the number of the run in a sweep.

        Raises:
            RecordError: the run has no directory, or its file is damaged; or no run of a sweep is
                named.
        """
        directory, names = self._directory, self._directories or {}
        if run is None and (directory is None or self._directories is not None):
            raise RecordError(_OF_A_SWEEP)
        if directory is None or (self._directories is not None and run not in names):
            way = "; gdlab.sweep(…, directory=…) records it" if directory is None else ""
            raise RecordError(f"run {run} has no history, only its row{way}")
        folder = directory / names.get(run, "") if run is not None else directory
        return read_parquet(VerifiedFiles(folder), HISTORY).to_pandas()

    @cached_property
    def _records(self) -> History:
        """The records as arrays.

        Raises:
            RecordError: it is a sweep, or the file is damaged.
        """
        if self._directory is None or self._directories is not None:
            raise RecordError(_OF_A_SWEEP)
        table = self()
        arrays = {name: table[name].to_numpy() for name in table.columns}
        point = [name for name in arrays if name[:1] == "x" and name[1:].isdecimal()]
        x = np.array([arrays.pop(name) for name in point]).reshape(len(point), len(table)).T
        step, loss, norm, lr = (arrays.pop(name) for name in _COLUMNS)
        above = {name: arrays.pop(name, None) for name in ("distance", "suboptimality")}
        return History(step, loss, norm, lr, x, **above, metrics=arrays)

    def to_frame(self) -> "pd.DataFrame":
        """Return the table, as a call does."""
        return self()

    def __getattr__(self, name: str) -> Any:
        if name in _FIELDS:
            return getattr(self._records, name)
        raise AttributeError(f"a history has no {name}; it has {', '.join(sorted(_FIELDS))}")

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._records)

    def __repr__(self) -> str:
        is_sweep = self._directory is None or self._directories is not None
        return "the histories of a sweep: history(run)" if is_sweep else repr(self._records)
