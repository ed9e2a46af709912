"""The loss of a recorded run, made again from its settings where it is gdlab's own."""

from collections.abc import Mapping
from typing import Any

from gdlab.config.loading import choice_from_values
from gdlab.config.settings import Settings, make_section
from gdlab.errors import SettingError
from gdlab.losses.watched import WatchedLoss
from gdlab.optimizers import SGD, Optimizer
from gdlab.schedules import Constant

_OWN, _OWN_OPTIMIZERS = "gdlab.losses.", "gdlab.optimizers."
_CLASS = "_target_"
_TRUSTED = "python -m gdlab.view --trust makes it"


def settings_with_loss(
    config: Mapping[str, Any], *, trust: bool = False, watched: bool = False
) -> Settings | str:
    """Return settings with the loss of a configuration and its transform; a text says why not.

    A file must not have code imported: only classes of gdlab are made, and none that holds another
    class or reads data. The optimizer and the schedule are the defaults.

    Args:
        config: of a run.
        trust: whether any class that the configuration names may be imported and made.
        watched: whether a loss will do that has no values but those that were recorded.
    """
    node = config.get("loss")
    fields = node if isinstance(node, dict) else {}
    if not trust and not str(fields.get(_CLASS)).startswith(_OWN):
        return f"the files hold no function to evaluate ({_TRUSTED})"
    if not trust and fields.keys() & {"data", "module"}:
        return f"its loss needs data or a network, which the files do not hold ({_TRUSTED})"
    try:
        loss: Any = choice_from_values("loss", {**fields})
        if isinstance(loss, WatchedLoss) and not watched:
            return loss.why_unknown
        section = make_section("transform", config.get("transform", {}))
        return Settings(
            loss=loss,
            optimizer=SGD(),
            schedule=Constant(),
            lr=float(config["lr"]),
            transform=section,
        )
    except (SettingError, KeyError, TypeError, ValueError) as error:
        return f"its loss cannot be made again ({error})"


def optimizer_of(config: Mapping[str, Any]) -> Optimizer:
    """Return the optimizer of a configuration if it is gdlab's own, else gradient descent."""
    node = config.get("optimizer")
    fields = node if isinstance(node, dict) else {}
    is_nested = any(isinstance(value, Mapping) for value in fields.values())
    if not str(fields.get(_CLASS)).startswith(_OWN_OPTIMIZERS) or is_nested:
        return SGD()
    try:
        made: Any = choice_from_values("optimizer", {**fields})
    except (SettingError, TypeError, ValueError):  # a file of another version
        return SGD()
    return made
