"""Quasi-Newton methods: they estimate the inverse Hessian from changes of the gradient.

Shapes: R runs, D dimensions, M remembered steps.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from gdlab.fields.declared import setting
from gdlab.losses.base import Layout, Loss
from gdlab.numerics.rowwise import by_rows, dot, matvec, norm, normalize
from gdlab.optimizers.base import State, zero_column
from gdlab.optimizers.line_search import (
    Aim,
    Ray,
    Search,
    accept_trial,
    aim,
    search_or_descend,
    unit_step,
)
from gdlab.optimizers.line_search_settings import LineSearchSettings
from gdlab.optimizers.oracle import Oracle, OracleOptimizer


@dataclass(frozen=True)
class Pair:
    """A step and the change of the gradient along it, divided by powers of two.

    Divided, their products neither overflow nor underflow, and no digit changes.

    Attributes:
        s: the step (R, D), divided.
        y: the change of the gradient (R, D), divided.
        unit: what s was divided by, in units of what y was divided by (R, 1).
        rho: 1 / sᵀy of the divided vectors (R, 1), zero in rows that do not learn.
        learns: the rows that learn (R, 1); the others found no positive curvature.
    """

    s: Tensor
    y: Tensor
    unit: Tensor
    rho: Tensor
    learns: Tensor

    @classmethod
    def of(cls, s: Tensor, y: Tensor) -> "Pair":
        """Return the pair of a step (R, D) and a change of the gradient (R, D)."""
        (s, of_s), (y, of_y) = normalize(s), normalize(y)
        sy = dot(s, y)
        learns = (sy > torch.finfo(s.dtype).eps * norm(s) * norm(y)) & sy.isfinite()
        return cls(s, y, of_s / of_y, torch.where(learns, 1 / sy, 0.0), learns)

    @property
    def scale(self) -> Tensor:
        """The factor sᵀy / yᵀy (R, 1) of the whole vectors, for the rows that learn."""
        return 1 / (self.rho * dot(self.y, self.y)) * self.unit


class InverseHessian(Protocol):
    """An estimate H of the inverse Hessian, stored in tensors of the optimizer's state."""

    def init(self, x: Tensor) -> State:
        """Return the initial estimate for points x (R, D)."""
        ...

    def product(self, state: State, grad: Tensor) -> Tensor:
        """Return H g (R, D)."""
        ...

    def learn(self, state: State, pair: Pair) -> State:
        """Return the estimate updated with a step, in the rows that learn from it."""
        ...


@dataclass(frozen=True)
class QuasiNewtonStep:
    """The step of a quasi-Newton method: x ← x + α d with d = −H g. The first d is −g.

    Attributes:
        inverse: the estimate H.
        search: the line search for α.
    """

    inverse: InverseHessian
    search: Search

    def __call__(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step; the first trial is a step of length lr at the start, and α = 1 later."""
        goal, alpha = oracle.apply(_aim, self.inverse, state, grad, lr)
        ray = Ray.to(oracle, x, grad, goal, oracle.awake)
        trial, _ = search_or_descend(self.search, ray, alpha, lr)
        new = oracle.apply(_learn, self.inverse, state, (x, grad), (trial.x, trial.grad))
        return accept_trial(oracle, trial), new


def _aim(
    loss: Loss, inverse: InverseHessian, state: State, grad: Tensor, lr: Tensor
) -> tuple[Aim, Tensor]:
    """Aim along −H g, along −g in rows that have learned nothing yet; return the first α too."""
    started = state["started"] > 0
    d = torch.where(started, -inverse.product(state, grad), -grad)
    goal = aim(loss, grad, d)
    return goal, torch.where(started, goal.unit, unit_step(loss, grad, goal.unit, lr))


def _learn(
    loss: Loss,
    inverse: InverseHessian,
    state: State,
    before: tuple[Tensor, Tensor],
    after: tuple[Tensor, Tensor],
) -> State:
    """Return the state updated with the points and gradients (R, D) before and after a step."""
    pair = Pair.of(after[0] - before[0], after[1] - before[1])
    started = torch.where(pair.learns, 1.0, state["started"])
    return {"started": started, **inverse.learn(state, pair)}


class BFGS(LineSearchSettings, OracleOptimizer):
    """BFGS: x ← x + α d with d = −H g, α by a line search, and H an inverse Hessian estimate.

    With s = x₊ − x, y = g₊ − g and ρ = 1 / sᵀy,

        H ← (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ

    Broyden, Fletcher, Goldfarb and Shanno 1970; Nocedal and Wright, "Numerical optimization", 2006,
    algorithm 6.1. Before the first update H is (sᵀy / yᵀy) I (their equation 6.20). lr is the
    length of the first trial step; later the first trial is α = 1. Steps with sᵀy ≤ 0 do not update
    H. H takes D² numbers per run. Where the search along d fails, −g is searched; where that fails
    too, the run ends as stalled.
    """

    default_lr: ClassVar[float] = 1.0

    def matrix_shape(self, loss: Loss) -> tuple[int, int]:
        """Return D × D."""
        return loss.dim, loss.dim

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return H = I."""
        return {"started": zero_column(x), **_DenseInverse().init(x)}

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step."""
        return QuasiNewtonStep(_DenseInverse(), self.search())(x, grad, state, lr, oracle)


class LBFGS(LineSearchSettings, OracleOptimizer):
    """L-BFGS, limited-memory BFGS from the most recent steps: x ← x + α d with d = −H g.

    H g by the two-loop recursion over the most recent pairs s = x₊ − x, y = g₊ − g, starting from
    H₀ = (sᵀy / yᵀy) I with the last pair. Nocedal, "Updating quasi-Newton matrices with limited
    storage", 1980; Nocedal and Wright, "Numerical optimization", 2006, algorithms 7.4 and 7.5. lr
    is the length of the first trial step; later the first trial is α = 1. Steps with sᵀy ≤ 0 are
    not stored. Where the search along d fails, −g is searched; where that fails too, the run ends
    as stalled.

    Attributes:
        history: number of stored steps.
    """

    default_lr: ClassVar[float] = 1.0

    history: int = setting(default=10, ge=1)

    def matrix_shape(self, loss: Loss) -> tuple[int, int]:
        """Return M × D."""
        return self.history, loss.dim

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return an empty memory."""
        return {"started": zero_column(x), **_LimitedMemory(self.history).init(x)}

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step."""
        inverse = _LimitedMemory(self.history)
        return QuasiNewtonStep(inverse, self.search())(x, grad, state, lr, oracle)


@dataclass(frozen=True)
class _DenseInverse:
    """H as a matrix (R, D, D)."""

    def init(self, x: Tensor) -> State:
        unit = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        return {"inverse": by_rows(unit.expand(len(x), -1, -1).clone())}

    def product(self, state: State, grad: Tensor) -> Tensor:
        return matvec(state["inverse"], grad)

    def learn(self, state: State, pair: Pair) -> State:
        """Update H, term by term: −ρ (s vᵀ + v sᵀ) + (ρ² yᵀv + ρ) s sᵀ with v = H y."""
        s, y, rho = pair.s, pair.y, pair.rho
        is_first = pair.learns & (state["started"] == 0)
        inverse = state["inverse"] * torch.where(is_first, pair.scale, 1.0)[:, :, None]
        v = matvec(inverse, y) / pair.unit
        u = (0.5 * (rho * rho * dot(y, v) + rho)) * s - rho * v
        change = (u * pair.unit)[:, :, None] * s[:, None, :]
        updated = inverse + (change + change.mT)
        learns = pair.learns[:, :, None]
        return {"inverse": by_rows(torch.where(learns, updated, state["inverse"]))}


@dataclass(frozen=True)
class _LimitedMemory:
    """H as the last M pairs s, y (R, M, D), the newest first."""

    history: int

    def init(self, x: Tensor) -> State:
        """Return an empty memory: a pair whose ρ is zero has no effect."""
        pairs = by_rows(x.new_zeros((len(x), self.history, x.shape[1])))
        rho = by_rows(pairs[:, :, 0].clone())
        numbers = {"rho": rho, "unit": rho + 1, "scale": zero_column(x) + 1}
        return {"s": pairs, "y": pairs.clone(), **numbers}

    def product(self, state: State, grad: Tensor) -> Tensor:
        memory = (state[name].unbind(1) for name in ("s", "y"))
        numbers = (state[name].split(1, 1) for name in ("rho", "unit"))
        pairs = list(zip(*memory, *numbers, strict=True))
        q, alphas = grad, []
        for s, y, rho, _ in pairs:
            alphas.append(rho * dot(s, q))
            q = torch.addcmul(q, alphas[-1], y, value=-1)
        r = state["scale"] * q
        for (s, y, rho, unit), alpha in zip(reversed(pairs), reversed(alphas), strict=True):
            r = torch.addcmul(r, alpha * unit - rho * dot(y, r), s)
        return r

    def learn(self, state: State, pair: Pair) -> State:
        """Store one more pair and drop the oldest."""
        which = pair.learns
        new = {name: _push(state[name], getattr(pair, name), which) for name in ("s", "y")}
        for name in ("rho", "unit"):
            new[name] = _push(state[name][:, :, None], getattr(pair, name), which)[:, :, 0]
        return {**new, "scale": torch.where(which, pair.scale, state["scale"])}


def _push(entries: Tensor, newest: Tensor, which: Tensor) -> Tensor:
    """Return entries (R, M, D) with a new one (R, D) first and the last dropped, in some rows."""
    pushed = torch.cat((newest[:, None], entries[:, :-1]), 1)
    return by_rows(torch.where(which[:, :, None], pushed, entries))
