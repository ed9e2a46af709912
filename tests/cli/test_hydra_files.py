"""The `.hydra` files are those that a plain Hydra program writes."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.command import BASIC, QUIET, STOCK
from helpers.files import result

import gdlab
from gdlab.cli.hydra_internals import defaults_of_hydra
from gdlab.paths import CONF

PROGRAM = """
import hydra

@hydra.main(config_path={conf!r}, config_name="config", **{defaults!r})
def main(config):
    pass

if __name__ == "__main__":
    main()
"""

# In hydra.yaml only the directory may differ, as typed and as an absolute path.
COMPARED = [
    ("lr=0.05", "optimizer=adam", "loss.dim=3"),
    ("++lr=0.05", "schedule=cosine", "~optimizer.momentum", "hydra.verbose=true"),
    ("start=[1,2]", "hydra.mode=RUN", "experiment=zigzag"),
]


def run_plain_hydra(directory: Path, *arguments: str) -> None:
    """Give the same arguments to a plain Hydra program."""
    script = directory / "stock.py"
    script.write_text(PROGRAM.format(conf=str(CONF), defaults=defaults_of_hydra()))
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def hydra_files(directory: Path) -> dict[str, str]:
    """Return what Hydra wrote, without the name of the directory."""
    found = sorted(directory.rglob(".hydra/*.yaml")) + sorted(directory.glob("multirun.yaml"))
    return {
        path.relative_to(directory).as_posix(): path.read_text()
        .replace(str(directory), "DIRECTORY")
        .replace(f"dir: {directory.name}\n", "dir: DIRECTORY\n")
        .replace(f".dir={directory.name}\n", ".dir=DIRECTORY\n")
        for path in found
    }


@pytest.mark.parametrize("arguments", COMPARED)
def test_the_files_are_those_of_plain_hydra(arguments, gd, here):
    typed = (*arguments, "steps=2", *QUIET)
    run_plain_hydra(here, *typed, "hydra.run.dir=stock")
    assert gd(*typed, "hydra.run.dir=own").code == 0
    own = hydra_files(here / "own")
    assert set(own) == {".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"}
    assert own == hydra_files(here / "stock")


def test_in_default_directories_only_the_time_differs(gd, here):
    run_plain_hydra(here, "steps=2", *QUIET)
    (stock_run,) = (here / "runs").iterdir()
    stock_run = stock_run.rename(here / "stock")
    assert gd("steps=2", *QUIET).code == 0
    (own_run,) = (here / "runs").iterdir()
    own = (own_run / ".hydra" / "hydra.yaml").read_text().splitlines()
    other = (stock_run / ".hydra" / "hydra.yaml").read_text().splitlines()
    different = [pair for pair in zip(own, other, strict=True) if pair[0] != pair[1]]
    assert [mine.split(":")[0].strip() for mine, _ in different] in ([], ["output_dir"])


def test_a_sweep_by_hydras_own_launcher(gd, here):
    typed = ("-m", "lr=0.1,0.01", "steps=5", *STOCK)
    run_plain_hydra(here, *typed, "hydra.sweep.dir=stock")
    done = gd(*typed, "hydra.sweep.dir=own")
    assert (done.code, done.err) == (0, "")
    assert hydra_files(here / "own") == hydra_files(here / "stock")
    runs = [here / "own" / name for name in ("lr=0.1,steps=5", "lr=0.01,steps=5")]
    for directory, lr in zip(runs, (0.1, 0.01), strict=True):
        expected = gdlab.run(lr=lr, steps=5).outcome
        assert result(directory)["final_loss"] == expected.final_loss
        assert (directory / "trajectory.png").is_file()
    before = {path: path.stat().st_mtime_ns for path in (here / "own").rglob("*")}
    for words in (typed, ("-m", "lr=0.1,abc"), ("-m", "lr=0.1")):
        again = gd(*words, "hydra.sweep.dir=own")
        assert (again.code, again.out, again.err.count("\n")) == (2, "", 1)
    assert "hydra.sweep.dir=own: is not empty, and a run needs its own" in again.err
    assert {path: path.stat().st_mtime_ns for path in (here / "own").rglob("*")} == before


def test_two_sweeps_that_begin_at_once_have_their_own_directories(gd, here):
    name = "s-${hydra:runtime.choices.loss}"  # where the default has the time
    (here / "conf").mkdir()
    (here / "conf" / "mine.yaml").write_text(
        f"defaults: [config, _self_]\nhydra: {{sweep: {{dir: '{name}'}}}}\n"
    )
    typed = ("-m", "--config-dir", "conf", "--config-name", "mine", "lr=0.1", "steps=1")
    for _ in range(2):
        assert gd(*typed, *QUIET, *BASIC).code == 0
    for directory in ("s-quadratic", "s-quadratic-2"):
        assert len(gdlab.load(directory).results) == 1


@pytest.mark.parametrize("launcher", [(), BASIC], ids=["batched", "basic"])
def test_values_of_the_environment_stay_out_of_the_configuration(launcher, gd, here, monkeypatch):
    monkeypatch.setenv("GDLAB_TEST_DATA", "from-outside")
    (here / "from-outside.csv").write_text("a,y\n1,2\n2,3\n3,5\n")
    data = ("loss=mse", "loss.data=${oc.env:GDLAB_TEST_DATA}.csv")
    done = gd("-m", *data, "lr=0.01,0.02", "steps=2", "hydra.sweep.dir=s", *QUIET, *launcher)
    assert (done.code, done.err) == (0, "")
    written = [path.read_text() for path in (here / "s").rglob("*.yaml")]
    assert len(written) == 7  # three of each run, multirun.yaml
    assert not any("from-outside" in text for text in written)
    configs = [path.read_text() for path in (here / "s").rglob("config.yaml")]
    assert all("data: ${oc.env:GDLAB_TEST_DATA}.csv" in text for text in configs)
