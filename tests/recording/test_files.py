"""A run has a directory of its own, and its files are whole or absent."""

import json
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.recording import files
from gdlab.recording.files import claim_directory, write_atomically
from gdlab.recording.result_file import versions, write_result

# Claims


def test_the_next_free_name_is_claimed(tmp_path):
    wanted = tmp_path / "runs" / "lr=0.1"
    claimed = [claim_directory(wanted, exact=False).name for _ in range(3)]
    assert claimed == ["lr=0.1", "lr=0.1-2", "lr=0.1-3"]
    (tmp_path / "runs" / "lr=0.1-2").rmdir()
    assert claim_directory(wanted, exact=False).name == "lr=0.1-2"


def test_a_file_in_the_way_is_not_replaced(tmp_path):
    (tmp_path / "run").write_text("a file")
    assert claim_directory(tmp_path / "run", exact=False).name == "run-2"
    with pytest.raises(SettingError, match="cannot be made"):
        claim_directory(tmp_path / "run", exact=True)
    assert (tmp_path / "run").read_text() == "a file"


def test_an_exact_directory_may_exist_if_it_is_empty(tmp_path):
    wanted = tmp_path / "a" / "b"
    assert claim_directory(wanted, exact=True) == wanted
    assert claim_directory(wanted, exact=True) == wanted
    (wanted / ".hidden").touch()
    with pytest.raises(SettingError, match=r"hydra.run.dir=.*/b: is not empty, and a run needs"):
        claim_directory(wanted, exact=True)
    assert os.listdir(wanted) == [".hidden"]


def test_an_error_names_the_setting_that_gave_the_path(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(SettingError, match=r"^hydra\.sweep\.dir=.*/full: is not empty"):
        claim_directory(tmp_path / "full", exact=True, setting="hydra.sweep.dir")
    for exact in (True, False):
        with pytest.raises(SettingError, match=r"^directory=.*/file/run: cannot be made"):
            claim_directory(tmp_path / "full" / "file" / "run", exact=exact, setting="directory")


def test_leftovers_do_not_count(tmp_path):
    (tmp_path / "left").touch()
    assert claim_directory(tmp_path, exact=True, leftovers={"left", "other"}) == tmp_path
    (tmp_path / "more").touch()
    with pytest.raises(SettingError, match="is not empty"):
        claim_directory(tmp_path, exact=True, leftovers={"left", "other"})
    assert sorted(os.listdir(tmp_path)) == ["left", "more"]


def test_simultaneous_claims_get_different_directories(tmp_path):
    threads, rounds = 16, 20
    together = threading.Barrier(threads)

    def claims(_: int) -> list[Path]:
        together.wait(timeout=60)
        return [claim_directory(tmp_path / "new" / "same", exact=False) for _ in range(rounds)]

    with ThreadPoolExecutor(threads) as pool:
        claimed = [path for paths in pool.map(claims, range(threads)) for path in paths]
    assert len(set(claimed)) == threads * rounds
    assert set(claimed) == set((tmp_path / "new").iterdir())


@pytest.mark.parametrize("exact", [True, False])
def test_a_failed_claim_leaves_no_parents(exact, tmp_path):
    (tmp_path / "kept").mkdir()
    for wanted in (tmp_path / "a" / "b" / (300 * "x"), tmp_path / "kept" / "c" / (300 * "x")):
        with pytest.raises(SettingError, match=r"cannot be made \(File name too long\)"):
            claim_directory(wanted, exact=exact)
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


# Whole files


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "file"
    for content in (b"old", b"", b"new\0" * 100_000):
        write_atomically(path, content)
        assert path.read_bytes() == content
        assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_keeps_the_old_file(broken, error, tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(files.os, broken, fail)
    with pytest.raises(type(error)):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


# result.json

OUTCOME = Outcome(
    status=Status.DIVERGED,
    reason="“λ” is too large",
    steps=3,
    final_loss=0.1 + 0.2,
    best_loss=5e-324,
    best_step=2,
    grad_norm=math.inf,
    x=np.array([1 / 3, math.nan, -math.inf, -0.0]),
    distance=None,
    suboptimality=math.nan,
    evaluations=4,
    diagnosis="unstable",
    explanation="unstable: λ",
    lr_limit=0.5,
)
FIELDS = [
    *("status", "reason", "steps", "final_loss", "best_loss", "best_step", "grad_norm", "x"),
    *("distance", "suboptimality", "evaluations", "diagnosis", "explanation", "lr_limit"),
    *("seconds", "seed", "mode", "mode_reason", "versions"),
]


def test_a_result_is_strict_json_with_every_field(tmp_path):
    write_result(tmp_path, OUTCOME, seed=2**62 + 1, seconds=1.25)
    text = (tmp_path / "result.json").read_text(encoding="utf-8")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    result = json.loads(text, parse_constant=refuse)
    assert list(result) == FIELDS
    assert result.pop("versions") == versions()
    assert result == {
        "status": "diverged",
        "reason": "“λ” is too large",
        "steps": 3,
        "final_loss": 0.30000000000000004,
        "best_loss": 5e-324,
        "best_step": 2,
        "grad_norm": None,
        "x": [1 / 3, None, None, -0.0],
        "distance": None,
        "suboptimality": None,
        "evaluations": 4,
        "diagnosis": "unstable",
        "explanation": "unstable: λ",
        "lr_limit": 0.5,
        "seconds": 1.25,
        "seed": 2**62 + 1,
        "mode": "eager",
        "mode_reason": None,
    }
    assert text.endswith("}\n")


def test_the_versions_are_those_of_the_packages(tmp_path):
    import platform

    import torch

    import gdlab

    assert versions() == {
        "gdlab": gdlab.__version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
