"""BFGS and L-BFGS against SciPy on the problems of Moré, Garbow and Hillstrom, and against torch.

    python benchmarks/solvers.py

Prints a performance profile (Dolan and Moré 2002): the share of the problems for which a solver
needs at most τ times the gradient evaluations of the best one. Then one batch of L-BFGS runs from
256 starts of Rosenbrock against as many runs of `torch.optim.LBFGS` in sequence.
"""

import contextlib
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Read when NumPy is imported; with threads, SciPy's small matrices take a hundred times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.batches import make_batch
from losses.mgh_cases import MGH
from scipy.optimize import minimize

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.loop import advance
from gdlab.engine.outcome import Outcome, Outcomes
from gdlab.losses import Loss, Rosenbrock
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.numerics.threads import one_thread
from gdlab.optimizers import BFGS, LBFGS, Optimizer

PROBLEMS: dict[str, Loss] = {
    "mgh01": Rosenbrock(),
    **{case.id: case.loss for case in MGH},
}
SOLVERS = {
    "gdlab bfgs": lambda loss: gdlab_evaluations(loss, BFGS()),
    "SciPy BFGS": lambda loss: scipy_evaluations(loss, "BFGS", gtol=1e-10),
    "gdlab lbfgs": lambda loss: gdlab_evaluations(loss, LBFGS()),
    "SciPy L-BFGS-B": lambda loss: scipy_evaluations(
        loss, "L-BFGS-B", gtol=1e-10, ftol=0.0, maxfun=STEPS
    ),
}
STEPS = 5000
RATIOS = (1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
STARTS = 256

Counts = dict[str, float]
"""Evaluations to the minimum by problem; infinity if it was not reached."""


def main() -> None:
    print(f"torch {torch.__version__}, {len(PROBLEMS)} problems")
    counts = {name: evaluations(solve, PROBLEMS) for name, solve in SOLVERS.items()}
    print_counts(counts)
    print_profile(counts)
    print_pair(counts, "gdlab bfgs", "SciPy BFGS")
    print_pair(counts, "gdlab lbfgs", "SciPy L-BFGS-B")
    print_speed()


class MinimumReached(Exception):
    """The minimum was reached."""


class CountedLoss:
    """A loss for SciPy that counts the evaluations until the minimum is reached."""

    def __init__(self, loss: Loss) -> None:
        self.loss, self.target = loss, target_of(loss)
        self.evaluations, self.reached = 0, np.inf

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss and its gradient."""
        value, grad = value_and_gradient(self.loss, torch.as_tensor(x)[None])
        self.evaluations += 1
        if float(value[0]) <= self.target:
            self.reached = self.evaluations
            raise MinimumReached
        return float(value[0]), grad[0].numpy().copy()


def target_of(loss: Loss) -> float:
    """f* + 1e-8 (1 + |f*|): a problem counts as solved at or below it."""
    assert loss.minimum is not None
    return float(loss.minimum) + 1e-8 * (1 + abs(float(loss.minimum)))


def scipy_evaluations(loss: Loss, method: str, **options: float) -> float:
    """Count the evaluations that SciPy needs."""
    counted = CountedLoss(loss)
    with one_thread(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        start = np.asarray(loss.tensor(loss.start))
        with contextlib.suppress(MinimumReached):
            minimize(counted, start, jac=True, method=method, options={"maxiter": STEPS, **options})
    return counted.reached


def gdlab_evaluations(loss: Loss, optimizer: Optimizer) -> float:
    """Count the evaluations that an optimizer of gdlab needs."""
    stop = Stop(grad_tol=1e-10, loss=target_of(loss))
    outcome = first_outcome(make_batch(loss, optimizer, 1.0, steps=STEPS, stop=stop))
    return outcome.evaluations if outcome.final_loss <= target_of(loss) else np.inf


def first_outcome(batch: Batch) -> Outcome:
    """Run a batch, and return the outcome of its first run."""
    outcomes = Outcomes(batch)
    for chunk in advance(batch):
        outcomes.add(chunk)
    return outcomes[0]


def evaluations(solve: Callable[[Loss], float], problems: Mapping[str, Loss]) -> Counts:
    return {name: solve(loss) for name, loss in problems.items()}


def print_counts(counts: Mapping[str, Counts]) -> None:
    print(f"\n{'evaluations':<12}" + "".join(f"{name:>16}" for name in counts))
    for problem in PROBLEMS:
        print(f"{problem:<12}" + "".join(f"{count[problem]:>16g}" for count in counts.values()))


def profile(counts: Mapping[str, Counts], ratios: Sequence[float]) -> dict[str, list[float]]:
    """Return the share of problems that each solver solves within each ratio of the best count."""
    best = {problem: min(count[problem] for count in counts.values()) for problem in PROBLEMS}
    return {
        name: [
            sum(n <= ratio * best[p] and np.isfinite(n) for p, n in count.items()) / len(count)
            for ratio in ratios
        ]
        for name, count in counts.items()
    }


def print_profile(counts: Mapping[str, Counts]) -> None:
    print(f"\n{'within':<16}" + "".join(f"{f'{ratio:g} x':>8}" for ratio in RATIOS))
    for name, shares in profile(counts, RATIOS).items():
        print(f"{name:<16}" + "".join(f"{share:>8.0%}" for share in shares))


def print_pair(counts: Mapping[str, Counts], ours: str, theirs: str) -> None:
    solved = {name: sum(map(np.isfinite, counts[name].values())) for name in (ours, theirs)}
    ratios = ratios_of(counts[ours], counts[theirs])
    print(
        f"\n{ours} / {theirs}: solved {solved[ours]} / {solved[theirs]} (goal: at least as many); "
        f"evaluations on the {len(ratios)} that both solve (goal: at most 2): "
        f"median {statistics.median(ratios):.2f}, worst {max(ratios):.2f}"
    )


def ratios_of(ours: Counts, theirs: Counts) -> list[float]:
    """Return the ratios of evaluations on the problems that both solve."""
    return [n / theirs[p] for p, n in ours.items() if np.isfinite(n + theirs[p])]


def print_speed(repetitions: int = 3) -> None:
    """Time 256 starts of Rosenbrock in one batch, against torch's L-BFGS in sequence."""
    loss, generator = Rosenbrock(), torch.Generator().manual_seed(0)
    low, high = loss.tensor(loss.window).unbind(-1)
    unit = torch.rand((STARTS, 2), generator=generator, dtype=torch.float64)
    starts = low + unit * (high - low)
    solved, torch_solved, ratios = 0, 0, []
    for _ in range(repetitions):
        ours, solved = time_call(lambda: run_batch(loss, starts))
        theirs, torch_solved = time_call(lambda: run_torch(loss, starts))
        ratios.append(theirs / ours)
        print(f"\n{STARTS} starts of Rosenbrock: {ours:.3f} s; torch.optim.LBFGS: {theirs:.2f} s")
    print(
        f"{solved} and {torch_solved} solved; the batch is {statistics.median(ratios):.0f} times "
        "as fast (goal: at least 20)"
    )


def time_call(function: Callable[[], int]) -> tuple[float, int]:
    start_time = time.perf_counter()
    with one_thread():
        solved = function()
    return time.perf_counter() - start_time, solved


def run_batch(loss: Loss, starts: Tensor) -> int:
    batch = make_batch(loss, LBFGS(), [1.0] * STARTS, start=starts, steps=300)
    outcomes = Outcomes(batch)
    for chunk in advance(batch):
        outcomes.add(chunk)
    return int((outcomes.numbers["final_loss"] <= 1e-8).sum())


def run_torch(loss: Loss, starts: Tensor) -> int:
    """Run torch's L-BFGS from each start; it stops at a gradient norm of 1e-8, as gdlab does."""
    solved = 0
    for start in starts:
        x = start.clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [x],
            max_iter=300,
            history_size=10,
            tolerance_grad=1e-8,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

        def closure(x: Tensor = x, optimizer: torch.optim.Optimizer = optimizer) -> Tensor:
            optimizer.zero_grad()
            value = loss(x)
            value.backward()
            return value

        optimizer.step(closure)
        solved += float(loss(x.detach())) <= 1e-8
    return solved


if __name__ == "__main__":
    main()
