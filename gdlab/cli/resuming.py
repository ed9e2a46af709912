"""A sweep on the command line that continues, in the directory of one that was interrupted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from gdlab.cli.axes import cross_overrides
from gdlab.cli.sweep import errors_naming_sweep, finish_sweep, print_sweep
from gdlab.config.loading import unwanted_statuses
from gdlab.config.overrides import FAIL_ON, names_class, setting_name
from gdlab.config.settings import GROUPS
from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.recording.lock import locked
from gdlab.sweeps import plan_file
from gdlab.sweeps.executors.choice import with_executor
from gdlab.sweeps.executors.table import SETTING as EXECUTOR_SETTING
from gdlab.sweeps.grid import Axis
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.plan_file import class_name

_LONGEST_SHOWN = 200
# Settings of a command that are not settings of its runs, with their values in any saved plan.
_NOT_IN_PLAN = {"dry_run": False, "check_gradient": False, "experiment": None}
_RETRY = "retry_failed"
_OF_THE_COMMAND = (EXECUTOR_SETTING, _RETRY, FAIL_ON)
"""What a command that resumes may set as it likes."""


def resume_sweep(directory: Path, overrides: Sequence[str]) -> int:
    """Finish the sweep of a directory and return the exit code.

    Args:
        directory: the sweep's.
        overrides: the command's other overrides: classes to trust, the executor, whether to retry
            failed runs, which endings are failures, and settings, which must equal those of the
            plan.

    Raises:
        SettingError: there is no plan, the overrides differ from it, or another process is writing
            into the directory.
        ChildProcessError: a process that ran a shard died.
    """
    parts = [override.partition("=") for override in overrides]
    pairs = [(setting_name(key), value) for key, _, value in parts]
    of_class = tuple(f".{name}" for name in plan_file.CLASS_NAMES)
    words = {(key, word) for key, value in pairs for word in value.split(",")}
    trusted = {
        word
        for key, word in words
        if key.endswith(of_class) or (key in GROUPS and names_class(word))
    }
    plan = plan_file.load(directory, trusted)
    classes = {class_name(vars(g.settings)[node]) for g in plan.groups for node in GROUPS}
    own: dict[str, str] = {}
    for override, (key, value) in zip(overrides, pairs, strict=True):
        if key in _OF_THE_COMMAND:
            own[key] = value
        elif not (key.endswith("._target_") and classes.issuperset(value.split(","))):
            _check_same(plan, directory, override, key, value)
    retries = own.get(_RETRY, "false").lower()
    if retries not in ("true", "false"):
        raise SettingError(f"{_RETRY}={own[_RETRY]}: must be true or false")
    unwanted = unwanted_statuses(_words(own.get(FAIL_ON, "null")))
    with locked(directory, "resume"), errors_naming_sweep(directory):
        plan = with_executor(plan, own.get(EXECUTOR_SETTING, plan.executor))
        results, code = finish_sweep(plan, directory, unwanted, retry_failed=retries == "true")
        print_sweep(results, directory)
        return code


def _words(text: str) -> list[str]:
    """Return the words in a list as typed, such as [a,b]; none for null."""
    inside = text.strip("[]")
    return [] if inside in ("", "null") else list(map(str.strip, inside.split(",")))


def _check_same(plan: Plan, directory: Path, override: str, key: str, value: str) -> None:
    """Refuse an override of a setting that has another value in the plan of a directory."""
    difference = _describe_difference(plan, key, value)
    if difference is not None:
        raise SettingError(
            f"{override}: the sweep in {directory} {difference}; resume keeps its settings"
        )


def _describe_difference(plan: Plan, key: str, value: str) -> str | None:
    """Say what a plan has instead of a setting's value; None if it has that value."""
    recorded = {axis.name: axis for axis in plan.grid.axes}
    if key not in recorded:
        # A setting that the command left out has one value, or one for each group.
        flat = [group.settings.flat() | _NOT_IN_PLAN for group in plan.groups]
        if not all(key in settings for settings in flat):
            return f"had no {key}"
        values = list({format_value(settings[key]): settings[key] for settings in flat}.values())
        recorded[key] = Axis(key, values, list(map(format_value, values)))
    is_same = _means(f"{key}={value}", recorded[key])
    return None if is_same else f"had {key}={_list_values(recorded[key])}"


def _means(override: str, axis: Axis) -> bool:
    """Tell whether an override means the values of an axis."""
    try:
        (typed,) = cross_overrides(
            OverridesParser.create().parse_overrides([override]), len(axis)
        ).axes
    except (HydraException, SettingError):
        return False
    same_values = _to_comparable(typed.values) == _to_comparable(axis.values)
    return same_values or list(typed.texts) == list(axis.texts)


def _to_comparable(values: Sequence[Any]) -> list[Any]:
    """Convert values so that == compares them: true is not 1, and a list equals a tuple."""

    def convert(value: Any) -> Any:
        is_list = isinstance(value, (list, tuple))
        return tuple(_to_comparable(value)) if is_list else (type(value) is bool, value)

    return list(map(convert, values))


def _list_values(axis: Axis) -> str:
    text = ",".join(axis.texts)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
