"""`python -m gdlab.bench`: compare optimizers on a suite of problems."""

import re
from contextlib import nullcontext

from gdlab.cli import command, output
from gdlab.errors import SettingError
from gdlab.paths import user_path

CONFIG_NAME = "bench"
_LISTS = ("optimizers",)
"""Settings that are lists, also where they are typed without brackets."""

_OWN_SUITE = re.compile(r"suite=.*\.ya?ml")
"""A suite that is a file, and no choice of Hydra."""


def run(arguments: list[str]) -> int:
    """Do what the arguments ask for and return the exit code.

    Raises:
        SettingError: a setting cannot be used.
        OSError: a file cannot be written.
    """
    from gdlab.cli import composition, hydra_internals

    parsed = command.parse_arguments(command.make_parser("python -m gdlab.bench"), arguments)
    own = [word for word in parsed.overrides if _OWN_SUITE.fullmatch(word)]
    parsed.overrides = [_with_brackets(word) for word in parsed.overrides if word not in own]
    if parsed.multirun:
        raise SettingError("--multirun: a comparison is a sweep already; list what to compare")
    if parsed.help:
        from gdlab.cli import help

        return help.answer(help.BENCH, parsed, CONFIG_NAME)
    if command.asks_hydra(parsed):
        from gdlab.cli.answers import answer_by_hydra

        return answer_by_hydra(parsed, arguments, CONFIG_NAME)
    command.add_working_directory()
    folders = [] if parsed.config_dir is None else [user_path(parsed.config_dir)]
    with composition.hydra_ready(parsed.config_dir):
        config = composition.compose_config(parsed.overrides, parsed.config_name or CONFIG_NAME)
        if hydra_internals.is_sweep(config):
            raise SettingError("hydra.mode=MULTIRUN: a comparison is a sweep already")

        from gdlab.cli.comparing import compare

        with output.only_json() if parsed.json else nullcontext():
            return compare(config, folders, own[-1].partition("=")[2] if own else None)


def _with_brackets(word: str) -> str:
    """Return an override with brackets around a list of names."""
    key, sign, value = word.partition("=")
    is_list = key in _LISTS and sign and value and value[0] not in "[{$"
    return f"{key}=[{value}]" if is_list else word
