"""Recorded runs, made once for all tests of the board."""

from pathlib import Path

import pytest
from helpers.recorded import make_runs


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_runs(tmp_path_factory.mktemp("runs"))
