"""`python -m gdlab.derivatives`: report on the derivatives of a loss at a point."""

from contextlib import nullcontext

from gdlab.cli import command, output
from gdlab.errors import SettingError

CONFIG_NAME = "derivatives"
_NO_SWEEPS = "a report covers one point; sweeps are not supported"


def run(arguments: list[str]) -> int:
    """Print the report that the arguments ask for; return exit code 1 if a gradient is wrong.

    Raises:
        SettingError: a setting cannot be used.
        OSError: a file cannot be written.
    """
    from gdlab.cli import composition, hydra_internals

    parser = command.make_parser("python -m gdlab.derivatives")
    parsed = command.parse_arguments(parser, arguments)
    if parsed.multirun:
        raise SettingError(f"--multirun: {_NO_SWEEPS}")
    if parsed.help:
        from gdlab.cli import help

        return help.answer(help.DERIVATIVES, parsed, CONFIG_NAME)
    if command.asks_hydra(parsed):
        from gdlab.cli.answers import answer_by_hydra

        return answer_by_hydra(parsed, arguments, CONFIG_NAME)
    command.add_working_directory()
    with composition.hydra_ready(parsed.config_dir):
        name = parsed.config_name or CONFIG_NAME
        config = composition.compose_config(parsed.overrides, name, can_sweep=False)
        if hydra_internals.is_sweep(config):
            raise SettingError(f"hydra.mode=MULTIRUN: {_NO_SWEEPS}")

        from gdlab.cli.report import run_report

        with output.only_json() if parsed.json else nullcontext():
            return run_report(config)
