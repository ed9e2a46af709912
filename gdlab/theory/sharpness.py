"""The largest curvature at a point, and the learning rate that it allows.

Shapes: n steps, D dimensions.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian_products
from gdlab.numerics.lanczos import lanczos
from gdlab.optimizers.base import Optimizer
from gdlab.theory.curvature import has_curvature

_MAX_DENSE_DIM, _MAX_LANCZOS_DIM = 1000, 10**6
_TOLERANCE = 1e-4  # relative; the sharpness is reported with three digits


def sharpness(loss: Loss, x: Tensor) -> float | None:
    """Compute λ_max, the largest eigenvalue of the Hessian at a point (D,), by torch autograd.

    Above 1,000 dimensions the Hessian is not formed: the Lanczos method gives λ_max to a relative
    error of 1e-4. None if it is not finite or does not converge, and above 1,000,000 dimensions;
    and where autograd cannot differentiate the loss twice.
    """
    if not has_curvature(loss, x[None]):
        return None
    if len(x) > _MAX_DENSE_DIM:
        return _lanczos_sharpness(loss, x)
    # A batch of one row, as in a run, since the loss may have columns of one number. torch.func
    # would leave wrapped tensors in the caches of the loss.
    hessian: Any = torch.autograd.functional.hessian(lambda point: loss(point[None])[0], x)
    if not bool(torch.isfinite(hessian).all()):
        return None
    return float(torch.linalg.eigvalsh(hessian)[-1])


def _lanczos_sharpness(loss: Loss, x: Tensor) -> float | None:
    """Compute λ_max at a point (D,), unless a basis of 64 vectors would be too large."""
    if len(x) > _MAX_LANCZOS_DIM:
        return None
    result = lanczos(hessian_products(loss, x[None]), x[None], tolerance=_TOLERANCE)
    value, error = float(result.values), float(result.errors)
    return value if error <= _TOLERANCE * abs(value) else None


def local_stability_limit(loss: Loss, optimizer: Optimizer, x: Tensor) -> float | None:
    """Return the lr above which steps near a point (D,) grow along its steepest direction.

    It says nothing of smaller lr: other directions may curve down, and other points be steeper.
    None if no direction curves up, or the optimizer has no theory.
    """
    if optimizer.max_stable_lr(1.0) is None:
        return None
    largest = sharpness(loss, x)
    if largest is None or largest <= 0:
        return None
    limit = optimizer.max_stable_lr(largest)
    return None if limit is None else float(limit)


def stability_edge(optimizer: Optimizer, lr: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the sharpness above which steps with learning rates (n,) are unstable, and a formula.

    It is the curvature of which lr is the optimizer's stability limit: 2/lr of gradient descent,
    2 (1 + β)/lr with momentum. Where theory knows no limit, it is that of gradient descent.
    """
    limit, decay = optimizer.max_stable_lr(1.0), float(optimizer.coupled_decay)
    factor = 2.0 if limit is None else float(limit) * (1.0 + decay)
    with np.errstate(over="ignore"):
        edge = factor / lr.astype(np.float64) - (0.0 if limit is None else decay)
    if limit is None:
        return edge, "2/lr of gradient descent"
    return edge, "its limit with weight decay" if decay else optimizer.stability_formula("lr")


def round_down(value: float) -> float:
    """Round `value` > 0 down to one significant digit."""
    digits = f"{value:.0e}"
    rounded = float(digits)
    if rounded <= value:
        return rounded
    mantissa, exponent = digits.split("e")
    lower = f"{int(mantissa) - 1}e{exponent}" if mantissa != "1" else f"9e{int(exponent) - 1}"
    return float(lower)


def below_one(momentum: float, digits: int) -> str:
    """Format a momentum < 1 with some digits, or more until it does not round to 1."""
    texts = (f"{momentum:.{more}g}" for more in range(digits, 18))
    return next((text for text in texts if float(text) < 1), repr(momentum))
