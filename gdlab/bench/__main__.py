"""`python -m gdlab.bench`: compare optimizers on a suite of problems."""

from collections.abc import Sequence

from gdlab.cli import command
from gdlab.cli.bench import run


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare and exit; the arguments default to those of the command line."""
    command.run_command(run, arguments)


if __name__ == "__main__":
    main()
