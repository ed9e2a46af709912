"""The command line as a fixture."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import Done

from gdlab.__main__ import main


@pytest.fixture
def here(tmp_path, monkeypatch) -> Iterator[Path]:
    """An empty working directory; modules imported from it are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", ["gdlab"])
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def gd(here, capsys) -> Callable[..., Done]:
    """The command line in this process."""

    def call(*arguments: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, *capsys.readouterr())

    return call
