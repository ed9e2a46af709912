"""The one format that the page of the viewer is fed: a head in JSON, and arrays of float32.

A message is `GDLV`, the length of the head in bytes as a little-endian uint32, the head in UTF-8
padded with spaces to a multiple of four bytes, and the numbers, little-endian. In the head an array
is `{"at": first, "shape": [...]}`: where it begins, counted in numbers, and its shape, row by row.
A missing number is NaN.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MAGIC = b"GDLV"


def encode(head: Mapping[str, Any]) -> bytes:
    """Return a message whose head is a mapping; arrays anywhere in it become its numbers.

    Numbers of the head itself are written in full; those that are not finite become null.
    """
    arrays = _Arrays()
    with np.errstate(over="ignore"):  # beyond the range of float32 a number is infinite
        plain = _plain(head, arrays)
    text = json.dumps(plain, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([MAGIC, struct.pack("<I", len(text)), text, *arrays.parts])


def decode(message: bytes) -> dict[str, Any]:
    """Return the head of a message with its arrays, as the page does.

    Raises:
        ValueError: it is no such message.
    """
    if message[:4] != MAGIC:
        raise ValueError("not a message of the viewer")
    (length,) = struct.unpack("<I", message[4:8])
    numbers = np.frombuffer(message, "<f4", offset=8 + length)
    return _with_arrays(json.loads(message[8 : 8 + length]), numbers)


class _Arrays:
    """The numbers of a message: the bytes of each array, and how many numbers there are so far."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.count = 0

    def append(self, array: np.ndarray) -> dict[str, Any]:
        """Append an array, and return where it lies."""
        where = {"at": self.count, "shape": list(array.shape)}
        self.parts.append(array.astype("<f4").tobytes())
        self.count += array.size
        return where


def _plain(value: Any, arrays: _Arrays) -> Any:
    """Replace arrays by where they lie, and append them to `arrays`."""
    if isinstance(value, np.ndarray):
        return arrays.append(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item, arrays) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item, arrays) for item in value]
    return value


def _with_arrays(value: Any, numbers: np.ndarray) -> Any:
    if isinstance(value, list):
        return [_with_arrays(item, numbers) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"at", "shape"}:
        shape = value["shape"]
        return numbers[value["at"] : value["at"] + int(np.prod(shape))].reshape(shape)
    return {key: _with_arrays(item, numbers) for key, item in value.items()}
