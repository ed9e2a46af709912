"""The sharpness along runs: its values, where it is recorded, and that batches change nothing."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from helpers.batches import Finished, finish, make_batch, rows_of
from helpers.events import read_scalars

import gdlab
from gdlab import losses, theory
from gdlab.engine import metrics
from gdlab.engine.batch import Batch, Stop
from gdlab.engine.history import History
from gdlab.engine.metrics import SHARPNESS, Intervals
from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.fields.declared import declared_fields
from gdlab.losses import Loss, Quadratic, Rosenbrock
from gdlab.losses.function import Function
from gdlab.optimizers import SGD, Adam
from gdlab.schedules import Exponential

NETWORK = losses.MLP(data="teacher_student", widths=(6,), count=40)


def make_recorded(loss: Loss, every: int = 10, mode: str = "eager", **settings: Any) -> Batch:
    options: dict[str, Any] = {"lr": [1e-4, 1e-3, 2e-3]} | settings
    batch = make_batch(loss, **options)
    return replace(batch, intervals={metrics.SHARPNESS: every or 0}, mode=mode)


def known_steps(history: History) -> np.ndarray:
    """The steps at which the sharpness is known."""
    return history.step[~np.isnan(history.metrics[SHARPNESS])]


@pytest.mark.parametrize("loss", [Rosenbrock(dim=5), NETWORK], ids=["rosenbrock", "network"])
@pytest.mark.parametrize("steps", [20, 47, 3])
def test_it_is_the_largest_eigenvalue_at_each_interval(loss: Loss, steps: int) -> None:
    for run in finish(make_recorded(loss, steps=steps)):
        history = run.history
        assert known_steps(history).tolist() == sorted({*range(0, steps, 10), steps})
        for step in known_steps(history):
            exact = theory.sharpness(loss, torch.from_numpy(history.x[step]))
            # Observed 9e-16: a basis of all dimensions.
            assert history.metrics[SHARPNESS][step] == pytest.approx(exact, rel=1e-9)
        assert run.outcome.metrics[SHARPNESS] == history.metrics[SHARPNESS][-1]


def test_it_is_zero_for_a_linear_loss() -> None:
    runs = finish(make_recorded(Function(lambda x: x.sum(), start=(0.0, 1.0)), every=5, steps=5))
    linear = Function(lambda x: x.sum(), start=(0.0, 1.0))
    metrics.check_quantities(linear, torch.ones(1, 2), {metrics.SHARPNESS: 5})
    assert [run.outcome.metrics[SHARPNESS] for run in runs] == [0.0, 0.0, 0.0]


def test_it_is_not_computed_unless_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    # Computing it would raise, since None is not callable.
    none = metrics.Quantity(None, None)  # type: ignore[arg-type]
    monkeypatch.setitem(cast("dict[str, metrics.Quantity]", metrics.QUANTITIES), SHARPNESS, none)
    for every in (0, None):
        batch = make_recorded(Rosenbrock(), steps=5)
        batch = replace(batch, intervals={metrics.SHARPNESS: every or 0})
        assert finish(batch)[0].history.metrics == {}


def assert_same_sharpness(one: Finished, other: Finished) -> None:
    ours, theirs = one.history.metrics[SHARPNESS], other.history.metrics[SHARPNESS]
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("mode", ["eager", "compiled"])
@pytest.mark.parametrize(
    ("loss", "tolerance"),
    [
        (Rosenbrock(b=torch.linspace(50, 150, 40, dtype=torch.float64)), 2.0),
        (Rosenbrock(dim=37), 2.0),
        (losses.Ackley(dim=5), 0.5),
        (Quadratic(condition=torch.linspace(2, 900, 40, dtype=torch.float64)), 2.0),
    ],
    ids=["column", "many", "ackley", "quadratic"],
)
def test_a_row_has_the_same_bits_alone_and_in_a_batch(
    loss: Loss, tolerance: float, mode: str
) -> None:
    rates = np.geomspace(1e-4, 0.1, 40)  # some diverge or converge and leave early
    batch = make_recorded(loss, lr=rates, steps=60, mode=mode, stop=Stop(grad_tol=tolerance))
    together = finish(batch)
    assert len({run.outcome.status for run in together}) > 1
    for row in (0, 13, 39):
        assert_same_sharpness(together[row], finish(rows_of(batch, [row]))[0])
    subset = [39, 2, 30]
    for row, run in zip(subset, finish(rows_of(batch, subset)), strict=True):
        assert_same_sharpness(together[row], run)


def test_a_network_has_the_same_alone_and_in_a_batch() -> None:
    """A matrix product of one row rounds differently from that of three rows."""
    batch = make_recorded(NETWORK, lr=[0.02, 0.05, 0.1], steps=20)
    for row, run in enumerate(finish(batch)):
        alone = finish(rows_of(batch, [row]))[0].history.metrics[SHARPNESS]
        both = np.stack([run.history.metrics[SHARPNESS], alone])
        np.testing.assert_allclose(both[0], both[1], rtol=1e-10)  # observed 7e-16


def test_the_memory_limit_changes_nothing() -> None:
    column = torch.linspace(50, 150, 70, dtype=torch.float64)
    loss = Rosenbrock(b=column).with_columns(lambda n: torch.as_tensor(n).double().expand(70))
    x = torch.linspace(-2, 2, 5 * 70 * 2, dtype=torch.float64).reshape(5, 70, 2)
    whole = metrics.sharpness_at(loss, x)
    for numbers in (1, 80 * 32 * 3):  # 32 rows of one record, and of three
        assert metrics.sharpness_at(loss, x, numbers).numpy().tobytes() == whole.numpy().tobytes()


def test_it_is_recorded_with_any_optimizer_and_schedule_across_chunks() -> None:
    batch = make_recorded(
        Rosenbrock(),
        every=100,
        optimizer=Adam(),
        schedule=Exponential(gamma=0.99),
        lr=[0.05],
        steps=700,
    )
    (run,) = finish(batch)
    assert known_steps(run.history).tolist() == [*range(0, 701, 100)]
    thinned = finish(batch, every=30)[0]
    assert known_steps(thinned.history).tolist() == [0, 300, 600, 700]


def test_a_run_that_diverges_has_it_while_it_is_finite() -> None:
    runs = finish(make_recorded(Rosenbrock(), every=1, lr=[1.0, 1e-4], steps=12))
    diverged, stable = runs
    assert diverged.outcome.status == Status.DIVERGED
    assert 0 < diverged.outcome.steps < 12
    assert np.isfinite(diverged.history.metrics[SHARPNESS][:3]).all()
    assert len(known_steps(stable.history)) == 13
    assert stable.outcome.metrics[SHARPNESS] is not None


def test_minibatches_have_the_sharpness_of_the_full_loss() -> None:
    loss = losses.MSE(data="stackloss", standardize=True, batch_size=4)
    (run,) = finish(replace(make_recorded(loss, every=7, lr=[0.05], steps=20), full_every=5))
    assert known_steps(run.history).tolist() == [0, 7, 14, 20]
    assert loss.curvature is not None
    exact = float(loss.curvature[1])
    sharpness = run.history.metrics[SHARPNESS][[0, 7, 14, 20]]
    np.testing.assert_allclose(sharpness, exact, rtol=1e-10)  # observed 2e-16


# On the command line


def test_it_is_in_every_file_of_a_run(gd, here) -> None:
    words = ("loss=rosenbrock", "lr=1e-3", "steps=25", "schedule=exponential")
    done = gd(*words, "record.sharpness_every=10", "hydra.run.dir=r")
    assert done.code == 0, done.err
    table = pq.read_table("r/history.parquet").to_pydict()
    at = [step for step, value in enumerate(table[SHARPNESS]) if value is not None]
    assert at == [0, 10, 20, 25]
    first = 765 + math.sqrt(565**2 + 480**2)  # of [[1330, 480], [480, 200]]
    assert table[SHARPNESS][0] == pytest.approx(first, rel=1e-12)  # observed 2e-16
    result = json.loads((here / "r" / "result.json").read_text("utf-8"))
    assert result[SHARPNESS] == table[SHARPNESS][25]
    assert f"sharpness     {result[SHARPNESS]:.6g}" in done.out
    events = read_scalars(here / "r")
    assert events[f"loss/{SHARPNESS}"] == pytest.approx(
        {k: table[SHARPNESS][k] for k in at}, rel=1e-6
    )
    # No step leaves the last point of a run, so it has no learning rate.
    assert events["loss/sharpness_limit"] == pytest.approx(
        {k: 2 / table["lr"][k] for k in at[:-1]}, rel=1e-6
    )
    assert (here / "r" / "stability.png").is_file()


def test_it_is_thinned_in_tensorboard_for_a_long_run(gd, here) -> None:
    words = ("loss=quadratic", "lr=1e-3", "steps=6000", "record.every=2", "stop.grad_tol=0")
    done = gd(*words, "record.sharpness_every=75", "hydra.run.dir=r", "record.figures=false")
    assert done.code == 0, done.err
    events = read_scalars(here / "r")
    assert set(events[f"loss/{SHARPNESS}"].values()) == {15.0}
    assert set(events[f"loss/{SHARPNESS}"]) <= {*range(0, 6001, 150)}
    assert {0, 6000} <= set(events[f"loss/{SHARPNESS}"])
    assert len(events[f"loss/{SHARPNESS}"]) > 30


def test_a_sweep_has_a_column_of_it(tmp_path: Path) -> None:
    sweep = gdlab.sweep(
        loss="quadratic",
        lr=[0.01, 0.1],
        steps=8,
        directory=tmp_path / "s",
        **{"loss.condition": [3.0, 12.0], "record.sharpness_every": 5, "record.max_figures": 0},
    )
    assert sweep.results[SHARPNESS].tolist() == pytest.approx([3, 12, 3, 12])
    history = sweep.history(0)
    assert history[SHARPNESS].notna().to_numpy().nonzero()[0].tolist() == [0, 5, 8]
    assert (tmp_path / "s" / "stability.png").is_file()


class Square(torch.autograd.Function):
    """The square without a second derivative."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return 2 * ctx.saved_tensors[0] * grad


class Raising(Square):
    """The square with a derivative that raises when differentiated."""

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        if torch.is_grad_enabled():
            raise NotImplementedError("once is enough")
        return 2 * ctx.saved_tensors[0] * grad


class Once(Loss):
    """A sum of squares that is differentiable only once."""

    raises: bool = False

    @property
    def dim(self) -> int:
        """Two."""
        return 2

    @property
    def start(self) -> tuple[float, float]:
        """Away from the minimizer."""
        return 1.0, 2.0

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return (Raising if self.raises else Square).apply(x).sum(-1)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("raises", "reason"),
    [
        (False, "one of its functions is differentiable only once"),
        (True, "NotImplementedError: once is enough"),
    ],
)
def test_a_loss_without_a_second_derivative_is_refused(
    raises: bool, reason: str, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"loss": Once(raises=raises), "record.sharpness_every": 5}
    refused = rf"record.sharpness_every=5: Once cannot be differentiated twice \({reason}\)"
    with pytest.raises(SettingError, match=refused):
        gdlab.sweep(lr=[0.1, 0.2], directory=tmp_path / "s", **settings)
    assert not (tmp_path / "s").exists()


def test_it_is_refused_before_a_directory_is_made(gd, here) -> None:
    (here / "once_only.py").write_text(
        "import torch\n"
        "from gdlab import Loss\n"
        "class Once(Loss):\n"
        "    dim, start = 1, (1.0,)\n"
        "    def __call__(self, x):\n"
        "        return Square.apply(x).sum(-1)\n"
        "class Square(torch.autograd.Function):\n"
        "    @staticmethod\n"
        "    def forward(ctx, x):\n"
        "        ctx.save_for_backward(x)\n"
        "        return x**2\n"
        "    @staticmethod\n"
        "    @torch.autograd.function.once_differentiable\n"
        "    def backward(ctx, grad):\n"
        "        return 2 * ctx.saved_tensors[0] * grad\n"
    )
    own = ("loss=custom", "loss._target_=once_only.Once", "record.sharpness_every=5")
    for arguments in (own, ("-m", *own, "lr=0.1,0.2")):
        done = gd(*arguments)
        assert done.code == 2
        assert done.err.startswith("error: record.sharpness_every=5: Once cannot be")
        assert len(done.err.splitlines()) == 1
        assert not (here / "runs").exists()


@pytest.mark.parametrize("value", ["-1", "2.5", "often"])
def test_the_interval_is_a_whole_number(value: str, gd) -> None:
    done = gd(f"record.sharpness_every={value}")
    assert done.code == 2
    assert f"record.sharpness_every={value}" in done.err


def test_a_metric_cannot_have_its_name(gd, here) -> None:
    (here / "sharp.py").write_text(
        "from gdlab.losses import Quadratic\n"
        "class Sharp(Quadratic):\n"
        "    metrics = {'sharpness': lambda x: x[..., 0]}\n"
    )
    done = gd("loss=custom", "loss._target_=sharp.Sharp")
    assert done.code == 2
    assert "a metric cannot be called sharpness" in done.err


def test_the_summary_says_why_a_network_of_many_weights_diverged(gd, here) -> None:
    network = ("loss=mlp", "loss.data=teacher_student", "loss.widths=[64,64]")
    done = gd(*network, "lr=10", "steps=300", "record.figures=false")
    assert done.out.startswith("diverged")
    loss = losses.MLP(data="teacher_student", widths=(64, 64))
    assert loss.dim > 4000
    limit = theory.local_stability_limit(loss, SGD(), loss.start)
    assert f"lr=10 is above 2/λ_max = {limit:.3g} at the start; try lr=" in done.out


def test_every_quantity_has_a_setting_and_every_setting_a_quantity() -> None:
    assert list(declared_fields(Intervals)) == [f"{name}_every" for name in metrics.QUANTITIES]
    assert Intervals(sharpness_every=5).intervals[SHARPNESS] == 5
    assert set(Intervals().intervals.values()) == {0}
    assert Intervals(sharpness_every=0).intervals[SHARPNESS] == 0
