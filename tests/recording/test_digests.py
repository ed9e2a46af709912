"""Files that are read back are those that were written, or are named in one line."""

import hashlib
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdlab import RecordError
from gdlab.recording import digests
from gdlab.recording.digests import SUMS, VerifiedFiles, append_digest, write_with_digest

TEXT, BLOB = b'{"loss": 0.25}\n', bytes(range(256)) * 20


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    write_with_digest(tmp_path, "result.json", TEXT)
    (tmp_path / "run" / "ü b.parquet").write_bytes(BLOB)
    append_digest(tmp_path, "run/ü b.parquet")
    return tmp_path


def read(directory: Path, name: str) -> bytes:
    with VerifiedFiles(directory).open(name) as file:
        return file.read()


def test_files_are_read_back(directory):
    files = VerifiedFiles(directory)
    assert files.read_text("result.json") == TEXT.decode()
    assert read(directory, "run/ü b.parquet") == BLOB
    assert "result.json" in files and "other" not in files
    assert files.find("*/*.parquet") == ["run/ü b.parquet"]


def test_a_file_is_found_if_it_is_listed_or_exists(directory):
    (directory / "run" / "new.parquet").touch()
    (directory / "run" / "ü b.parquet").unlink()
    files = VerifiedFiles(directory)
    assert files.find("*/*.parquet") == ["run/new.parquet", "run/ü b.parquet"]
    assert not any(name in files for name in files.find("*/*.parquet"))


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="coreutils are not installed")
def test_sha256sum_reads_the_list(directory):
    done = subprocess.run(["sha256sum", "-c", SUMS], cwd=directory, capture_output=True, check=True)
    assert done.stdout.count(b": OK") == 2


def test_a_digest_is_that_of_hashlib(directory):
    first, second = (directory / SUMS).read_text(encoding="utf-8").splitlines()
    assert first == f"{hashlib.sha256(TEXT).hexdigest()}  result.json"
    assert second == f"{hashlib.sha256(BLOB).hexdigest()}  run/ü b.parquet"


@pytest.mark.parametrize("survivor", ["old", "new"])
def test_a_process_killed_between_digest_and_file_leaves_an_intact_file(directory, survivor):
    """The digest of the new content is listed before the file has it."""
    write_with_digest(directory, "result.json", b"{}")
    (directory / "result.json").write_bytes(TEXT if survivor == "old" else b"{}")
    assert read(directory, "result.json") == (TEXT if survivor == "old" else b"{}")


def test_a_digest_comes_before_its_file(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(digests, "write_atomically", fail)
    with pytest.raises(KeyboardInterrupt):
        write_with_digest(tmp_path, "plan.json", TEXT)
    assert [path.name for path in tmp_path.iterdir()] == [SUMS]
    assert "plan.json" not in VerifiedFiles(tmp_path)


@given(place=st.integers(0), bit=st.integers(0, 7), data=st.binary(min_size=1, max_size=300))
def test_any_flipped_bit_of_a_file_is_seen(tmp_path_factory, place, bit, data):
    directory = tmp_path_factory.mktemp("flip")
    write_with_digest(directory, "file", data, durable=False)
    damaged = bytearray(data)
    damaged[place % len(data)] ^= 1 << bit
    (directory / "file").write_bytes(damaged)
    with pytest.raises(RecordError, match=r"file: missing or damaged \(it differs from its digest"):
        read(directory, "file")


def test_any_flipped_bit_of_the_list_is_seen(directory):
    """A damaged list never makes a damaged file pass: it says that one is missing or damaged."""
    whole = (directory / SUMS).read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (directory / SUMS).write_bytes(damaged)
        with pytest.raises(RecordError, match="missing or damaged"):
            for name in ("result.json", "run/ü b.parquet"):
                read(directory, name)


@pytest.mark.parametrize("length", [0, 1, 70, 78, 79, 120])
def test_a_list_that_was_cut_short_lists_what_is_whole(directory, length):
    whole = (directory / SUMS).read_bytes()
    (directory / SUMS).write_bytes(whole[:length])
    # The digest and the name of the first line, with or without the end of the line.
    assert ("result.json" in VerifiedFiles(directory)) == (length >= len(whole.split(b"\n")[0]))
    with pytest.raises(RecordError, match="does not list it"):
        read(directory, "run/ü b.parquet")
    append_digest(directory, "run/ü b.parquet")  # on a line of its own
    assert read(directory, "run/ü b.parquet") == BLOB


def test_a_missing_list_or_file_is_named(directory):
    (directory / "result.json").unlink()
    with pytest.raises(RecordError, match=r"result\.json: missing or damaged \(No such file"):
        read(directory, "result.json")
    (directory / SUMS).unlink()
    with pytest.raises(RecordError, match=f"{SUMS}: missing or damaged"):
        VerifiedFiles(directory)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_link(path: Path) -> None:
    path.symlink_to(path.with_name("run") / "ü b.parquet")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("make", [make_pipe, make_link, make_socket, Path.mkdir])
@pytest.mark.parametrize("name", ["result.json", SUMS])
def test_only_regular_files_are_opened(make, name, directory, monkeypatch):
    """A pipe would wait forever, a device never ends, a link leads out of the directory."""
    monkeypatch.chdir(directory)  # the path of a socket has at most 107 bytes
    Path(name).unlink()
    make(Path(name))
    with pytest.raises(RecordError, match=f"{name}: missing or damaged"):
        read(Path(), "result.json")


def test_no_link_leads_out_of_the_directory(directory, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (directory / "run" / "ü b.parquet").rename(outside / "ü b.parquet")
    (directory / "run").rmdir()
    (directory / "run").symlink_to(outside)
    with pytest.raises(RecordError, match="missing or damaged"):
        read(directory, "run/ü b.parquet")


def test_a_directory_may_itself_be_a_link(directory, tmp_path_factory):
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    link.symlink_to(directory)
    assert read(link, "result.json") == TEXT


def test_a_text_that_is_too_large_is_not_read(directory):
    files = VerifiedFiles(directory)
    assert files.read_text("result.json", len(TEXT)) == TEXT.decode()
    with pytest.raises(RecordError, match="larger than 14 bytes"):
        files.read_text("result.json", len(TEXT) - 1)


def test_a_link_in_place_of_the_list_is_not_written_through(directory):
    target = directory.parent / "elsewhere"
    (directory / SUMS).unlink()
    (directory / SUMS).symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"):
        append_digest(directory, "result.json")
    assert not target.exists()
