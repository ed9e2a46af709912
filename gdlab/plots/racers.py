"""What a moving picture is made of: the runs, what they are drawn on, and how it looks.

Shapes: n records of a run, D dimensions, K = min(D, 2) coordinates on the paper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gdlab.plots.colors import MOST, Palette, Value
from gdlab.plots.projection import FAR, Landscape, Plane
from gdlab.plots.relief import Relief
from gdlab.plots.style import Size

SIZE = (7.2, 4.1)
"""Width and height in inches, 100 pixels each."""


@dataclass(frozen=True)
class Racer:
    """One run.

    Attributes:
        points: (n, D) its recorded points, finite; huge where it diverged.
        steps: (n,) their step numbers.
        values: (n,) what the chart shows of them: the loss, or the loss above the minimum.
        value: what the palette knows it by.
        name: what the legend calls it.
        mark: how its end is marked: "ring" where it arrived, "cross" where it was lost, "" else.
        end: how it ended, in a word; empty for nothing to say.
    """

    points: np.ndarray
    steps: np.ndarray
    values: np.ndarray
    value: Value
    name: str
    mark: str = ""
    end: str = ""

    @property
    def last(self) -> int:
        """Its last step."""
        return int(self.steps[-1])

    def row(self, step: int) -> int:
        """Return which of its records is the last one at a step."""
        return max(0, int(np.searchsorted(self.steps, step, side="right")) - 1)


@dataclass(frozen=True)
class Scenery:
    """What the paths are drawn on.

    Attributes:
        landscape: the loss.
        plane: the plane of the paper.
        box: (K, 2) its part that is shown.
        labels: the names of the axes of the plane.
        relief: the level curves there; None where there are none.
    """

    landscape: Landscape
    plane: Plane
    box: np.ndarray
    labels: tuple[str, ...]
    relief: Relief | None = None

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points (n, D) onto the paper: (n, 2); for D = 1 the second is the loss."""
        coordinates = self.plane.coordinates(np.clip(points, -FAR, FAR))
        if coordinates.shape[1] == 2:
            return coordinates
        heights = self.plane.evaluate(self.landscape.value, coordinates)
        return np.column_stack([coordinates[:, 0], heights])


@dataclass(frozen=True)
class Look:
    """How the frames look.

    Attributes:
        title: their first line.
        ylabel: what the chart shows.
        note: a line below, such as how many runs are shown; empty for none.
        size: width and height in inches.
    """

    title: str
    ylabel: str
    note: str = ""
    size: Size = SIZE


@dataclass(frozen=True)
class Entry:
    """A line of the legend: runs that look the same.

    Attributes:
        name: what they are called.
        members: their numbers.
    """

    name: str
    members: tuple[int, ...]

    def said(self, racers: Sequence[Racer], step: int) -> str:
        """Return how far its runs are at a step: the value of one, how many of several ended."""
        runs = [racers[k] for k in self.members]
        ends = Counter(run.end for run in runs if run.end and step >= run.last)
        if len(runs) > 1:
            parts = [f"{len(runs)} runs", *(f"{count} {end}" for end, count in ends.items())]
            return ", ".join(parts)
        value = f"{float(runs[0].values[runs[0].row(step)]):.2g}"
        return ", ".join([*ends, value])


def entries_of(racers: Sequence[Racer], palette: Palette) -> list[Entry]:
    """Return the legend: each of a few runs, or each color; of many numbers three."""
    if len(racers) <= MOST:
        return [Entry(racer.name, (k,)) for k, racer in enumerate(racers)]
    if palette.is_split:
        return []
    values, last = palette.values, len(palette.values) - 1
    if palette.has_bar:
        values = tuple(values[k] for k in (0, last // 2, last))
    keys = [palette.key(racer.value) for racer in racers]
    return [
        Entry(palette.name(value), tuple(k for k, key in enumerate(keys) if key == value))
        for value in values
    ]
