"""The ranking of a sweep's runs.

Rows that met their target, or converged to the lowest loss that any row of their problem has, rank
by evaluations, ahead of all others, which rank by the metric (the final loss): one that converged
quickly to a worse minimum is not better for it. Converged rows of equal loss rank by evaluations.
Diverged and failed rows rank last.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np

from gdlab.engine.status import Status
from gdlab.errors import SettingError

DataFrame: TypeAlias = Any  # pandas.DataFrame, whose types a checker cannot follow
LOST = (str(Status.DIVERGED), str(Status.FAILED))
TOLERANCE = 1e-6
"""Losses of converged rows count in units of this times 1 + |f|, f the lowest loss."""

DIRECTIONS = (None, "min", "max")


@dataclass(frozen=True)
class Metric:
    """The column that ranks runs that reached nothing.

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
    def title(self) -> str:
        """What pictures call it."""
        return self.name.replace("_", " ")

    @property
    def worst(self) -> float:
        """The value of a run that diverged or failed."""
        return -np.inf if self.larger else np.inf

    def cost(self, values: np.ndarray) -> np.ndarray:
        """Return values of which the smallest is best."""
        return -values if self.larger else values


FINAL_LOSS = Metric()
EVALUATIONS = Metric("evaluations")


def rank_order(
    results: DataFrame, metric: Metric = FINAL_LOSS, problems: Sequence[str] = ()
) -> np.ndarray:
    """Return the row numbers from best to worst; ties in the order of the runs.

    Args:
        results: the table of a sweep.
        metric: the column that ranks rows that solved nothing.
        problems: the columns in which rows of one problem are equal.
    """
    return order_by_rank(
        reached(results, problems),
        (results["status"] == str(Status.CONVERGED)).to_numpy(),
        metric.cost(values_of(results, metric)),
        results["evaluations"].to_numpy(),
        results["run"].to_numpy(),
        _problem_numbers(results, problems),
    )


def order_by_rank(
    reaches: np.ndarray,
    converges: np.ndarray,
    cost: np.ndarray,
    evaluations: np.ndarray,
    run: np.ndarray,
    problem: np.ndarray,
) -> np.ndarray:
    """Return the numbers of rows, or of settings with some rows, from best to worst."""
    lowest, unit = _lowest(cost, problem)
    level = _excess(
        cost, problem, lowest, unit
    )  # in place from here on: there may be millions of runs
    np.floor(level, out=level)
    level *= unit[problem]
    level += lowest[problem]
    np.copyto(level, cost, where=~converges)
    level[reaches] = 0
    spent = np.where(reaches | converges, evaluations, 0)
    return np.lexsort((run, spent, level, ~reaches))


def reached(results: DataFrame, problems: Sequence[str]) -> np.ndarray:
    """Return for each row whether it met its target or converged to its problem's lowest loss.

    Args:
        results: the table of a sweep.
        problems: the columns in which rows of one problem are equal.
    """
    losses = values_of(results, FINAL_LOSS)
    problem = _problem_numbers(results, problems)
    is_lowest = _excess(losses, problem, *_lowest(losses, problem)) < 1
    status = results["status"].to_numpy()
    return (status == str(Status.TARGET)) | ((status == str(Status.CONVERGED)) & is_lowest)


def _problem_numbers(results: DataFrame, problems: Sequence[str]) -> np.ndarray:
    """Return the number of each row's problem."""
    if not problems:
        return np.zeros(len(results), dtype=np.int64)
    return results.groupby(list(problems), sort=False, dropna=False).ngroup().to_numpy()


def _lowest(cost: np.ndarray, problem: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest cost of each problem, 0 where none is finite, and a unit for it."""
    lowest = np.full(problem.max(initial=-1) + 1, np.inf)
    np.minimum.at(lowest, problem, np.where(np.isfinite(cost), cost, np.inf))
    lowest[np.isinf(lowest)] = 0
    return lowest, TOLERANCE * (1 + np.abs(lowest))


def _excess(
    cost: np.ndarray, problem: np.ndarray, lowest: np.ndarray, unit: np.ndarray
) -> np.ndarray:
    """Return by how many units each row's cost exceeds the lowest of its problem."""
    with np.errstate(over="ignore"):
        excess = cost - lowest[problem]
        excess /= unit[problem]
    return excess


def values_of(results: DataFrame, metric: Metric) -> np.ndarray:
    """Return the metric of each row, infinitely bad for runs that diverged or failed."""
    if metric.name not in results or results[metric.name].dtype.kind not in "fi":
        known = ", ".join(name for name in results if results[name].dtype.kind in "fi")
        raise SettingError(f"summary.metric={metric.name}: must be one of {known}")
    values = results[metric.name].to_numpy(dtype=np.float64)
    return np.where(results["status"].isin(LOST) | np.isnan(values), metric.worst, values)


def objective(status: str, loss: float) -> float:
    """Return the loss of a run for a search such as Optuna's; +inf if it diverged or failed."""
    return np.inf if status in LOST or np.isnan(loss) else loss


def setting_label(column: str) -> str:
    """Return the name of a setting as typed, from the name of its column."""
    return column.removeprefix("setting.")


def split_by(rows: DataFrame, keys: Sequence[str]) -> list[tuple[dict[str, Any], DataFrame]]:
    """Group rows by their values of some keys, in the order of the groups' first runs."""
    if not keys:
        return [({}, rows)]
    grouped = rows.groupby(list(keys), sort=False, dropna=False)
    parts = [
        ({key: to_python(value) for key, value in zip(keys, values, strict=True)}, part)
        for values, part in grouped
    ]
    return sorted(parts, key=lambda pair: pair[1]["run"].min())


def to_python(value: Any) -> Any:
    """Convert a cell of a table to a Python value; null becomes None."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value
