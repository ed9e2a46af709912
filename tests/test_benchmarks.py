"""The benchmarks: their imports from gdlab exist, also in the programs that they start."""

import re
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))
IMPORT = re.compile(r"^from gdlab[\w.]* import [\w, ]+$", re.MULTILINE)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_imports_of_a_benchmark_exist(script: Path) -> None:
    for statement in IMPORT.findall(script.read_text("utf-8")):
        exec(statement, {})
