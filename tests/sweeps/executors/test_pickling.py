"""Shards on their way to other processes: the settings of a group go once."""

import dataclasses
import pickle
import threading
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import cloudpickle
import numpy as np
import pytest

from gdlab.config.loading import settings_from_flat
from gdlab.config.settings import Settings
from gdlab.errors import SettingError
from gdlab.sweeps.executors.driver import _prepare
from gdlab.sweeps.executors.pickling import (
    Packer,
    Parcel,
    _Received,
    pack_bytes,
    run_parcel,
    unpack_bytes,
)
from gdlab.sweeps.executors.work import Work
from gdlab.sweeps.grid import Axis, product
from gdlab.sweeps.grouping import group_runs
from gdlab.sweeps.plan import Plan


@pytest.fixture
def works() -> list[Work]:
    """Four shards, of two groups."""
    names = ["sgd", "adam"]
    grid = product([Axis("optimizer", names, names), Axis.of_numbers("seed", range(8))])
    engine = {"steps": 5, "engine.mode": "compiled"}

    def compose(overrides: Sequence[str]) -> Settings:
        optimizer, seed = (text.partition("=")[2] for text in overrides)
        return settings_from_flat({**engine, "optimizer": optimizer, "seed": int(seed)})

    plan = Plan(grid, tuple(group_runs(grid, compose)), (None, None), rows=4)
    return [*_prepare(plan, dict(enumerate(plan.shards())), None, one_thread=True)]


def test_the_settings_of_a_group_are_pickled_once_and_unpickled_once(works: list[Work]) -> None:
    packer, received = Packer(), _Received()
    parcels = [packer.pack(work) for work in works]
    is_same = [one.settings is other.settings for one, other in pairwise(parcels)]
    assert is_same == [True, False, True]
    came = [received.unpack(pickle.loads(pickle.dumps(parcel))) for parcel in parcels]
    assert came[0].shard.settings is came[1].shard.settings
    assert came[2].shard.settings is came[3].shard.settings
    for work, copy in zip(works, came, strict=True):
        assert repr(copy.shard.settings) == repr(work.shard.settings)
        assert (copy.number, copy.varied) == (work.number, work.varied)
        assert np.array_equal(copy.shard.runs, work.shard.runs)


class Nobody:
    """A board that nobody reads."""

    def is_stopped(self) -> bool:
        return False

    def note(self, shard: int, rows: Any) -> None:
        pass


def test_compiled_steps_serve_the_next_shard_of_a_group_in_the_same_thread(
    works: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    received = _Received()
    monkeypatch.setattr("gdlab.sweeps.executors.pickling._received", received)
    packer, steps = Packer(), []

    def run(works: list[Work]) -> None:
        for work in works:
            run_parcel(packer.pack(work), "processes", Nobody(), 0)
            steps.append(received.steps.last)

    run(works)
    other = threading.Thread(target=run, args=(works[:1],))
    other.start()
    other.join()
    assert steps[0] is steps[1] and steps[2] is steps[3]
    assert len({*map(id, steps)}) == 3


def test_settings_that_cannot_be_read_are_refused_each_time(works: list[Work]) -> None:
    good = Packer().pack(works[0])
    bad = Parcel(b"another", b"not a pickle", good.rest)
    for _ in range(2):
        with pytest.raises(SettingError, match="processes: another process cannot load the sweep"):
            run_parcel(bad, "processes", Nobody(), 0)
    table = run_parcel(good, "processes", Nobody(), 0)
    assert table is not None and table["run"].to_pylist() == works[0].shard.runs.tolist()


def test_packed_bytes_are_the_same_and_fewer() -> None:
    content = np.arange(8192).tobytes()
    packed = pack_bytes(content)
    assert unpack_bytes(packed, len(content)) == content
    assert len(packed) < len(content) / 4  # a ninth


def test_fields_without_a_default_stay_so_on_their_way() -> None:
    assert pickle.loads(cloudpickle.dumps(dataclasses.MISSING)) is dataclasses.MISSING
