"""The wheel: built here, installed without network, run from an empty folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.files import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *arguments], check=True, capture_output=True)


def inside(files: Path, folder: str) -> set[str]:
    return {
        path.relative_to(files).as_posix()
        for path in (files / folder).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_wheel_carries_conf_experiments_data_and_types(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = inside(ROOT, "conf") | inside(ROOT, "experiments")
    assert wanted
    assert {f"gdlab/{name}" for name in wanted} <= packed
    assert {"gdlab/py.typed", "gdlab/data/line3.csv", "gdlab/data/diabetes.csv"} <= packed
    for folder in ("data", "viewer/page"):
        assert {f"gdlab/{name}" for name in inside(ROOT / "gdlab", folder)} <= packed
    assert "gdlab/viewer/page/plugin.js" in packed


def test_wheel_runs_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    where = "import gdlab, sys; print(gdlab.__file__, file=sys.stderr); "
    program = f"{where}from gdlab.__main__ import main; main(['experiment=zigzag'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert str(installed) in done.stderr
    assert "target: the loss fell to stop.loss=1e-06 at step 559" in done.stdout
    (run,) = (tmp_path / "runs").iterdir()
    assert {"result.json", "history.parquet", "trajectory.png"} <= {p.name for p in run.iterdir()}


def test_script_is_the_module_and_tensorboard_finds_the_tab(installed: Path) -> None:
    (entries,) = installed.glob("gdlab-*.dist-info/entry_points.txt")
    text = entries.read_text()
    assert "gdlab = gdlab.__main__:main" in text
    assert "[tensorboard_plugins]" in text
    assert " = gdlab.board.plugin:TrajectoriesPlugin" in text
