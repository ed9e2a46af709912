"""The machines of a sweep's shards are noted, and where they differ the summary says so."""

import pytest
from helpers.command import TABLES

from gdlab.sweeps import machine


def test_a_fingerprint_says_what_the_last_bits_depend_on():
    names = [name for name, _ in machine.fingerprint()]
    assert names == ["torch", "libc", "compiler", "CPU", "BLAS"]
    assert all(value for _, value in machine.fingerprint())


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_summary_says_in_what_machines_differ(elsewhere, here, gd, monkeypatch):
    words = ("-m", "lr=0.1,0.2", "seed=range(4)", "steps=5", *TABLES, "engine.max_rows=4")
    assert "machines" not in gd(*words, "hydra.sweep.dir=s").out
    (here / "s" / "shards" / "00001.parquet").unlink()
    if elsewhere:
        here_is = dict(machine.fingerprint())
        other = {**here_is, "torch": "1.0", "compiler": "none"}
        monkeypatch.setattr(machine, "fingerprint", lambda: tuple(other.items()))
    out = gd("resume=s").out
    said = "  machines        they differ in torch, compiler: so may last bits between shards"
    assert (said in out.splitlines()) == elsewhere
