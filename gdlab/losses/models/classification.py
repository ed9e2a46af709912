"""Linear classification: the scores of an example are the log-odds of its classes.

Shapes: R runs, D parameters, N examples, P inputs, C classes.
"""

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Number, setting
from gdlab.losses.datasets.tables import Data
from gdlab.losses.models.costs import BinaryCrossEntropy, CrossEntropy, SquaredWeights
from gdlab.losses.models.linear import LinearModel


class Logistic(LinearModel):
    """mean(log(1 + exp(−s · A w))) + penalty · ‖weights‖², s = ±1: binary cross-entropy.

    The labels are 0 and 1, or two texts in alphabetical order; scikit-learn's `C` is
    1 / (2 n penalty). Where a plane separates the classes there is no minimum without a penalty:
    the weights grow forever, and the loss falls to 0. The intercept is not penalized.

    Attributes:
        penalty: the factor of the squared weights.
    """

    data: Data = "breast_cancer"
    standardize: bool = True
    penalty: Number = setting(default=0.0, ge=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes != 2:
            what = f"the labels must be 0 and 1, but there are {self.classes} classes, for softmax"
            raise SettingError(f"data={self.data}: {what}")

    @property
    def cost(self) -> BinaryCrossEntropy:
        """−log of the probability of the label."""
        return BinaryCrossEntropy()

    @property
    def penalty_term(self) -> SquaredWeights:
        """The multiple of the squared weights."""
        return SquaredWeights(self.penalty)

    def fisher(self, x: Tensor) -> Tensor:
        """Return Aᵀ diag(p (1 − p)) A / n, p the probabilities of label 1, plus the penalty's."""
        p = torch.sigmoid(self.scores(x, self.inputs))
        weighted = (p * (1 - p))[..., None] * self.inputs
        return self.inputs.T @ weighted / self.examples + self._penalty_hessian(self.penalty)


class Softmax(LinearModel):
    """mean(−log softmax(W a)_label) + penalty · ‖weights‖²: multinomial cross-entropy.

    The labels are 0, 1, …, C − 1, or texts in alphabetical order. The parameters are the rows of W,
    one per class: its weights, then its intercept. Adding the same vector to all rows changes no
    probability, so the Hessian is singular and the minimizers, if any, fill a subspace. Where
    planes separate the classes there is no minimum without a penalty: the weights grow forever, and
    the loss falls to 0. The intercepts are not penalized.

    Attributes:
        penalty: the factor of the squared weights.
    """

    data: Data = "iris"
    standardize: bool = True
    penalty: Number = setting(default=0.0, ge=0)

    @property
    def cost(self) -> CrossEntropy:
        """−log of the probability of the label."""
        return CrossEntropy()

    @property
    def penalty_term(self) -> SquaredWeights:
        """The multiple of the squared weights."""
        return SquaredWeights(self.penalty)

    def fisher(self, x: Tensor) -> Tensor:
        """Return the mean of (diag(p) − p pᵀ) ⊗ a aᵀ, p the probabilities, plus the penalty's."""
        p = torch.softmax(self.scores(x, self.inputs), -1)
        spread = torch.diag_embed(p) - p[..., :, None] * p[..., None, :]
        a = self.inputs
        matrix = torch.einsum("...nck,ni,nj->...cikj", spread, a, a) / self.examples
        return matrix.flatten(-4, -3).flatten(-2) + self._penalty_hessian(self.penalty)

    def scores(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Return W a: (..., N, C)."""
        w = self._rows(x)
        if inputs.ndim == 2:
            return (w @ inputs.T).transpose(-1, -2)
        return torch.einsum("rbp,rcp->rbc", inputs, w)

    def weights(self, x: Tensor) -> Tensor:
        """Return the parameters without the intercepts."""
        rows = self._rows(x)
        return (rows[..., :-1] if self.intercept else rows).flatten(-2)

    def _rows(self, x: Tensor) -> Tensor:
        """Return the parameters (..., D) as W: (..., C, P)."""
        return x.unflatten(-1, (self._scores_per_example, -1))

    @property
    def _scores_per_example(self) -> int:
        assert self.classes is not None  # its cost is one of classes
        return self.classes

    @property
    def names(self) -> tuple[str, ...]:
        """The features and the intercept of each class: `0:petal_width`, `setosa:petal_width`."""
        of_one_class = super().names
        classes = self._examples.classes or range(self._scores_per_example)
        return tuple(f"{c}:{name}" for c in classes for name in of_one_class)
