"""Criteria of one's own, usable and unusable ones."""

from torch import Tensor
from torch.nn import functional


def focal(scores: Tensor, targets: Tensor, gamma: float = 2.0) -> Tensor:
    """Return (1 − p)^γ times the cross-entropy (Lin et al. 2017), (M,)."""
    cost = functional.cross_entropy(scores, targets, reduction="none")
    return (1 - (-cost).exp()) ** gamma * cost


def meaned(scores: Tensor, targets: Tensor) -> Tensor:
    """Return one number for all examples."""
    return focal(scores, targets).mean()


def of_logits(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the binary cross-entropy of logits (M,), for labels 0.0 and 1.0."""
    return functional.softplus((1 - 2 * labels) * scores)


def centered(scores: Tensor, targets: Tensor) -> Tensor:
    """Return costs that depend on those of the other examples."""
    cost = focal(scores, targets)
    return cost - cost.mean()


def rounded(scores: Tensor, targets: Tensor) -> Tensor:
    """Return whole numbers."""
    return focal(scores, targets).long()


def constant(scores: Tensor, targets: Tensor) -> Tensor:
    """Return costs without a gradient."""
    return focal(scores, targets).detach()


def number(scores: Tensor, targets: Tensor) -> float:
    """Return no tensor."""
    return float(focal(scores, targets).sum())


def paired(scores: Tensor, targets: Tensor) -> Tensor:
    """Return a cost for every pair of examples."""
    return scores @ scores.T
