"""How searches end: at rounding, at a kink, or out of trials."""

import numpy as np
import pytest
from helpers.batches import finish, make_batch
from hypothesis import given, settings
from hypothesis import strategies as st

from gdlab.engine.batch import Stop
from gdlab.engine.status import Status
from gdlab.losses import Expression, PowellSingular
from gdlab.optimizers import (
    BFGS,
    LBFGS,
    ConjugateGradient,
    GaussNewton,
    LevenbergMarquardt,
    LineSearchDescent,
    Newton,
    Optimizer,
)

BACKTRACKING = {
    "descent": LineSearchDescent(line_search="armijo"),
    "cg": ConjugateGradient(line_search="armijo"),
    "bfgs": BFGS(line_search="armijo"),
    "lbfgs": LBFGS(line_search="armijo"),
    "newton": Newton(line_search="armijo"),
    "modified newton": Newton(modified=True, line_search="armijo"),
}


@settings(max_examples=10)
@given(st.sampled_from(sorted(BACKTRACKING)), st.integers(0, 52), st.sampled_from([1, -1]))
def test_backtracking_falls_with_each_step_however_large_a_constant_is_added(
    name: str, power: int, sign: int
) -> None:
    loss = Expression("c + (x - 1)**2 + 5*(y - 2)**2 + x**4", parameters={"c": sign * 2.0**power})
    batch = make_batch(loss, BACKTRACKING[name], 1.0, start=[3.0, 7.0], steps=60)
    (run,) = finish(batch)
    assert (np.diff(run.history.loss) < 0).all()


@pytest.mark.parametrize("name", BACKTRACKING)
def test_backtracking_stalls_where_all_lower_losses_round_to_the_same(name: str) -> None:
    loss = Expression("1e9 + (x - 1)**2 + 5*(y - 2)**2 + exp(x)/9")
    batch = make_batch(loss, BACKTRACKING[name], 1.0, start=[3.0, 7.0], stop=Stop(grad_tol=0))
    (run,) = finish(batch)
    assert run.outcome.status == Status.STALLED
    assert "found no better point" in run.outcome.reason
    assert run.outcome.grad_norm <= 1e-3  # observed 8e-4: its square is about eps · 1e9


OUT_OF_TRIALS: dict[str, tuple[Optimizer, str, float, float]] = {
    "wolfe": (LineSearchDescent(), "x**8", 1e3, 1.0),
    "armijo": (LineSearchDescent(line_search="armijo"), "x**8", 1e3, 1.0),
    "few": (LineSearchDescent(max_trials=2), "50*(x - 3)**2", 1.0, 1.0),
    "plateau": (LineSearchDescent(line_search="armijo"), "1 - exp(-x**2)", 1e-3, 1e20),
    "infinite": (LineSearchDescent(max_trials=3), "exp(x**2)", 5.0, 1.0),
    "cg": (ConjugateGradient(max_trials=1), "50*x**2", 1.0, 10.0),
    "bfgs": (BFGS(max_trials=1), "50*x**2", 1.0, 10.0),
    "newton": (Newton(line_search="armijo", max_trials=2), "softplus(2*x) - x", 3.0, 1.0),
    "small numbers": (LineSearchDescent(max_trials=3), "1e-30*x**2", 1.0, 1e40),
    "gauss_newton": (GaussNewton(line_search="armijo", max_trials=1), "", 0.0, 1e3),
    "levenberg_marquardt": (LevenbergMarquardt(max_trials=1), "", 0.0, 1e3),
}
"""The optimizer, the formula (none for a sum of squares), the start and the first step size."""


@pytest.mark.parametrize("case", OUT_OF_TRIALS)
def test_a_search_that_ran_out_of_trials_says_so(case: str) -> None:
    optimizer, formula, start, lr = OUT_OF_TRIALS[case]
    loss = Expression(formula) if formula else PowellSingular()
    at = [start] if formula else loss.start
    (run,) = finish(make_batch(loss, optimizer, lr, start=at, stop=Stop(grad_tol=0)))
    assert run.outcome.status == Status.STALLED
    what = "the search after step 0 spent optimizer.max_trials without a lower loss; lower lr or"
    assert run.outcome.reason.startswith(what)


NO_BETTER: dict[str, tuple[Optimizer, str, list[float]]] = {
    "a kink": (LineSearchDescent(), "abs(x) + 0.1*x", [0.0]),
    "a kink on a large constant": (LineSearchDescent(), "1e9 + abs(x) + 0.1*x", [0.0]),
    "a sharp kink": (LineSearchDescent(line_search="armijo"), "max(3*x, -0.1*x)", [0.0]),
    "a kink in two": (BFGS(), "abs(x - y) + 0.1*x + (y - 1)**2", [1.0, 1.0]),
    "uphill": (Newton(line_search="armijo"), "cos(x)", [0.5]),
}


@pytest.mark.parametrize("case", NO_BETTER)
def test_a_search_that_more_trials_would_not_help_found_no_better_point(case: str) -> None:
    optimizer, formula, start = NO_BETTER[case]
    loss = Expression(formula)
    (run,) = finish(make_batch(loss, optimizer, 1.0, start=start, steps=50))
    assert run.outcome.status == Status.STALLED
    assert "the optimizer found no better point after step" in run.outcome.reason
    assert "a larger lr" not in run.outcome.reason


NO_STEP: dict[str, tuple[Optimizer, str]] = {
    "a line": (Newton(), "x"),
    "a flat coordinate": (Newton(), "x**2 + 0*y"),
}


@pytest.mark.parametrize("case", NO_STEP)
def test_a_singular_matrix_is_told(case: str) -> None:
    optimizer, formula = NO_STEP[case]
    (run,) = finish(make_batch(Expression(formula), optimizer, 1.0))
    assert run.outcome.status == Status.STALLED
    assert run.outcome.reason.startswith("the equations for the step after step 0 have no finite")


UNMOVED: dict[str, tuple[Optimizer, str]] = {
    "wolfe": (LineSearchDescent(), "1e-170*x**2"),
    "armijo": (LineSearchDescent(line_search="armijo"), "1e-170*x**2"),
    "one coordinate": (LineSearchDescent(line_search="armijo"), "1e-30*(x**2 + y)"),
    "newton": (Newton(line_search="armijo"), "(x - 1 - 1e-17)**2 + 1e-30*x**4"),
}


@pytest.mark.parametrize("case", UNMOVED)
def test_a_search_whose_steps_are_lost_in_rounding_says_so(case: str) -> None:
    optimizer, formula = UNMOVED[case]
    (run,) = finish(make_batch(Expression(formula), optimizer, 1.0, stop=Stop(grad_tol=0)))
    assert run.outcome.status == Status.STALLED
    what = "found no better point after step 0: its steps are lost in the rounding of the point"
    assert what in run.outcome.reason
