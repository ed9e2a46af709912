"""Runs to batches: what the engine is given for the settings of a run."""

import torch
from torch import Tensor

from gdlab import rng
from gdlab.batch import Batch
from gdlab.errors import SettingError
from gdlab.fields import shown
from gdlab.losses.base import Loss
from gdlab.settings import Settings


def batch_of(settings: Settings) -> Batch:
    """The batch of one run, R = 1.

    Raises:
        SettingError: the start does not fit the loss.
    """
    dtype, device = getattr(torch, settings.dtype), resolved_device(settings.device)
    loss = settings.loss.to(dtype, device)
    seed = torch.tensor([settings.seed], device=device)
    start = starting_points(loss, settings.start, seed)

    def column(value: float) -> Tensor:
        return torch.tensor([value], dtype=dtype, device=device)

    return Batch(
        loss=loss,
        rule=settings.optimizer,
        schedule=settings.schedule,
        lr=column(settings.lr),
        seed=seed,
        start=start,
        noise=column(settings.noise),
        steps=settings.steps,
        stop=settings.stop,
    )


def resolved_device(name: str) -> torch.device:
    """The device behind cpu, cuda or auto.

    Raises:
        SettingError: cuda is asked for where there is none.
    """
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise SettingError("device=cuda: no CUDA device is available here; use cpu or auto")
    return torch.device("cuda" if name != "cpu" and has_cuda else "cpu")


def starting_points(loss: Loss, start: object, seed: Tensor) -> Tensor:
    """Starting points (R, D) for seeds (R,).

    Args:
        loss: of the dtype and on the device wanted.
        start: None for the loss's own start, "random" for points drawn from each seed (uniform
            in the loss's window, standard normal where it has none), or D numbers.
        seed: int64 (R,).

    Raises:
        SettingError: not D numbers.
    """
    if start == "random":
        return _random_points(loss, seed)
    point = loss.tensor(loss.start if start is None else start)
    if point.shape[-1:] != (loss.dim,):
        given = shown(start if start is not None else point.tolist())
        names = ", ".join(loss.names[:8]) + (", …" if loss.dim > 8 else "")
        raise SettingError(f"start={given}: must be {loss.dim} numbers ({names}), or random")
    return point.expand(len(seed), -1)


def _random_points(loss: Loss, seed: Tensor) -> Tensor:
    coordinate = torch.arange(loss.dim, device=seed.device)
    zero = torch.zeros_like(coordinate)
    if loss.window is None:
        return loss.tensor(rng.normal(seed[:, None], rng.Stream.START, zero, coordinate))
    low, high = loss.tensor(loss.window).unbind(-1)
    unit = rng.uniform(seed[:, None], rng.Stream.START, zero, coordinate)
    return low + loss.tensor(unit) * (high - low)
