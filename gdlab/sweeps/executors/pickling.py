"""Shards on their way to other processes, which may lack a custom class or fail to read it."""

import pickle
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from gdlab.config.settings import GROUPS
from gdlab.errors import CUSTOM_ERRORS, SettingError, describe_error
from gdlab.paths import PACKAGE
from gdlab.sweeps.executors.board import ShardBoard
from gdlab.sweeps.executors.table import DEFAULT, SETTING
from gdlab.sweeps.executors.work import Work, run_work
from gdlab.sweeps.plan import Group

if TYPE_CHECKING:
    import pyarrow as pa

_INSTALLED = ("site-packages", "dist-packages")


def check_picklable(group: Group, executor: object, setting: str) -> None:
    """Check before a sweep starts that its classes, which may be custom, can be pickled.

    Args:
        group: some of the sweep's runs.
        executor: the name of the one that will run them.
        setting: what gave the name, for the error.

    Raises:
        SettingError: one of the classes cannot be pickled.
    """
    import cloudpickle

    for node in GROUPS:
        try:
            cloudpickle.dumps(getattr(group.settings, node))
        except CUSTOM_ERRORS as error:
            name = f"{node}={group.settings.name(node)}"
            raise SettingError(
                f"{setting}={executor}: {name} cannot be sent to another process "
                f"({describe_error(error)}); use {setting}={DEFAULT}"
            ) from error


def pickle_work(work: Work) -> bytes:
    """Pickle a shard, including classes that only this process's script defines."""
    import cloudpickle

    return cloudpickle.dumps(work)


def pack_table(table: "pa.Table") -> bytes:
    """Pack a table for its way back: compressed, since small results go a shorter way."""
    import pyarrow as pa

    sink, options = pa.BufferOutputStream(), pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def unpack_table(content: bytes) -> "pa.Table":
    """Return a table that was packed."""
    import pyarrow as pa

    with pa.ipc.open_stream(content) as stream:
        return stream.read_all()


@contextmanager
def by_value() -> Iterator[None]:
    """Let pickled shards hold the code of modules that other machines need not have.

    These are all that are not installed: those beside a script, or in the working directory.
    """
    import cloudpickle

    own = [module for module in list(sys.modules.values()) if _is_own(module)]
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)


def _is_own(module: ModuleType) -> bool:
    """Tell whether a module is neither installed nor a part of Python or gdlab."""
    path = getattr(module, "__file__", None)
    if path is None or module.__name__ == "__main__":  # which is always pickled by value
        return False
    folders = Path(path).resolve().parents
    is_installed = any(folder.name in _INSTALLED for folder in folders)
    return not is_installed and not any(folder in folders for folder in _own_folders())


@cache
def _own_folders() -> tuple[Path, ...]:
    """The folders of Python's modules and of gdlab's."""
    of_python = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    return tuple(folder.resolve() for folder in (*of_python, PACKAGE))


def run_pickled(content: bytes, executor: str, board: ShardBoard, shard: int) -> "pa.Table | None":
    """Run a pickled shard, in another process; return None if the sweep was stopped before.

    Args:
        content: what `pickle_work` returned.
        executor: the name of the executor, for the error.
        board: of the executor.
        shard: the position of the shard on the board.

    Raises:
        SettingError: the content cannot be read here.
    """
    if board.is_stopped():
        return None
    try:
        work: Work = pickle.loads(content)
    except CUSTOM_ERRORS as error:
        raise SettingError(
            f"{SETTING}={executor}: another process cannot load the sweep's classes "
            f"({describe_error(error)})"
        ) from error
    return run_work(work, board.is_stopped, lambda rows: board.note(shard, rows))
