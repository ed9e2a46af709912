"""Questions that Hydra answers by itself: help, the configuration, completion."""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence

import hydra
from omegaconf import DictConfig, OmegaConf

from gdlab.cli import completion, hydra_internals, hydra_plugins
from gdlab.cli.composition import CommandLine, hydra_ready
from gdlab.errors import GdlabError, SettingError, describe_error
from gdlab.paths import CONF


def answer_by_hydra(parsed: Namespace, arguments: Sequence[str], name: str) -> int:
    """Let Hydra answer a question about itself and return the exit code.

    Args:
        parsed: the arguments, parsed.
        arguments: as they were typed.
        name: of the configuration.

    Raises:
        SettingError: the overrides do not fit, or there is no answer.
    """
    asked = parsed.overrides[0] if parsed.shell_completion and parsed.overrides else ""
    if asked in (*completion.SCRIPTS, *completion.QUERIES):
        print(completion.SCRIPTS.get(asked) or _complete_line(name))
        return 0
    line = CommandLine(parsed.overrides, parsed.config_name or name)
    overrides = line.overrides
    with hydra_ready(parsed.config_dir):
        if parsed.hydra_help:  # composes without gdlab's configuration
            overrides = [word for word in overrides if word.lstrip("+~").startswith("hydra")]
        elif not parsed.shell_completion:
            _check(line, parsed)
    flags = [word for word in arguments if word not in (*parsed.overrides, "--json")]
    hydra_plugins.register()
    sys.argv[1:] = [*flags, *overrides]
    defaults = hydra_internals.defaults_of_hydra()

    @hydra.main(config_path=str(CONF), config_name=name, **defaults)
    def do_nothing(config: DictConfig) -> None:
        """Do nothing: Hydra answers without calling this."""

    with hydra_internals.errors_raised():
        try:
            do_nothing()
        except GdlabError:
            raise
        except Exception as error:  # Hydra raises its own, OmegaConf's and Python's
            raise SettingError(f"Hydra cannot answer this ({describe_error(error)})") from error
    return 0


def _complete_line(name: str) -> str:
    """Return how the line that the shell has put into variables may go on, one way in a line.

    Raises:
        SettingError: there is no such variable.
    """
    line = os.environ.get("COMP_LINE")
    if line is None:
        raise SettingError("--shell-completion: needs the line in the variable COMP_LINE")
    cursor = os.environ.get("COMP_POINT", "")
    return "\n".join(completion.complete(line[: int(cursor)] if cursor else line, name))


def _check(line: CommandLine, parsed: Namespace) -> None:
    """Check that there is a configuration to show.

    Raises:
        SettingError: the overrides do not fit, or the configuration lacks the package.
    """
    if parsed.cfg and line.several_values:
        why = "has several values, and --cfg shows the configuration of one run"
        raise SettingError(f"{line.several_values[0]}: {why}")
    config = line.compose()
    package = parsed.package
    if parsed.cfg == "job":
        config = hydra_internals.without_hydra(config)
    is_there = package in (None, "_global_") or OmegaConf.select(config, package) is not None
    if not is_there:
        raise SettingError(f"--package={package}: the configuration has no such part")
