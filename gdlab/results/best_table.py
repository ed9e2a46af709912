"""The best settings of a sweep as the cells of a table, for the terminal, files and notebooks."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from gdlab.engine.status import Status
from gdlab.fields.formatting import format_value
from gdlab.results.best_settings import Best
from gdlab.results.ranking import setting_label


@dataclass(frozen=True)
class BestTable:
    """The best settings of each problem and combination, as texts.

    Attributes:
        winners: the best settings, at least one.
        metric: the column that ranks runs that reached nothing.
        statuses: in which the runs of the sweep ended.
    """

    winners: Sequence[Best]
    metric: str
    statuses: Collection[str]

    def header(self) -> list[str]:
        """Return the titles of the columns of `cells`."""
        first = self.winners[0]
        titles = [setting_label(key) for key in first.combination]
        titles += [f"best {setting_label(key)}" for key in first.choice]
        solved = "converged or target" if str(Status.TARGET) in self.statuses else "converged"
        lost = "diverged or failed" if str(Status.FAILED) in self.statuses else "diverged"
        lowest = ["at the lowest loss"] if self._tells_lowest else []
        return [*titles, f"{self.metric}: median (quartiles)", "evaluations", solved, *lowest, lost]

    def cells(self) -> Iterator[list[str]]:
        """Yield the cells of each best settings."""
        for winner in self.winners:
            chosen = {**winner.combination, **winner.choice}
            lowest = [f"{winner.reached} of {winner.count}"] if self._tells_lowest else []
            yield [
                *map(format_setting, chosen.values()),
                format_quartiles(winner.metric),
                format_quartiles(winner.evaluations),
                f"{winner.solved} of {winner.count}",
                *lowest,
                f"{winner.lost} of {winner.count}",
            ]

    @property
    def _tells_lowest(self) -> bool:
        """Whether some of the best converged elsewhere than at the lowest loss."""
        return any(winner.reached != winner.solved for winner in self.winners)


def format_quartiles(quartiles: tuple[float, float, float]) -> str:
    """Return a median, and the quartiles around it where they differ."""
    low, median, high = map(_format_number, quartiles)
    return median if low == high else f"{median} ({low}, {high})"


def _format_number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def format_setting(value: object) -> str:
    """Format a setting as it was typed; a number with many digits is rounded."""
    if not isinstance(value, float):
        return format_value(value)
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
