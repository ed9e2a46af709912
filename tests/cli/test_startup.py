"""Garbage collection is off during imports and on afterwards."""

import gc
from collections.abc import Iterator

import pytest

from gdlab.cli import startup


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.enable()
    gc.freeze()  # as tests/conftest.py left it


def test_collection_is_off_until_it_is_resumed() -> None:
    startup.pause_garbage_collection()
    assert not gc.isenabled()
    startup.resume_garbage_collection()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_resuming_without_a_pause_changes_nothing() -> None:
    startup.resume_garbage_collection()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
