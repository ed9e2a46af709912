"""Recorded runs, made once for all tests of the viewer."""

from pathlib import Path

import pytest
from helpers.recorded import runs_below


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs_below(tmp_path_factory.getbasetemp())
