"""Checkpoints: what torch loads, the module that comes back, and the same bits once more."""

import copy
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import networks
from torch import nn
from torch.nn import functional

import gdlab
from gdlab.config.loading import settings_from_flat
from gdlab.errors import RecordError, SettingError
from gdlab.losses import Module
from gdlab.losses.models.mlp import ACTIVATIONS, MLP
from gdlab.recording.checkpoint import best_record, write_checkpoint
from gdlab.recording.digests import VerifiedFiles, write_with_digest

NOISY: dict[str, Any] = {"validation": 0.3, "count": 60, "loss.noise": 0.6, "steps": 9, "seed": 3}
NOISY |= {"widths": (2,), "record.max_coords": 4}
QUIET: dict[str, Any] = {"record.figures": False, "record.events": False}


def train(directory: Path | None, loss: Any = "mlp", **settings: Any) -> gdlab.Run:
    """A noisy run whose validation loss is lowest before its end."""
    given: dict[str, Any] = {"lr": 0.3} | NOISY | QUIET | settings
    return gdlab.run(loss, "adam", directory=directory, **given)


def state_of(directory: Path) -> dict[str, torch.Tensor]:
    VerifiedFiles(directory).verify("checkpoint.pt")
    return torch.load(directory / "checkpoint.pt", weights_only=True)


def assert_same(module: nn.Module, other: nn.Module) -> None:
    pairs = zip(module.state_dict().items(), other.state_dict().items(), strict=True)
    for (name, value), (other_name, other_value) in pairs:
        assert name == other_name and torch.equal(value, other_value)


@pytest.mark.parametrize("kind", ["best", "last"])
def test_torch_loads_the_checkpoint_of_an_mlp(tmp_path: Path, kind: str) -> None:
    run = train(tmp_path / "run", **{"record.checkpoint": kind})
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)).double()
    net.load_state_dict(state_of(tmp_path / "run"))
    losses, loss = run.history.metrics["validation_loss"], run.settings.loss
    step = int(losses.argmin()) if kind == "best" else 9
    assert isinstance(loss, MLP) and loss.held_out is not None and 0 < losses.argmin() < 9
    inputs, targets = loss.held_out[0], loss.held_out[1].long()
    value = functional.cross_entropy(net(inputs), targets).item()
    assert value == pytest.approx(losses[step], rel=1e-13)  # observed 2e-16
    weights = nn.utils.parameters_to_vector(net.parameters()).detach().numpy()
    assert np.array_equal(weights, run.history.x[step])
    # All 12 coordinates were kept of a few points, the best one among them.
    recorded = gdlab.load(tmp_path / "run")
    for which in (kind, 0, "last"):
        assert_same(recorded.module(which), run.module(which))
    assert_same(recorded.module(kind), net)
    with pytest.raises(SettingError, match="which=8: of 12 parameters those at steps 0, 1, 2, "):
        recorded.module(8)


def test_the_best_record_is_the_first_of_equal_ones() -> None:
    loss, nan = np.array([3.0, 1.0, 2.0, 1.0]), np.full(4, np.nan)
    assert best_record({}, loss) == 1
    assert best_record({"validation_loss": np.array([2.0, np.nan, 0.5, 0.5])}, loss) == 2
    assert best_record({"validation_loss": nan}, loss) is None
    assert best_record({}, loss[:0]) is None


@pytest.mark.parametrize(
    "net", [networks.Net(kind="buffer"), networks.Tied(), networks.Frozen()], ids=type
)
def test_a_module_comes_back_with_its_buffers_and_tied_weights(
    tmp_path: Path, net: nn.Module
) -> None:
    loss = Module(module=net)
    settings = settings_from_flat({"loss": loss})
    x = 2 * loss.start + 0.25
    write_checkpoint(tmp_path, settings, x.numpy())
    fresh = copy.deepcopy(net).double()
    fresh.load_state_dict(state_of(tmp_path))
    assert_same(fresh, loss.network_at(x))
    value = functional.cross_entropy(fresh(loss.inputs), loss.targets.long()).item()
    assert value == pytest.approx(float(loss(x)), rel=1e-13)  # observed 2e-16


@pytest.mark.parametrize("which", ["best", 0, "last"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_buffers_and_fixed_parameters_come_back_by_the_checkpoint(
    tmp_path: Path, which: int | str, dtype: str
) -> None:
    fresh = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)).eval()
    fresh[0].requires_grad_(False)
    net = copy.deepcopy(fresh)
    net.load_state_dict({name: value + 1 for name, value in net.state_dict().items()})
    given: dict[str, Any] = {"steps": 3, "dtype": dtype, "record.checkpoint": "best"} | QUIET
    run = gdlab.run(Module(module=net), "adam", 0.1, directory=tmp_path / "run", **given)
    recorded = gdlab.load(tmp_path / "run")
    assert_same(run.module(which), recorded.module(which, model=fresh))
    fresh[1] = nn.BatchNorm1d(3, track_running_stats=False)
    with pytest.raises(SettingError, match="its buffers or fixed parameters are not those of che"):
        recorded.module(which, model=fresh)


class Evil:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self._path,)


@pytest.mark.parametrize("kind", ["evil", "text", "empty"])
def test_nothing_but_tensors_is_read_from_a_checkpoint(tmp_path: Path, kind: str) -> None:
    folder, mark = tmp_path / "run", tmp_path / "mark"
    net = nn.Sequential(nn.Linear(2, 2))
    gdlab.run(Module(module=net), "sgd", 0.1, directory=folder, steps=2, **QUIET)
    content = io.BytesIO()
    torch.save({"0.weight": Evil(mark)}, content)
    contents = {"evil": content.getvalue(), "text": b"cos\nsystem\n", "empty": b""}
    write_with_digest(folder, "checkpoint.pt", contents[kind])
    with pytest.raises(RecordError, match=r"checkpoint\.pt: missing or damaged"):
        gdlab.load(folder).module(model=net)
    assert not mark.exists()


def test_a_class_is_imported_only_where_it_is_given_or_trusted(tmp_path: Path) -> None:
    given: dict[str, Any] = {"data": "two_moons", "dtype": "float32", "steps": 3} | QUIET
    run = gdlab.run(networks.Net, directory=tmp_path / "run", **given)
    recorded = gdlab.load(tmp_path / "run")
    again = [recorded.module(trust=True), recorded.module(model=networks.Net)]
    for module in (*again, recorded.module(model=networks.Net(kind="state"))):
        assert_same(run.module(), module)
        assert next(module.parameters()).dtype == torch.float32
    assert_same(run.module(1), recorded.module(1, trust=True))
    refused = [
        ({}, "model=None: helpers.networks.Net is not imported unasked; give it, as module(model="),
        ({"model": nn.Linear(2, 2)}, "model=Linear: its parameters have other names or shapes"),
        (
            {"model": lambda: networks.Net()},
            "model: must be a class of torch.nn.Module or an instance",
        ),
        (
            {"model": "Net"},
            "model: must be a class of torch.nn.Module or an instance of one, was a",
        ),
        ({"which": "first", "trust": True}, "which=first: must be best, last or a step that was"),
        ({"which": 4, "trust": True}, "which=4: must be best, last or a step that was recorded"),
    ]
    for given, message in refused:
        with pytest.raises(SettingError) as error:
            recorded.module(**given)  # type: ignore[arg-type]
        assert str(error.value).startswith(message)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_layers_of_an_mlp_are_torchs(activation: Any) -> None:
    loss = MLP("iris", widths=(3, 2), activation=activation)
    state, x = torch.get_rng_state(), loss.start
    net = loss.network_at(x)
    assert torch.equal(torch.get_rng_state(), state)
    scores = loss.scores(x, loss.inputs)
    torch.testing.assert_close(net(loss.inputs), scores, rtol=1e-13, atol=1e-15)  # observed 2e-16


def test_images_are_flattened() -> None:
    images, labels = torch.randn(12, 2, 3), torch.arange(12) % 3
    loss = MLP(data=(images, labels), widths=(4,))  # type: ignore[arg-type]
    net = loss.network_at(loss.start)
    torch.testing.assert_close(net(loss.inputs), loss.scores(loss.start, loss.inputs))
    assert list(net.state_dict()) == [name for name, _ in loss.layout]


def test_a_transformed_network_has_its_own_parameters(tmp_path: Path) -> None:
    moved = gdlab.Transform(rotation=1, shift=0.1, scale=2.0)
    run = train(tmp_path / "run", transform=moved, steps=1)
    loss: Any = run.settings.loss
    value = functional.cross_entropy(run.module()(loss.inputs), loss.targets.long()).item()
    assert value == pytest.approx(run.outcome.final_loss, rel=1e-12)  # observed 2e-16
    assert_same(gdlab.load(tmp_path / "run").module(), run.module())


def test_what_has_no_network(tmp_path: Path) -> None:
    run = gdlab.run("sphere", steps=2, directory=tmp_path / "run", **QUIET)
    with pytest.raises(SettingError, match="module: loss=sphere is no network"):
        run.module()
    recorded = gdlab.load(tmp_path / "run")
    with pytest.raises(SettingError, match="run is no network"):
        recorded.module()
    swept = gdlab.sweep("sphere", lr=[0.1, 0.2], steps=1, directory=tmp_path / "sweep", **QUIET)
    with pytest.raises(SettingError, match="module: a sweep has one for each run; load the folder"):
        gdlab.load(swept.directory or "").module()
    with pytest.raises(
        SettingError, match=r"record\.checkpoint=best: is for networks, loss=mlp and"
    ):
        gdlab.run("sphere", **{"record.checkpoint": "best"})  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"record\.checkpoint=first: must be one of best, last"):
        gdlab.run("mlp", **{"record.checkpoint": "first"})  # type: ignore[arg-type]


def test_a_damaged_checkpoint_is_recorded_again_with_the_same_bits(gd: Any, here: Path) -> None:
    words = ("loss=mlp", "loss.widths=[2]", "loss.validation=0.3", "record.checkpoint=best")
    words = (*words, "record.figures=false", "record.events=false", "steps=9", "lr=0.5,1")
    assert gd("-m", *words, "hydra.sweep.dir=sweep").code == 0
    file, other = (here / "sweep" / f"lr={lr}" / "checkpoint.pt" for lr in ("1", "0.5"))
    before = file.read_bytes(), other.read_bytes()
    assert before[0] != before[1]
    file.write_bytes(before[0][:-1])
    (other.parent / "result.json").unlink()  # as if the run had been interrupted
    with pytest.raises(RecordError, match="it differs from its digest"):
        state_of(file.parent)
    done = gd("resume=sweep")
    assert done.code == 0 and "checkpoint.pt: missing or damaged" in done.err
    assert (file.read_bytes(), other.read_bytes()) == before
