"""The best settings of a sweep: statistics over runs that differ only in their seed.

Where only starts vary beside it, there is nothing to choose, and the statistics are over them too.

Settings, each with some rows, are compared by what the summary prints of them. First the smallest
share of lost rows. Where more than half of the rows reached the lowest loss or their target, then
the largest share of these, then the median of the evaluations; settings of which fewer did come
after, by the median of the metric. The row that is named is the one nearest to that median among
those that are not better. `gdlab.results.quantiles` defines the median. Nothing is compared across
problems: each has a best of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdlab.console import visible
from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.fields.formatting import short_repr
from gdlab.results.quantiles import quantile_by, quartiles
from gdlab.results.ranking import (
    EVALUATIONS,
    FINAL_LOSS,
    LOST,
    DataFrame,
    Metric,
    order_by_rank,
    rank_order,
    reached,
    setting_label,
    split_by,
    to_python,
    values_of,
)

_SOLVED = (str(Status.CONVERGED), str(Status.TARGET))
_AVERAGED = ("seed",)
_REACHED = "_reached"  # a column of this module alone


@dataclass(frozen=True, repr=False)
class Best:
    """The best choice of settings for one combination of some of them.

    Attributes:
        combination: the given settings.
        choice: the best other settings, except the seed; empty where these are starts only.
        run: that of those with this choice which is nearest to the median that ranked it, and not
            better.
        metric: first quartile, median and third quartile over the runs with this choice.
        metric_name: of which column.
        evaluations: the same quartiles of the evaluations, infinite for a lost run.
        solved: number of these runs that converged or reached their target.
        reached: number of these runs that converged to the lowest loss of their problem or reached
            their target.
        lost: number of these runs that diverged or failed.
        count: number of these runs.
    """

    combination: Mapping[str, Any]
    choice: Mapping[str, Any]
    run: int
    metric: tuple[float, float, float]
    metric_name: str
    evaluations: tuple[float, float, float]
    solved: int
    reached: int
    lost: int
    count: int

    @property
    def is_by_evaluations(self) -> bool:
        """Whether the evaluations of its runs rank it, and not their metric."""
        return 2 * self.reached > self.count

    def __repr__(self) -> str:
        settings = {**self.combination, **self.choice}
        which = ", ".join(f"{setting_label(k)}={short_repr(v)}" for k, v in settings.items())
        low, median, high = (f"{value:.4g}" for value in self.metric)
        spread = "" if low == high else f" ({low}, {high})"
        ends = [f"{self.solved} of {self.count} solved"]
        ends += [f"{self.lost} lost"] if self.lost else []
        value = f"{visible(setting_label(self.metric_name))} {median}{spread}"
        return f"Best({visible(which)}: run {self.run}, {value}, {', '.join(ends)})"


def best(
    results: DataFrame,
    by: Sequence[str],
    varied: Sequence[str],
    metric: Metric = FINAL_LOSS,
    problems: Sequence[str] = (),
) -> list[Best]:
    """Find the best choice of settings for each problem and combination of the settings `by`.

    Args:
        results: the table of a sweep.
        by: the settings to group by; empty for a single best of each problem.
        varied: all settings that the sweep varied.
        metric: the column that ranks rows that did not converge.
        problems: those of the varied settings that change the problem.

    Raises:
        SettingError: there is no such setting or metric.
    """
    unknown = [key for key in by if key not in results]
    if unknown:
        known = ", ".join(map(setting_label, varied))
        rule = f"must be one of {known}" if known else "no setting varies"
        raise SettingError(f"summary.by={setting_label(unknown[0])}: {rule}")
    by = [*(key for key in problems if key not in by), *by]
    others = [key for key in varied if key not in by and key not in _AVERAGED]
    if all(is_of_start(key) for key in others):
        others = []  # a start is where a run begins, not a choice that one could make better
    order = rank_order(results, metric, problems)
    read = dict.fromkeys([*by, *others, "run", "status", EVALUATIONS.name, metric.name])
    ranked = results[[*read]].iloc[order]  # a copy, perhaps of millions of runs
    ranked.insert(len(read), _REACHED, reached(results, problems)[order])
    return [
        _best_of(combination, rows, others, metric) for combination, rows in split_by(ranked, by)
    ]


def _best_of(
    combination: Mapping[str, Any], rows: DataFrame, keys: Sequence[str], metric: Metric
) -> Best:
    """Return the best choice of some settings among the rows of a combination of others.

    Args:
        combination: the other settings.
        rows: those with this combination, in the order of their rank.
        keys: the settings to choose.
        metric: the column that ranks rows that did not converge.
    """
    part = _best_part(rows, keys, metric)
    named = _median_row(part, metric)
    return Best(
        combination=combination,
        choice={key: to_python(named[key]) for key in keys},
        run=int(named["run"]),
        metric=quartiles(values_of(part, metric)),
        metric_name=metric.name,
        evaluations=quartiles(values_of(part, EVALUATIONS)),
        solved=int(part["status"].isin(_SOLVED).sum()),
        reached=int(part[_REACHED].sum()),
        lost=int(part["status"].isin(LOST).sum()),
        count=len(part),
    )


def is_of_start(key: str) -> bool:
    """Tell whether a setting is the start or a coordinate of it."""
    return key.partition(".")[0] == "start"


def _best_part(rows: DataFrame, keys: Sequence[str], metric: Metric) -> DataFrame:
    """Return the group of rows, equal in some keys, that ranks best.

    Args:
        rows: of one problem.
        keys: the columns in which the rows of a group are equal.
        metric: the column that ranks groups of which at most half reached the lowest loss.
    """
    if not keys:
        return rows
    part = rows.groupby(list(keys), sort=False, dropna=False).ngroup().to_numpy()
    lost = _share(rows["status"].isin(LOST), part)
    converged = rows["status"] == str(Status.CONVERGED)
    has_reached = _share(rows[_REACHED], part)
    order = order_by_rank(
        has_reached > 0.5,
        _share(converged, part) > 0.5,
        metric.cost(quantile_by(values_of(rows, metric), part, 0.5)),
        quantile_by(values_of(rows, EVALUATIONS), part, 0.5),
        rows["run"].groupby(part).min().to_numpy(),
        np.zeros(len(lost), dtype=np.int64),
    )
    reliable = np.where(has_reached > 0.5, has_reached, 0)
    return rows[part == min(order, key=lambda at: (lost[at], -reliable[at]))]


def _share(has: Any, part: np.ndarray) -> np.ndarray:
    """Return the share of the rows of each part that have something."""
    return np.bincount(part, weights=has) / np.bincount(part)


def _median_row(rows: DataFrame, metric: Metric) -> Any:
    """Return the row nearest to the median that ranks the rows, and not better.

    Args:
        rows: of one group, in the order of their rank.
        metric: the column that ranks them unless more than half reached the lowest loss.
    """
    has_reached = rows[_REACHED].to_numpy()
    if 2 * has_reached.sum() > len(rows):
        spent = values_of(rows, EVALUATIONS)
        median, cost = quartiles(spent)[1], np.where(has_reached, spent, np.inf)
    else:
        values = values_of(rows, metric)
        median, cost = metric.cost(np.array(quartiles(values)[1])), metric.cost(values)
    not_better = np.flatnonzero(cost >= median)
    return rows.iloc[int(not_better[np.argmin(cost[not_better])])]
