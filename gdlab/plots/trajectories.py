"""Pictures of a sweep: the paths of many runs over one loss, colored by the swept setting.

For one variable, position is drawn against step; for two, paths on level curves; for more, in the
plane of the first two principal components of all paths together.

Shapes: M paths, n recorded points of a path, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.plots.colors import Colors
from gdlab.plots.landscape import MAX_SLICED, draw_levels, draw_surface
from gdlab.plots.projection import FAR, Landscape, Plane, nearby, on_paper, principal_plane, view
from gdlab.plots.style import INK, MINIMIZER, draw_legend, draw_title, label, panel, png, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Landscape", "Path", "overview_png"]

_SIZE = (6.4, 6.2)
_PANEL = (0.12, 0.25, 0.745, 0.655)  # left, bottom, width, height, as fractions of the figure
_START = {
    "marker": "o",
    "markerfacecolor": "white",
    "markeredgecolor": INK,
    "markeredgewidth": 1.1,
    "linestyle": "none",
}
_LAST = {"markeredgecolor": "white", "markeredgewidth": 0.8, "linestyle": "none"}
_LEVEL = {"color": INK, "linewidth": 1.0, "linestyle": "--"}
_MANY = 20  # paths; more get thinner lines and smaller marks
_CROWDED = 12_000  # pixels of line; longer paths are thin, or they would hide all others
_LOG_STEPS = 30  # more are logarithmic: a tenth of the rate takes ten times the steps


@dataclass(frozen=True)
class Path:
    """One run of a sweep.

    Attributes:
        points: (n, D) the recorded points, finite; huge where the run diverged.
        value: The run's value of the swept setting; numbers get a color scale, texts categories.
        steps: (n,) the step numbers of the points; None if every step is recorded.
    """

    points: np.ndarray
    value: float | str
    steps: np.ndarray | None = None


def overview_png(
    landscape: Landscape, paths: Sequence[Path], setting: str, *, is_log: bool
) -> bytes:
    """Draw the paths of a sweep in one picture.

    The view contains the paths that stay near and do not end above their start; if there are none,
    the early steps of all. The same input gives the same bytes.

    Args:
        landscape: The loss.
        paths: M ≥ 1 runs of the same dimension.
        setting: The name of what was swept.
        is_log: Whether the color scale is logarithmic; ignored unless all numbers are positive.

    Returns:
        A PNG of 640 x 620 pixels.

    Raises:
        ValueError: There is no path, or the paths differ in dimension.
    """
    shapes = [path.points.shape for path in paths]
    if not shapes or any(len(s) != 2 or 0 in s or s[1] != shapes[0][1] for s in shapes):
        raise ValueError(f"paths must be (n, D) of one D, got {shapes}")
    sweep = _Sweep.of(landscape, paths)
    colors = Colors.of([path.value for path in paths], is_log=is_log)
    with style():
        canvas, axes = panel(_SIZE, _PANEL)
        figure = canvas.figure
        sweep.draw_background(axes)
        traces, leaving = sweep.project()
        _draw_paths(axes, traces, colors)
        _draw_minimizers(axes, sweep)
        draw_title(figure, landscape.title, sweep.subtitle(setting))
        draw_legend(figure, _legend_entries(sweep), 0.03)
        colors.draw_key(figure, setting, (_PANEL[0], 0.163, _PANEL[2], 0.018))
        figure.text(0.5, 0.01, sweep.notes(leaving), ha="center", size=8, color=INK)
        return png(canvas)


@dataclass(frozen=True)
class _Sweep:
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
    def of(cls, landscape: Landscape, paths: Sequence[Path]) -> _Sweep:
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
            last = max(1.0, *(float(_steps(paths[i])[-1]) for i in in_view))
            box = np.stack([[-0.03 * last, 1.03 * last], box[0]])
            if last > _LOG_STEPS:
                box[0] = -0.2, 1.25 * last
        return cls(landscape, paths, plane, box, best, float(ends[best, 1]))

    @property
    def dim(self) -> int:
        return len(self.plane.origin)

    def draw_background(self, axes: Axes) -> None:
        """Draw the loss behind the paths."""
        if self.dim > 1:
            draw_surface(axes, self.landscape, self.plane, self.box, arrows=False)
            return
        loss = self.landscape
        # The loss does not depend on the step: its level curves are horizontal.
        strips = Landscape(
            lambda p: loss.value(p[..., 1:]), loss.gradient, (), "", minimum=loss.minimum
        )
        draw_levels(axes, strips, Plane(np.zeros(2), np.eye(2)), self.box)
        label(axes, "step", loss.names[0])
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
                points = np.column_stack([_steps(path), points])
            trace, outside = on_paper(points, self.box)
            traces.append(trace)
            leaving += bool(outside.any())
        return traces, leaving

    def subtitle(self, setting: str) -> str:
        """Return how many runs there are, and which one ended lowest."""
        count = len(self.paths)
        if not np.isfinite(self.lowest):
            return f"{count:,} paths, no finite last loss"
        value = self.paths[self.best].value
        value = value if isinstance(value, str) else f"{value:.4g}"
        runs = "1 path" if count == 1 else f"{count:,} paths"
        return f"{runs}   ·   lowest last loss {self.lowest:.4g} at {setting} = {value}"

    def notes(self, leaving: int) -> str:
        """Return a text of what the picture does not show."""
        notes = []
        if 2 < self.dim <= MAX_SLICED:
            notes.append("levels: the slice of the loss through the lowest last point shown")
        if leaving:
            notes.append(f"{leaving:,} of {len(self.paths):,} paths leave the view")
        return "   ·   ".join(notes)


def _steps(path: Path) -> np.ndarray:
    """Return the step numbers (n,) of a path's points."""
    return np.arange(len(path.points)) if path.steps is None else np.asarray(path.steps)


def _draw_paths(axes: Axes, traces: Sequence[np.ndarray], colors: Colors) -> None:
    """Draw lines from the longest to the shortest, so that wild paths lie below, then marks."""
    are_many = len(traces) > _MANY
    lengths = np.array([_length(axes, trace) for trace in traces])
    clip: dict[str, Any] = {"solid_joinstyle": "round", "zorder": 3}
    for i in np.argsort(-lengths, kind="stable"):
        trace, color = traces[i], colors.color(int(i))
        if lengths[i] > _CROWDED:
            axes.plot(*trace.T, color=color, linewidth=0.5, alpha=0.6, **clip)
            continue
        width = 0.9 if are_many else 1.3
        axes.plot(*trace.T, color="white", linewidth=width + 1.3, alpha=0.6, **clip)
        axes.plot(*trace.T, color=color, linewidth=width, **clip)
    starts = np.unique([trace[0] for trace in traces], axis=0)
    size = 9 if len(starts) == 1 else 5
    axes.plot(*starts.T, **_START, markersize=size, zorder=5)
    for i in np.argsort(-lengths, kind="stable"):
        kind = {
            **_LAST,
            "markersize": 5.5 if are_many else 6.5,
            "color": colors.color(int(i)),
            "marker": colors.marker(int(i)),
        }
        axes.plot(*traces[i][-1:].T, **kind, zorder=6)


def _length(axes: Axes, trace: np.ndarray) -> float:
    """Return the length in pixels of a trace (n, 2), at least of the part inside the panel."""
    steps = np.hypot(*np.diff(axes.transData.transform(trace), axis=0).T)
    return float(np.minimum(np.nan_to_num(steps), 100 * _SIZE[0]).sum())


def _draw_minimizers(axes: Axes, sweep: _Sweep) -> None:
    """Draw the known minimizers as stars, or as lines along the steps for D = 1."""
    if sweep.landscape.minimizers is None:
        return
    points = sweep.plane.coordinates(np.clip(sweep.landscape.minimizers, -FAR, FAR))
    if sweep.dim == 1:
        for position in np.unique(points[:, 0]):
            axes.axhline(position, **_LEVEL, zorder=2)
    else:
        axes.plot(*on_paper(points, sweep.box)[0].T, **MINIMIZER, zorder=4)


def _legend_entries(sweep: _Sweep) -> dict[str, dict[str, Any]]:
    """Return the styles of the marks by name."""
    keys = {
        "start": {**_START, "markersize": 8},
        "last point": {**_LAST, "markersize": 6.5, "marker": "o", "color": "#7a7a7a"},
    }
    if sweep.landscape.minimizers is not None:
        name = "minimizer" if sweep.dim <= 2 else "minimizer, projected"
        keys[name] = _LEVEL if sweep.dim == 1 else MINIMIZER
    return keys
