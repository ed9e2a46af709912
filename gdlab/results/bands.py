"""How a metric of the runs of a sweep depends on lr, over their seeds and starts."""

from collections.abc import Collection, Sequence

import numpy as np

from gdlab.plots.best_points import BestPoint
from gdlab.plots.sensitivity import Band
from gdlab.results.best_settings import Best
from gdlab.results.quantiles import quartiles
from gdlab.results.ranking import FINAL_LOSS, LOST, DataFrame, Metric, values_of

_FEWEST_RATES = 5


def why_no_bands(results: DataFrame, varied: Collection[str]) -> str | None:
    """Say why there is no picture of a metric against lr.

    Args:
        results: the table of a sweep.
        varied: the settings that it varied.
    """
    if "lr" in varied and results["lr"].nunique() >= _FEWEST_RATES:
        return None
    return f"fewer than {_FEWEST_RATES} learning rates were tried"


def band_of(rows: DataFrame, metric: Metric, winners: Sequence[Best]) -> Band:
    """Return the quartiles of a metric at each lr of some rows, and where the best of them is.

    Args:
        rows: of the table of a sweep.
        metric: that ranked them.
        winners: the best settings of the sweep.
    """
    x, number = np.unique(rows["lr"].to_numpy(), return_inverse=True)
    values = values_of(rows, metric)
    low, median, high = np.array([quartiles(values[number == i]) for i in range(len(x))]).T
    lost = np.bincount(number, weights=rows["status"].isin(LOST)) / np.bincount(number)
    return Band(x, median, low, high, lost, _began(rows, metric), _best_points(rows, winners))


def _best_points(rows: DataFrame, winners: Sequence[Best]) -> tuple[BestPoint, ...]:
    """Return the places of the best settings whose runs are among some rows."""
    runs = set(rows["run"])
    return tuple(
        BestPoint(winner.choice["lr"], winner.metric[1], winner.is_by_evaluations)
        for winner in winners
        if winner.run in runs and "lr" in winner.choice and np.isfinite(winner.metric[1])
    )


def _began(rows: DataFrame, metric: Metric) -> float:
    """Return a loss of the size of those at which runs began: the best of runs that only rose."""
    if metric.name != FINAL_LOSS.name:
        return np.nan
    best = rows.groupby("lr")["best_loss"].median().to_numpy(dtype=np.float64)
    return float(best.max(initial=-np.inf, where=np.isfinite(best)))
