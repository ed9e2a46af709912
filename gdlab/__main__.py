"""The command line: settings in, summary out."""

import os
import sys
from collections.abc import Sequence

from gdlab.errors import SettingError

EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run gdlab and exit; the arguments are those of the command line unless given."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given or os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        code = run([argument for argument in given if argument != "--debug"])
    except SettingError as error:
        if debug:
            raise
        code = _refuse(error)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Do what the arguments ask for and return the exit code.

    Raises:
        SettingError: a setting cannot be used.
    """
    from hydra._internal.utils import get_args_parser

    from gdlab import composition

    # A flag between overrides (`lr=1 -m seed=2`) is one that argparse cannot place.
    arguments = sorted(arguments, key=lambda argument: not argument.startswith("-"))
    parsed = get_args_parser().parse_args(arguments)
    asks_hydra = (parsed.help, parsed.hydra_help, parsed.cfg, parsed.info, parsed.shell_completion)
    if any(asks_hydra):
        composition.hand_to_hydra(arguments)
        return 0
    with composition.hydra_ready(parsed.config_dir):
        if parsed.multirun:
            return composition.multirun(parsed.overrides, parsed.config_name)
        config = composition.composed(parsed.overrides, parsed.config_name)
        if config.hydra.mode is not None and config.hydra.mode.name == "MULTIRUN":
            return composition.multirun(parsed.overrides, parsed.config_name)
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())

        from gdlab.application import run_one

        return run_one(config, parsed.overrides)


def _refuse(error: SettingError) -> int:
    """Say what is wrong in one line."""
    text = " ".join(str(error).split())
    sys.stderr.write(f"error: {text}\n")
    return EXIT_USAGE


if __name__ == "__main__":
    main()
