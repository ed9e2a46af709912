"""What the commands have in common: arguments in, one clear line for what cannot be, exit code out.

Imports no torch.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from gdlab.cli import startup
from gdlab.errors import GdlabError, SettingError

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def run_command(run: Callable[[list[str]], int], arguments: Sequence[str] | None) -> NoReturn:
    """Call a command with its arguments and exit with the code that it returns.

    What cannot be is told in one line; with `--debug` the exception is raised as it is.

    Args:
        run: does what the arguments ask for.
        arguments: those of the command line unless given.
    """
    if arguments is None:
        startup.pause_garbage_collection()
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given or os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        code = run([argument for argument in given if argument != "--debug"])
    except BrokenPipeError:
        if debug:
            raise
        # Who reads wants no more, as `head` does; what Python writes at its end would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILED
    except (GdlabError, OSError) as error:
        if debug:
            raise
        code = _refuse(error)
    except KeyboardInterrupt:
        if debug:
            raise
        code = EXIT_INTERRUPTED
    sys.exit(code)


def make_parser(command: str) -> argparse.ArgumentParser:
    """Hydra's own parser, flags and overrides in any order; it raises instead of exiting.

    Args:
        command: how the command is called, for errors.
    """
    from hydra._internal.utils import get_args_parser

    def refuse(message: str) -> NoReturn:
        raise SettingError(f"{message}; see {command} --help")

    made = get_args_parser()
    made.error = refuse
    return made


def parse_arguments(made: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments as a parser takes them, without what gdlab's commands do not have.

    Raises:
        SettingError: an argument is none of the parser's.
    """
    found = made.parse_intermixed_args(arguments)
    for flag in ("config_path", "experimental_rerun"):
        if getattr(found, flag) is not None:
            name = flag.replace("_", "-")
            raise SettingError(f"--{name} is not supported; --config-dir adds a folder to conf")
    return found


def asks_hydra(found: argparse.Namespace) -> bool:
    """Whether the arguments ask for what Hydra answers by itself."""
    flags = (found.help, found.hydra_help, found.cfg, found.info, found.shell_completion)
    return any(flags)


def add_working_directory() -> None:
    """Let classes of a person's own be found in the working directory."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def _refuse(error: GdlabError | OSError) -> int:
    """Say what is wrong in one line."""
    is_setting = isinstance(error, GdlabError)
    text = str(error) if is_setting else f"{error.filename or '?'}: {error.strerror or error}"
    sys.stderr.write(f"error: {' '.join(text.split())}\n")
    return EXIT_USAGE if is_setting else EXIT_FAILED
