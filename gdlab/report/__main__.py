"""`python -m gdlab.report DIR…`: one self-contained page on runs, sweeps or a comparison."""

from collections.abc import Sequence

from gdlab.cli import command
from gdlab.cli.reporting import run


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the report and exit; the arguments default to those of the command line."""
    command.run_command(run, arguments)


if __name__ == "__main__":
    main()
