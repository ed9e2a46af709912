"""gdlab where the environment is unusual: each condition at once, since each process takes 2 s."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.files import result

import gdlab
from gdlab.paths import PACKAGE

NOTEBOOK = "module://matplotlib_inline.backend_inline"  # what `!gdlab` in Jupyter gets


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither umask nor HOME")
def test_an_unusual_environment_changes_nothing(tmp_path):
    (tmp_path / "hydra_plugins.py").write_text("")  # in the way of Hydra's package
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "MPLBACKEND": NOTEBOOK}
    environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{PACKAGE.parent}"
    environment.pop("HOME", None)
    # Started as a file, gdlab's folder is where Python looks first.
    command = [sys.executable, PACKAGE / "__main__.py", "steps=3", "hydra.run.dir=run"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, umask=0o077, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "2/?_max" in done.stdout.decode("cp1252")
    assert result(tmp_path / "run")["steps"] == 3
    files = list((tmp_path / "run").rglob("*"))
    assert {"trajectory.png", "convergence.png"} <= {file.name for file in files}
    assert not any(stat.S_IMODE(file.stat().st_mode) & 0o077 for file in files)


def test_eight_threads_run_at_once():
    def run(seed: int) -> list[float]:
        settings = {"noise": 0.1, "steps": 20, "start": "random", "seed": seed}
        return gdlab.run("rosenbrock", "adam", lr=0.1, **settings).history.loss.tolist()

    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(run, range(8)))
    assert together == list(map(run, range(8)))
