"""Every experiment's finding, run anew."""

from pathlib import Path

import numpy as np
import pytest

import gdlab
from gdlab.__main__ import main

ROOT = Path(__file__).resolve().parent.parent


def names() -> set[str]:
    return {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of experiment=zigzag."""
    folder = tmp_path_factory.mktemp("zigzag") / "run"
    with pytest.raises(SystemExit) as exit_:
        main(["experiment=zigzag", f"hydra.run.dir={folder}", "record.figures=false"])
    assert exit_.value.code == 0
    return folder


def test_each_experiment_has_its_page_and_is_listed() -> None:
    index = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
    assert names()
    for name in names():
        page = ROOT / "experiments" / name / "README.md"
        assert f"experiment={name}" in page.read_text(encoding="utf-8")
        assert f"({name}/README.md)" in index


def test_zigzag_follows_the_closed_form(ran: Path) -> None:
    recorded = gdlab.load(ran)
    history = recorded.history()
    step, loss = history["step"].to_numpy(), history["loss"].to_numpy()
    # Observed: 3e-14.
    np.testing.assert_allclose(loss, 5050 * (99 / 101) ** (2 * step), rtol=1e-12)
    assert recorded.results["status"].tolist() == ["target"]
    assert recorded.results["steps"].tolist() == [559]


def test_zigzag_changes_sides_at_every_step(ran: Path) -> None:
    x1 = gdlab.load(ran).history()["x1"].to_numpy()
    assert (x1[1:] * x1[:-1] < 0).all()
