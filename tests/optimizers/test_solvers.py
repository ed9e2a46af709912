"""Optimizers with line searches and curvature: their steps, guarantees and evaluation counts."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.batches import assert_same_bits, finish, make_batch, rows_of
from helpers.gradients import relative
from losses.cases import DIABETES
from scipy.optimize import least_squares
from torch import Tensor

from gdlab import optimizers
from gdlab.engine.batch import Stop
from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.losses import (
    MSE,
    Bard,
    Beale,
    BrownDennis,
    FreudensteinRoth,
    HelicalValley,
    KowalikOsborne,
    LinearFull,
    LinearRank1,
    Loss,
    MonkeySaddle,
    Osborne1,
    PowellSingular,
    Quadratic,
    Rosenbrock,
    Saddle,
)
from gdlab.losses.transform import Transform
from gdlab.optimizers import (
    BFGS,
    LBFGS,
    ClipNorm,
    ConjugateGradient,
    GaussNewton,
    LevenbergMarquardt,
    LineSearchDescent,
    Newton,
    Optimizer,
    OracleOptimizer,
    Polyak,
)
from optimizers.solver_cases import IRIS, SOLVERS, TILTED, SolverCase
from optimizers.solver_oracles import Problem

NEVER = Stop(grad_tol=0.0)


def class_name(what: object) -> str:
    return type(what).__name__


@pytest.mark.parametrize("case", SOLVERS, ids=str)
def test_steps_are_those_of_the_oracle(case: SolverCase) -> None:
    batch = make_batch(case.loss, case.optimizer, case.lr, steps=case.steps, stop=NEVER)
    (ours,) = finish(batch)
    assert ours.outcome.status == Status.MAX_STEPS, ours.outcome.reason
    theirs = case.points()
    assert np.linalg.norm(theirs[-1] - theirs[0]) > 1e-3
    for x, oracle in zip(ours.history.x[1:], theirs[1:], strict=True):
        assert relative(x, oracle) <= 1e-11
    # Observed: 8e-14 (modified Newton on Wood).


def quadratics() -> list[Loss]:
    return [
        Transform(rotation=rotation).of(Quadratic(dim=dim, condition=condition, center=-0.3))
        for dim in (1, 2, 5, 20)
        for condition in (1.0, 10.0, 100.0)
        for rotation in (None, 3)
    ]


@pytest.mark.parametrize("loss", [*quadratics(), DIABETES, TILTED], ids=lambda loss: f"{loss.dim}")
def test_newton_solves_any_quadratic_in_one_step(loss: Loss) -> None:
    start = loss.tensor(loss.start) + 0.5
    (run,) = finish(make_batch(loss, Newton(), 1.0, start=start, steps=1, stop=NEVER))
    assert loss.minimizers is not None
    assert run.outcome.grad_norm <= 1e-12 * run.history.grad_norm[0]  # observed 4e-15
    assert run.outcome.distance is not None
    assert run.history.distance is not None
    assert run.outcome.distance <= 1e-11 * run.history.distance[0]  # observed 6e-14
    assert run.outcome.evaluations == 2 + loss.dim  # two records and a Hessian


@pytest.mark.parametrize("loss", quadratics(), ids=lambda loss: f"{loss.dim}")
@pytest.mark.parametrize(
    "optimizer",
    [ConjugateGradient(beta=b, line_search="exact") for b in ("fr", "pr+", "hs")]
    + [BFGS(line_search="exact"), LBFGS(line_search="exact", history=20)],
    ids=("fr", "pr+", "hs", "bfgs", "lbfgs"),
)
def test_conjugate_steps_solve_a_quadratic_in_at_most_dim_steps(
    loss: Loss, optimizer: Optimizer
) -> None:
    (run,) = finish(make_batch(loss, optimizer, 1.0, steps=loss.dim, stop=NEVER))
    assert run.history.grad_norm.min() <= 1e-6 * run.history.grad_norm[0]  # observed 3e-14


SEARCHING = [
    LineSearchDescent(c2=0.5),
    ConjugateGradient(beta="fr"),
    ConjugateGradient(),
    ConjugateGradient(beta="hs"),
    BFGS(),
    LBFGS(),
]


@pytest.mark.parametrize("optimizer", SEARCHING, ids=class_name)
@pytest.mark.parametrize("loss", [Rosenbrock(), Beale(), HelicalValley()], ids=class_name)
def test_steps_meet_the_strong_wolfe_conditions(
    optimizer: LineSearchDescent | ConjugateGradient | BFGS | LBFGS, loss: Loss
) -> None:
    """The conditions do not depend on the length of d, so that the step can replace d."""
    (run,) = finish(make_batch(loss, optimizer, 0.5, steps=25, stop=Stop(grad_tol=1e-4)))
    problem, x = Problem(loss), run.history.x
    assert len(x) >= 10
    for before, after in itertools.pairwise(x):
        step, slope = after - before, problem.gradient(before) @ (after - before)
        assert slope < 0
        # 1e-15 allows for rounding in the loss.
        assert problem.f(after) <= problem.f(before) + optimizer.c1 * slope + 1e-15
        assert abs(problem.gradient(after) @ step) <= optimizer.c2 * abs(slope) * (1 + 1e-9)


@pytest.mark.parametrize("modified", [False, True])
def test_modified_newton_leaves_a_saddle_where_newton_stays(modified: bool) -> None:
    loss = Quadratic(eigenvalues=(1.0, -1.0))
    optimizer = Newton(modified=modified, line_search="none")
    (run,) = finish(make_batch(loss, optimizer, 1.0, start=[1.0, 1e-3], steps=5, stop=Stop()))
    if modified:
        assert run.outcome.final_loss < -1e-5
        assert (np.diff(run.history.loss) < 0).all()
    else:
        assert run.outcome.status == Status.CONVERGED
        assert abs(run.outcome.final_loss) < 1e-20
    for saddle in (Saddle(), MonkeySaddle()):
        optimizer = Newton(modified=True, line_search="armijo")
        (run,) = finish(make_batch(saddle, optimizer, 1.0, start=[0.3, 0.1], steps=40))
        assert (np.diff(run.history.loss) < 0).all()
        assert run.outcome.final_loss < -1


def least_squares_problems() -> list[Loss]:
    return [
        Bard(),
        Beale(),
        BrownDennis(),
        FreudensteinRoth(),
        HelicalValley(),
        KowalikOsborne(),
        LinearFull(),
        LinearRank1(),
        Osborne1(),
        PowellSingular(),
    ]


@pytest.mark.parametrize("loss", least_squares_problems(), ids=class_name)
def test_levenberg_marquardt_ends_as_low_as_scipys(loss: Loss) -> None:
    problem = Problem(loss)
    args: Any = {"jac": problem.jacobian, "ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    scipys = least_squares(problem.residuals, problem.start, method="lm", **args)
    (run,) = finish(make_batch(loss, LevenbergMarquardt(), 1.0, steps=300))
    lowest = 2 * scipys.cost
    assert run.outcome.final_loss - lowest <= 1e-8 * (1 + abs(lowest))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_damping_that_many_good_steps_made_tiny_can_grow_again(dtype: torch.dtype) -> None:
    """Undamped steps for atan(x) = 0 from 10 only lead away."""

    class Arc(Loss):
        dim: int = 1  # type: ignore[assignment]
        start = (10.0,)  # type: ignore[assignment]

        def residuals(self, x: Tensor) -> Tensor:
            return torch.atan(x)

        def __call__(self, x: Tensor) -> Tensor:
            return self.residuals(x).square().sum(-1)

    dampings = torch.tensor([1e-3, 1e-30, 1e-300, 5e-324], dtype=torch.float64)
    batch = make_batch(Arc(), LevenbergMarquardt(damping=dampings), [1.0] * 4)
    numbers = {name: getattr(batch, name).to(dtype) for name in ("lr", "start", "noise")}
    for run in finish(replace(batch, loss=Arc().to(dtype, torch.device("cpu")), **numbers)):
        assert run.outcome.status == Status.CONVERGED, run.outcome.reason


@pytest.mark.parametrize("column", [0.0, 1.0], ids=("a column of zeros", "equal columns"))
def test_levenberg_marquardt_survives_many_good_steps(column: float, tmp_path: Path) -> None:
    """λ falls to a third with each: from 0.001 it would be 0 after 672 of them."""
    rows = "\n".join(f"{i},{column * i},{2 * i + 1}" for i in range(1, 5))
    (tmp_path / "table.csv").write_text(f"x,z,y\n{rows}\n")
    loss = MSE(data=str(tmp_path / "table.csv"))
    (run,) = finish(make_batch(loss, LevenbergMarquardt(damping=1e-320), 0.5, steps=60))
    assert run.outcome.status == Status.CONVERGED, run.outcome.reason
    assert run.outcome.final_loss < 1e-16  # observed 8e-18


def test_gauss_newton_takes_the_shortest_step_where_residuals_are_dependent() -> None:
    for loss in (LinearFull(), LinearRank1()):
        (run,) = finish(make_batch(loss, GaussNewton(), 1.0, steps=1, stop=NEVER))
        problem = Problem(loss)
        pinv = np.linalg.pinv(problem.jacobian(problem.start), rcond=1e-12)
        shortest = problem.start - pinv @ problem.residuals(problem.start)
        assert relative(run.outcome.x, shortest) <= 1e-10
        assert loss.minimum is not None
        assert run.outcome.final_loss - float(loss.minimum) <= 1e-8 * (1 + float(loss.minimum))


def test_a_search_that_cannot_progress_ends_only_its_own_run() -> None:
    """The kink of |x| in the first row, a smooth quadratic in the other."""

    class Kink(Loss):
        dim: int = 1  # type: ignore[assignment]

        @property
        def start(self) -> torch.Tensor:
            return self.tensor([1.0])

        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return torch.where(x < 10, x.abs() + 0.1 * x, (x - 20).square())[..., 0]

    for optimizer in (BFGS(), LBFGS(), ConjugateGradient(), LineSearchDescent()):
        batch = make_batch(Kink(), optimizer, [1.0, 1.0], start=[[0.0], [15.0]], steps=40)
        stuck, free = finish(batch)
        assert stuck.outcome.status == Status.STALLED
        assert stuck.outcome.steps == 0
        assert "found no better point after step 0" in stuck.outcome.reason
        assert free.outcome.status == Status.CONVERGED
        assert_same_bits(free, finish(rows_of(batch, [1]))[0])


def test_a_singular_hessian_stalls() -> None:
    loss = Quadratic(eigenvalues=(1.0, 0.0))
    (run,) = finish(make_batch(loss, Newton(), 1.0, start=[1.0, 1.0]))
    assert run.outcome.status == Status.STALLED
    np.testing.assert_array_equal(run.outcome.x, [1.0, 1.0])


class Counting(Loss):
    """Rosenbrock, which counts its calls."""

    dim: int = 2  # type: ignore[assignment]

    @property
    def start(self) -> torch.Tensor:
        return self.tensor([-1.2, 1.0])

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        Counting.calls += 1
        return 100 * (x[..., 1] - x[..., 0] ** 2) ** 2 + (1 - x[..., 0]) ** 2

    calls = 0  # of all instances: a batch copies its loss


@pytest.mark.parametrize("optimizer", SEARCHING, ids=class_name)
def test_a_single_run_is_charged_for_every_call(optimizer: Optimizer) -> None:
    Counting.calls = 0
    (run,) = finish(make_batch(Counting(), optimizer, 1.0, steps=20))
    assert run.outcome.evaluations == Counting.calls >= 20


def test_rows_are_charged_for_their_own_evaluations() -> None:
    rng = np.random.default_rng(0)
    starts = torch.tensor(rng.uniform([-2, -1], [2, 3], (40, 2)))
    batch = make_batch(Rosenbrock(), LBFGS(), [1.0] * 40, start=starts, steps=200)
    together = finish(batch)
    assert {run.outcome.status for run in together} == {Status.CONVERGED}
    assert len({run.outcome.evaluations for run in together}) > 10
    for row in (0, 17, 39):
        assert_same_bits(together[row], finish(rows_of(batch, [row]))[0])


@pytest.mark.parametrize("loss", [TILTED, IRIS], ids=("tilted", "iris"))
def test_with_matrix_products_a_row_is_nearly_its_single_run(loss: Loss) -> None:
    """Such losses round by the number of rows; within 5 steps that stays below 1e-12."""
    classes = [optimizers.NaturalGradient()] if loss is IRIS else [Newton(), BFGS(), LBFGS()]
    for optimizer in classes:
        batch = make_batch(loss, optimizer, np.linspace(0.5, 1, 12), steps=5, stop=NEVER)
        for row, run in enumerate(finish(batch)):
            (alone,) = finish(rows_of(batch, [row]))
            assert relative(run.history.x, alone.history.x) <= 1e-12  # observed 4e-15


@pytest.mark.parametrize(
    ("loss", "optimizer", "noise", "message"),
    [
        (Rosenbrock(), LBFGS(), 0.1, "noise=0.1: must be 0"),
        (DIABETES.replace(batch_size=10), BFGS(), 0.0, "loss.batch_size=10: must be null"),
        (Quadratic(), GaussNewton(), 0.0, "loss=Quadratic: GaussNewton needs a sum or mean"),
        (Quadratic(), optimizers.NaturalGradient(), 0.0, "loss=Quadratic: .* probabilistic"),
        (
            MonkeySaddle(),
            Polyak(),
            0.0,
            "minimum=null: must be a number: the minimum of loss=MonkeySaddle",
        ),
        (Rosenbrock(), LineSearchDescent(line_search="exact"), 0.0, "must be wolfe or armijo: "),
        (
            Beale(),
            BFGS(line_search="exact"),
            0.0,
            "line_search=exact: .* loss=Beale is not known to be quad",
        ),
    ],
)
def test_a_loss_that_does_not_fit_is_refused(
    loss: Loss, optimizer: Optimizer, noise: float, message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        finish(make_batch(loss, optimizer, noise=noise))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(SettingError, match=r"c2=0\.01: must be > c1=0\.1"):
        BFGS(c1=0.1, c2=0.01)
    with pytest.raises(SettingError, match="history=0: must be a whole number ≥ 1"):
        LBFGS(history=0)
    with pytest.raises(SettingError, match="inner=LBFGS: must be an optimizer that needs only"):
        ClipNorm(inner=LBFGS())


def test_ended_rows_are_not_charged() -> None:
    """Rows that end early are not charged for the steps that others still take."""
    batch = make_batch(Rosenbrock(), BFGS(), [1.0, 1.0], start=[[1.0, 1.0], [-1.2, 1.0]], steps=30)
    ended, moving = finish(batch)
    assert (ended.outcome.steps, ended.outcome.evaluations) == (0, 1)
    assert moving.outcome.steps > 20


def test_needs_are_declared() -> None:
    classes = [getattr(optimizers, name) for name in optimizers.__all__]
    with_oracle = [
        optimizer
        for optimizer in classes
        if issubclass(optimizer, OracleOptimizer) and optimizer != OracleOptimizer
    ]
    assert len(with_oracle) >= 9
    assert all(optimizer.needs for optimizer in with_oracle)
    assert not any(
        optimizer.needs for optimizer in classes if not issubclass(optimizer, OracleOptimizer)
    )


def test_a_polyak_step_with_a_column_of_minima() -> None:
    batch = make_batch(Rosenbrock(), Polyak(minimum=torch.tensor([0.0, 1.0])), [1.0, 1.0], steps=1)
    zero, one = finish(replace(batch, stop=NEVER))
    first, other = (run.history.x[1] - run.history.x[0] for run in (zero, one))
    assert relative(other / first, [(24.2 - 1) / 24.2] * 2) <= 1e-12
