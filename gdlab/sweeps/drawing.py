"""The pictures of a sweep from Python; the runs that they show are run once more, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gdlab.engine.history import History
from gdlab.engine.outcome import Outcomes
from gdlab.recording.figures import Look, choose_kind
from gdlab.recording.thinned_path import thinned_path
from gdlab.results.ranking import DataFrame
from gdlab.sweeps.labels import Labels
from gdlab.sweeps.plan import Plan, with_resolved_mode
from gdlab.sweeps.plots import SWEEP_KINDS, SweepToDraw
from gdlab.sweeps.shard import run_group

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class SweepDrawing:
    """Draws the pictures of a finished sweep.

    Attributes:
        plan: the plan of the sweep.
        results: its table.
    """

    plan: Plan
    results: DataFrame

    def __call__(self, kind: str | None, look: Look) -> "Figure":
        """Draw a kind of picture; None for the first that the sweep has.

        Raises:
            SettingError: there is no such kind, or this sweep has no such picture.
        """
        labels, records = Labels.of(self.plan), _RunAgain(self.plan)
        sweep = SweepToDraw(self.plan, self.results, records, labels, look.size, look.title)
        reasons = {name: each.why_not(sweep) for name, each in SWEEP_KINDS.items()}
        chosen = SWEEP_KINDS[choose_kind(kind, reasons)]
        return look.draw(lambda: chosen.draw(sweep))


@dataclass(frozen=True)
class _Memory:
    """Keeps what runs record."""

    pieces: dict[int, list[History]] = field(default_factory=dict)

    def write(self, run: int, piece: History) -> None:
        self.pieces.setdefault(run, []).append(piece)

    def close_all(self, runs: Sequence[int], outcomes: Outcomes, seconds: float) -> None:
        """Nothing is left to do."""

    def forget(self, run: int) -> None:
        self.pieces.pop(run, None)


@dataclass(frozen=True)
class _RunAgain:
    """The records of a sweep that kept none."""

    plan: Plan

    def names(self) -> dict[int, str]:
        return {run: self.plan.name(run) for run in range(len(self.plan))}

    def read_thinned(self, runs: Sequence[int]) -> dict[int, History]:
        memory, chosen = _Memory(), np.asarray(runs, dtype=np.int64)
        for group in map(with_resolved_mode, self.plan.groups):
            rows = np.flatnonzero(np.isin(group.runs, chosen))
            if len(rows):
                for _ in run_group(group.take(rows), memory):
                    pass
        paths = {
            run: thinned_path(self.plan.settings_of(run), History.join(memory.pieces[run]))
            for run in runs
            if run in memory.pieces
        }
        return {run: path for run, path in paths.items() if path is not None}
