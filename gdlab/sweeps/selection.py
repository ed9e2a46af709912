"""Which runs stand for a sweep."""

from collections.abc import Sequence

import numpy as np

from gdlab.results.ranking import DataFrame, best, rank_order
from gdlab.sweeps.plan import Plan


def choose_representatives(plan: Plan, results: DataFrame, count: int) -> list[int]:
    """Runs that stand for a sweep: the best of each combination, then evenly from best to worst.

    Args:
        plan: of the sweep.
        results: its table.
        count: at most so many.
    """
    metric = plan.metric
    first = [one.run for one in best(results, plan.by(), plan.keys(), metric)]
    ranked = results["run"].to_numpy()[rank_order(results, metric)]
    return list(dict.fromkeys([*first, *_evenly(ranked.tolist(), count)]))[:count]


def _evenly(runs: Sequence[int], count: int) -> list[int]:
    places = np.linspace(0, len(runs) - 1, min(count, len(runs))).round().astype(np.int64)
    return [runs[place] for place in places]
