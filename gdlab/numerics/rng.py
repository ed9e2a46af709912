"""Counter-based random numbers: a number depends on (seed, stream, step, coordinate) alone.

Philox 4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011), vectorised over runs, steps and coordinates. No state is kept, so a run draws the same
numbers alone, among others, in any order and on any device.

Shapes: R runs, D coordinates, K steps.
"""

import math
from enum import IntEnum

import torch
from torch import Tensor

from gdlab.numerics.threads import one_thread

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_FEISTEL_ROUNDS = 8
_FEW = 64
_LANES = 32
_LOW = 0xFFFFFFFF


class Stream(IntEnum):
    """What a random number is for; each purpose has its own numbers."""

    START = 1
    NOISE = 2
    MINIBATCH = 3
    ROTATION = 4
    SWEEP = 5
    DATA = 6
    EIGENVECTOR = 7


def philox(counter: tuple[Tensor, ...], key: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """Philox 4x32-10: four words of counter and two of key to four random words.

    Each word is an int64 tensor that holds an unsigned 32-bit number; they broadcast.
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
    """Four random 32-bit words for each combination of the broadcast arguments (int64)."""
    seed, step, coordinate = torch.broadcast_tensors(seed, step, coordinate)
    counter = (step & _LOW, coordinate & _LOW, torch.full_like(step, int(stream)), step >> 32)
    return philox(counter, (seed & _LOW, (seed >> 32) & _LOW))


def _unit(high: Tensor, low: Tensor) -> Tensor:
    """Two words to a float64 strictly between 0 and 1, of 52 random bits."""
    return (((high >> 6) << 26 | (low >> 6)).to(torch.float64) + 0.5) * 2.0**-52


def uniform(seed: Tensor, stream: Stream, step: Tensor, coordinate: Tensor) -> Tensor:
    """Uniform numbers strictly between 0 and 1, float64, of the arguments' broadcast shape."""
    w = words(seed, stream, step, coordinate)
    return _unit(w[0], w[1])


def normal(seed: Tensor, stream: Stream, step: Tensor, coordinate: Tensor) -> Tensor:
    """Standard normal numbers (Box and Muller 1958), float64, of the arguments' broadcast shape."""
    w = words(seed, stream, step, coordinate)
    shape, numbers = w[0].shape, w[0].numel()
    full = _whole_lanes(torch.stack(w).reshape(4, -1))
    with one_thread():
        radius = torch.sqrt(-2.0 * torch.log(_unit(full[0], full[1])))
        normal = radius * torch.cos(2.0 * math.pi * _unit(full[2], full[3]))
    return normal[:numbers].reshape(shape)


def student_t(
    seed: Tensor, stream: Stream, step: Tensor, coordinate: Tensor, dof: Tensor
) -> Tensor:
    """Student's t numbers, float64, of the broadcast shape of all arguments but the stream.

    √(ν (U^(−2/ν) − 1)) cos 2πV, exact for any ν > 0 (Bailey, "Polar generation of random variates
    with the t-distribution", Mathematics of Computation 62, 1994): of the same words as `normal`,
    which it tends to as ν grows.

    Args:
        seed: int64.
        stream: what the numbers are for.
        step: int64.
        coordinate: int64.
        dof: the degrees of freedom ν ≥ 1.
    """
    w = words(seed, stream, step, coordinate)
    shape = torch.broadcast_shapes(w[0].shape, dof.shape)
    full = _whole_lanes(torch.stack([word.expand(shape) for word in w]).reshape(4, -1))
    dof = _whole_lanes(dof.to(torch.float64).expand(shape).reshape(1, -1), 1.0)[0]
    with one_thread():
        power = torch.expm1(-2.0 * torch.log(_unit(full[0], full[1])) / dof)
        t = torch.sqrt(dof * power) * torch.cos(2.0 * math.pi * _unit(full[2], full[3]))
    return t[: math.prod(shape)].reshape(shape)


def _whole_lanes(numbers: Tensor, filler: float = 0) -> Tensor:
    """Numbers (…, m) with m filled up to whole vectors, so that no bit depends on m."""
    return torch.nn.functional.pad(numbers, (0, -numbers.shape[-1] % _LANES), value=filler)


def normal_matrix(seed: int, stream: Stream, dim: int) -> Tensor:
    """A (dim, dim) float64 matrix of standard normal numbers."""
    index = torch.arange(dim)
    return normal(torch.tensor(seed), stream, index[:, None], index[None, :])


def minibatches(seed: Tensor, step: Tensor, n: int, size: int) -> Tensor:
    """The examples of K steps of R runs: indices (K, R, size) in range(n), each once per epoch.

    Step k takes the positions k·size … (k+1)·size − 1 of an endless sequence of epochs, each a
    fresh random order; a minibatch may straddle two of them.

    Args:
        seed: int64 (R,).
        step: int64 (K,).
        n: the number of examples, at least 1.
        size: how many of them a step takes.
    """
    position = step[:, None] * size + torch.arange(size, device=step.device)
    epoch, place = (position // n)[:, None, :], (position % n)[:, None, :]
    return permuted(seed[:, None], epoch, place, n)


def permuted(seed: Tensor, epoch: Tensor, position: Tensor, n: int) -> Tensor:
    """Where `position` lies in the random order of range(n) that belongs to (seed, epoch).

    Up to 64 examples are sorted by random numbers. For more, a Feistel network over an even number
    of bits that holds n (8 or more) is walked until it lands in range(n) (Black and Rogaway,
    "Ciphers with arbitrary finite domains", 2002): an exact permutation of which no order of length
    n is ever stored. The round keys are Philox words. On 6 bits the network would favour some
    orders, and it gives even permutations alone.

    Args:
        seed: int64, broadcasts with the others.
        epoch: int64, which pass over the examples.
        position: int64 in [0, n).
        n: the number of examples, at least 1.
    """
    first = int(epoch.min())
    epochs = torch.arange(first, int(epoch.max()) + 1, device=epoch.device)
    seeds, which = torch.unique(seed, return_inverse=True)
    places = torch.arange(n if n <= _FEW else _FEISTEL_ROUNDS, device=epoch.device)
    arguments = (seeds[:, None, None], Stream.MINIBATCH, epochs[:, None], places)
    which, epoch, position = torch.broadcast_tensors(which, epoch - first, position)
    if n <= _FEW:
        return uniform(*arguments).argsort(stable=True)[which, epoch, position]
    keys = words(*arguments)[0][which.flatten(), epoch.flatten()]
    half = math.ceil((n - 1).bit_length() / 2)
    value = _feistel(position.flatten(), keys, half)
    outside = torch.nonzero(value >= n)[:, 0]
    while len(outside) > 0:
        value[outside] = _feistel(value[outside], keys[outside], half)
        outside = outside[value[outside] >= n]
    return value.reshape(position.shape)


def _feistel(value: Tensor, keys: Tensor, half: int) -> Tensor:
    """Numbers (m,) of 2 · half bits, permuted under round keys (m, rounds)."""
    mask = (1 << half) - 1
    left, right = value >> half, value & mask
    for r in range(_FEISTEL_ROUNDS):
        # The 32-bit finaliser of MurmurHash3 (Appleby 2008) mixes the half with its key.
        mixed = (right ^ keys[:, r]) & _LOW
        mixed = ((mixed ^ (mixed >> 16)) * 0x85EBCA6B) & _LOW
        mixed = ((mixed ^ (mixed >> 13)) * 0xC2B2AE35) & _LOW
        left, right = right, left ^ ((mixed ^ (mixed >> 16)) & mask)
    return left << half | right
