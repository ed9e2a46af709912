"""Suites: named sets of problems, each a loss with its starts, its budget and its targets.

A suite is a YAML file. Its settings hold for all problems; `problems` has those of each, by name;
`include` adds the problems of other suites:

    budget: 2000                     # evaluations of a run
    targets: [0.1, 1e-3]             # of the way from the start to the minimum
    start_spread: 0.1                # any setting of a run, by its name in conf/config.yaml
    problems:
      rosenbrock: {}                 # the loss is that of the same name
      narrow: {loss: quadratic, loss.condition: 1000.0}
      iris: {loss: logistic, loss.data: iris, minimum: 0.0123, source: where it is from}
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gdlab.config.comments import first_comment
from gdlab.config.loading import settings_from_flat
from gdlab.config.settings import GROUPS, TOP, Settings
from gdlab.config.yaml_text import from_yaml
from gdlab.errors import SettingError
from gdlab.fields.declared import Field, split_key
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import unknown_setting
from gdlab.fields.validation import Range
from gdlab.paths import CONF, user_path
from gdlab.runs.checks import check_run

_TARGETS = (1e-1, 1e-3, 1e-5, 1e-7)
_OWN = ("budget", "targets", "minimum", "source")
_SECTIONS = (*GROUPS, "transform", "noise", "stop", "record", "engine")
_CHOSEN = ("optimizer", "lr", "seed")
"""What a comparison sets itself."""

_BUDGETED = {"stop.evaluations": "budget", "stop.targets": "targets"}
"""What a comparison makes of the settings of a problem."""

_BUDGET = Field(int, Range(ge=2, lt=2**53))


@dataclass(frozen=True)
class Problem:
    """A loss with its starts, budget and targets.

    Attributes:
        name: what tables call it.
        settings: of its runs, by their names in conf/config.yaml.
        source: where its minimum is from, if the loss itself does not know it.
    """

    name: str
    settings: Mapping[str, Any]
    source: str = ""

    def __post_init__(self) -> None:
        missing = next((key for key in _BUDGETED if self.settings.get(key) is None), None)
        if missing is not None:
            raise SettingError(f"problem {self.name}: {missing}: required setting is missing")

    @property
    def budget(self) -> int:
        """The evaluations of a run."""
        return self.settings["stop.evaluations"]

    @property
    def targets(self) -> tuple[float, ...]:
        """The relative accuracies of its targets, decreasing."""
        return tuple(self.settings["stop.targets"])

    def base_settings(self, budget: int | None = None) -> Settings:
        """Return the settings of its runs, with any optimizer; checked.

        Args:
            budget: another budget than its own.

        Raises:
            SettingError: a setting is unknown, of the wrong type or out of range.
        """
        own = {} if budget is None else {"steps": budget, "stop.evaluations": budget}
        try:
            settings = settings_from_flat({**self.settings, **own})
            check_run(settings)
        except SettingError as error:
            raise SettingError(f"problem {self.name}: {error}") from error
        return settings.unchecked(choices=settings.choices | {"loss": self.name})


@dataclass(frozen=True)
class Suite:
    """A named set of problems.

    Attributes:
        name: of the suite.
        about: what it is, in a line.
        problems: in order.
        typed: what the setting `suite` is on the command line; None if only Python has it.

    Raises:
        SettingError: there are no problems, or these do not go together.
    """

    name: str
    about: str
    problems: tuple[Problem, ...]
    typed: str | None = None

    def __post_init__(self) -> None:
        where = f"suite={self.name if self.typed is None else self.typed}"
        names = [problem.name for problem in self.problems]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise SettingError(f"{where}: the problem {twice} is in it twice")
        if not names:
            raise SettingError(f"{where}: has no problems")
        counts = {len(problem.targets) for problem in self.problems}
        if len(counts) > 1:
            must = f"must be as many for each problem, are {min(counts)} to {max(counts)}"
            raise SettingError(f"{where}: targets: {must}")


def load_suite(given: str, folders: Iterable[Path] = ()) -> Suite:
    """Return a suite.

    Args:
        given: a name from conf/suite, or a path that ends in .yaml.
        folders: further folders like conf, which come first.

    Raises:
        SettingError: there is no such suite, or its file is wrong.
    """
    path = _find(given, [*folders, CONF])
    problems = tuple(_read(path, list(folders), (path,)))
    return Suite(path.stem, first_comment(path), problems, given)


def suite_names(folders: Iterable[Path] = ()) -> list[str]:
    """Return the names of all suites."""
    places = [*folders, CONF]
    return sorted({path.stem for place in places for path in (place / "suite").glob("*.yaml")})


def _find(given: str, folders: Sequence[Path], beside: Path = Path()) -> Path:
    """Return the file of a suite: that of a name, or a path from the folder `beside` on."""
    if given.endswith((".yaml", ".yml")):
        path = beside / user_path(given)
        if not path.is_file():
            raise SettingError(f"suite={given}: there is no such file")
        return path
    path = next((p for f in folders if (p := f / "suite" / f"{given}.yaml").is_file()), None)
    if path is None:
        known = ", ".join(suite_names(folders))
        raise SettingError(f"suite={given}: must be one of {known}, or a file that ends in .yaml")
    return path


def _read(path: Path, folders: list[Path], opened: tuple[Path, ...]) -> Iterator[Problem]:
    """Yield the problems of a file, first those that it includes.

    Args:
        path: of the file.
        folders: where further suites lie.
        opened: the files that include one another, down to this one.
    """
    values = _load(path)
    included = values.pop("include", None) or []
    own = values.pop("problems", {})
    for name in included if isinstance(included, list) else [included]:
        if not isinstance(name, str):
            must = "must be a name or a file of a suite, or a list of these"
            raise SettingError(f"suite={path}: include={format_value(included)}: {must}")
        inner = _find(name, [*folders, CONF], path.parent)
        if inner in opened:
            raise SettingError(f"suite={path}: include={name}: it includes itself")
        yield from _read(inner, folders, (*opened, inner))
    if not isinstance(own, dict):
        raise SettingError(
            f"suite={path}: problems={format_value(own)}: must map names to settings"
        )
    for name, settings in own.items():
        where = f"suite={path.name}: problem {name}"
        settings = {} if settings is None else settings
        if not isinstance(settings, dict):
            raise SettingError(f"{where}: {format_value(settings)}: must map settings to values")
        yield _problem(where, str(name), {**values, **settings})


def _load(path: Path) -> dict[str, Any]:
    """Read a file whose content is a mapping.

    Raises:
        SettingError: it is no YAML, or something else.
    """
    try:
        values = from_yaml(path.read_text("utf-8"))
    except ValueError as error:
        raise SettingError(f"suite={path}: is no YAML ({error})") from error
    if not isinstance(values, dict):
        raise SettingError(f"suite={path}: must map settings to values")
    return {str(key): value for key, value in values.items()}


def _problem(where: str, name: str, given: dict[str, Any]) -> Problem:
    """Return a problem from all its settings.

    Raises:
        SettingError: a setting is unknown, or chosen by the comparison.
    """
    known = set(TOP) | set(_OWN)
    for key, value in given.items():
        section = split_key(key)[0]
        if key in _CHOSEN or section == "optimizer":
            raise SettingError(f"{where}: {key}={format_value(value)}: the comparison sets it")
        if key in _BUDGETED:
            way = f"the comparison makes it of {_BUDGETED[key]}"
            raise SettingError(f"{where}: {key}={format_value(value)}: {way}")
        if key not in known and section not in _SECTIONS:
            raise SettingError(f"{where}: {unknown_setting(key, format_value(value), known)}")
    settings = {key: value for key, value in given.items() if key not in _OWN}
    if "budget" not in given:
        raise SettingError(f"{where}: budget, the evaluations of a run, is missing")
    budget = _BUDGET.check(f"{where}: budget", given["budget"])
    targets = given.get("targets")
    if targets is not None and not (isinstance(targets, list) and targets):
        must = "must be a list of decreasing numbers, as [0.1, 1e-3]"
        raise SettingError(f"{where}: targets={format_value(targets)}: {must}")
    settings = {
        "loss": name,
        "steps": budget,
        "stop.grad_tol": 0.0,
        **settings,
        "stop.evaluations": budget,
        "stop.targets": tuple(targets or _TARGETS),
    }
    if given.get("minimum") is not None:
        settings["stop.minimum"] = given["minimum"]
    return Problem(name, settings, str(given.get("source", "")))
