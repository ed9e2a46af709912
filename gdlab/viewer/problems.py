"""The problems that runs were made on: one is an exact function, with all runs that minimize it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from gdlab import losses
from gdlab.config.settings import Settings
from gdlab.console import visible
from gdlab.errors import CUSTOM_ERRORS, SettingError, first_line
from gdlab.fields.declared import declared_fields
from gdlab.plots.colors import text_of
from gdlab.plots.projection import Landscape
from gdlab.recording.run_plots import landscape_of, shorten_title
from gdlab.results.known_loss import settings_with_loss
from gdlab.viewer.reading import ReadRun
from gdlab.viewer.values import is_number

MOST_LIVE_DIMENSIONS = 10
"""Of a loss whose runs are computed as one watches."""

Values: TypeAlias = Callable[[np.ndarray], np.ndarray]

CLASS = "_target_"
_OWN = "gdlab.losses."
_PARTS = ("loss", "transform")
_VALUES = 4_000_000  # of points times examples that are computed at once: 32 MB
_PRODUCTS = 300_000_000  # of points, examples and dimensions in a grid
_LEAST_SIDE = 16
_MOST_NAMED = 64  # coordinates
_MOST_DIM = 2**31


@dataclass(frozen=True)
class Problem:
    """One function, and the runs on it.

    Attributes:
        id: its name in messages.
        group: the name that it shares with problems that differ only in `settings`.
        node: what the configuration says of the loss and its transform.
        title: what it is called.
        runs: the runs on it.
        settings: the settings in which problems of its group differ, by dotted names.
        trust: whether a class outside gdlab may be made.
        known: settings with the loss, where they are at hand.
    """

    id: str
    group: str
    node: Mapping[str, Any]
    title: str
    runs: tuple[ReadRun, ...]
    settings: Mapping[str, float] = field(default_factory=dict)
    trust: bool = False
    known: Settings | None = None

    @cached_property
    def made(self) -> Settings | str:
        """Settings with the loss; a text says why it cannot be made."""
        if self.known is not None:
            return self.known
        made = settings_with_loss({**self.node, "lr": 1.0}, trust=self.trust)
        try:
            is_made = isinstance(made, str) or made.objective.dim > 0
            return made if is_made else "its loss has no dimensions"
        except CUSTOM_ERRORS as error:  # a transform that does not fit, or a person's own class
            return f"its loss cannot be made again ({first_line(error)})"

    @cached_property
    def landscape(self) -> Landscape | None:
        """What pictures know of the loss; None where it cannot be made."""
        made = self.made
        if isinstance(made, str):
            return None
        known = landscape_of(made.objective, self.title)
        rows = max(1, _VALUES // (made.objective.examples or 1))
        return replace(known, value=_in_blocks(known.value, rows))

    @property
    def most_side(self) -> int:
        """The side of a grid of losses that takes no longer than some seconds."""
        if isinstance(self.made, str):
            return 0
        examples = self.made.objective.examples or 1
        return max(_LEAST_SIDE, math.isqrt(_PRODUCTS // (examples * self.dim)))

    @property
    def why(self) -> str:
        """Why there is no landscape; empty where there is one."""
        return self.made if isinstance(self.made, str) else ""

    @property
    def dim(self) -> int:
        """The number of dimensions D; 0 where it is not known."""
        if not isinstance(self.made, str):
            return self.made.objective.dim
        known = self.node["loss"].get("dim")
        ends = (run.result.get("x") for run in self.runs)
        found = next((len(x) for x in ends if isinstance(x, list)), 0)
        return known if isinstance(known, int) and 0 < known <= _MOST_DIM else found

    def changed(self, numbers: Mapping[str, float]) -> "Problem":
        """Return the problem with other numbers in the fields of its loss.

        Raises:
            SettingError: the loss has no such field, or not for this number.
        """
        loss = {**self.node["loss"]}
        own = {name for name, value in loss.items() if is_number(value)}
        for name, value in numbers.items():
            if name not in own:
                words = ", ".join(f"loss.{field}" for field in sorted(own)) or "none"
                raise SettingError(f"loss.{name}: is no number of this loss, which has {words}")
            loss[name] = (
                int(value) if isinstance(loss[name], int) and value == int(value) else value
            )
        other = replace(self, node={**self.node, "loss": loss}, known=None)
        if isinstance(other.made, str):
            raise SettingError(other.made)
        if other.dim != self.dim:
            raise SettingError("loss.dim: must stay as it is")
        return other

    @property
    def formula(self) -> str | None:
        """The formula of the loss, where it was given by one."""
        formula = self.node["loss"].get("formula")
        return None if formula is None else visible(str(formula))

    @property
    def names(self) -> Sequence[str]:
        """The names of the coordinates, of the first 64 where there are more."""
        made = self.made
        if isinstance(made, str):  # the coordinates of a loss that was watched have names, too
            made = settings_with_loss({**self.node, "lr": 1.0}, watched=True)
        if isinstance(made, str) or self.dim > _MOST_NAMED:
            return [f"x{i}" for i in range(min(self.dim, _MOST_NAMED))]
        return [visible(name) for name in made.objective.names]

    def head(self) -> dict[str, Any]:
        """Return what messages say of the problem."""
        landscape = self.landscape
        return {
            "id": self.id,
            "group": self.group,
            "title": self.title,
            "dim": self.dim,
            "names": list(self.names),
            "settings": dict(self.settings),
            "runs": len(self.runs),
            "has_landscape": landscape is not None,
            "live": landscape is not None and self.dim <= MOST_LIVE_DIMENSIONS,
            "why": visible(self.why),
        }


def _in_blocks(value: Values, rows: int) -> Values:
    """Return a function of points that computes at most so many at once."""

    def in_blocks(points: np.ndarray) -> np.ndarray:
        flat = points.reshape(-1, points.shape[-1])
        blocks = [value(flat[k : k + rows]) for k in range(0, len(flat), rows)]
        return np.concatenate([np.empty(0), *blocks]).reshape(points.shape[:-1])

    return in_blocks


def problems_of(runs: Sequence[ReadRun], trust: bool = False) -> list[Problem]:
    """Sort runs by the function that they minimize, those with the most runs first.

    Args:
        runs: all runs.
        trust: whether a class outside gdlab may be made.
    """
    by_function: dict[Any, list[ReadRun]] = {}
    for run in runs:
        loss, transform = (part_of(run, part) for part in _PARTS)
        function = (_canonical(_defining(loss)), _canonical(transform))
        by_function.setdefault(function, []).append(run)
    members = sorted(by_function.values(), key=len, reverse=True)
    problems = [_problem(k, tuple(group), trust) for k, group in enumerate(members)]
    return _with_groups(problems)


def part_of(run: ReadRun, name: str) -> Mapping[str, Any]:
    """Return what the configuration of a run says of its loss or of its transform."""
    part = run.config.get(name)
    return part if isinstance(part, dict) else {}


def _defining(loss: Mapping[str, Any]) -> dict[str, Any]:
    """Return the class of a loss, and those of its fields that change the function.

    A minibatch, for one, does not. Nothing is imported: what gdlab has no class for is kept.
    """
    name = class_of(loss)
    cls = getattr(losses, name, None) if name in losses.__all__ else None
    known = declared_fields(cls) if isinstance(cls, type) else {}
    kept = {key: value for key, value in loss.items() if key not in known or known[key].problem}
    return {**kept, CLASS: name}


def class_of(loss: Mapping[str, Any]) -> str:
    """Return the class that a loss names; of gdlab's own, without the module."""
    target = str(loss.get(CLASS))
    return target.rpartition(".")[2] if target.startswith(_OWN) else target


def _canonical(value: Any) -> Any:
    """Return what can be a key, and is equal for equal settings: 10 is 10.0."""
    if isinstance(value, dict):
        return tuple(sorted((str(key), repr(_canonical(item))) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(map(_canonical, value))
    return float(value) if is_number(value) else repr(value)


def _problem(number: int, runs: tuple[ReadRun, ...], trust: bool) -> Problem:
    node = {part: part_of(runs[0], part) for part in _PARTS}
    return Problem(f"p{number}", "", node, _name_of(runs[0]), runs, trust=trust)


def _name_of(run: ReadRun) -> str:
    """Return the formula of a run's loss, or its name."""
    formula = part_of(run, "loss").get("formula")
    return visible(shorten_title(str(formula or run.settings.get("loss") or "unknown loss")))


def _with_groups(problems: Sequence[Problem]) -> list[Problem]:
    """Give problems of one class, all texts of which agree, a group and the numbers that differ."""
    numbers = [numbers_of(problem) for problem in problems]
    kinds = [_kind_of(problem, own) for problem, own in zip(problems, numbers, strict=True)]
    names = {kind: f"g{k}" for k, kind in enumerate(dict.fromkeys(kinds))}
    grouped = []
    for problem, own, kind in zip(problems, numbers, kinds, strict=True):
        of_group = [n for n, other in zip(numbers, kinds, strict=True) if other == kind]
        differing = {k: v for k, v in own.items() if any(other[k] != v for other in of_group)}
        words = ", ".join(
            f"{k.rpartition('.')[2]}={text_of(float(v))}" for k, v in differing.items()
        )
        title = f"{problem.title}, {words}" if words else problem.title
        grouped.append(replace(problem, group=names[kind], settings=differing, title=title))
    return grouped


def numbers_of(problem: Problem) -> dict[str, float]:
    """Return the numbers among the settings of a problem, by dotted names."""
    settings = problem.runs[0].settings.items()
    return {
        key: value for key, value in settings if key.split(".")[0] in _PARTS and is_number(value)
    }


def _kind_of(problem: Problem, numbers: Mapping[str, float]) -> Any:
    """Return what problems of a group share: the class, and all that is no number."""
    settings = problem.runs[0].settings.items()
    rest = {k: v for k, v in settings if k.split(".")[0] in _PARTS and k not in numbers}
    rest.pop("loss", None)  # the name of its choice, which says no more than its class
    return class_of(problem.node["loss"]), tuple(sorted(numbers)), _canonical(rest)
