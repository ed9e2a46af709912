"""A custom `torch.nn.Module` as a loss.

Shapes: R runs, D parameters, N examples, B examples of a minibatch, C scores.
"""

import copy
import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parameter import UninitializedParameter

from gdlab.errors import CUSTOM_ERRORS, SettingError, summarize_error
from gdlab.fields.custom_classes import instantiate
from gdlab.fields.formatting import format_value
from gdlab.losses.datasets.fingerprints import note_arguments
from gdlab.losses.models.network import MAX_PARAMETERS, Blocks, Network

_TRIED = 8
"""The number of examples on which a module is tried before a run."""

_WATCH = "watch a training loop of your own (gdlab.watch)"
"""What else to do with a network that gdlab cannot train."""

_OTHER_WAYS = f"put it in evaluation mode (.eval()), or {_WATCH}"
"""What else to do with a part that behaves differently in training."""

_ROUNDING = 1e-6
"""Scores that differ by less than this fraction of the greatest are equal but for rounding."""


class Module(Network):
    """A `torch.nn.Module` of your own: it maps inputs (N, ...) to scores (N,) or (N, C).

    Its parameters that require a gradient become one vector, in which a tied parameter occurs
    once; the others and the buffers stay fixed. A class is instantiated for each run, with torch's
    generator seeded by the run's seed (torch uses the lowest 32 bits), and its parameters are that
    run's start. A module given as an instance starts all runs at its parameters. Numbers are cast
    to the run's dtype.

    The loss of a run must be a function of its parameters only: dropout, batch statistics and
    buffers that change are refused, unless their part is in evaluation mode (`.eval()`).

    Attributes:
        module: `_target_`, the class's dotted name, with its arguments; in Python also an instance.
    """

    kept_when_columns_change: ClassVar[tuple[str, ...]] = (
        *Network.kept_when_columns_change,
        "_prototype",
    )

    module: nn.Module | Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self._prototype
        self._try_out()

    def _instantiate(self, seed: int) -> nn.Module:
        """Return the module, created with a seed where it is given by its class."""
        if isinstance(self.module, nn.Module):
            return self.module
        note_arguments(self.module)
        return instantiate("module", self.module, nn.Module, "torch.nn.Module", seed)

    @cached_property
    def _prototype(self) -> nn.Module:
        """The module of seed 0, as its class created it."""
        module = self._instantiate(0)
        problem = find_unsuitable_part(module)
        if problem is not None:
            raise self._error(problem)
        return module

    @cached_property
    def _cast(self) -> nn.Module:
        """The module with this loss's dtype and device; its parameters are never used."""
        dtype, device = self._home
        return copy.deepcopy(self._prototype).to(device, dtype)

    @property
    def shown_name(self) -> str:
        """The name of the network's class, without its module."""
        if isinstance(self.module, nn.Module):
            return type(self.module).__name__
        target = self.module.get("_target_")
        return target.__name__ if isinstance(target, type) else str(target).rpartition(".")[2]

    def _error(self, problem: str) -> SettingError:
        module = self.module
        name = self.shown_name if isinstance(module, nn.Module) else module["_target_"]
        return SettingError(f"module._target_={format_value(name)}: {problem}")

    def _try_out(self) -> None:
        """Score a few examples, directly and under `torch.vmap`.

        Raises:
            SettingError: this fails, or gives scores of the wrong shape, or scores that are not a
                function of the parameters.
        """
        few, x = self.inputs[:_TRIED].clone(), self.start
        try:
            problem = find_side_effect(copy.deepcopy(self._cast), self.blocks(x), few)
            problem = problem or self._find_wrong_scores(x, few)
        except CUSTOM_ERRORS as error:
            said = summarize_error(error)
            if not self._works_alone(few):
                what = f"inputs of shape {tuple(few.shape)}, {few.dtype}"
                raise self._error(f"cannot score examples, {what} ({said})") from error
            batched = "cannot be run by torch.func.vmap, by which gdlab runs many networks at once"
            raise self._error(f"{batched} ({said}); {_WATCH}") from error
        if problem is not None:
            raise self._error(problem)

    def _works_alone(self, few: Tensor) -> bool:
        """Return whether the module itself takes a few examples."""
        try:
            with torch.no_grad():
                copy.deepcopy(self._cast)(few)
        except CUSTOM_ERRORS:
            return False
        return True

    def _find_wrong_scores(self, x: Tensor, few: Tensor) -> str | None:
        """Return why the module's outputs for a few examples are not their scores, or None."""
        scores, n = self.scores(x.detach().requires_grad_(), few), len(few)
        if scores.shape != (n, self.outputs):
            expected = f"must be {(n, self.outputs)}"
            is_logit = self.criterion is None and self.classes == 2 and scores.shape == (n, 1)
            way = ", or with one score criterion=binary_cross_entropy" if is_logit else ""
            if self.classes is None and scores.ndim == 2:
                way = ", as the targets are taken as numbers; classes are 0, 1, …"
            return f"gives scores of shape {tuple(scores.shape)} for {n} examples; {expected}{way}"
        if not scores.is_floating_point():
            return f"gives scores of {scores.dtype}, but they must be real numbers"
        if not scores.requires_grad:
            return "its scores do not depend on its parameters"
        half = self.scores(x, few[: (n + 1) // 2])
        difference = (scores[: len(half)] - half).abs().nan_to_num()
        if (difference > _ROUNDING * scores.abs().max()).any():
            return "an example's score depends on the others, as with batch statistics"
        return None

    @cached_property
    def layout(self) -> Blocks:  # type: ignore[override]  # cached: it traverses the module
        """The parameters that require a gradient, by their names in the module."""
        return [
            (name, tuple(parameter.shape))
            for name, parameter in self._prototype.named_parameters()
            if parameter.requires_grad
        ]

    def _to_inputs(self, features: np.ndarray) -> Tensor:
        """Return the inputs of the module (N, ...); integers of a custom dataset stay integers."""
        values = torch.from_numpy(features)
        return self.tensor(values) if values.is_floating_point() else values.to(self._home[1])

    def scores(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Return the module's scores of the inputs: (..., N, C)."""
        module = self._cast  # made here: torch.vmap allows no new parameters

        def single(x: Tensor, inputs: Tensor) -> Tensor:
            return functional_call(module, self.blocks(x), (inputs,))

        points = x.reshape(-1, x.shape[-1])
        axis = 0 if inputs.ndim > self.inputs.ndim else None
        scores = torch.vmap(single, in_dims=(0, axis))(points, inputs)
        scores = scores[..., None] if scores.ndim == 2 else scores
        return scores.reshape(x.shape[:-1] + scores.shape[1:])

    def network_at(self, x: Tensor) -> nn.Module:
        """Return a copy of the module with the parameters x (D,)."""
        module = copy.deepcopy(self._cast)
        set_parameters(module, self.blocks(x))
        return module

    def starts(self, seed: Tensor) -> Tensor:
        """Return the parameters of a module created with each of the seeds (R,): (R, D)."""
        if isinstance(self.module, nn.Module):
            return self._flatten(self.module).expand(len(seed), -1)
        return torch.stack([self._flatten(self._instantiate(value)) for value in seed.tolist()])

    def _flatten(self, module: nn.Module) -> Tensor:
        """Return the parameters of a module as one vector (D,)."""
        parameters = dict(module.named_parameters())
        parts = [self.tensor(parameters[name].detach()).flatten() for name, _ in self.layout]
        return torch.cat(parts)

    @property
    def about(self) -> dict[str, str]:
        """The number of parameters, and the data set."""
        name = type(self._prototype).__name__
        return {"network": f"{name}: {self.dim:,} parameters; {self._described_examples}"}


def set_parameters(module: nn.Module, blocks: Mapping[str, Tensor]) -> None:
    """Give the parameters of a module, by their names, values; a tied one is set once."""
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name, value in blocks.items():
            parameters[name].copy_(value)


def find_unsuitable_part(module: nn.Module) -> str | None:
    """Return why a part of a module makes it unusable as a loss of its parameters, or None."""
    parameters = dict(module.named_parameters())
    for name, parameter in parameters.items():
        if isinstance(parameter, UninitializedParameter):
            return f"{name} has no shape yet (a lazy module); give its sizes"
        if parameter.requires_grad and not parameter.is_floating_point():
            return f"{name} holds {parameter.dtype}, but parameters must be real numbers"
    count = sum(p.numel() for p in parameters.values() if p.requires_grad)
    if count == 0:
        return "has no parameter that requires a gradient"
    if count > MAX_PARAMETERS:
        return f"has {count:,} parameters; at most {MAX_PARAMETERS:,} are allowed"
    for path, part in module.named_modules():
        name = f"{path or 'it'} is a {type(part).__name__}"
        if _uses_batch_statistics(part):
            what = "batch statistics make an example's score depend on the others"
            return f"{name}: {what}; take LayerNorm or GroupNorm, {_OTHER_WAYS}"
        is_dropout = isinstance(part, nn.modules.dropout._DropoutNd)
        rate = getattr(part, "p" if is_dropout else "dropout", 0)
        if part.training and isinstance(rate, (int, float)) and rate > 0:
            what = f"with dropout {rate:g}: its scores are random"
            return f"{name} {what}; set it to 0, {_OTHER_WAYS}"
    return None


def _uses_batch_statistics(part: nn.Module) -> bool:
    """Whether a part of a module normalizes by the statistics of a batch, or averages them."""
    averages = getattr(part, "track_running_stats", False)
    is_of_batches = averages or isinstance(part, nn.modules.batchnorm._BatchNorm)
    return is_of_batches and (part.training or not averages)


def find_side_effect(
    module: nn.Module, parameters: dict[str, Tensor], inputs: Tensor
) -> str | None:
    """Return why scores are not a function of the parameters, by scoring twice, or None."""
    tensors = [inputs, *module.buffers()]
    before, scores = [tensor.clone() for tensor in tensors], []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for seed in (0, 1):
            torch.manual_seed(seed)
            scores.append(functional_call(module, parameters, (inputs,)))
    if not isinstance(scores[0], Tensor):
        return f"gives a {type(scores[0]).__name__}, but must give a tensor of scores"
    is_unchanged = [torch.equal(old, new) for old, new in zip(before, tensors, strict=True)]
    if not all(is_unchanged):
        changed = "a buffer" if is_unchanged[0] else "its inputs"
        return f"changes {changed} in its forward pass, so each step would change the loss"
    if not torch.equal(scores[0].nan_to_num(), scores[1].nan_to_num()):
        cause = "random numbers or internal state"
        return f"its scores change from call to call ({cause}); they must depend on parameters only"
    return None
