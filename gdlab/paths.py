"""Where the configuration and the data sets lie, in a checkout and in an installed wheel."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
DATA = PACKAGE / "data"


def beside_the_package(name: str) -> Path:
    """The folder `name`: inside the package in a wheel, beside the package in a checkout."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


CONF = beside_the_package("conf")
