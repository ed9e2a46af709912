"""What the commands share: parse arguments, report an error in one line, return an exit code.

Imports no torch.
"""

import argparse
import errno
import os
import re
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from typing import NoReturn

from gdlab.cli import output, startup
from gdlab.cli.slips import refuse_slips
from gdlab.errors import (
    GdlabError,
    SettingError,
    describe_gpu_memory,
    is_device_lost,
    is_out_of_memory,
    summarize_error,
)
from gdlab.fields.suggestions import usual_name
from gdlab.version import __version__

EXIT_FAILED, EXIT_USAGE, EXIT_UNWANTED, EXIT_INTERRUPTED = 1, 2, 3, 130
_ONE_OF = ("run", "multirun", "cfg", "info", "shell_completion")


_WITH_VALUE = re.compile(r"argument (\S+): ignored explicit argument")
"""What argparse says of a value for a flag that takes none."""


def run_command(run: Callable[[list[str]], int], arguments: Sequence[str] | None) -> NoReturn:
    """Call a command with its arguments and exit with the code that it returns.

    Errors are reported in one line; with `--debug` the exception is raised as it is.

    Args:
        run: does what the arguments ask for.
        arguments: None for those of the command line.
    """
    if arguments is None:
        startup.pause_garbage_collection()
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or os.environ.get("HYDRA_FULL_ERROR") == "1"
    output.prepare_output()
    try:
        with nullcontext() if debug else output.short_warnings():
            require_working_directory()
            code = run([word for word in words if word != "--debug"])
    except BrokenPipeError:
        if debug:
            raise
        # The reader has closed the pipe, as `head` does; flushing stdout at exit would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILED
    except (GdlabError, OSError) as error:
        if debug:
            raise
        code = _report_error(error)
    except (MemoryError, RuntimeError, ImportError) as error:
        told = as_system_error(error)
        if debug or told is None:
            raise
        code = _report_error(told)
    except KeyboardInterrupt:
        if debug:
            raise
        code = EXIT_INTERRUPTED
    sys.exit(code)


def exit_code(statuses: Collection[str], unwanted: Collection[str]) -> int:
    """Return the exit code of runs that ended by themselves.

    Args:
        statuses: in which they ended.
        unwanted: those that `fail_on` names.

    Returns:
        1 if a run failed, else 3 if one ended as it must not, else 0.
    """
    if "failed" in statuses:
        return EXIT_FAILED
    return 0 if set(unwanted).isdisjoint(statuses) else EXIT_UNWANTED


def make_parser(command: str) -> argparse.ArgumentParser:
    """Make Hydra's own parser, with flags and overrides in any order; it raises, never exits.

    Args:
        command: what a person types to call the command, for errors.
    """
    from gdlab.cli.hydra_internals import make_argument_parser

    def refuse(message: str) -> NoReturn:
        head, found, words = message.partition("unrecognized arguments: ")
        message = head + found + " ".join(word for word in words.split() if word[0] == "-")
        dashed = re.search(r"arguments: --?([a-z][\w.-]*)", message)
        name = dashed[1].replace("-", "_") if dashed else ""
        hint = f"; settings have no dashes: {usual_name(name)}=…" if dashed else ""
        message = _WITH_VALUE.sub(r"\1: takes no value, not", message)
        raise SettingError(f"{message}{hint}; see {command} --help")

    # Of two options with one name the later one counts: Hydra's own --version prints that of Hydra.
    parser = argparse.ArgumentParser(
        parents=[make_argument_parser()],
        conflict_handler="resolve",
        add_help=False,
        allow_abbrev=False,
    )
    parser.error = refuse
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--version", action="version", version=f"gdlab {__version__}")
    return parser


def parse_arguments(
    parser: argparse.ArgumentParser, arguments: Sequence[str]
) -> argparse.Namespace:
    """Parse the arguments, and refuse the flags of Hydra that gdlab does not support.

    Raises:
        SettingError: an argument is unknown or not supported.
    """
    parsed = parser.parse_intermixed_args(arguments)
    for flag in ("config_path", "experimental_rerun"):
        if getattr(parsed, flag, None) is not None:
            name = flag.replace("_", "-")
            raise SettingError(f"--{name} is not supported; --config-dir adds a folder to conf")
    _check_flags(parsed)
    refuse_slips(parsed.overrides)
    return parsed


def _check_flags(parsed: argparse.Namespace) -> None:
    """Refuse flags that exclude each other, and those that do nothing without another."""
    given = [flag for flag in _ONE_OF if getattr(parsed, flag) not in (None, False)]
    names = [f"--{flag.replace('_', '-')}" for flag in given]
    if len(given) > 1:
        raise SettingError(f"{', '.join(names)}: only one of these can be asked for")
    if parsed.resolve and not parsed.cfg:
        raise SettingError("--resolve: needs --cfg")
    if parsed.package is not None and not parsed.cfg:
        raise SettingError(f"--package={parsed.package}: needs --cfg")


def asks_hydra(parsed: argparse.Namespace) -> bool:
    """Tell whether the arguments ask for something that Hydra answers by itself."""
    flags = (parsed.hydra_help, parsed.cfg, parsed.info, parsed.shell_completion)
    return any(flags)


def require_working_directory() -> None:
    """Refuse to start in a directory that was deleted, before anything asks for its name.

    Raises:
        GdlabError: there is no working directory.
    """
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise GdlabError("the working directory was deleted; cd to another one") from error


def as_system_error(
    error: BaseException, further: str = "", path: str | None = None
) -> OSError | None:
    """Return an error of the system, reported in one line, for one of torch or Python.

    Args:
        error: says that memory is exhausted or that CUDA failed; None for any other.
        further: what else to say.
        path: the directory that was written.
    """
    if is_device_lost(error):
        advice = "with CUDA_LAUNCH_BLOCKING=1 and --debug it says where"
        return OSError(errno.EIO, f"{summarize_error(error)}; {advice}{further}", path)
    if not is_out_of_memory(error):
        return None
    advice = "smaller batches (engine.max_rows) and fewer records (record.every) need less"
    text = describe_gpu_memory(error) or f"out of memory ({summarize_error(error)}); {advice}"
    return OSError(errno.ENOMEM, f"{text}{further}", path)


def add_working_directory() -> None:
    """Put the working directory on Python's path, so that custom classes there are found."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def _report_error(error: GdlabError | OSError) -> int:
    """Print an error, each message in one line, and return the exit code."""
    from gdlab.console import visible  # not needed where there is no error

    if isinstance(error, GdlabError):
        texts, code = error.lines, EXIT_USAGE
    else:
        text = error.strerror or str(error)
        texts = [text if error.filename is None else f"{error.filename}: {text}"]
        code = EXIT_FAILED
    for text in texts:
        sys.stderr.write(f"error: {visible(' '.join(text.split()))}\n")
    return code
