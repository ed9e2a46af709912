"""Which runs of a sweep were best, and how runs that differ in their seed alone compare.

Rows that converged or reached their target rank by evaluations, ahead of all others, which rank by
the metric (the final loss); diverged and failed rows count as the worst there is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np

from gdlab.engine.status import Status
from gdlab.errors import SettingError

DataFrame: TypeAlias = Any  # of pandas, whose types a checker cannot follow
_SOLVED = (str(Status.CONVERGED), str(Status.TARGET))
_LOST = (str(Status.DIVERGED), str(Status.FAILED))
_OVER = ("seed",)
DIRECTIONS = (None, "min", "max")


@dataclass(frozen=True)
class Metric:
    """The column by which runs rank that did not converge.

    Attributes:
        name: of the column.
        larger: whether larger values are better.
    """

    name: str = "final_loss"
    larger: bool = False

    @classmethod
    def of(cls, name: str, direction: str | None, of_loss: Collection[str]) -> Self:
        """The metric of a column.

        Args:
            name: of the column.
            direction: whether the least ("min") or the greatest ("max") value is best; None for
                the greatest of what a loss measures, such as accuracy, and the least of all else.
            of_loss: the names of what the losses measure.

        Raises:
            SettingError: there is no such direction.
        """
        if direction not in DIRECTIONS:
            raise SettingError(f"direction={direction}: must be min, max or None")
        return cls(name, name in of_loss if direction is None else direction == "max")

    @property
    def worst(self) -> float:
        """What stands for the value of a run that was lost."""
        return -np.inf if self.larger else np.inf


FINAL_LOSS = Metric()


@dataclass(frozen=True)
class Best:
    """The best of the runs that agree in some settings.

    Attributes:
        combination: the settings that they agree in.
        choice: the other settings, but the seed, that were best.
        run: of the runs with that choice the one in the middle.
        metric: first quartile, median and third quartile over the runs with that choice.
        evaluations: likewise.
        solved: how many of these runs converged or reached their target.
        lost: how many diverged or failed.
        count: how many they are.
    """

    combination: Mapping[str, Any]
    choice: Mapping[str, Any]
    run: int
    metric: tuple[float, float, float]
    evaluations: tuple[float, float, float]
    solved: int
    lost: int
    count: int


def rank_order(results: DataFrame, metric: Metric = FINAL_LOSS) -> np.ndarray:
    """The places of the rows from best to worst; equal ones in the order of their runs."""
    is_solved = results["status"].isin(_SOLVED).to_numpy()
    values = values_of(results, metric)
    cost = -values if metric.larger else values
    value = np.where(is_solved, results["evaluations"].to_numpy(), cost)
    return np.lexsort((results["run"].to_numpy(), value, ~is_solved))


def values_of(results: DataFrame, metric: Metric) -> np.ndarray:
    """The metric of each row, infinitely bad for those that diverged or failed."""
    if metric.name not in results or results[metric.name].dtype.kind not in "fi":
        known = ", ".join(name for name in results if results[name].dtype.kind in "fi")
        raise SettingError(f"summary.metric={metric.name}: must be one of {known}")
    values = results[metric.name].to_numpy(dtype=np.float64)
    return np.where(results["status"].isin(_LOST) | np.isnan(values), metric.worst, values)


def objective(status: str, loss: float) -> float:
    """What a sweeper that searches is told of a run: its loss, +inf where that says nothing."""
    return np.inf if status in _LOST or np.isnan(loss) else loss


def best(
    results: DataFrame, by: Sequence[str], varied: Sequence[str], metric: Metric = FINAL_LOSS
) -> list[Best]:
    """The best of each combination of the settings `by`.

    Args:
        results: the table of a sweep.
        by: the settings to be told apart; none for one best of all.
        varied: all settings that the sweep varied.
        metric: the column by which rows that did not converge rank.

    Raises:
        SettingError: there is no such setting or metric.
    """
    unknown = [key for key in by if key not in results]
    if unknown:
        known = ", ".join(map(setting_label, varied)) or "the settings that vary: none does"
        raise SettingError(f"summary.by={setting_label(unknown[0])}: is none of {known}")
    ranked = results.iloc[rank_order(results, metric)]
    others = [key for key in varied if key not in by and key not in _OVER]
    found = []
    for combination, rows in split_by(ranked, by):
        part = _best_part(rows, others)
        middle = part.iloc[len(part) // 2]
        found.append(
            Best(
                combination=combination,
                choice={key: _plain(middle[key]) for key in others},
                run=int(middle["run"]),
                metric=quartiles(values_of(part, metric)),
                evaluations=quartiles(part["evaluations"].to_numpy(dtype=np.float64)),
                solved=int(part["status"].isin(_SOLVED).sum()),
                lost=int(part["status"].isin(_LOST).sum()),
                count=len(part),
            )
        )
    return found


def setting_label(column: str) -> str:
    """A setting as a person types it, from what the tables call it."""
    return column.removeprefix("setting.")


def split_by(rows: DataFrame, keys: Sequence[str]) -> list[tuple[dict[str, Any], DataFrame]]:
    """The rows by what they hold under some keys, in the order of their first runs."""
    if not keys:
        return [({}, rows)]
    grouped = rows.groupby(list(keys), sort=False, dropna=False)
    found = [
        ({key: _plain(value) for key, value in zip(keys, values, strict=True)}, part)
        for values, part in grouped
    ]
    return sorted(found, key=lambda pair: pair[1]["run"].min())


def _plain(value: Any) -> Any:
    """A setting of a table as it was given: Python's own numbers, None where it is null."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value


def _best_part(rows: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Of the rows that agree in some keys those whose middle one, of two the worse, ranks best.

    Args:
        rows: in the order of their rank.
        keys: of the settings in which rows of a part agree.
    """
    if not keys:
        return rows
    part = rows.groupby(list(keys), sort=False, dropna=False).ngroup().to_numpy()
    by_part = np.argsort(part, kind="stable")
    sizes = np.bincount(part)
    middle = by_part[np.cumsum(sizes) - sizes + sizes // 2]
    return rows[part == middle.argmin()]


def quartiles(values: np.ndarray) -> tuple[float, float, float]:
    """Quartiles that are values themselves, so that an infinite one is as it is."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75), method="inverted_cdf")
    return float(low), float(median), float(high)
