"""Custom networks and data sets, usable and unusable ones."""

import itertools
import sys
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset, IterableDataset, TensorDataset


class Net(nn.Module):
    """Two layers; `kind` adds a peculiarity."""

    def __init__(self, width: int = 4, outputs: int = 2, kind: str = "") -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, width), nn.Linear(width, outputs)
        self.kind, self.calls = kind, 0
        if kind == "exits":
            sys.exit(3)
        if kind == "buffer":
            self.register_buffer("scale", torch.full((), 2.0))
        if kind == "counter":
            self.register_buffer("scale", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "in_place":
            x += 1
        h = torch.tanh(self.first(x))
        if self.kind == "state":
            self.calls += 1
            h = h / self.calls
        if self.kind == "centered":
            h = h - h.mean(0)
        if self.kind == "integers":
            return self.last(h).long()
        if self.kind == "detached":
            return x
        if self.kind == "random":
            h = functional.dropout(h, 0.2)
        if self.kind == "buffer":
            h = h * self.scale
        if self.kind == "counter":
            self.scale += 1
        if self.kind == "item":
            h = h * float(h.sum())
        if self.kind == "raises":
            raise ValueError("no\nway")
        return self.last(h)


class Tied(nn.Module):
    """Two layers that share their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(2, 2), nn.Linear(2, 2)
        self.other.weight = self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.other(torch.tanh(self.one(x)))


class Frozen(nn.Module):
    """A first layer that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 2))
        self.layers[0].requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Words(nn.Module):
    """Integer inputs, outputs without a last axis."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.table(x).sum((-1, -2))


class Sided(Dataset[tuple[Tensor, int]]):
    """Points and the side of a line on which they lie; drawn by torch's generator."""

    def __init__(self, n: int = 40) -> None:
        self.points = torch.rand(n, 2)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        point = self.points[place]
        return point, int(point.sum() > 1)


class Sentences(TensorDataset):
    """Three words each, and a number."""

    def __init__(self) -> None:
        words = torch.arange(30).reshape(10, 3) % 5
        super().__init__(words, words.sum(1) / 4)


class Holed(TensorDataset):
    """A feature that is not a number."""

    def __init__(self) -> None:
        super().__init__(torch.tensor([[1.0], [float("nan")]]), torch.tensor([1.0, 2.0]))


class Counted(Dataset[tuple[Tensor, int]]):
    """More examples than fit in memory."""

    def __len__(self) -> int:
        return 10**12

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        return torch.zeros(2), 0


class Endless(IterableDataset[int]):
    """A data set without a length."""

    def __iter__(self) -> Iterator[int]:
        return itertools.count()
