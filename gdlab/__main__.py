"""The command line: settings in, summary out."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from gdlab import startup
from gdlab.errors import SettingError

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run gdlab and exit; the arguments are those of the command line unless given."""
    if arguments is None:
        startup.begin()
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given or os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        code = run([argument for argument in given if argument != "--debug"])
    except (SettingError, OSError) as error:
        if debug:
            raise
        code = _refuse(error)
    except KeyboardInterrupt:
        if debug:
            raise
        code = EXIT_INTERRUPTED
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Do what the arguments ask for and return the exit code.

    Raises:
        SettingError: a setting cannot be used.
        OSError: a file cannot be written.
    """
    from gdlab import composition, words

    parsed = _parsed(arguments)
    if parsed.catalogues:
        from gdlab import catalogue

        for group in parsed.catalogues:
            catalogue.show(group)
        return 0
    asks_hydra = (parsed.help, parsed.hydra_help, parsed.cfg, parsed.info, parsed.shell_completion)
    if any(asks_hydra):
        if parsed.cfg:
            with composition.hydra_ready(parsed.config_dir):
                composition.composed(parsed.overrides, parsed.config_name)
        flags = [argument for argument in arguments if argument not in parsed.overrides]
        composition.hand_to_hydra([*flags, *words.opened(parsed.overrides)])
        return 0
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    to_resume = [word for word in parsed.overrides if word.startswith("resume=")]
    if to_resume and to_resume[-1] != "resume=null":
        from gdlab.sweep_job import resumed

        directory = Path(to_resume[-1].partition("=")[2].strip("'\""))
        others = [word for word in parsed.overrides if word not in to_resume]
        return resumed(directory, words.opened(others))
    with composition.hydra_ready(parsed.config_dir):
        if parsed.multirun:
            return composition.multirun(parsed.overrides, parsed.config_name)
        config = composition.composed(parsed.overrides, parsed.config_name)
        if config.hydra.mode is not None and config.hydra.mode.name == "MULTIRUN":
            return composition.multirun(parsed.overrides, parsed.config_name)

        from gdlab.application import run_one

        return run_one(config, parsed.overrides)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments as Hydra's own parser takes them, flags and overrides in any order."""
    from hydra._internal.utils import get_args_parser

    def refuse(message: str) -> NoReturn:
        raise SettingError(f"{message}; see python -m gdlab --help")

    parser = get_args_parser()
    parser.error = refuse
    for flag, group in (("--losses", "loss"), ("--optimizers", "optimizer")):
        parser.add_argument(flag, action="append_const", dest="catalogues", const=group, default=[])
    parsed = parser.parse_intermixed_args(arguments)
    for flag in ("config_path", "experimental_rerun"):
        if getattr(parsed, flag) is not None:
            name = flag.replace("_", "-")
            raise SettingError(f"--{name} is not supported; --config-dir adds a folder to conf")
    return parsed


def _refuse(error: SettingError | OSError) -> int:
    """Say what is wrong in one line."""
    is_setting = isinstance(error, SettingError)
    text = str(error) if is_setting else f"{error.filename or '?'}: {error.strerror or error}"
    sys.stderr.write(f"error: {' '.join(text.split())}\n")
    return EXIT_USAGE if is_setting else EXIT_FAILED


if __name__ == "__main__":
    main()
