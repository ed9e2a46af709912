"""BFGS and L-BFGS compared with SciPy's, on the shorter problems of benchmarks/solvers.py."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SLOW = {"mgh10", "mgh17", "mgh18", "mgh19", "mgh20_n6", "mgh20_n9", "mgh20_n12", "mgh24_n4"}
"""Left to the benchmark: hundreds of steps, or many residuals."""


@pytest.fixture(scope="module")
def solvers() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "solvers.py"
    spec = importlib.util.spec_from_file_location("solvers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("ours", "theirs"), [("gdlab bfgs", "SciPy BFGS"), ("gdlab lbfgs", "SciPy L-BFGS-B")]
)
def test_as_many_problems_within_twice_the_evaluations(
    solvers: ModuleType, ours: str, theirs: str
) -> None:
    problems = {name: loss for name, loss in solvers.PROBLEMS.items() if name not in SLOW}
    one, other = (solvers.evaluations(solvers.SOLVERS[name], problems) for name in (ours, theirs))
    assert len(problems) == 33
    assert all(np.isfinite(one[name]) for name in problems if np.isfinite(other[name]))
    ratios = solvers.ratios_of(one, other)
    assert len(ratios) >= 28
    assert max(ratios) <= 3  # observed 1.67; counts of SciPy, on BLAS, vary with the CPU
    assert np.median(ratios) <= 1.2  # observed 1.0


def test_a_profile_counts_the_problems_within_each_ratio(solvers: ModuleType) -> None:
    names = list(solvers.PROBLEMS)
    fast, slow = dict.fromkeys(names, 10.0), dict.fromkeys(names, 25.0) | {names[0]: np.inf}
    shares = solvers.profile({"fast": fast, "slow": slow}, (1.0, 2.0, 3.0))
    assert shares["fast"] == [1, 1, 1]
    assert shares["slow"] == [0, 0, (len(names) - 1) / len(names)]
