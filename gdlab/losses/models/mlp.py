"""A multilayer perceptron on examples.

Shapes: R runs, D parameters, N examples, P inputs, B examples of a minibatch, C scores.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from gdlab.errors import SettingError
from gdlab.fields.declared import setting
from gdlab.fields.formatting import format_value
from gdlab.losses.models.network import MOST_PARAMETERS, Blocks, Network
from gdlab.numerics import rng

_DRAWN_AT_ONCE = 2**16

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": functional.gelu,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "elu": functional.elu,
    "leaky_relu": functional.leaky_relu,
}
"""What stands between two layers, with torch's defaults."""


@dataclass(frozen=True)
class Layer:
    """A linear layer with what its units apply.

    Attributes:
        weight: (..., out, in).
        bias: (..., out).
        activation: the name of what the units apply; None for nothing.
    """

    weight: Tensor
    bias: Tensor
    activation: str | None

    def linear(self, units: Tensor) -> Tensor:
        """W a + b, (..., out, N), for the units a (..., in, N) before."""
        return self.weight @ units + self.bias[..., None]

    def activate(self, units: Tensor) -> Tensor:
        """What the units (..., out, N) apply to themselves."""
        return units if self.activation is None else ACTIVATIONS[self.activation](units)


class MLP(Network):
    """Linear layers with the same activation between them, after `torch.nn.Sequential`.

    Each run draws its start from its own seed.

    >>> loss = MLP(data="iris", widths=(8,))
    >>> loss.dim, loss.names[0], loss.layout[-1]
    (67, '0.weight[0,0]', ('2.bias', (3,)))

    Attributes:
        widths: the number of units of each hidden layer; none for a linear model.
        activation: what a hidden layer's units apply.
        init: how starts are drawn. torch: weights and biases uniform within ±1/√fan_in, as
            `torch.nn.Linear` does. kaiming_uniform and kaiming_normal: weights of variance
            2/fan_in (He et al. 2015); xavier_uniform and xavier_normal: of variance
            2/(fan_in + fan_out) (Glorot and Bengio 2010); both with biases zero.
    """

    widths: tuple[int, ...] = setting(default=(16, 16), ge=1)
    activation: Literal[
        "tanh", "relu", "gelu", "sigmoid", "silu", "softplus", "elu", "leaky_relu"
    ] = "tanh"
    init: Literal[
        "torch", "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal"
    ] = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dim > MOST_PARAMETERS:
            what = f"makes {self.dim:,} parameters; at most {MOST_PARAMETERS:,} are allowed"
            raise SettingError(f"widths={format_value(self.widths)}: {what}")

    @property
    def sizes(self) -> tuple[int, ...]:
        """The inputs, the widths and the outputs."""
        return (self.inputs[0].numel(), *self.widths, self.outputs)

    @cached_property
    def layout(self) -> Blocks:  # type: ignore[override]  # cached: it is asked for often
        """Weights (out, in) and biases (out,) of each layer, named as in `torch.nn.Sequential`."""
        pairs = enumerate(itertools.pairwise(self.sizes))
        return [
            block
            for place, (fan_in, fan_out) in pairs
            for block in (
                (f"{2 * place}.weight", (fan_out, fan_in)),
                (f"{2 * place}.bias", (fan_out,)),
            )
        ]

    def layers(self, x: Tensor) -> list[Layer]:
        """The layers that parameters (..., D) make up, the first one first."""
        blocks = list(self.blocks(x).values())
        pairs = zip(blocks[::2], blocks[1::2], strict=True)
        last = len(self.widths)
        return [
            Layer(*pair, self.activation if place < last else None)
            for place, pair in enumerate(pairs)
        ]

    def scores(self, x: Tensor, inputs: Tensor) -> Tensor:
        """The last layer's units: (..., N, C).

        Examples lie along the last axis in between, so that a layer is one batched matrix product
        for all points; it is one and a half to twice as fast as `torch.vmap` of a module.
        """
        units = inputs.flatten(2 if inputs.ndim > self.inputs.ndim else 1).transpose(-1, -2)
        for layer in self.layers(x.reshape(-1, x.shape[-1]).contiguous()):
            units = layer.activate(layer.linear(units))
        scores = units.transpose(-1, -2)
        return scores.reshape(x.shape[:-1] + scores.shape[1:])

    def starts(self, seed: Tensor) -> Tensor:
        """The starts of runs with seeds (R,): (R, D)."""
        scale = self._spread().to(seed.device)
        draw = _normal if self.init.endswith("normal") else _uniform
        rows = max(1, _DRAWN_AT_ONCE // len(scale))
        parts = [self.tensor(draw(part, len(scale)) * scale) for part in seed.split(rows)]
        return torch.cat(parts)

    def _spread(self) -> Tensor:
        """The standard deviations of the start's numbers: float64 (D,)."""
        spread = []
        for fan_in, fan_out in itertools.pairwise(self.sizes):
            variance = 1 / (3 * fan_in)  # of a uniform number within ±1/√fan_in
            if self.init.startswith("kaiming"):
                variance = 2 / fan_in
            elif self.init.startswith("xavier"):
                variance = 2 / (fan_in + fan_out)
            bias = variance if self.init == "torch" else 0.0
            spread += [variance] * (fan_in * fan_out) + [bias] * fan_out
        return torch.tensor(spread, dtype=torch.float64).sqrt()

    @property
    def about(self) -> dict[str, str]:
        """The sizes of the layers, and the data."""
        sizes = " → ".join(map(str, self.sizes))
        made = f"{sizes}, {self.activation}: {self.dim:,} parameters"
        return {"network": f"{made}; {self.examples:,} examples of {self.source}"}


def _uniform(seed: Tensor, dim: int) -> Tensor:
    """Uniform numbers of mean 0 and variance 1 for seeds (R,): (R, D)."""
    unit = rng.uniform(seed[:, None], rng.Stream.START, *_places(seed, dim))
    return (2 * unit - 1) * math.sqrt(3)


def _normal(seed: Tensor, dim: int) -> Tensor:
    """Standard normal numbers for seeds (R,): (R, D)."""
    return rng.normal(seed[:, None], rng.Stream.START, *_places(seed, dim))


def _places(seed: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    coordinate = torch.arange(dim, device=seed.device)
    return torch.zeros_like(coordinate), coordinate
