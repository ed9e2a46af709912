"""The layout of the package: no import cycles, true lists of exports, rooms that stay small."""

import ast
import importlib
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers.files import ROOT

import gdlab

PACKAGE = Path(gdlab.__file__).parent
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(gdlab.__path__, "gdlab.")
    if not module.name.endswith("__main__")
)
EXPORTING = ["gdlab"] + [n for n in MODULES if "__all__" in vars(importlib.import_module(n))]

# Reads layers of modules from standard input, a line for each, lowest first. Imports each module
# before any other of its layer, whose modules are forgotten in between, after the layers below and
# what gdlab depends on. Prints the names of those that fail, and of lower ones that import a higher
# one. A module that its package imports is not tried again: to import either first is the same.
# (A fork for each would be cleaner, but takes 20 ms where torch is loaded.)
ALONE = """
import sys
import hydra, numpy, torch
for layer in map(str.split, sys.stdin):
    print(*sys.modules.keys() & set(layer), end="")
    rooms = {name.split(".")[1] for name in layer}
    imported = set()
    for name in sorted(layer):
        if name in imported:
            continue
        try:
            __import__(name)
        except BaseException as error:
            print(name, repr(error), flush=True)
        for loaded in [*sys.modules]:
            if loaded.startswith("gdlab.") and loaded.split(".")[1] in rooms:
                del sys.modules[loaded]
                if loaded.startswith(f"{name}."):
                    imported.add(loaded)
        for room in rooms:
            vars(sys.modules["gdlab"]).pop(room, None)
    for name in layer:
        __import__(name)
"""


def source(name: str) -> ast.Module:
    """The syntax tree of a module."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text("utf-8"))


def layers() -> list[list[str]]:
    """The modules of each layer of the contract in pyproject.toml, lowest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contract = settings["tool"]["importlinter"]["contracts"][0]
    rooms = [set(layer.split(" | ")) for layer in reversed(contract["layers"])]
    rooms.append({"animate", "view"})
    return [[name for name in MODULES if name.split(".")[1] in room] for room in rooms]


def test_every_module_can_be_imported_first() -> None:
    """Where two modules import each other, one of them cannot.

    Both would be in one layer, since none imports a higher one.
    """
    first = layers()
    assert sorted(name for layer in first for name in layer) == MODULES
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ALONE],
        input="\n".join(map(" ".join, first)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""


@pytest.mark.parametrize("name", EXPORTING)
def test_a_list_of_exports_is_true(name: str) -> None:
    """It is sorted, each name is there, and each public class says where it is public."""
    module = importlib.import_module(name)
    exported = module.__all__
    assert len(set(exported)) == len(exported)
    for each in exported:
        assert getattr(module, each) is not None
    assert set(exported) <= set(dir(module))


@pytest.mark.parametrize("name", ["gdlab", "gdlab.losses", "gdlab.optimizers", "gdlab.schedules"])
def test_public_classes_carry_their_public_path(name: str) -> None:
    """A plan or a saved configuration that names the class survives a move of its file."""
    module = importlib.import_module(name)
    for each in module.__all__:
        value = getattr(module, each)
        if isinstance(value, type):
            public = importlib.import_module(value.__module__)
            assert value.__module__ in (name, "gdlab"), each
            assert getattr(public, value.__qualname__) is value


@pytest.mark.parametrize("name", ["gdlab.fields", "gdlab.config", "gdlab.cli"])
def test_a_package_without_exports_holds_a_docstring_alone(name: str) -> None:
    (docstring,) = source(name).body
    assert isinstance(docstring, ast.Expr)


def test_few_modules_lie_outside_of_packages() -> None:
    assert len([path for path in PACKAGE.glob("*.py") if path.name != "__init__.py"]) <= 8


def test_no_module_is_long() -> None:
    """Tables of losses may be."""
    long = {
        str(path.relative_to(PACKAGE)): count
        for path in PACKAGE.rglob("*.py")
        if (count := len(path.read_text("utf-8").splitlines())) > 320
    }
    assert long == {}
