"""What mathematics predicts about a loss and a rule."""

from typing import Any

import torch
from torch import Tensor

from gdlab.fields import Number
from gdlab.losses.base import Loss
from gdlab.optimizers.base import Rule

_LARGEST_HESSIAN = 1000


def stability_limit(loss: Loss, rule: Rule) -> Number | None:
    """The constant lr above which the rule must diverge on a quadratic loss; None if unknown.

    From the greatest eigenvalue L of the constant Hessian, by the rule's own formula: 2/L for
    gradient descent, more for its momentum forms.
    """
    if loss.curvature is None:
        return None
    largest = loss.curvature[1]
    if not isinstance(largest, Tensor) and largest <= 0:
        return None
    return rule.max_stable_lr(largest)


def optimal_lr(loss: Loss, rule: Rule) -> Number | None:
    """The constant lr of the fastest rate on a quadratic loss; None if unknown.

    2/(μ + L) for gradient descent, from the least and the greatest eigenvalue of the Hessian.
    """
    if loss.curvature is None:
        return None
    return rule.optimal_lr(*loss.curvature)


def sharpness(loss: Loss, x: Tensor) -> float | None:
    """λ_max, the Hessian's greatest eigenvalue at a point (D,), by torch autograd.

    None beyond 1,000 dimensions, where the Hessian is too large to write down, and where it is
    not finite.
    """
    if len(x) > _LARGEST_HESSIAN:
        return None
    # A batch of one row, as in a run: a column of the loss has one number then. Not torch.func,
    # whose wrapped tensors would stay behind in what a loss caches.
    hessian: Any = torch.autograd.functional.hessian(lambda point: loss(point[None])[0], x)
    if not bool(torch.isfinite(hessian).all()):
        return None
    return float(torch.linalg.eigvalsh(hessian)[-1])


def local_stability_limit(loss: Loss, rule: Rule, x: Tensor) -> float | None:
    """The lr above which the rule's steps grow near a point (D,); None where theory has none."""
    largest = sharpness(loss, x)
    if largest is None or largest <= 0:
        return None
    limit = rule.max_stable_lr(largest)
    return None if limit is None else float(limit)


def round_down(value: float) -> float:
    """The greatest number of one significant digit that is at most `value` > 0."""
    digits = f"{value:.0e}"
    rounded = float(digits)
    if rounded <= value:
        return rounded
    mantissa, exponent = digits.split("e")
    lower = f"{int(mantissa) - 1}e{exponent}" if mantissa != "1" else f"9e{int(exponent) - 1}"
    return float(lower)
