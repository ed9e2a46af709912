"""The optimizers of conf, and which rows of a batch are compared with single runs."""

from collections.abc import Collection

from gdlab.config.loading import resolve_choice
from gdlab.fields.suggestions import choices_of
from gdlab.optimizers import Optimizer

ROWS = 40
PICKED = (0, 7, 31, 33, 39)


def optimizer_of(name: str) -> Optimizer:
    """An optimizer of conf with its own numbers."""
    optimizer = resolve_choice("optimizer", name)
    assert isinstance(optimizer, Optimizer)
    return optimizer


def names_of(classes: Collection[type[Optimizer]]) -> list[str]:
    """The names in conf of the optimizers of some classes."""
    names = (name for name in choices_of("optimizer") if name != "custom")
    return [name for name in names if type(resolve_choice("optimizer", name)) in classes]
