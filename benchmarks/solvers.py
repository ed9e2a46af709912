"""BFGS and L-BFGS beside SciPy's on the problems of Moré, Garbow and Hillstrom, and beside torch's.

    python benchmarks/solvers.py

Prints a performance profile (Dolan and Moré 2002): for which share of the problems a solver needs
at most τ times the gradient evaluations of the best one. Then one batch of L-BFGS runs from 256
starts of Rosenbrock beside as many runs of `torch.optim.LBFGS`, one after the other.
"""

import contextlib
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Read when NumPy is imported: threads cost SciPy's small matrices a hundred times their work.
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
    "gdlab bfgs": lambda loss: ours(loss, BFGS()),
    "SciPy BFGS": lambda loss: scipys(loss, "BFGS", gtol=1e-10),
    "gdlab lbfgs": lambda loss: ours(loss, LBFGS()),
    "SciPy L-BFGS-B": lambda loss: scipys(loss, "L-BFGS-B", gtol=1e-10, ftol=0.0, maxfun=STEPS),
}
STEPS = 5000
RATIOS = (1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
STARTS = 256

Counts = dict[str, float]
"""Evaluations to the minimum by problem; infinity where it was not reached."""


def main() -> None:
    print(f"torch {torch.__version__}, {len(PROBLEMS)} problems")
    counts = {name: evaluations(solve, PROBLEMS) for name, solve in SOLVERS.items()}
    show_counts(counts)
    show_profile(counts)
    show_pair(counts, "gdlab bfgs", "SciPy BFGS")
    show_pair(counts, "gdlab lbfgs", "SciPy L-BFGS-B")
    show_speed()


class Reached(Exception):
    """The minimum was reached."""


class Seen:
    """A loss for SciPy, which notes after how many evaluations the minimum was reached."""

    def __init__(self, loss: Loss) -> None:
        self.loss, self.target = loss, target_of(loss)
        self.evaluations, self.reached = 0, np.inf

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss and its gradient."""
        value, grad = value_and_gradient(self.loss, torch.as_tensor(x)[None])
        self.evaluations += 1
        if float(value[0]) <= self.target:
            self.reached = self.evaluations
            raise Reached
        return float(value[0]), grad[0].numpy().copy()


def target_of(loss: Loss) -> float:
    """f* + 1e-8 (1 + |f*|), under which a problem counts as solved."""
    assert loss.minimum is not None
    return float(loss.minimum) + 1e-8 * (1 + abs(float(loss.minimum)))


def scipys(loss: Loss, method: str, **options: float) -> float:
    """How many evaluations SciPy needs."""
    seen = Seen(loss)
    with one_thread(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        start = np.asarray(loss.tensor(loss.start))
        with contextlib.suppress(Reached):
            minimize(seen, start, jac=True, method=method, options={"maxiter": STEPS, **options})
    return seen.reached


def ours(loss: Loss, optimizer: Optimizer) -> float:
    """How many evaluations an optimizer needs."""
    stop = Stop(grad_tol=1e-10, loss=target_of(loss))
    outcome = last(make_batch(loss, optimizer, 1.0, steps=STEPS, stop=stop))
    return outcome.evaluations if outcome.final_loss <= target_of(loss) else np.inf


def last(batch: Batch) -> Outcome:
    """How the first run of a batch ends."""
    ends = Outcomes(batch)
    for chunk in advance(batch):
        ends.add(chunk)
    return ends[0]


def evaluations(solve: Callable[[Loss], float], problems: Mapping[str, Loss]) -> Counts:
    return {name: solve(loss) for name, loss in problems.items()}


def show_counts(counts: Mapping[str, Counts]) -> None:
    print(f"\n{'evaluations':<12}" + "".join(f"{name:>16}" for name in counts))
    for problem in PROBLEMS:
        print(f"{problem:<12}" + "".join(f"{count[problem]:>16g}" for count in counts.values()))


def profile(counts: Mapping[str, Counts], ratios: Sequence[float]) -> dict[str, list[float]]:
    """The share of the problems that a solver solves within each ratio of the best count."""
    best = {problem: min(count[problem] for count in counts.values()) for problem in PROBLEMS}
    return {
        name: [
            sum(n <= ratio * best[p] and np.isfinite(n) for p, n in count.items()) / len(count)
            for ratio in ratios
        ]
        for name, count in counts.items()
    }


def show_profile(counts: Mapping[str, Counts]) -> None:
    print(f"\n{'within':<16}" + "".join(f"{f'{ratio:g} x':>8}" for ratio in RATIOS))
    for name, shares in profile(counts, RATIOS).items():
        print(f"{name:<16}" + "".join(f"{share:>8.0%}" for share in shares))


def show_pair(counts: Mapping[str, Counts], one: str, other: str) -> None:
    solved = {name: sum(map(np.isfinite, counts[name].values())) for name in (one, other)}
    ratios = ratios_of(counts[one], counts[other])
    print(
        f"\n{one} / {other}: solved {solved[one]} / {solved[other]} (goal: at least as many); "
        f"evaluations on the {len(ratios)} that both solve (goal: at most 2): "
        f"median {statistics.median(ratios):.2f}, worst {max(ratios):.2f}"
    )


def ratios_of(one: Counts, other: Counts) -> list[float]:
    """One's evaluations over the other's, on the problems that both solve."""
    return [n / other[p] for p, n in one.items() if np.isfinite(n + other[p])]


def show_speed(repetitions: int = 3) -> None:
    """256 starts of Rosenbrock in one batch, beside torch's L-BFGS from one after the other."""
    loss, generator = Rosenbrock(), torch.Generator().manual_seed(0)
    low, high = loss.tensor(loss.window).unbind(-1)
    unit = torch.rand((STARTS, 2), generator=generator, dtype=torch.float64)
    starts = low + unit * (high - low)
    found, torchs, ratios = 0, 0, []
    for _ in range(repetitions):
        mine, found = timed(lambda: batched(loss, starts))
        theirs, torchs = timed(lambda: serial(loss, starts))
        ratios.append(theirs / mine)
        print(f"\n{STARTS} starts of Rosenbrock: {mine:.3f} s; torch.optim.LBFGS: {theirs:.2f} s")
    print(
        f"{found} and {torchs} solved; the batch is {statistics.median(ratios):.0f} times as fast "
        "(goal: at least 20)"
    )


def timed(function: Callable[[], int]) -> tuple[float, int]:
    began = time.perf_counter()
    with one_thread():
        solved = function()
    return time.perf_counter() - began, solved


def batched(loss: Loss, starts: Tensor) -> int:
    batch = make_batch(loss, LBFGS(), [1.0] * STARTS, start=starts, steps=300)
    ends = Outcomes(batch)
    for chunk in advance(batch):
        ends.add(chunk)
    return int((ends.numbers["final_loss"] <= 1e-8).sum())


def serial(loss: Loss, starts: Tensor) -> int:
    """Torch's runs, which stop where ours do: at a gradient of 1e-8."""
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
