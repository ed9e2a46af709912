"""Every optimizer takes the steps of torch.optim, of another library, or of its paper."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.batches import finish, make_batch
from helpers.gradients import relative

from gdlab import optimizers
from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.losses import MLP, Loss, Quadratic, Rosenbrock
from gdlab.optimizers import (
    SGD,
    Adam,
    Lookahead,
    Muon,
    Optimizer,
    OracleOptimizer,
    RMSprop,
    Torch,
    WeightDecay,
)
from optimizers import oracles
from optimizers.cases import OPTIMIZERS, OneMatrix, OptimizerCase
from optimizers.oracles import plain, stepped_path, written_path
from optimizers.solver_cases import SOLVERS

STEPS = 10

LOSSES: dict[str, tuple[Loss, float]] = {
    "quadratic": (Quadratic(dim=3, condition=20, center=(0.5, -1.0, 2.0)), 0.02),
    "rosenbrock": (Rosenbrock(), 1e-4),
    "mlp": (MLP(widths=(3,), count=20), 0.02),
}
DTYPES = (torch.float64, torch.float32)


def worst_error(case: OptimizerCase, loss: Loss, lr: float, dtype: torch.dtype) -> float:
    """Return the largest relative distance of our points from the oracle's."""
    loss = loss.to(dtype, torch.device("cpu"))
    batch = make_batch(loss, case.optimizer, lr, steps=STEPS)
    batch = replace(batch, lr=batch.lr.to(dtype), noise=batch.noise.to(dtype))
    (ours,) = finish(batch)
    assert ours.outcome.status == Status.MAX_STEPS, ours.outcome.reason
    theirs = case.points(loss, lr, STEPS)
    assert ours.history.x.shape == theirs.shape
    return max(relative(a, b) for a, b in zip(ours.history.x[1:], theirs[1:], strict=True))


def on_blocks() -> list[OptimizerCase]:
    """Cases for a loss of several blocks: the first of each class, each third, and matrices."""
    first = {type(case.optimizer): case for case in reversed(OPTIMIZERS)}
    return [
        case
        for number, case in enumerate(OPTIMIZERS)
        if number % 3 == 0 or case.needs_matrix or case is first[type(case.optimizer)]
    ]


TRIED = [(case, "rosenbrock", torch.float64) for case in OPTIMIZERS]
TRIED += [(case, "quadratic", torch.float32) for case in OPTIMIZERS]
TRIED += [(case, "mlp", torch.float64) for case in on_blocks()]


@pytest.mark.parametrize(("case", "name", "dtype"), TRIED, ids=str)
def test_steps_are_those_of_the_oracle(case: OptimizerCase, name: str, dtype: torch.dtype) -> None:
    loss, lr = LOSSES[name]
    if case.needs_matrix and name != "mlp":
        with pytest.raises(SettingError, match="needs a loss with a matrix"):
            finish(make_batch(loss, case.optimizer, lr))
        return
    assert worst_error(case, loss, lr, dtype) <= case.near[DTYPES.index(dtype)]
    # Observed in float64 and float32: 6e-15 (RAdam) and 1.7e-6 (RMSprop); centered RMSprop and Muon
    # have tolerances of their own.


def test_the_tables_have_every_optimizer() -> None:
    known = {type(case.optimizer) for case in [*OPTIMIZERS, *SOLVERS]}
    exported = {getattr(optimizers, name) for name in optimizers.__all__}
    assert exported - {Optimizer, OracleOptimizer, Torch} == known


def test_the_table_has_every_option_of_every_optimizer() -> None:
    exempt = {"inner", "inner_scale", "averaged", "decoupled_weight_decay", "decoupled"}
    for optimizer in {type(case.optimizer) for case in OPTIMIZERS}:
        of_class = [
            case.optimizer.settings() for case in OPTIMIZERS if type(case.optimizer) is optimizer
        ]
        assert set(of_class[0]) - exempt or not of_class[0]
        for option in set(of_class[0]) - exempt:
            if (optimizer, option) != (WeightDecay, "weight_decay"):
                assert len({settings[option] for settings in of_class}) >= 2, (
                    optimizer,
                    option,
                )


def test_every_option_of_the_table_changes_the_steps() -> None:
    """Otherwise an optimizer and its oracle could both ignore it, and no test would notice."""
    for kind in {type(case.optimizer) for case in OPTIMIZERS} - {WeightDecay}:
        instances = [case.optimizer for case in OPTIMIZERS if type(case.optimizer) is kind]
        tried: dict[str, bool] = {}
        for one, other in itertools.combinations(instances, 2):
            changed = [k for k, v in one.settings().items() if v != getattr(other, k)]
            changed = [name for name in changed if name != "inner"]
            if len(changed) == 1 and not tried.get(changed[0]):
                tried[changed[0]] = takes_other_steps(one, other)
        has_options = any(name != "inner" for name in instances[0].settings())
        assert bool(tried) == has_options, kind
        assert all(tried.values()), (kind, tried)


def takes_other_steps(one: Optimizer, other: Optimizer) -> bool:
    """Return whether two optimizers differ in 10 steps on the network, at a large rate."""
    batches = (
        make_batch(LOSSES["mlp"][0], optimizer, 0.5, steps=STEPS) for optimizer in (one, other)
    )
    ((first,), (second,)) = map(finish, batches)
    assert np.isfinite(first.history.x).all()
    assert np.isfinite(second.history.x).all()
    return not np.array_equal(first.history.x, second.history.x)


def test_options_given_as_columns_are_options() -> None:
    momentum = torch.tensor([0.0, 0.5, 0.9], dtype=torch.float64)
    decay = torch.tensor([0.1, 0.0, 0.2], dtype=torch.float64)
    loss, lr = LOSSES["quadratic"]
    optimizer = SGD(momentum=momentum, weight_decay=decay)
    for row, run in enumerate(finish(make_batch(loss, optimizer, [lr] * 3, steps=STEPS))):
        options = {"momentum": float(momentum[row]), "weight_decay": float(decay[row])}
        theirs = stepped_path(plain(torch.optim.SGD), options, loss, lr, STEPS)
        np.testing.assert_allclose(run.history.x, theirs, rtol=1e-14)  # observed 0


def test_columns_reach_the_optimizer_inside() -> None:
    alpha = torch.tensor([0.3, 0.5, 0.9], dtype=torch.float64)
    momentum = torch.tensor([0.0, 0.5, 0.9], dtype=torch.float64)
    loss, lr = LOSSES["quadratic"]
    optimizer = Lookahead(alpha=alpha, inner=SGD(momentum=momentum))
    for row, run in enumerate(finish(make_batch(loss, optimizer, [lr] * 3, steps=STEPS))):
        alone = Lookahead(alpha=float(alpha[row]), inner=SGD(momentum=float(momentum[row])))
        (expected,) = finish(make_batch(loss, alone, lr, steps=STEPS))
        np.testing.assert_array_equal(run.history.x, expected.history.x)


def test_the_loss_is_recorded_at_the_point_not_where_the_gradient_is_taken() -> None:
    loss, lr = LOSSES["rosenbrock"]
    (run,) = finish(make_batch(loss, Lookahead(k=3), lr, steps=STEPS))
    x = torch.from_numpy(run.history.x)
    np.testing.assert_array_equal(run.history.loss, loss(x).numpy())
    assert len(np.unique(run.history.loss)) == 1 + STEPS // 3


MUON: dict[str, tuple[Any, ...]] = {
    "momentum": (0.95, 0.5),
    "nesterov": (True, False),
    "weight_decay": (0.1, 0.0),
    "ns_coefficients": ((3.4445, -4.775, 2.0315), (2.0, -1.5, 0.5)),
    "ns_steps": (5, 2),
    "eps": (1e-7, 100.0),
    "adjust_lr_fn": ("original", "match_rms_adamw"),
}


@pytest.mark.parametrize("option", MUON)
def test_muon_is_exact_where_torch_is_not(option: str) -> None:
    """The oracle applies the polynomial to singular values from an SVD; torch uses bfloat16."""
    loss = OneMatrix()
    options = {name: values[0] for name, values in MUON.items()} | {option: MUON[option][1]}
    (ours,) = finish(make_batch(loss, Muon(**options), 0.02, steps=STEPS))
    theirs = written_path(oracles.muon((3, 2)), options, loss, 0.02, STEPS)
    # Observed 4e-14: small singular values grow by up to 3.4445 in each of 5 iterations.
    assert relative(ours.history.x, theirs) <= 5e-12


def test_the_wrapper_is_the_weight_decay_setting() -> None:
    loss, lr = LOSSES["rosenbrock"]
    pairs = [
        (
            WeightDecay(inner=RMSprop(), weight_decay=0.1, decoupled=False),
            RMSprop(weight_decay=0.1),
        ),
        (
            WeightDecay(inner=Adam(), weight_decay=0.1),
            Adam(weight_decay=0.1, decoupled_weight_decay=True),
        ),
    ]
    for outside, inside in pairs:
        (one,), (other,) = (finish(make_batch(loss, r, lr, steps=STEPS)) for r in (outside, inside))
        np.testing.assert_array_equal(one.history.x, other.history.x)


def test_coupled_decay_around_an_optimizer_that_maximizes_is_refused() -> None:
    with pytest.raises(SettingError, match="decoupled=false: must be true around an optimizer"):
        WeightDecay(inner=SGD(maximize=True), decoupled=False)


def test_an_optimizer_that_needs_more_than_a_gradient_has_no_wrapper() -> None:
    with pytest.raises(SettingError, match="inner=BFGS: must be an optimizer that needs only"):
        Lookahead(inner=optimizers.BFGS())
