"""`python -m gdlab.derivatives`: report on the derivatives of a loss at a point."""

from collections.abc import Sequence

from gdlab.cli import command
from gdlab.cli.derivatives import run


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report and exit; the arguments default to those of the command line."""
    command.run_command(run, arguments)


if __name__ == "__main__":
    main()
