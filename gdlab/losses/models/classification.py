"""Linear classification: the scores of an example are the log-odds of its classes.

Shapes: R runs, D parameters, N examples, P inputs, C classes.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid

from gdlab.errors import SettingError
from gdlab.fields.declared import Number, setting
from gdlab.losses.base import per_point
from gdlab.losses.datasets.tables import MOST_NUMBERS
from gdlab.losses.models.data_loss import DataLoss, LinearModel


def binary_costs(scores: Tensor, targets: Tensor) -> Tensor:
    """−log of the probability that scores (..., N) give labels 0 or 1."""
    return -logsigmoid((2 * targets - 1) * scores)


def binary_hits(scores: Tensor, targets: Tensor) -> Tensor:
    """Whether scores (..., N) have the sign that labels 0 or 1 ask for; 0 counts as negative."""
    return (scores > 0) == (targets > 0)


def class_costs(scores: Tensor, targets: Tensor) -> Tensor:
    """−log of the probability that scores (..., N, C) give the labels."""
    labels = targets.long().expand(scores.shape[:-1])
    return -log_softmax(scores, -1).gather(-1, labels[..., None])[..., 0]


def class_hits(scores: Tensor, targets: Tensor) -> Tensor:
    """Whether the greatest of scores (..., N, C), the first of equal ones, is the label's."""
    return scores.argmax(-1) == targets


def accuracy(
    loss: DataLoss, hits: Callable[[Tensor, Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    """The share of all examples that points (..., D) get right, as a metric."""

    def is_hit(x: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        return hits(loss.scores(x, inputs), targets).to(x.dtype)

    def share(x: Tensor) -> Tensor:
        with torch.no_grad():
            return loss.mean_of(is_hit, x)

    return share


def class_count(labels: np.ndarray, data: str) -> int:
    """How many classes labels (N,) tell apart.

    Raises:
        SettingError: they are not 0, 1, …, C − 1, each at least once, or too many.
    """
    found = np.unique(labels)
    count, n = len(found), len(labels)
    wrong = [label for label in found if label not in range(count)]
    if count < 2:
        raise SettingError(f"data={data}: the labels must be 0, 1, …, and all are {found[0]:g}")
    if wrong:
        must = f"the {count:,} different labels must be 0 to {count - 1}"
        raise SettingError(f"data={data}: {must}, and {wrong[0]:g} is among them")
    if n * count > MOST_NUMBERS:
        what = f"{count:,} labels make more scores than fit into 1 GiB for {n:,} examples"
        raise SettingError(f"data={data}: {what}")
    return count


class Classifier(LinearModel):
    """A linear model of classes, with a multiple of the squared weights as a penalty.

    Where planes part the classes there is no minimum without the penalty: the weights grow for
    ever, and the loss falls to 0. The intercepts are free.
    """

    kept_when_columns_change: ClassVar[tuple[str, ...]] = (
        *LinearModel.kept_when_columns_change,
        "classes",
    )

    standardize: bool = True
    penalty: Number = setting(default=0.0, ge=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check(self.classes)

    def _check(self, classes: int) -> None:
        """Refuse labels of so many classes, where the loss cannot have them."""

    @cached_property
    def classes(self) -> int:
        """The number of classes C."""
        return class_count(self._examples.targets, self.data)

    def penalty_at(self, x: Tensor) -> Tensor:
        """The multiple of the squared weights."""
        return self.penalty * self.weights(x).square().sum(-1)

    @property
    def _penalty_curvature(self) -> Tensor:
        """The Hessian of the penalty, a diagonal matrix (D, D), or (R, D, D) for a column."""
        diagonal = self.tensor(torch.zeros(self.dim))
        diagonal[self.weights(torch.arange(self.dim))] = 2.0
        return torch.diag_embed(per_point(self.tensor(self.penalty)) * diagonal)


class Logistic(Classifier):
    """mean(log(1 + exp(−s · A w))) + penalty · ‖weights‖², s = ±1: binary cross-entropy.

    The labels are 0 and 1; scikit-learn's `C` is 1 / (2 n penalty).

    Attributes:
        penalty: what the squared weights are multiplied with.
    """

    data: str = "breast_cancer"

    def _check(self, classes: int) -> None:
        if classes != 2:
            raise SettingError(
                f"data={self.data}: the labels must be 0 and 1, and there are {classes} of them"
            )

    def costs(self, scores: Tensor, targets: Tensor) -> Tensor:
        """−log of the probability of the label."""
        return binary_costs(scores, targets)

    def fisher(self, x: Tensor) -> Tensor:
        """Aᵀ diag(p (1 − p)) A / n with p the probabilities of label 1, and the penalty's."""
        p = torch.sigmoid(self.scores(x, self.inputs))
        weighted = (p * (1 - p))[..., None] * self.inputs
        return self.inputs.T @ weighted / self.examples + self._penalty_curvature

    @property
    def metrics(self) -> dict[str, Any]:
        """The share of examples whose label is the more probable one."""
        return {"accuracy": accuracy(self, binary_hits)}


class Softmax(Classifier):
    """mean(−log softmax(W a)_label) + penalty · ‖weights‖²: multinomial cross-entropy.

    The labels are 0, 1, …, C − 1. The parameters are the rows of W, one a class: its weights, then
    its intercept. The same vector added to all rows changes no probability, so the Hessian is
    singular and there are minimizers in a subspace, if any.

    Attributes:
        penalty: what the squared weights are multiplied with.
    """

    data: str = "iris"

    def costs(self, scores: Tensor, targets: Tensor) -> Tensor:
        """−log of the probability of the label."""
        return class_costs(scores, targets)

    def fisher(self, x: Tensor) -> Tensor:
        """The mean of (diag(p) − p pᵀ) ⊗ a aᵀ with p the probabilities, and the penalty's."""
        p = torch.softmax(self.scores(x, self.inputs), -1)
        spread = torch.diag_embed(p) - p[..., :, None] * p[..., None, :]
        a = self.inputs
        matrix = torch.einsum("...nck,ni,nj->...cikj", spread, a, a) / self.examples
        return matrix.flatten(-4, -3).flatten(-2) + self._penalty_curvature

    def scores(self, x: Tensor, inputs: Tensor) -> Tensor:
        """W a: (..., N, C)."""
        w = self._rows(x)
        if inputs.ndim == 2:
            return (w @ inputs.T).transpose(-1, -2)
        return torch.einsum("rbp,rcp->rbc", inputs, w)

    def weights(self, x: Tensor) -> Tensor:
        """The parameters without the intercepts."""
        rows = self._rows(x)
        return (rows[..., :-1] if self.intercept else rows).flatten(-2)

    def _rows(self, x: Tensor) -> Tensor:
        """The parameters (..., D) as W: (..., C, P)."""
        return x.unflatten(-1, (self.classes, -1))

    @property
    def _width(self) -> int:
        return self.classes

    @property
    def names(self) -> tuple[str, ...]:
        """The features and the intercept of each class: `0:petal_width`."""
        of_one = super().names
        return tuple(f"{c}:{name}" for c in range(self.classes) for name in of_one)

    @property
    def metrics(self) -> dict[str, Any]:
        """The share of examples whose label is the most probable one."""
        return {"accuracy": accuracy(self, class_hits)}
