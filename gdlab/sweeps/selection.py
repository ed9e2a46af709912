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
    spread = ranked[spaced_places(len(ranked), count)].tolist()
    return list(dict.fromkeys([*first, *spread]))[:count]


def evenly_spaced(items: Sequence[Item], count: int) -> list[Item]:
    """Choose at most `count` things, evenly spaced from the first to the last."""
    return [items[place] for place in spaced_places(len(items), count)]


def spaced_places(length: int, count: int) -> np.ndarray:
    """Return the places of at most `count` things of so many, evenly spaced."""
    return np.linspace(0, length - 1, min(count, length)).round().astype(np.int64)
