"""`python -m gdlab.derivatives`: the calculus of any loss at a point."""

from collections.abc import Sequence

from gdlab.cli import command
from gdlab.cli.derivatives import run


def main(arguments: Sequence[str] | None = None) -> None:
    """Report and exit; the arguments are those of the command line unless given."""
    command.run_command(run, arguments)


if __name__ == "__main__":
    main()
