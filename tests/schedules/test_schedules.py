"""Learning rates over steps, against torch's schedulers and closed forms."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from helpers.batches import assert_same_bits, finish, make_batch, rows_of, why_eager
from helpers.command import Done
from hypothesis import strategies as st
from torch import Tensor
from torch.optim import lr_scheduler

import gdlab
from gdlab.engine.batch import Stop
from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.fields.declared import find_field, flatten, map_numbers, nest_changes
from gdlab.losses import Loss, Quadratic, Rosenbrock
from gdlab.optimizers import SGD
from gdlab.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseSqrt,
    InverseTime,
    Linear,
    MultiStep,
    OneCycle,
    Polynomial,
    ReduceOnPlateau,
    Schedule,
    Step,
    Warmup,
)
from gdlab.schedules.base import Memory

STEPS, LR = 200, 0.3


def rates(schedule: Schedule, lr: float = LR) -> np.ndarray:
    base = torch.tensor([lr], dtype=torch.float64)
    return schedule.rates(torch.arange(STEPS), base, STEPS)[:, 0].numpy()


def rates_of_torch(make: Callable[[torch.optim.Optimizer], Any]) -> np.ndarray:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    scheduler, taken = make(optimizer), []
    for _ in range(STEPS):
        taken.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(taken)


def one_cycle(**options: Any) -> Callable[[torch.optim.Optimizer], Any]:
    return lambda o: lr_scheduler.OneCycleLR(
        o, LR, total_steps=STEPS, cycle_momentum=False, **options
    )


COUNTERPARTS: dict[str, tuple[Schedule, Callable[[torch.optim.Optimizer], Any]]] = {
    "constant": (Constant(), lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    "step": (Step(step_size=7, gamma=0.8), lambda o: lr_scheduler.StepLR(o, 7, 0.8)),
    "exponential": (Exponential(gamma=0.98), lambda o: lr_scheduler.ExponentialLR(o, 0.98)),
    "cosine": (
        Cosine(final=0.1),
        lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1 * LR),
    ),
    "cosine to zero": (Cosine(), lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS)),
    "linear": (Linear(final=0.2), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.2, STEPS)),
    "linear to zero": (Linear(), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, STEPS)),
    "multistep": (
        MultiStep(milestones=(20, 90, 90, 150), gamma=0.5),
        lambda o: lr_scheduler.MultiStepLR(o, [20, 90, 90, 150], 0.5),
    ),
    "polynomial": (Polynomial(power=2), lambda o: lr_scheduler.PolynomialLR(o, STEPS, 2.0)),
    "square root": (Polynomial(power=0.5), lambda o: lr_scheduler.PolynomialLR(o, STEPS, 0.5)),
    "cosine with restarts": (
        CosineRestarts(period=30, final=0.1),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 30, eta_min=0.1 * LR),
    ),
    "longer and longer": (
        CosineRestarts(period=10, growth=2),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 10, 2),
    ),
    "one cycle": (OneCycle(final_div_factor=10), one_cycle(final_div_factor=10)),
    "one cycle, lines": (
        OneCycle(pct_start=0.4, anneal_strategy="linear", div_factor=5, final_div_factor=10),
        one_cycle(pct_start=0.4, anneal_strategy="linear", div_factor=5, final_div_factor=10),
    ),
    "one cycle, three phases": (
        OneCycle(three_phase=True, final_div_factor=10),
        one_cycle(three_phase=True, final_div_factor=10),
    ),
    "warmup": (
        Warmup(warmup=30),
        lambda o: lr_scheduler.LinearLR(o, start_factor=1 / 31, total_iters=30),
    ),
    "warmup and a cosine after it": (
        Warmup(warmup=30, then=Cosine(final=0.1)),
        # SequentialLR calls `step` with a number, for which torch warns.
        lambda o: lr_scheduler.LambdaLR(o, warmup_cosine),
    ),
}


def warmup_cosine(k: int) -> float:
    """A line through 1/31, 2/31 … 30/31, then half a cosine from 1 to 0.1 over 170 steps."""
    if k < 30:
        return (k + 1) / 31
    return 0.1 + 0.9 * math.cos(math.pi / 2 * (k - 30) / 170) ** 2


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_rates_agree_with_torch(name: str) -> None:
    schedule, make = COUNTERPARTS[name]
    # Torch multiplies from step to step and accumulates rounding. Observed 3e-15.
    np.testing.assert_allclose(rates(schedule), rates_of_torch(make), rtol=2e-14, atol=0)


def test_a_deep_one_cycle_agrees_with_torch_to_rounding_of_its_peak() -> None:
    """Near the end, 1 + cos cancels, in torch as well."""
    ours, theirs = rates(OneCycle()), rates_of_torch(one_cycle())
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-16)  # observed 5.6e-17
    np.testing.assert_allclose(ours[-1], LR / 25 / 1e4, rtol=1e-10)


def test_one_cycle_of_a_few_steps_has_no_gaps() -> None:
    for steps in (1, 2, 3, 5):
        for three_phase in (False, True):
            base = torch.tensor([LR], dtype=torch.float64)
            schedule = OneCycle(three_phase=three_phase)
            assert schedule.rates(torch.arange(steps), base, steps).isfinite().all()


def test_one_cycle_refuses_three_phases_that_do_not_fit() -> None:
    with pytest.raises(SettingError, match=r"pct_start=0\.6: must be ≤ 0\.5 with three_phase=true"):
        OneCycle(pct_start=0.6, three_phase=True)


def test_inverse_sqrt_is_its_closed_form() -> None:
    expected = [LR / math.sqrt(1 + 0.05 * k) for k in range(STEPS)]
    np.testing.assert_allclose(
        rates(InverseSqrt(decay=0.05)), expected, rtol=1e-15
    )  # observed 2e-16


def test_inverse_time_is_its_closed_form() -> None:
    expected = [LR / (1 + 0.05 * k) for k in range(STEPS)]
    np.testing.assert_allclose(
        rates(InverseTime(decay=0.05)), expected, rtol=1e-15
    )  # observed 2e-16


def test_a_warmup_as_long_as_the_run_only_rises() -> None:
    expected = [LR * (k + 1) / (STEPS + 1) for k in range(STEPS)]
    np.testing.assert_allclose(
        rates(Warmup(warmup=STEPS, then=Cosine())), expected, rtol=1e-15
    )  # observed 2e-16


LONG = Warmup(warmup=900, then=Warmup(warmup=101))
TOO_LONG = [
    (Warmup(warmup=1001), "schedule.warmup=1001: must be ≤ 1000, the number of steps"),
    (LONG, "schedule.then.warmup=101: must be ≤ 100"),
]


@pytest.mark.parametrize(("schedule", "said"), TOO_LONG)
def test_a_warmup_longer_than_its_run_is_refused(schedule: Schedule, said: str) -> None:
    with pytest.raises(SettingError) as raised:
        gdlab.run(schedule=schedule, steps=1000)
    assert str(raised.value).startswith(said)
    gdlab.run(schedule=schedule, steps=1001)


def test_one_cycle_refuses_factors_below_one() -> None:
    for field in ("div_factor", "final_div_factor"):
        given: dict[str, Any] = {field: 0.5}
        with pytest.raises(SettingError, match=f"{field}=0.5: must be a finite number ≥ 1"):
            OneCycle(**given)


CUSTOM = """
import torch
from gdlab import Schedule

class Falling(Schedule):
    gamma: float = 0.9
    fails_at: int = 10**9

    def factor(self, step, steps):
        if bool((step == self.fails_at).any()):
            raise RuntimeError("no more")
        return torch.pow(self.gamma, step)
"""


def test_a_custom_schedule(here: Path, gd: Callable[..., Done]) -> None:
    Path("mine.py").write_text(CUSTOM, encoding="utf-8")
    own = ("schedule=custom", "schedule._target_=mine.Falling", "steps=100", "record.figures=false")
    done = gd("-m", *own, "schedule.gamma=0.9,0.99", "hydra.sweep.dir=s")
    assert done.code == 0, done
    swept = gdlab.load("s")
    for run, gamma in enumerate((0.9, 0.99)):
        rates = swept.history(run)["lr"][:-1]
        np.testing.assert_allclose(
            rates, 0.1 * gamma ** np.arange(100), rtol=1e-13
        )  # observed 3e-15


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_a_schedule_that_raises_is_refused_or_fails_its_run(
    here: Path, gd: Callable[..., Done], mode: str
) -> None:
    Path("mine.py").write_text(CUSTOM, encoding="utf-8")
    own = ("schedule=custom", "schedule._target_=mine.Falling", "steps=100", "record.figures=false")
    done = gd(*own, "schedule.fails_at=99")
    assert done.code == 2
    said = "error: schedule=Falling: cannot be used (RuntimeError: no more) (mine.py, line "
    assert done.err.startswith(said)
    assert not Path("runs").exists()
    done = gd(*own, "schedule.fails_at=50", f"engine.mode={mode}", "hydra.run.dir=run")
    assert done.code == 1
    assert "failed: RuntimeError after step 49: no more" in done.out
    assert len(gdlab.load("run").history()) == 50


def test_the_full_rate_is_reached_after_the_warmup() -> None:
    assert rates(Warmup(warmup=30, then=Cosine()))[30] == LR


VECTORIZED: dict[str, Schedule] = {
    "step": Step(step_size=7, gamma=0.8),
    "exponential": Exponential(gamma=0.98),
    "cosine": Cosine(final=0.1),
    "linear": Linear(final=0.2),
    "inverse time": InverseTime(decay=0.05),
    "warmup": Warmup(warmup=30, then=Cosine(final=0.1)),
    "multistep": MultiStep(milestones=(20, 90), gamma=0.5),
    "polynomial": Polynomial(power=2),
    "inverse square root": InverseSqrt(decay=0.05),
    "restarts": CosineRestarts(period=10, growth=2, final=0.1),
}


@pytest.mark.parametrize("name", VECTORIZED)
def test_a_column_of_settings_gives_every_run_its_own_rates(name: str) -> None:
    schedule = VECTORIZED[name]
    fields = {key: find_field(schedule, key) for key in flatten(schedule)}
    (name,) = [key for key, field in fields.items() if field is not None and field.numeric]
    values = torch.linspace(0.3, 0.9, 32, dtype=torch.float64)
    base = torch.linspace(0.1, 1, 32, dtype=torch.float64)

    def with_given(given: "torch.Tensor | float") -> Schedule:
        return schedule.replace(**nest_changes(schedule, {name: given}))

    together = with_given(values).rates(torch.arange(STEPS), base, STEPS)
    for row in (0, 13, 31):
        alone = rates(with_given(float(values[row])), float(base[row]))
        np.testing.assert_allclose(together[:, row], alone, rtol=2e-15)  # observed 0


@pytest.mark.parametrize("name", VECTORIZED)
def test_rates_do_not_depend_on_how_steps_are_chunked(name: str) -> None:
    base = torch.linspace(0.1, 1, 32, dtype=torch.float64)
    schedule = map_numbers(
        VECTORIZED[name], lambda v: torch.as_tensor(v, dtype=torch.float64).expand(32)
    )
    whole = schedule.rates(torch.arange(STEPS), base, STEPS)
    for first, last in ((0, 1), (1, 8), (31, 96), (199, 200)):
        part = schedule.rates(torch.arange(first, last), base, STEPS)
        assert torch.equal(part, whole[first:last])


LOSSES: list[Loss] = [Quadratic(condition=20), Rosenbrock()]
PLATEAUS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "impatient": {"patience": 0},
    "patient": {"patience": 30, "factor": 0.5},
    "demanding": {"patience": 3, "threshold": 0.05, "factor": 0.7},
    "by amounts": {"patience": 3, "threshold": 0.01, "threshold_mode": "abs", "factor": 0.7},
    "cooling": {"patience": 2, "threshold": 0.05, "cooldown": 4, "factor": 0.7},
    "bounded": {"patience": 2, "threshold": 0.05, "min_lr": 1e-4, "factor": 0.5},
    "coarse": {"patience": 2, "threshold": 0.05, "eps": 1e-4, "factor": 0.5},
}


def plateau_of(options: dict[str, Any]) -> ReduceOnPlateau:
    named = {"shrink" if name == "factor" else name: value for name, value in options.items()}
    return ReduceOnPlateau(**named)


def plateau_of_torch(
    loss: Loss, lr: float, options: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Points and rates of a torch loop with optimizer and scheduler steps."""
    x = torch.as_tensor(loss.start).clone().requires_grad_()
    optimizer = torch.optim.SGD([x], lr=lr, momentum=0.5, foreach=False)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    points, taken = [], []
    for _ in range(STEPS):
        points.append(x.detach().numpy().copy())
        taken.append(optimizer.param_groups[0]["lr"])
        optimizer.zero_grad()
        value = loss(x[None])[0]
        value.backward()
        optimizer.step()
        scheduler.step(float(value.detach()))
    return np.array(points), np.array(taken)


@pytest.mark.parametrize("name", PLATEAUS)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_reduce_on_plateau_agrees_with_torch_in_each_row(loss: Loss, name: str) -> None:
    options = PLATEAUS[name]
    lrs = [2e-4, 1e-3, 2.5e-3] if isinstance(loss, Rosenbrock) else [0.001, 0.05, 0.16]
    batch = make_batch(loss, SGD(momentum=0.5), lrs, schedule=plateau_of(options), steps=STEPS)
    falls = 0
    for lr, run in zip(lrs, finish(batch), strict=True):
        points, taken = plateau_of_torch(loss, lr, options)
        there = min(len(run.history.x), STEPS)
        np.testing.assert_allclose(run.history.lr[: there - 1], taken[: there - 1], rtol=1e-15)
        np.testing.assert_allclose(run.history.x[:there], points[:there], rtol=1e-9, atol=1e-12)
        falls += len(set(taken)) - 1
    assert falls >= 1 or isinstance(loss, Rosenbrock)


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_plateaus_follow_each_row_through_chunks_and_compactions(mode: str) -> None:
    lr = np.geomspace(1e-4, 1.0, 40)
    shrink = torch.linspace(0.3, 0.9, 40, dtype=torch.float64)
    schedule = Warmup(warmup=5, then=ReduceOnPlateau(shrink=shrink, patience=4, threshold=0.05))
    batch = make_batch(Quadratic(dim=3), SGD(momentum=0.9), lr, schedule=schedule, steps=STEPS)
    batch = replace(batch, stop=Stop(grad_tol=0.05))
    if mode == "compiled":
        assert why_eager(batch) is None
    batch = replace(batch, mode=mode)
    together = finish(batch)
    assert {run.outcome.status for run in together} >= {Status.MAX_STEPS, Status.CONVERGED}
    for row in (0, 9, 20, 31, 39):
        (alone,) = finish(rows_of(batch, [row]))
        assert_same_bits(together[row], alone)
        rate = together[row].history.lr
        assert rate[0] == pytest.approx(lr[row] / 6, rel=1e-15)
        assert np.isfinite(rate[:-1]).all()


class Decides(ReduceOnPlateau):
    """Lets Python decide by the number of the step, and has a state of whole numbers."""

    counts: bool = False

    def init(self, base: Tensor) -> Memory:
        return {**super().init(base), **({"count": base.long()} if self.counts else {})}

    def lr(self, step: int, base: Tensor, state: Memory, loss: Tensor, steps: int) -> Any:
        rate, new = super().lr(step, base, state, loss, steps)
        return rate, state if step < 3 else new


REASONS = {
    False: "Python reads a number of the step, which then has no compiled form",
    True: "the schedule's state count has dtype torch.int64",
}


@pytest.mark.parametrize("counts", REASONS)
def test_a_schedule_without_a_compiled_form_runs_eagerly_and_says_why(counts: bool) -> None:
    batch = make_batch(Quadratic(), schedule=Decides(patience=2, counts=counts), steps=50)
    assert why_eager(replace(batch, mode="compiled")) == REASONS[counts]


def test_losses_that_were_not_computed_do_not_count() -> None:
    schedule = ReduceOnPlateau(patience=0)
    base = torch.tensor([LR], dtype=torch.float64)
    state = schedule.init(base)
    for loss in (3.0, math.nan, math.nan, 2.0, math.nan):
        value = torch.tensor([loss], dtype=torch.float64)
        rate, state = schedule.lr(0, base, state, value, STEPS)
        assert rate == LR
    assert schedule.lr(0, base, state, base, STEPS)[0] == LR


@pytest.mark.parametrize(
    ("options", "losses", "progress"),
    [
        ({}, [3.0, 3.0, 2.9999, 2.9, 2.95], "10010"),
        ({}, [-3.0, -3.0, -3.0001, -3.1, -3.05], "10010"),
        ({"threshold": 0.5}, [4.0, 2.0, 1.9, 0.0, 0.0, -1e-9, -1.4e-9, -2e-9], "10110101"),
        ({"threshold": 0.0}, [-1.0, -1.0, math.nextafter(-1.0, -2.0), -0.5], "1010"),
        ({"threshold": 2.0}, [-1.0, -2.0, -4.0, 0.0], "1010"),
        ({"threshold": 1.0}, [1.0, 0.5, 0.0, -0.1], "1001"),
        ({"threshold": 0.5, "threshold_mode": "abs"}, [-1.0, -1.4, -1.6, -2.0, -2.2], "10101"),
        ({"threshold": 0.5, "threshold_mode": "abs"}, [1.0, 0.6, 0.4, 0.0, -0.2], "10101"),
    ],
)
def test_progress_means_the_same_for_losses_of_any_sign(
    options: dict[str, Any], losses: list[float], progress: str
) -> None:
    assert _progress(ReduceOnPlateau(patience=0, **options), losses) == progress


@hypothesis.settings(max_examples=50)
@hypothesis.given(
    st.lists(st.integers(-20, 20), min_size=2, max_size=8), st.sampled_from([0.0, 0.125, 0.5, 2.0])
)
def test_progress_is_a_fall_by_a_share_of_the_size_of_the_best_loss(
    losses: list[int], threshold: float
) -> None:
    best, expected = math.inf, ""
    for loss in losses:
        is_better = best == math.inf or best - loss > threshold * abs(best)
        best, expected = (loss if is_better else best), expected + str(int(is_better))
    assert _progress(ReduceOnPlateau(patience=0, threshold=threshold), losses) == expected


def _progress(schedule: ReduceOnPlateau, losses: Sequence[float]) -> str:
    """Return 1 for each loss that became the best, and 0 for each other."""
    base = torch.tensor([LR], dtype=torch.float64)
    state, marks = schedule.init(base), ""
    for loss in losses:
        before = state["best"]
        state = schedule.lr(0, base, state, torch.tensor([loss], dtype=torch.float64), STEPS)[1]
        marks += str(int(state["best"] != before))
    return marks
