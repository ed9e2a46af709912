"""The sharpness above which the steps of a watched loop are unstable."""

import numpy as np

from gdlab.optimizers.base import Optimizer
from gdlab.theory import stability_edge

TWO_OVER_LR, STABILITY_LIMIT = "two_over_lr", "stability_limit"


def limits_of(optimizer: Optimizer, rates: list[float]) -> dict[str, float]:
    """Return 2/lr, the edge of gradient descent, and the optimizer's own where theory knows one.

    Of groups with several learning rates, for the largest: below that edge every step is stable.
    """
    lr = np.array([max(rates)])
    with np.errstate(divide="ignore"):
        limits = {TWO_OVER_LR: float(2 / lr[0]) if lr[0] > 0 else np.inf}
        if optimizer.max_stable_lr(1.0) is not None and lr[0] > 0:
            limits[STABILITY_LIMIT] = float(stability_edge(optimizer, lr)[0][0])
    return limits
