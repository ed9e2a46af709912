"""Profiles of a comparison: which share of the work is done within which budget.

Dolan and Moré, "Benchmarking optimization software with performance profiles", 2002; Moré and Wild,
"Benchmarking derivative-free optimization algorithms", 2009; Hansen et al., "COCO: performance
assessment", 2016.

Shapes: O optimizers, N instances (a problem, a seed and a target), G points of a grid.
"""

import numpy as np


def performance_profile(spent: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Return the shares (O, G) of instances solved within a ratio (G,) of the best's evaluations.

    Args:
        spent: the evaluations (O, N), infinite where not solved.
        ratios: at least 1.
    """
    best = spent.min(0)
    with np.errstate(invalid="ignore"):
        ratio = np.where(np.isinf(spent), np.inf, spent / best)
    return _shares(ratio, ratios)


def ecdf(relative: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the shares (O, G) of instances solved within a part (G,) of the budget.

    Args:
        relative: the evaluations over the budget (O, N), infinite where not solved.
        grid: parts of the budget.
    """
    return _shares(relative, grid)


def data_profile(spent: np.ndarray, dims: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the shares (O, G) of instances solved within grid (G,) times D + 1 evaluations.

    Args:
        spent: the evaluations (O, N), infinite where not solved.
        dims: the dimensions D (N,).
        grid: multiples of D + 1.
    """
    return _shares(spent / (dims + 1), grid)


def area(relative: np.ndarray, least: float) -> np.ndarray:
    """Return the areas (O,) under the profile `ecdf` over log budgets from `least` to 1.

    It is 1 if all instances are solved within `least`, and 0 if none within the budget.

    Args:
        relative: the evaluations over the budget (O, N), infinite where not solved.
        least: a part of the budget, below 1.
    """
    clipped = np.clip(relative, least, 1.0)
    return (np.log(clipped) / np.log(least)).mean(1)


def expected_evaluations(spent: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return the expected evaluations (…) to a target by independent restarts.

    All evaluations, of runs that reach the target until then and of others until they end, over
    the number of runs that reach it (ERT, of COCO).

    Args:
        spent: the evaluations to the target (…, S), infinite where not reached.
        used: the evaluations of the runs as a whole (…, S).
    """
    reached = np.isfinite(spent)
    total = np.where(reached, spent, used).sum(-1)
    count = reached.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count > 0, total / count, np.inf)


def _shares(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    ordered = np.sort(values, 1)
    return np.stack([np.searchsorted(row, grid, "right") for row in ordered]) / values.shape[1]
