"""The table of executors: a new one needs one line here."""

from collections.abc import Mapping

from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value

EXECUTORS: Mapping[str, str] = {
    "serial": "gdlab.sweeps.executors.serial.Serial",
    "processes": "gdlab.sweeps.executors.processes.Processes",
    "ray": "gdlab.sweeps.executors.ray.Ray",
}
"""Executors by name: the class, imported when it is first needed."""

DEFAULT = "serial"
"""The executor that works everywhere and with everything."""

SETTING = "hydra.launcher.executor"
"""The setting that names an executor."""


def check_executor(setting: str, given: object) -> str:
    """Return the name of an executor if there is one of that name.

    Args:
        setting: what gave the name, for the error.
        given: the name.

    Raises:
        SettingError: there is no such executor.
    """
    if not isinstance(given, str) or given not in EXECUTORS:
        known = ", ".join(EXECUTORS)
        raise SettingError(f"{setting}={format_value(given)}: must be one of {known}")
    return given
