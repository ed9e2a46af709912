"""A `torch.nn.Module` of a person's own as a loss.

Shapes: R runs, D parameters, N examples, B examples of a minibatch, C scores.
"""

import copy
import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parameter import UninitializedParameter

from gdlab.errors import SettingError
from gdlab.fields.custom_classes import instantiate, summarize_error
from gdlab.losses.models.network import MOST_PARAMETERS, Blocks, Network

_TRIED = 8
"""A module is tried on so many examples before anything is run."""

_ROUNDING = 1e-6
"""By less than this part of the greatest, scores differ for rounding alone."""


class Module(Network):
    """A `torch.nn.Module` of your own: it maps inputs (N, ...) to scores (N,) or (N, C).

    Its parameters that require a gradient become one vector, a tied one standing there once; the
    others and the buffers stay as they are. A class is called anew for each run, with torch's
    generator seeded by the run's seed (of which torch takes the lowest 32 bits), and its parameters
    are that run's start; a module given as an instance starts all runs at its parameters. Numbers
    are cast to the run's dtype.

    The loss of a run has to be a function of its parameters alone: dropout, batch statistics and
    buffers that change are refused.

    Attributes:
        module: `_target_`, the class's dotted name, and what the class is called with; in Python
            an instance will do.
    """

    kept_when_columns_change: ClassVar[tuple[str, ...]] = (
        *Network.kept_when_columns_change,
        "_checked",
    )

    module: nn.Module | Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self._checked
        self._try_out()

    def _made(self, seed: int) -> nn.Module:
        if isinstance(self.module, nn.Module):
            return self.module
        return instantiate("module", self.module, nn.Module, "torch.nn.Module", seed)

    @cached_property
    def _checked(self) -> nn.Module:
        """The module of seed 0, as its class made it."""
        module = self._made(0)
        why = refusal(module)
        if why is not None:
            raise self._error(why)
        return module

    @cached_property
    def _cast(self) -> nn.Module:
        """The module with this loss's dtype and device; its parameters are never used."""
        dtype, device = self._home
        return copy.deepcopy(self._checked).to(device, dtype)

    def _error(self, why: str) -> SettingError:
        given = self.module
        name = given["_target_"] if isinstance(given, Mapping) else type(given).__name__
        return SettingError(f"module._target_={name}: {why}")

    def _try_out(self) -> None:
        """Score a few examples, alone and under `torch.vmap`.

        Raises:
            SettingError: this cannot be done, or gives scores of the wrong shape, or is no function
                of the parameters.
        """
        few, x = self.inputs[:_TRIED].clone(), self.start
        try:
            why = moods(copy.deepcopy(self._cast), self.blocks(x), few)
            why = why or self._misfit(x, few)
        except Exception as error:  # a person's own class may raise anything
            raise self._error(f"cannot score examples ({summarize_error(error)})") from error
        if why is not None:
            raise self._error(why)

    def _misfit(self, x: Tensor, few: Tensor) -> str | None:
        """Why what the module makes of few examples is no score of each, by trying."""
        scores, n = self.scores(x.detach().requires_grad_(), few), len(few)
        if scores.shape != (n, self.outputs):
            wanted = f"{n} examples, and must make {(n, self.outputs)}"
            return f"makes scores of shape {tuple(scores.shape)} for {wanted}"
        if not scores.is_floating_point():
            return f"makes scores of {scores.dtype}, and they must be real numbers"
        if not scores.requires_grad:
            return "its scores do not depend on its parameters"
        half = self.scores(x, few[: (n + 1) // 2])
        apart = (scores[: len(half)] - half).abs().nan_to_num()
        if (apart > _ROUNDING * scores.abs().max()).any():
            return "an example's score depends on the others, as with batch statistics"
        return None

    @cached_property
    def layout(self) -> Blocks:  # type: ignore[override]  # cached: a module is walked for it
        """The parameters that require a gradient, by the module's own names."""
        return [
            (name, tuple(parameter.shape))
            for name, parameter in self._checked.named_parameters()
            if parameter.requires_grad
        ]

    @cached_property
    def inputs(self) -> Tensor:
        """What the module is given: (N, ...); whole numbers of a data set of one's own stay so."""
        features = torch.from_numpy(self._examples.features)
        return self.tensor(features) if features.is_floating_point() else features.to(self._home[1])

    def scores(self, x: Tensor, inputs: Tensor) -> Tensor:
        """What the module makes of the inputs: (..., N, C)."""

        def single(x: Tensor, inputs: Tensor) -> Tensor:
            return functional_call(self._cast, self.blocks(x), (inputs,))

        points = x.reshape(-1, x.shape[-1])
        each = 0 if inputs.ndim > self.inputs.ndim else None
        scores = torch.vmap(single, in_dims=(0, each))(points, inputs)
        scores = scores[..., None] if scores.ndim == 2 else scores
        return scores.reshape(x.shape[:-1] + scores.shape[1:])

    def starts(self, seed: Tensor) -> Tensor:
        """The parameters of a module made for each of the seeds (R,): (R, D)."""
        if isinstance(self.module, nn.Module):
            return self._flat(self.module).expand(len(seed), -1)
        return torch.stack([self._flat(self._made(one)) for one in seed.tolist()])

    def _flat(self, module: nn.Module) -> Tensor:
        parameters = dict(module.named_parameters())
        parts = [self.tensor(parameters[name].detach()).flatten() for name, _ in self.layout]
        return torch.cat(parts)

    @property
    def about(self) -> dict[str, str]:
        """The parameters, and the data."""
        name = type(self._checked).__name__
        examples = f"{self.examples:,} examples of {self.source}"
        return {"network": f"{name}: {self.dim:,} parameters; {examples}"}


def refusal(module: nn.Module) -> str | None:
    """Why a module cannot be a loss of its parameters, as far as its parts tell; None if it can."""
    parameters = dict(module.named_parameters())
    for name, parameter in parameters.items():
        if isinstance(parameter, UninitializedParameter):
            return f"{name} has no shape yet (a lazy module); give its sizes"
        if parameter.requires_grad and not parameter.is_floating_point():
            return f"{name} holds {parameter.dtype}, and parameters must be real numbers"
    count = sum(p.numel() for p in parameters.values() if p.requires_grad)
    if count == 0:
        return "has no parameter that requires a gradient"
    if count > MOST_PARAMETERS:
        return f"has {count:,} parameters; at most {MOST_PARAMETERS:,} are allowed"
    for path, part in module.named_modules():
        what = f"{path or 'it'} is a {type(part).__name__}"
        averages = getattr(part, "track_running_stats", False)
        if averages or isinstance(part, nn.modules.batchnorm._BatchNorm):
            return f"{what}: batch statistics make an example's score depend on the others"
        is_dropout = isinstance(part, nn.modules.dropout._DropoutNd)
        rate = getattr(part, "p" if is_dropout else "dropout", 0)
        if isinstance(rate, (int, float)) and rate > 0:
            return f"{what} with dropout {rate:g}: its scores are random; set it to 0"
    return None


def moods(module: nn.Module, parameters: dict[str, Tensor], inputs: Tensor) -> str | None:
    """Why a module's scores are no function of its parameters, by trying; None if they are."""
    given = [inputs, *module.buffers()]
    before, scores = [tensor.clone() for tensor in given], []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for seed in (0, 1):
            torch.manual_seed(seed)
            scores.append(functional_call(module, parameters, (inputs,)))
    if not isinstance(scores[0], Tensor):
        return f"gives a {type(scores[0]).__name__}, and must give a tensor of scores"
    same = [torch.equal(old, new) for old, new in zip(before, given, strict=True)]
    if not all(same):
        what = "a buffer" if same[0] else "its inputs"
        return f"changes {what} as it runs: what a step did would change the loss"
    if not torch.equal(scores[0].nan_to_num(), scores[1].nan_to_num()):
        why = "random numbers, or a state that it keeps"
        return f"its scores change from call to call ({why}); they must depend on parameters alone"
    return None
