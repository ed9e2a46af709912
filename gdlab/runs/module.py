"""The network of a run in memory, as a module of torch."""

import torch
from torch import nn

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.errors import SettingError
from gdlab.losses.models.trained import trained_network
from gdlab.recording.checkpoint import find_record


def module_of_run(settings: Settings, history: History, which: int | str) -> nn.Module:
    """Return the network of a run; see `Run.module`."""
    loss = settings.objective.to(getattr(torch, settings.dtype), torch.device("cpu"))
    at = find_record(history.step, history.metrics, history.loss, which)
    network = trained_network(loss, loss.tensor(history.x[at]))
    if network is None:
        raise SettingError(f"module: loss={settings.name('loss')} is no network")
    return network
