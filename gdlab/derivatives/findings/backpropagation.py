"""Backpropagation through the layers of a network, by hand and beside autograd.

Shapes: D parameters, N examples, P inputs, C scores; a layer has `in` inputs and `out` units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from gdlab.derivatives.findings.backpropagation_finding import Backpropagation, LayerPass
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import keep_if_small
from gdlab.errors import SettingError
from gdlab.losses.models.mlp import Layer
from gdlab.numerics.autodiff import derivative, gradient


@runtime_checkable
class Layered(Protocol):
    """A loss of a network whose scores are layers applied one after the other."""

    def layers(self, x: Tensor) -> Sequence[Layer]:
        """The layers that parameters (D,) make up, the first one first."""
        ...

    def scores(self, x: Tensor, inputs: Tensor) -> Tensor:
        """What the network makes of inputs (N, ...): (N, C)."""
        ...

    def costs(self, scores: Tensor, targets: Tensor) -> Tensor:
        """What each example's scores (N, C) cost: (N,)."""
        ...

    @property
    def inputs(self) -> Tensor:
        """What the network is given: (N, ...)."""
        ...

    @property
    def targets(self) -> Tensor:
        """What it is to predict: (N, ...)."""
        ...


@dataclass(frozen=True)
class _Trace:
    """All examples on their way through a layer and back.

    Attributes:
        before: the units a before it (in, N).
        after: φ(z).
        slope: φ'(z).
    """

    before: Tensor
    after: Tensor
    slope: Tensor

    @classmethod
    def of(cls, layer: Layer, before: Tensor) -> "_Trace":
        z = layer.linear(before).requires_grad_()
        after = layer.activate(z)
        return cls(before, after.detach(), derivative(after.sum(), z).detach())


def backpropagation(place: LossAtPoint, example: int = 0) -> Backpropagation | None:
    """The derivatives of a network's loss, layer by layer; None for a loss without layers.

    With aₗ = φ(zₗ), zₗ = Wₗ aₗ₋₁ + bₗ and δₗ = ∂E/∂zₗ, from the cost E of an example back:

        δₗ = (Wₗ₊₁ᵀ δₗ₊₁) ⊙ φ'(zₗ),  ∂E/∂Wₗ = δₗ aₗ₋₁ᵀ,  ∂E/∂bₗ = δₗ

    Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", 1986.
    Autograd gives φ′ and the slope of the cost; the rest is these products.

    Args:
        place: the loss and its parameters.
        example: the index of the example that is followed; gradients are means over all.

    Raises:
        SettingError: there is no such example.
    """
    loss = place.loss
    if not isinstance(loss, Layered):
        return None
    n = len(loss.inputs)
    if not 0 <= example < n:
        raise SettingError(f"example={example}: must be from 0 to {n - 1}, one of {n} examples")
    layers = loss.layers(place.x)
    traces = _forward(layers, loss.inputs.flatten(1).T)
    costs, slope = _costs(loss, traces[-1].after.T)
    right = loss.layers(place.gradient)
    passes, back = _backward(layers, traces, slope.T, right, example)
    given, target = loss.inputs[example], loss.targets[example]
    direct = gradient(lambda rows: loss.costs(loss.scores(place.x, rows), target[None]), given)
    return Backpropagation(
        example=example,
        examples=n,
        input=given.flatten(),
        target=target,
        cost=float(costs[example]),
        cost_slope=slope[example],
        layers=passes,
        input_gradient=back[:, example],
        input_disagreement=float((back[:, example] - direct.flatten()).abs().max()),
        disagreement=max(one.disagreement for one in passes),
    )


def _forward(layers: Sequence[Layer], units: Tensor) -> list[_Trace]:
    """What each layer makes of all examples' inputs (P, N)."""
    traces = list[_Trace]()
    for layer in layers:
        traces.append(_Trace.of(layer, units))
        units = traces[-1].after
    return traces


def _backward(
    layers: Sequence[Layer],
    traces: Sequence[_Trace],
    slope: Tensor,
    right: Sequence[Layer],
    example: int,
) -> tuple[tuple[LayerPass, ...], Tensor]:
    """What each layer does on the way back, and ∂E/∂a₀ of all examples (P, N).

    Args:
        layers: the layers.
        traces: all examples on their way there.
        slope: ∂E/∂scores (C, N).
        right: autograd's gradients, as layers.
        example: the one that is followed.
    """
    passes = list[LayerPass]()
    for layer, trace, gradients in reversed(list(zip(layers, traces, right, strict=True))):
        delta = slope * trace.slope + 0.0  # −0 is shown as 0
        passes.append(_layer_pass(layer, trace, delta, gradients, example))
        slope = layer.weight.T @ delta
    return tuple(reversed(passes)), slope


def _costs(loss: Layered, scores: Tensor) -> tuple[Tensor, Tensor]:
    """What all examples' scores (N, C) cost (N,), and the slopes ∂E/∂scores (N, C)."""
    scores = scores.clone().requires_grad_()
    costs = loss.costs(scores, loss.targets)
    return costs.detach(), derivative(costs.sum(), scores).detach()


def _layer_pass(
    layer: Layer, trace: _Trace, delta: Tensor, right: Layer, example: int
) -> LayerPass:
    """What there is to say of a layer, given all examples' δ (out, N) and autograd's gradients."""
    n = delta.shape[1]
    weight_gradient, bias_gradient = delta @ trace.before.T / n, delta.mean(1)
    away = (weight_gradient - right.weight).abs().max(), (bias_gradient - right.bias).abs().max()
    jacobian = trace.slope[:, example, None] * layer.weight
    return LayerPass(
        inputs=layer.weight.shape[1],
        units=layer.weight.shape[0],
        activation=layer.activation,
        values=trace.after[:, example],
        slopes=trace.slope[:, example],
        jacobian=keep_if_small(jacobian),
        jacobian_norm=float(jacobian.norm()),
        delta=delta[:, example],
        weight_gradient=keep_if_small(weight_gradient),
        weight_gradient_norm=float(weight_gradient.norm()),
        bias_gradient=bias_gradient,
        disagreement=float(max(away)),
    )
