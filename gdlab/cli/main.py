"""The command line: settings in, summary out."""

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from gdlab.cli import command, output
from gdlab.config.overrides import OPEN_GROUPS
from gdlab.errors import SettingError
from gdlab.paths import user_path

if TYPE_CHECKING:
    from gdlab.cli.composition import CommandLine


def run(arguments: list[str]) -> int:
    """Do what the arguments ask for and return the exit code.

    Raises:
        SettingError: a setting cannot be used.
        OSError: a file cannot be written.
    """
    parsed = _parse(arguments)
    with output.only_json() if parsed.json else nullcontext():
        return _answer(parsed, arguments) if _asks(parsed) else _run(parsed)


def _asks(parsed: argparse.Namespace) -> bool:
    """Tell whether the arguments ask for something other than runs."""
    return bool(parsed.catalogues or parsed.help or command.asks_hydra(parsed))


def _answer(parsed: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print what the arguments ask for and return the exit code."""
    if parsed.catalogues:
        from gdlab.cli import catalogue

        command.add_working_directory()
        words = (word.partition("=") for word in parsed.overrides)
        names = [last or first for first, sign, last in words if not sign or first in OPEN_GROUPS]
        catalogue.show(parsed.catalogues, parsed.config_dir, names)
        return 0
    from gdlab.cli import composition

    if parsed.help:
        from gdlab.cli import help

        return help.answer(help.RUN, parsed, composition.CONFIG_NAME)
    from gdlab.cli.answers import answer_by_hydra

    return answer_by_hydra(parsed, arguments, composition.CONFIG_NAME)


def _run(parsed: argparse.Namespace) -> int:
    """Run what the arguments describe and return the exit code."""
    from gdlab.cli import composition

    command.add_working_directory()
    to_resume = [word for word in parsed.overrides if word.lstrip("+").startswith("resume=")]
    if to_resume and not to_resume[-1].endswith("resume=null"):
        from gdlab.cli.resuming import resume_sweep

        name = to_resume[-1].partition("=")[2].strip("'\"")
        if not name:
            raise SettingError("resume=: must be the directory of a sweep, such as resume=runs/…")
        directory = user_path(name)
        others = [word for word in parsed.overrides if word not in to_resume]
        return resume_sweep(directory, composition.CommandLine(others).overrides)
    line = composition.CommandLine(parsed.overrides, parsed.config_name or composition.CONFIG_NAME)
    with composition.hydra_ready(parsed.config_dir):
        try:
            return _run_line(line, is_sweep=parsed.multirun)
        except SettingError as error:
            from gdlab.cli.every_error import every_error

            raise every_error(error, line, is_sweep=parsed.multirun) from None


def _run_line(line: "CommandLine", *, is_sweep: bool) -> int:
    """Run what a composed command line describes, a run or a sweep, and return the exit code."""
    from gdlab.cli import hydra_internals

    if is_sweep:
        return line.run_sweep()
    config = line.compose()
    if hydra_internals.is_sweep(config):
        return line.run_sweep()

    from gdlab.cli.run import run_one

    return run_one(config)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command.make_parser("python -m gdlab")
    for flag, group in (("--losses", "loss"), ("--optimizers", "optimizer")):
        parser.add_argument(flag, action="append_const", dest="catalogues", const=group, default=[])
    return command.parse_arguments(parser, arguments)
