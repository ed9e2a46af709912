"""`stability.png`: the sharpness beside its edge, such as 2/lr."""

import io

import numpy as np
import pytest
from PIL import Image

import gdlab
from gdlab.config.loading import settings_from_flat
from gdlab.engine.history import History
from gdlab.engine.metrics import SHARPNESS
from gdlab.optimizers import SGD, Adam, HeavyBall, Optimizer, WeightDecay
from gdlab.plots.colors import CATEGORIES
from gdlab.plots.stability import SharpnessPath, draw_stability
from gdlab.recording.run_plots import sharpness_path
from gdlab.sweeps import illustrating, plots
from gdlab.theory import stability_edge
from plots.landscapes import png_of, points_of

stability_png = png_of(draw_stability)

N = 200
SETTINGS = settings_from_flat({"loss": "sphere"})


def rising(edge: float, *, gap: int = 10, height: float = 1.0) -> SharpnessPath:
    """A run whose sharpness rises to `height` times its edge, known at every `gap`-th step."""
    step = np.arange(N + 1)
    sharpness = np.where(step % gap == 0, height * edge * np.minimum(1, step / 100), np.nan)
    edges = np.where(step < N, edge, np.nan)
    return SharpnessPath(step, edge * np.exp(-step / 50), sharpness, edges)


def pixels(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.size == (720, 640)
    return np.asarray(image.convert("RGB")).astype(int)


def test_each_run_has_its_curve_its_edge_and_its_loss() -> None:
    runs = {f"lr={2 / edge:g}": rising(edge) for edge in (50.0, 25.0)}
    upper, lower = draw_stability(runs, title="mlp · sgd").axes
    for (color, _), run in zip(CATEGORIES, runs.values(), strict=False):
        curve, edge = (line for line in upper.lines if line.get_color() == color)
        known = np.isfinite(run.sharpness)
        np.testing.assert_array_equal(points_of(curve), [run.step[known], run.sharpness[known]])
        np.testing.assert_array_equal(edge.get_ydata(), run.edge)
        (loss,) = (line for line in lower.lines if line.get_color() == color)
        np.testing.assert_array_equal(loss.get_ydata(), run.loss)


def test_sharpness_far_above_the_edge_is_outside_the_picture() -> None:
    for height, top in ((3.0, 30.0), (1e6, 30.0), (0.5, 10.0)):
        figure = draw_stability({"a": rising(10.0, height=height)}, title="")
        assert figure.axes[0].get_ylim()[1] == pytest.approx(1.08 * top, rel=1e-12)


def test_runs_of_one_color_get_columns_of_their_own() -> None:
    runs = {name: rising(10.0) for name in "abcdef"}
    figure = draw_stability(runs, title="", looks=dict.fromkeys(runs, "#222222"))
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == list(runs)
    assert all(len(axes.lines) <= 2 for axes in figure.axes)


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
    assert sharpness_path(history, SETTINGS.optimizer) is None
    for values, is_there in (([1, np.nan, np.nan], False), ([1, np.nan, 2], True)):
        known = History(**{**vars(history), "metrics": {SHARPNESS: np.array(values)}})
        assert (sharpness_path(known, SETTINGS.optimizer) is not None) == is_there


@pytest.mark.parametrize(
    ("optimizer", "formula"),
    [
        (SGD(), "2/lr"),
        (SGD(momentum=0.5), "2(1+β)/lr"),
        (SGD(momentum=0.5, nesterov=True), "2(1+β)/((1+2β)lr)"),
        (SGD(momentum=0.5, dampening=0.2), "2(1+β)/((1-τ)lr)"),
        (HeavyBall(), "2(1+β)/lr"),
        (SGD(weight_decay=0.5), "its limit with weight decay"),
        (WeightDecay(SGD(), 0.5, decoupled=False), "its limit with weight decay"),
        (Adam(), "2/lr of gradient descent"),
    ],
)
def test_the_edge_is_where_lr_is_the_limit(optimizer: Optimizer, formula: str) -> None:
    lr = np.array([0.01, 0.1, np.nan], dtype=np.float32)
    edge, name = stability_edge(optimizer, lr)
    assert name == formula
    for curvature, rate in zip(edge[:2].tolist(), lr[:2].tolist(), strict=True):
        limit = optimizer.max_stable_lr(curvature)
        assert (2 / curvature if limit is None else limit) == pytest.approx(rate, rel=1e-12)
    assert np.isnan(edge[2])
    path = rising(10.0)._replace(formula=name)
    figure = draw_stability({"a": path, "b": rising(5.0)}, title="")
    texts = [text.get_text() for text in figure.texts]
    both = name if name == "2/lr" else f"{name}, 2/lr"
    assert f"sharpness λ_max of the Hessian; dashed: {both}" in texts


def test_a_sweep_draws_at_most_eight_runs(tmp_path, monkeypatch) -> None:
    drawn = {}

    def keep(paths: dict[str, SharpnessPath], **named: object) -> object:
        drawn.update(paths)
        return object()

    monkeypatch.setattr(illustrating, "available_cores", lambda: 1)  # this process sees the calls
    monkeypatch.setattr(plots, "draw_stability", keep)
    monkeypatch.setattr(plots, "draw_sensitivity", lambda *args, **named: object())
    monkeypatch.setattr(plots, "draw_overview", lambda *args, **named: object())
    monkeypatch.setattr(plots, "render", lambda figure, suffix: b"picture")
    rates = [0.01 * (run + 1) for run in range(15)]
    quiet = {"record.events": False, "record.max_figures": 0, "record.sharpness_every": 2}
    gdlab.sweep(lr=rates, steps=5, directory=tmp_path / "s", **quiet)
    assert list(drawn) == [f"lr={0.01 * run:g}" for run in range(1, 16, 2)]
    one = drawn["lr=0.01"]
    assert one.step[np.isfinite(one.sharpness)].tolist() == [0, 2, 4, 5]
    assert (tmp_path / "s" / "stability.png").is_file()
