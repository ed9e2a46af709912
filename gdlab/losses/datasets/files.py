"""The files that data sets are read from: where they are, and how their bytes are decoded.

A file is recognized by its first bytes, not by its name: Parquet, or CSV in UTF-8 or UTF-16, plain
or compressed.
"""

import lzma
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from gdlab.errors import SettingError
from gdlab.fields.suggestions import did_you_mean
from gdlab.losses.datasets.fingerprints import note_file
from gdlab.paths import DATA, user_path

if TYPE_CHECKING:
    import pyarrow as pa

_PARQUET = b"PAR1"
_PARQUET_SUFFIXES = {".parquet", ".parq", ".pq"}
_XZ = b"\xfd7zXZ\0"
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_BINARY = {
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"ARROW1": "an Arrow file",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    _PARQUET: "a compressed Parquet file",
}
_HEAD = 4096


def named_sets() -> list[str]:
    """Return the names of the data sets that ship with gdlab."""
    return sorted(path.stem for path in DATA.glob("*.csv"))


def locate(data: str, generated: Iterable[str] = ()) -> Path:
    """Return the file of a data set, given by its name or its path, and note that it is read.

    Args:
        data: the name of a data set that ships with gdlab, or a path.
        generated: names of data sets without a file, to suggest as well.

    Raises:
        SettingError: there is no such file.
    """
    if data in named_sets():
        return DATA / f"{data}.csv"
    path = user_path(data)
    if os.path.isfile(path):  # unlike Path's, it takes any text
        with readable(path):
            note_file(path)
        return path
    what = "is not a file" if os.path.exists(path) else "no such file"
    names = [*generated, *named_sets()]
    hint = did_you_mean(PurePath(data).stem, names)
    raise SettingError(f"data={data}: {what}{hint} (data sets: {', '.join(names)})")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Refuse a file that the system cannot read, such as one without permission.

    Raises:
        SettingError: names the file.
    """
    try:
        yield
    except OSError as error:
        raise SettingError(f"data={path}: cannot be read ({error.strerror or error})") from error


def is_parquet(path: Path) -> bool:
    """Return whether a file is a Parquet file, by its name or by its first and last bytes."""
    if path.suffix.lower() in _PARQUET_SUFFIXES:
        return True
    with path.open("rb") as file:
        if file.read(len(_PARQUET)) != _PARQUET:
            return False
        file.seek(-len(_PARQUET), os.SEEK_END)
        return file.read() == _PARQUET


def open_text(path: Path) -> "pa.NativeFile":
    """Open a CSV file as a stream of UTF-8 bytes, whatever its compression and encoding.

    Raises:
        SettingError: it is no text, or a file of another kind.
        OSError: it cannot be read.
    """
    import pyarrow as pa

    with _decompress(path) as stream:
        head = stream.read(_HEAD)
    if head.startswith(_UTF_16):
        return pa.transcoding_input_stream(_decompress(path), "utf-16", "utf-8")
    if b"\0" in head:
        kinds = (kind for magic, kind in _BINARY.items() if head.startswith(magic))
        what = f"is {next(kinds, 'not text in UTF-8')}; save the table as CSV or Parquet"
        raise SettingError(f"data={path}: {what}")
    return _decompress(path)


def _decompress(path: Path) -> "pa.NativeFile":
    import pyarrow as pa

    with path.open("rb") as file:
        head = file.read(len(_XZ))
    if head == _XZ:
        return pa.PythonFile(lzma.open(path), mode="r")
    compression = next((c for magic, c in _COMPRESSED.items() if head.startswith(magic)), None)
    # Arrow replaces a leading ~ in a path.
    return pa.input_stream(path.absolute(), compression=compression)
