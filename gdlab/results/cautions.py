"""What to know before one believes a sweep's best.

It may be at the edge of an axis, or have been preferred for losing fewer runs to one with a far
lower median, or the seed has no effect.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from gdlab.results.best_settings import Best, is_of_start
from gdlab.results.best_table import format_setting
from gdlab.results.quantiles import quantile_by
from gdlab.results.ranking import (
    FINAL_LOSS,
    LOST,
    TOLERANCE,
    DataFrame,
    Metric,
    setting_label,
    split_by,
    values_of,
)

_FAR = 0.9
"""A median is far better than the best's if it differs by this part of it: a tenth of a loss."""

_ENDS = ["status", "steps", "final_loss"]
"""Columns that are equal in runs that are alike."""

_FEWEST = 3
"""Values of an axis below which it has no inside."""


def ranking_rule(metric: str, problems: Sequence[str]) -> str:
    """Say how the best settings are chosen.

    Args:
        metric: the column that ranks runs that reached nothing.
        problems: the settings that vary and change the problem.
    """
    across = f"; nothing across problems ({', '.join(problems)})" if problems else ""
    lowest = f"converged to the lowest loss, within {TOLERANCE:g} (1 + |loss|)"
    return (
        f"the fewest lost runs; then, if more than half met their target or {lowest}, the most "
        "that did, then the median of the evaluations; else the median of "
        f"{setting_label(metric)}{across}"
    )


def cautions(
    results: DataFrame,
    winners: Sequence[Best],
    varied: Sequence[str],
    metric: Metric = FINAL_LOSS,
) -> Iterator[str]:
    """Yield a sentence for each thing that makes a best doubtful.

    Args:
        results: the table of a sweep.
        winners: its best settings.
        varied: all settings that the sweep varied.
        metric: the column that ranked rows that reached nothing.
    """
    for winner in winners:
        yield from _edges(results, winner)
    by = list(winners[0].combination)
    parts = split_by(results, by)
    for winner, (_, rows) in zip(winners, parts, strict=True):
        yield from _riskier(rows, winner, metric)
        if not winner.choice and any(is_of_start(key) for key in {*varied} - {*by}):
            yield (
                f"{_of(winner)}no start is named best: {winner.reached:,} of {winner.count:,} runs "
                "reached the lowest loss or their target"
            )
        if _tie(rows, list(winner.choice)):
            yield f"{_of(winner)}all {len(rows):,} runs tie, so that none is better than another"
    if _seed_changes_nothing(results, varied):
        count = results["seed"].nunique()
        yield (
            f"seed: changes nothing, each of its {count} values gave the same runs; "
            "start=random, noise or minibatches make it matter"
        )


def _edges(results: DataFrame, winner: Best) -> Iterator[str]:
    """Yield a sentence for each number of the best choice that is the last of its axis."""
    for key, value in winner.choice.items():
        column = results[key]
        if column.dtype.kind not in "fi" or column.nunique() < _FEWEST:
            continue
        for bound, which in ((column.min(), "smallest"), (column.max(), "largest")):
            if value == bound:
                of = ", ".join(f"{setting_label(k)}={v}" for k, v in winner.combination.items())
                where = f"{setting_label(key)}={value:g}{f' of {of}' if of else ''}"
                yield f"{where} is the {which} that was tried, a better one may lie beyond"


def _riskier(rows: DataFrame, winner: Best, metric: Metric) -> Iterator[str]:
    """Yield a sentence about the choice that loses more runs but has a far better median.

    Args:
        rows: all with the winner's combination of settings.
        winner: the best of them.
        metric: that ranked them.
    """
    keys, is_lost = list(winner.choice), rows["status"].isin(LOST).to_numpy()
    if not keys or not is_lost.any() or winner.is_by_evaluations:
        return
    part = rows.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    count, lost = np.bincount(part), np.bincount(part, weights=is_lost).astype(int)
    cost = metric.cost(quantile_by(values_of(rows, metric), part, 0.5))
    cost = np.where(lost * winner.count > winner.lost * count, cost, np.inf)
    at, of_best = int(cost.argmin()), float(metric.cost(np.array(winner.metric[1])))
    if not np.isfinite(cost[at]) or of_best - cost[at] <= _FAR * abs(of_best):
        return
    choice = rows[keys].iloc[int(np.argmax(part == at))]
    where = ", ".join(f"{setting_label(key)}={format_setting(choice[key])}" for key in keys)
    yield (
        f"{_of(winner)}{where} has a median of {float(metric.cost(cost[at])):.4g} "
        f"instead of {winner.metric[1]:.4g}, but loses {lost[at]} of {count[at]} runs"
    )


def _tie(rows: DataFrame, keys: list[str]) -> bool:
    """Tell whether all rows are alike though they differ in their settings."""
    is_alike = bool((rows[_ENDS].nunique(dropna=False) == 1).all())
    return bool(keys) and is_alike and len(rows[keys].drop_duplicates()) > 1


def _of(winner: Best) -> str:
    """Return the start of a sentence about one combination of settings; empty for the only one."""
    parts = (
        value if isinstance(value, str) else f"{setting_label(key)}={format_setting(value)}"
        for key, value in winner.combination.items()
    )
    of = ", ".join(parts)
    return f"{of}: " if of else ""


def _seed_changes_nothing(results: DataFrame, varied: Sequence[str]) -> bool:
    """Whether runs that differ only in their seed are all alike."""
    if "seed" not in varied or results["seed"].nunique() < 2:
        return False
    others = [key for key in varied if key != "seed"]
    alike = results.groupby(others, dropna=False)[_ENDS] if others else results[_ENDS]
    return bool((alike.nunique(dropna=False).to_numpy() == 1).all())
