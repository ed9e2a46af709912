"""Networks against torch.nn, finite differences, and single runs."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from helpers.activations import UNITS
from helpers.batches import finish, make_batch, rows_of
from helpers.gradients import central_differences, gradient_by_autograd
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from gdlab.config.loading import settings_from_flat
from gdlab.engine.rows import Rows
from gdlab.errors import SettingError
from gdlab.losses import MLP, Loss, Quadratic
from gdlab.losses.base import Layout
from gdlab.losses.datasets.synthetic import GENERATED
from gdlab.numerics import rng
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.optimizers import SGD, Adam
from gdlab.optimizers.base import State
from gdlab.runs.batching import batch_of

CPU = torch.device("cpu")
CASES: dict[str, MLP] = {
    **{f"two_moons {name}": MLP(activation=name) for name in UNITS},  # type: ignore[arg-type]
    "circles": MLP("circles", widths=(5,), count=31),
    "spirals": MLP("spirals", widths=(3, 4, 5)),
    "teacher_student": MLP("teacher_student", widths=(4,), noise=0.1),
    "iris": MLP("iris", widths=(8,), standardize=True),
    "diabetes": MLP("diabetes", widths=(8,)),
    "without a hidden layer": MLP("iris", widths=()),
}

everyone = pytest.mark.parametrize("name", CASES)


def sequential(loss: MLP, x: Tensor) -> tuple[nn.Sequential, Tensor]:
    """The same network made by torch.nn with the parameters x (D,), and its loss."""
    sizes = (loss.inputs.shape[1], *loss.widths, loss.outputs)
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out, dtype=torch.float64), UNITS[loss.activation]]
    net, first = nn.Sequential(*layers[:-1]), 0
    for parameter in net.parameters():
        parameter.data = x[first : first + parameter.numel()].reshape(parameter.shape).clone()
        first += parameter.numel()
    assert first == loss.dim
    scores = net(loss.inputs)
    if loss.classes is None:
        return net, nn.functional.mse_loss(scores, loss.targets)
    return net, nn.functional.cross_entropy(scores, loss.targets.long())


def points(loss: MLP, rows: int) -> Tensor:
    return loss.tensor(0.7 * np.random.default_rng(rows).standard_normal((rows, loss.dim)))


@everyone
def test_values_and_gradients_are_those_of_torch(name: str) -> None:
    loss = CASES[name]
    x = points(loss, 3)
    values, gradients = value_and_gradient(loss, x)
    for row in range(3):
        net, theirs = sequential(loss, x[row])
        theirs.backward()
        expected = torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])
        theirs = theirs.detach()
        assert abs(values[row] - theirs) <= 1e-12 * abs(theirs)  # observed 5e-16
        error = (gradients[row] - expected).norm() / expected.norm()
        assert error <= 1e-12  # observed 5e-15
    assert loss.metrics.keys() == ({"accuracy"} if loss.classes else set())


@everyone
def test_the_layout_is_that_of_torch(name: str) -> None:
    loss = CASES[name]
    x = torch.arange(loss.dim, dtype=torch.float64)
    net, _ = sequential(loss, x)
    net.requires_grad_(False)
    assert [(n, tuple(p.shape)) for n, p in net.named_parameters()] == list(loss.layout)
    for parameter, number in zip(loss.names, x.tolist(), strict=True):
        block, _, place = parameter.removesuffix("]").partition("[")
        entry = net.get_parameter(block)[tuple(map(int, place.split(",")))]
        assert float(entry) == number
    for block, values in loss.blocks(x).items():
        assert torch.equal(values, net.get_parameter(block))


@everyone
def test_minibatches_are_means_over_the_examples_chosen(name: str) -> None:
    loss = CASES[name]
    x = points(loss, 2)
    chosen = torch.stack([torch.arange(loss.examples), torch.arange(loss.examples).flip(0)])
    halves = [loss.partial(x, part) for part in chosen[:, : loss.examples // 2 * 2].chunk(2, 1)]
    torch.testing.assert_close(loss.partial(x, chosen), loss(x), rtol=1e-13, atol=0)
    if loss.examples % 2 == 0:
        torch.testing.assert_close((halves[0] + halves[1]) / 2, loss(x), rtol=1e-13, atol=0)
    assert not torch.allclose(halves[0], loss(x), rtol=1e-6)


def test_central_differences_come_nearer_with_the_square_of_h() -> None:
    loss = MLP(widths=(5, 4), activation="gelu")
    x = points(loss, 1)[0]
    exact = gradient_by_autograd(loss, x)
    steps = 2.0 ** -np.arange(3, 9)
    errors = [np.linalg.norm(central_differences(loss, x, h) - exact) for h in steps]
    assert (-np.diff(np.log2(errors))).min() >= 1.9  # observed 1.95


def test_points_may_have_any_axes() -> None:
    loss = MLP("iris", widths=(4,))
    x = points(loss, 6)
    torch.testing.assert_close(loss(x.reshape(2, 3, -1)), loss(x).reshape(2, 3), rtol=0, atol=1e-14)
    torch.testing.assert_close(loss(x[0]), loss(x)[0], rtol=0, atol=1e-14)
    accuracy = loss.metrics["accuracy"]
    assert torch.equal(accuracy(x.reshape(2, 3, -1)), accuracy(x).reshape(2, 3))


@pytest.mark.parametrize("size", [1, 2000, 5000])
def test_no_value_depends_on_how_many_points_fit_into_memory(size: int) -> None:
    loss = MLP("iris", widths=(4,))
    x = points(loss, 7)
    values, gradients = value_and_gradient(loss, x)
    shares = loss.metrics["accuracy"](x)
    assert loss._layer_numbers == 600
    vars(loss).update(max_layer=size, max_layer_kept=size)
    again = value_and_gradient(loss, x)
    torch.testing.assert_close(again[0], values, rtol=1e-14, atol=0)
    torch.testing.assert_close(again[1], gradients, rtol=1e-12, atol=1e-15)
    with torch.no_grad():
        torch.testing.assert_close(loss(x), values, rtol=1e-14, atol=0)
    assert torch.equal(loss.metrics["accuracy"](x), shares)


@pytest.mark.parametrize("data", [*GENERATED, "digits"])
def test_accuracy_is_the_share_of_labels_hit(data: str) -> None:
    loss = MLP(data, widths=(3,))
    if loss.classes is None:
        assert data == "teacher_student"
        return
    x = points(loss, 2)
    hits = [sequential(loss, row)[0](loss.inputs).argmax(1) == loss.targets for row in x]
    expected = [float(hit.double().mean()) for hit in hits]
    assert loss.metrics["accuracy"](x).tolist() == pytest.approx(expected, abs=1e-15)


# Starts.


def test_a_start_depends_on_its_seed_only() -> None:
    loss = MLP(widths=(300, 40))
    assert loss.dim > 2**13, "few enough rows are drawn at once"
    seeds = torch.tensor([5, 2**62, 0, 3, 9, 4, 7, 11])
    starts = loss.starts(seeds)
    for row, seed in zip(starts, seeds, strict=True):
        assert torch.equal(row, loss.starts(seed[None])[0])
    assert len(torch.unique(starts, dim=0)) == len(seeds)
    assert torch.equal(torch.as_tensor(loss.start), starts[2])


def test_starts_are_distributed_as_torch_draws_them() -> None:
    loss = MLP("digits", widths=(10,))
    starts = loss.blocks(loss.starts(torch.arange(400)))
    for place, fan_in in ((0, 64), (2, 10)):
        layer = nn.Linear(fan_in, 10)
        for kind in ("weight", "bias"):
            drawn, bound = starts[f"{place}.{kind}"].flatten(), fan_in**-0.5
            assert float(drawn.abs().max()) <= bound
            assert float(layer.get_parameter(kind).detach().abs().max()) <= bound
            quantiles = torch.quantile(drawn, torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64))
            expected = torch.tensor([-0.5, 0.0, 0.5], dtype=torch.float64) * bound
            # observed 0.028 of the bound, for the 4,000 biases
            torch.testing.assert_close(quantiles, expected, rtol=0, atol=0.05 * bound)


@pytest.mark.parametrize(
    ("init", "theirs"),
    [
        ("kaiming_uniform", lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu")),
        ("kaiming_normal", lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")),
        ("xavier_uniform", nn.init.xavier_uniform_),
        ("xavier_normal", nn.init.xavier_normal_),
    ],
)
def test_other_starts_are_distributed_as_torch_draws_them(init: Any, theirs: Any) -> None:
    loss = MLP("digits", widths=(40,), init=init)
    blocks = loss.blocks(loss.starts(torch.arange(20)))
    drawn = blocks["0.weight"].flatten()
    weight = torch.empty(40, 64, dtype=torch.float64)
    expected = torch.cat([theirs(weight.clone()).flatten() for _ in range(20)])
    assert float(drawn.std()) == pytest.approx(float(expected.std()), rel=0.05)  # observed 0.01
    kurtosis = float((drawn / drawn.std()).pow(4).mean())
    assert kurtosis == pytest.approx(3.0 if init.endswith("normal") else 1.8, abs=0.1)
    assert not blocks["0.bias"].any() and not blocks["2.bias"].any()


def test_where_a_run_starts() -> None:
    def start(**given: Any) -> Tensor:
        return batch_of(settings_from_flat({"loss": "mlp", "loss.widths": [2], **given})).start[0]

    own = MLP(widths=(2,)).starts(torch.tensor([0, 3]))
    assert torch.equal(start(), own[0])
    assert torch.equal(start(seed=3), own[1])
    assert start(start=[0.5] * 12).tolist() == [0.5] * 12
    drawn = rng.normal(torch.tensor(3), rng.Stream.START, torch.tensor(0), torch.arange(12))
    assert torch.equal(start(start="random", seed=3), drawn)
    settings = settings_from_flat({"loss": "mlp", "loss.widths": [2], "seed": 3})
    assert settings.starting_point() == tuple(own[1].tolist())


# Runs.


@pytest.mark.parametrize("loss", [MLP(widths=(2,)), Quadratic()])
def test_an_optimizer_is_told_the_blocks(loss: Loss) -> None:
    told: list[Layout] = []

    class Listening(SGD):
        def init(self, x: Tensor, layout: Layout) -> State:
            told.append(layout)
            return super().init(x, layout)

    Rows.of(make_batch(loss, Listening()))
    mlp = [("0.weight", (2, 2)), ("0.bias", (2,)), ("2.weight", (2, 2)), ("2.bias", (2,))]
    assert told == [mlp if isinstance(loss, MLP) else [("x", (2,))]]


def test_64_seeds_at_once_give_the_same_runs_as_alone() -> None:
    loss, seeds = MLP(), torch.arange(64)
    batch = make_batch(
        loss, Adam(), [0.05] * 64, start=loss.starts(seeds), seed=seeds.tolist(), steps=80
    )
    together = finish(batch)
    assert len({run.history.loss[0] for run in together}) == 64
    accuracy = loss.metrics["accuracy"]
    for row, run in list(enumerate(together))[::4]:
        (alone,) = finish(rows_of(batch, [row]))
        for name in ("loss", "x"):
            ours, theirs = getattr(run.history, name)[:21], getattr(alone.history, name)[:21]
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)  # observed 0
        shares = [float(accuracy(loss.tensor(end.outcome.x))) for end in (run, alone)]
        assert shares[0] == pytest.approx(shares[1], abs=0.01)  # observed equal
        assert shares[0] >= 0.97  # observed 1


def test_minibatches_train_it() -> None:
    loss = MLP(batch_size=20)
    (run,) = finish(make_batch(loss, Adam(), 0.02, steps=150))
    assert float(loss.metrics["accuracy"](loss.tensor(run.outcome.x))) >= 0.97  # observed 0.99
    assert run.history.loss[0] == pytest.approx(float(MLP()(loss.start)), rel=1e-12)


def test_single_precision() -> None:
    loss, x = MLP("iris"), points(MLP("iris"), 4)
    single = loss.to(torch.float32, CPU)
    values, gradients = value_and_gradient(single, x.float())
    assert values.dtype == gradients.dtype == torch.float32
    assert single.starts(torch.arange(2)).dtype == torch.float32
    expected = value_and_gradient(loss, x)
    torch.testing.assert_close(values.double(), expected[0], rtol=1e-5, atol=0)  # observed 1e-7
    error = (gradients.double() - expected[1]).norm() / expected[1].norm()
    assert error < 1e-5  # observed 2e-7


def test_a_hundred_thousand_parameters() -> None:
    loss = MLP("digits", widths=(256, 256, 64))
    assert loss.dim == 99_530
    batch = make_batch(loss, Adam(), [1e-3] * 2, start=loss.starts(torch.arange(2)), steps=3)
    ends = finish(batch)
    assert all(run.outcome.steps == 3 and run.outcome.x.shape == (99_530,) for run in ends)
    assert all(run.outcome.final_loss < run.history.loss[0] - 0.05 for run in ends)  # by 0.4


# Refused settings, and inferred ones.

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"data": "moons"}, "data=moons: no such file, did you mean two_moons? (data sets: "),
    ({"data": "iris", "count": 10}, "count=10: is for a generated set, not iris"),
    ({"data": "iris", "noise": 0.1}, "noise=0.1: is for a generated set, not iris"),
    ({"target": "x"}, "target=x: is for a table, not two_moons"),
    ({"standardize": True}, "standardize=true: is for a table, not two_moons"),
    ({"features": ["x"]}, "features=[x]: is for a table, not two_moons"),
    ({"count": 1}, "count=1: must be a whole number ≥ 2 and ≤ 1e+06"),
    ({"widths": [10**18]}, "widths=[1000000000000000000]: makes 5,000,000,000,000,000,002 param"),
    ({"noise": -0.1}, "noise=-0.1: must be a finite number ≥ 0"),
    ({"batch_size": 201}, "batch_size=201: must be at most 200, the number of examples"),
    ({"widths": [4, 0]}, "widths[1]=0: must be a whole number ≥ 1"),
    ({"activation": "step"}, "activation=step: must be one of tanh, relu, gelu"),
    (
        {"data": "diabetes", "task": "classification"},
        "data=diabetes: the 214 different labels",
    ),
    ({"data": "iris", "noise": 0.0}, "noise=0.0: is for a generated set, not iris"),
    (
        {"data": TensorDataset(torch.zeros(4, 2), torch.eye(4)), "task": "classification"},
        "task=classification: TensorDataset has 4 targets per example, not one label",
    ),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_bad_settings_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError) as error:
        MLP(**given)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_the_task_is_inferred_from_the_targets() -> None:
    assert {data: MLP(data).classes for data in ("iris", "digits", "breast_cancer")} == {
        "iris": 3,
        "digits": 10,
        "breast_cancer": 2,
    }
    assert MLP("diabetes").classes is None
    assert MLP("line3").classes is None
    several = MLP(data=TensorDataset(torch.zeros(9, 2), torch.ones(9, 3)))
    assert (several.classes, several.outputs) == (None, 3)
    x = points(several, 1)
    assert float(several(x)[0]) == pytest.approx(float(sequential(several, x[0])[1].detach()))
    assert MLP("iris", task="regression").sizes == (4, 16, 16, 1)


# targets, and the number of classes
FEW: list[tuple[list[float], int | None]] = [
    ([0, 1], 2),
    ([1, 0], 2),
    ([0, 1, 1], 2),
    ([0, 1, 2, 0], 3),
    ([0, 1, 2, 0, 1], 3),
    ([2, 1, 0], None),
    ([0, 1, 2, 3], None),
    ([0], None),
    ([0, 0], None),
    ([1, 2, 2], None),
    ([0, 2, 2], None),
    ([0, 0.5, 1, 1], None),
    ([-1, 1, 1], None),
]


@pytest.mark.parametrize(("targets", "classes"), FEW)
def test_few_examples_have_classes_too(targets: list[float], classes: int | None) -> None:
    data = TensorDataset(torch.zeros(len(targets), 2), torch.tensor(targets))
    assert MLP(data=data).classes == classes


@pytest.mark.parametrize("count", [2, 3, 4, 5])
@pytest.mark.parametrize("data", ["two_moons", "spirals", "circles"])
def test_few_generated_examples_have_classes_too(data: str, count: int) -> None:
    assert MLP(data, count=count).classes == 2
    assert MLP("teacher_student", count=count).classes is None


def test_only_targets_that_are_numbers_have_residuals() -> None:
    loss = MLP("diabetes", widths=(3,), standardize=True)
    x = points(loss, 2)
    residuals = loss.residuals(x)
    assert residuals is not None and MLP().residuals(points(MLP(), 2)) is None
    torch.testing.assert_close(residuals.square().mean(-1), loss(x), rtol=1e-14, atol=0)


def test_the_noise_of_the_data_is_structure(gd: Any, here: Any) -> None:
    words = ("loss=mlp", "loss.widths=[2]", "loss.noise=0.1,0.3", "seed=0,1", "steps=2")
    done = gd("-m", *words, "optimizer=adam", "dry_run=true")
    assert (done.code, done.err) == (0, "")
    assert "4 runs" in done.out and "2 batches" in done.out


def test_two_moons_on_the_command_line(gd: Any, here: Any) -> None:
    done = gd("loss=mlp", "optimizer=adam", "lr=0.02", "steps=200", "hydra.run.dir=run")
    assert (done.code, done.err) == (0, "")
    shown = dict(line.split(maxsplit=1) for line in done.out.splitlines()[1:])
    assert float(shown["accuracy"]) >= 0.97  # observed 1
    made = "2 → 16 → 16 → 2, tanh: 354 parameters; 200 examples of two_moons"
    assert shown["network"] == made
    assert (here / "run" / "trajectory.png").is_file()
