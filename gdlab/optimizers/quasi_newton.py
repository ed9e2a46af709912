"""Quasi-Newton optimizers, which learn the inverse Hessian from how the gradient changes.

Shapes: R runs, D dimensions, M remembered steps.
"""

from abc import abstractmethod

import torch
from torch import Tensor

from gdlab.fields.declared import setting
from gdlab.losses.base import Layout
from gdlab.numerics.rowwise import by_rows, dot, norm, times
from gdlab.optimizers.base import State, zero_column
from gdlab.optimizers.line_search import Ray, settled
from gdlab.optimizers.line_search_descent import LineSearchOptimizer, unit_step
from gdlab.optimizers.oracle import Oracle


class QuasiNewton(LineSearchOptimizer):
    """x ← x + α d with d = −H g, and H by what a subclass remembers. The first d is −g."""

    def init(self, x: Tensor, layout: Layout) -> State:
        """No step taken."""
        return {"started": zero_column(x)}

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """One step."""
        started = state["started"] > 0
        d = torch.where(started, -self.product(state, grad), -grad)
        alpha = torch.where(started, 1.0, unit_step(grad, lr))
        found, _ = self.along(Ray.of(oracle, x, grad, d, oracle.awake), alpha, lr)
        s, y = found.x - x, found.grad - grad
        sy = dot(s, y)
        tiny = torch.finfo(x.dtype).eps
        learned = (sy > tiny * norm(s) * norm(y)) & sy.isfinite()
        new = self.learn(state, s, y, torch.where(learned, 1 / sy, 0.0), learned)
        moved = {"started": torch.where(learned, 1.0, state["started"])}
        return settled(oracle, found), {**new, **moved}

    @abstractmethod
    def product(self, state: State, grad: Tensor) -> Tensor:
        """H g (R, D)."""

    @abstractmethod
    def learn(self, state: State, s: Tensor, y: Tensor, rho: Tensor, which: Tensor) -> State:
        """What is remembered with one more step s and change y of the gradient, both (R, D).

        Args:
            state: what was remembered.
            s: the step.
            y: the change of the gradient.
            rho: 1 / sᵀy (R, 1), zero where nothing is learned.
            which: the rows that learn (R, 1); the others found no positive curvature.
        """


class BFGS(QuasiNewton):
    """BFGS: x ← x + α d with d = −H g, α by a line search, and H the inverse Hessian, estimated.

    With s = x₊ − x, y = g₊ − g and ρ = 1 / sᵀy,

        H ← (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ

    Broyden, Fletcher, Goldfarb and Shanno 1970; Nocedal and Wright, "Numerical optimization", 2006,
    algorithm 6.1. Before the first update H is (sᵀy / yᵀy) I (their equation 6.20). lr is the
    length of the first trial step; later the first trial is α = 1. Steps with sᵀy ≤ 0 teach
    nothing. H takes D² numbers a run.

    Attributes:
        line_search: wolfe (the strong Wolfe conditions), armijo (backtracking) or exact (on
            quadratics).
        c1: how much of the decrease that the slope promises must be there.
        c2: wolfe: how much of the slope may be left.
        contraction: armijo: what the step size is multiplied with.
        max_trials: a search ends after so many points.
    """

    def init(self, x: Tensor, layout: Layout) -> State:
        """H = I."""
        unit = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        return {**super().init(x, layout), "inverse": by_rows(unit.expand(len(x), -1, -1).clone())}

    def product(self, state: State, grad: Tensor) -> Tensor:
        """H g."""
        return times(state["inverse"], grad)

    def learn(self, state: State, s: Tensor, y: Tensor, rho: Tensor, which: Tensor) -> State:
        """H with one more step, by its terms: −ρ (s vᵀ + v sᵀ) + (ρ² yᵀv + ρ) s sᵀ, v = H y."""
        is_first = which & (state["started"] == 0)
        scale = torch.where(is_first, 1 / (rho * dot(y, y)), 1.0)
        inverse = state["inverse"] * scale[:, :, None]
        v = times(inverse, y)
        u = (0.5 * (rho * rho * dot(y, v) + rho)) * s - rho * v
        change = u[:, :, None] * s[:, None, :]
        learned = inverse + (change + change.mT)
        return {"inverse": by_rows(torch.where(which[:, :, None], learned, state["inverse"]))}


class LBFGS(QuasiNewton):
    """L-BFGS: BFGS that remembers the last steps alone: x ← x + α d with d = −H g.

    H g by the two-loop recursion over the last pairs s = x₊ − x, y = g₊ − g, starting from
    H₀ = (sᵀy / yᵀy) I with the last pair. Nocedal, "Updating quasi-Newton matrices with limited
    storage", 1980; Nocedal and Wright, "Numerical optimization", 2006, algorithms 7.4 and 7.5. lr
    is the length of the first trial step; later the first trial is α = 1. Steps with sᵀy ≤ 0 are
    not remembered.

    Attributes:
        history: how many steps are remembered.
        line_search: wolfe (the strong Wolfe conditions), armijo (backtracking) or exact (on
            quadratics).
        c1: how much of the decrease that the slope promises must be there.
        c2: wolfe: how much of the slope may be left.
        contraction: armijo: what the step size is multiplied with.
        max_trials: a search ends after so many points.
    """

    history: int = setting(default=10, ge=1)

    def init(self, x: Tensor, layout: Layout) -> State:
        """No step remembered: all ρ are zero, which makes a pair count for nothing."""
        pairs = by_rows(x.new_zeros((len(x), self.history, x.shape[1])))
        numbers = {"rho": by_rows(pairs[:, :, 0].clone()), "scale": zero_column(x) + 1}
        return {**super().init(x, layout), "s": pairs, "y": pairs.clone(), **numbers}

    def product(self, state: State, grad: Tensor) -> Tensor:
        """H g, the newest pair standing first."""
        pairs = list(zip(*(state[name].unbind(1) for name in ("s", "y", "rho")), strict=True))
        q, alphas = grad, []
        for s, y, rho in pairs:
            alphas.append(rho[:, None] * dot(s, q))
            q = torch.addcmul(q, alphas[-1], y, value=-1)
        r = state["scale"] * q
        for (s, y, rho), alpha in zip(reversed(pairs), reversed(alphas), strict=True):
            r = torch.addcmul(r, alpha - rho[:, None] * dot(y, r), s)
        return r

    def learn(self, state: State, s: Tensor, y: Tensor, rho: Tensor, which: Tensor) -> State:
        """One more pair; the oldest is forgotten."""
        new = {"rho": _pushed(state["rho"][:, :, None], rho, which)[:, :, 0]}
        new |= {name: _pushed(state[name], pair, which) for name, pair in (("s", s), ("y", y))}
        scale = 1 / (rho * dot(y, y))
        return {**new, "scale": torch.where(which, scale, state["scale"])}


def _pushed(entries: Tensor, newest: Tensor, which: Tensor) -> Tensor:
    """Entries (R, M, D) with a new one (R, D) in front and without the last, in some rows."""
    pushed = torch.cat((newest[:, None], entries[:, :-1]), 1)
    return by_rows(torch.where(which[:, :, None], pushed, entries))
