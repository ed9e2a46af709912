"""Shards on their way to other processes, which may lack a custom class or fail to read it."""

import pickle
from typing import TYPE_CHECKING

from gdlab.config.settings import GROUPS
from gdlab.errors import CUSTOM_ERRORS, SettingError, describe_error
from gdlab.sweeps.executors.board import Board
from gdlab.sweeps.executors.table import DEFAULT, SETTING
from gdlab.sweeps.executors.work import Work, run_work
from gdlab.sweeps.plan import Group

if TYPE_CHECKING:
    import pyarrow as pa


def check_picklable(group: Group, executor: str, setting: str) -> None:
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


def run_pickled(content: bytes, executor: str, board: Board, shard: int) -> "pa.Table | None":
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
