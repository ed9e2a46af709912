"""Examples held out for validation: the split, what is recorded of them, and early stopping."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

import gdlab
from gdlab.errors import SettingError
from gdlab.losses import MLP, MSE, Logistic, Module, Ridge, Softmax
from gdlab.losses.datasets.split import Split
from gdlab.losses.models.data_loss import DataLoss

NOISY: dict[str, Any] = {"widths": (4,), "count": 60, "loss.noise": 0.6, "validation": 0.3}
NOISY |= {"optimizer": "adam", "lr": 0.3, "seed": 3, "steps": 40}
"""A run whose validation loss rises soon."""


def train(**settings: Any) -> gdlab.Run:
    """A noisy run with other settings."""
    given: dict[str, Any] = NOISY | settings
    return gdlab.run("mlp", **given)


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
    runs = [gdlab.run("mlp", validation=0.2, seed=seed, steps=1).settings.loss for seed in (0, 1)]
    assert isinstance(runs[0], MLP) and isinstance(runs[1], MLP)
    assert torch.equal(runs[0].inputs, runs[1].inputs)


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
    run = gdlab.run(loss, "adam", 0.1, steps=20)
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


def end_by_hand(values: np.ndarray, patience: int) -> int | None:
    """The step at which patience with some values runs out."""
    best, waited = np.inf, 0
    for step, value in enumerate(values):
        if not np.isnan(value):
            best, waited = (value, 0) if value < best else (best, waited + 1)
        if waited == patience:
            return step
    return None


EVERY: list[dict[str, Any]] = [
    {},
    {"record.full_loss_every": 4},
    {"batch_size": 20, "record.full_loss_every": 3},
    {"optimizer": "lbfgs", "lr": 1.0, "steps": 9},
    {"record.every": 5},
]


@pytest.mark.parametrize("settings", EVERY, ids=str)
def test_patience_ends_a_run_after_values_without_improvement(settings: dict[str, Any]) -> None:
    free = train(**(settings | {"record.every": 1})).history
    values = free.metrics["validation_loss"][:: settings.get("record.full_loss_every", 1)]
    ended = []
    for patience in (2, 4, 50):
        outcome = train(**settings, **{"stop.patience": patience}).outcome
        value = end_by_hand(values, patience)
        end = None if value is None else value * settings.get("record.full_loss_every", 1)
        is_early = outcome.status.name == "EARLY_STOPPED"
        if is_early:
            lowest = int(np.nanargmin(free.metrics["validation_loss"][: outcome.steps + 1]))
            assert f"the validation loss was lowest at step {lowest};" in outcome.reason
        assert outcome.steps == (free.step[-1] if end is None else end)
        assert is_early == (end is not None)
        assert np.array_equal(outcome.x, free.x[outcome.steps])
        if settings.get("optimizer") == "lbfgs" and is_early:
            shorter = train(**(settings | {"steps": outcome.steps})).outcome
            assert outcome.evaluations == shorter.evaluations
        ended += [end] if is_early else []
    assert ended == sorted(set(ended)) and ended


def test_the_runs_of_a_batch_stop_as_they_do_alone() -> None:
    rates, patience = [0.1, 0.3, 0.5], {"stop.patience": 3}
    given: dict[str, Any] = NOISY | patience | {"lr": rates}
    swept = gdlab.sweep("mlp", **given)
    alone = [train(lr=lr, **patience).outcome for lr in rates]
    columns: Any = {name: swept.results[name].to_numpy() for name in swept.results}
    assert set(columns["status"]) == {"early_stopped"}
    assert columns["steps"].tolist() == [end.steps for end in alone]
    values = np.array([end.metrics["validation_loss"] for end in alone], dtype=np.float64)
    np.testing.assert_allclose(columns["validation_loss"], values, rtol=1e-10)  # observed 1e-15
    # The best has the lowest validation loss, or the highest accuracy where that is asked for.
    first, accurate = swept.best()[0], swept.best(metric="validation_accuracy")[0]
    assert (first.run, first.metric_name) == (values.argmin(), "validation_loss")
    assert columns["validation_accuracy"][accurate.run] == columns["validation_accuracy"].max()


def test_on_the_command_line(gd: Any, here: Any) -> None:
    words = ("loss=mlp", "loss.noise=0.6", "loss.validation=0.3", "stop.patience=2", "seed=3")
    words = (*words, "loss.widths=[4]", "loss.count=60", "optimizer=adam", "steps=40")
    words = (*words, "record.figures=false", "record.events=false")
    done = gd("-m", *words, "lr=0.3,0.5", "hydra.sweep.dir=sweep", "fail_on=early_stopped")
    assert (done.code, done.err) == (3, "")
    assert "validation_loss: median" in done.out and "the median of validation_loss" in done.out
    swept = gdlab.load("sweep")
    assert swept.best()[0].metric_name == "validation_loss"
    figure = train().plot("loss")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["training", "validation"]
    recorded = gdlab.load(f"sweep/lr={swept.results['lr'][1]:g}")
    assert recorded.outcome.status.name == "EARLY_STOPPED"
    assert "early_stopped" in repr(recorded)
    assert recorded.history.metrics["validation_loss"][-1] == swept.results["validation_loss"][1]
    done = gd("loss=mlp", "stop.patience=5")
    assert (done.code, done.err) == (
        2,
        "error: stop.patience=5: needs a loss on held-out examples; give loss.validation, as 0.2\n",
    )
