"""Compile CUDA C for one kind of GPU by NVRTC; what was compiled is cached on disk.

A program for the GPU's own architecture needs no compiler in the driver, whose version may be older
than NVRTC's. NVRTC needs neither a GPU nor a driver.
"""

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

from gdlab.engine.compiler.cache import load_cached
from gdlab.engine.compiler.program import Uncompilable

# Every operation rounds as in the source; quotients, roots and denormal numbers are exact.
_OPTIONS = ("--fmad=false", "--prec-div=true", "--prec-sqrt=true", "--ftz=false", "-w")
_MAX_MESSAGE = 200


def bindings(name: str) -> Any:
    """Return a module of `cuda.bindings`.

    Raises:
        Uncompilable: it is not installed.
    """
    try:
        return import_module(f"cuda.bindings.{name}")
    except ImportError as error:
        needs = "compiled steps on a GPU need pip install 'gdlab[cuda]'"
        raise Uncompilable(f"{needs} ({error})") from error


def compile_cached(source: str, architecture: str) -> bytes:
    """Return the program of a CUDA C source, compiled now or before.

    Args:
        source: CUDA C.
        architecture: of the GPU, such as sm_90.

    Raises:
        Uncompilable: NVRTC is not installed, or rejects the source.
    """
    nvrtc = bindings("nvrtc")
    version = _call(nvrtc, "nvrtcVersion")
    key = "\0".join((source, architecture, repr(version), repr(_OPTIONS)))
    name = hashlib.sha256(key.encode()).hexdigest()[:32]

    def store(output: Path) -> None:
        output.write_bytes(compile_source(source, architecture))

    return load_cached(f"{name}.cubin", store, Path.read_bytes)


def compile_source(source: str, architecture: str) -> bytes:
    """Return the program of a CUDA C source.

    Args:
        source: CUDA C.
        architecture: of the GPU, such as sm_90; compute_90 for its assembly language, PTX.

    Raises:
        Uncompilable: NVRTC is not installed, or rejects the source.
    """
    nvrtc = bindings("nvrtc")
    options = [option.encode() for option in (f"--gpu-architecture={architecture}", *_OPTIONS)]
    program = _call(nvrtc, "nvrtcCreateProgram", source.encode(), b"step.cu", 0, [], [])
    try:
        (code,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        if code != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            log = _read(nvrtc, program, "ProgramLog").rstrip(b"\0").decode(errors="replace")
            message = " ".join(log.split())[:_MAX_MESSAGE]
            raise Uncompilable(f"NVRTC cannot compile the step: {message}")
        return _read(nvrtc, program, "PTX" if architecture.startswith("compute") else "CUBIN")
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _read(nvrtc: Any, program: Any, name: str) -> bytes:
    """Return what a program has: its log or its code."""
    content = bytes(_call(nvrtc, f"nvrtcGet{name}Size", program))
    _call(nvrtc, f"nvrtcGet{name}", program, content)
    return content


def _call(nvrtc: Any, name: str, *arguments: Any) -> Any:
    """Call a function of NVRTC and return what it gives: nothing, one value or several.

    Raises:
        Uncompilable: it fails.
    """
    code, *values = getattr(nvrtc, name)(*arguments)
    if code != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise Uncompilable(f"{name} failed: {code.name}")
    return values[0] if len(values) == 1 else values
