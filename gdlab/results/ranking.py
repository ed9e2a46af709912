"""The ranking of a sweep's runs, and statistics over runs that differ only in their seed.

Rows that met their target, or converged to the lowest loss that any row of their problem has, rank
by evaluations, ahead of all others, which rank by the metric (the final loss): one that converged
quickly to a worse minimum is not better for it. Converged rows of equal loss rank by evaluations.
Diverged and failed rows rank last. Settings are compared by their median rows, those that lose a
row behind all that lose none, and never across problems: each has a best of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np

from gdlab.console import visible
from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.fields.formatting import short_repr

DataFrame: TypeAlias = Any  # pandas.DataFrame, whose types a checker cannot follow
_SOLVED = (str(Status.CONVERGED), str(Status.TARGET))
_LOST = (str(Status.DIVERGED), str(Status.FAILED))
_AVERAGED = ("seed",)
TOLERANCE = 1e-6
"""Losses of converged rows count in units of this times 1 + |f|, f the lowest loss."""

_REACHED = "_reached"  # a column of this module alone
DIRECTIONS = (None, "min", "max")


@dataclass(frozen=True)
class Metric:
    """The column that ranks runs that did not converge.

    Attributes:
        name: the column's name.
        larger: whether larger values are better.
    """

    name: str = "final_loss"
    larger: bool = False

    @classmethod
    def of(cls, name: str, direction: str | None, of_loss: Collection[str]) -> Self:
        """Return the metric of a column.

        Args:
            name: the column's name.
            direction: whether the smallest ("min") or largest ("max") value is best; None for the
                largest of a loss's own metrics, such as accuracy, else the smallest.
            of_loss: the names of the losses' own metrics.

        Raises:
            SettingError: there is no such direction.
        """
        if direction not in DIRECTIONS:
            raise SettingError(f"direction={direction}: must be min, max or None")
        return cls(name, name in of_loss if direction is None else direction == "max")

    @property
    def worst(self) -> float:
        """The value of a run that diverged or failed."""
        return -np.inf if self.larger else np.inf


FINAL_LOSS = Metric()


@dataclass(frozen=True, repr=False)
class Best:
    """The best choice of settings for one combination of some of them.

    Attributes:
        combination: the given settings.
        choice: the best other settings, except the seed.
        run: the median run of those with this choice.
        metric: first quartile, median and third quartile over the runs with this choice.
        evaluations: the same quartiles of the evaluations.
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
    evaluations: tuple[float, float, float]
    solved: int
    reached: int
    lost: int
    count: int

    def __repr__(self) -> str:
        settings = {**self.combination, **self.choice}
        which = ", ".join(f"{setting_label(k)}={short_repr(v)}" for k, v in settings.items())
        low, median, high = (f"{value:.4g}" for value in self.metric)
        spread = "" if low == high else f" ({low}, {high})"
        ends = [f"{self.solved} of {self.count} solved"]
        ends += [f"{self.lost} lost"] if self.lost else []
        return f"Best({visible(which)}: run {self.run}, {median}{spread}, {', '.join(ends)})"


def rank_order(
    results: DataFrame, metric: Metric = FINAL_LOSS, problems: Sequence[str] = ()
) -> np.ndarray:
    """Return the row numbers from best to worst; ties in the order of the runs.

    Args:
        results: the table of a sweep.
        metric: the column that ranks rows that solved nothing.
        problems: the columns in which rows of one problem are equal.
    """
    has_reached = reached(results, problems)
    is_converged = (results["status"] == str(Status.CONVERGED)).to_numpy()
    values = values_of(results, metric)
    cost = -values if metric.larger else values
    lowest, unit, excess = _excess(cost, problems, results)
    level = np.where(is_converged, lowest + np.floor(excess) * unit, cost)
    ranks_by_evaluations = has_reached | is_converged
    return np.lexsort(
        (
            results["run"].to_numpy(),
            np.where(ranks_by_evaluations, results["evaluations"].to_numpy(), 0),
            np.where(has_reached, 0, level),
            ~has_reached,
        )
    )


def reached(results: DataFrame, problems: Sequence[str]) -> np.ndarray:
    """Return for each row whether it met its target or converged to its problem's lowest loss.

    Args:
        results: the table of a sweep.
        problems: the columns in which rows of one problem are equal.
    """
    excess = _excess(values_of(results, FINAL_LOSS), problems, results)[2]
    status = results["status"].to_numpy()
    return (status == str(Status.TARGET)) | ((status == str(Status.CONVERGED)) & (excess < 1))


def _excess(
    cost: np.ndarray, problems: Sequence[str], results: DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the lowest cost of each row's problem, a unit for it, and the excess in units."""
    problem = np.zeros(len(cost), dtype=np.int64)
    if problems:
        problem = results.groupby(list(problems), sort=False, dropna=False).ngroup().to_numpy()
    lowest = np.full(len(cost), np.inf)
    np.minimum.at(lowest, problem, np.where(np.isfinite(cost), cost, np.inf))
    lowest = np.where(np.isfinite(lowest), lowest, 0)[problem]
    unit = TOLERANCE * (1 + np.abs(lowest))
    with np.errstate(over="ignore"):
        return lowest, unit, (cost - lowest) / unit


def values_of(results: DataFrame, metric: Metric) -> np.ndarray:
    """Return the metric of each row, infinitely bad for runs that diverged or failed."""
    if metric.name not in results or results[metric.name].dtype.kind not in "fi":
        known = ", ".join(name for name in results if results[name].dtype.kind in "fi")
        raise SettingError(f"summary.metric={metric.name}: must be one of {known}")
    values = results[metric.name].to_numpy(dtype=np.float64)
    return np.where(results["status"].isin(_LOST) | np.isnan(values), metric.worst, values)


def objective(status: str, loss: float) -> float:
    """Return the loss of a run for a search such as Optuna's; +inf if it diverged or failed."""
    return np.inf if status in _LOST or np.isnan(loss) else loss


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
    results = results.assign(**{_REACHED: reached(results, problems)})
    ranked = results.iloc[rank_order(results, metric, problems)]
    others = [key for key in varied if key not in by and key not in _AVERAGED]
    winners = []
    for combination, rows in split_by(ranked, by):
        part = _best_part(rows, others)
        middle = part.iloc[len(part) // 2]
        winners.append(
            Best(
                combination=combination,
                choice={key: _to_python(middle[key]) for key in others},
                run=int(middle["run"]),
                metric=quartiles(values_of(part, metric)),
                evaluations=quartiles(part["evaluations"].to_numpy(dtype=np.float64)),
                solved=int(part["status"].isin(_SOLVED).sum()),
                reached=int(part[_REACHED].sum()),
                lost=int(part["status"].isin(_LOST).sum()),
                count=len(part),
            )
        )
    return winners


def setting_label(column: str) -> str:
    """Return the name of a setting as typed, from the name of its column."""
    return column.removeprefix("setting.")


def split_by(rows: DataFrame, keys: Sequence[str]) -> list[tuple[dict[str, Any], DataFrame]]:
    """Group rows by their values of some keys, in the order of the groups' first runs."""
    if not keys:
        return [({}, rows)]
    grouped = rows.groupby(list(keys), sort=False, dropna=False)
    parts = [
        ({key: _to_python(value) for key, value in zip(keys, values, strict=True)}, part)
        for values, part in grouped
    ]
    return sorted(parts, key=lambda pair: pair[1]["run"].min())


def _to_python(value: Any) -> Any:
    """Convert a cell of a table to a Python value; null becomes None."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value


def _best_part(rows: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Return the group of rows, equal in some keys, whose median row ranks best.

    Groups that lose a row rank behind all that lose none. Of two middle rows the worse one counts.

    Args:
        rows: in the order of their rank.
        keys: the columns in which the rows of a group are equal.
    """
    if not keys:
        return rows
    part = rows.groupby(list(keys), sort=False, dropna=False).ngroup().to_numpy()
    by_part = np.argsort(part, kind="stable")
    sizes = np.bincount(part)
    middle = by_part[np.cumsum(sizes) - sizes + sizes // 2]
    loses = np.bincount(part, weights=rows["status"].isin(_LOST)) > 0
    return rows[part == np.lexsort((middle, loses))[0]]


def quartiles(values: np.ndarray) -> tuple[float, float, float]:
    """Return quartiles without interpolation, so that infinite values cause no NaN."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75), method="inverted_cdf")
    return float(low), float(median), float(high)
