"""Whole comparisons, small: what tuning chooses, what is scored, and resuming."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gdlab
from gdlab.bench import contest_file
from gdlab.bench.comparison import SCORES, Comparison, finish, prepare
from gdlab.bench.contest import DEFAULT, FLOAT32, SCORE, SHARED, TRACKS, TUNED, ULP, Contest, Rules
from gdlab.bench.runner import Interrupted, Watch, run_contest
from gdlab.bench.standings import chaotic, track_of
from gdlab.bench.suites import load_suite
from gdlab.errors import SettingError
from gdlab.recording.digests import begin_digests, write_with_digest

SUITE = """
budget: 60
targets: [0.1, 1.0e-3]
start_spread: 0.2
problems:
  booth: {}
  narrow: {loss: quadratic, loss.condition: 50.0}
  noise: {loss: sphere, noise.scale: 0.3}
"""
RULES = {"trials": 8, "tuning_seeds": 2, "finalists": 2, "seeds": 4, "chaos": 2}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / "own.yaml"
    path.write_text(SUITE)
    return path


@pytest.fixture(scope="module")
def contest(suite: Path) -> Contest:
    return prepare(["sgd", "momentum", "lbfgs"], suite, "serial", RULES)


@pytest.fixture(scope="module")
def found(contest: Contest, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    directory = tmp_path_factory.mktemp("found")
    contest_file.save(contest, directory)
    return finish(contest, directory, report=False)


def test_scores_are_on_seeds_that_tuning_cannot_see() -> None:
    rules = Rules(seed=7)
    every = [*rules.seeds_to_tune, *rules.seeds_of_finals, *rules.seeds_to_score]
    assert len(set(every)) == 3 + 3 + 20
    most = Rules(tuning_seeds=2**31)
    assert most.seed + 2 * most.tuning_seeds <= most.seeds_to_score[0]
    with pytest.raises(SettingError, match="tuning_seeds"):
        Rules(tuning_seeds=2**31 + 1)


@pytest.mark.parametrize(
    ("rules", "finals"),
    [
        (Rules(), 4),
        (Rules(trials=47), 2),
        (Rules(trials=16), 0),  # one of one is no choice
        (Rules(finalists=0), 0),
        (Rules(finalists=1), 0),
        (Rules(trials=3, finalists=9), 3),
    ],
)
def test_finalists_are_one_in_16_of_the_trials_or_as_many_as_asked(
    rules: Rules, finals: int
) -> None:
    assert rules.finals == finals


def test_every_optimizer_gets_as_many_trials_and_scores(found: Comparison) -> None:
    counts = found.scores.groupby(["optimizer", "problem", "track", "variant"]).size()
    assert counts.xs(SCORE, level="variant").unique().tolist() == [4]
    for variant in (FLOAT32, ULP):
        assert counts.xs(variant, level="variant").unique().tolist() == [2]
    assert len(found.scores) == 8 * (3 * 4 + 2 * 2)  # lbfgs does not fit the noise
    assert found.contest.run_counts() == (8 * (8 + 2 * 2) * 2, len(found.scores))
    obstacles = [cell.obstacle for cell in found.contest.cells if cell.obstacle]
    assert obstacles == ["noise=0.3: must be 0 with LBFGS, which evaluates the loss itself"]


def test_a_score_is_that_of_the_same_run_alone(found: Comparison) -> None:
    scores = found.scores
    for (entrant, problem), settings in found.tuned.settings.items():
        name = found.contest.entrants[entrant].name
        about = found.contest.suite.problems[problem]
        for at, track in enumerate(TRACKS):
            rows = scores[
                (scores["optimizer"] == name)
                & (scores["problem"] == about.name)
                & (scores["track"] == track)
                & (scores["variant"] == SCORE)
            ]
            row = rows.iloc[1]
            chosen = {key: column[at].tolist() for key, column in settings.items()}
            asked: Any = {**about.settings, "optimizer": name, **chosen}
            run = gdlab.run(**asked, seed=int(row["seed"]))
            assert run.outcome.evaluations == row["evaluations"]
            for target in about.targets:
                column = f"evaluations_to_{target:g}"
                alone = run.outcome.metrics[column]
                assert (alone is None and pd.isna(row[column])) or alone == row[column]


def test_tuning_chooses_the_least_mean_cost_of_the_finalists(
    contest: Contest, found: Comparison
) -> None:
    sgd = [cell for cell in contest.playing if cell.entrant == 0]
    rates = contest.entrants[0].space.trials(8)["lr"]
    costs = {}
    for cell in sgd:
        about = contest.suite.problems[cell.problem]
        asked: Any = {**about.settings, "optimizer": "sgd", "lr": rates, "seed": range(4)}
        ends = gdlab.sweep(**asked).results
        spent = ends[[f"evaluations_to_{target:g}" for target in about.targets]]
        cost = np.log10((spent / 60).fillna(10.0)).mean(axis=1).to_numpy().reshape(len(rates), 4)
        costs[cell.problem] = np.stack([cost[:, :2].mean(1), cost.mean(1)], axis=1)

    def best(costs: np.ndarray) -> float:
        """Return the least of all runs among the two trials that are best by the first half."""
        return costs[np.argsort(costs[:, 0], kind="stable")[:2], 1].min()

    total = np.mean(list(costs.values()), 0)
    for cell in sgd:
        own, shared = found.tuned.trials[0, cell.problem]
        here = costs[cell.problem]
        assert here[own, 1] == pytest.approx(best(here), abs=1e-12)
        assert total[shared, 1] == pytest.approx(best(total), abs=1e-12)
        column = found.tuned.settings[0, cell.problem]["lr"]
        assert column.tolist() == [rates[own], rates[shared], 0.1]


def test_standings_are_those_of_a_recomputation_from_the_file(found: Comparison) -> None:
    assert found.directory is not None
    table: Any = pd.read_parquet(found.directory / SCORES)
    for track in TRACKS:
        standing = found.track(track)
        rows = table[(table["track"] == track) & (table["variant"] == "")]
        for at, name in enumerate(standing.optimizers):
            own = rows[rows["optimizer"] == name]
            columns = own[["evaluations_to_0.1", "evaluations_to_0.001"]]
            pairs = len(standing.problems) * 4
            assert standing.solved[at] == pytest.approx(columns.notna().sum() / pairs)
            cost = np.log10((columns / 60).fillna(10.0)).mean(axis=1)
            padded = [*cost, *[1.0] * (pairs - len(cost))]  # a problem that it does not fit
            assert standing.mean_cost[at] == pytest.approx(np.mean(padded), rel=1e-12)
            assert standing.typical[at, 1] == pytest.approx(10 ** np.median(padded), rel=1e-12)
        booth = rows[(rows["optimizer"] == "sgd") & (rows["problem"] == "booth")]
        spent = booth["evaluations_to_0.001"]
        total = spent.fillna(booth["evaluations"]).sum()
        expected = total / spent.notna().sum() if spent.notna().any() else np.inf
        assert standing.expected[0, 0, 1] == pytest.approx(expected)


def test_what_was_interrupted_ends_with_the_same_bits(contest: Contest, tmp_path: Path) -> None:
    tuned, whole = run_contest(contest, None)
    directory = tmp_path / "own"
    directory.mkdir()
    contest_file.save(contest, directory)
    for folder, ended in (("tuning", 3), ("finals", 2), ("scoring", 5)):
        shards = directory / folder

        def after(shards: Path = shards, ended: int = ended) -> bool:
            return shards.is_dir() and len(list(shards.glob("*.parquet"))) >= ended

        with pytest.raises(Interrupted):
            run_contest(contest_file.load(directory), directory, Watch(interrupted=after))
        assert ended <= len(list(shards.glob("*.parquet"))) < 24
    again, rest = run_contest(contest_file.load(directory), directory)
    assert again.trials == tuned.trials
    pd.testing.assert_frame_equal(
        rest.drop(columns="seconds"), whole.drop(columns="seconds"), check_exact=True
    )


def test_standings_are_computed_once(found: Comparison) -> None:
    assert found.track(DEFAULT) is found.tracks[DEFAULT]
    assert found.notes is found.notes
    with pytest.raises(SettingError, match="track=tunde: must be one of tuned, shared, default"):
        found.track("tunde")


def test_a_comparison_of_an_earlier_version_has_no_finals(
    contest: Contest, found: Comparison, tmp_path: Path
) -> None:
    assert found.directory is not None
    written = json.loads((found.directory / contest_file.CONTEST).read_text())
    assert written["rules"].pop("finalists") == 2
    begin_digests(tmp_path)
    write_with_digest(tmp_path, contest_file.CONTEST, json.dumps(written).encode())
    assert contest_file.load(tmp_path).rules.finalists == 0


def test_rounding_that_changes_who_is_better_is_told(found: Comparison) -> None:
    assert chaotic(found.scores) == []
    scores = found.scores.copy()
    single = (scores["variant"] == FLOAT32) & (scores["problem"] == "booth")
    columns = ["evaluations_to_0.1", "evaluations_to_0.001"]
    scores.loc[single & (scores["optimizer"] == "lbfgs"), columns] = np.nan
    assert chaotic(scores) == ["booth"]


def test_a_planted_better_optimizer_is_found(found: Comparison) -> None:
    twin = found.scores[found.scores["optimizer"] == "momentum"].assign(optimizer="halved")
    spent = [name for name in twin if str(name).startswith("evaluations")]
    twin[spent] = twin[spent] / 2
    scores = pd.concat([found.scores, twin])
    standing = track_of(scores, TUNED)
    names = list(standing.optimizers)
    at, planted = names.index("momentum"), names.index("halved")
    assert standing.ranks[planted] < standing.ranks[at]
    assert standing.p_values[planted, at] < 0.05


def test_shares_are_of_the_problems_that_fit(found: Comparison) -> None:
    track = found.track()
    fitting = track.plays[:, :, None] & np.ones_like(track.status, dtype=bool)
    open_ended = {
        "status": np.where(fitting, "max_steps", ""),
        "diagnosis": np.where(fitting, "descending", ""),
    }
    diverged = {"status": np.where(fitting, "diverged", "")}
    assert sorted(track.plays.sum(1)) == [2, 3, 3]
    assert (dataclasses.replace(track, **open_ended).unsettled == 1).all()
    assert (dataclasses.replace(track, **diverged).lost == 1).all()


def test_words_name_ties_and_what_to_take_with_care(found: Comparison) -> None:
    text = str(found)
    assert "tuned for each problem" in text
    assert "default settings, untuned" in text
    assert "lbfgs does not fit noise: noise=0.3" in text
    assert repr(found).startswith("Comparison(own: 3 optimizers, 3 problems; best tuned: ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trials": 0}, "trials=0"),
        ({"seedz": 3}, "seedz"),
        ({"chaos": -1}, "chaos=-1"),
        ({"budget": 1}, "budget=1"),
    ],
)
def test_wrong_rules_are_refused(suite: Path, change: dict[str, int], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        prepare(["sgd"], suite, "serial", change)


def test_an_optimizer_may_fit_some_problems_only(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("budget: 9\nminimum: 0\nproblems: {sphere: {}, mlp: {loss.widths: [2]}}")
    contest = prepare(["muon", "exact", "gauss_newton", "sgd"], path, "serial", {})
    fitting = [(cell.entrant, cell.problem) for cell in contest.playing]
    # A matrix of weights; a quadratic; residuals, which neither loss has.
    assert sorted(fitting) == [(0, 1), (1, 0), (3, 0), (3, 1)]


def test_an_optimizer_that_fits_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("budget: 9\nproblems: {sphere: {noise.scale: 1.0}}")
    with pytest.raises(SettingError, match="must be 0 with LBFGS"):
        prepare(["lbfgs"], path, "serial", {})
    assert load_suite(str(path)).name == "own"


def test_the_default_track_is_that_of_the_file(found: Comparison) -> None:
    assert [found.track(name).status.shape for name in (TUNED, SHARED, DEFAULT)] == [(3, 3, 4)] * 3
