"""The curves of a run in TensorBoard, and the tags under which it shows them.

TensorBoard groups tags by what stands before the slash, sorts the groups by name, and opens the
first two. The group `loss` is first, with the metrics. The pictures are second, as `overview` or
`pictures`. What comes after them is folded: `step`, `theory` and `x`.

Shapes: n records.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.engine.metrics import SHARPNESS
from gdlab.recording.thinning import MAX_POINTS, thinned_steps
from gdlab.schedules import Constant
from gdlab.theory import predicted_rate

LOSS, GRAD_NORM, LR, DISTANCE = "loss", "step/grad_norm", "step/lr", "x/distance_to_minimizer"
LOG_LOSS, LOG_SUBOPTIMALITY = "loss/log10_loss", "loss/log10_suboptimality"
LOG_BOUND = "theory/log10_suboptimality_bound"
SHARPNESS_LIMIT = "loss/sharpness_limit"
"""2/lr, above which gradient descent is unstable."""

_LOGARITHMS = frozenset({LOG_LOSS, LOG_SUBOPTIMALITY, LOG_BOUND})
_MAX_COORDINATES = 4

Points: TypeAlias = tuple[np.ndarray, dict[str, np.ndarray]]
"""Steps (n,), and the values (n,) of each tag there."""


class Curves:
    """Turns the records of a run into the points that TensorBoard shows.

    The tags are the loss and its logarithm: of the suboptimality where the minimum is known, with
    its bound where theory has one. The metrics, with 2/lr next to the sharpness. The gradient norm,
    and the lr unless it is constant. The distance to the nearest minimizer, where one is known, and
    up to four coordinates.

    Quantities computed only at steps 0, n, 2n, … have points only there. A logarithm has none where
    it is not finite.

    Args:
        settings: of the run.
        points: the most points of a tag; the first and the last record are always among them.

    Attributes:
        charts: the tags that belong together in a chart, by its title.
    """

    def __init__(self, settings: Settings, points: int = MAX_POINTS) -> None:
        self._metrics = settings.metrics
        has_gaps = settings.loss.minibatch is not None
        self._loss_every = settings.record.full_loss_every if has_gaps else 1
        periods = (1, self._loss_every, *(metric.every for metric in self._metrics.values()))
        self._steps = _steps_by_period(settings.most_steps, frozenset(periods), points)
        names = settings.objective.names
        self._coordinates = names if len(names) <= _MAX_COORDINATES else ()
        self._has_schedule = not isinstance(settings.schedule, Constant)
        self._rate = predicted_rate(settings)
        self._first: float | None = None
        self.charts: dict[str, Sequence[str]] = {}
        if self._rate is not None:
            self.charts["log10 of the suboptimality and of its bound"] = (
                LOG_SUBOPTIMALITY,
                LOG_BOUND,
            )
        if SHARPNESS in self._metrics:
            self.charts["sharpness and its limit 2/lr"] = (_tag(SHARPNESS), SHARPNESS_LIMIT)

    def points(self, records: History, *, is_last: bool = False) -> Iterator[Points]:
        """Yield the points of some records.

        Args:
            records: the next ones of the run.
            is_last: whether it is the last record, which has a point of every tag but the lr.
        """
        for every, values in self._values(records).items():
            rows = slice(None) if is_last else _rows_at(records.step, self._steps[every])
            yield from _without_gaps(records.step[rows], {k: v[rows] for k, v in values.items()})

    def _values(self, records: History) -> Mapping[int, dict[str, np.ndarray]]:
        """Return the values (n,) of each tag, by the period at which they are computed."""
        tags: dict[int, dict[str, np.ndarray]] = {every: {} for every in self._steps}
        tags[self._loss_every] |= {LOSS: records.loss, GRAD_NORM: records.grad_norm}
        tags[self._loss_every] |= self._logarithms(records)
        tags[1] |= {f"x/{name}": records.x[:, i] for i, name in enumerate(self._coordinates)}
        if records.distance is not None:
            tags[1][DISTANCE] = records.distance
        for name, values in records.metrics.items():
            tags[self._metrics[name].every][_tag(name)] = values
        if not np.isnan(records.lr).any():
            if self._has_schedule:
                tags[1][LR] = records.lr
            if SHARPNESS in self._metrics:
                with np.errstate(over="ignore"):
                    limit = 2 / records.lr.astype(np.float64)
                tags[self._metrics[SHARPNESS].every][SHARPNESS_LIMIT] = limit
        return tags

    def _logarithms(self, records: History) -> dict[str, np.ndarray]:
        if records.suboptimality is None:
            return {LOG_LOSS: _log10(records.loss)}
        logarithms = {LOG_SUBOPTIMALITY: _log10(records.suboptimality)}
        if self._rate is not None and len(records):
            if self._first is None:
                self._first = float(records.suboptimality[0])
            logarithms[LOG_BOUND] = _log10(self._rate.bound(records.step, self._first))
        return logarithms


def _rows_at(recorded: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the rows of some of the recorded steps, both increasing: those that are wanted."""
    if not len(recorded):
        return np.empty(0, np.int64)
    first, last = np.searchsorted(wanted, (recorded[0], recorded[-1] + 1))
    within = wanted[first:last]
    rows = np.searchsorted(recorded, within)
    return rows[recorded[rows] == within]


def _tag(metric: str) -> str:
    return f"loss/{metric}"


def _log10(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values.astype(np.float64))


def _without_gaps(steps: np.ndarray, values: dict[str, np.ndarray]) -> Iterator[Points]:
    """Yield the tags with a value at each step together, and those with gaps one by one."""
    known = {tag: np.isfinite(values[tag]) for tag in _LOGARITHMS & values.keys()}
    gaps = {tag: rows for tag, rows in known.items() if not rows.all()}
    whole = {tag: column for tag, column in values.items() if tag not in gaps}
    for rows, columns in ((slice(None), whole), *((gaps[tag], {tag: values[tag]}) for tag in gaps)):
        if columns and len(steps[rows]):
            yield steps[rows], {tag: column[rows] for tag, column in columns.items()}


@lru_cache(maxsize=16)  # shared by the runs of a group
def _steps_by_period(steps: int, periods: frozenset[int], points: int) -> Mapping[int, np.ndarray]:
    """Return the steps at which to show a quantity, by the period at which it is computed."""
    thinned = thinned_steps(steps, points)
    return {every: np.unique(thinned // every * every) for every in sorted(periods)}
