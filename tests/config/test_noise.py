"""Noise of both kinds: its distribution, its bits, and its settings."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
import yaml
from helpers.batches import assert_same_bits, finish, make_batch, rows_of
from helpers.command import Done
from losses.cases import Waves

import gdlab
from gdlab.losses import Loss, Rosenbrock
from gdlab.losses.function import Function
from gdlab.numerics import rng
from gdlab.optimizers import Adam

SEED, STEP, COORDINATE = torch.tensor(3), torch.arange(2000)[:, None], torch.arange(10)


def student(dof: float | list[float]) -> np.ndarray:
    """Numbers (2000, 10), with one dof for all or one per column."""
    degrees = torch.tensor(dof, dtype=torch.float64)
    return rng.student_t(SEED, rng.Stream.NOISE, STEP, COORDINATE, degrees).numpy()


# All draws use the same random words, so that their p-values are close.
@pytest.mark.parametrize(
    ("dof", "p"),
    [(1.0, 0.045), (1.5, 0.074), (2.0, 0.082), (3.0, 0.053), (7.5, 0.063), (1e2, 0.083)],
)
def test_draws_follow_students_distribution(dof: float, p: float) -> None:
    draws = student(dof).ravel()
    observed = scipy.stats.kstest(draws, scipy.stats.t(dof).cdf).pvalue
    assert observed > 0.01
    assert observed == pytest.approx(p, abs=0.001)


@pytest.mark.parametrize("dof", [1.0, 2.0, 3.0])
def test_a_similar_distribution_is_rejected(dof: float) -> None:
    draws = student(dof).ravel()
    assert scipy.stats.kstest(draws, scipy.stats.t(1.3 * dof).cdf).pvalue < 1e-3  # observed 3e-5


@pytest.mark.parametrize("seed", [0, 1, 2**62])
def test_other_seeds_follow_that_distribution_too(seed: int) -> None:
    dof = torch.tensor(3.0, dtype=torch.float64)
    draws = rng.student_t(torch.tensor(seed), rng.Stream.NOISE, STEP, COORDINATE, dof).numpy()
    assert scipy.stats.kstest(draws.ravel(), scipy.stats.t(3).cdf).pvalue > 0.01  # observed 0.058


def test_the_tails_are_heavy() -> None:
    draws = np.abs(student(3.0).ravel())
    for quantile in (0.99, 0.999):
        expected = scipy.stats.t(3).ppf((1 + quantile) / 2)
        assert np.quantile(draws, quantile) == pytest.approx(expected, rel=0.15)  # observed 0.05
        assert np.quantile(draws, quantile) > 1.5 * scipy.stats.norm.ppf((1 + quantile) / 2)


def test_with_many_degrees_of_freedom_it_is_gaussian_noise() -> None:
    gaussian = rng.normal(SEED, rng.Stream.NOISE, STEP, COORDINATE).numpy()
    np.testing.assert_allclose(student(1e12), gaussian, rtol=1e-10)  # observed 6e-12
    assert np.abs(student(3.0) - gaussian).max() > 1


def test_no_bit_depends_on_neighbors_or_positions() -> None:
    dof = np.linspace(1, 9, 10).tolist()
    together = student(dof)
    for place in (0, 3, 9):
        for step in (0, 5, 1999):
            alone = rng.student_t(
                SEED,
                rng.Stream.NOISE,
                torch.tensor(step),
                torch.tensor(place),
                torch.tensor(dof[place], dtype=torch.float64),
            )
            assert float(alone) == together[step, place]


def test_the_numbers_of_a_seed_are_fixed() -> None:
    expected = [1.760471831103831, -4.5412713700911205, 1.2145699736118039, -0.2688868526273663]
    # Another library's logarithm may round differently in the last place.
    np.testing.assert_allclose(student(3.0)[:2, :2].ravel(), expected, rtol=1e-14)  # observed 0


# Noise in runs.


def slope(size: int) -> Loss:
    return Function(lambda x: x.sum(), start=(0.0,) * size)


def test_the_noise_of_runs_has_the_given_scale_and_dof() -> None:
    dof, scale = [2.5, 8.0], [0.5, 2.0]
    batch = make_batch(slope(8), lr=[1.0] * 2, noise=scale, steps=1000)
    runs = finish(replace(batch, dof=torch.tensor(dof, dtype=torch.float64)))
    for run, degrees, size in zip(runs, dof, scale, strict=True):
        draws = (-np.diff(run.history.x, axis=0) - 1).ravel() / size
        assert len(draws) == 8000
        assert scipy.stats.kstest(draws, scipy.stats.t(degrees).cdf).pvalue > 0.05  # observed 0.25
    # Beyond two degrees of freedom the standard deviation is scale · √(dof / (dof − 2)).
    draws = -np.diff(runs[1].history.x, axis=0) - 1
    assert draws.std() == pytest.approx(2 * np.sqrt(8 / 6), rel=0.05)  # observed 0.006


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_a_row_equals_its_single_run(mode: str) -> None:
    rates, dof = np.geomspace(1e-4, 1e-1, 40), torch.linspace(1, 30, 40).double()
    batch = make_batch(Waves(), Adam(), rates, noise=np.linspace(0, 1, 40).tolist(), steps=80)
    batch = replace(batch, mode=mode, dof=dof)
    together = finish(batch)
    for row in (0, 17, 39):
        (alone,) = finish(replace(rows_of(batch, [row]), dof=dof[[row]]))
        assert alone.outcome.mode == mode
        assert_same_bits(together[row], alone)
    gaussian = finish(replace(batch, dof=None))
    assert not np.array_equal(gaussian[17].history.x, together[17].history.x)


def test_rows_keep_their_dof_when_others_leave() -> None:
    # Large rates end early, so that the rows left behind move up.
    batch = make_batch(Rosenbrock(), lr=np.geomspace(1, 1e-4, 40), noise=0.1, steps=300)
    dof = torch.linspace(1, 30, 40).double()
    together = finish(replace(batch, dof=dof))
    assert len({run.outcome.steps for run in together}) > 3
    (alone,) = finish(replace(rows_of(batch, [39]), dof=dof[[39]]))
    assert_same_bits(together[39], alone)


def test_noise_from_python_as_a_number_and_in_full() -> None:
    short, full = gdlab.run(noise=0.1, steps=9), gdlab.run(noise=gdlab.Noise(scale=0.1), steps=9)
    assert short.history.x.tobytes() == full.history.x.tobytes()
    heavy = [gdlab.Noise("student_t", scale=0.1, dof=dof) for dof in (3.0, 5.0)]
    runs = [gdlab.run(noise=noise, steps=9).outcome.final_loss for noise in heavy]
    given: dict[str, Any] = {"noise": 0.1, "noise.kind": "student_t", "noise.dof": [3.0, 5.0]}
    swept = gdlab.sweep(steps=9, **given)
    assert swept.results["final_loss"].tolist() == runs
    assert len(set(runs)) == 2
    assert gdlab.sweep(steps=9, noise=heavy).results["final_loss"].tolist() == runs
    several = gdlab.sweep(steps=9, noise=[0.0, 0.1]).results
    assert several["noise.scale"].tolist() == [0.0, 0.1]
    assert several["final_loss"].tolist()[1] == short.outcome.final_loss


TYPED = [
    (("noise=0.1",), ("gaussian", 0.1, 3.0)),
    (("noise.scale=0.1",), ("gaussian", 0.1, 3.0)),
    (("noise=0.1", "noise.kind=student_t"), ("student_t", 0.1, 3.0)),
    (("noise.kind=student_t", "noise=0.1", "noise.dof=5"), ("student_t", 0.1, 5.0)),
    (("noise={kind:student_t,scale:0.2}",), ("student_t", 0.2, 3.0)),
]


@pytest.mark.parametrize(("words", "expected"), TYPED)
def test_noise_works_as_typed(
    words: tuple[str, ...], expected: tuple[str, float, float], gd: Callable[..., Done], here: Any
) -> None:
    quiet = ("record.figures=false", "record.events=false", "hydra.run.dir=run", "steps=3")
    assert gd(*words, *quiet).code == 0
    config = yaml.safe_load((here / "run" / ".hydra" / "config.yaml").read_text())
    assert tuple(config["noise"].values()) == expected
