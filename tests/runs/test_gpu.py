"""With device=cuda runs are those on the CPU, of which a pretended device has the arithmetic."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.batches import Finished, assert_same_bits, finish
from helpers.pretended_cuda import CUDA, pretended_cuda
from torch import Tensor, nn

import gdlab
from gdlab.config.loading import settings_from_flat
from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch
from gdlab.engine.compiler.cuda import nvrtc
from gdlab.engine.outcome import Outcome
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.paths import CONF
from gdlab.results.recorded_history import RecordedHistory
from gdlab.runs.batching import batch_of


def test_the_device_refuses_what_torch_refuses() -> None:
    with pretended_cuda() as device:
        x = torch.arange(3.0, device="cuda")
        assert x.device == (x + torch.tensor(1.0)).device == x[torch.tensor([0])].device == CUDA
        for mixed in (
            lambda: x + torch.ones(3),
            lambda: torch.ones(3)[x.long()],
            lambda: torch.stack((x[0], torch.tensor(1.0))),
            lambda: torch.ones(3).add_(x[0]),
        ):
            with pytest.raises(RuntimeError, match="on the same device, but found at least two"):
                mixed()
        with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
            x.numpy()
        assert device.waits == 0
        assert (x.tolist(), float(x[1]), bool((x > 1).any())) == ([0.0, 1.0, 2.0], 1.0, True)
        assert device.waits == 3


def names_in(group: str) -> list[str]:
    """The names of all choices of a group of conf that need no class of one's own."""
    paths = (CONF / group).rglob("*.yaml")
    names = sorted(path.relative_to(CONF / group).with_suffix("").as_posix() for path in paths)
    return [name for name in names if name not in ("custom", "module")]


def batch_on(device: str, settings: Settings) -> Batch:
    """The batch of one run on a device."""
    return batch_of(settings.unchecked(device=device))


def assert_same_on_both(**given: Any) -> None:
    """Assert that a run has the same bits on both devices, without its diagnosis."""
    settings = settings_from_flat({"steps": 2, **given})
    (on_cpu,) = finish(batch_on("cpu", settings))
    with pretended_cuda():
        (on_gpu,) = finish(batch_on("cuda", settings))
    assert_same_bits(on_gpu, on_cpu)


def values_of(batch: Batch) -> list[Tensor]:
    """What a run asks of a loss, at its start."""
    loss, x = batch.loss, batch.start
    value, grad = value_and_gradient(loss, x)
    metrics = [metric(x) for metric in loss.metrics.values()]
    found = [x, value, grad, loss.distance(x), loss.suboptimality(value), *metrics]
    return [values.detach().cpu() for values in found if values is not None]


# Autograd of a product rounds otherwise for tensors of a class of one's own.
PRODUCTS = ("griewank", "shubert")


@pytest.mark.parametrize("name", names_in("loss"))
def test_every_loss(name: str) -> None:
    settings = settings_from_flat({"loss": name})
    with pretended_cuda():
        on_gpu = values_of(batch_on("cuda", settings))
    rtol = 1e-14 if name in PRODUCTS else 0.0
    torch.testing.assert_close(on_gpu, values_of(batch_on("cpu", settings)), rtol=rtol, atol=0.0)


LOSS_OF = {"muon": "mlp", "natural_gradient": "logistic", "exact": "quadratic"}
LOSS_OF |= {"gauss_newton": "mgh/helical_valley", "levenberg_marquardt": "mgh/helical_valley"}


@pytest.mark.parametrize("name", names_in("optimizer"))
def test_every_optimizer(name: str) -> None:
    assert_same_on_both(loss=LOSS_OF.get(name, "rosenbrock"), optimizer=name)


@pytest.mark.parametrize("name", names_in("schedule"))
def test_every_schedule(name: str) -> None:
    begins = {"schedule.warmup": 2} if "warmup" in name else {}
    assert_same_on_both(loss="sphere", schedule=name, steps=4, **begins)


class Net(nn.Module):
    """A network of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(2, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (N, 2)."""
        return self.out(torch.tanh(self.hidden(x)))


def expression(formula: str, **given: Any) -> dict[str, Any]:
    return {"loss": "expression", "formula": formula, **given}


# What is computed besides steps: whole runs, with what is said of their ends.
RUNS: dict[str, dict[str, Any]] = {
    "minibatches": {"loss": "mlp", "batch_size": 8, "record.full_loss_every": 3, "steps": 5},
    "patience": {
        "loss": "logistic",
        "loss.validation": 0.3,
        "lr": 9.0,
        "steps": 9,
        "stop": gdlab.Stop(patience=2),
    },
    "sharpness": {"loss": "rosenbrock", "lr": 1e-3, "record.sharpness_every": 2, "steps": 3},
    "noise": {
        "loss": "rosenbrock",
        "lr": 1e-4,
        "steps": 3,
        "dtype": "float32",
        "start": "random",
        "start_spread": 0.1,
        "noise": gdlab.Noise(scale=0.1, kind="student_t"),
        "transform": gdlab.Transform(rotation=3, shift=1.0, scale=2.0),
    },
    "targets": {"lr": 0.1, "steps": 99, "stop": gdlab.Stop(targets=(0.1, 0.01))},
    "a target": {"lr": 0.1, "steps": 99, "stop": gdlab.Stop(loss=0.5, max_loss=1e3)},
    "converges": {"loss": "sphere", "lr": 0.5},
    "unstable": {"lr": 0.25, "steps": 9, "stop": gdlab.Stop(max_loss=1e3)},
    "a saddle": {"loss": "saddle", "start": [1, 0], "lr": 0.5, "steps": 9},
    "degenerate": {"loss": "mgh/linear_rank1_zero", "lr": 1e-4, "steps": 3},
    "around a kink": expression("abs(x) + abs(y)", start=[1.0, 0.5], lr=0.15, steps=20),
    "leaves the domain": expression("x - log(x)", start=[0.1], lr=5.0, steps=3),
    "unbounded": expression("a*x**3", start=[1.0], lr=0.01, steps=5, parameters={"a": 2}),
    "raw columns": {"loss": "mse", "data": "diabetes", "lr": 1e-5, "steps": 5},
    "a module": {"loss": Net, "data": "two_moons", "batch_size": 8, "steps": 2},
    "a function": {"loss": lambda x: (x**2).sum(), "start": [1.0, 2.0], "steps": 2},
    "of torch": {"loss": "rosenbrock", "optimizer": torch.optim.NAdam, "lr": 1e-3, "steps": 2},
    "a closure": {"optimizer": torch.optim.LBFGS, "kwargs": {"max_iter": 1}, "steps": 1},
}


@pytest.mark.parametrize("name", RUNS)
def test_whole_runs(name: str) -> None:
    given = {**RUNS[name], "engine.mode": "eager"}
    on_cpu = gdlab.run(**given)
    with pretended_cuda():
        on_gpu = gdlab.run(**given, device="cuda")
    one, other = Finished(on_cpu.history, on_cpu.outcome), Finished(on_gpu.history, on_gpu.outcome)
    assert_same_bits(one, other)
    for field in dataclasses.fields(Outcome):
        a, b = (getattr(end.outcome, field.name) for end in (one, other))
        np.testing.assert_equal(a, b, field.name)


def test_auto_is_the_device_that_is_there(tmp_path: Path) -> None:
    given: dict[str, Any] = {"loss": "mlp", "steps": 1, "device": "auto", "engine.mode": "eager"}
    given |= {"directory": tmp_path / "run", "record.checkpoint": "last"}
    with pretended_cuda() as device:
        run = gdlab.run(**given)
        assert device.waits > 0
        assert run.explain() is not None
        last = nn.utils.parameters_to_vector(run.module().parameters())
        np.testing.assert_array_equal(last.detach().numpy(), run.outcome.x)
    # What was recorded on a GPU is read where there is none.
    assert gdlab.load(tmp_path / "run").history.loss[-1] == run.outcome.final_loss


def test_compiled_steps_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    def import_module(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(nvrtc, "import_module", import_module)
    given: dict[str, Any] = {"loss": "sphere", "lr": 0.5, "engine.mode": "compiled"}
    with pretended_cuda():
        outcome = gdlab.run(**given, device="cuda").outcome
    needs = "compiled steps on a GPU need pip install 'gdlab[cuda]'"
    assert outcome.mode_reason == f"{needs} (No module named 'cuda.bindings.nvrtc')"


def watch(device: str, folder: Path) -> RecordedHistory:
    """The records of a loop of one's own on a device."""
    torch.manual_seed(0)
    net, x = Net().to(device), torch.randn(16, 2).to(device)
    y = (x.sum(1) > 0).long()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def loss() -> Tensor:
        return nn.functional.cross_entropy(net(x), y)

    ways: dict[str, Any] = {"quiet": True, "figures": False, "sharpness_every": 2}
    with gdlab.watch(net, optimizer, folder, closure=loss, **ways) as watched:
        for _ in range(3):
            optimizer.zero_grad()
            value = loss()
            value.backward()
            optimizer.step()
            watched.step(value)
    return watched.run.history


def test_a_loop_of_ones_own_is_watched(tmp_path: Path) -> None:
    on_cpu = watch("cpu", tmp_path / "cpu")
    with pretended_cuda():
        on_gpu = watch("cuda", tmp_path / "gpu")
    for name in ("loss", "grad_norm", "lr", "x"):  # norms are those of float32 on a GPU: to 1e-7
        np.testing.assert_allclose(getattr(on_gpu, name), getattr(on_cpu, name), rtol=1e-6)
    np.testing.assert_allclose(on_gpu.metrics["sharpness"], on_cpu.metrics["sharpness"], rtol=1e-5)
