"""Every shared rule takes the steps that torch.optim takes."""

import numpy as np
import pytest
import torch
from batches import finish, make_batch
from cases import DIABETES, RULES, RuleCase
from oracles import relative, torch_path

from gdlab.losses import Loss, Quadratic, Rosenbrock
from gdlab.optimizers import SGD

STEPS = 10

LOSSES: dict[str, tuple[Loss, float]] = {
    "quadratic": (Quadratic(dim=3, condition=20, center=(0.5, -1.0, 2.0)), 0.02),
    "rosenbrock": (Rosenbrock(), 1e-4),
    "mse": (DIABETES, 0.02),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("case", RULES, ids=str)
def test_steps_are_those_of_torch(case: RuleCase, name: str) -> None:
    loss, lr = LOSSES[name]
    (ours,) = finish(make_batch(loss, case.rule, lr, steps=STEPS))
    theirs = torch_path(case.oracle, case.options, loss, lr, STEPS)
    assert ours.history.x.shape == theirs.shape
    worst = max(relative(a, b) for a, b in zip(ours.history.x[1:], theirs[1:], strict=True))
    # Observed 3.6e-15 (Adam on mse, whose bias corrections are not torch's powers), else 7e-16.
    assert worst <= 1e-14


def test_the_table_has_every_option_of_every_rule() -> None:
    for rule in {type(case.rule) for case in RULES}:
        of_rule = [case.rule.settings() for case in RULES if type(case.rule) is rule]
        for option in of_rule[0]:
            assert len({settings[option] for settings in of_rule}) >= 2, (rule, option)


def test_options_given_as_columns_are_options() -> None:
    momentum = torch.tensor([0.0, 0.5, 0.9], dtype=torch.float64)
    decay = torch.tensor([0.1, 0.0, 0.2], dtype=torch.float64)
    loss, lr = LOSSES["quadratic"]
    rule = SGD(momentum=momentum, weight_decay=decay)
    for row, run in enumerate(finish(make_batch(loss, rule, [lr] * 3, steps=STEPS))):
        options = {"momentum": float(momentum[row]), "weight_decay": float(decay[row])}
        theirs = torch_path(torch.optim.SGD, options, loss, lr, STEPS)
        np.testing.assert_allclose(run.history.x, theirs, rtol=1e-14)  # observed 0
