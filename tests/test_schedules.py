"""Learning rates over steps, against torch's schedulers and closed forms."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from gdlab.fields import columns, declared
from gdlab.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Linear,
    Schedule,
    Step,
    WarmupCosine,
)

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
    "warm-up and cosine": (
        WarmupCosine(warmup=30, final=0.1),
        # SequentialLR calls `step` with a number, which torch itself warns of.
        lambda o: lr_scheduler.LambdaLR(o, warmup_cosine_in_words),
    ),
}


def warmup_cosine_in_words(k: int) -> float:
    """A line through 1/31, 2/31 … 30/31, then half a cosine from 1 to 0.1 over 170 steps."""
    if k < 30:
        return (k + 1) / 31
    return 0.1 + 0.9 * math.cos(math.pi / 2 * (k - 30) / 170) ** 2


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_rates_are_those_of_torch(name: str) -> None:
    schedule, make = COUNTERPARTS[name]
    # Torch multiplies from step to step and gathers rounding. Observed 3e-15.
    np.testing.assert_allclose(rates(schedule), rates_of_torch(make), rtol=2e-14, atol=0)


def test_inverse_time_is_its_closed_form() -> None:
    expected = [LR / (1 + 0.05 * k) for k in range(STEPS)]
    np.testing.assert_allclose(
        rates(InverseTime(decay=0.05)), expected, rtol=1e-15
    )  # observed 2e-16


def test_a_warm_up_longer_than_the_run_only_rises() -> None:
    expected = [LR * (k + 1) / 1001 for k in range(STEPS)]
    np.testing.assert_allclose(
        rates(WarmupCosine(warmup=1000)), expected, rtol=1e-15
    )  # observed 2e-16


def test_the_full_rate_is_reached_after_the_warm_up() -> None:
    assert rates(WarmupCosine(warmup=30))[30] == LR


MANY: dict[str, Schedule] = {
    "step": Step(step_size=7, gamma=0.8),
    "exponential": Exponential(gamma=0.98),
    "cosine": Cosine(final=0.1),
    "linear": Linear(final=0.2),
    "inverse time": InverseTime(decay=0.05),
    "warm-up": WarmupCosine(warmup=30, final=0.1),
}


@pytest.mark.parametrize("name", MANY)
def test_a_column_of_settings_gives_every_run_its_own_rates(name: str) -> None:
    schedule = MANY[name]
    (field,) = [key for key, field in declared(type(schedule)).items() if field.numeric]
    values = torch.linspace(0.3, 0.9, 32, dtype=torch.float64)
    base = torch.linspace(0.1, 1, 32, dtype=torch.float64)
    together = schedule.replace(**{field: values}).rates(torch.arange(STEPS), base, STEPS)
    for row in (0, 13, 31):
        alone = rates(schedule.replace(**{field: float(values[row])}), float(base[row]))
        np.testing.assert_allclose(together[:, row], alone, rtol=2e-15)  # observed 0


@pytest.mark.parametrize("name", MANY)
def test_rates_do_not_depend_on_how_steps_are_chunked(name: str) -> None:
    base = torch.linspace(0.1, 1, 32, dtype=torch.float64)
    schedule = columns(MANY[name], lambda v: torch.as_tensor(v, dtype=torch.float64).expand(32))
    whole = schedule.rates(torch.arange(STEPS), base, STEPS)
    for first, last in ((0, 1), (1, 8), (31, 96), (199, 200)):
        part = schedule.rates(torch.arange(first, last), base, STEPS)
        assert torch.equal(part, whole[first:last])
