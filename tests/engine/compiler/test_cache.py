"""Compiled libraries are loaded only if they are intact and the user's own."""

import ctypes
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from gdlab.engine.compiler import cache

SOURCE = "int answer(void) { return 42; }"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


class Compiler:
    """Compiles and counts how often it did."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, path: Path) -> None:
        self.count += 1
        command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)]
        subprocess.run(command, input=SOURCE, text=True, check=True)


@pytest.fixture
def compiler() -> Compiler:
    return Compiler()


def load(compiler: Compiler) -> ctypes.CDLL:
    return cache.load_cached("step.so", compiler, lambda path: ctypes.CDLL(str(path)))


def answer(library: ctypes.CDLL) -> int:
    return library.answer()


def test_a_library_is_compiled_once(home: Path, compiler: Compiler) -> None:
    for _ in range(3):
        assert answer(load(compiler)) == 42
    assert compiler.count == 1
    folder = home / "gdlab"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["step.sha256", "step.so"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())


def test_a_damaged_library_is_compiled_anew(home: Path, compiler: Compiler) -> None:
    load(compiler)
    path, digest = home / "gdlab" / "step.so", home / "gdlab" / "step.sha256"
    whole, draw = path.read_bytes(), random.Random(0)
    damages = [whole[:100], b"", whole[:-1]]
    for _ in range(50):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        damages.append(bytes(flipped))
    for damaged in damages:
        # As a new file: this process has the old one mapped.
        path.unlink()
        path.write_bytes(damaged)
        path.chmod(0o600)
        assert not cache.is_intact(path)
    before = compiler.count
    assert answer(load(compiler)) == 42
    assert compiler.count == before + 1 and cache.is_intact(path)
    digest.write_text("0" * 64)
    assert not cache.is_intact(path)
    digest.unlink()
    assert not cache.is_intact(path)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_loaded(home: Path, compiler: Compiler, mode) -> None:
    load(compiler)
    for name in ("step.so", "step.sha256"):
        path = home / "gdlab" / name
        path.chmod(mode)
        assert not cache.is_intact(home / "gdlab" / "step.so")
        path.chmod(0o600)
    assert cache.is_intact(home / "gdlab" / "step.so")


def test_a_link_is_not_followed(home: Path, compiler: Compiler) -> None:
    load(compiler)
    path = home / "gdlab" / "step.so"
    path.rename(home / "planted.so")
    path.symlink_to(home / "planted.so")
    assert not cache.is_intact(path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to somebody else")
def test_a_file_or_folder_of_another_user_is_not_used(home: Path, compiler: Compiler) -> None:
    load(compiler)
    os.chown(home / "gdlab" / "step.so", 65534, 65534)
    assert not cache.is_intact(home / "gdlab" / "step.so")
    os.chown(home / "gdlab", 65534, 65534)
    assert cache.cache_folder() != home / "gdlab"


def test_a_lax_folder_of_ones_own_is_closed(home: Path) -> None:
    (home / "gdlab").mkdir()
    (home / "gdlab").chmod(0o777)
    assert cache.cache_folder() == home / "gdlab"
    assert (home / "gdlab").stat().st_mode & 0o777 == 0o700


def test_a_file_in_the_way_of_the_folder(home: Path, compiler: Compiler) -> None:
    (home / "gdlab").write_text("in the way")
    assert answer(load(compiler)) == 42


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from gdlab.engine.compiler.cache import cache_folder; print(cache_folder())"
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_dir()


def test_what_a_killed_compilation_left_is_removed_by_the_next(
    tmp_path: Path, compiler: Compiler
) -> None:
    old, new = tmp_path / "tmp-old", tmp_path / "tmp-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "library.c").touch()
    os.utime(old, (0, 0))
    cache._store(tmp_path / "name.so", compiler)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["name.sha256", "name.so", "tmp-new"]
