"""Paths of the configuration, of the data sets, and those that users give."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
DATA = PACKAGE / "data"


def user_path(given: str | Path) -> Path:
    """Return the path that a user gave, with a home directory in place of `~` or `~user`.

    The path does not begin with `~`, which pyarrow would expand once more.
    """
    path = Path(os.path.expanduser(given))
    return path.absolute() if str(path).startswith("~") else path


def find_folder(name: str) -> Path:
    """Return the folder `name`: inside the package in a wheel, next to it in a checkout."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


CONF = find_folder("conf")
