"""Minibatches: the full loss at intervals, and the metrics of a loss."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from helpers.batches import assert_same_bits, finish, make_batch, rows_of
from helpers.events import read_scalars
from torch import Tensor

import gdlab
from gdlab.config.loading import settings_from_flat
from gdlab.engine.batch import Batch, Stop
from gdlab.engine.status import Status
from gdlab.losses import MSE, Logistic, Loss, Quadratic, Softmax
from gdlab.recording.recorder import RunRecorder
from gdlab.results.load import load
from gdlab.runs.batching import batch_of
from gdlab.runs.run import execute

SMALL = MSE(data="stackloss", standardize=True, batch_size=4)


def make(loss: Loss = SMALL, every: int = 7, **options: Any) -> Batch:
    settings: dict[str, Any] = {"lr": [0.02, 0.05, 0.1]} | options
    return replace(make_batch(loss, **settings), full_every=every)


@pytest.mark.parametrize("steps", [100, 98, 3])
def test_the_path_is_the_same_and_the_loss_is_computed_at_intervals(steps: int) -> None:
    every_step, at_intervals = finish(make(every=1, steps=steps)), finish(make(steps=steps))
    for one, other in zip(every_step, at_intervals, strict=True):
        assert one.history.x.tobytes() == other.history.x.tobytes()
        at = sorted({*range(0, steps + 1, 7), steps})
        for name in ("loss", "grad_norm", "suboptimality"):
            expected = np.full(steps + 1, np.nan)
            expected[at] = getattr(one.history, name)[at]
            np.testing.assert_array_equal(getattr(other.history, name), expected)
        assert one.outcome.final_loss == other.outcome.final_loss
        best = min(at, key=lambda k: one.history.loss[k])
        assert (other.outcome.best_step, other.outcome.best_loss) == (best, one.history.loss[best])
        assert other.outcome.evaluations == steps + 1


def test_a_row_has_the_same_records_alone_and_in_a_batch() -> None:
    together = finish(make())
    for row in range(3):
        alone = finish(rows_of(make(), [row]))[0]
        for name in ("x", "loss", "grad_norm"):
            ours, theirs = getattr(alone.history, name), getattr(together[row].history, name)
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)  # observed 3e-16


def test_without_minibatches_every_record_has_its_loss() -> None:
    loss = SMALL.replace(batch_size=None)
    for one, other in zip(finish(make(loss, 1)), finish(make(loss, 7)), strict=True):
        assert_same_bits(one, other)


def test_runs_end_only_at_steps_with_a_loss() -> None:
    every_step = finish(make(every=1, steps=300, stop=Stop(loss=20.0)))
    at_intervals = finish(make(every=7, steps=300, stop=Stop(loss=20.0)))
    for one, other in zip(every_step, at_intervals, strict=True):
        assert one.outcome.status == other.outcome.status == Status.TARGET
        assert one.outcome.steps <= other.outcome.steps
        assert other.outcome.steps % 7 == 0
    assert any(run.outcome.steps % 7 for run in every_step)
    exact = MSE(data="wampler2", batch_size=3)  # far from its minimum
    far = finish(make(exact, every=10, lr=[1e-4], steps=25, stop=Stop(max_loss=1.0)))[0]
    assert (far.outcome.status, far.outcome.steps) == (Status.DIVERGED, 0)


def test_a_point_that_is_not_finite_ends_a_run_between_two_losses() -> None:
    """The last finite point is the last record, and its loss is computed afterwards."""
    (run,) = finish(make(every=1000, lr=[1e60], steps=1000))
    assert run.outcome.status == Status.DIVERGED
    assert 0 < run.outcome.steps < 10
    assert np.isfinite(run.history.x).all()
    assert np.isnan(run.history.loss[1:-1]).all()
    x = torch.from_numpy(run.history.x[-1])
    np.testing.assert_array_equal(run.history.loss[-1], float(SMALL(x)))
    assert run.outcome.best_loss == run.history.loss[0]
    assert run.outcome.reason.startswith("the loss, its gradient or the point is no longer finite")


@pytest.mark.parametrize("at", [0, 5, 14, 40])
def test_an_interrupted_run_has_its_last_loss(at: int) -> None:
    calls = iter(range(10**6))
    for run in finish(make(), interrupted=lambda: next(calls) >= at):
        assert (run.outcome.status, run.outcome.steps) == (Status.INTERRUPTED, at)
        expected = float(SMALL(torch.from_numpy(run.history.x[-1])))
        assert run.outcome.final_loss == pytest.approx(expected, rel=1e-14)  # observed 2e-16
        assert run.history.loss[-1] == run.outcome.final_loss
        gradient = 2 * SMALL.inputs.T @ SMALL.residuals(torch.from_numpy(run.history.x[-1])) / 21
        norm = float(torch.linalg.vector_norm(gradient))
        assert run.outcome.grad_norm == pytest.approx(norm, rel=1e-13)  # observed 3e-16
        assert run.outcome.best_loss <= run.outcome.final_loss


class Breaking(MSE):
    """A loss whose minibatches raise once the point is far away."""

    def partial(self, x: Tensor, chosen: Tensor) -> Tensor:
        if float(x.detach().abs().max()) > 5:
            raise RuntimeError("too far")
        return super().partial(x, chosen)


def test_a_run_that_fails_between_two_losses_keeps_its_records() -> None:
    loss = Breaking(data="stackloss", standardize=True, batch_size=4)
    (run,) = finish(make(loss, every=1000, lr=[0.05]))
    assert run.outcome.status == Status.FAILED
    assert run.outcome.steps == len(run.history) - 1 > 1
    assert np.abs(run.history.x[-1]).max() > 5
    assert np.isnan(run.outcome.final_loss)
    assert run.outcome.best_loss == run.history.loss[0]


# Metrics.


class Halves(Quadratic):
    """A quadratic with two metrics, one of them with a column of the loss."""

    @property
    def metrics(self) -> dict[str, Any]:
        return {"first": lambda x: x[..., 0], "scaled": lambda x: self.condition * x[..., 1]}


def test_metrics_are_computed_at_intervals_and_at_the_end() -> None:
    condition = torch.tensor([2.0, 30.0, 4.0], dtype=torch.float64)
    runs = finish(make(Halves(condition=condition), 7, steps=60))
    for run, factor in zip(runs, condition.tolist(), strict=True):
        x, steps = run.history.x, run.outcome.steps
        is_due = (run.history.step % 7 == 0) | (run.history.step == steps)
        expected = {"first": x[:, 0], "scaled": factor * x[:, 1]}
        for name, values in expected.items():
            np.testing.assert_array_equal(
                run.history.metrics[name], np.where(is_due, values, np.nan)
            )
            assert run.outcome.metrics[name] == values[-1]
    assert {run.outcome.status for run in runs} >= {Status.MAX_STEPS}


def test_thinned_histories_have_the_metrics_of_their_records() -> None:
    run = finish(make(Halves(), 4, steps=50), every=6)[0]
    assert run.history.step.tolist() == [*range(0, 50, 6), 50]
    known = ~np.isnan(run.history.metrics["first"])
    assert run.history.step[known].tolist() == [0, 12, 24, 36, 48, 50]


def test_accuracy_is_recorded_everywhere(tmp_path: Path) -> None:
    loss = Logistic(batch_size=32)
    flat = {"loss": loss, "lr": 0.5, "steps": 60, "record.full_loss_every": 25}
    settings = settings_from_flat(flat | {"record.figures": False})
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text("lr: 0.5\n", "utf-8")
    recorder = RunRecorder(tmp_path, settings)
    outcome = execute(settings, batch_of(settings), [recorder], lambda: False)
    share = float(loss.metrics["accuracy"](torch.from_numpy(outcome.x)))
    assert 0.9 < share < 1
    result = json.loads((tmp_path / "result.json").read_text("utf-8"))
    assert result["accuracy"] == outcome.metrics["accuracy"] == share
    assert "metrics" not in result
    table = pq.read_table(tmp_path / "history.parquet")
    step = table.column("step").to_numpy()
    assert table.column_names[-1] == "accuracy"
    for name in ("loss", "grad_norm", "accuracy"):
        known = [valid.as_py() for valid in table.column(name).is_valid()]
        assert step[known].tolist() == [0, 25, 50, 60], name
    assert table.column("x0").null_count == 0
    assert load(tmp_path).results["accuracy"].tolist() == [share]
    events = read_scalars(tmp_path)
    for tag in ("loss", "step/grad_norm", "loss/log10_loss", "loss/accuracy"):
        assert sorted(events[tag]) == [0, 25, 50, 60], tag
    assert events["loss/accuracy"][60] == pytest.approx(share, rel=1e-6)


def test_a_sweep_has_a_column_of_each_metric() -> None:
    sweep = gdlab.sweep(loss=Softmax(), lr=[0.01, 0.5], steps=30, directory=None)
    share = sweep.results["accuracy"]
    assert len(share) == 2
    assert share.between(0.5, 1).all()
    x = torch.tensor(sweep.results.filter(regex=r"^x\d+$").to_numpy())
    assert Softmax().metrics["accuracy"](x).tolist() == share.tolist()
