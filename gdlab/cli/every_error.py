"""All wrong settings of a command line at once."""

import io
from collections.abc import Mapping
from contextlib import redirect_stdout

from gdlab.cli import hydra_internals, hydra_plugins
from gdlab.cli.composition import CommandLine
from gdlab.config.every_error import with_others
from gdlab.config.overrides import setting_name
from gdlab.errors import SettingError

_OF_FILES = ("hydra.run.", "hydra.sweep.", "hydra.job.", "hydra.verbose")
_OF_SWEEPS = ("hydra.sweeper.", "hydra.launcher.", "hydra/sweeper", "hydra/launcher")
_HARMLESS = (*_OF_FILES, *_OF_SWEEPS)
"""Settings of Hydra that may be left out to find other errors: nothing is run."""


def every_error(error: SettingError, line: CommandLine, *, is_sweep: bool) -> SettingError:
    """Return one error with all wrong settings of a command line that was refused.

    It is the first error alone where a setting is given twice, or where Hydra is told more than
    where files go and how a sweep is made and run. Only gdlab's launchers and sweepers are asked.

    Args:
        error: the first error.
        line: the command line.
        is_sweep: whether it asks for a sweep.
    """
    words = {setting_name(word.lstrip("~").partition("=")[0]): word for word in line.typed}
    of_hydra = [key for key in words if key.startswith("hydra")]
    if len(words) < len(line.typed) or not all(key.startswith(_HARMLESS) for key in of_hydra):
        return error

    def attempt(given: Mapping[str, str]) -> None:
        _check(CommandLine(list(given.values()), line.name), is_sweep=is_sweep)

    return with_others(error, attempt, words)


def _check(line: CommandLine, *, is_sweep: bool) -> None:
    """Check all that a command line says, without running anything.

    Raises:
        SettingError: a setting is wrong.
    """
    config = line.compose_sweep() if is_sweep else line.compose()
    kinds = ("launcher", "sweeper")
    if is_sweep or hydra_internals.is_sweep(config):
        if all(hydra_plugins.is_gdlab_plugin(config, kind) for kind in kinds):
            with redirect_stdout(io.StringIO()):
                CommandLine([*line.typed, "dry_run=true"], line.name).run_sweep()
        return
    from gdlab.cli.run import check_config

    check_config(config)
