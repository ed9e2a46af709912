"""Line searches and curvature: microseconds of a step, in both modes and beside JAX.

    python benchmarks/searches.py [--rounds 3] [--steps 30]

Contestants take turns on one core, with float64. JAX, where it is installed, runs
`jit(vmap(scan))` over as many steps: `optax.lbfgs`, gradient descent with optax's backtracking line
search, and Newton's full step by hand. It keeps the loss of every step, gdlab the points, losses
and gradient norms. All rows search until the last one has found its step, there as here.
Compilation is not included.
"""

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import torch

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.compiled_oracle import CompiledOracle
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.loop import advance
from gdlab.engine.rows import Rows
from gdlab.losses import BrownDennis, Logistic, Loss, Rosenbrock
from gdlab.optimizers import (
    BFGS,
    LBFGS,
    GaussNewton,
    LineSearchDescent,
    Newton,
    Optimizer,
)
from gdlab.schedules import Constant

RUNS = (1, 64, 1024)
COLUMNS = ("eager", "compiled", "jax")


@dataclass(frozen=True)
class Case:
    """A loss and a solver; `peer` returns a function of starts that runs JAX, or is None."""

    name: str
    loss: Loss
    optimizer: Optimizer
    peer: Callable[[int], Callable[[Any], Any]] | None = None


def batch_of(case: Case, runs: int, steps: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((runs, case.loss.dim), generator=generator, dtype=torch.float64)
    return Batch(
        loss=case.loss,
        optimizer=case.optimizer,
        schedule=Constant(),
        lr=torch.ones(runs, dtype=torch.float64),
        seed=torch.arange(runs),
        start=case.loss.tensor(case.loss.start) + 0.1 * noise,
        noise=torch.zeros(runs, dtype=torch.float64),
        steps=steps,
        stop=Stop(grad_tol=0.0),
    )


def compiled_step(batch: Batch) -> CompiledOracle | None:
    try:
        return CompiledOracle(Rows.of(replace(batch, mode="compiled")))
    except Uncompilable:
        return None


def run(batch: Batch, mode: str, step: CompiledOracle | None = None) -> float:
    """Return the microseconds of a step; a batch may end early, once no row can progress."""
    began, last = time.process_time(), 1
    for chunk in advance(replace(batch, mode=mode), step=step):
        last = max(last, chunk.first + len(chunk.loss) - 1)
    return (time.process_time() - began) / last * 1e6


def run_peer(peer: Callable[[Any], Any], batch: Batch) -> float:
    start = batch.start.numpy()
    began = time.process_time()
    peer(start).block_until_ready()
    return (time.process_time() - began) / batch.steps * 1e6


def cases() -> Iterator[Case]:
    peers = Peers.find()
    for dim in (2, 10):
        loss = Rosenbrock(dim=dim)
        function = None if peers is None else peers.rosenbrock
        yield from cases_of(f"Rosenbrock {dim}-D", loss, peers, function)
    name, loss = "Brown and Dennis (mgh16)", BrownDennis()
    for label, optimizer in (("bfgs", BFGS()), ("gauss_newton", GaussNewton(line_search="armijo"))):
        yield Case(f"{name}, {label}", loss, optimizer)
    data = Logistic(data="breast_cancer", penalty=0.01)
    function = None if peers is None else peers.logistic(data)
    yield from cases_of("logistic, breast_cancer", data, peers, function)


def cases_of(name: str, loss: Loss, peers: "Peers | None", function: Any) -> Iterator[Case]:
    yield Case(f"{name}, bfgs", loss, BFGS())
    optimizers = {
        "lbfgs": LBFGS(),
        "newton": Newton(),
        "damped_newton": Newton(line_search="armijo"),
        "armijo": LineSearchDescent(line_search="armijo"),
        "wolfe": LineSearchDescent(line_search="wolfe"),
    }
    for label, optimizer in optimizers.items():
        build = getattr(peers, label, None)
        peer = None if build is None else lambda steps, build=build: build(function, steps)
        yield Case(f"{name}, {label}", loss, optimizer, peer)


@dataclass(frozen=True)
class Peers:
    """The solvers of JAX."""

    jax: Any
    optax: Any

    @classmethod
    def find(cls) -> "Peers | None":
        """Return them; None where JAX is not installed."""
        try:
            import jax  # pyright: ignore[reportMissingImports]  # the extra `bench`, as the next
            import optax  # pyright: ignore[reportMissingImports]
        except ImportError:
            return None
        jax.config.update("jax_enable_x64", True)
        return cls(jax, optax)

    def rosenbrock(self, x: Any) -> Any:
        """Return the loss at one point."""
        return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()

    def logistic(self, loss: Logistic) -> Callable[[Any], Any]:
        """Return the same loss for JAX."""
        jnp = self.jax.numpy
        inputs, labels = jnp.asarray(loss.inputs.numpy()), jnp.asarray(loss.targets.numpy())
        penalty = float(loss.penalty)

        def value(w: Any) -> Any:
            scores = inputs @ w
            costs = jnp.logaddexp(0.0, scores) - labels * scores
            return costs.mean() + penalty * (loss.weights(w) ** 2).sum()

        return value

    def lbfgs(self, function: Any, steps: int) -> Callable[[Any], Any]:
        """Return optax's L-BFGS with its zoom line search."""
        return self._optax(self.optax.lbfgs(memory_size=10), function, steps)

    def armijo(self, function: Any, steps: int) -> Callable[[Any], Any]:
        """Return gradient descent with optax's backtracking line search."""
        search = self.optax.scale_by_backtracking_linesearch(
            max_backtracking_steps=30, slope_rtol=1e-4, decrease_factor=0.5, store_grad=True
        )
        return self._optax(self.optax.chain(self.optax.sgd(1.0), search), function, steps)

    def _optax(self, optimizer: Any, function: Any, steps: int) -> Callable[[Any], Any]:
        jax, evaluate = self.jax, self.optax.value_and_grad_from_state(function)

        def step(carry: Any, _: Any) -> Any:
            x, state = carry
            value, grad = evaluate(x, state=state)
            more = {"value": value, "grad": grad, "value_fn": function}
            change, state = optimizer.update(grad, state, x, **more)
            return (self.optax.apply_updates(x, change), state), value

        def solve(x: Any) -> Any:
            return jax.lax.scan(step, (x, optimizer.init(x)), None, length=steps)[1]

        return jax.jit(jax.vmap(solve))

    def newton(self, function: Any, steps: int) -> Callable[[Any], Any]:
        """Return Newton's full step."""
        jax = self.jax
        evaluate, hessian = jax.value_and_grad(function), jax.hessian(function)

        def step(x: Any, _: Any) -> Any:
            value, grad = evaluate(x)
            return x - jax.numpy.linalg.solve(hessian(x), grad), value

        return jax.jit(jax.vmap(lambda x: jax.lax.scan(step, x, None, length=steps)[1]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    print(f"{'µs a step of all runs':<40}{'R':>6}{'eager':>9}{'compiled':>10}{'JAX':>9}")
    for case in cases():
        if options.only in case.name:
            for runs in RUNS:
                measure(case, runs, options.steps, options.rounds)


def measure(case: Case, runs: int, steps: int, rounds: int) -> None:
    """Time the contestants alternately, and print the medians."""
    batch = batch_of(case, runs, steps)
    contestants: dict[str, Callable[[], float]] = {"eager": lambda: run(batch, "eager")}
    step = compiled_step(batch)
    if step is not None:
        contestants["compiled"] = lambda: run(batch, "compiled", step)
    if case.peer is not None:
        peer = case.peer(steps)
        contestants["jax"] = lambda: run_peer(peer, batch)
    for contestant in contestants.values():
        contestant()  # the first call compiles
    times = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            times[name].append(contestant())
    found = {name: statistics.median(values) for name, values in times.items()}
    cells = "".join(f"{found.get(name, math.nan):>9.0f} " for name in COLUMNS)
    print(f"{case.name:<40}{runs:>6}{cells}", flush=True)


if __name__ == "__main__":
    main()
