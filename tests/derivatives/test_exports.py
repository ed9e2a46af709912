"""The public names of gdlab.derivatives, in a fresh process."""

import pkgutil
import subprocess
import sys

import gdlab.derivatives

# Imports the modules in its arguments, then every public name; prints those that are modules.
IMPORT_ALL = """
import importlib, sys, types
for name in sys.argv[1:]:
    importlib.import_module(name)
import gdlab.derivatives
for name in gdlab.derivatives.__all__:
    scope = {}
    exec(f"from gdlab.derivatives import {name}", scope)
    if isinstance(scope[name], types.ModuleType):
        print(name)
"""
SUBMODULES = [
    module.name
    for module in pkgutil.walk_packages(gdlab.derivatives.__path__, "gdlab.derivatives.")
    if not module.name.endswith("__main__")
]


def test_public_names_can_be_imported_after_every_submodule() -> None:
    """A submodule named like a function would hide it once the submodule is imported."""
    command = [sys.executable, "-c", IMPORT_ALL, *SUBMODULES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_every_submodule_is_tried() -> None:
    assert len(SUBMODULES) > 30
