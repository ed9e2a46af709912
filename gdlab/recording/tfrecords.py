"""The records of an event file: TFRecord framing, and scalars thousands at a time.

A record is its length (8 bytes), the length's checksum, the data and the data's checksum.

Shapes: n steps, k tags, m bytes.
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

# Placeholders for the values in a serialized event; these bytes occur in no tag.
_PROBE = 0xF1E2D3C0
_TIME_AT = 1  # after its key
_STEP_AT = 10  # after the wall time and its own key
_VARINTS = 128 ** np.arange(9, dtype=np.int64)  # the smallest numbers that take 1, 2, 3, … bytes


def new_event(wall_time: float, **fields: Any) -> Any:
    """Create an event; the first one imports TensorBoard."""
    # By name: protobuf creates its classes on import, where a type checker cannot see them.
    proto = import_module("tensorboard.compat.proto.event_pb2")
    return proto.Event(wall_time=wall_time, **fields)


def frame(data: bytes) -> bytes:
    """Return data as a record."""
    return _head(len(data)) + data + _checksum(data)


def scalar_records(
    wall_time: float, tags: tuple[str, ...], steps: np.ndarray, values: np.ndarray
) -> bytes:
    """Return the records of one event per step, each with a value of every tag.

    Steps whose varints have the same length give records of the same layout: an array of
    structures, into which the steps and the values are written field by field.

    Args:
        wall_time: the time of all events.
        tags: k names.
        steps: step numbers (n,), not negative.
        values: float32 (n, k).
    """
    parts = []
    lengths = _varint_length(steps)
    for first, last in _equal_runs(lengths):
        layout = _layout(tags, int(lengths[first]))
        parts.append(layout.fill(wall_time, steps[first:last], values[first:last]))
    return b"".join(parts)


def _equal_runs(keys: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield where each run of equal keys begins and ends."""
    edges = np.flatnonzero(np.diff(keys)) + 1
    ends = [0, *edges.tolist(), len(keys)]
    yield from ((a, b) for a, b in itertools.pairwise(ends) if a < b)


def _varint_length(steps: np.ndarray) -> np.ndarray:
    """Return the number of bytes of each step in protobuf; none for 0, which it leaves out."""
    return np.searchsorted(_VARINTS, steps, side="right")


@dataclass(frozen=True)
class _Layout:
    """The layout of records whose steps have the same length.

    Attributes:
        record: a record without its checksum and field values.
        fields: the offsets in it: data (m bytes), which contains time, the bytes of the step and
            the values, named by their numbers; then crc.
        length: the number of bytes of the step.
    """

    record: bytes
    fields: np.dtype
    length: int

    def fill(self, wall_time: float, steps: np.ndarray, values: np.ndarray) -> bytes:
        """Return the records of steps (n,) and their values (n, k)."""
        rows = np.frombuffer(bytearray(self.record * len(steps)), self.fields)
        rows["time"] = wall_time
        for byte in range(self.length):
            continuation = 0x80 if byte < self.length - 1 else 0
            rows[f"step.{byte}"] = (steps >> 7 * byte) & 0x7F | continuation
        for tag, column in enumerate(values.T):
            rows[str(tag)] = column
        crc = map(google_crc32c.value, rows["data"].tolist())
        rows["crc"] = _mask(np.fromiter(crc, np.uint64, len(rows)))
        return rows.tobytes()


@lru_cache(maxsize=64)  # the runs of a group share a few
def _layout(tags: tuple[str, ...], length: int) -> _Layout:
    """Return the layout of events with these tags and a step of `length` bytes."""
    template = new_event(1.0, step=128**length // 128)
    for number, tag in enumerate(tags):
        probe = struct.unpack("<f", struct.pack("<I", _PROBE + number))[0]
        template.summary.value.add(tag=tag, simple_value=probe)
    data = template.SerializeToString()
    head = _head(len(data))
    fields: dict[str, tuple[str, int]] = {
        "data": (f"V{len(data)}", 0),
        "time": ("<f8", _TIME_AT),
        **{f"step.{byte}": ("u1", _STEP_AT + byte) for byte in range(length)},
        **{
            str(number): ("<f4", data.index(struct.pack("<I", _PROBE + number)))
            for number in range(len(tags))
        },
        "crc": ("<u4", len(data)),
    }
    record = head + data + bytes(4)
    dtype = np.dtype(
        {
            "names": list(fields),
            "formats": [kind for kind, _ in fields.values()],
            "offsets": [len(head) + at for _, at in fields.values()],
            "itemsize": len(record),
        }
    )
    return _Layout(record, dtype, length)


@lru_cache(maxsize=1024)  # the events of a run have only a few lengths
def _head(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + _checksum(packed)


def _checksum(data: bytes) -> bytes:
    """Return the masked CRC-32C of the format, little-endian."""
    return struct.pack("<I", _mask(google_crc32c.value(data)))


def _mask(crc: Any) -> Any:
    """Mask a CRC or an array of them (uint64); CRCs of data that holds CRCs would be weak."""
    rotated = crc >> 15 | crc << 17
    return rotated + 0xA282EAD8 & 0xFFFFFFFF
