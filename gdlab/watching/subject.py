"""What a watched loop trains, in the words of gdlab: a loss, an optimizer, a learning rate."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gdlab import optimizers
from gdlab.config.settings import Settings
from gdlab.errors import SettingError
from gdlab.fields.declared import declared_fields
from gdlab.losses.watched import WatchedLoss
from gdlab.optimizers.base import Optimizer, State
from gdlab.schedules import Constant

_PLAIN = (bool, int, float, str, type(None))


class WatchedOptimizer(Optimizer):
    """An optimizer of which gdlab knows the name only.

    Attributes:
        cls: its class.
    """

    cls: str

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Raise `NotImplementedError`: the steps are taken by the loop that is watched."""
        raise NotImplementedError(f"{self.cls} is watched, not run")

    @property
    def shown_name(self) -> str:
        """The name of the class, without its module."""
        return self.cls.rpartition(".")[2]


def settings_of(
    model: nn.Module, watched: Sequence[torch.optim.Optimizer], began: float
) -> Settings:
    """Return what is trained as the settings of a run; those of the first group of parameters.

    lr is that from which a scheduler of torch starts, if there is one: a warm-up begins at 0.

    Args:
        model: what is trained.
        watched: its optimizers.
        began: when the loop began, in seconds since 1970.
    """
    weights = parameters_of(watched)
    is_double = all(p.dtype == torch.float64 for p in weights)
    first = watched[0]
    group = first.param_groups[0]
    return Settings(
        loss=WatchedLoss(type(model).__name__, sum(p.numel() for p in weights), began),
        optimizer=_known(first) or WatchedOptimizer(_path_of(first)),
        schedule=Constant(),
        lr=1.0,
        dtype="float64" if is_double else "float32",
        choices={"loss": type(model).__name__, "optimizer": type(first).__name__},
    ).unchecked(lr=float(group.get("initial_lr", group["lr"])))  # 0 where nothing is trained


def parameters_of(watched: Sequence[torch.optim.Optimizer]) -> list[Tensor]:
    """Return the parameters of optimizers, each once, in the order of their groups."""
    groups = [group for optimizer in watched for group in optimizer.param_groups]
    return [*dict.fromkeys(p for group in groups for p in group["params"])]


def config_of(settings: Settings, watched: Sequence[torch.optim.Optimizer]) -> dict[str, Any]:
    """Return what the file of settings says of a watched loop."""
    loss, optimizer = settings.loss, settings.optimizer
    later = ("shares", "columns")  # known at the end only
    fields = {key: value for key, value in loss.settings().items() if key not in later}
    known = {} if isinstance(optimizer, WatchedOptimizer) else optimizer.settings()
    return {
        "loss": {"_target_": f"{type(loss).__module__}.{type(loss).__name__}", **fields},
        "optimizer": {
            "_target_": f"{type(optimizer).__module__}.{type(optimizer).__name__}"
            if known
            else _path_of(watched[0]),
            **(known or _plain(watched[0].param_groups[0])),
        },
        "lr": settings.lr,
    }


def _path_of(optimizer: torch.optim.Optimizer) -> str:
    cls = type(optimizer)
    return f"{cls.__module__}.{cls.__qualname__}"


def _known(optimizer: torch.optim.Optimizer) -> Optimizer | None:
    """Return gdlab's optimizer that takes the same steps, if it has a stability limit."""
    cls = type(optimizer)
    own = getattr(optimizers, cls.__name__, None)
    if not cls.__module__.startswith("torch.optim") or own is None:
        return None
    fields = _plain(optimizer.param_groups[0])
    try:
        made = own(**{name: fields[name] for name in declared_fields(own) if name in fields})
    except SettingError:  # a value that gdlab does not allow, as a momentum of 1
        return None
    return None if made.max_stable_lr(1.0) is None else made


def _plain(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a group of parameters that are plain values, but for lr."""
    numbers = {
        name: value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
        for name, value in group.items()
        if name not in ("params", "lr", "initial_lr")
    }
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in numbers.items()
        if isinstance(value, _PLAIN)
        or (isinstance(value, tuple) and all(isinstance(v, _PLAIN) for v in value))
    }
