"""The cost of `gdlab.watch`: a step of a loop that is watched, over the same step alone.

    python benchmarks/watch.py [blocks]

Two copies of a model of 100,000 weights are trained in one process, one inside a watch, 20 steps of
one and 20 of the other, in turn. A ratio is the median of the ratios of neighboring blocks, which a
slow phase of the machine affects alike. Seconds are those of the processor, on a GPU those of the
clock. The first blocks, in which the weights of every step are kept, and the end of the loop, at
which the path is projected and the files are written, are measured apart.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

import gdlab

BLOCK = 20
WARM = 1  # blocks that are not counted
EARLY = 7  # blocks: the weights of every step are kept


Parts = tuple[Callable[[], nn.Module], tuple[int, ...], Callable[..., torch.optim.Optimizer]]
"""What makes a model, the shape of a batch, and what makes an optimizer."""


def main() -> None:
    blocks = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {device}, {blocks} blocks of {BLOCK} steps")
    for name, model, shape in (
        ("perceptron, batches of 256", perceptron, (256, 64)),
        ("convolutions, batches of 64", convolutions, (64, 1, 28, 28)),
    ):
        for make in (torch.optim.SGD, torch.optim.Adam):
            run(f"{name}, {make.__name__}", (model, shape, make), blocks, device)


def run(name: str, parts: Parts, blocks: int, device: str) -> None:
    """Measure one loop and print its ratios."""
    pairs, end = measure(parts, blocks, device)
    ratios = [a / b for a, b in pairs]
    early, later = (statistics.median(r) for r in (ratios[:EARLY], ratios[EARLY:]))
    alone = statistics.median(b for _, b in pairs) / BLOCK * 1e6
    print(
        f"{name}: {later:.3f} of a step alone (at most 1.05), {early:.3f} in the first "
        f"{EARLY * BLOCK} steps; alone {alone:.0f} µs; the end of the loop {end:.2f} s"
    )


def measure(parts: Parts, blocks: int, device: str) -> tuple[list[tuple[float, float]], float]:
    """Return the seconds of pairs of blocks, watched and alone, and those of the end."""
    watched, alone = loop(*parts, device), loop(*parts, device)
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        with gdlab.watch(*watched[:2], f"{folder}/run", quiet=True) as watch:
            for _ in range(blocks + WARM):
                one = seconds(lambda: watch.step(watched[2]()), device)
                pairs.append((one, seconds(alone[2], device)))
            began = time.perf_counter()
        end = time.perf_counter() - began
    return pairs[WARM:], end


def perceptron() -> nn.Module:
    """Return a perceptron of 99,530 weights."""
    widths = (64, 256, 256, 64, 10)
    layers = [
        layer
        for fan_in, fan_out in pairwise(widths)
        for layer in (nn.Linear(fan_in, fan_out), nn.ReLU())
    ]
    return nn.Sequential(*layers[:-1])


def convolutions() -> nn.Module:
    """Return a convolutional network of 101,578 weights."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 61),
        nn.ReLU(),
        nn.Linear(61, 10),
    )


def loop(
    make_model: Callable[[], nn.Module],
    shape: tuple[int, ...],
    make: Callable[..., torch.optim.Optimizer],
    device: str,
) -> tuple[nn.Module, torch.optim.Optimizer, Callable[[], torch.Tensor]]:
    """Return a model, its optimizer and a step of its training."""
    torch.manual_seed(0)
    model = make_model().to(device)
    inputs = torch.randn(*shape, device=device)
    targets = torch.randint(0, 10, (shape[0],), device=device)
    optimizer = make(model.parameters(), lr=1e-3)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


def seconds(step: Callable[[], object], device: str) -> float:
    """Return the seconds of a block of steps."""
    clock = time.perf_counter if device == "cuda" else time.process_time
    began = clock()
    for _ in range(BLOCK):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - began


if __name__ == "__main__":
    main()
