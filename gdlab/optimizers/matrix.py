"""Methods that use the matrix structure of the weights of a network.

A block of the flat vector is identified by its first coordinate, which is part of the names of its
state tensors; those have its shape.

Shapes: R runs, D dimensions, P × Q a matrix.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Layout
from gdlab.numerics.rowwise import norm, rescale
from gdlab.optimizers.adam import Adam
from gdlab.optimizers.base import Optimizer, State, as_tensor, zero_column
from gdlab.optimizers.wrappers import Wrapper, inner_state, nest_state


class Adafactor(Optimizer):
    """Adafactor: the gradient divided by the root of a mean square that is factored per matrix.

    With g a block of the gradient, k the step and b = k^beta2_decay, means over the last two axes,

        r ← (1 − b) r + b · mean of g² along the rows,   c likewise along the columns
        v = r c / max(mean(r), eps1)        for a block with rows and columns
        v ← (1 − b) v + b g²                for a vector
        u = g / √max(v, eps1²),   α = max(eps2, rms(x)) · min(lr, 1/√k)
        x ← x · (1 − lr · weight_decay) − α · u / max(1, rms(u) / d)

    Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018,
    algorithms 4 and 5. Equal to `torch.optim.Adafactor`, with eps1 where torch has it.

    Attributes:
        beta2_decay: power of the step number with which the weight of new squares decays.
        eps1: keeps denominators away from 0; null for the machine epsilon.
        eps2: lower bound of the root mean square of a block, by which steps are scaled.
        d: clipping threshold for the root mean square of a block's u.
        weight_decay: coefficient of the decoupled weight decay.
        maximize: maximize the loss instead of minimizing it.
    """

    beta2_decay: Number = setting(default=-0.8, le=0)
    eps1: Number | None = setting(default=None, ge=0)
    eps2: Number = setting(default=1e-3, ge=0)
    d: Number = setting(default=1.0, ge=1)
    weight_decay: Number = setting(default=0.0, ge=0)
    maximize: bool = False

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return means and a step counter that are zero."""
        state = {"taken": zero_column(x)}
        for first, shape in _iterate_blocks(layout):
            if len(shape) < 2:
                state[f"square.{first}"] = torch.zeros_like(x[:, first : first + math.prod(shape)])
            else:
                zeros = x.new_zeros((len(x), *shape))
                state[f"rows.{first}"] = zeros[..., :1].clone()
                state[f"columns.{first}"] = zeros[..., :1, :].clone()
        return state

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        grad = -grad if self.maximize else grad
        taken = state["taken"] + 1
        new, parts = {"taken": taken}, []
        share, rho = torch.pow(taken, self.beta2_decay), torch.minimum(lr, taken.rsqrt())
        for name in state:
            kind, _, first = name.partition(".")
            if kind in ("rows", "square"):
                shape = _block_shape(state, first)
                at = slice(int(first), int(first) + math.prod(shape))
                block = grad[:, at].reshape(-1, *shape)
                square, means = self._square(block, state, first, share)
                parts.append(self._step_block(x[:, at], block, square, rho, lr))
                new |= means
        return torch.cat(parts, 1), new

    def _square(
        self, grad: Tensor, state: State, first: str, share: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the mean square of a block (R, …), and its new state tensors."""
        weight = _expand(share, grad)
        if grad.ndim == 2:
            name = f"square.{first}"
            square = torch.lerp(state[name], grad.square(), weight)
            return square, {name: square}
        rows = torch.lerp(state[f"rows.{first}"], grad.square().mean(-1, keepdim=True), weight)
        columns = torch.lerp(
            state[f"columns.{first}"], grad.square().mean(-2, keepdim=True), weight
        )
        mean = torch.maximum(rows.mean(-2, keepdim=True), _expand(self._eps1_like(grad), grad))
        return rows * columns / mean, {f"rows.{first}": rows, f"columns.{first}": columns}

    def _step_block(
        self, x: Tensor, grad: Tensor, square: Tensor, rho: Tensor, lr: Tensor
    ) -> Tensor:
        """Return the next point of a block (R, n), from its gradient and mean square (R, …)."""
        floor = _expand(self._eps1_like(x).square(), grad)
        u = (torch.maximum(square, floor).rsqrt() * grad).reshape(x.shape)
        size = torch.maximum(_rms(x), as_tensor(self.eps2, x))
        excess = (_rms(u) / self.d).clamp(min=1)
        return torch.addcmul(x * (1 - lr * self.weight_decay), u, size * rho / excess, value=-1)

    def _eps1_like(self, like: Tensor) -> Tensor:
        """Return eps1 as a tensor."""
        return as_tensor(torch.finfo(like.dtype).eps if self.eps1 is None else self.eps1, like)


class Muon(Wrapper):
    """Muon: momentum that is orthogonalized before the step, for matrices.

    For each block that is a matrix, with b starting at zero,

        b ← momentum · b + (1 − momentum) g
        n = (1 − momentum) g + momentum · b with `nesterov`, else b
        x ← x · (1 − lr · weight_decay) − lr · s · O(n)

    O(n) applies `ns_steps` Newton-Schulz iterations X ← a X + (b X Xᵀ + c (X Xᵀ)²) X to n / ‖n‖,
    which drive all singular values toward 1. s is √max(1, P/Q) for a matrix P × Q (original), or
    0.2 √max(P, Q) (match_rms_adamw). All other blocks are stepped by `inner`, AdamW by default,
    with learning rate `inner_scale` · lr.

    Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. Equal to
    `torch.optim.Muon`, except that O is computed in the dtype of the run and not in bfloat16.

    Attributes:
        inner: the optimizer of all blocks that are not matrices.
        inner_scale: learning rate of `inner`, relative to lr.
        momentum: decay rate of the mean gradient.
        nesterov: use Nesterov momentum.
        weight_decay: coefficient of the decoupled weight decay of the matrices.
        ns_coefficients: a, b and c of the Newton-Schulz iteration.
        ns_steps: number of Newton-Schulz iterations.
        eps: lower bound of the norm that n is divided by.
        adjust_lr_fn: the scale s: original or match_rms_adamw.
    """

    inner: Optimizer = dataclasses.field(
        default_factory=lambda: Adam(decoupled_weight_decay=True, weight_decay=0.01)
    )
    inner_scale: Number = setting(default=1.0, gt=0)
    momentum: Number = setting(default=0.95, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: Number = setting(default=0.1, ge=0)
    ns_coefficients: tuple[Number, Number, Number] = (3.4445, -4.775, 2.0315)
    ns_steps: int = setting(default=5, ge=0, lt=100)
    eps: Number = setting(default=1e-7, ge=0)
    adjust_lr_fn: Literal["original", "match_rms_adamw"] = "original"

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return zero momentum for the matrices, and the state of `inner` for the other blocks."""
        if not any(len(shape) == 2 for _, shape in layout):
            what = "needs a loss with a matrix among its parameters, such as mlp"
            raise SettingError(f"optimizer=Muon: {what}; this one has only vectors")
        state = {
            f"momentum.{first}": x.new_zeros((len(x), *shape))
            for first, shape in _iterate_blocks(layout)
            if len(shape) == 2
        }
        vectors = [block for block in layout if len(block[1]) != 2]
        if not vectors:
            return state
        return state | nest_state(self.inner.init(_take_vectors(x, state), vectors))

    def query(self, x: Tensor, state: State) -> Tensor:
        """Return x: `inner`, which steps some blocks only, cannot move the others."""
        return x

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        rest, new, inner = _take_vectors(x, state), {}, {}
        if rest.shape[1] > 0:
            scaled = lr * self.inner_scale
            rest, inner = self.inner.update(
                rest, _take_vectors(grad, state), inner_state(state), scaled
            )
        parts, end, used = [], 0, 0
        for name, first, shape in _matrices(state):
            parts.append(rest[:, used : used + first - end])
            used, end = used + first - end, first + math.prod(shape)
            block = grad[:, first:end].reshape(-1, *shape)
            keep = _expand(as_tensor(self.momentum, x), block)
            momentum = new[name] = torch.lerp(block, state[name], keep)
            ahead = torch.lerp(block, momentum, keep) if self.nesterov else momentum
            step = (self._orthogonalize(ahead) * self._scale(*shape)).reshape(len(x), -1)
            shrunk = x[:, first:end] * (1 - lr * self.weight_decay)
            parts.append(torch.addcmul(shrunk, step, lr, value=-1))
        return torch.cat([*parts, rest[:, used:]], 1), new | nest_state(inner)

    def _orthogonalize(self, matrix: Tensor) -> Tensor:
        """Return O of matrices (R, P, Q)."""
        is_tall = matrix.shape[1] > matrix.shape[2]
        x = matrix.mT if is_tall else matrix
        a, b, c = (_expand(as_tensor(value, x), x) for value in self.ns_coefficients)
        x = x / torch.maximum(norm(x, (1, 2)), _expand(as_tensor(self.eps, x), x))
        for _ in range(self.ns_steps):
            gram = x @ x.mT
            x = a * x + (b * gram + c * (gram @ gram)) @ x
        return x.mT if is_tall else x

    def _scale(self, p: int, q: int) -> float:
        """Return s for a matrix p × q."""
        if self.adjust_lr_fn == "original":
            return math.sqrt(max(1, p / q))
        return 0.2 * math.sqrt(max(p, q))


def _iterate_blocks(layout: Layout) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield the first coordinate and the shape of each block."""
    first = 0
    for _, shape in layout:
        yield first, shape
        first += math.prod(shape)


def _block_shape(state: State, first: str) -> tuple[int, ...]:
    """Return the shape of a block from Adafactor's state."""
    if f"square.{first}" in state:
        return tuple(state[f"square.{first}"].shape[1:])
    return (*state[f"rows.{first}"].shape[1:-1], state[f"columns.{first}"].shape[-1])


def _matrices(state: State) -> Iterator[tuple[str, int, tuple[int, int]]]:
    """Yield the name in the state, the first coordinate and the shape of each matrix."""
    for name, leaf in state.items():
        kind, _, first = name.partition(".")
        if kind == "momentum":
            yield name, int(first), (leaf.shape[1], leaf.shape[2])


def _take_vectors(x: Tensor, state: State) -> Tensor:
    """Return the coordinates of points (R, D) that are not part of a matrix."""
    parts, end = [], 0
    for _, first, shape in _matrices(state):
        parts.append(x[:, end:first])
        end = first + math.prod(shape)
    return torch.cat([*parts, x[:, end:]], 1)


def _expand(value: Tensor, like: Tensor) -> Tensor:
    """Reshape a column (R, 1) to broadcast with blocks (R, …); leave a scalar as it is."""
    return value.reshape(-1, *[1] * (like.ndim - 1)) if value.ndim else value


def _rms(x: Tensor) -> Tensor:
    """Return the root mean squares (R, 1) of rows (R, n)."""
    scaled, factor = rescale(x)
    return scaled.square().mean(1, keepdim=True).sqrt() / factor
