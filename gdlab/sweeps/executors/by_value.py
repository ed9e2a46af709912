"""Modules whose code goes to other processes with the shards, since those may not have them."""

import os
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

from gdlab.paths import PACKAGE

_INSTALLED = ("site-packages", "dist-packages")


class _ByValue:
    """The modules that are pickled by value, for as long as some sweep of this process runs."""

    def __init__(self) -> None:
        self._lock, self._sweeps = threading.Lock(), 0
        self._modules: dict[str, ModuleType] = {}

    def begin(self) -> None:
        """Register all modules that are not installed, but those that somebody else registered."""
        import cloudpickle

        with self._lock:
            self._sweeps += 1
            theirs = cloudpickle.list_registry_pickle_by_value() - self._modules.keys()
            for name, module in list(sys.modules.items()):
                if name not in theirs and _is_own(name, module):
                    cloudpickle.register_pickle_by_value(module)
                    self._modules[name] = module

    def end(self) -> None:
        """Take back what was registered, once the last sweep ends."""
        import cloudpickle

        with self._lock:
            self._sweeps -= 1
            registered = cloudpickle.list_registry_pickle_by_value()
            while not self._sweeps and self._modules:
                name, module = self._modules.popitem()
                if name in registered:
                    cloudpickle.unregister_pickle_by_value(module)


_by_value = _ByValue()


@contextmanager
def by_value() -> Iterator[None]:
    """Let pickled shards hold the code of modules that other machines need not have.

    These are all that are not installed: those beside a script, or in the working directory.
    Several threads may be in the block at once.
    """
    _by_value.begin()
    try:
        yield
    finally:
        _by_value.end()


def _is_own(name: str, module: ModuleType) -> bool:
    """Tell whether a module is neither installed nor a part of Python or gdlab.

    `__main__` is always pickled by value. A module of another name than its own cannot be. One that
    was not imported from a file, such as torch.ops, may say any name of a file.
    """
    path, own_name = (getattr(module, key, None) for key in ("__file__", "__name__"))
    if name == "__main__" or own_name != name or not isinstance(path, str):
        return False
    return os.path.isabs(path) and _holds_own(Path(path).parent)


@cache
def _holds_own(folder: Path) -> bool:
    """Tell whether the modules of a folder are neither installed nor a part of Python or gdlab."""
    folder = folder.resolve()
    folders = (folder, *folder.parents)
    is_installed = any(each.name in _INSTALLED for each in folders)
    return not is_installed and not any(each in folders for each in _own_folders())


@cache
def _own_folders() -> tuple[Path, ...]:
    """The folders of Python's modules and of gdlab's."""
    of_python = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    return tuple(folder.resolve() for folder in (*of_python, PACKAGE))
