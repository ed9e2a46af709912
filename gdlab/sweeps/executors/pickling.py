"""Shards on their way to other processes, which may lack a custom class or fail to read it."""

import copyreg
import dataclasses
import pickle
import threading
import uuid
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from gdlab.config.settings import GROUPS, Settings
from gdlab.engine.known_steps import KnownSteps
from gdlab.errors import CUSTOM_ERRORS, SettingError, describe_error
from gdlab.fields.formatting import format_value
from gdlab.sweeps.executors.board import ShardBoard
from gdlab.sweeps.executors.table import DEFAULT, SETTING
from gdlab.sweeps.executors.work import Work, run_work
from gdlab.sweeps.plan import Group

if TYPE_CHECKING:
    import pyarrow as pa

# A class that travels by value takes its fields along. The mark of those without a default has to
# stay the one object that `dataclasses` compares with.
copyreg.pickle(type(dataclasses.MISSING), lambda missing: "MISSING")


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
                f"{setting}={format_value(executor)}: {name} cannot be sent to another process "
                f"({describe_error(error)}); use {setting}={DEFAULT}"
            ) from error


@dataclass(frozen=True)
class Parcel:
    """A pickled shard, including classes that only the driver's script defines.

    Attributes:
        key: of the settings, equal for the shards of one group in one sweep.
        settings: those of the shard's group, pickled: bytes, or an array of them.
        rest: everything else, pickled.
    """

    key: bytes
    settings: Any
    rest: bytes


class Packer:
    """Pickles shards; the settings of a group, which may hold its data, once for all of them."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._key, self._content = b"", b""

    def pack(self, work: Work) -> Parcel:
        """Pickle a shard."""
        import cloudpickle

        shard = work.shard
        if shard.settings is not self._settings:
            self._settings, self._content = shard.settings, cloudpickle.dumps(shard.settings)
            self._key = uuid.uuid4().bytes
        rest = work.number, shard.columns, shard.runs, work.varied, work.records
        return Parcel(self._key, self._content, cloudpickle.dumps(rest))


class _Received(threading.local):
    """The settings that this thread received last, and the compiled steps of their batches."""

    key = b""

    def unpack(self, parcel: Parcel) -> Work:
        """Return the shard in a parcel; all shards of a group have one object as their settings."""
        if parcel.key != self.key:
            self.key, self.steps = b"", KnownSteps()
            self.settings: Settings = pickle.loads(parcel.settings)
            self.key = parcel.key
        number, columns, runs, varied, records = pickle.loads(parcel.rest)
        return Work(number, Group(self.settings, columns, runs), varied, records)


_received = _Received()


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


def pack_bytes(content: bytes) -> bytes:
    """Compress bytes; most of a shard are whole numbers that differ little."""
    import pyarrow as pa

    return pa.compress(content, "zstd", asbytes=True)


def unpack_bytes(content: bytes, size: int) -> bytes:
    """Return bytes that were compressed, of which there were `size`."""
    import pyarrow as pa

    return pa.decompress(content, size, "zstd", asbytes=True)


def run_parcel(parcel: Parcel, executor: str, board: ShardBoard, shard: int) -> "pa.Table | None":
    """Run a pickled shard, in another process; return None if the sweep was stopped before.

    Args:
        parcel: the shard.
        executor: the name of the executor, for the error.
        board: of the executor.
        shard: the position of the shard on the board.

    Raises:
        SettingError: the parcel cannot be read here.
    """
    if board.is_stopped():
        return None
    try:
        work = _received.unpack(parcel)
    except CUSTOM_ERRORS as error:
        raise SettingError(
            f"{SETTING}={executor}: another process cannot load the sweep's classes "
            f"({describe_error(error)})"
        ) from error
    note = partial(board.note, shard)
    return run_work(work, board.is_stopped, note, _received.steps)
