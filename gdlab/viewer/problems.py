"""The problems that runs were made on: one is an exact function, with all runs that minimize it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from gdlab.config.settings import Settings
from gdlab.console import visible
from gdlab.errors import SettingError
from gdlab.plots.colors import text_of
from gdlab.plots.projection import Landscape
from gdlab.recording.run_plots import landscape_of, shorten_title
from gdlab.results.known_loss import settings_with_loss
from gdlab.viewer.reading import ReadRun

MOST_LIVE_DIMENSIONS = 10
"""Of a loss whose runs are computed as one watches."""

_PARTS = ("loss", "transform")


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
        return settings_with_loss({**self.node, "lr": 1.0}, trust=self.trust)

    @cached_property
    def landscape(self) -> Landscape | None:
        """What pictures know of the loss; None where it cannot be made."""
        made = self.made
        return None if isinstance(made, str) else landscape_of(made.objective, self.title)

    @property
    def why(self) -> str:
        """Why there is no landscape; empty where there is one."""
        return self.made if isinstance(self.made, str) else ""

    @property
    def dim(self) -> int:
        """The number of dimensions D; 0 where it is not known."""
        if not isinstance(self.made, str):
            return self.made.objective.dim
        known = self.node.get("loss", {}).get("dim")
        ends = (run.result.get("x") for run in self.runs)
        found = next((len(x) for x in ends if isinstance(x, list)), 0)
        return known if isinstance(known, int) else found

    def changed(self, numbers: Mapping[str, float]) -> "Problem":
        """Return the problem with other numbers in the fields of its loss.

        Raises:
            SettingError: the loss has no such field, or not for this number.
        """
        loss = {**self.node.get("loss", {})}
        own = {name for name, value in loss.items() if is_number(value)}
        for name, value in numbers.items():
            if name not in own:
                words = ", ".join(f"loss.{field}" for field in sorted(own)) or "none"
                raise SettingError(f"loss.{name}: is no number of this loss, which has {words}")
            loss[name] = (
                int(value) if isinstance(loss[name], int) and value == int(value) else value
            )
        other = replace(self, node={**self.node, "loss": loss})
        if isinstance(other.made, str):
            raise SettingError(other.made)
        if other.dim != self.dim:
            raise SettingError("loss.dim: must stay as it is")
        return other

    @property
    def formula(self) -> str | None:
        """The formula of the loss, where it was given by one."""
        formula = self.node.get("loss", {}).get("formula")
        return None if formula is None else visible(str(formula))

    def head(self) -> dict[str, Any]:
        """Return what messages say of the problem."""
        landscape = self.landscape
        names = landscape.names if landscape is not None and self.dim <= 64 else ()
        return {
            "id": self.id,
            "group": self.group,
            "title": self.title,
            "dim": self.dim,
            "names": list(names) or [f"x{i}" for i in range(min(self.dim, 64))],
            "settings": dict(self.settings),
            "runs": len(self.runs),
            "has_landscape": landscape is not None,
            "live": landscape is not None and self.dim <= MOST_LIVE_DIMENSIONS,
            "why": visible(self.why),
        }


def problems_of(runs: Sequence[ReadRun], trust: bool = False) -> list[Problem]:
    """Sort runs by the function that they minimize, those with the most runs first.

    Args:
        runs: all runs.
        trust: whether a class outside gdlab may be made.
    """
    by_function: dict[str, list[ReadRun]] = {}
    for run in runs:
        node = {part: run.config.get(part) for part in _PARTS}
        by_function.setdefault(json.dumps(node, sort_keys=True, default=str), []).append(run)
    members = sorted(by_function.values(), key=len, reverse=True)
    problems = [_problem(k, tuple(group), trust) for k, group in enumerate(members)]
    return _with_groups(problems)


def _problem(number: int, runs: tuple[ReadRun, ...], trust: bool) -> Problem:
    node = {part: runs[0].config.get(part) or {} for part in _PARTS}
    return Problem(f"p{number}", "", node, _name_of(runs[0]), runs, trust=trust)


def _name_of(run: ReadRun) -> str:
    """Return the formula of a run's loss, or its name."""
    formula = run.config.get("loss", {}).get("formula")
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


def is_number(value: Any) -> bool:
    """Tell whether a value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def numbers_of(problem: Problem) -> dict[str, float]:
    """Return the numbers among the settings of a problem, by dotted names."""
    settings = problem.runs[0].settings.items()
    return {
        key: value for key, value in settings if key.split(".")[0] in _PARTS and is_number(value)
    }


def _kind_of(problem: Problem, numbers: Mapping[str, float]) -> str:
    settings = problem.runs[0].settings.items()
    rest = {k: v for k, v in settings if k.split(".")[0] in _PARTS and k not in numbers}
    target = problem.node.get("loss", {}).get("_target_")
    return json.dumps([target, sorted(numbers), rest], sort_keys=True, default=str)
