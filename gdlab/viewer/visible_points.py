"""Which records of the runs of a scene to send: those without which it would look different.

Shapes: R runs, n records of a run, N records in all, K coordinates of the plane, C quantities.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from gdlab.plots.projection import Plane
from gdlab.viewer.planes import project
from gdlab.viewer.records import MOST_KNOWN, Records, evenly
from gdlab.viewer.thinning import most_significant, significance

_PIXELS, _CHART_PIXELS = 1280.0, 200.0
_TOLERANCE = 0.4  # of a pixel
_CHART_TOLERANCE = 1.0
_BEYOND = 4.0  # views from the center: farther points are not told apart
_OFF_CHART = 1.5
_HIGHEST = 99.0  # percentile of the losses: diverged runs do not flatten the others
_BATCH = 65_536
_EARLY = 24  # records of each run at geometric steps, for charts with logarithmic steps


def visible_points(
    view: np.ndarray, plane: Plane, records: Sequence[Records], base: float, budget: int
) -> list[np.ndarray]:
    """Choose the records of each run to send: numbers (m,) of some of its n, increasing.

    On a view 1280 pixels wide, the paths and the markers on them are off by less than half a
    pixel, and the logarithms of the losses by one on a chart 200 pixels high, if the budget allows.

    Args:
        view: (K, 2) lower and upper limits of what is shown.
        plane: the plane.
        records: the records of each run.
        base: what the logarithms of the losses are above.
        budget: the most records in all; the first, the last, a few early ones and some of those
            with a quantity that is computed now and then are always kept.
    """
    first = np.cumsum([0, *(len(each) for each in records)])
    chart = _chart(np.concatenate([each.loss for each in records]), base)
    found = np.empty(first[-1])
    # By batches of runs: what is compared of all of them would take as much memory as they do.
    batch = first[:-1] // _BATCH
    for part in np.split(np.arange(len(records)), np.flatnonzero(np.diff(batch)) + 1):
        some = [records[k] for k in part]
        path = project(plane, np.concatenate([each.x for each in some]))
        loss = np.concatenate([each.loss for each in some])
        drawn = np.stack([*_on_screen(view, path), _on_chart(loss, base, chart)])
        lengths = np.array([len(each) for each in some])
        step = np.concatenate([each.step for each in some])
        found[first[part[0]] : first[part[-1] + 1]] = significance(step, drawn, lengths, _TOLERANCE)
    share = min(MOST_KNOWN, max(_EARLY, budget // (2 * len(records))))
    for start, each in zip(first.tolist(), records, strict=False):
        found[start + _early(len(each))] = np.inf
        for quantity in each.occasional:
            found[start + evenly(np.flatnonzero(np.isfinite(quantity)), share)] = np.inf
    rows = most_significant(found, budget)
    of_run = np.split(rows, np.searchsorted(rows, first[1:-1]))
    return [part - start for part, start in zip(of_run, first.tolist(), strict=False)]


@lru_cache(maxsize=256)
def _early(length: int) -> np.ndarray:
    """Return a few of so many records, at geometric distances."""
    return np.unique(np.geomspace(1, length, _EARLY).astype(int)) - 1


def _on_screen(view: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Return points (N, K) in pixels from the center of the view (K, N)."""
    beyond = _BEYOND * _PIXELS
    pixels = (path.T - view.mean(axis=1)[:, None]) / np.diff(view, axis=1) * _PIXELS
    return np.clip(np.nan_to_num(pixels, nan=beyond), -beyond, beyond)


def _chart(loss: np.ndarray, base: float) -> tuple[float, float]:
    """Return the limits of a chart of the logarithms of all losses (N,)."""
    heights = _heights(loss, base)
    known = heights[np.isfinite(heights)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(np.percentile(known, _HIGHEST))
    return low, high if high > low else low + 1.0


def _on_chart(loss: np.ndarray, base: float, chart: tuple[float, float]) -> np.ndarray:
    """Return the logarithms of losses (N,) in pixels of the same tolerance (N,)."""
    pixels = (_heights(loss, base) - chart[0]) / (chart[1] - chart[0]) * _CHART_PIXELS
    off = _OFF_CHART * _CHART_PIXELS
    return np.clip(np.nan_to_num(pixels, nan=off), 0.0, off) * (_TOLERANCE / _CHART_TOLERANCE)


def _heights(loss: np.ndarray, base: float) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.log10(loss - base)
