"""Garbage is collected again once the process has started."""

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


def test_nothing_is_collected_until_the_start_is_done() -> None:
    startup.pause_garbage_collection()
    assert not gc.isenabled()
    startup.resume_garbage_collection()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_done_alone_changes_nothing() -> None:
    startup.resume_garbage_collection()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
