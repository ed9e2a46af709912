"""Compiled steps on losses over data against eager steps, and rows against their neighbors."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from helpers.batches import assert_same_bits, finish, make_batch, rows_of, why_eager
from torch import Tensor, nn

from gdlab.engine.batch import Batch
from gdlab.engine.compiled import compared_rows, ways
from gdlab.engine.loop import ChunkSizes, compile_steps
from gdlab.losses import MLP, Huber, Lasso, Logistic, Loss, Module, Ridge, Rosenbrock, Softmax
from gdlab.optimizers import SGD, Adam, AdGD, HeavyBall, Muon, Optimizer, RMSprop
from gdlab.schedules import ReduceOnPlateau, Warmup


class Residual(nn.Module):
    """Linear layers, an activation, a normalization and a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 5), nn.Linear(5, 5)
        self.norm, self.last = nn.LayerNorm(5), nn.Linear(5, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        units = torch.nn.functional.gelu(self.first(inputs))
        return self.last(self.norm(units + self.second(units)))


def batch_of(
    loss: Loss,
    optimizer: Optimizer | None = None,
    lr: Sequence[float] | np.ndarray = (0.01, 0.003),
    noise: float = 0.0,
    **settings: object,
) -> Batch:
    """A batch whose runs draw their starts from their seeds."""
    batch = make_batch(loss, optimizer, lr, noise=noise, steps=10)
    start = loss.tensor(loss.starts(batch.seed)).expand(len(batch.lr), -1)
    return dataclasses.replace(batch, start=start, **settings)


def compiled(batch: Batch, threads: int = 1) -> Batch:
    assert ways(batch)[0]
    assert why_eager(batch) is None
    return dataclasses.replace(batch, mode="compiled", threads=threads)


NESTEROV = SGD(momentum=0.5, nesterov=True)
PLATEAU = ReduceOnPlateau(shrink=0.4, patience=1, threshold=0.5)

CLOSE: dict[str, Batch] = {
    "ridge": batch_of(Ridge(penalty=0.3), NESTEROV),
    "lasso": batch_of(Lasso(), RMSprop()),
    "huber": batch_of(Huber(data="diabetes", delta=0.7), SGD()),
    "logistic": batch_of(Logistic(penalty=0.1), Adam(), noise=0.1),
    "softmax": batch_of(Softmax(data="wine"), SGD(weight_decay=0.1)),
    "mlp": batch_of(MLP(widths=(7, 5), count=150), Adam()),
    # Seven tiles of examples, the last with padding.
    "mlp, tiles": batch_of(MLP(data="digits", widths=(9,), activation="relu"), SGD(momentum=0.9)),
    "mlp, numbers": batch_of(
        MLP(data="diabetes", widths=(3,), standardize=True, activation="silu"), Adam()
    ),
    "module": batch_of(Module(data="iris", module=Residual().double(), standardize=True), Adam()),
    "minibatches": batch_of(Logistic(batch_size=64), Adam()),
    "minibatches of few examples": batch_of(Huber(batch_size=5), NESTEROV),
    # Optimizers that keep the point before.
    "long points": batch_of(Rosenbrock(dim=70), AdGD(), lr=[1e-4, 1e-3]),
    "heavy ball": batch_of(Rosenbrock(dim=70), HeavyBall(), lr=[1e-4, 1e-5], noise=0.1),
    "matrices": batch_of(MLP(widths=(7, 5), count=150), Muon()),
    "some losses": batch_of(MLP(widths=(7,), batch_size=120), Adam(), full_every=4),
    # Schedules that follow the losses.
    "plateau": batch_of(MLP(widths=(7,), batch_size=120), Adam(), full_every=2, schedule=PLATEAU),
    "plateau of a function": batch_of(
        Rosenbrock(), NESTEROV, lr=[1e-3, 2e-3], schedule=Warmup(warmup=3, then=PLATEAU)
    ),
}


@pytest.mark.parametrize("name", CLOSE)
def test_ten_steps_agree(name: str) -> None:
    batch = CLOSE[name]
    for one, other in zip(finish(batch), finish(compiled(batch)), strict=True):
        assert other.outcome.mode == "compiled"
        # Observed 4e-16. Where a slope is 0 but for rounding, Adam magnifies it: 6e-12.
        np.testing.assert_allclose(other.history.loss, one.history.loss, rtol=1e-12)
        np.testing.assert_allclose(other.history.x, one.history.x, rtol=1e-12, atol=2e-11)
        np.testing.assert_allclose(other.history.grad_norm, one.history.grad_norm, rtol=1e-10)
        np.testing.assert_allclose(other.history.lr, one.history.lr, rtol=1e-15)
        assert other.outcome.steps == one.outcome.steps


SOME = ("ridge", "mlp", "minibatches", "some losses", "long points", "plateau")


@pytest.mark.parametrize("name", SOME)
def test_a_row_has_the_same_bits_in_every_batch_on_any_number_of_threads(name: str) -> None:
    case = CLOSE[name]
    rates = np.geomspace(1e-5, 0.1, 19)
    batch = batch_of(case.loss, case.optimizer, rates, full_every=case.full_every)
    batch = dataclasses.replace(batch, steps=40, schedule=case.schedule)
    batch = compiled(batch)
    together = finish(batch)
    for rows in ([0], [18], [3, 7, 11], list(range(9))):
        for row, alone in zip(rows, finish(rows_of(batch, rows)), strict=True):
            assert_same_bits(together[row], alone)
    for one, other in zip(together, finish(compiled(batch, threads=3)), strict=True):
        assert_same_bits(one, other)
    for one, other in zip(together, finish(batch, sizes=ChunkSizes(max_bytes=1)), strict=True):
        assert_same_bits(one, other)


@pytest.mark.parametrize("name", ["logistic", "softmax", "mlp", "held out"])
def test_metrics_are_those_of_torch(name: str) -> None:
    held_out = MLP(widths=(7, 5), count=150, validation=0.2)
    batch = batch_of(held_out, Adam(), lr=[0.1, 0.01, 0.03]) if name == "held out" else CLOSE[name]
    assert set(compile_steps(batch)[0].measures) == set(batch.loss.metrics)
    together = finish(compiled(batch))
    for row, one in enumerate(finish(batch)):
        (alone,) = finish(rows_of(compiled(batch), [row]))
        for metric, values in one.history.metrics.items():
            # Observed 0 for accuracies, 4e-16 for a loss.
            np.testing.assert_allclose(together[row].history.metrics[metric], values, rtol=1e-12)
            assert (alone.history.metrics[metric] == together[row].history.metrics[metric]).all()


def test_float32_is_computed_in_float32() -> None:
    batch = batch_of(MLP(widths=(7, 5), count=150).to(torch.float32, torch.device("cpu")), Adam())
    batch = dataclasses.replace(batch, lr=batch.lr.float(), noise=batch.noise.float())
    for one, other in zip(finish(batch), finish(compiled(batch)), strict=True):
        assert other.history.x.dtype == np.float32
        # Observed 2e-6.
        np.testing.assert_allclose(other.history.x, one.history.x, rtol=1e-4, atol=1e-5)


def test_a_diverged_run_ends_at_the_same_step() -> None:
    batch = dataclasses.replace(batch_of(Ridge(), lr=[0.01, 30.0]), steps=1000)
    for one, other in zip(finish(batch), finish(compiled(batch)), strict=True):
        assert one.outcome.status == other.outcome.status
        # Near infinity rounding decides; observed 0.
        assert abs(one.outcome.steps - other.outcome.steps) <= 1


class Sorts(nn.Module):
    """Sorts its units."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.linear(inputs).sort(-1).values


class Convolves(nn.Module):
    """Convolves its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.linear = nn.Conv1d(1, 2, 2), nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.linear(self.convolution(inputs[:, None]).flatten(1))


REFUSED = {
    "sort": (Sorts(), "the operation aten.sort.default has no compiled form"),
    "convolution": (Convolves(), "the operation aten.convolution.default has no compiled form"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_module_that_cannot_be_compiled_says_why(name: str) -> None:
    module, reason = REFUSED[name]
    batch = batch_of(Module(data="iris", module=module.double()))
    assert why_eager(batch) == reason
    eager, fallback = finish(batch), finish(dataclasses.replace(batch, mode="compiled"))
    for one, other in zip(eager, fallback, strict=True):
        np.testing.assert_allclose(one.history.x, other.history.x, rtol=1e-14)  # observed 0


class Split(Rosenbrock):
    """Treats the first row of a batch differently from the others."""

    dim: int = 70  # type: ignore[assignment]

    def __call__(self, x: Tensor) -> Tensor:
        first = torch.arange(x.shape[:-1].numel()).reshape(x.shape[:-1]) == 0
        return torch.where(first, 1.0, 2.0) * super().__call__(x)


def test_a_wrong_program_is_not_used_though_only_some_rows_are_compared() -> None:
    rates = np.full(1000, 0.01)
    small, large = MLP(widths=(7, 5), count=150), MLP(data="digits", widths=(64,))
    for loss, rows in ((Rosenbrock(), 1000), (small, 334), (large, 4)):
        compared = compared_rows(batch_of(loss, lr=rates))
        assert (compared[0], len(compared), compared.stop) == (0, rows, 1000)
    assert why_eager(make_batch(Split(), lr=np.full(1000, 1e-5))) == (
        "its compiled form gives other values than torch"
    )


def test_a_number_that_is_0_in_all_compared_rows_counts_in_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gdlab.engine.compiled._COMPARED", 1)  # every second row of eight
    momentum = torch.tensor([0.0, 0.9] * 4, dtype=torch.float64)
    batch = make_batch(Softmax(data="iris"), SGD(momentum=momentum), [0.1] * 8, steps=10)
    batch = compiled(batch)
    for row, together in enumerate(finish(batch)):
        assert_same_bits(together, finish(rows_of(batch, [row]))[0])
