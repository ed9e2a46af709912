"""Counter-based random numbers: a number depends only on (seed, stream, step, coordinate).

Philox 4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011), vectorized over runs, steps and coordinates. There is no state, so a run draws the same
numbers alone or in a batch, in any order and on any device.

Shapes: R runs, D coordinates, K steps.
"""

import math
from enum import IntEnum

import torch
from torch import Tensor

from gdlab.numerics.rowwise import LANES
from gdlab.numerics.threads import one_thread

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_FEISTEL_ROUNDS = 8
_MOST_SORTED = 64
_LOW = 0xFFFFFFFF


class Stream(IntEnum):
    """The purpose of a random number; each purpose has its own numbers."""

    START = 1
    NOISE = 2
    MINIBATCH = 3
    ROTATION = 4
    SWEEP = 5
    DATA = 6
    EIGENVECTOR = 7
    SPREAD = 8
    SPLIT = 9


def philox(counter: tuple[Tensor, ...], key: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """Map four counter words and two key words to four random words by Philox 4x32-10.

    Each word is an int64 tensor of unsigned 32-bit numbers; the words broadcast.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        # The 64-bit products wrap, as they should; the mask undoes the shift's sign extension.
        left, right = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            ((right >> 32) & _LOW) ^ c1 ^ k0,
            right & _LOW,
            ((left >> 32) & _LOW) ^ c3 ^ k1,
            left & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


def words(seed: Tensor, stream: Stream, step: Tensor, coordinate: Tensor) -> tuple[Tensor, ...]:
    """Draw four random 32-bit words for each combination of the broadcast int64 arguments."""
    seed, step, coordinate = torch.broadcast_tensors(seed, step, coordinate)
    counter = (step & _LOW, coordinate & _LOW, torch.full_like(step, int(stream)), step >> 32)
    return philox(counter, (seed & _LOW, (seed >> 32) & _LOW))


def _to_unit_interval(high: Tensor, low: Tensor) -> Tensor:
    """Convert two words to float64 strictly between 0 and 1, with 52 random bits."""
    return (((high >> 6) << 26 | (low >> 6)).to(torch.float64) + 0.5) * 2.0**-52


def uniform(seed: Tensor, stream: Stream, step: Tensor, coordinate: Tensor) -> Tensor:
    """Draw uniform float64 numbers strictly between 0 and 1, of the broadcast shape."""
    w = words(seed, stream, step, coordinate)
    return _to_unit_interval(w[0], w[1])


def normal(seed: Tensor, stream: Stream, step: Tensor, coordinate: Tensor) -> Tensor:
    """Draw standard normal float64 numbers (Box and Muller 1958), of the broadcast shape."""
    w = words(seed, stream, step, coordinate)
    shape, numbers = w[0].shape, w[0].numel()
    full = _pad_to_lanes(torch.stack(w).reshape(4, -1))
    with one_thread():
        radius = torch.sqrt(-2.0 * torch.log(_to_unit_interval(full[0], full[1])))
        normal = radius * torch.cos(2.0 * math.pi * _to_unit_interval(full[2], full[3]))
    return normal[:numbers].reshape(shape)


def student_t(
    seed: Tensor, stream: Stream, step: Tensor, coordinate: Tensor, dof: Tensor
) -> Tensor:
    """Draw Student's t float64 numbers, of the broadcast shape of all arguments but the stream.

    √(ν (U^(−2/ν) − 1)) cos 2πV, exact for any ν > 0 (Bailey, "Polar generation of random variates
    with the t-distribution", Mathematics of Computation 62, 1994), from the same words as `normal`,
    to which it tends as ν grows.

    Args:
        seed: int64.
        stream: the purpose of the numbers.
        step: int64.
        coordinate: int64.
        dof: the degrees of freedom ν ≥ 1.
    """
    w = words(seed, stream, step, coordinate)
    shape = torch.broadcast_shapes(w[0].shape, dof.shape)
    full = _pad_to_lanes(torch.stack([word.expand(shape) for word in w]).reshape(4, -1))
    dof = _pad_to_lanes(dof.to(torch.float64).expand(shape).reshape(1, -1), 1.0)[0]
    with one_thread():
        power = torch.expm1(-2.0 * torch.log(_to_unit_interval(full[0], full[1])) / dof)
        t = torch.sqrt(dof * power) * torch.cos(2.0 * math.pi * _to_unit_interval(full[2], full[3]))
    return t[: math.prod(shape)].reshape(shape)


def _pad_to_lanes(numbers: Tensor, filler: float = 0) -> Tensor:
    """Pad numbers (..., m) so that m is a multiple of `LANES`, and no bit depends on m."""
    return torch.nn.functional.pad(numbers, (0, -numbers.shape[-1] % LANES), value=filler)


def normal_matrix(seed: int, stream: Stream, dim: int) -> Tensor:
    """Draw a (dim, dim) float64 matrix of standard normal numbers."""
    index = torch.arange(dim)
    return normal(torch.tensor(seed), stream, index[:, None], index[None, :])


def minibatches(seed: Tensor, step: Tensor, n: int, size: int) -> Tensor:
    """Draw minibatches for K steps of R runs: indices (K, R, size) in range(n), once per epoch.

    Step k takes the positions k·size … (k+1)·size − 1 of an endless sequence of epochs, each with a
    new random order; a minibatch may span two epochs.

    Args:
        seed: int64 (R,).
        step: int64 (K,).
        n: the number of examples, at least 1.
        size: the number of examples per step.
    """
    position = step[:, None] * size + torch.arange(size, device=step.device)
    epoch, offset = (position // n)[:, None, :], (position % n)[:, None, :]
    return permute(seed[:, None], epoch, offset, n)


def permute(seed: Tensor, epoch: Tensor, position: Tensor, n: int) -> Tensor:
    """Return the index at `position` in the random order of range(n) for (seed, epoch).

    Up to 64 examples are sorted by random numbers. For more, a Feistel network on an even number of
    bits that suffices for n (8 or more) is applied again and again until it lands in range(n)
    (cycle walking: Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). This is an
    exact permutation, and no array of length n is ever stored. The round keys are Philox words. On
    6 bits the network would favor some orders, and it only gives even permutations.

    Args:
        seed: int64, broadcasts with the others.
        epoch: int64, the number of the pass over the examples.
        position: int64 in [0, n).
        n: the number of examples, at least 1.
    """
    first = int(epoch.min())
    epochs = torch.arange(first, int(epoch.max()) + 1, device=epoch.device)
    seeds, run = torch.unique(seed, return_inverse=True)
    coordinates = torch.arange(n if n <= _MOST_SORTED else _FEISTEL_ROUNDS, device=epoch.device)
    arguments = (seeds[:, None, None], Stream.MINIBATCH, epochs[:, None], coordinates)
    run, epoch, position = torch.broadcast_tensors(run, epoch - first, position)
    if n <= _MOST_SORTED:
        return uniform(*arguments).argsort(stable=True)[run, epoch, position]
    keys = words(*arguments)[0][run.flatten(), epoch.flatten()]
    half = half_bits(n)
    value = _feistel(position.flatten(), keys, half)
    outside = torch.nonzero(value >= n)[:, 0]
    while len(outside) > 0:
        value[outside] = _feistel(value[outside], keys[outside], half)
        outside = outside[value[outside] >= n]
    return value.reshape(position.shape)


def half_bits(n: int) -> int:
    """Return the bits of each half of a Feistel network that permutes range(n)."""
    return math.ceil((n - 1).bit_length() / 2)


def _feistel(value: Tensor, keys: Tensor, half: int) -> Tensor:
    """Permute numbers (m,) of 2 · half bits under round keys (m, rounds)."""
    mask = (1 << half) - 1
    left, right = value >> half, value & mask
    for r in range(_FEISTEL_ROUNDS):
        # The 32-bit finalizer of MurmurHash3 (Appleby 2008) mixes the half with its key.
        mixed = (right ^ keys[:, r]) & _LOW
        mixed = ((mixed ^ (mixed >> 16)) * 0x85EBCA6B) & _LOW
        mixed = ((mixed ^ (mixed >> 13)) * 0xC2B2AE35) & _LOW
        left, right = right, left ^ ((mixed ^ (mixed >> 16)) & mask)
    return left << half | right
