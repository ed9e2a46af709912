"""Sweeps with device=cuda: tables as on the CPU, shards that memory does not hold, one process."""

import gc
import os
import weakref
from collections.abc import Callable
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import pytest
import torch
from helpers.pretended_cuda import pretended_cuda
from torch import Tensor

import gdlab
from gdlab.engine.rows import Rows
from gdlab.fields.declared import Number
from gdlab.losses import MLP, Loss, Sphere
from gdlab.optimizers import SGD
from gdlab.sweeps.executors.choice import with_shards_for
from gdlab.sweeps.grid import Grid
from gdlab.sweeps.plan import Group, Plan
from gdlab.sweeps.shard import run_group
from gdlab.sweeps.side_by_side import run_side_by_side
from sweeps.test_shard import Kept, group_of, ran, settings_for

NOT_COMPARED = {"seconds"}


def test_a_sweep_has_the_tables_of_one_on_the_cpu(gd, here) -> None:
    words = ("-m", "loss=rosenbrock,quadratic", "optimizer=adam,wolfe", "steps=3")
    words += ("engine.mode=eager", "engine.max_rows=1", "record.max_run_dirs=1")
    words += ("record.events=false", "start_spread=0.1")
    assert gd(*words, "hydra.sweep.dir=cpu").code == 0
    with pretended_cuda():
        assert gd(*words, "device=cuda", "hydra.sweep.dir=gpu").code == 0
        (here / "gpu/shards").joinpath(sorted(os.listdir(here / "gpu/shards"))[2]).unlink()
        assert gd("resume=gpu").code == 0
    on_cpu, on_gpu = (gdlab.load(here / name).results for name in ("cpu", "gpu"))
    kept = [name for name in on_cpu if name not in NOT_COMPARED]
    assert on_gpu[kept].equals(on_cpu[kept])
    files = [sorted(p.name for p in (here / name).rglob("*")) for name in ("cpu", "gpu")]
    assert files[0] == files[1]
    assert "history.parquet" in files[0]


def test_nothing_is_forked_where_there_is_a_gpu() -> None:
    with pretended_cuda():
        assert set(run_side_by_side([os.getpid] * 3, 3)) == {os.getpid()}


# Shards: most runs, memory in GiB, loss, dtype, and the size of the shards
SIZES = [
    (None, 80, Sphere(), "float64", 2**20),
    (1000, 8, Sphere(), "float64", 1000),
    (None, 8, Sphere(dim=1000), "float64", 4192),
    (None, 8, Sphere(dim=1000), "float32", 8384),
    (None, 8, MLP(), "float64", 4608),
    (None, 1, Sphere(dim=10**6), "float64", 32),
]


@pytest.mark.parametrize(("most", "gib", "loss", "dtype", "rows"), SIZES)
def test_a_shard_has_the_runs_that_fit(most, gib, loss, dtype, rows) -> None:
    engine = gdlab.Engine(max_rows=most)
    settings = settings_for(loss, dtype=dtype, engine=engine, device="cuda")
    group = Group(settings, {}, np.arange(1))
    with pretended_cuda() as device:
        device.total_memory = gib * 2**30
        for executor in ("serial", "processes"):
            plan = with_shards_for(
                Plan(Grid((), np.zeros((1, 0), int)), (group,), (None,)), executor
            )
            assert (plan.rows, plan.executor) == (rows, "serial")


# Memory

SAID = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.15 GiB of "
    "which 1.20 GiB is free. Including non-PyTorch memory, this process has 77.94 GiB in use."
)
LACKS = (
    "out of memory on the GPU: 20.00 GiB more were needed, and of 79.15 GiB only 1.20 GiB were "
    "free; dtype=float32 and a smaller loss.batch_size need less, device=cpu none"
)


class Heavy(Loss):
    """A bowl of which a device has room for 4 runs, fewer where they need more than one place."""

    need: Number = 1.0
    dim: int = 2  # type: ignore[assignment]
    batches: ClassVar[list[int]] = []
    alive: ClassVar[list[weakref.ref[Tensor]]] = []

    elementwise = False  # type: ignore[assignment]  # so that no row is added

    @property
    def start(self) -> Tensor:
        """Return (1, 2)."""
        return self.tensor([1.0, 2.0])

    def __call__(self, x: Tensor) -> Tensor:
        """Return |x|², if there is memory."""
        need = torch.as_tensor(self.need).expand(x.shape[:-1])
        if float(need.sum()) > 4:
            self.alive.append(weakref.ref(x))
            raise torch.cuda.OutOfMemoryError(SAID)
        assert not any(kept() is not None for kept in self.alive), "the memory was not freed"
        self.batches.append(len(need))
        return (x**2).sum(-1)


def run_heavy(**columns: Any) -> dict[int, Any]:
    """How runs end that do not fit together, by their numbers; no garbage is collected."""
    Heavy.batches.clear()
    Heavy.alive.clear()
    gc.collect()
    gc.disable()
    try:
        with patch("torch.cuda.empty_cache") as emptied:
            finished, ended, kept = ran(group_of(settings_for(Heavy(), steps=2), columns))
    finally:
        gc.enable()
    assert emptied.call_count == len(ended) - 1
    assert len(kept.forgotten) >= len(finished)
    return finished


def test_a_shard_that_memory_does_not_hold_is_cut() -> None:
    lr = np.linspace(0.1, 0.4, 10)
    finished = run_heavy(lr=lr)
    assert max(Heavy.batches) == 3  # of 10 runs the halves have 5, and theirs 2 and 3
    losses = [run.outcome.final_loss for run in finished.values()]
    np.testing.assert_allclose(losses, 5 * (1 - 2 * lr) ** 4, rtol=1e-14)


def test_only_a_run_that_does_not_fit_alone_fails() -> None:
    finished = run_heavy(**{"loss.need": [1.0, 1.0, 9.0, 1.0]})
    reasons = [run.outcome.reason for run in finished.values()]
    assert reasons[2] == f"{LACKS} (after step 0)"
    assert [run.outcome.status.name for run in finished.values()] == [
        *("MAX_STEPS", "MAX_STEPS", "FAILED", "MAX_STEPS")
    ]


def above(most: int, call: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a batch for which there is no memory if it has more runs."""

    def limited(batch: Any, *arguments: Any) -> Any:
        if len(batch.lr) > most:
            raise torch.cuda.OutOfMemoryError(SAID)
        return call(batch, *arguments)

    return limited


# What needs memory besides the loss, and the runs for which it suffices
ELSEWHERE = [
    ("gdlab.engine.rows.Rows.of", Rows.of, 2, "MAX_STEPS"),
    ("gdlab.engine.rows.Rows.of", Rows.of, 0, "FAILED"),
    ("gdlab.sweeps.shard.diagnose", lambda batch, outcomes: None, 2, "MAX_STEPS"),
    ("gdlab.sweeps.shard.diagnose", lambda batch, outcomes: None, 0, "MAX_STEPS"),
]


@pytest.mark.parametrize(("name", "call", "most", "status"), ELSEWHERE)
def test_so_is_one_for_which_there_is_none_besides_the_loss(name, call, most, status) -> None:
    group = group_of(settings_for(Sphere(), steps=2), {"lr": np.linspace(0.1, 0.4, 5)})
    with patch(name, above(most, call)):
        ended = list(run_group(group, Kept()))
    assert len(ended) == (3 if most else 5)
    for part in ended:
        for row in range(len(part.runs)):
            outcome = part.outcomes[row]
            assert outcome.status.name == status
            assert (outcome.reason == f"{LACKS} (after step 0)") == (status == "FAILED")


def test_one_run_whose_start_does_not_fit_is_refused() -> None:
    with pytest.raises(gdlab.SettingError) as refused:
        gdlab.run(Heavy(need=5.0))
    assert str(refused.value) == f"loss=Heavy: {LACKS}"


class Broken(Sphere):
    """A loss with which CUDA fails, so that this process can use it no more."""

    calls: ClassVar[list[Tensor]] = []

    def __call__(self, x: Tensor) -> Tensor:
        """Fail."""
        self.calls.append(x)
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


def test_no_run_is_blamed_where_cuda_fails() -> None:
    group = group_of(settings_for(Broken(), SGD()), {"lr": [0.1, 0.2, 0.3]})
    with pytest.raises(RuntimeError, match="illegal memory access"):
        list(run_group(group))
    assert len(Broken.calls) == 1
