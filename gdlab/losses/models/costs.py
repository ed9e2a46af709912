"""The parts that a loss over data is made of: the cost of an example, a penalty on the weights.

Shapes: N examples, C classes or targets per example, P weights, R runs.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid

from gdlab.fields.declared import Number


class Cost(ABC):
    """What each example costs. A loss over data is the mean of it."""

    is_quadratic: ClassVar[bool] = False
    """Whether the cost is the squared residual of one score, so that its Hessian is constant."""

    @abstractmethod
    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the costs (..., N) of scores (..., N), or (..., N, C), for targets."""


class ClassificationCost(Cost):
    """A cost whose targets are class labels."""

    @abstractmethod
    def hits(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return whether the scores predict the labels: boolean (..., N)."""


@dataclass(frozen=True)
class SquaredError(Cost):
    """r² of the residual r: a score (..., N) minus its target (N,)."""

    is_quadratic = True

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the squared residuals."""
        return (scores - targets).square()


@dataclass(frozen=True)
class MeanSquaredError(Cost):
    """The mean of r² over an example's C residuals: scores (..., N, C) minus targets (N, C)."""

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared residuals."""
        return (scores - targets).square().mean(-1)


@dataclass(frozen=True)
class AbsoluteError(Cost):
    """|r| of the residual r: a score (..., N) minus its target (N,)."""

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the absolute residuals."""
        return (scores - targets).abs()


@dataclass(frozen=True)
class MeanOverTargets(Cost):
    """The mean of a cost over an example's C targets: scores (..., N, C), targets (N, C).

    Attributes:
        cost: of one score and its target.
    """

    cost: Cost

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the mean costs."""
        return self.cost(scores, targets).mean(-1)


@dataclass(frozen=True, eq=False)
class HuberCost(Cost):
    """½ r² for residuals |r| ≤ δ, and δ (|r| − ½ δ) beyond (Huber 1964).

    Attributes:
        delta: the threshold δ, a tensor that broadcasts with the residuals (..., N).
    """

    delta: Tensor

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return m (|r| − ½ m) with m = min(|r|, δ)."""
        size = (scores - targets).abs()
        clipped = size.minimum(self.delta)
        return clipped * (size - 0.5 * clipped)


@dataclass(frozen=True)
class BinaryCrossEntropy(ClassificationCost):
    """−log of the probability that a score, the log-odds of label 1, gives the label 0 or 1."""

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the costs of scores (..., N) for labels (N,)."""
        return -logsigmoid((2 * targets - 1) * scores)

    def hits(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return whether the scores have the signs of the labels; a score of 0 predicts label 0."""
        return (scores > 0) == (targets > 0)


@dataclass(frozen=True)
class OfOneScore(ClassificationCost):
    """A cost of scores (..., N), for scores (..., N, 1): the log-odds of label 1.

    Attributes:
        cost: of the scores without their last axis.
    """

    cost: ClassificationCost

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the costs of scores (..., N, 1) for labels (N,)."""
        return self.cost(scores[..., 0], targets)

    def hits(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return whether the scores predict the labels."""
        return self.cost.hits(scores[..., 0], targets)


@dataclass(frozen=True)
class CrossEntropy(ClassificationCost):
    """−log of the probability that the softmax of scores (..., N, C) gives the label."""

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the costs of scores (..., N, C) for labels (N,)."""
        labels = targets.long().expand(scores.shape[:-1])
        return -log_softmax(scores, -1).gather(-1, labels[..., None])[..., 0]

    def hits(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return whether the label has the highest score; the first of equal scores wins."""
        return scores.argmax(-1) == targets


@dataclass(frozen=True, eq=False)
class Penalty(ABC):
    """A multiple of a norm of the weights (..., P) of a linear model, added to the mean cost.

    Attributes:
        strength: the factor: a number, or a column (R,).
    """

    is_quadratic: ClassVar[bool] = False
    """Whether the norm is the sum of squares."""

    strength: Number

    @abstractmethod
    def __call__(self, weights: Tensor) -> Tensor:
        """Return the penalties (...)."""


class SquaredWeights(Penalty):
    """strength · ‖weights‖² (ridge)."""

    is_quadratic = True

    def __call__(self, weights: Tensor) -> Tensor:
        """Return the multiple of the sum of squares."""
        return self.strength * weights.square().sum(-1)


class AbsoluteWeights(Penalty):
    """strength · Σ|weight| (lasso)."""

    def __call__(self, weights: Tensor) -> Tensor:
        """Return the multiple of the sum of absolute values."""
        return self.strength * weights.abs().sum(-1)
