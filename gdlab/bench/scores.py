"""The evaluations that runs spent until each target, and what they cost.

The cost of a run is the mean over its targets of log₁₀ of the evaluations spent over the budget; a
target that was not reached costs as much as ten budgets. It is at most 1.

Shapes: S seeds, J targets; further axes come first.
"""

from collections.abc import Sequence

import numpy as np

from gdlab.engine.targets import column_name
from gdlab.results.ranking import DataFrame

PENALTY = 10.0
"""A target that was not reached counts as so many budgets."""


def spent_of(frame: DataFrame, targets: Sequence[float]) -> np.ndarray:
    """Return the evaluations to each target of the runs of a table (n, J), inf if not reached."""
    columns = [frame[column_name(float(target))].to_numpy(dtype=np.float64) for target in targets]
    spent = np.stack(columns, -1)
    return np.where(np.isnan(spent), np.inf, spent)


def cost_of(spent: np.ndarray, budget: float) -> np.ndarray:
    """Return the costs (...) of runs that spent evaluations (..., J) until each target."""
    relative = np.minimum(spent / budget, PENALTY)
    return np.log10(relative).mean(-1)
