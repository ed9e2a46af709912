"""Compiled steps against eager steps, single and in batches, and what cannot be compiled."""

import dataclasses
import itertools
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.batches import Finished, assert_same_bits, finish, make_batch, rows_of, why_eager
from losses.cases import Angle, Barrier, Quartic, Squash, Waves
from torch import Tensor

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.compiler import library
from gdlab.engine.parallel import pool
from gdlab.engine.status import Status
from gdlab.losses import (
    DropWave,
    Expression,
    HelicalValley,
    Himmelblau,
    Loss,
    Quadratic,
    Rastrigin,
    Rosenbrock,
    Schwefel,
    Sphere,
)
from gdlab.losses.function import Function
from gdlab.optimizers import SGD, Adagrad, Adam, ClipValue, Optimizer, RMSprop, Rprop
from gdlab.runs.batching import is_worth_compiling
from gdlab.schedules import Cosine

RATES = np.geomspace(1e-5, 3, 45)


def compiled(batch: Batch, threads: int = 1) -> Batch:
    assert why_eager(batch) is None
    return dataclasses.replace(batch, mode="compiled", threads=threads)


def points_and_losses(run: Finished) -> tuple[bytes, bytes]:
    return run.history.x.tobytes(), run.history.loss.tobytes()


# Only products, sums and quotients: every bit equals that of torch's kernels.
EXACT: dict[str, Batch] = {
    "rosenbrock": make_batch(Rosenbrock(), lr=RATES, steps=500),
    "rosenbrock in 20": make_batch(Rosenbrock(dim=20), lr=RATES, steps=300),
    "momentum": make_batch(Rosenbrock(), SGD(momentum=0.9), RATES, steps=300),
    "nesterov": make_batch(Himmelblau(), SGD(momentum=0.5, nesterov=True), RATES, steps=300),
    "dampening": make_batch(
        Quadratic(dim=3, condition=7), SGD(momentum=0.9, dampening=0.1, weight_decay=0.1), RATES
    ),
    "schedule": make_batch(Rosenbrock(), lr=RATES, schedule=Cosine(), steps=300),
    "noise": make_batch(Rosenbrock(), lr=RATES, noise=0.3, steps=300),
    "pieces": make_batch(
        Expression(
            "where(x**2 + y**2 == 0 or not x <= 9, 1/x, where(0 < x < y, x*y, x**2)) + y**2"
        ),
        lr=RATES,
        noise=0.3,
        steps=300,
    ),
    "round": make_batch(Quadratic(condition=1), lr=[1.0, 0.5, 2.0, 3.0], steps=300),
    "limits": make_batch(
        Rosenbrock(), lr=RATES, steps=300, stop=Stop(loss=3.0, max_loss=1e3, grad_tol=0)
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_every_bit_is_that_of_torch_with_products_and_sums_only(name: str) -> None:
    batch = EXACT[name]
    for one, other in zip(finish(batch), finish(compiled(batch)), strict=True):
        assert other.outcome.mode == "compiled"
        assert points_and_losses(one) == points_and_losses(other)
        assert one.history.lr.tobytes() == other.history.lr.tobytes()
        for end in ("status", "steps", "final_loss", "best_loss", "best_step", "evaluations"):
            assert getattr(one.outcome, end) == getattr(other.outcome, end), end
        # torch's square root may differ in the last bit; observed 2e-16.
        np.testing.assert_allclose(one.history.grad_norm, other.history.grad_norm, rtol=1e-15)


CLOSE: dict[str, Batch] = {
    f"{type(loss).__name__}, {type(optimizer).__name__}": make_batch(loss, optimizer, lr, steps=10)
    for loss in (Waves(), Squash(), Quartic(), Angle(), Barrier(), Rosenbrock(dim=5))
    for optimizer, lr in (
        (SGD(), [1e-4, 1e-3]),
        (Adam(), [1e-3, 1e-2]),
        (RMSprop(momentum=0.5, centered=True), [1e-4, 1e-3]),
        (Adagrad(lr_decay=0.1), [1e-3, 1e-2]),
    )
}


@pytest.mark.parametrize("name", CLOSE)
def test_ten_steps_of_other_functions_agree(name: str) -> None:
    batch = CLOSE[name]
    for one, other in zip(finish(batch), finish(compiled(batch)), strict=True):
        # Observed 4e-15, except for the centered square root of a difference: 3e-13.
        np.testing.assert_allclose(other.history.x, one.history.x, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(other.history.loss, one.history.loss, rtol=1e-12)


# Two rows or fewer, eight or fewer, and more have programs of their own. The last losses and
# optimizers hold what compilers turn into branches, in which functions have no form for vectors.
SAME: list[tuple[Loss, Optimizer]] = [
    *itertools.product(
        [Waves(), Squash(), Quartic(), Angle(), Barrier()], [SGD(momentum=0.3), Adam()]
    ),
    *((loss, SGD()) for loss in (Rastrigin(dim=10), Schwefel(), DropWave(), HelicalValley())),
    *((Rastrigin(dim=3), optimizer) for optimizer in (Rprop(), ClipValue())),
]


@pytest.mark.parametrize(
    ("loss", "optimizer"), SAME, ids=[f"{loss!r}-{type(o).__name__}" for loss, o in SAME]
)
def test_a_row_has_the_same_bits_in_every_batch(loss: Loss, optimizer: Optimizer) -> None:
    batch = compiled(make_batch(loss, optimizer, np.geomspace(1e-4, 0.3, 71), noise=0.01))
    together = finish(batch)
    for rows in ([0], [70], [0, 70], [3, 40, 41], list(range(33))):
        for row, alone in zip(rows, finish(rows_of(batch, rows)), strict=True):
            assert_same_bits(together[row], alone)


@pytest.mark.parametrize("threads", [2, 3])
def test_no_bit_depends_on_the_threads(threads: int) -> None:
    batch = make_batch(Rosenbrock(), Adam(), np.geomspace(1e-4, 1, 3000), steps=200)
    for one, other in zip(finish(compiled(batch)), finish(compiled(batch, threads)), strict=True):
        assert_same_bits(one, other)


def test_float32_is_computed_in_float32() -> None:
    batch = make_batch(Rosenbrock(), lr=np.geomspace(1e-5, 1e-3, 7))
    single = dataclasses.replace(
        batch,
        loss=batch.loss.to(torch.float32, torch.device("cpu")),
        lr=batch.lr.float(),
        start=batch.start.float(),
        noise=batch.noise.float(),
    )
    for one, other in zip(finish(single), finish(compiled(single)), strict=True):
        assert other.history.x.dtype == np.float32
        assert points_and_losses(one) == points_and_losses(other)


def test_columns_of_loss_and_optimizer_reach_their_rows() -> None:
    condition = torch.tensor([2.0, 5.0, 9.0], dtype=torch.float64)
    momentum = torch.tensor([0.0, 0.5, 0.9], dtype=torch.float64)
    loss, optimizer = (
        Quadratic(dim=3).unchecked(condition=condition),
        SGD().unchecked(momentum=momentum),
    )
    batch = make_batch(loss, optimizer, [0.01, 0.02, 0.03], start=torch.ones(3, 3).double())
    for one, other in zip(finish(batch), finish(compiled(batch)), strict=True):
        assert points_and_losses(one) == points_and_losses(other)


@pytest.mark.parametrize("slope", [1e-300, 1e-170, 1.0, 1e170, 1.5e308])
def test_gradients_of_any_size_have_the_norms_of_torch(slope: float) -> None:
    plane = Expression(formula="a*(x-y)", parameters={"a": slope})
    steep = make_batch(plane, lr=[1e-320, 0.0], start=[0.1, 0.0], steps=3, stop=Stop(grad_tol=0))
    for one, other in zip(finish(steep), finish(compiled(steep)), strict=True):
        assert one.outcome.status == Status.MAX_STEPS
        assert points_and_losses(one) == points_and_losses(other)
        # Infinite where it overflows, although the gradient is finite. Observed: 2e-16, as torch
        # does not round every square root correctly on every CPU.
        for norms in (one.history.grad_norm, other.history.grad_norm):
            assert norms == pytest.approx(slope * 2**0.5, rel=1e-15)


@pytest.mark.parametrize(
    ("dtype", "tolerance", "steps"), [(torch.float32, 1e-30, 313), (torch.float64, 1e-250, 2583)]
)
def test_a_run_converges_where_its_gradient_is_small_enough(
    dtype: torch.dtype, tolerance: float, steps: int
) -> None:
    """The gradient after k steps is 2 · 0.8ᵏ, whose square is 0 long before."""
    loss = Sphere(dim=1).to(dtype, torch.device("cpu"))
    batch = make_batch(loss, steps=3000, stop=Stop(grad_tol=tolerance))
    batch = dataclasses.replace(batch, lr=batch.lr.to(dtype), noise=batch.noise.to(dtype))
    (run,) = finish(compiled(batch))
    assert (run.outcome.status, run.outcome.steps) == (Status.CONVERGED, steps)
    assert run.outcome.grad_norm == pytest.approx(2 * 0.8**steps, rel=1e-4)  # observed: 3e-5


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_the_norm_of_an_infinite_gradient_is_infinite(mode: str) -> None:
    hole = Expression(formula="x**-2").to(torch.float64, torch.device("cpu"))
    batch = make_batch(hole, start=[0.0], steps=3)
    (run,) = finish(dataclasses.replace(batch, mode=mode))
    assert run.history.grad_norm.tolist() == [np.inf]


def test_an_interrupted_batch_ends_with_a_record() -> None:
    answers = iter([False, True])
    batch = compiled(make_batch(Rosenbrock(), lr=[1e-4, 1e-3], steps=10**6))
    for run in finish(batch, lambda: next(answers)):
        assert run.outcome.status == Status.INTERRUPTED
        assert run.outcome.steps == len(run.history) - 1 > 0


# What cannot be compiled.


def branching(x: Tensor) -> Tensor:
    return x.square().sum() if float(x[0]) > 0 else x.sum()


class Sorted(Loss):
    """The smallest coordinate, found by sorting."""

    dim: int = 2  # type: ignore[assignment]
    start = (1.0, 2.0)  # type: ignore[assignment]

    def __call__(self, x: Tensor) -> Tensor:
        return x.sort(-1).values[..., 0]


class Sines(Loss):
    """A sum of 3,001 sines."""

    dim: int = 1  # type: ignore[assignment]
    start = (1.0,)  # type: ignore[assignment]

    def __call__(self, x: Tensor) -> Tensor:
        return torch.sin(x * torch.arange(3001)).sum(-1)


class Split(Loss):
    """Treats the first row of a batch differently from the others."""

    dim: int = 1  # type: ignore[assignment]
    start = (1.0,)  # type: ignore[assignment]

    def __call__(self, x: Tensor) -> Tensor:
        first = torch.arange(x.shape[:-1].numel()).reshape(x.shape[:-1]) == 0
        return torch.where(first, 1.0, 2.0) * x[..., 0].square()


REFUSED: dict[str, tuple[Loss, str]] = {
    "long": (Sines(), "a step of one run takes more than 6000 operations"),
    "sorting": (Sorted(), "the operation aten.sort.default has no compiled form"),
    "other rows": (Split(), "its compiled form gives other values than torch"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_batch_that_cannot_be_compiled_says_why_and_runs_in_eager_mode(name: str) -> None:
    loss, reason = REFUSED[name]
    batch = make_batch(loss, lr=[0.01, 0.02], steps=5)
    assert why_eager(batch) == reason
    eager, fallback = finish(batch), finish(dataclasses.replace(batch, mode="compiled"))
    for one, other in zip(eager, fallback, strict=True):
        assert (other.outcome.mode, other.outcome.mode_reason) == ("eager", reason)
        np.testing.assert_allclose(one.history.x, other.history.x, rtol=1e-14)  # observed 0


def test_a_loss_that_branches_on_a_number_cannot_be_compiled() -> None:
    reason = why_eager(make_batch(Function(lambda x: branching(x), start=(1.0, 2.0))))
    assert reason is not None
    assert reason.startswith("TypeError: the function of one point must compute with tensors")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty cache, on disk and in memory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    library.load_library.cache_clear()
    yield tmp_path
    library.load_library.cache_clear()


def test_without_a_compiler_it_says_so(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(empty_cache))
    monkeypatch.delenv("CC", raising=False)
    reason = why_eager(make_batch(Rosenbrock()))
    assert reason == "no C compiler found (cc, gcc, clang or $CC)"


def test_the_error_of_the_compiler_is_quoted(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = empty_cache / "cc"
    broken.write_text("#!/bin/sh\necho 'no such target' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    assert (
        why_eager(make_batch(Rosenbrock())) == f"{broken} cannot compile the step: no such target"
    )


def test_a_compiled_step_is_cached_on_disk(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert why_eager(make_batch(Rosenbrock(), lr=[0.1])) is None
    assert len(list((empty_cache / "gdlab").glob("*.so"))) == 1
    library.load_library.cache_clear()

    def fail(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(subprocess, "run", fail)
    # Other rates, starts and numbers of rows: the same step.
    assert why_eager(make_batch(Rosenbrock(), lr=[0.2, 0.3], start=[0.0, 3.0])) is None


def test_a_cache_that_cannot_be_written_is_not_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    library.load_library.cache_clear()
    assert why_eager(make_batch(Himmelblau())) is None


@pytest.mark.parametrize(
    ("coordinates", "steps", "expected"),
    [(2, 999, False), (2, 1000, True), (200, 500, False), (10_000, 400, True), (10**6, 4, False)],
)
def test_auto_depends_on_sizes_only(coordinates: int, steps: int, expected: bool) -> None:
    assert is_worth_compiling(coordinates, steps) == expected


def test_the_mode_is_recorded(gd: Callable[..., Any], here: Path) -> None:
    import json

    for mode in ("eager", "compiled"):
        assert gd(f"engine.mode={mode}", f"hydra.run.dir={mode}", "steps=5").code == 0
        assert json.loads((here / mode / "result.json").read_text())["mode"] == mode


def test_the_summary_says_why_a_batch_fell_back(gd: Callable[..., Any], here: Path) -> None:
    words = ("loss=sphere", "engine.mode=compiled", "steps=5", "lr=0.01")
    line = "mode eager, not compiled: a torch optimizer has no compiled form"
    for sweep in ((), ("-m", "seed=0,1")):
        done = gd(*sweep, *words, "optimizer=torch")
        assert done.code == 0
        assert line in " ".join(done.out.split())
    assert "not compiled" not in gd(*words).out


def test_a_function_is_compiled_only_on_request() -> None:
    import gdlab

    def bowl(x: Tensor) -> Tensor:
        return (x**2).sum()

    modes = {}
    for name, engine in (("auto", gdlab.Engine()), ("compiled", gdlab.Engine(mode="compiled"))):
        run = gdlab.run(bowl, lr=0.1, start=[1.0, 2.0], steps=5000, engine=engine)
        modes[name] = run.outcome.mode
    assert modes == {"auto": "eager", "compiled": "compiled"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # with threads, of Python 3.12
def test_a_forked_process_has_threads_of_its_own() -> None:
    """A sweep in the parent has used its threads; one in the child must not wait for them."""
    assert list(pool(2).map(bool, [1, 0])) == [True, False]
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(3 * all(pool(2).map(bool, [1, 2])))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
