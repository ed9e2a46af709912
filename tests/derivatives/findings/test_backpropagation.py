"""Backpropagation against torch.nn, torch's Jacobians and a network by hand."""

import itertools
import json

import numpy as np
import pytest
import torch
from helpers.activations import UNITS
from torch import Tensor, nn
from torch.func import jacrev

from gdlab.derivatives.findings.backpropagation import Layered, backpropagation
from gdlab.derivatives.findings.backpropagation_finding import Backpropagation
from gdlab.derivatives.point import LossAtPoint
from gdlab.errors import SettingError
from gdlab.losses import MLP, MSE, Beale, Loss
from gdlab.losses.transform import Transform

CASES: dict[str, MLP] = {
    **{name: MLP(activation=name, widths=(5, 4), count=30) for name in UNITS},  # type: ignore[arg-type]
    "iris": MLP("iris", widths=(8,), standardize=True),
    "numbers": MLP("teacher_student", widths=(4, 3), count=20),
    "without a hidden layer": MLP("iris", widths=(), standardize=True),
}

every_network = pytest.mark.parametrize("name", CASES)


def backpropagate(loss: MLP, example: int = 0) -> Backpropagation:
    found = backpropagation(LossAtPoint(loss), example)
    assert found is not None
    return found


def torch_network(loss: MLP) -> nn.Sequential:
    """Build the same network with torch.nn."""
    parts: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(loss.sizes):
        parts += [nn.Linear(fan_in, fan_out, dtype=torch.float64), UNITS[loss.activation]]
    net = nn.Sequential(*parts[:-1])
    nn.utils.vector_to_parameters(loss.start, net.parameters())
    return net


def criterion(loss: MLP, scores: Tensor, examples: slice) -> Tensor:
    if loss.classes is None:
        return nn.functional.mse_loss(scores, loss.targets[examples])
    return nn.functional.cross_entropy(scores, loss.targets[examples].long())


@every_network
def test_gradients_equal_those_of_torch(name: str) -> None:
    loss = CASES[name]
    found, net = backpropagate(loss), torch_network(loss)
    criterion(loss, net(loss.inputs), slice(None)).backward()
    linear = [part for part in net if isinstance(part, nn.Linear)]
    for layer, part in zip(found.layers, linear, strict=True):
        for ours, theirs in (
            (layer.weight_gradient, part.weight.grad),
            (layer.bias_gradient, part.bias.grad),
        ):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)  # seen: 4.4e-16
    assert found.disagreement <= 1e-14  # seen: 4.4e-16


@every_network
def test_the_forward_and_backward_pass_of_an_example(name: str) -> None:
    """Each layer's values, Jacobian and δ against torch's automatic differentiation."""
    loss, example = CASES[name], 7
    found, net = backpropagate(loss, example), torch_network(loss)
    parts = [part for part in net if isinstance(part, nn.Linear)]
    units = loss.inputs[example]
    for k, (layer, part) in enumerate(zip(found.layers, parts, strict=True)):
        is_last = k == len(parts) - 1
        whole = part if is_last else nn.Sequential(part, UNITS[loss.activation])
        jacobian = jacrev(whole)(units)
        torch.testing.assert_close(layer.jacobian, jacobian, rtol=0, atol=1e-14)  # seen: 8.3e-17
        rest = net[2 * k + 1 :]

        def cost(z: Tensor, rest: nn.Module = rest) -> Tensor:
            return criterion(loss, rest(z)[None], slice(example, example + 1))

        delta = jacrev(cost)(part(units))
        torch.testing.assert_close(layer.delta, delta, rtol=0, atol=1e-14)  # seen: 1.1e-16
        units = whole(units).detach()
        torch.testing.assert_close(layer.values, units, rtol=0, atol=1e-14)  # seen: 1.1e-16
    assert found.input_disagreement <= 1e-14  # seen: 2.8e-17


@every_network
def test_the_product_of_the_jacobians_is_the_input_gradient(name: str) -> None:
    found = backpropagate(CASES[name], 3)
    product = found.cost_slope
    for layer in reversed(found.layers):
        assert layer.jacobian is not None
        product = product @ layer.jacobian
    torch.testing.assert_close(product, found.input_gradient, rtol=0, atol=1e-14)  # seen: 5.6e-17


def test_a_network_by_hand() -> None:
    """One tanh unit on one example of a regression: E = (w₂ tanh(w₁ᵀ a + b₁) + b₂ − t)²."""
    loss = MLP("teacher_student", widths=(1,), count=2)
    x = torch.linspace(-0.4, 0.7, loss.dim, dtype=torch.float64)
    found = backpropagation(LossAtPoint(loss, x), 1)
    assert found is not None
    a, t = loss.inputs[1].numpy(), float(loss.targets[1])
    w1, (b1, w2, b2) = x[: len(a)].numpy(), x[len(a) :].tolist()
    h = np.tanh(w1 @ a + b1)
    cost_slope = 2 * (w2 * h + b2 - t)
    hidden, last = found.layers
    assert found.cost == pytest.approx((cost_slope / 2) ** 2, rel=1e-14)  # seen: 0
    assert last.delta.tolist() == pytest.approx([cost_slope], rel=1e-14)  # seen: 0
    delta = cost_slope * w2 * (1 - h**2)
    assert hidden.delta.tolist() == pytest.approx([delta], rel=1e-14)  # seen: 0
    by_hand = delta * w1
    np.testing.assert_allclose(found.input_gradient, by_hand, rtol=1e-14)  # seen: 0


def test_the_report_shows_every_equation() -> None:
    found = backpropagate(MLP(widths=(3, 2)))
    lines = list(found.section().lines)
    equations = [text.partition(" = (")[0] for _, text in lines]
    assert lines[0] == ("layers", "2 → 3 → 2 → 2")
    assert equations[2:5] == ["a₁ = tanh(W₁a₀ + b₁)", "a₂ = tanh(W₂a₁ + b₂)", "a₃ = W₃a₂ + b₃"]
    assert equations[6:10] == [
        "δ₃ = ∂E/∂z₃ = ∂E/∂a₃",
        "δ₂ = ∂E/∂z₂ = W₃ᵀδ₃ ⊙ tanh'(z₂)",
        "δ₁ = ∂E/∂z₁ = W₂ᵀδ₂ ⊙ tanh'(z₁)",
        "∂E/∂a₀ = ∂E/∂a₃ · J₃ · J₂ · J₁",
    ]
    table = found.section().table
    assert table is not None and [row[0] for row in table.rows] == ["1", "2", "3"]
    assert json.loads(json.dumps(found.data()))["layers"][0]["activation"] == "tanh"


def test_large_matrices_are_shown_by_their_norms() -> None:
    found = backpropagate(MLP(widths=(80, 80), count=10))
    assert found.layers[1].jacobian is None and found.layers[1].weight_gradient is None
    table = found.section().table
    assert table is not None
    assert table.rows[1][1].startswith("80 by 80, norm ")
    assert found.disagreement <= 1e-14  # seen: 2.8e-17


@pytest.mark.parametrize("loss", [Beale(), MSE(), Transform(rotation=0).of(MLP("iris", widths=()))])
def test_other_losses_have_no_layers(loss: Loss) -> None:
    assert not isinstance(loss, Layered)
    assert backpropagation(LossAtPoint(loss)) is None


@pytest.mark.parametrize("example", [-1, 150])
def test_an_example_out_of_range(example: int) -> None:
    message = f"^example={example}: must be from 0 to 149, one of 150 examples$"
    with pytest.raises(SettingError, match=message):
        backpropagation(LossAtPoint(MLP("iris", widths=())), example)
