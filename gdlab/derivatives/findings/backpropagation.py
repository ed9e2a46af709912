"""Backpropagation through the layers of a network, written out and compared with autograd.

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
from gdlab.numerics.rowwise import length


@runtime_checkable
class Layered(Protocol):
    """The loss of a network whose scores come from layers applied in sequence."""

    def layers(self, x: Tensor) -> Sequence[Layer]:
        """Return the layers with parameters (D,), from first to last."""
        ...

    def scores(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Compute the network's outputs (N, C) for inputs (N, ...)."""
        ...

    def costs(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Compute the cost of each example (N,) from scores (N, C)."""
        ...

    @property
    def inputs(self) -> Tensor:
        """The network's inputs (N, ...)."""
        ...

    @property
    def targets(self) -> Tensor:
        """The values to predict (N, ...)."""
        ...


@dataclass(frozen=True)
class _ForwardPass:
    """The forward pass of all examples through one layer.

    Attributes:
        before: the layer's inputs a (in, N).
        after: its outputs φ(z) (out, N).
        slope: φ'(z) (out, N).
    """

    before: Tensor
    after: Tensor
    slope: Tensor

    @classmethod
    def of(cls, layer: Layer, before: Tensor) -> "_ForwardPass":
        z = layer.linear(before).requires_grad_()
        after = layer.activate(z)
        return cls(before, after.detach(), derivative(after.sum(), z).detach())


def backpropagation(at: LossAtPoint, example: int = 0) -> Backpropagation | None:
    """Differentiate a network's loss layer by layer; return None for a loss without layers.

    With aₗ = φ(zₗ), zₗ = Wₗ aₗ₋₁ + bₗ and δₗ = ∂E/∂zₗ, starting from the cost E of an example:

        δₗ = (Wₗ₊₁ᵀ δₗ₊₁) ⊙ φ'(zₗ),  ∂E/∂Wₗ = δₗ aₗ₋₁ᵀ,  ∂E/∂bₗ = δₗ

    Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", 1986.
    Autograd provides only φ′ and ∂E/∂scores; the products are computed here.

    Args:
        at: the loss and its parameters.
        example: the index of the example shown; gradients are means over all examples.

    Raises:
        SettingError: `example` is out of range.
    """
    loss = at.loss
    if not isinstance(loss, Layered):
        return None
    n = len(loss.inputs)
    if not 0 <= example < n:
        raise SettingError(f"example={example}: must be from 0 to {n - 1}, one of {n} examples")
    layers = loss.layers(at.x)
    forward_passes = _run_forward(layers, loss.inputs.flatten(1).T)
    costs, slope = _differentiate_costs(loss, forward_passes[-1].after.T)
    expected = loss.layers(at.gradient)
    passes, input_gradients = _run_backward(layers, forward_passes, slope.T, expected, example)
    inputs, target = loss.inputs[example], loss.targets[example]
    direct = gradient(lambda rows: loss.costs(loss.scores(at.x, rows), target[None]), inputs)
    return Backpropagation(
        example=example,
        examples=n,
        input=inputs.flatten(),
        target=target,
        cost=float(costs[example]),
        cost_slope=slope[example],
        layers=passes,
        input_gradient=input_gradients[:, example],
        input_disagreement=float((input_gradients[:, example] - direct.flatten()).abs().max()),
        disagreement=max(layer.disagreement for layer in passes),
    )


def _run_forward(layers: Sequence[Layer], units: Tensor) -> list[_ForwardPass]:
    """Pass the inputs (P, N) of all examples through the layers."""
    forward_passes = list[_ForwardPass]()
    for layer in layers:
        forward_passes.append(_ForwardPass.of(layer, units))
        units = forward_passes[-1].after
    return forward_passes


def _run_backward(
    layers: Sequence[Layer],
    forward_passes: Sequence[_ForwardPass],
    slope: Tensor,
    expected: Sequence[Layer],
    example: int,
) -> tuple[tuple[LayerPass, ...], Tensor]:
    """Propagate ∂E/∂scores back; return each layer's pass and ∂E/∂a₀ of all examples (P, N).

    Args:
        layers: the layers.
        forward_passes: their forward passes.
        slope: ∂E/∂scores (C, N).
        expected: autograd's gradients, as layers.
        example: the index of the example shown.
    """
    passes = list[LayerPass]()
    triples = list(zip(layers, forward_passes, expected, strict=True))
    for layer, forward_pass, gradients in reversed(triples):
        delta = slope * forward_pass.slope + 0.0  # prints −0 as 0
        passes.append(_make_layer_pass(layer, forward_pass, delta, gradients, example))
        slope = layer.weight.T @ delta
    return tuple(reversed(passes)), slope


def _differentiate_costs(loss: Layered, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the costs (N,) of all examples' scores (N, C) and ∂E/∂scores (N, C)."""
    scores = scores.clone().requires_grad_()
    costs = loss.costs(scores, loss.targets)
    return costs.detach(), derivative(costs.sum(), scores).detach()


def _make_layer_pass(
    layer: Layer, forward_pass: _ForwardPass, delta: Tensor, expected: Layer, example: int
) -> LayerPass:
    """Summarize a layer, given all examples' δ (out, N) and autograd's gradients."""
    n = delta.shape[1]
    weight_gradient, bias_gradient = delta @ forward_pass.before.T / n, delta.mean(1)
    weight_error = (weight_gradient - expected.weight).abs().max()
    bias_error = (bias_gradient - expected.bias).abs().max()
    jacobian = forward_pass.slope[:, example, None] * layer.weight
    return LayerPass(
        inputs=layer.weight.shape[1],
        units=layer.weight.shape[0],
        activation=layer.activation,
        values=forward_pass.after[:, example],
        slopes=forward_pass.slope[:, example],
        jacobian=keep_if_small(jacobian),
        jacobian_norm=length(jacobian),
        delta=delta[:, example],
        weight_gradient=keep_if_small(weight_gradient),
        weight_gradient_norm=length(weight_gradient),
        bias_gradient=bias_gradient,
        disagreement=float(max(weight_error, bias_error)),
    )
