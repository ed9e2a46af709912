"""The summary and the pictures of a run whose rate theory predicts."""

import math
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import gdlab
from gdlab.config.loading import settings_from_flat
from gdlab.display.summary import prediction_lines
from gdlab.engine.history import History, split_by_run
from gdlab.engine.loop import advance
from gdlab.plots.convergence import Curve, draw_convergence
from gdlab.plots.style import render
from gdlab.recording.rate import RateMeter
from gdlab.runs.batching import batch_of
from gdlab.theory import predicted_rate

MOMENTUM = f"optimizer.momentum={81 / 121}"
BEST = ("loss.condition=100", "optimizer=heavy_ball", MOMENTUM, f"lr={4 / 121}")
UNKNOWN = [
    {"loss": "rosenbrock"},
    {"optimizer": "adam"},
    {"schedule": "cosine"},
    {"noise.scale": 0.1},
]


def measured(values: np.ndarray, loss: np.ndarray | None = None) -> float | None:
    """Measure the rate of suboptimalities (n,) of losses (n,), by default 0."""
    n = len(values)
    meter = RateMeter(settings_from_flat({"steps": n}))
    nothing = np.zeros(n)
    loss = nothing if loss is None else loss
    piece = History(np.arange(n), loss, nothing, nothing, nothing[:, None], None, values)
    meter.write(piece.take(np.arange(n // 3)))
    meter.write(piece.take(np.arange(n // 3, n)))
    return meter.per_step


def test_the_measured_rate_is_that_of_the_last_half():
    k = np.arange(201.0)
    late = np.where(k < 100, 1.0, 0.8 ** (2 * (k - 100)))
    assert measured(late) == pytest.approx(0.8, rel=1e-12)  # observed 1e-15
    wavy = 0.9 ** (2 * k) * (2 + np.cos(k))
    assert measured(wavy) == pytest.approx(0.9, rel=1e-3)  # observed 2e-4
    assert measured(np.zeros(50)) is None
    assert measured(np.array([1.0, 0.5])) is None


# settings, steps, and the rate: the largest |1 − lr λ|, or √β for momentum at complex roots
MEASURED = [
    # the loss of −4930 rounds to 1e-12, long before the distance does
    ({"loss": "trid", "loss.dim": 30, "lr": 0.5}, 20000, 1 - 2 * math.sin(math.pi / 62) ** 2),
    ({"loss": "ridge", "lr": 0.2, "optimizer": "momentum"}, 1000, math.sqrt(0.9)),
    # from step 350 on, the distance is the rounding of 100
    ({"loss.center": 100.0, "loss.condition": 10.0, "lr": 0.1, "stop.grad_tol": 0}, 2000, 0.9),
    # without rounding at the origin, the distance shrinks to the end
    ({"loss.condition": 10.0, "lr": 0.1, "stop.grad_tol": 0}, 2000, 0.9),
    ({"loss.condition": 10.0, "lr": 0.1, "dtype": "float32"}, 1000, 0.9),
    ({"loss.center": 100.0, "lr": 0.1, "dtype": "float32", "stop.grad_tol": 0}, 1000, 0.9),
]


@pytest.mark.parametrize(("flat", "steps", "rate"), MEASURED)
def test_the_rate_is_measured_where_the_distance_is_above_rounding(flat, steps, rate):
    settings = settings_from_flat({**flat, "steps": steps})
    meter = RateMeter(settings)
    for chunk in advance(batch_of(settings)):
        ((_, piece),) = split_by_run(chunk)
        meter.write(piece)
    # Observed 6e-5 (ridge, whose roots are complex).
    assert meter.per_step == pytest.approx(rate, abs=2e-4)
    predicted = predicted_rate(settings)
    assert predicted is not None
    assert predicted.per_step == pytest.approx(rate, rel=1e-12)


def test_the_minimizer_may_be_of_any_size():
    settings = settings_from_flat({"loss.center": 1e200, "lr": 0.01, "steps": 1})
    meter = RateMeter(settings)
    for chunk in advance(batch_of(settings)):
        ((_, piece),) = split_by_run(chunk)
        meter.write(piece)  # a warning of an overflow would be an error
    assert meter.per_step is None


def test_a_suboptimality_is_measured_where_it_is_above_the_rounding_of_the_loss():
    k = np.arange(400.0)
    loss = 1000 + 0.9 ** (2 * k)
    assert measured(loss - 1000, loss) == pytest.approx(0.9, rel=1e-3)  # observed 7e-5


@pytest.mark.parametrize("given", UNKNOWN)
def test_without_a_prediction_there_is_no_rate(given):
    settings = settings_from_flat(given)
    assert predicted_rate(settings) is None
    assert "rate" not in dict(prediction_lines(settings, 0.9))


def test_the_summary_has_the_measured_rate_beside_the_predicted(here, gd):
    lines = gd("lr=0.1", "record.figures=false").out.splitlines()
    assert "  rate          0.9 per step (theory 0.9 from almost every start, Polyak 1964)" in lines
    best = "stable below lr=0.1333 = 2/λ_max; fastest with lr=0.125 (Polyak 1964)"
    assert f"  theory        {best}" in lines
    lines = gd(*BEST, "start=[100,1]", "record.figures=false").out
    # A double root's factor 1 + c k makes the measured rate a little slower.
    assert (
        "  rate          0.8256 per step (theory 0.8182 from almost every start, Polyak 1964)"
        in lines
    )
    assert "fastest with lr=0.03306, momentum=0.6694 (Polyak 1964)" in lines
    assert "rate   " not in gd("loss=rosenbrock", "lr=1e-3", "steps=20", "record.figures=false").out


def test_nesterovs_theory_names_its_own_source(gd):
    lines = gd("optimizer=nesterov", "lr=0.05", "record.figures=false").out
    assert "(theory 0.9247 from almost every start, Lessard, Recht and Packard 2016)" in lines
    assert "= 2(1+β)/((1+2β)λ_max); fastest with" in lines
    lines = gd("optimizer=weight_decay", "optimizer.decoupled=false", "steps=3").out
    assert "stable below lr=0.1332 = 2/(λ_max + weight_decay) (Polyak 1964)" in lines


def test_a_sweep_has_the_rate_of_each_best_run_beside_theory(here, gd):
    words = ("-m", "loss.condition=100", "lr=0.01,0.0198", "record.figures=false", "start=[100,1]")
    out = gd(*words, "optimizer=sgd,heavy_ball,adam", "hydra.sweep.dir=s").out
    table = {line.split()[0]: line for line in out.splitlines()[1:5]}
    assert "rate per step (theory, almost every start)" in table["optimizer"]
    for name in ("sgd", "heavy_ball"):
        run = gdlab.run(gdlab.losses.Quadratic(condition=100), name, 0.0198, start=[100, 1])
        meter = RateMeter(run.settings)
        meter.write(run.history)
        rate = predicted_rate(run.settings)
        assert rate is not None
        assert f" {meter.per_step:.4g} ({rate.per_step:.4g})  " in table[name]
    assert "(" not in table["adam"]
    assert "rate" not in gd(*words, "optimizer=adam").out.splitlines()[1]
    assert "  - (" in gd(*words, "record.max_run_dirs=0").out.splitlines()[2]


BOUNDED = ("loss/log10_suboptimality", "theory/log10_suboptimality_bound")


def test_tensorboard_has_the_bound_in_one_chart_with_the_run(here, gd):
    assert gd(*BEST, "start=[100,1]", "hydra.run.dir=run").code == 0
    run = EventAccumulator("run", size_guidance={"scalars": 0, "images": 0, "tensors": 0}).Reload()
    above, bound = (run.Scalars(tag) for tag in BOUNDED)
    assert [event.step for event in above] == [event.step for event in bound]
    values = np.array([[a.value, b.value] for a, b in zip(above, bound, strict=True)])
    assert (values[:, 0] <= values[:, 1] + 1e-6).all()  # written in float32
    assert values[0, 0] == values[0, 1] == np.float32(np.log10(5050))
    k = np.array([event.step for event in bound])
    expected = 5050 * (1 + 20 / 11 * k) ** 2 * (9 / 11) ** (2.0 * k)
    # Where two roots meet, half of the digits of ρ are lost. Observed 2e-6, of log10 ρ²⁸⁶.
    np.testing.assert_allclose(values[:, 1], np.log10(expected), atol=5e-6)
    assert run.Images("pictures/convergence")[-1].step == k[-1]
    picture = (here / "run" / "convergence.png").read_bytes()
    assert run.Images("pictures/convergence")[-1].encoded_image_string == picture
    (config,) = run.Tensors("custom_scalars__config__")
    proto = import_module("tensorboard.plugins.custom_scalar.layout_pb2")
    layout = proto.Layout.FromString(config.tensor_proto.string_val[0])
    tags = list(layout.category[0].chart[0].multiline.tag)
    assert tags == [f"^{tag}$" for tag in BOUNDED]


def test_a_run_without_a_prediction_has_no_bound(here, gd):
    assert gd("loss=rosenbrock", "lr=1e-3", "steps=20", "hydra.run.dir=run").code == 0
    run = EventAccumulator("run").Reload()
    assert [tag in run.Tags()["scalars"] for tag in BOUNDED] == [True, False]
    assert "custom_scalars__config__" not in run.Tags()["tensors"]
    assert not (here / "run" / "convergence.png").exists()


def test_the_dashed_line_is_the_bound():
    steps = np.arange(50)
    above, bound = 0.5 ** (2.0 * steps), 3 * 0.5 ** (2.0 * steps)
    words: Any = {"title": "t", "rate": 0.5}
    curve = Curve(steps, above)
    figure = draw_convergence(curve, bound, **words)
    drawn = [line.get_ydata() for line in figure.axes[0].lines]
    np.testing.assert_array_equal(drawn, [above, bound])
    for suffix in ("png", "svg", "pdf"):
        assert render(figure, suffix) == render(draw_convergence(curve, bound, **words), suffix)
    draw_convergence(Curve(steps, above * 0), bound, **words)
    with pytest.raises(ValueError, match="three arrays"):
        draw_convergence(Curve(steps, above[1:]), bound, **words)
    with pytest.raises(ValueError, match="no suboptimality is between 1e-250 and 1e"):
        draw_convergence(Curve(steps, above * 0), bound * np.nan, **words)


# command, status, whether convergence.png exists
EXTREME = [
    (["optimizer=heavy_ball", "lr=0.3"], "diverged", True),
    (["optimizer=nesterov", "lr=5"], "diverged", True),
    (["lr=1e100"], "diverged", False),
    (["lr=1e300"], "diverged", False),
    (["start=[1e-130,1e-130]", "stop.grad_tol=0", "steps=40"], "max_steps", False),
    (["start=[0,0]"], "converged", False),
]


@pytest.mark.parametrize(("words", "ends", "is_drawn"), EXTREME)
def test_what_is_too_large_or_too_small_to_draw_leaves_a_result(words, ends, is_drawn, here, gd):
    done = gd(*words, "hydra.run.dir=run")
    assert (done.code, done.out.split(":")[0]) == (0, ends)
    assert (here / "run" / "convergence.png").exists() == is_drawn
    assert gdlab.load("run").results["status"].tolist() == [ends]
