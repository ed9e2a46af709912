"""The records of an event file: TFRecord framing, and scalars by the thousand.

A record is its length (8 bytes), the length's checksum, the data and the data's checksum.

Letters in shapes: n steps, k tags, m bytes.
"""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

import google_crc32c
import numpy as np

# Values that stand in a serialized event for those to come; as bytes they occur in no tag.
_PROBE = 0xF1E2D3C0
_TIME_AT = 1  # behind its key
_STEP_AT = 10  # behind the wall time and its own key
_VARINTS = 128 ** np.arange(9, dtype=np.int64)  # the least numbers that take 1, 2, 3, … bytes


def event(wall_time: float, **fields: Any) -> Any:
    """An event; TensorBoard is imported with the first one."""
    # By name: protobuf makes its classes when imported, out of a type checker's sight.
    proto = import_module("tensorboard.compat.proto.event_pb2")
    return proto.Event(wall_time=wall_time, **fields)


def framed(data: bytes) -> bytes:
    """Data as a record."""
    return _head(len(data)) + data + _checksum(data)


def scalar_records(
    wall_time: float, tags: tuple[str, ...], steps: np.ndarray, values: np.ndarray
) -> bytes:
    """The records of one event per step that holds a value of each tag.

    Steps of the same length as a varint make records of the same layout, so they are one array of
    structures into which the steps and the values are written field by field.

    Args:
        wall_time: of all the events.
        tags: k names.
        steps: step numbers (n,), not negative.
        values: float32 (n, k).
    """
    parts = []
    lengths = _varint_length(steps)
    for first, last in _runs(lengths):
        layout = _layout(tags, int(lengths[first]))
        parts.append(layout.filled(wall_time, steps[first:last], values[first:last]))
    return b"".join(parts)


def _runs(keys: np.ndarray) -> Iterator[tuple[int, int]]:
    """Where equal neighbors begin and end."""
    edges = np.flatnonzero(np.diff(keys)) + 1
    ends = [0, *edges.tolist(), len(keys)]
    yield from ((a, b) for a, b in itertools.pairwise(ends) if a < b)


def _varint_length(steps: np.ndarray) -> np.ndarray:
    """How many bytes protobuf gives each step; none to 0, which it leaves out."""
    return np.searchsorted(_VARINTS, steps, side="right")


@dataclass(frozen=True)
class _Layout:
    """Records of equal layout.

    Attributes:
        record: one of them, in which the checksum and the fields are still to be written.
        fields: the places in it: data (m bytes) and in them time, the bytes of the step and the
            values, which are named by their numbers; crc.
        length: how many bytes the step has.
    """

    record: bytes
    fields: np.dtype
    length: int

    def filled(self, wall_time: float, steps: np.ndarray, values: np.ndarray) -> bytes:
        """The records of steps (n,) and their values (n, k)."""
        rows = np.frombuffer(bytearray(self.record * len(steps)), self.fields)
        rows["time"] = wall_time
        for byte in range(self.length):
            more = 0x80 if byte < self.length - 1 else 0
            rows[f"step.{byte}"] = (steps >> 7 * byte) & 0x7F | more
        for place, column in enumerate(values.T):
            rows[str(place)] = column
        crc = map(google_crc32c.value, rows["data"].tolist())
        rows["crc"] = _masked(np.fromiter(crc, np.uint64, len(rows)))
        return rows.tobytes()


@lru_cache(maxsize=64)  # the runs of a group have few
def _layout(tags: tuple[str, ...], length: int) -> _Layout:
    """The layout of events with some tags whose step takes so many bytes."""
    one = event(1.0, step=128**length // 128)
    for place, tag in enumerate(tags):
        probe = struct.unpack("<f", struct.pack("<I", _PROBE + place))[0]
        one.summary.value.add(tag=tag, simple_value=probe)
    data = one.SerializeToString()
    head = _head(len(data))
    fields: dict[str, tuple[str, int]] = {
        "data": (f"V{len(data)}", 0),
        "time": ("<f8", _TIME_AT),
        **{f"step.{byte}": ("u1", _STEP_AT + byte) for byte in range(length)},
        **{
            str(place): ("<f4", data.index(struct.pack("<I", _PROBE + place)))
            for place in range(len(tags))
        },
        "crc": ("<u4", len(data)),
    }
    record = head + data + bytes(4)
    places = np.dtype(
        {
            "names": list(fields),
            "formats": [kind for kind, _ in fields.values()],
            "offsets": [len(head) + at for _, at in fields.values()],
            "itemsize": len(record),
        }
    )
    return _Layout(record, places, length)


@lru_cache(maxsize=1024)  # the events of a run have few lengths
def _head(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + _checksum(packed)


def _checksum(data: bytes) -> bytes:
    """The masked CRC-32C of the format, little-endian."""
    return struct.pack("<I", _masked(google_crc32c.value(data)))


def _masked(crc: Any) -> Any:
    """A CRC, or an array of them (uint64), as the format stores it: one of CRCs is no CRC then."""
    turned = crc >> 15 | crc << 17
    return turned + 0xA282EAD8 & 0xFFFFFFFF
