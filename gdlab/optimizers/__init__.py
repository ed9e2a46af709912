"""The rules by which steps are taken, one family per file."""

from gdlab.optimizers.adaptive import Adagrad, Adam, RMSprop
from gdlab.optimizers.base import Rule
from gdlab.optimizers.momentum import SGD

__all__ = ["SGD", "Adagrad", "Adam", "RMSprop", "Rule"]
