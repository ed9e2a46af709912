"""`stability.png`: the sharpness beside 2/lr."""

import io

import numpy as np
import pytest
from PIL import Image

import gdlab
from gdlab.engine.history import History
from gdlab.engine.metrics import SHARPNESS
from gdlab.plots.colors import CATEGORIES
from gdlab.plots.stability import SharpnessPath, stability_png
from gdlab.recording.run_plots import sharpness_path
from gdlab.sweeps import plots

N = 200


def rising(edge: float, *, gap: int = 10, height: float = 1.0) -> SharpnessPath:
    """A run whose sharpness rises to `height` times 2/lr, known at every `gap`-th step."""
    step = np.arange(N + 1)
    sharpness = np.where(step % gap == 0, height * edge * np.minimum(1, step / 100), np.nan)
    lr = np.where(step < N, 2 / edge, np.nan)
    return SharpnessPath(step, edge * np.exp(-step / 50), sharpness, lr)


def pixels(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.size == (720, 640)
    return np.asarray(image.convert("RGB")).astype(int)


def pixels_of_color(picture: np.ndarray, run: int) -> np.ndarray:
    """The pixels (m, 2), row and column, that have the color of a run."""
    color = CATEGORIES[run][0]
    rgb = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    return np.argwhere(np.abs(picture - rgb).max(-1) < 70)


def test_each_run_has_its_curve_its_edge_and_its_loss() -> None:
    runs = {f"lr={2 / edge:g}": rising(edge) for edge in (50.0, 25.0)}
    picture = pixels(stability_png(runs, title="mlp · sgd"))
    for run in range(2):
        place = pixels_of_color(picture, run)
        upper, lower = place[place[:, 0] < 370], place[place[:, 0] > 400]
        assert np.ptp(upper[:, 1]) > 500  # from the first step to the last
        assert np.ptp(lower[:, 0]) > 100  # the loss falls by e⁴
    left = [pixels_of_color(picture, run) for run in range(2)]
    # At the left there is only the dashed edge above the curve: twice as high for half the lr.
    bottom = 378.0
    tops = [min(p[0] for p in place if 180 < p[1] < 230 and 66 < p[0] < 370) for place in left]
    assert (bottom - tops[0]) / (bottom - tops[1]) == pytest.approx(2, rel=0.02)  # observed 2.01


def test_sharpness_far_above_the_edge_is_outside_the_picture() -> None:
    low = pixels(stability_png({"a": rising(10.0, height=3.0)}, title=""))
    high = pixels(stability_png({"a": rising(10.0, height=1e6)}, title=""))
    edges = [pixels_of_color(picture, 0) for picture in (low, high)]
    rows = [min(p[0] for p in place if 550 < p[1] < 600 and p[0] > 70) for place in edges]
    assert rows[0] < 95  # the curve
    assert 278 < rows[1] < 283  # only the edge


def test_the_same_paths_give_the_same_bytes() -> None:
    one = {"a": rising(10.0)}
    assert stability_png(one, title="t") == stability_png(one, title="t")


@pytest.mark.parametrize("count", [0, 9])
def test_more_runs_than_colors_are_refused(count: int) -> None:
    runs = {str(run): rising(10.0) for run in range(count)}
    with pytest.raises(ValueError, match=f"needs 1 to 8 runs, got {count}"):
        stability_png(runs, title="")


@pytest.mark.parametrize("loss", [np.full(N + 1, np.nan), -np.ones(N + 1), np.zeros(N + 1)])
def test_losses_without_a_logarithm(loss: np.ndarray) -> None:
    assert pixels(stability_png({"a": rising(10.0)._replace(loss=loss)}, title="")).size


def test_a_curve_needs_two_values() -> None:
    step = np.arange(3)
    history = History(step, step * 1.0, step * 1.0, step + 0.1, step[:, None] * 1.0)
    assert sharpness_path(history) is None
    for values, is_there in (([1, np.nan, np.nan], False), ([1, np.nan, 2], True)):
        known = History(**{**vars(history), "metrics": {SHARPNESS: np.array(values)}})
        assert (sharpness_path(known) is not None) == is_there


def test_a_sweep_draws_at_most_eight_runs(tmp_path, monkeypatch) -> None:
    drawn = {}

    def keep(paths: dict[str, SharpnessPath], *, title: str) -> bytes:
        drawn.update(paths)
        return b"picture"

    monkeypatch.setattr(plots, "stability_png", keep)
    monkeypatch.setattr(plots, "sensitivity_png", lambda *args, **named: b"picture")
    monkeypatch.setattr(plots, "overview_png", lambda *args, **named: b"picture")
    rates = [0.01 * (run + 1) for run in range(15)]
    quiet = {"record.events": False, "record.max_figures": 0, "record.sharpness_every": 2}
    gdlab.sweep(lr=rates, steps=5, directory=tmp_path / "s", **quiet)
    assert list(drawn) == [f"lr={0.01 * run:g}" for run in range(1, 16, 2)]
    one = drawn["lr=0.01"]
    assert one.step[np.isfinite(one.sharpness)].tolist() == [0, 2, 4, 5]
    assert (tmp_path / "s" / "stability.png").is_file()
