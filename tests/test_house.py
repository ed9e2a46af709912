"""The layout of the package: no import cycles, true lists of exports, rooms that stay small."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import gdlab

PACKAGE = Path(gdlab.__file__).parent
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(gdlab.__path__, "gdlab.")
    if not module.name.endswith("__main__")
)
EXPORTING = ["gdlab"] + [n for n in MODULES if "__all__" in vars(importlib.import_module(n))]

# Imports each module named on standard input before any other of gdlab, in a fork of a process that
# has imported what gdlab depends on, and has compiled gdlab's sources once. Prints the names of
# those that fail.
ALONE = """
import functools, gc, importlib.machinery, os, pathlib, sys
gc.disable()
loader = importlib.machinery.SourceFileLoader
compiled = functools.cache(loader.get_code)
loader.get_code = lambda self, name: compiled(self, name)
root = pathlib.Path(sys.argv[1])
for path in root.rglob("*.py"):
    module = path.with_suffix("").relative_to(root.parent)
    name = ".".join(module.parent.parts if module.name == "__init__" else module.parts)
    compiled(loader(name, str(path)), name)
import hydra, matplotlib, numpy, omegaconf, pandas, pyarrow.parquet, rich.console, sympy, torch
for name in sys.stdin.read().split():
    child = os.fork()
    if child == 0:
        assert not any(module.split(".")[0] == "gdlab" for module in sys.modules)
        try:
            __import__(name)
        except BaseException as error:
            print(name, repr(error), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def source(name: str) -> ast.Module:
    """The syntax tree of a module."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text("utf-8"))


def imported_by_package(name: str) -> bool:
    """Whether a module's package imports it: then to import either is the same."""
    package = name.rpartition(".")[0]
    imports = (node for node in source(package).body if isinstance(node, ast.ImportFrom))
    return package != "gdlab" and any(node.module == name for node in imports)


def test_every_module_can_be_imported_first() -> None:
    """Where two modules import each other, one of them cannot."""
    first = [name for name in MODULES if not imported_by_package(name)]
    command = [sys.executable, "-W", "ignore", "-c", ALONE, str(PACKAGE)]
    done = subprocess.run(
        command, input="\n".join(first), capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert len(first) > 120


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
