"""NVRTC compiles the steps of every loss and optimizer; this needs neither a GPU nor a driver."""

from pathlib import Path

import pytest
from helpers.programs import SEARCHES, batch_of_names, cuda_source, names_of

from gdlab.engine.compiled import check_compilable
from gdlab.engine.compiled_on_cuda import check_compilable_on_cuda
from gdlab.engine.compiler.cuda import nvrtc
from gdlab.engine.compiler.program import Uncompilable
from gdlab.errors import SettingError

pytest.importorskip("cuda.bindings.nvrtc", reason="pip install -e '.[cuda]'")
pytestmark = pytest.mark.cuda

PTX, H100 = "compute_90", "sm_90"
LOSSES, OPTIMIZERS = names_of("loss"), names_of("optimizer")
TOO_LONG = {
    (loss, optimizer)
    for loss in ("mgh/gulf", "mgh/osborne2")
    for optimizer in ("lookahead", "schedule_free")
}
"""Steps of more than 6,000 operations, which have no compiled form anywhere."""


@pytest.mark.parametrize("loss", LOSSES)
def test_every_optimizer_on_a_loss(loss: str) -> None:
    for number, optimizer in enumerate(sorted({*OPTIMIZERS} - SEARCHES - {"muon"})):
        # Each pair in one precision, with or without records; each loss in all four ways.
        batch = batch_of_names(loss, optimizer, dtype=("float64", "float32")[number % 2])
        check_compilable(batch)
        check_compilable_on_cuda(batch)
        try:
            program = nvrtc.compile_source(cuda_source(batch, recorded=number % 4 < 2), PTX)
        except Uncompilable as error:
            assert (loss, optimizer) in TOO_LONG and "more than 6000 operations" in str(error)
        else:
            assert b".entry advance" in program


@pytest.mark.parametrize("optimizer", sorted({*OPTIMIZERS} - SEARCHES - {"muon"}))
def test_every_optimizer_for_an_architecture(optimizer: str) -> None:
    source = cuda_source(batch_of_names("goldstein_price", optimizer))
    assert nvrtc.compile_source(source, H100).startswith(b"\x7fELF")


@pytest.mark.parametrize("optimizer", sorted(SEARCHES))
def test_what_torch_computes_says_why(optimizer: str) -> None:
    with pytest.raises(Uncompilable, match=r"device=cuda: .* are computed by torch"):
        check_compilable_on_cuda(batch_of_names("rosenbrock", optimizer))


def test_muon_needs_a_matrix() -> None:
    with pytest.raises(SettingError, match="needs a loss with a matrix"):
        batch = batch_of_names("rosenbrock", "muon")
        cuda_source(batch)


def test_sums_and_products_are_not_contracted() -> None:
    source = 'extern "C" __global__ void advance(double *x) { x[0] = x[0] * x[1] + x[2]; }'
    program = nvrtc.compile_source(source, PTX)
    assert b"mul.rn.f64" in program or b"mul.f64" in program
    assert b"fma" not in program


def test_a_program_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = cuda_source(batch_of_names("sphere", "sgd"))
    first = nvrtc.compile_cached(source, H100)
    monkeypatch.setattr(nvrtc, "compile_source", None)
    assert nvrtc.compile_cached(source, H100) == first
    (kept,) = tmp_path.glob("gdlab/*.cubin")
    assert kept.read_bytes() == first


def test_a_source_that_is_wrong() -> None:
    with pytest.raises(Uncompilable, match=r"NVRTC cannot compile the step: step.cu\(1\): error"):
        nvrtc.compile_source("int x = ;", H100)
