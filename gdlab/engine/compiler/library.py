"""Compile C source to a function with the system's C compiler; the library is cached on disk."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from gdlab.engine.compiler.cache import load_cached
from gdlab.engine.compiler.program import Uncompilable

# The compiler may only do what leaves every bit as it is: it fuses a product into a sum only where
# the source says so. That arithmetic does not trap or set errno allows vector loops.
_FLAGS = ("-O2", "-ftree-vectorize", "-std=gnu11", "-fPIC", "-shared", "-w")
_STRICT = ("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
# These would move parts of a step into branches or behind them: a loop with branches has no vector
# form in GCC, neither have conditions that depend on conditions.
_STRAIGHT = ("-fno-tree-pre", "-fno-tree-sink", "-fno-thread-jumps")
# GCC would merge the sine and cosine of the same number into one call that has no vector form.
_NO_SINCOS = tuple(f"-fno-builtin-{name}" for name in ("sin", "cos", "sinf", "cosf"))
_OPTIONS = (*_FLAGS, *_STRICT, *_STRAIGHT, *_NO_SINCOS)
_VECTORS = ('-DVECTOR=__attribute__((simd("notinbranch")))', "-DHAS_VECTORS=1", "-lmvec")
_NO_VECTORS = ("-DVECTOR=", "-DHAS_VECTORS=0")
_ATTEMPTS = (
    ("-march=native", "-mprefer-vector-width=512", "-fopenmp-simd", *_VECTORS),
    ("-march=native", "-fopenmp-simd", *_NO_VECTORS),
    _NO_VECTORS,
)
_MAX_MESSAGE = 200


def load_function(source: str, name: str) -> Callable[..., Any]:
    """Return a function of a C source, compiled now or before.

    Raises:
        Uncompilable: there is no C compiler, or it rejects the source.
    """
    return getattr(load_library(source), name)


@cache
def load_library(source: str) -> ctypes.CDLL:
    """Load the library of a C source, from the cache on disk if it was compiled before."""
    compiler = _find_compiler()
    machine = f"{platform.platform()} {platform.processor()} {cpu_features()}"
    key = "\0".join((source, compiler, repr((_OPTIONS, _ATTEMPTS)), machine))
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    return load_cached(f"{name}.so", partial(_compile, compiler, source), _load)


def _load(path: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(path))


def _find_compiler() -> str:
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        path = shutil.which(name) if name else None
        if path:
            return path
    raise Uncompilable("no C compiler found (cc, gcc, clang or $CC)")


def compiler_version() -> str:
    """Return the first line that the C compiler says of itself; "none" if there is none."""
    try:
        command = [_find_compiler(), "--version"]
    except Uncompilable:
        return "none"
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    return process.stdout.partition("\n")[0]


def cpu_features() -> str:
    """Return the CPU's features, on which `-march=native` depends; empty where it does not say."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text("utf-8").splitlines() if cpu.is_file() else []
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _compile(compiler: str, source: str, output: Path) -> None:
    """Compile a C source to a shared library.

    Raises:
        Uncompilable: the compiler rejects the source.
    """
    code, message = output.with_suffix(".c"), ""
    code.write_text(source, "utf-8")
    for attempt in _ATTEMPTS:
        command = [compiler, *_OPTIONS, str(code), *attempt]
        command += ["-lm", "-Wl,--no-undefined", "-o", str(output)]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        if process.returncode == 0:
            return
        message = " ".join(process.stderr.split())[:_MAX_MESSAGE]
    raise Uncompilable(f"{compiler} cannot compile the step: {message}")
