"""Custom modules and datasets."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from helpers import networks
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import TensorDataset

import gdlab
from gdlab.errors import SettingError
from gdlab.losses import MLP, Module
from gdlab.losses.datasets.tables import Examples
from gdlab.losses.datasets.torch_dataset import examples_from_dataset
from gdlab.numerics.autodiff import value_and_gradient

CPU = torch.device("cpu")
NET = {"_target_": "helpers.networks.Net"}
OWN = ("loss=module", "loss.module._target_=helpers.networks.Net")


def points(loss: Module | MLP, rows: int) -> Tensor:
    return loss.tensor(0.7 * np.random.default_rng(rows).standard_normal((rows, loss.dim)))


def with_parameters(module: nn.Module, loss: Module, x: Tensor) -> nn.Module:
    """A module with the parameters x (D,), by assignment."""
    module = module.double()
    for name, value in loss.blocks(x).items():
        module.get_parameter(name).data = value.clone()
    return module


def test_a_module_is_the_mlp_of_the_same_layers() -> None:
    layers = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    own, ours = Module(module=layers, data="iris"), MLP("iris", widths=(5,))
    assert (own.names, own.layout, own.classes) == (ours.names, ours.layout, 3)
    x = points(ours, 3)
    for theirs, expected in zip(
        value_and_gradient(own, x), value_and_gradient(ours, x), strict=True
    ):
        torch.testing.assert_close(theirs, expected, rtol=1e-12, atol=1e-14)  # observed 2e-16
    chosen = torch.tensor([[0, 60, 120], [1, 2, 3], [149, 0, 1]])
    torch.testing.assert_close(own.partial(x, chosen), ours.partial(x, chosen), rtol=1e-13, atol=0)
    accuracy = own.metrics["accuracy"](x)
    assert torch.equal(accuracy, ours.metrics["accuracy"](x))
    torch.testing.assert_close(own(x.reshape(3, 1, -1))[:, 0], own(x), rtol=1e-13, atol=0)


@pytest.mark.parametrize(
    "module",
    [networks.Net(kind="buffer"), networks.Tied(), networks.Frozen()],
    ids=["buffer", "tied", "frozen"],
)
def test_gradients_are_those_of_the_module_itself(module: nn.Module) -> None:
    loss = Module(module=module)
    before = [parameter.detach().clone() for parameter in module.parameters()]
    x = points(loss, 2)
    values, gradients = value_and_gradient(loss, x)
    assert all(map(torch.equal, before, module.parameters())), "the module is left as it was"
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    for row in range(2):
        again = with_parameters(copy.deepcopy(module), loss, x[row])
        theirs = functional.cross_entropy(again(loss.inputs), loss.targets.long())
        theirs.backward()
        parts = [again.get_parameter(name).grad for name, _ in loss.layout]
        expected = torch.cat([part.flatten() for part in parts if part is not None])
        assert float(values[row]) == pytest.approx(float(theirs.detach()), rel=1e-13)
        torch.testing.assert_close(gradients[row], expected, rtol=1e-12, atol=1e-15)


def test_a_tied_weight_occurs_once_and_a_frozen_one_not_at_all() -> None:
    assert [name for name, _ in Module(module=networks.Tied()).layout] == [
        "one.weight",
        "one.bias",
        "other.bias",
    ]
    assert [name for name, _ in Module(module=networks.Frozen()).layout] == [
        "layers.2.weight",
        "layers.2.bias",
    ]


def test_a_class_starts_each_run_as_torch_would_with_its_seed() -> None:
    loss = Module(module={**NET, "width": 3})
    state = torch.get_rng_state()
    starts = loss.starts(torch.tensor([4, 0, 2**40 + 1]))
    assert torch.equal(torch.get_rng_state(), state)
    for row, seed in zip(starts, (4, 0, 2**40 + 1), strict=True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = networks.Net(width=3)
        assert torch.equal(row, torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert len(torch.unique(starts, dim=0)) == 3
    assert torch.equal(loss.start, starts[1])


def test_an_instance_starts_at_its_parameters() -> None:
    net = networks.Net()
    expected = torch.cat([p.detach().flatten() for p in net.parameters()]).double()
    starts = Module(module=net).starts(torch.tensor([4, 0]))
    assert torch.equal(starts, expected.expand(2, -1))


def test_it_is_cast_to_the_dtype_of_the_run() -> None:
    loss = Module(module=NET)
    assert value_and_gradient(loss, points(loss, 2))[1].dtype == torch.float64
    single = loss.to(torch.float32, CPU)
    values, gradients = value_and_gradient(single, points(loss, 2).float())
    assert values.dtype == gradients.dtype == torch.float32
    torch.testing.assert_close(values.double(), loss(points(loss, 2)), rtol=1e-5, atol=0)


def test_integers_of_a_custom_dataset_stay_integers() -> None:
    loss = Module(
        module={"_target_": "helpers.networks.Words"},
        data={"_target_": "helpers.networks.Sentences"},
    )
    assert (loss.classes, loss.outputs, loss.inputs.dtype) == (None, 1, torch.int64)
    x = points(loss, 1)
    scores = x[0].reshape(5, 3)[loss.inputs].sum((-1, -2))
    expected = (scores - loss.targets[:, 0]).square().mean()
    assert float(loss(x)[0]) == pytest.approx(float(expected), rel=1e-14)
    chosen = torch.tensor([[1, 5]])
    expected = (scores - loss.targets[:, 0])[chosen[0]].square().mean()
    assert float(loss.partial(x, chosen)[0]) == pytest.approx(float(expected), rel=1e-14)


REFUSED: list[tuple[Any, str]] = [
    ({}, "module._target_: must name a subclass of torch.nn.Module"),
    ({"_target_": "os.system"}, "module._target_=os.system: must be the dotted name of a subclass"),
    (
        {"_target_": "helpers.networks.Sided"},
        "must be the dotted name of a subclass of torch.nn.Module",
    ),
    ({**NET, "depth": 2}, "cannot be instantiated (TypeError: Net.__init__() got an unexpected"),
    ({**NET, "outputs": 3}, "gives scores of shape (8, 3) for 8 examples; must be (8, 2)"),
    (
        {**NET, "kind": "random"},
        "module._target_=helpers.networks.Net: its scores change from call",
    ),
    ({**NET, "kind": "state"}, "its scores change from call to call (random numbers or internal"),
    ({**NET, "kind": "in_place"}, "changes its inputs in its forward pass"),
    ({**NET, "kind": "centered"}, "an example's score depends on the others, as with batch"),
    ({**NET, "kind": "integers"}, "gives scores of torch.int64, but they must be real numbers"),
    ({**NET, "kind": "detached"}, "its scores do not depend on its parameters"),
    ({**NET, "kind": "exits"}, "cannot be instantiated (SystemExit: 3)"),
    ({**NET, "width": 200_000}, "has 1,000,002 parameters; at most 1,000,000 are allowed"),
    ({**NET, "kind": "counter"}, "changes a buffer in its forward pass"),
    ({**NET, "kind": "item"}, "runs many networks at once (RuntimeError: vmap: It looks like"),
    (
        {**NET, "kind": "raises"},
        "cannot score examples, inputs of shape (8, 2), torch.float64 (ValueError: no)",
    ),
    (
        nn.Embedding(9, 2),
        "cannot score examples, inputs of shape (8, 2), torch.float64 (RuntimeError",
    ),
    (
        nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)),
        "module._target_=Sequential: 1 is a Dropout with dropout 0.1: its scores are random",
    ),
    (
        nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)),
        "1 is a BatchNorm1d: batch statistics make an example's score depend on the others",
    ),
    (nn.BatchNorm1d(2, track_running_stats=False), "it is a BatchNorm1d: batch statistics"),
    (nn.LSTM(2, 2, num_layers=2, dropout=0.5), "it is a LSTM with dropout 0.5"),
    (nn.LSTM(2, 2), "gives a tuple, but must give a tensor of scores"),
    (nn.LazyLinear(2), "weight has no shape yet (a lazy module)"),
    (nn.Linear(2, 2, dtype=torch.complex64), "weight holds torch.complex64"),
    (nn.Tanh(), "has no parameter that requires a gradient"),
    (3, "module=3: must be a Module or a mapping from names to values"),
]


@pytest.mark.parametrize(("module", "message"), REFUSED)
def test_unsuitable_modules_are_refused(module: Any, message: str) -> None:
    with pytest.raises(SettingError) as error:
        Module(module=module)
    assert message in str(error.value) and str(error.value).startswith("module")
    assert "\n" not in str(error.value)


def test_dropout_with_probability_0_is_allowed() -> None:
    Module(module=nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.0), nn.GroupNorm(1, 2)))


def test_in_evaluation_mode_dropout_and_batch_statistics_are_fixed() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 2))
    refused = []
    for ready in (net, nn.Sequential(net[0], net[2], net[3])):
        with pytest.raises(SettingError) as error:
            Module(module=ready)
        refused.append(str(error.value))
    for message, way in zip(refused, ("LayerNorm or GroupNorm", "set it to 0"), strict=True):
        assert way in message and "(.eval())" in message and "gdlab.watch" in message
    loss = Module(module=net.eval())
    expected = functional.cross_entropy(net.double()(loss.inputs), loss.targets.long())
    assert float(loss(loss.start)) == pytest.approx(expected.item(), rel=1e-13)


# Data sets.


def test_a_data_set_of_pairs_and_one_of_tensors() -> None:
    given = {"_target_": "helpers.networks.Sided", "n": 30}
    examples = examples_from_dataset(given, 3)
    assert examples.features.shape == (30, 2) and examples.features.dtype == np.float64
    expected = (examples.features.sum(1) > 1).astype(float)
    np.testing.assert_array_equal(examples.targets, expected)
    same = TensorDataset(torch.tensor(examples.features), torch.tensor(expected)[:, None])
    again = examples_from_dataset(same, 0)
    assert (again.features == examples.features).all() and again.targets.shape == (30,)
    assert MLP(data=given).classes == MLP(data=same).classes == 2  # type: ignore[arg-type]


def test_a_data_set_is_drawn_with_its_seed() -> None:
    def draw(seed: int) -> Examples:
        return examples_from_dataset({"_target_": "helpers.networks.Sided"}, seed)

    state = torch.get_rng_state()
    assert (draw(1).features == draw(1).features).all()
    assert (draw(1).features != draw(2).features).all()
    assert torch.equal(torch.get_rng_state(), state)


ZEROS = torch.zeros(4, 2)
BAD_DATA: list[tuple[Any, str]] = [
    ({"n": 3}, "data._target_: must name a subclass of torch.utils.data.Dataset"),
    (
        {"_target_": "helpers.networks.Net"},
        "must be the dotted name of a subclass of torch.utils.",
    ),
    (
        {"_target_": "helpers.networks.Endless"},
        "must yield pairs of features and target (TypeError: ",
    ),
    (
        {"_target_": "helpers.networks.Holed"},
        "a feature or a target is not a finite number",
    ),
    (
        {"_target_": "helpers.networks.Counted"},
        "1,000,000,000,000 examples; at most 10,000,000",
    ),
    (
        TensorDataset(ZEROS.to(torch.complex64), ZEROS[:, 0]),
        "(TypeError: torch.complex64, but",
    ),
    (TensorDataset(ZEROS), "data=TensorDataset: must yield pairs of features and target"),
    (TensorDataset(ZEROS[:0], ZEROS[:0, 0]), "yields 0 features and 0 targets"),
    (TensorDataset(ZEROS, torch.zeros(4, 2, 2)), "ValueError: targets of shape (2, 2)"),
]


@pytest.mark.parametrize(("data", "message"), BAD_DATA)
def test_unusable_datasets_are_refused(data: Any, message: str) -> None:
    with pytest.raises(SettingError) as error:
        MLP(data=data)
    assert message in str(error.value) and "\n" not in str(error.value)


# On the command line, and in sweeps.


def test_on_the_command_line(gd: Any, here: Any) -> None:
    data = ("loss.data._target_=helpers.networks.Sided", "loss.data.n=60")
    words = (*OWN, "loss.module.width=8", *data, "optimizer=adam", "lr=0.05", "steps=150")
    done = gd(*words, "dtype=float32", "hydra.run.dir=run")
    assert (done.code, done.err) == (0, "")
    shown = dict(line.split(maxsplit=1) for line in done.out.splitlines()[1:])
    assert float(shown["accuracy"]) >= 0.97  # observed 1
    assert shown["network"] == "Net: 42 parameters; 60 examples of helpers.networks.Sided"
    assert (here / "run" / "trajectory.png").is_file()


def test_what_the_command_line_refuses(gd: Any, here: Any) -> None:
    done = gd(*OWN, "loss.module.kind=random", "hydra.run.dir=run")
    assert done.code == 2 and done.err.count("\n") == 1
    assert done.err.startswith(
        "error: loss.module._target_=helpers.networks.Net: its scores change"
    )
    done = gd("loss=module")
    assert done.err.startswith("error: loss.module._target_=???: must be the dotted name")
    assert not (here / "run").exists()


def test_a_sweep_reads_back_no_class_that_is_not_named_again(gd: Any, here: Any) -> None:
    words = ("loss.module.width=2,3", "seed=0,1", "steps=3", "record.figures=false")
    done = gd("-m", *OWN, *words, "hydra.sweep.dir=sweep")
    assert (done.code, done.err) == (0, "")
    results = gdlab.load("sweep").results
    assert results["loss.module.width"].tolist() == [2, 2, 3, 3]
    assert len(set(results["final_loss"])) == 4
    before = (here / "sweep" / "results.csv").read_bytes()
    done = gd("resume=sweep")
    assert done.code == 2 and done.err == (
        "error: resume=sweep: its plan names helpers.networks.Net; to run that class, "
        "name it again: add loss.module._target_=helpers.networks.Net\n"
    )
    done = gd("resume=sweep", "loss.module._target_=helpers.networks.Net")
    assert (done.code, done.err) == (0, "")
    assert (here / "sweep" / "results.csv").read_bytes() == before


def test_from_python() -> None:
    run = gdlab.run(Module(module=networks.Net()), "adam", 0.05, steps=20)
    assert run.outcome.final_loss < run.history.loss[0] - 0.1  # observed 0.3
    widths: dict[str, Any] = {"loss.module.width": [2, 3]}
    swept = gdlab.sweep(Module(module=NET), "adam", 0.05, steps=3, seed=[0, 1], **widths)
    assert swept.results["loss.module.width"].tolist() == [2, 3, 2, 3]
    assert len(set(swept.results["final_loss"])) == 4
