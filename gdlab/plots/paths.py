"""The paths of several runs over one loss: the plane and the view in which they are drawn.

Shapes: M paths, n recorded points of a path, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gdlab.plots.colors import Palette
from gdlab.plots.landscape import (
    MAX_SLICED,
    UNKNOWN,
    axis_names,
    frame_surface,
    relief_of,
)
from gdlab.plots.projection import FAR, Landscape, Plane, nearby, on_paper, principal_plane, view
from gdlab.plots.relief import Relief, draw_relief
from gdlab.plots.style import join_notes, label, note_leaving

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Path", "Paths"]

_LOG_STEPS = 30  # more are logarithmic: a tenth of the rate takes ten times the steps


@dataclass(frozen=True)
class Path:
    """One run of a sweep.

    Attributes:
        points: (n, D) the recorded points, finite; huge where the run diverged.
        value: What the palette knows the run by.
        steps: (n,) the step numbers of the points; None if every step is recorded.
        name: What it is called where it is the lowest; empty for what the palette calls it.
    """

    points: np.ndarray
    value: float | str
    steps: np.ndarray | None = None
    name: str = ""


@dataclass(frozen=True)
class Paths:
    """M paths, and the plane and view in which they are drawn.

    Attributes:
        box: (2, 2) lower and upper limits of the paper; steps and position for D = 1.
        best: The index of the path whose last point has the lowest loss.
        lowest: That loss.
    """

    landscape: Landscape
    paths: Sequence[Path]
    plane: Plane
    box: np.ndarray
    best: int
    lowest: float

    @classmethod
    def of(cls, landscape: Landscape, paths: Sequence[Path]) -> Paths:
        """Choose the plane and the view."""
        is_near = [nearby(landscape, path.points) for path in paths]
        with np.errstate(all="ignore"):
            ends = np.array([landscape.value(path.points[[0, -1]]) for path in paths], dtype=float)
        ends = np.where(np.isnan(ends), np.inf, ends)
        best = int(ends[:, 1].argmin())
        stays = np.array([near[-1] for near in is_near])
        settled = np.flatnonzero(stays & (ends[:, 1] <= ends[:, 0]))
        in_view = settled.tolist() or list(range(len(paths)))
        dim = paths[0].points.shape[1]
        if dim <= 2:
            plane = Plane(np.zeros(dim), np.eye(dim))
        else:
            # The lowest last, since the plane goes through the last point.
            order = sorted(in_view, key=lambda i: -ends[i, 1])
            plane = principal_plane(np.concatenate([paths[i].points[is_near[i]] for i in order]))
        views = np.stack([view(landscape, paths[i].points, plane) for i in in_view])
        box = np.stack([views[..., 0].min(axis=0), views[..., 1].max(axis=0)], axis=1)
        if dim == 1:
            last = max(1.0, *(float(steps_of(paths[i])[-1]) for i in in_view))
            box = np.stack([[-0.03 * last, 1.03 * last], box[0]])
            if last > _LOG_STEPS:
                box[0] = -0.2, 1.25 * last
        return cls(landscape, paths, plane, box, best, float(ends[best, 1]))

    @property
    def dim(self) -> int:
        """The number of dimensions D."""
        return len(self.plane.origin)

    @property
    def names(self) -> tuple[str, str]:
        """The names of the axes of the paper."""
        if self.dim == 1:
            return "step", self.landscape.names[0]
        x, y = axis_names(self.landscape, self.plane)
        return x, y

    def relief(self) -> Relief | None:
        """Return the level curves behind the paths."""
        if self.dim > 1:
            along = self.plane.coordinates(np.clip(self.paths[self.best].points, -FAR, FAR))
            return relief_of(self.landscape, self.plane, self.box, along)
        loss = self.landscape
        # The loss does not depend on the step: its level curves are horizontal.
        strips = Landscape(
            lambda p: loss.value(p[..., 1:]), loss.gradient, (), "", minimum=loss.minimum
        )
        return relief_of(strips, Plane(np.zeros(2), np.eye(2)), self.box)

    def draw_background(self, axes: Axes, drawn: Relief | None) -> None:
        """Draw the loss behind the paths."""
        axes.set_facecolor(UNKNOWN)
        if self.dim > 1:
            frame_surface(axes, self.landscape, self.plane, self.box)
        if drawn is not None:
            draw_relief(axes, drawn)
        if self.dim > 1:
            return
        label(axes, *self.names)
        if self.box[0, 1] > _LOG_STEPS:
            axes.set_xscale("symlog", linthresh=1.0)
            axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set(xlim=self.box[0], ylim=self.box[1])

    def project(self) -> tuple[list[np.ndarray], int]:
        """Return each path on the paper, (n, 2), and how many paths leave the view."""
        traces, leaving = [], 0
        for path in self.paths:
            points = self.plane.coordinates(np.clip(path.points, -FAR, FAR))
            if self.dim == 1:
                points = np.column_stack([steps_of(path), points])
            trace, outside = on_paper(points, self.box)
            traces.append(trace)
            leaving += bool(outside.any())
        return traces, leaving

    def subtitle(self, palette: Palette, total: int | None = None) -> str:
        """Return how many runs there are, of how many in total, and which one ended lowest."""
        count = len(self.paths)
        runs = "1 path" if count == 1 else f"{count:,} paths"
        if total is not None and total > count:
            runs = f"{count:,} of {total:,} runs"
        if not np.isfinite(self.lowest):
            return f"{runs}, no finite last loss"
        best = self.paths[self.best]
        where = palette.full_name(best.value) if palette.setting else ""
        where = best.name or where
        return f"{runs}   ·   lowest last loss {self.lowest:.4g}{f' at {where}' if where else ''}"

    def notes(self, leaving: int, scales: str = "") -> str:
        """Return a text of what the picture does not show."""
        is_slice = 2 < self.dim <= MAX_SLICED
        return join_notes(
            scales if self.dim > 1 else "",
            "levels: the slice of the loss through the lowest last point shown" if is_slice else "",
            note_leaving(leaving, len(self.paths), "paths"),
        )


def steps_of(path: Path) -> np.ndarray:
    """Return the step numbers (n,) of a path's points."""
    return np.arange(len(path.points)) if path.steps is None else np.asarray(path.steps)
