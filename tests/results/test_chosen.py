"""A recorded run is called by what was chosen, not by its class."""

from pathlib import Path
from typing import Any

import pytest

import gdlab
from gdlab.recording.digests import VerifiedFiles, begin_digests, write_with_digest
from gdlab.results.chosen import choice_like, recorded_choices

SGD, LOSSES = "gdlab.optimizers.SGD", "gdlab.losses"

# group, class and fields of a node, and the choice in conf
NODES: list[tuple[str, dict[str, Any], str]] = [
    ("optimizer", {"_target_": SGD, "momentum": 0.9, "nesterov": False}, "momentum"),
    ("optimizer", {"_target_": SGD, "momentum": 0.9, "nesterov": True}, "nesterov"),
    ("optimizer", {"_target_": SGD, "momentum": 0.95, "nesterov": False}, ""),
    ("optimizer", {"_target_": "gdlab.optimizers.Adam", "eps": 1.0}, ""),
    ("loss", {"_target_": f"{LOSSES}.Bard"}, "mgh/bard"),
    ("loss", {"_target_": f"{LOSSES}.Rosenbrock", "a": 1.0, "b": 100.0}, "rosenbrock"),
    ("loss", {"_target_": "my_module.Mine"}, ""),
    ("schedule", {"_target_": "gdlab.schedules.Constant"}, "constant"),
]


@pytest.mark.parametrize(("group", "node", "name"), NODES)
def test_class_and_fields_tell_the_choice(group: str, node: dict[str, Any], name: str) -> None:
    assert choice_like(group, node) == name


def test_the_choices_that_hydra_left_come_first(tmp_path: Path) -> None:
    begin_digests(tmp_path)
    (tmp_path / ".hydra").mkdir()
    write_with_digest(tmp_path, ".hydra/config.yaml", b"lr: 0.1\n")
    about = b"hydra:\n  runtime:\n    choices:\n      optimizer: nesterov\n      loss: custom\n"
    config = {"optimizer": {"_target_": SGD, "momentum": 0.5}}
    (tmp_path / ".hydra/hydra.yaml").write_bytes(about)  # not listed: not read
    assert recorded_choices(VerifiedFiles(tmp_path), config) == {}
    write_with_digest(tmp_path, ".hydra/hydra.yaml", about)
    assert recorded_choices(VerifiedFiles(tmp_path), config) == {"optimizer": "nesterov"}
    (tmp_path / ".hydra/hydra.yaml").write_bytes(about + b" ")
    with pytest.raises(gdlab.RecordError, match="it differs from its digest"):
        recorded_choices(VerifiedFiles(tmp_path), config)


def test_a_run_from_python_leaves_its_choices(tmp_path: Path) -> None:
    plain: dict[str, Any] = {"steps": 2, "record.figures": False, "record.events": False}
    gdlab.run("mgh/bard", "momentum", momentum=0.5, directory=tmp_path / "run", **plain)
    recorded = gdlab.load(tmp_path / "run")
    assert repr(recorded).startswith("Recorded run(mgh/bard, momentum, lr=")
