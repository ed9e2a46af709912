"""The records of an event file: TFRecord framing, and scalars by the thousand.

A record is its length (8 bytes), the length's checksum, the data and the data's checksum.

Letters in shapes: n steps, k tags, m bytes.
"""

import itertools
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

import google_crc32c
import numpy as np

# Values that stand in a serialised event for those to come; as bytes they occur in no tag.
_PROBE = 0xF1E2D3C0
_STEP_AT = 10  # behind the wall time (one byte of key, eight of value) and the step's own key


def event(wall_time: float, **fields: Any) -> Any:
    """An event; TensorBoard is imported with the first one."""
    # By name: protobuf makes its classes when imported, out of a type checker's sight.
    proto = import_module("tensorboard.compat.proto.event_pb2")
    return proto.Event(wall_time=wall_time, **fields)


def framed(data: bytes) -> bytes:
    """Data as a record."""
    return _head(len(data)) + data + _checksum(data)


def scalar_records(
    wall_time: float, tags: Sequence[str], steps: np.ndarray, values: np.ndarray
) -> bytes:
    """The records of one event per step that holds a value of each tag.

    Steps of the same length as a varint make events of the same layout, so they are one matrix of
    bytes into which the steps and the values are written column by column.

    Args:
        wall_time: of all the events.
        tags: k names.
        steps: step numbers (n,), not negative.
        values: float32 (n, k).
    """
    parts = []
    for first, last in _runs(_varint_length(steps)):
        rows = _layout(wall_time, tags, int(steps[first]), last - first)
        _fill(rows, steps[first:last], values[first:last])
        parts.append(_framed_rows(rows))
    return b"".join(parts)


def _runs(keys: np.ndarray) -> Iterator[tuple[int, int]]:
    """Where equal neighbours begin and end."""
    edges = np.flatnonzero(np.diff(keys)) + 1
    ends = [0, *edges.tolist(), len(keys)]
    yield from ((a, b) for a, b in itertools.pairwise(ends) if a < b)


def _varint_length(steps: np.ndarray) -> np.ndarray:
    """How many bytes protobuf gives each step; none to 0, which it leaves out."""
    return np.searchsorted(128 ** np.arange(9, dtype=np.int64), steps, side="right")


def _layout(wall_time: float, tags: Sequence[str], step: int, n: int) -> np.ndarray:
    """An event with probes for its values, n times: (n, m) bytes."""
    one = event(wall_time, step=step)
    for place, tag in enumerate(tags):
        probe = struct.unpack("<f", struct.pack("<I", _PROBE + place))[0]
        one.summary.value.add(tag=tag, simple_value=probe)
    return np.tile(np.frombuffer(one.SerializeToString(), np.uint8), (n, 1))


def _fill(rows: np.ndarray, steps: np.ndarray, values: np.ndarray) -> None:
    """Write the steps and the values into rows (n, m) of equal layout."""
    template = rows[0].tobytes()
    for place in range(values.shape[1]):
        at = template.index(struct.pack("<I", _PROBE + place))
        rows[:, at : at + 4] = values[:, place, None].view(np.uint8)
    length = int(_varint_length(steps[:1])[0])
    for byte in range(length):
        more = 0x80 if byte < length - 1 else 0
        rows[:, _STEP_AT + byte] = (steps >> 7 * byte) & 0x7F | more


def _framed_rows(rows: np.ndarray) -> bytes:
    """Rows (n, m) as n records."""
    n, m = rows.shape
    data = rows.tobytes()
    crc = [google_crc32c.value(data[at : at + m]) for at in range(0, n * m, m)]
    head = np.tile(np.frombuffer(_head(m), np.uint8), (n, 1))
    tail = _masked(np.array(crc, np.uint64)).astype("<u4")[:, None].view(np.uint8)
    return np.concatenate((head, rows, tail), axis=1).tobytes()


@lru_cache(maxsize=1024)  # the events of a run have few lengths
def _head(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + _checksum(packed)


def _checksum(data: bytes) -> bytes:
    """The masked CRC-32C of the format, little-endian."""
    return struct.pack("<I", int(_masked(np.array(google_crc32c.value(data), np.uint64))))


def _masked(crc: np.ndarray) -> np.ndarray:
    """CRCs (uint64, 32 bits used) as the format stores them, so that one of CRCs is no CRC."""
    turned = (crc >> np.uint64(15)) | (crc << np.uint64(17))
    return (turned + np.uint64(0xA282EAD8)) & np.uint64(0xFFFFFFFF)
