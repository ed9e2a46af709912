"""Runs of a sweep as one batch: each as it is alone; one that raises fails alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from helpers.batches import Finished, assert_same_bits, finish
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from losses.cases import DIABETES, Angle, Barrier, Quartic, Squash, Waves
from torch import Tensor

from gdlab.config.settings import Settings
from gdlab.engine.batch import Stop
from gdlab.engine.chunk import Chunk
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome, Outcomes
from gdlab.engine.status import Status
from gdlab.fields.declared import Number
from gdlab.losses import MSE, Loss, Quadratic, Rosenbrock, Transform
from gdlab.optimizers import SGD, Adagrad, Adam, Optimizer, RMSprop
from gdlab.runs.batching import batch_of
from gdlab.schedules import Constant, Cosine, Exponential, Schedule, Step
from gdlab.sweeps.plan import Group
from gdlab.sweeps.shard import FinishedRuns, run_group


class Kept:
    """Records of runs in memory, as they would lie in their directories."""

    def __init__(self) -> None:
        self.pieces: dict[int, list[History]] = {}
        self.outcomes: dict[int, Outcome] = {}
        self.forgotten: list[int] = []

    def write(self, run: int, piece: History) -> None:
        assert run not in self.outcomes, "a record after the end"
        self.pieces.setdefault(run, []).append(piece)

    def close_all(self, runs: Sequence[int], outcomes: Outcomes, seconds: float) -> None:
        assert self.outcomes.keys().isdisjoint(runs), "two ends"
        assert seconds > 0
        self.outcomes |= {run: outcomes[row] for row, run in enumerate(runs)}

    def forget(self, run: int) -> None:
        self.forgotten.append(run)
        self.pieces.pop(run, None)


def ran(
    group: Group, interrupted: Callable[[], bool] = lambda: False
) -> tuple[dict[int, Finished], list[FinishedRuns], Kept]:
    """Return the outcome of each run of a group, how the batches ended, and the records."""
    kept = Kept()
    ended = list(run_group(group, kept, interrupted))
    assert sorted(run for part in ended for run in part.runs.tolist()) == group.runs.tolist()
    for part in ended:
        for row, run in enumerate(part.runs.tolist()):
            one, same = part.outcomes[row], kept.outcomes[run]
            assert one.x.tobytes() == same.x.tobytes()
            for name in ("status", "reason", "steps", "final_loss", "grad_norm", "evaluations"):
                np.testing.assert_equal(getattr(one, name), getattr(same, name), name)
    runs = group.runs.tolist()
    history = {run: History.join(kept.pieces[run]) for run in runs}
    return {run: Finished(history[run], kept.outcomes[run]) for run in runs}, ended, kept


def group_of(settings: Settings, columns: Mapping[str, Any]) -> Group:
    arrays = {key: np.asarray(values) for key, values in columns.items()}
    return Group(settings, arrays, 5 + 2 * np.arange(len(next(iter(arrays.values())))))


def alone(group: Group, row: int) -> Finished:
    """The run by itself, from its own settings."""
    settings = group.settings_of(row)
    return finish(batch_of(settings), every=settings.record.every)[0]


def rates(low: float, high: float, runs: int) -> np.ndarray:
    return np.geomspace(low, high, runs)


def settings_for(loss: Loss, optimizer: Optimizer | None = None, **given: Any) -> Settings:
    usual = {"schedule": Constant(), "lr": 0.1, "steps": 80}
    return Settings(loss=loss, optimizer=optimizer or SGD(), **(usual | given))


# Elementwise losses: the same bits alone and in the batch, to the end

ELEMENTWISE = {
    "a bowl": (
        settings_for(Quadratic(dim=3), SGD(momentum=0.5), steps=200),
        {
            "lr": rates(1e-3, 0.3, 37),
            "loss.condition": np.linspace(1, 30, 37),
            "optimizer.momentum": np.linspace(0, 0.9, 37),
        },
    ),
    "centers and starts": (
        settings_for(Quadratic(condition=5), Adam(), steps=200),
        {
            "loss.center": np.random.default_rng(0).normal(size=(11, 2)),
            "start": np.random.default_rng(1).normal(size=(11, 2)),
            "optimizer.betas": np.random.default_rng(2).uniform(0.1, 0.99, size=(11, 2)),
        },
    ),
    "a start's coordinate": (
        settings_for(Rosenbrock(), start=(1.0, 2.0), lr=1e-3),
        {"start.1": np.linspace(-1, 3, 9), "loss.a": np.linspace(0.5, 1.5, 9)},
    ),
    "a valley": (
        settings_for(Rosenbrock(dim=6), RMSprop(momentum=0.3), steps=200),
        {"lr": rates(1e-4, 1, 70), "loss.b": np.linspace(1, 100, 70)},
    ),
    "exp and cos": (
        settings_for(Waves(), SGD(momentum=0.9, nesterov=True), noise=0.1),
        {"lr": rates(1e-3, 3, 33), "loss.pitch": np.linspace(1, 9, 33), "seed": np.arange(33)},
    ),
    "sigmoid": (settings_for(Squash(), Adagrad()), {"lr": rates(1e-2, 30, 40)}),
    "x**4": (settings_for(Quartic(), SGD()), {"lr": rates(1e-2, 3, 65)}),
    "atan2": (settings_for(Angle(), Adam(amsgrad=True)), {"lr": rates(1e-3, 1, 5)}),
    "one point's formula": (
        settings_for(Barrier(), SGD()),
        {"lr": rates(1e-3, 1, 34), "loss.weight": np.linspace(0, 1, 34)},
    ),
    "noise of some": (
        settings_for(Quadratic(), SGD(weight_decay=0.1)),
        {
            "noise.scale": np.arange(6) / 5,
            "seed": np.array([3, 0, 2**63 - 1, 1, 1, 7]),
            "optimizer.weight_decay": np.arange(6) / 5,
        },
    ),
    "random starts": (settings_for(Rosenbrock(), start="random"), {"seed": np.arange(35)}),
    "schedules": (
        settings_for(Quadratic(), schedule=Step(step_size=7), steps=60),
        {"schedule.gamma": np.linspace(0.1, 1.1, 10), "lr": rates(1e-3, 0.2, 10)},
    ),
    "float32": (
        settings_for(Waves(), Adam(), dtype="float32"),
        {"lr": rates(1e-3, 1, 35), "loss.pitch": np.linspace(1, 9, 35)},
    ),
    "some targets": (
        settings_for(Rosenbrock(), Adam(), stop=Stop(loss=1.0, max_loss=1e3), steps=300),
        {"lr": rates(1e-3, 300, 40)},
    ),
}


@pytest.mark.parametrize(("settings", "columns"), ELEMENTWISE.values(), ids=ELEMENTWISE)
def test_a_run_has_the_same_bits_alone(settings, columns):
    group = group_of(settings, columns)
    together, ended, kept = ran(group)
    assert (len(ended), kept.forgotten) == (1, [])
    for row, run in enumerate(group.runs.tolist()):
        if row % 6 == 0 or len(group) < 8:
            assert_same_bits(together[run], alone(group, row))


def test_the_cases_end_in_every_way_that_a_batch_can():
    """Otherwise the comparison above would say little about rows that leave early."""
    found: set[Status] = set()
    for name in ("a bowl", "x**4", "some targets"):
        found |= {one.outcome.status for one in ran(group_of(*ELEMENTWISE[name]))[0].values()}
    assert found == {Status.CONVERGED, Status.TARGET, Status.MAX_STEPS, Status.DIVERGED}


LOSSES = [
    (Quadratic(), {"loss.condition": (1.0, 50.0), "loss.center": (-1.0, 1.0)}),
    (Rosenbrock(dim=3), {"loss.a": (0.5, 2.0), "loss.b": (1.0, 100.0)}),
    (Waves(), {"loss.pitch": (0.5, 9.0)}),
]
OPTIMIZERS = [
    (SGD(), {"optimizer.momentum": (0.0, 0.9), "optimizer.weight_decay": (0.0, 0.2)}),
    (SGD(momentum=0.5), {"optimizer.dampening": (0.0, 0.9)}),
    (Adam(), {"optimizer.eps": (1e-9, 1e-1), "optimizer.weight_decay": (0.0, 0.2)}),
    (RMSprop(centered=True), {"optimizer.alpha": (0.1, 0.99), "optimizer.momentum": (0.05, 0.5)}),
]
SCHEDULES: list[tuple[Schedule, dict[str, tuple[float, float]]]] = [
    (Constant(), {}),
    (Exponential(), {"schedule.gamma": (0.9, 1.01)}),
    (Cosine(), {"schedule.final": (0.0, 1.0)}),
]


@st.composite
def groups(draw) -> Group:
    """Runs that differ in some of the settings that may be columns."""
    parts = [draw(st.sampled_from(table)) for table in (LOSSES, OPTIMIZERS, SCHEDULES)]
    runs = draw(st.integers(2, 70))
    spans = {"lr": (1e-3, 0.5), "noise.scale": (0.0, 0.3)} | {
        k: v for _, s in parts for k, v in s.items()
    }
    keys = draw(st.lists(st.sampled_from(sorted(spans)), min_size=1, max_size=4, unique=True))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    columns: dict[str, Any] = {}
    for key in keys:
        values = random.uniform(*spans[key], size=runs)
        columns[key] = np.where(random.random(runs) < 0.3, spans[key][0], values)
    if draw(st.booleans()):
        columns["seed"] = random.integers(0, 2**63 - 1, size=runs)
    start = draw(st.sampled_from([None, "random"]))
    loss, optimizer, schedule = (part for part, _ in parts)
    stop = draw(st.sampled_from([Stop(), Stop(grad_tol=0.05, max_loss=1e4)]))
    given = settings_for(loss, optimizer, schedule=schedule, start=start, stop=stop, steps=70)
    return group_of(given, columns)


@hypothesis_settings(max_examples=10, deadline=None)
@given(group=groups(), data=st.data())
def test_any_run_has_the_same_bits_alone(group, data):
    together = ran(group)[0]
    for row in data.draw(st.lists(st.integers(0, len(group) - 1), min_size=1, max_size=3)):
        assert_same_bits(together[int(group.runs[row])], alone(group, row))


# an optimizer, and a number of it that is zero for some runs: alone these skip some operations
ZEROS = [
    (SGD(), "momentum"),
    (SGD(momentum=0.5, nesterov=True), "momentum"),
    (SGD(momentum=0.5), "dampening"),
    (SGD(), "weight_decay"),
    (Adam(), "weight_decay"),
    (Adam(decoupled_weight_decay=True), "weight_decay"),
    (Adagrad(), "lr_decay"),
    (Adagrad(), "weight_decay"),
    (RMSprop(), "weight_decay"),
    (RMSprop(), "momentum"),
]


@pytest.mark.parametrize(("optimizer", "name"), ZEROS)
def test_a_number_that_is_zero_for_some_runs(optimizer, name):
    column = np.array([0.0, 0.3, 0.1, 0.0, 0.25])
    group = group_of(
        settings_for(Quadratic(), optimizer, lr=0.03, steps=60), {f"optimizer.{name}": column}
    )
    together = ran(group)[0]
    for row in (0, 1, 3):
        assert_same_bits(together[int(group.runs[row])], alone(group, row))


def test_a_shard_has_the_bits_of_the_whole():
    group = group_of(*ELEMENTWISE["exp and cos"])
    whole = ran(group)[0]
    for part in (slice(0, 1), slice(7, 20), slice(20, 33)):
        for run, one in ran(group.take(part))[0].items():
            assert_same_bits(one, whole[run])


# Matrix products: not the same bits, but 1e-12 over the first 20 steps

OTHERS = {
    "diabetes": (settings_for(DIABETES, SGD(momentum=0.9), steps=20), {"lr": rates(1e-3, 0.1, 50)}),
    "line3": (settings_for(MSE(), Adam(), steps=20), {"lr": rates(1e-3, 1, 9)}),
    "minibatches": (
        settings_for(MSE(data="diabetes", standardize=True, batch_size=16), SGD(), steps=20),
        {"seed": np.arange(20), "lr": rates(1e-4, 1e-2, 20)},
    ),
    "a turned bowl": (
        settings_for(
            Quadratic(dim=20, condition=100),
            SGD(momentum=0.9),
            transform=Transform(rotation=3),
            steps=20,
        ),
        {
            "lr": rates(1e-4, 0.01, 33),
            "loss.condition": np.linspace(2, 100, 33),
            "transform.shift": np.linspace(0, 1, 33),
        },
    ),
}


@pytest.mark.parametrize(("settings", "columns"), OTHERS.values(), ids=OTHERS)
def test_a_run_is_nearly_the_same_alone(settings, columns):
    group = group_of(settings, columns)
    together = ran(group)[0]
    for row, run in enumerate(group.runs.tolist()):
        one, other = together[run].history, alone(group, row).history
        assert len(one) == len(other) == 21
        for name in ("x", "loss", "grad_norm", "lr"):
            a, b = getattr(one, name)[:-1], getattr(other, name)[:-1]
            away = np.abs(a - b).max() / np.abs(b).max()
            assert away < 1e-12, name  # observed: 2e-14


# Runs that raise


class Touchy(Loss):
    """Waves that refuse one pitch, at once or once a point has moved far enough."""

    dim: int = 2  # type: ignore[assignment]
    k: Number = 0.0
    reach: float = -1.0

    @property
    def start(self) -> Tensor:
        return self.tensor([0.9, -0.4])

    def __call__(self, x: Tensor) -> Tensor:
        k = torch.as_tensor(self.k, dtype=x.dtype)
        moved = (x - self.start).detach().abs().amax(-1)
        if bool(((k == 3) & (moved > self.reach)).any()):
            raise ValueError("three is\nrefused")
        return (torch.exp(0.3 * x) + torch.cos(x) + x.square()).sum(-1) * (1 + k)


# where in the batch the raising runs are
PLACES = [(0,), (12,), (6,), (0, 12), (4, 5, 6), tuple(range(13))]


@pytest.mark.parametrize(
    ("places", "reach"),
    [*((places, 0.3) for places in PLACES), (PLACES[2], -1.0), (PLACES[-1], -1.0)],  # -1: at once
)
def test_only_the_run_that_raises_fails(places, reach):
    k = np.linspace(0, 2, 13)
    k[list(places)] = 3
    settings = settings_for(Touchy(reach=reach), SGD(), lr=0.01, steps=60)
    settings = settings.replace(record=settings.record.replace(every=len(places)))
    group = group_of(settings, {"loss.k": k, "seed": np.arange(13)})
    together, ended, kept = ran(group)
    assert sum(len(part.runs) for part in ended) == 13
    assert set(kept.forgotten) == set(group.runs.tolist())
    for row, run in enumerate(group.runs.tolist()):
        outcome, history = together[run].outcome, together[run].history
        assert (np.diff(history.step) > 0).all()  # each record once, in order
        assert_same_bits(together[run], alone(group, row))
        if row in places:
            assert outcome.status == Status.FAILED
            says = f"ValueError after step {outcome.steps}: three is refused"
            assert outcome.reason.startswith(f"{says} (test_shard.py, line ")
            assert (outcome.steps > 0) == (reach > 0)
        else:
            assert outcome.status != Status.FAILED
    rest = np.setdiff1d(np.arange(13), places)
    if len(rest):
        without = ran(group.take(rest))[0]
        for run, one in without.items():
            assert_same_bits(one, together[run])


def test_a_batch_is_bisected_in_few_batches():
    k = np.zeros(64)
    k[37] = 3
    chunks: list[Chunk] = []
    group = group_of(settings_for(Touchy(), steps=3), {"loss.k": k})
    ended = list(run_group(group, progress=chunks.append))
    assert sorted(len(part.runs) for part in ended) == [1, 1, 2, 4, 8, 16, 32]
    assert len(chunks) == 13  # seven that end, and the six above them


def test_runs_are_named_by_the_sweep_and_come_in_order():
    _, ended, _ = ran(group_of(settings_for(Touchy(), steps=3), {"loss.k": np.array([0, 3, 1.0])}))
    assert [part.runs.tolist() for part in ended] == [[5], [7], [9]]


# NaN, and being interrupted


def test_a_nan_start_affects_only_its_own_run():
    start = np.random.default_rng(0).normal(size=(7, 2))
    start[3] = np.nan
    settings = settings_for(Rosenbrock(), Adam(), steps=100)
    group = group_of(settings, {"start": start})
    together, ended, _ = ran(group)
    assert len(ended) == 1
    lost = together[11].outcome
    assert (lost.status, lost.steps) == (Status.DIVERGED, 0)
    assert "not finite at the start" in lost.reason
    others = np.array([0, 1, 2, 4, 5, 6])
    for run, one in ran(group.take(others))[0].items():
        assert one.outcome.status == Status.MAX_STEPS
        assert_same_bits(one, together[run])


@pytest.mark.parametrize("after", [0, 1, 40])
def test_interrupted_runs_keep_what_they_did(after):
    """`interrupted` is asked once a step; what was recorded before it returned true is kept."""
    asked = 0

    def interrupted() -> bool:
        nonlocal asked
        asked += 1
        return asked > after

    settings, columns = ELEMENTWISE["exp and cos"]
    group = group_of(settings, columns)
    together = ran(group, interrupted)[0]
    whole = ran(group)[0]
    for run, one in together.items():
        until = whole[run]
        if until.outcome.steps < after:  # it had ended before
            assert_same_bits(one, until)
            continue
        assert (one.outcome.status, one.outcome.steps) == (Status.INTERRUPTED, after)
        assert one.history.step.tolist() == list(range(after + 1))
        assert one.history.x.tobytes() == until.history.x[: after + 1].tobytes()
        assert one.history.lr[:-1].tobytes() == until.history.lr[:after].tobytes()


def test_the_halves_of_a_raising_batch_are_interrupted_too():
    group = group_of(settings_for(Touchy(reach=0.3), lr=0.01), {"loss.k": np.array([0, 3, 1.0])})
    together = ran(group, lambda: True)[0]
    assert {one.outcome.status for one in together.values()} == {Status.INTERRUPTED}


def test_progress_sees_every_record():
    seen: list[Chunk] = []
    group = group_of(settings_for(Waves(), steps=100), {"lr": rates(1e-3, 1e-2, 5)})
    list(run_group(group, progress=seen.append))
    assert len(seen) > 1
    assert sum(chunk.count for chunk in seen).tolist() == [101] * 5  # type: ignore[union-attr]


def test_a_loss_that_calls_exit_fails_only_its_own_run() -> None:
    class Leaving(Touchy):
        def __call__(self, x: Tensor) -> Tensor:
            try:
                return super().__call__(x)
            except ValueError:
                raise SystemExit("goodbye") from None

    group = group_of(settings_for(Leaving(), SGD(), lr=0.01, steps=5), {"loss.k": [1.0, 3.0, 2.0]})
    together, _, _ = ran(group)
    outcomes = [together[run].outcome for run in group.runs.tolist()]
    assert [outcome.status == Status.FAILED for outcome in outcomes] == [False, True, False]
    assert outcomes[1].reason.startswith("SystemExit after step 0: goodbye (test_shard.py, line ")
