"""The kernels in C against NumPy and mpmath."""

import ctypes
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import mpmath
import numpy as np
import pytest

from gdlab.engine.compiler.library import load_library

DTYPES = {"double": np.float64, "float": np.float32}
ENTRIES = """
void tanh_all(long n, const T *a, T *out) { for (long i = 0; i < n; i++) out[i] = TANH(a[i]); }
T sum_all(long n, const T *a) { return sum_of(n, a); }
T greatest_all(long n, const T *a) { return greatest_of(n, a); }
void multiply(long M, long K, long m, const T *w, const T *a, T *out)
{ product(M, K, m, w, K, 1, a, m, out, m); }
void add_outer(long M, long K, long m, const T *d, const T *a, T *out)
{ outer(M, K, m, d, m, a, m, out, K, 1); }
void transpose_all(T *a) { transpose((V *)a); }
"""


@pytest.fixture(scope="module", params=DTYPES)
def kernels(request: Any) -> tuple[ctypes.CDLL, Any]:
    """The kernels for one type of numbers, and the type in NumPy."""
    name = request.param
    suffix = "" if name == "double" else "f"
    head = f"typedef {name} T;\n#define ONE (T)1\n#define FMA __builtin_fma{suffix}\n"
    head += "#define IS_DOUBLE\n" if name == "double" else ""
    code = (files("gdlab.engine.compiler.arrays") / "kernels.c").read_text("utf-8")
    library = load_library(head + code + ENTRIES)
    for function in (library.sum_all, library.greatest_all):
        function.restype = ctypes.c_double if name == "double" else ctypes.c_float
    return library, DTYPES[name]


def aligned(values: np.ndarray) -> np.ndarray:
    """A copy whose numbers begin at a multiple of 64 bytes."""
    memory = np.empty(values.nbytes + 64, dtype=np.uint8)
    first = -memory.ctypes.data % 64
    copy = memory[first : first + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy


def call(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of C with numbers and arrays."""
    return function(
        *(
            ctypes.c_void_p(arg.ctypes.data) if isinstance(arg, np.ndarray) else ctypes.c_long(arg)
            for arg in args
        )
    )


def test_tanh_is_that_of_mpmath(kernels: tuple[ctypes.CDLL, Any]) -> None:
    library, dtype = kernels
    x = np.concatenate((np.geomspace(1e-30, 30, 1500), np.linspace(0.1, 1, 1500))).astype(dtype)
    x *= np.where(np.arange(len(x)) % 2, 1, -1).astype(dtype)
    found = np.empty_like(x)
    call(library.tanh_all, len(x), x, found)
    with mpmath.workdps(40):
        exact = [mpmath.tanh(mpmath.mpf(float(value))) for value in x]
        errors = [abs((mpmath.mpf(float(a)) - b) / b) for a, b in zip(found, exact, strict=True)]
    # Observed 1.4 units of 2⁻⁵² in double, 1.3 of 2⁻²³ in float.
    assert max(errors) < 2 * np.finfo(dtype).eps


def test_tanh_of_special_numbers(kernels: tuple[ctypes.CDLL, Any]) -> None:
    library, dtype = kernels
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30], dtype)
    found = np.empty_like(x)
    call(library.tanh_all, len(x), x, found)
    np.testing.assert_array_equal(found, np.tanh(x))
    assert np.signbit(found[1])


@pytest.mark.parametrize("n", [1, 7, 16, 37, 200])
def test_sums_and_maxima(kernels: tuple[ctypes.CDLL, Any], n: int) -> None:
    library, dtype = kernels
    values = np.random.default_rng(n).normal(size=n).astype(dtype)
    error = abs(call(library.sum_all, n, values) - values.sum(dtype=np.float64))
    assert error <= np.finfo(dtype).eps * np.abs(values).sum()  # observed 0.14 of it
    assert call(library.greatest_all, n, values) == values.max()
    values[n // 2] = np.nan
    assert np.isnan(call(library.greatest_all, n, values))


SHAPES = [(1, 1, 1), (3, 2, 2), (4, 4, 4), (5, 7, 5), (16, 9, 13)]  # M, K, vectors of examples
SHAPES += [(1, 1, 9), (1, 11, 13), (1, 31, 8), (11, 1, 5), (7, 3, 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_products(kernels: tuple[ctypes.CDLL, Any], shape: tuple[int, int, int]) -> None:
    library, dtype = kernels
    (m, k, vectors), lanes = shape, 64 // np.dtype(dtype).itemsize
    draw, n = np.random.default_rng(m), vectors * lanes
    weights, a = (aligned(draw.normal(size=s).astype(dtype)) for s in ((m, k), (k, n)))
    out = aligned(np.empty((m, n), dtype))
    call(library.multiply, m, k, n, weights, a, out)
    tolerance = 16 * np.finfo(dtype).eps  # observed 3 units
    np.testing.assert_allclose(out, weights @ a, rtol=0, atol=tolerance * np.sqrt(k))
    slopes, sums = aligned(draw.normal(size=(m, n)).astype(dtype)), np.ones((m, k), dtype)
    call(library.add_outer, m, k, n, slopes, a, sums)
    np.testing.assert_allclose(sums, 1 + slopes @ a.T, rtol=0, atol=tolerance * np.sqrt(n))


def test_transposed_vectors(kernels: tuple[ctypes.CDLL, Any]) -> None:
    library, dtype = kernels
    lanes = 64 // np.dtype(dtype).itemsize
    before = np.arange(lanes**2, dtype=dtype).reshape(lanes, lanes)
    after = aligned(before)
    call(library.transpose_all, after)
    np.testing.assert_array_equal(after, before.T)
