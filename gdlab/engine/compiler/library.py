"""C source to a function: by the machine's C compiler, kept on disk for the next time."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from gdlab.engine.compiler.program import Uncompilable

# No product is fused into a sum but where the source says so, and no test for traps: what the
# compiler may do is what leaves every bit as it is.
_FLAGS = ("-O2", "-ftree-vectorize", "-std=gnu11", "-fPIC", "-shared", "-w")
_STRICT = ("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
# A sine and a cosine of the same number would become one call that has no vector form.
_APART = tuple(f"-fno-builtin-{name}" for name in ("sin", "cos", "sinf", "cosf"))
_SIMD = '-DVECTOR=__attribute__((simd("notinbranch")))'
_ATTEMPTS = (
    ("-march=native", "-mprefer-vector-width=512", "-fopenmp-simd", _SIMD, "-lmvec"),
    ("-march=native", "-fopenmp-simd", "-DVECTOR="),
    ("-DVECTOR=",),
)
_LONGEST_MESSAGE = 200


def load_function(source: str, name: str) -> Callable[..., Any]:
    """A function of a C source, compiled now or before.

    Raises:
        Uncompilable: there is no C compiler, or it refuses the source.
    """
    return getattr(_loaded(source), name)


@cache
def _loaded(source: str) -> ctypes.CDLL:
    compiler = _compiler()
    key = "\0".join((source, compiler, repr((_FLAGS, _STRICT, _APART, _ATTEMPTS)), _machine()))
    path = _directory() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.so"
    if not path.is_file():
        _compile(compiler, source, path)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise Uncompilable(f"{path} cannot be loaded: {error}") from error


def _compiler() -> str:
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise Uncompilable("there is no C compiler (cc, gcc, clang, or what CC names)")


def _machine() -> str:
    """What the compiler's `native` depends on."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text("utf-8").splitlines() if cpu.is_file() else []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.platform()} {platform.processor()} {features}"


def _directory() -> Path:
    """Where compiled steps are kept: the user's cache, or a new directory where that fails."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    path = Path(cache_home).expanduser() / "gdlab"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError):  # a file in the way, no home
        return _scratch()
    return path if os.access(path, os.W_OK) else _scratch()


@cache
def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="gdlab-"))


def _compile(compiler: str, source: str, path: Path) -> None:
    """Compile into a file beside `path`, then move it there whole."""
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        text, made = Path(scratch) / "step.c", Path(scratch) / "step.so"
        text.write_text(source, "utf-8")
        message = ""
        for attempt in _ATTEMPTS:
            command = [compiler, *_FLAGS, *_STRICT, *_APART, str(text), *attempt]
            command += ["-lm", "-Wl,--no-undefined", "-o", str(made)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                made.replace(path)
                return
            message = " ".join(done.stderr.split())[:_LONGEST_MESSAGE]
    raise Uncompilable(f"{compiler} refuses the step: {message}")
