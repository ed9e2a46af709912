"""Backpropagation as a finding: what each layer did on the way there and back.

Shapes: N examples, P inputs, C scores; a layer has `in` inputs and `out` units.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.wording import matrix, subscript

_DIGITS = 4


@dataclass(frozen=True)
class LayerPass:
    """A layer a ↦ φ(z), z = W a + b, on the way there and back.

    What is called an example's is that of the one chosen; E is its cost, L the mean of all. A
    matrix of more than 4,096 numbers is not kept.

    Attributes:
        inputs: how many units there are before it.
        units: how many it has.
        activation: the name of φ; None for none.
        values: the example's φ(z) (out,).
        slopes: the example's φ'(z) (out,).
        jacobian: the example's ∂φ(z)/∂a = diag(φ'(z)) W, (out, in).
        jacobian_norm: its Frobenius norm.
        delta: the example's δ = ∂E/∂z (out,).
        weight_gradient: ∂L/∂W, the mean of all examples' δ aᵀ: (out, in).
        weight_gradient_norm: its Frobenius norm.
        bias_gradient: ∂L/∂b, the mean of all examples' δ: (out,).
        disagreement: the largest difference between both and autograd's.
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
        example: the index of the example that is followed.
        examples: the number N of all.
        input: the example's input (P,).
        target: what it is to be: a label, or (C,) numbers.
        cost: what its scores cost, E.
        cost_slope: ∂E/∂scores (C,).
        layers: the layers, the first one first.
        input_gradient: ∂E/∂a₀ (P,), the product of ∂E/∂scores and the layers' Jacobians.
        input_disagreement: the largest difference between that and autograd's.
        disagreement: the largest difference between the parameters' gradient and autograd's.
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
        """The way there, the way back, and what each layer adds to it."""
        target = vector(self.target) if self.target.ndim else number(self.target)
        sizes = " → ".join(map(str, [len(self.input), *(layer.units for layer in self.layers)]))
        lines = [
            ("layers", sizes),
            (f"example {self.example}", f"a₀ = {vector(self.input, _DIGITS)}, target {target}"),
            *_titled("forward", self._forward()),
            ("cost", f"E = {number(self.cost)}"),
            *_titled("backward", self._backward()),
            ("chain", self._chain()),
            ("gradients", "∂L/∂Wₗ = mean of δₗ aₗ₋₁ᵀ, ∂L/∂bₗ = mean of δₗ "
             f"over {self.examples:,} examples"),
        ]  # fmt: skip
        header = ("layer", "J = ∂aₗ/∂aₗ₋₁", "‖δₗ‖", "‖∂L/∂Wₗ‖", "‖∂L/∂bₗ‖", "from autograd")
        rows = [
            [
                str(k),
                f"{layer.units} by {layer.inputs}, norm {number(layer.jacobian_norm, _DIGITS)}"
                if layer.jacobian is None
                else matrix(layer.jacobian, _DIGITS),
                number(layer.delta.norm(), _DIGITS),
                number(layer.weight_gradient_norm, _DIGITS),
                number(layer.bias_gradient.norm(), _DIGITS),
                number(layer.disagreement, 2),
            ]
            for k, layer in enumerate(self.layers, 1)
        ]
        note = (
            f"The gradient is within {number(self.disagreement, 2)} of autograd's, that of the "
            f"example's input within {number(self.input_disagreement, 2)}."
        )
        return Section("Backpropagation, layer by layer", lines, Table(header, rows), [note])

    def _forward(self) -> Iterator[str]:
        """Each layer's values."""
        for k, layer in enumerate(self.layers, 1):
            z = f"W{subscript(k)}a{subscript(k - 1)} + b{subscript(k)}"
            applied = z if layer.activation is None else f"{layer.activation}({z})"
            yield f"a{subscript(k)} = {applied} = {vector(layer.values, _DIGITS)}"

    def _backward(self) -> Iterator[str]:
        """Each layer's δ, the last one first."""
        last = len(self.layers)
        for k in range(last, 0, -1):
            layer, here, after = self.layers[k - 1], subscript(k), subscript(k + 1)
            before = f"∂E/∂a{here}" if k == last else f"W{after}ᵀδ{after}"
            slope = "" if layer.activation is None else f" ⊙ {layer.activation}'(z{here})"
            yield f"δ{here} = ∂E/∂z{here} = {before}{slope} = {vector(layer.delta, _DIGITS)}"

    def _chain(self) -> str:
        """The product of the layers' Jacobians."""
        last = len(self.layers)
        jacobians = "".join(f" · J{subscript(k)}" for k in range(last, 0, -1))
        whole = f"∂E/∂a₀ = ∂E/∂a{subscript(last)}{jacobians}"
        return f"{whole} = {vector(self.input_gradient, _DIGITS)}"


def _titled(title: str, texts: Iterator[str]) -> list[tuple[str, str]]:
    """Lines of which the first has a title."""
    return [("" if k else title, text) for k, text in enumerate(texts)]
