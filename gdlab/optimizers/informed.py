"""Rules that need more than a gradient: they are given an oracle too."""

from abc import abstractmethod
from collections.abc import Set
from typing import ClassVar

from torch import Tensor

from gdlab.losses.base import Loss
from gdlab.optimizers.base import Rule, State
from gdlab.oracle import Oracle, check_needs


class InformedRule(Rule):
    """A rule that asks an oracle for the loss at other points, for second derivatives and such.

    Subclasses say `informed_update`, and in `needs` what they ask for. It has no compiled form.
    """

    needs: ClassVar[Set[str]] = frozenset({"evaluate"})

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Not without an oracle."""
        raise NotImplementedError(f"{type(self).__name__} cannot step by a gradient alone")

    def check(self, loss: Loss, noise: Tensor) -> None:
        """Refuse a loss that cannot give what is needed, or noise (R,) in the gradients.

        Raises:
            SettingError: in words, which setting does not fit.
        """
        check_needs(type(self).__name__, self.needs, loss, noise)

    @abstractmethod
    def informed_update(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """One step from x (R, D) with its gradient (R, D): the next x and state.

        What becomes of rows that are not `oracle.awake` does not matter.
        """
