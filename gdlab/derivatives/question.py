"""The settings of a report on derivatives, as in `conf/derivatives.yaml`.

Shapes: D dimensions.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gdlab.config.figure_formats import formats_of
from gdlab.derivatives.arguments import as_direction
from gdlab.derivatives.findings.critical_points import TOL
from gdlab.derivatives.findings.higher_orders import HIGHEST
from gdlab.derivatives.methods.formulas import Formulas
from gdlab.derivatives.point import LARGEST
from gdlab.errors import SettingError
from gdlab.fields.by_name import in_order
from gdlab.fields.declared import Configured, setting
from gdlab.fields.formatting import format_value
from gdlab.formulas.constants import with_numbers
from gdlab.losses.base import Loss
from gdlab.losses.transform import Transform
from gdlab.plots.style import FORMATS

_SETTINGS_OF_A_POINT = ("direction", "step", "find", "check")


class Question(Configured):
    """The settings of a report. The fields are those of `conf/derivatives.yaml`.

    What has a value for each coordinate may be given by their names, as `{x: 1, y: 2}`; it becomes
    a tuple in their order.

    Attributes:
        loss: the loss.
        at: the point, of numbers or formulas of constants such as pi/2; None for the loss's start.
            With `inner` or `formulas`, a point in their
            variables.
        direction: the direction of the directional derivative; None for none.
        step: the step of the total differential; None for none.
        order: the highest order of partial derivatives.
        tol: the largest gradient norm of a critical point.
        find: whether to search the window for critical points.
        window: where to search, a pair for each dimension or one for all; None for the loss's
            window.
        high_dimensional: whether to use only Hessian-vector products; None to use only these above
            200 dimensions.
        path: a curve, a formula in t for each coordinate; None for none.
        t: the parameter on the curve.
        inner: the loss's variables as formulas in other variables; None for none.
        formulas: a vector-valued function instead of the loss; None for none.
        example: the index of the example whose pass through a network is shown.
        check: whether to test the gradient.
        seed: the seed of random numbers.
        draw: whether to write files: the report and its pictures.
        figures: the formats of the pictures, png, svg and pdf: one, several with commas between, or
            a list; True for png and svg, False for no pictures.
        transform: the transformation of the loss's landscape.
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
    figures: bool | str | tuple[str, ...] = True
    transform: Transform = dataclasses.field(default_factory=Transform)
    choices: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", with_numbers(self.at))
        for name in ("direction", "step", "path", "inner", "at"):
            given: Any = getattr(self, name)
            if isinstance(given, Mapping):
                names = self._names_of_point() if name == "at" else self.loss.names
                object.__setattr__(self, name, in_order(given, names, name, self.loss.constants))
        super().__post_init__()
        _ = self.formats  # refuses other names
        self._require_one_kind_of_question()

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of the pictures."""
        return formats_of(self.figures, FORMATS[:2])

    def _names_of_point(self) -> Sequence[str]:
        """Return the names of the variables of `at`."""
        for name in ("formulas", "inner"):
            texts = getattr(self, name)
            if texts is not None:
                return Formulas.read(texts, name).names
        return self.loss.names

    def _require_one_kind_of_question(self) -> None:
        """Check that only one of a curve, a composition and formulas is given.

        Raises:
            SettingError: two of them are given, or one with a setting for a loss at a point.
        """
        kinds = [name for name in ("path", "inner", "formulas") if getattr(self, name) is not None]
        if not kinds:
            return
        others = [*kinds[1:], *_SETTINGS_OF_A_POINT, *(["at"] if self.path is not None else [])]
        others = [name for name in others if getattr(self, name) not in (None, False)]
        if others:
            given = format_value(getattr(self, others[0]))
            problem = f"{others[0]}={given}: cannot be combined with {kinds[0]}"
            raise SettingError(f"{problem}; give one of them")

    @property
    def name(self) -> str:
        """The name of the loss as chosen, else of its class; `formulas` for formulas."""
        if self.formulas is not None:
            return "formulas"
        chosen = self.choices.get("loss", "custom")
        return self.loss.shown_name if chosen == "custom" else chosen

    @property
    def title(self) -> str:
        """The formula of the loss if a user typed it, else its name."""
        return self.loss.title or self.name

    @property
    def label(self) -> str:
        """The name for use in file names, where a slash would mean a folder."""
        return self.name.replace("/", ".")

    @cached_property
    def objective(self) -> Loss:
        """The loss after the transformation."""
        return self.transform.of(self.loss)

    @property
    def is_high_dimensional(self) -> bool:
        """Whether to use only Hessian-vector products."""
        return (
            self.objective.dim > LARGEST if self.high_dimensional is None else self.high_dimensional
        )

    @property
    def point(self) -> Tensor:
        """The given point, or the loss's start, as float64."""
        if self.at is not None:
            return torch.tensor(self.at, dtype=torch.float64)
        return self.objective.starts(torch.tensor([self.seed])).reshape(-1)

    def required_point(self, setting: str) -> tuple[float, ...]:
        """Return the point in the variables of formulas.

        Args:
            setting: the setting that holds the formulas.

        Raises:
            SettingError: `at` is missing.
        """
        if self.at is None:
            raise SettingError(f"at=null: {setting} needs a point in its variables")
        return self.at

    def unit_direction(self) -> Tensor | None:
        """Return the given direction as a unit vector (D,).

        Raises:
            SettingError: it is zero, or does not have D numbers.
        """
        if self.direction is None:
            return None
        return as_direction(self.direction, self.objective.names, "direction")

    def window_tensor(self) -> Tensor | None:
        """Return the given window as a tensor (D, 2).

        Raises:
            SettingError: it has neither D pairs nor one, or a low end that is not below its high.
        """
        if self.window is None:
            return None
        window = torch.tensor(self.window, dtype=torch.float64)
        dim = self.objective.dim
        window = window.expand(dim, 2) if len(window) == 1 else window
        if len(window) != dim:
            allowed = f"must be {dim} pairs, low and high, or one for all"
            raise SettingError(f"window={format_value(self.window)}: {allowed}")
        if not bool((window[:, 0] < window[:, 1]).all()):
            raise SettingError(
                f"window={format_value(self.window)}: each low must be below its high"
            )
        return window
