"""Backpropagation as a finding: the forward and backward pass of each layer.

Shapes: N examples, P inputs, C scores; a layer has `in` inputs and `out` units.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.wording import matrix, subscript
from gdlab.numerics.rowwise import length

_DIGITS = 4


@dataclass(frozen=True)
class LayerPass:
    """The forward and backward pass through a layer a ↦ φ(z), z = W a + b.

    "The example" is the chosen one; E is its cost, L the mean cost of all examples. Matrices of
    more than 4,096 numbers are dropped.

    Attributes:
        inputs: the number of inputs.
        units: the number of units.
        activation: the name of φ; None for the identity.
        values: the example's φ(z) (out,).
        slopes: the example's φ'(z) (out,).
        jacobian: the example's ∂φ(z)/∂a = diag(φ'(z)) W, (out, in).
        jacobian_norm: its Frobenius norm.
        delta: the example's δ = ∂E/∂z (out,).
        weight_gradient: ∂L/∂W, the mean of all examples' δ aᵀ: (out, in).
        weight_gradient_norm: its Frobenius norm.
        bias_gradient: ∂L/∂b, the mean of all examples' δ: (out,).
        disagreement: the largest difference between these gradients and autograd's.
    """

    inputs: int
    units: int
    activation: str | None
    values: Tensor
    slopes: Tensor
    jacobian: Tensor | None
    jacobian_norm: float
    delta: Tensor
    weight_gradient: Tensor | None
    weight_gradient_norm: float
    bias_gradient: Tensor
    disagreement: float


@dataclass(frozen=True)
class Backpropagation(Finding):
    """The derivatives of a network's loss, from the last layer to the first.

    Attributes:
        example: the index of the example shown.
        examples: the number N of examples.
        input: the example's input (P,).
        target: the example's target: a label, or (C,) numbers.
        cost: the example's cost E.
        cost_slope: ∂E/∂scores (C,).
        layers: the layers, from first to last.
        input_gradient: ∂E/∂a₀ (P,), the product of ∂E/∂scores and the layers' Jacobians.
        input_disagreement: the largest difference between it and autograd's.
        disagreement: the largest difference between the parameter gradients and autograd's.
    """

    example: int
    examples: int
    input: Tensor
    target: Tensor
    cost: float
    cost_slope: Tensor
    layers: tuple[LayerPass, ...]
    input_gradient: Tensor
    input_disagreement: float
    disagreement: float

    def section(self) -> Section:
        """Return the forward pass, the backward pass and a table of the layers."""
        target = vector(self.target) if self.target.ndim else number(self.target)
        sizes = " → ".join(map(str, [len(self.input), *(layer.units for layer in self.layers)]))
        lines = [
            ("layers", sizes),
            (f"example {self.example}", f"a₀ = {vector(self.input, _DIGITS)}, target {target}"),
            *_label_first("forward", self._forward_lines()),
            ("cost", f"E = {number(self.cost)}"),
            *_label_first("backward", self._backward_lines()),
            ("chain rule", self._chain_rule_line()),
            ("gradients", "∂L/∂Wₗ = mean of δₗ aₗ₋₁ᵀ, ∂L/∂bₗ = mean of δₗ "
             f"over {self.examples:,} examples"),
        ]  # fmt: skip
        header = ("layer", "J = ∂aₗ/∂aₗ₋₁", "‖δₗ‖", "‖∂L/∂Wₗ‖", "‖∂L/∂bₗ‖", "max diff")
        rows = [
            [
                str(k),
                f"{layer.units} by {layer.inputs}, norm {number(layer.jacobian_norm, _DIGITS)}"
                if layer.jacobian is None
                else matrix(layer.jacobian, _DIGITS),
                number(length(layer.delta), _DIGITS),
                number(layer.weight_gradient_norm, _DIGITS),
                number(length(layer.bias_gradient), _DIGITS),
                number(layer.disagreement, 2),
            ]
            for k, layer in enumerate(self.layers, 1)
        ]
        note = (
            f"The gradient differs from autograd's by at most {number(self.disagreement, 2)}, the "
            f"gradient of the example's input by at most {number(self.input_disagreement, 2)}."
        )
        return Section("Backpropagation, layer by layer", lines, Table(header, rows), [note])

    def _forward_lines(self) -> Iterator[str]:
        """Yield each layer's equation and values."""
        for k, layer in enumerate(self.layers, 1):
            z = f"W{subscript(k)}a{subscript(k - 1)} + b{subscript(k)}"
            applied = z if layer.activation is None else f"{layer.activation}({z})"
            yield f"a{subscript(k)} = {applied} = {vector(layer.values, _DIGITS)}"

    def _backward_lines(self) -> Iterator[str]:
        """Yield each layer's δ, from last to first."""
        last = len(self.layers)
        for k in range(last, 0, -1):
            layer, this, after = self.layers[k - 1], subscript(k), subscript(k + 1)
            factor = f"∂E/∂a{this}" if k == last else f"W{after}ᵀδ{after}"
            slope = "" if layer.activation is None else f" ⊙ {layer.activation}'(z{this})"
            yield f"δ{this} = ∂E/∂z{this} = {factor}{slope} = {vector(layer.delta, _DIGITS)}"

    def _chain_rule_line(self) -> str:
        """Return the product of the layers' Jacobians."""
        last = len(self.layers)
        jacobians = "".join(f" · J{subscript(k)}" for k in range(last, 0, -1))
        equation = f"∂E/∂a₀ = ∂E/∂a{subscript(last)}{jacobians}"
        return f"{equation} = {vector(self.input_gradient, _DIGITS)}"


def _label_first(label: str, texts: Iterator[str]) -> list[tuple[str, str]]:
    """Return lines of which the first has a label."""
    return [("" if k else label, text) for k, text in enumerate(texts)]
