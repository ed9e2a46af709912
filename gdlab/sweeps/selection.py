"""The choice of runs that represent a sweep."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from gdlab.results.best_settings import best
from gdlab.results.ranking import DataFrame, rank_order
from gdlab.sweeps.plan import Plan

Item = TypeVar("Item")


def choose_representatives(plan: Plan, results: DataFrame, count: int) -> list[int]:
    """Choose runs to represent a sweep: the best per combination, then evenly from best to worst.

    Args:
        plan: the sweep's plan.
        results: its table.
        count: maximum number of runs.
    """
    metric = plan.metric
    problems = plan.problems()
    first = [entry.run for entry in best(results, plan.by(), plan.keys(), metric, problems)]
    ranked = results["run"].to_numpy()[rank_order(results, metric, problems)]
    return list(dict.fromkeys([*first, *evenly_spaced(ranked.tolist(), count)]))[:count]


def evenly_spaced(runs: Sequence[Item], count: int) -> list[Item]:
    """Choose at most `count` runs or other things, evenly spaced from the first to the last."""
    places = np.linspace(0, len(runs) - 1, min(count, len(runs))).round().astype(np.int64)
    return [runs[place] for place in places]
