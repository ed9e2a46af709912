"""The command line: settings in, summary out."""

from collections.abc import Sequence

from gdlab.cli import command
from gdlab.cli.main import run


def main(arguments: Sequence[str] | None = None) -> None:
    """Run gdlab and exit; the arguments are those of the command line unless given."""
    command.run_command(run, arguments)


if __name__ == "__main__":
    main()
