"""What a report of derivatives is asked for: the settings of `conf/derivatives.yaml`.

Shapes: D dimensions.
"""

import dataclasses
from functools import cached_property

import torch
from torch import Tensor

from gdlab.derivatives.arguments import as_direction
from gdlab.derivatives.findings.critical_points import TOL
from gdlab.derivatives.findings.higher_orders import HIGHEST
from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, setting
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Loss
from gdlab.losses.transform import Transform

_OF_A_LOSS = ("direction", "step", "find", "check")
LARGEST = 200
"""Of a loss with more dimensions the Hessian is not written down."""


class Question(Configured):
    """What a report is asked for. The fields are those of `conf/derivatives.yaml`.

    Attributes:
        loss: the loss.
        at: the point; None for the loss's own start. With `inner` or `formulas` a point of their
            variables.
        direction: of the directional derivative; None for none.
        step: of the total differential; None for none.
        order: the highest order of partial derivatives.
        tol: the gradient norm up to which a point is critical.
        find: whether to search the window for critical points.
        window: where, a pair for each dimension or one for all; None for the loss's own.
        high_dimensional: whether to use Hessian-vector products alone; None for above 200
            dimensions.
        path: a curve of t, a formula for each coordinate; None for none.
        t: where on the curve.
        inner: the loss's variables as formulas of others; None for none.
        formulas: a function of several values instead of the loss; None for none.
        example: of a network, whose layers are shown.
        check: whether to test the gradient.
        seed: of what is drawn.
        draw: whether there are pictures.
        transform: what is done to the landscape of the loss.
        choices: the name by which the loss was chosen.
    """

    loss: Loss
    at: tuple[float, ...] | None = None
    direction: tuple[float, ...] | None = None
    step: tuple[float, ...] | None = None
    order: int = setting(default=2, ge=1, le=HIGHEST)
    tol: float = setting(default=TOL, ge=0)
    find: bool = False
    window: tuple[tuple[float, float], ...] | None = None
    high_dimensional: bool | None = None
    path: tuple[str, ...] | None = None
    t: float = 0.0
    inner: tuple[str, ...] | None = None
    formulas: tuple[str, ...] | None = None
    example: int = setting(default=0, ge=0)
    check: bool = False
    seed: int = setting(default=0, ge=0, lt=2**63)
    draw: bool = True
    transform: Transform = dataclasses.field(default_factory=Transform)
    choices: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._must_be_alone()

    def _must_be_alone(self) -> None:
        """Refuse what a curve, a composition or formulas leave no room for.

        Raises:
            SettingError: two of them, or one beside what is asked of a loss at a point.
        """
        ways = [name for name in ("path", "inner", "formulas") if getattr(self, name) is not None]
        if not ways:
            return
        others = [*ways[1:], *_OF_A_LOSS, *(["at"] if self.path is not None else [])]
        others = [name for name in others if getattr(self, name) not in (None, False)]
        if others:
            given = format_value(getattr(self, others[0]))
            what = f"{others[0]}={given}: cannot stand beside {ways[0]}"
            raise SettingError(f"{what}; ask for one at a time")

    @property
    def name(self) -> str:
        """The loss's name: as chosen, or its class's; of formulas, that word."""
        if self.formulas is not None:
            return "formulas"
        chosen = self.choices.get("loss", "custom")
        return type(self.loss).__name__ if chosen == "custom" else chosen

    @property
    def label(self) -> str:
        """The name as a part of a file's name: a slash would mean a folder."""
        return self.name.replace("/", ".")

    @cached_property
    def objective(self) -> Loss:
        """The loss as it is asked about: transformed, where a transformation is given."""
        return self.transform.of(self.loss)

    @property
    def is_high_dimensional(self) -> bool:
        """Whether to use Hessian-vector products alone."""
        return (
            self.objective.dim > LARGEST if self.high_dimensional is None else self.high_dimensional
        )

    @property
    def point(self) -> Tensor:
        """The point that was given, or the loss's own start: float64."""
        if self.at is not None:
            return torch.tensor(self.at, dtype=torch.float64)
        return self.objective.starts(torch.tensor([self.seed])).reshape(-1)

    def given_point(self, of: str) -> tuple[float, ...]:
        """The point of the variables of formulas, which must be given.

        Args:
            of: the setting that has the formulas.

        Raises:
            SettingError: it is not.
        """
        if self.at is None:
            raise SettingError(f"at=null: {of} needs a point of the variables in it")
        return self.at

    def unit_direction(self) -> Tensor | None:
        """The direction that was given, of length 1 (D,).

        Raises:
            SettingError: it is zero, or has another length than the loss has dimensions.
        """
        if self.direction is None:
            return None
        return as_direction(self.direction, self.objective.names, "direction")

    def sides(self) -> Tensor | None:
        """The window (D, 2) that was given.

        Raises:
            SettingError: it has another number of sides than the loss has dimensions, or a low that
                is not below its high.
        """
        if self.window is None:
            return None
        sides = torch.tensor(self.window, dtype=torch.float64)
        dim = self.objective.dim
        sides = sides.expand(dim, 2) if len(sides) == 1 else sides
        if len(sides) != dim:
            must = f"must hold {dim} pairs, low and high, or one for all"
            raise SettingError(f"window={format_value(self.window)}: {must}")
        if not bool((sides[:, 0] < sides[:, 1]).all()):
            raise SettingError(
                f"window={format_value(self.window)}: each low must be below its high"
            )
        return sides
