"""The criteria of networks: named costs, and functions or modules of one's own.

Shapes: N examples, C scores or targets of an example, M = N times the points.
"""

import copy
import importlib
import inspect
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from gdlab.errors import CUSTOM_ERRORS, SettingError, summarize_error
from gdlab.fields.custom_classes import instantiate, with_tensors
from gdlab.fields.formatting import describe_type, format_value
from gdlab.fields.validation import FromPython
from gdlab.losses.datasets.fingerprints import note_arguments
from gdlab.losses.models.costs import (
    AbsoluteError,
    BinaryCrossEntropy,
    ClassificationCost,
    Cost,
    CrossEntropy,
    HuberCost,
    MeanOverTargets,
    MeanSquaredError,
    OfOneScore,
)

CriterionName = Literal["cross_entropy", "binary_cross_entropy", "mse", "l1", "huber"]

_DELTA = torch.tensor(1.0, dtype=torch.float64)  # as in torch.nn.HuberLoss

CRITERIA: Mapping[str, Cost] = {
    "cross_entropy": CrossEntropy(),
    "binary_cross_entropy": OfOneScore(BinaryCrossEntropy()),
    "mse": MeanSquaredError(),
    "l1": MeanOverTargets(AbsoluteError()),
    "huber": MeanOverTargets(HuberCost(_DELTA)),
}
"""The costs of the named criteria."""

_TRIED = 8
"""The number of examples on which a criterion of one's own is tried."""

_ROUNDING = 1e-6
"""Costs that differ by less than this fraction of the greatest are equal but for rounding."""


class OwnCriterion(FromPython):
    """A function (scores, targets) → costs, or a loss module of torch, as a criterion.

    >>> import torch
    >>> OwnCriterion.of("criterion", torch.nn.SmoothL1Loss(beta=0.5))
    SmoothL1Loss

    What takes a `reduction`, as those of torch do, is asked for none: a cost for each example.

    Args:
        given: the function or the module.
        shown_name: what messages call it.
    """

    described: ClassVar[str] = (
        "in Python a function (scores, targets) → costs or a loss module of torch.nn"
    )

    def __init__(self, given: Callable[..., Any], shown_name: str) -> None:
        self.__name__, self._function = shown_name, _without_reduction(given)

    def __repr__(self) -> str:
        return self.__name__

    @classmethod
    def of(cls, name: str, value: Any) -> "OwnCriterion | None":
        """Return the criterion that a function, a module or a class of modules stands for."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and "." in value:
            raise SettingError(
                f"{name}={value}: give a class or a function as {name}._target_={value}"
            )
        if isinstance(value, type) and issubclass(value, nn.Module):
            return cls.named({"_target_": value})
        if isinstance(value, type) or not callable(value):
            return None
        return cls(value, getattr(value, "__name__", type(value).__name__))

    @classmethod
    def named(cls, values: Mapping[str, Any]) -> "OwnCriterion":
        """Return the criterion with the dotted name `_target_`, with the other values as arguments.

        Args:
            values: `_target_`, of a function or of a class of modules, and arguments by name.

        Raises:
            SettingError: there is none, or it does not take the arguments.
        """
        note_arguments(values)
        target = values.get("_target_")
        found = None if target is None or isinstance(target, type) else _find_function(str(target))
        if found is None:
            module = instantiate("criterion", values, nn.Module, "torch.nn.Module")
            return cls(module, type(module).__name__)
        arguments = {name: value for name, value in values.items() if name != "_target_"}
        try:
            inspect.signature(found).bind(None, None, **arguments)
        except (TypeError, ValueError) as error:
            why = f"must take scores, targets and its arguments ({summarize_error(error)})"
            raise SettingError(f"criterion._target_={target}: {why}") from error
        given = partial(found, **with_tensors(found, arguments))
        return cls(given, getattr(found, "__name__", str(target)))

    def to(self, dtype: torch.dtype, device: torch.device) -> "OwnCriterion":
        """Return a copy whose tensors, such as weights of classes, have this dtype and device."""
        function = self._function
        if isinstance(function, nn.Module):
            function = copy.deepcopy(function).to(device, dtype)
        elif isinstance(function, partial):
            moved = {
                name: value.to(device, dtype) if isinstance(value, Tensor) else value
                for name, value in function.keywords.items()
            }
            function = partial(function.func, *function.args, **moved)
        return OwnCriterion(function, self.__name__)

    def __call__(self, scores: Tensor, targets: Tensor) -> Any:
        """Return what it gives for M examples."""
        return self._function(scores, targets)

    def error(self, problem: str) -> SettingError:
        """Return the error that says what is wrong with it."""
        return SettingError(f"criterion={format_value(self.__name__)}: {problem}")


def _without_reduction(given: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function or a module that gives each example its cost, where that can be asked."""
    if isinstance(given, nn.Module):
        if hasattr(given, "reduction"):
            given = copy.deepcopy(given)
            given.reduction = "none"  # type: ignore[assignment]  # a setting, not a part
        return given
    try:
        takes_reduction = "reduction" in inspect.signature(given).parameters
    except (TypeError, ValueError):
        return given
    return partial(given, reduction="none") if takes_reduction else given


def _find_function(target: str) -> Callable[..., Any] | None:
    """Return the function with a dotted name; None for a class, and for what does not exist."""
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None) if module else None
    except CUSTOM_ERRORS:
        return None  # what names it as a class says why
    return found if callable(found) and not isinstance(found, type) else None


def _one_each(costs: Tensor) -> Tensor:
    """Return costs (M,) or (M, C) as one for each example: the mean of several."""
    return costs if costs.ndim == 1 else costs.mean(-1)


@dataclass(frozen=True, eq=False)
class OwnCost(Cost):
    """A criterion of one's own for numbers: scores (M, C) and targets (M, C).

    Attributes:
        criterion: gives each example a cost, or several, of which the mean is taken.
    """

    criterion: OwnCriterion

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the costs (..., N) of scores (..., N, C)."""
        flat = targets.expand(scores.shape).reshape(-1, scores.shape[-1])
        costs = self.criterion(scores.reshape(-1, scores.shape[-1]), flat)
        return _one_each(costs).reshape(scores.shape[:-1])


@dataclass(frozen=True, eq=False)
class OwnClassCost(ClassificationCost):
    """A criterion of one's own for classes: scores (M, C) and labels (M,), whole numbers.

    Attributes:
        criterion: gives each example a cost.
    """

    criterion: OwnCriterion

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the costs (..., N) of scores (..., N, C) for labels (N,)."""
        labels = targets.long().expand(scores.shape[:-1]).reshape(-1)
        costs = self.criterion(scores.reshape(-1, scores.shape[-1]), labels)
        return _one_each(costs).reshape(scores.shape[:-1])

    def hits(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return whether the label has the highest score."""
        return CrossEntropy().hits(scores, targets)


@dataclass(frozen=True, eq=False)
class OwnBinaryCost(ClassificationCost):
    """A criterion of one's own for two classes: scores (M,) and labels (M,), 0.0 or 1.0.

    Attributes:
        criterion: gives each example a cost.
    """

    criterion: OwnCriterion

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the costs (..., N) of scores (..., N) for labels (N,)."""
        labels = targets.expand(scores.shape).reshape(-1)
        return self.criterion(scores.reshape(-1), labels).reshape(scores.shape)

    def hits(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return whether the score is positive for label 1, and not for label 0."""
        return BinaryCrossEntropy().hits(scores, targets)


@torch.enable_grad()  # pictures, which may be the first to ask, need no gradients
def own_cost(criterion: OwnCriterion, targets: Tensor, classes: int | None) -> Cost:
    """Return the cost of a criterion of one's own, tried on a few examples.

    Two classes have two scores each; a criterion that does not take them gets one.

    Args:
        criterion: of one's own.
        targets: labels (N,), or numbers (N, C).
        classes: the number of classes; None for numbers.

    Raises:
        SettingError: it fails, or does not give each example a cost of its own.
    """
    few = targets[:_TRIED]
    if classes is None:
        _refuse_misuse(criterion, _trial_scores(few, few.shape), few)
        return OwnCost(criterion)
    labels, scores = few.long(), _trial_scores(few, (len(few), classes))
    one = _trial_scores(few, few.shape)
    if classes == 2 and not _takes(criterion, scores, labels) and _takes(criterion, one, few):
        return OfOneScore(OwnBinaryCost(criterion))
    _refuse_misuse(criterion, scores, labels)
    return OwnClassCost(criterion)


def _trial_scores(like: Tensor, shape: Sequence[int]) -> Tensor:
    """Return irregular scores of a shape, with the dtype and the device of a tensor."""
    number = torch.arange(math.prod(shape), dtype=like.dtype, device=like.device)
    return (2.4 * number).sin().reshape(shape).requires_grad_()


def _takes(criterion: OwnCriterion, scores: Tensor, targets: Tensor) -> bool:
    """Return whether a criterion gives each example a cost of its own."""
    try:
        _refuse_misuse(criterion, scores, targets)
    except SettingError:
        return False
    return True


def _refuse_misuse(criterion: OwnCriterion, scores: Tensor, targets: Tensor) -> None:
    """Refuse a criterion that does not give each example a cost of its own.

    Raises:
        SettingError: it fails, or its costs have another shape or kind, or depend on the others.
    """
    half = (len(scores) + 1) // 2
    try:
        with warnings.catch_warnings(action="ignore"):  # what is wrong is said below
            costs, of_half = criterion(scores, targets), criterion(scores[:half], targets[:half])
            of_others = criterion(-7 * scores, targets)
    except CUSTOM_ERRORS as error:
        what = f"scores {tuple(scores.shape)} and targets {tuple(targets.shape)}"
        raise criterion.error(f"cannot use {what} ({summarize_error(error)})") from error
    problem = _find_wrong_costs(costs, scores) or _find_mixing(costs, of_half)
    if problem is None and not costs.any() and not of_others.any():
        problem = "its costs are 0 whatever the scores are"  # cross-entropy of a single class
    if problem is not None:
        raise criterion.error(problem)


def _find_wrong_costs(costs: Any, scores: Tensor) -> str | None:
    """Return why costs are not those of examples with scores (M,) or (M, C), or None."""
    n = len(scores)
    if not isinstance(costs, Tensor):
        return f"gives {describe_type(costs)}, but must give a tensor with a cost for each example"
    if costs.ndim == 0:
        way = "without mean() or sum(); gdlab takes the mean"
        return f"gives one number for {n} examples, but must give one for each, {way}"
    if costs.shape not in ((n,), scores.shape):
        return f"gives costs of shape {tuple(costs.shape)} for {n} examples; must be {(n,)}"
    if not costs.is_floating_point():
        return f"gives costs of {costs.dtype}, but they must be real numbers"
    if not costs.requires_grad:
        return "its costs do not depend on the scores, so that they have no gradient"
    return None


def _find_mixing(costs: Tensor, of_half: Tensor) -> str | None:
    """Return why the costs of the first examples do not stand for themselves, or None."""
    difference = (costs[: len(of_half)] - of_half).abs().nan_to_num()
    if (difference > _ROUNDING * costs.detach().abs().max()).any():
        return "an example's cost depends on the other examples"
    return None
