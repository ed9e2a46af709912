"""Examples held out for validation: the split, what is recorded of them, and early stopping."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers.batches import finish, make_batch
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

import gdlab
from gdlab.errors import SettingError
from gdlab.losses import MLP, MSE, Logistic, Module, Ridge, Softmax
from gdlab.losses.datasets.split import Split
from gdlab.losses.models.data_loss import DataLoss
from gdlab.optimizers import Adam
from gdlab.recording.run_plots import training_curves


def rows_of(features: torch.Tensor) -> list[tuple[float, ...]]:
    return sorted(map(tuple, features.tolist()))


@pytest.mark.parametrize(
    "loss",
    [MLP(), MLP(data="iris"), Module(module=nn.Linear(2, 2)), Softmax(standardize=False), MSE()],
    ids=["generated", "a table", "a module", "classes", "numbers"],
)
def test_the_parts_are_all_examples_and_training_is_on_one(loss: DataLoss) -> None:
    part = loss.replace(validation=0.3)
    assert part.held_out is not None
    inputs, targets = part.held_out
    assert len(targets) == round(0.3 * loss.examples) and part.examples == len(part.inputs)
    assert rows_of(torch.cat((part.inputs, inputs))) == rows_of(loss.inputs)
    x = part.tensor(torch.linspace(-1, 1, part.dim)[None])
    costs = part.costs(part.scores(x, part.inputs), part.targets)
    torch.testing.assert_close(part(x), costs.mean(-1), rtol=1e-15, atol=0)
    held_out = part.costs(part.scores(x, inputs), targets).mean(-1)
    torch.testing.assert_close(part.metrics["validation_loss"](x), held_out, rtol=1e-15, atol=0)
    assert part.replace(batch_size=part.examples).minibatch == part.examples
    with pytest.raises(SettingError, match=f"must be at most {part.examples}, the number"):
        part.replace(batch_size=loss.examples)


def test_the_split_is_drawn_from_the_data_seed_alone() -> None:
    targets = np.arange(1000.0)
    first, again = (Split(0.2, 1, None).indices(targets)[1] for _ in range(2))
    other = Split(0.2, 2, None).indices(targets)[1]
    assert np.array_equal(first, again) and len(first) == 200
    assert 20 <= len(np.intersect1d(first, other)) <= 60  # 40 expected, observed 37
    assert np.isin(first, Split(0.3, 1, None).indices(targets)[1]).all()
    assert torch.equal(MLP(validation=0.2).inputs, MLP(validation=0.2).inputs)


def test_each_class_gives_the_same_share_and_keeps_an_example() -> None:
    labels = np.array([0.0] * 50 + [1.0] * 10 + [2.0])
    training, held_out = Split(0.2, 0, "classification").indices(labels)
    assert np.unique(labels[held_out], return_counts=True)[1].tolist() == [10, 2]
    assert np.unique(labels[training], return_counts=True)[1].tolist() == [40, 8, 1]
    assert len(Split(0.2, 0, "regression").indices(labels)[1]) == 12
    with pytest.raises(SettingError, match=r"validation=0.001: holds out 0 of 61 examples; must"):
        Split(0.001, 0, None).indices(labels)
    rare = TensorDataset(torch.randn(8, 2), torch.tensor([0, 1, 2, 0, 1, 0, 1, 0]))
    assert MLP(data=rare, validation=0.25).classes == 3


def test_columns_are_standardized_by_the_training_examples() -> None:
    loss, raw = Ridge(validation=0.2), Ridge(validation=0.2, standardize=False)
    assert loss.held_out is not None and raw.held_out is not None
    mean, deviation = raw.inputs[:, :-1].mean(0), raw.inputs[:, :-1].std(0, correction=0)
    expected = (raw.held_out[0][:, :-1] - mean) / deviation
    torch.testing.assert_close(loss.held_out[0][:, :-1], expected, rtol=1e-10, atol=1e-10)
    with torch.no_grad():
        solution = torch.linalg.lstsq(raw.inputs, raw.targets[:, None]).solution[:, 0]
    least = MSE("diabetes", validation=0.2).solution
    assert least is not None
    torch.testing.assert_close(least, solution, rtol=1e-8, atol=1e-8)  # observed 4e-12


def test_the_penalty_is_no_part_of_the_validation_loss() -> None:
    plain, penalized = Logistic(validation=0.2), Logistic(validation=0.2, penalty=0.5)
    x = plain.tensor(torch.ones(1, plain.dim))
    assert torch.equal(*(loss.metrics["validation_loss"](x) for loss in (plain, penalized)))
    assert float(penalized(x) - plain(x)) == pytest.approx(0.5 * (plain.dim - 1), rel=1e-13)


def test_a_run_is_the_training_loop_that_one_writes_by_hand() -> None:
    loss = MLP(widths=(4,), count=50, validation=0.3)
    (run,) = finish(make_batch(loss, Adam(), 0.1, steps=20))
    net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    nn.utils.vector_to_parameters(loss.start, net.parameters())
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    labels = loss.targets.long()
    assert loss.held_out is not None
    inputs, targets = loss.held_out[0], loss.held_out[1].long()
    for step in range(21):
        with torch.no_grad():
            scores = net(inputs)
        value = float(functional.cross_entropy(scores, targets))
        hits = float((scores.argmax(1) == targets).double().mean())
        # Observed: 1e-14.
        assert run.history.metrics["validation_loss"][step] == pytest.approx(value, rel=1e-11)
        assert run.history.metrics["validation_accuracy"][step] == hits
        optimizer.zero_grad()
        functional.cross_entropy(net(loss.inputs), labels).backward()
        optimizer.step()
    assert run.outcome.metrics["validation_loss"] == run.history.metrics["validation_loss"][-1]
    curves = training_curves(run.history)
    assert curves is not None and [len(curve.step) for curve in curves] == [21, 21]
    assert np.array_equal(curves[1].value, run.history.metrics["validation_loss"])


def test_the_lowest_validation_loss_is_best() -> None:
    given: dict[str, Any] = {"widths": (2,), "count": 40, "validation": 0.3, "steps": 6}
    swept = gdlab.sweep("mlp", lr=[0.01, 0.5, 1.0], **given)
    columns: Any = {name: swept.results[name].to_numpy() for name in swept.results}
    first, accurate = swept.best()[0], swept.best(metric="validation_accuracy")[0]
    assert (first.run, first.metric_name) == (
        columns["validation_loss"].argmin(),
        "validation_loss",
    )
    assert columns["validation_accuracy"][accurate.run] == columns["validation_accuracy"].max()
    assert swept.best(metric="final_loss")[0].run == columns["final_loss"].argmin()


def test_on_the_command_line(gd: Any, here: Any) -> None:
    words = ("loss=mlp", "loss.noise=0.6", "loss.validation=0.3", "stop.patience=2", "seed=3")
    words = (*words, "loss.widths=[4]", "loss.count=60", "optimizer=adam", "lr=0.3", "steps=40")
    words = (*words, "record.figures=false", "record.events=false", "fail_on=early_stopped")
    done = gd(*words, "hydra.run.dir=run")
    assert (done.code, done.err) == (3, "")
    assert done.out.startswith("early_stopped: the validation loss was lowest at step ")
    assert "42 examples of two_moons and 18 for validation" in done.out
    recorded = gdlab.load("run")
    metrics = recorded.history.metrics
    assert recorded.outcome.status.name == "EARLY_STOPPED"
    assert recorded.outcome.metrics == {name: values[-1] for name, values in metrics.items()}
    assert f"  validation_loss     {metrics['validation_loss'][-1]:.6g}\n" in done.out
    done = gd("loss=mlp", "stop.patience=5")
    what = "needs a loss on held-out examples; give loss.validation, as 0.2"
    assert (done.code, done.err) == (2, f"error: stop.patience=5: {what}\n")
