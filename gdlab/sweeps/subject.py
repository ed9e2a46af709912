"""What the pictures of a sweep are drawn from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gdlab.console import visible
from gdlab.engine.history import History
from gdlab.plots.style import Size
from gdlab.recording.run_plots import title_of
from gdlab.results.ranking import DataFrame
from gdlab.sweeps.labels import Labels
from gdlab.sweeps.plan import Plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Records(Protocol):
    """The records of some runs of a sweep."""

    def names(self) -> dict[int, str]:
        """Return the names of the runs that have records, by run."""
        ...

    def read_thinned(self, runs: Sequence[int]) -> dict[int, History]:
        """Read as many records of runs as a picture can show, of those with a finite point."""
        ...


@dataclass(frozen=True)
class SweepToDraw:
    """What the pictures of a sweep are drawn from.

    Attributes:
        plan: the sweep's plan.
        results: its table.
        records: of its runs.
        labels: what tells the runs apart, and their colors, the same in all pictures.
        size: width and height of the pictures in inches; None for what each needs.
        heading: the first line of the pictures; None for what the runs have in common.
    """

    plan: Plan
    results: DataFrame
    records: Records
    labels: Labels
    size: Size | None = None
    heading: str | None = None

    @property
    def title(self) -> str:
        """The first line of the pictures."""
        if self.heading is not None:
            return visible(self.heading)
        return title_of(self.plan.options, self.plan.keys()) or f"{len(self.plan):,} runs"


@dataclass(frozen=True)
class SweepPicture:
    """A picture of a sweep.

    Attributes:
        why_not: says why it does not apply to a sweep; None if it does.
        draw: draws it.
    """

    why_not: Callable[[SweepToDraw], str | None]
    draw: Callable[[SweepToDraw], "Figure"]
