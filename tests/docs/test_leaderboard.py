"""The page of the leaderboard, on a comparison of two optimizers and three problems."""

import re
from pathlib import Path

import leaderboard_data
import pandas as pd
import pytest
from leaderboard_data import keep
from leaderboard_optimizers import edges_of, places_of
from leaderboard_page import write

from gdlab.bench import contest_file
from gdlab.bench.comparison import finish, prepare
from gdlab.bench.contest import TUNED
from gdlab.bench.files import Files

pytestmark = pytest.mark.site
SUITE = """
budget: 60
targets: [0.1, 1.0e-3]
start_spread: 0.2
problems:
  booth: {}
  nar_row: {loss: quadratic, loss.condition: 500.0}
  noise: {loss: sphere, noise.scale: 0.3}
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaderboard")
    (folder / "own.yaml").write_text(SUITE)
    entered = {"sgd": "sgd", "my_lbfgs": "lbfgs"}
    rules = {"trials": 4, "tuning_seeds": 1, "seeds": 3, "chaos": 1}
    contest = prepare(entered, folder / "own.yaml", "serial", rules)
    (folder / "found").mkdir()
    contest_file.save(contest, folder / "found")
    finish(contest, folder / "found", report=False)
    return folder / "found"


@pytest.fixture(scope="module")
def kept(source: Path) -> Path:
    keep(source, source.parent / "kept")
    return source.parent / "kept"


@pytest.fixture(scope="module")
def page(kept: Path) -> str:
    write(kept, kept.parent)
    return (kept.parent / "leaderboard.md").read_text()


def test_what_is_kept_has_the_same_standings(source: Path, kept: Path) -> None:
    whole, own = (Files.read(folder).tracks[TUNED] for folder in (source, kept))
    assert (own.mean_cost == whole.mean_cost).all()
    assert (own.ranks == whole.ranks).all()
    assert own.optimizers == whole.optimizers
    assert Files.read(kept).about["data"] == []


def test_too_many_bytes_are_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaderboard_data, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match=r"bytes, must be at most 100"):
        keep(source, tmp_path / "kept")


def test_wins_and_losses_are_those_of_the_scores(kept: Path, page: str) -> None:
    files = Files.read(kept)
    track = files.tracks[TUNED]
    places = places_of(track)
    # sgd does not solve a condition of 500 in 60 evaluations; lbfgs does not fit noise.
    assert track.optimizers == ["sgd", "my_lbfgs"]
    assert places.best.tolist() == [[False, False, True], [True, True, False]]
    assert places.unsolved.tolist()[0][1]
    assert places.worst.tolist() == [[True, True, False], [False, False, False]]
    assert "| among the best | 2 of 2: booth, nar\\_row |" in page
    scores = pd.read_parquet(kept / "scores.parquet")
    rows = scores[(scores["optimizer"] == "my_lbfgs") & (scores["track"] == TUNED)]
    rows = rows[(rows["problem"] == "booth") & (rows["variant"] == "")]
    expected = rows["evaluations_to_0.001"].mean()
    assert f"| booth | 2 | [my\\_lbfgs](#my_lbfgs) {expected:.0f} |" in page


def test_ends_of_spaces_are_read_from_the_settings(kept: Path) -> None:
    scores = pd.read_parquet(kept / "scores.parquet")
    rows = scores[(scores["optimizer"] == "sgd") & (scores["track"] == TUNED)]
    settings = rows.groupby("problem")["settings"].first()
    chosen = settings.str.removeprefix("lr=").astype(float)
    (space,) = [o["space"] for o in Files.read(kept).about["optimizers"] if o["name"] == "sgd"]
    low, high = space["lr"]["log"]
    width = (high / low) ** 0.05
    found = edges_of(Files.read(kept))["sgd"]
    assert found["lr lowest"] == (chosen < low * width).sum()
    assert found["lr highest"] == (chosen > high / width).sum()


def test_links_and_pictures_lead_somewhere(kept: Path, page: str) -> None:
    headings = {
        line.strip("# ").replace("\\", "").lower() for line in page.splitlines() if "#" in line
    }
    anchors = {heading.replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors
    pictures = re.findall(r"\]\((leaderboard_pictures/[^)]+)\)", page)
    assert len(pictures) == 6
    assert all((kept.parent / picture).is_file() for picture in pictures)
