"""Transformed losses against the same computed with numpy.

Shapes: R runs, D dimensions.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from helpers.batches import assert_same_bits, finish, make_batch, rows_of, why_eager
from helpers.command import QUIET, Done
from helpers.gradients import relative, rosenbrock_gradient
from helpers.tensors import point
from torch import Tensor

import gdlab
from gdlab.errors import SettingError
from gdlab.losses import (
    MLP,
    MSE,
    Expression,
    Himmelblau,
    Loss,
    McCormick,
    Quadratic,
    Rosenbrock,
    Sphere,
    Transform,
    Transformed,
)
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.optimizers import SGD, Adam
from losses.cases import DIABETES, Waves

TRANSFORMS = {
    "rotation": Transform(rotation=3),
    "shift": Transform(shift=1.5),
    "shift list": Transform(shift=(0.5, -2.0)),
    "scale": Transform(scale=2.0),
    "scale list": Transform(scale=(0.5, 3.0)),
    "all": Transform(rotation=7, shift=(0.5, -2.0), scale=(0.5, 3.0)),
}
everyone = pytest.mark.parametrize("name", TRANSFORMS)
POINTS = np.random.default_rng(5).normal(size=(20, 2))


def transformed(transform: Transform, loss: Loss) -> Transformed:
    result = transform.of(loss)
    assert isinstance(result, Transformed)
    return result


def affine_map(loss: Transformed) -> tuple[np.ndarray, np.ndarray]:
    """Return A and b of y = A x + b, from Q, the scale and the shift."""
    transform = loss.transform
    q = np.eye(loss.dim) if loss.orthogonal is None else loss.orthogonal.numpy()
    scale, shift = (
        np.broadcast_to(np.array(v), loss.dim) for v in (transform.scale, transform.shift)
    )
    inward = np.diag(1 / scale) @ q.T
    return inward, -inward @ shift


def test_q_is_orthogonal_and_depends_on_its_seed() -> None:
    bowl = Quadratic(dim=6)
    q, other, again = (transformed(Transform(rotation=s), bowl).orthogonal for s in (0, 1, 0))
    assert q is not None
    assert other is not None
    assert again is not None
    error = float((q.T @ q - torch.eye(6, dtype=torch.float64)).abs().max())
    assert error <= 1e-14  # observed 7e-16
    assert float((q - other).abs().max()) > 0.1
    assert torch.equal(q, again)
    assert float((q - torch.diag(torch.diagonal(q))).abs().max()) > 0.1


def test_rotations_favor_no_direction() -> None:
    # Under Haar's measure an entry of Q has mean 0 and variance 1/D; 150 seeds.
    bowl = Quadratic(dim=3)
    found = [transformed(Transform(rotation=s), bowl).orthogonal for s in range(150)]
    q = torch.stack([each for each in found if each is not None])
    assert q.shape == (150, 3, 3)
    assert float(q.mean(0).abs().max()) < 0.2  # observed 0.094
    assert float((q.square().mean(0) - 1 / 3).abs().max()) < 0.08  # observed 0.045


@everyone
def test_values_and_gradients_by_the_chain_rule(name: str) -> None:
    loss = transformed(TRANSFORMS[name], Rosenbrock())
    matrix, offset = affine_map(loss)
    y = POINTS @ matrix.T + offset
    value, gradient = value_and_gradient(loss, point(POINTS))
    expected = 100 * (y[:, 1] - y[:, 0] ** 2) ** 2 + (1 - y[:, 0]) ** 2
    slopes = np.array([rosenbrock_gradient(at) for at in y]) @ matrix
    np.testing.assert_allclose(value, expected, rtol=1e-12)  # observed 9e-16
    assert relative(gradient.numpy(), slopes) <= 1e-13  # observed 2e-16
    assert not np.allclose(value, Rosenbrock()(point(POINTS)))


@everyone
def test_minimizers_and_start_are_transformed(name: str) -> None:
    for base in (Rosenbrock(), Himmelblau()):
        loss = transformed(TRANSFORMS[name], base)
        matrix, offset = affine_map(loss)
        outward = np.linalg.inv(matrix)
        known = base.tensor(base.minimizers).numpy()
        found = loss.tensor(loss.minimizers)
        expected = (known - offset) @ outward.T
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)  # observed 2e-15
        start = (base.tensor(base.start).numpy() - offset) @ outward.T
        np.testing.assert_allclose(loss.start, start, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(
            float(loss(loss.start)), float(base(base.tensor(base.start))), rtol=1e-13
        )  # observed 8e-15
        assert loss.minimum == base.minimum
        away = np.linalg.norm(POINTS[:, None] - expected, axis=-1).min(-1)
        np.testing.assert_allclose(
            loss.tensor(loss.distance(point(POINTS))), away, rtol=1e-13
        )  # observed 6e-16
        assert loss.suboptimality(point([3.0])).tolist() == [3.0]  # type: ignore[union-attr]


@everyone
def test_the_window_keeps_its_center_and_its_variances(name: str) -> None:
    base = Rosenbrock()
    loss = transformed(TRANSFORMS[name], base)
    matrix, offset = affine_map(loss)
    outward = np.linalg.inv(matrix)
    low, high = base.tensor(base.window).numpy().T
    assert loss.window is not None
    found = loss.window.numpy()
    center = ((low + high) / 2 - offset) @ outward.T
    np.testing.assert_allclose(found.mean(1), center, rtol=1e-13, atol=1e-14)  # observed 4e-16
    # Of points drawn from a box with sides h the covariance is diag(h²) / 12.
    spread = outward @ np.diag((high - low) ** 2) @ outward.T
    sides = np.sqrt(np.diag(spread))
    np.testing.assert_allclose(found[:, 1] - found[:, 0], sides, rtol=1e-13)  # observed 2e-16


def test_a_window_of_equal_sides_keeps_them_in_a_rotation() -> None:
    window = transformed(Transform(rotation=1, scale=3.0), Sphere(dim=5)).window
    assert window is not None
    expected = np.tile([-6.0, 6.0], (5, 1))
    np.testing.assert_allclose(window, expected, rtol=1e-13)  # observed 1e-16


def test_a_domain_is_a_box_until_it_is_rotated() -> None:
    base = McCormick()
    low, high = base.tensor(base.domain).T
    domain = transformed(Transform(shift=(1.0, -1.0), scale=2.0), base).domain
    assert domain is not None
    assert domain.T[0].tolist() == (2 * low + point([1.0, -1.0])).tolist()
    assert domain.T[1].tolist() == (2 * high + point([1.0, -1.0])).tolist()
    assert transformed(Transform(rotation=1), base).domain is None


@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_a_run_that_leaves_the_moved_domain_says_so(shift: float) -> None:
    bowl = McCormick()
    column = point([shift, shift + 100.0])
    loss = Transform(shift=column).of(bowl)
    start = point([[2.0, 2.0], [2.0, 2.0]]) + point([[shift], [shift]])
    inside, outside = finish(make_batch(loss, lr=[1e-3, 1e-3], start=start, steps=1))
    assert "outside the domain" not in inside.outcome.reason
    assert "outside the domain" in outside.outcome.reason


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (Transform(rotation=5), (1.0, 10.0)),
        (Transform(rotation=5, shift=(1.0, 2.0, 3.0, 4.0), scale=2.0), (0.25, 2.5)),
        (Transform(scale=(0.5,) * 4), (4.0, 40.0)),
    ],
)
def test_the_curvature_is_that_of_the_hessian(
    transform: Transform, expected: tuple[float, float]
) -> None:
    loss = transformed(transform, Quadratic(dim=4, condition=10))
    assert loss.curvature == expected
    hessian = torch.autograd.functional.hessian(lambda x: loss(x[None])[0], point([1.0] * 4))
    assert isinstance(hessian, Tensor)
    found = torch.linalg.eigvalsh(hessian)[[0, -1]]
    np.testing.assert_allclose(found, expected, rtol=1e-13)  # observed 9e-16


def test_uneven_scales_leave_no_known_curvature() -> None:
    assert transformed(Transform(scale=(1.0, 2.0)), Quadratic()).curvature is None
    assert transformed(Transform(scale=2.0), Rosenbrock()).curvature is None


@everyone
def test_the_symbolic_form_has_the_same_values(name: str) -> None:
    x = sympy.symbols("x0 x1", real=True)
    for base in (Rosenbrock(), Quadratic(), Expression("x**2 + sin(x*y)")):
        loss = transformed(TRANSFORMS[name], base)
        formula = loss.symbolic(x)
        assert formula is not None
        values = [float(formula.subs(dict(zip(x, at, strict=True)))) for at in POINTS.tolist()]
        np.testing.assert_allclose(values, loss(point(POINTS)), rtol=1e-11)  # observed 3e-15
    columns = Transform(shift=point([0.0, 1.0])).of(Rosenbrock())
    assert columns.symbolic(x) is None


def test_names_blocks_and_about() -> None:
    base = MSE(data="diabetes")
    moved, turned = (transformed(t, base) for t in (Transform(shift=1.0), Transform(rotation=1)))
    assert moved.names == base.names != turned.names
    assert turned.names == tuple(f"x{i}" for i in range(base.dim))
    assert moved.layout == base.layout
    assert turned.layout == [("x", (base.dim,))]
    assert moved.about == {**base.about, "transformed": "the loss at y = (x - 1.0)"}
    whole = transformed(Transform(rotation=7, shift=(0.5, -2.0), scale=2.0), Rosenbrock())
    words = "the loss at y = Qᵀ(x - [0.5,-2.0]) / 2.0, Q from seed 7"
    assert whole.about == {"transformed": words}
    assert Transform(shift=1.0).of(Rosenbrock()).elementwise
    assert not turned.elementwise
    assert not Transform(shift=1.0).of(DIABETES).elementwise


def test_metrics_and_minibatches_are_those_at_y() -> None:
    base = MLP("two_moons", widths=(3,), batch_size=10)
    loss = transformed(Transform(rotation=2, shift=0.1, scale=1.5), base)
    x = torch.randn(4, base.dim, generator=torch.Generator().manual_seed(0)).double()
    y = loss.inward(x)
    assert float((y - x).abs().max()) > 0.1
    assert torch.equal(loss.metrics["accuracy"](x), base.metrics["accuracy"](y))
    chosen = torch.arange(40).reshape(4, 10)
    assert torch.equal(loss.partial(x, chosen), base.partial(y, chosen))
    assert (loss.examples, loss.minibatch) == (base.examples, 10)
    seeds = torch.tensor([3, 8])
    again = loss.inward(loss.starts(seeds))
    assert relative(again, base.starts(seeds)) <= 1e-13  # observed 6e-16
    (run,) = finish(make_batch(loss, SGD(), [0.1], start=loss.starts(seeds)[0], steps=5))
    assert run.outcome.status == gdlab.Status.MAX_STEPS


def test_residuals_are_those_at_y() -> None:
    loss = transformed(TRANSFORMS["all"], gdlab.losses.Beale())
    residuals = loss.residuals(point(POINTS))
    assert residuals is not None
    np.testing.assert_allclose(
        residuals.square().sum(-1), loss(point(POINTS)), rtol=1e-13
    )  # observed 0
    assert transformed(TRANSFORMS["all"], Rosenbrock()).residuals(point(POINTS)) is None


def test_an_identity_returns_the_loss_itself() -> None:
    base = Rosenbrock()
    for nothing in (Transform(), Transform(shift=(0.0, -0.0)), Transform(scale=(1.0, 1.0))):
        assert nothing.of(base) is base
    assert Transform(rotation=0).of(base) is not base
    assert Transform(shift=point([0.0, 0.0])).of(base) is not base


# Runs.


@pytest.mark.parametrize("rotation", [None, 4])
def test_plain_descent_is_the_same_from_anywhere(rotation: int | None) -> None:
    # Gradient descent commutes with rotations and shifts; a scale s asks for s² times the rate.
    transform = Transform(rotation=rotation, shift=(3.0, -1.0), scale=2.0)
    loss = transformed(transform, Quadratic())
    (plain,) = finish(make_batch(Quadratic(), lr=[0.1], steps=60))
    (moved,) = finish(make_batch(loss, lr=[0.4], steps=60))
    inward = loss.inward(torch.from_numpy(moved.history.x)).numpy()
    np.testing.assert_allclose(inward, plain.history.x, rtol=1e-11, atol=1e-14)  # observed 5e-16
    np.testing.assert_allclose(
        moved.history.loss, plain.history.loss, rtol=1e-10, atol=1e-28
    )  # observed 2e-13


def test_adam_loses_its_advantage_on_rotated_axes() -> None:
    steep = Quadratic(dim=6, condition=1e4, spectrum="geometric")
    along, across = (
        finish(make_batch(loss, Adam(), [0.05], steps=300))[0].outcome.final_loss
        for loss in (steep, Transform(rotation=1).of(steep))
    )
    assert across > 1000 * along  # observed 4.4 and 4e-11


COLUMNS = {
    "shift": lambda n: Transform(shift=torch.linspace(-1, 1, n).double()),
    "scale": lambda n: Transform(scale=torch.linspace(0.5, 3, n).double()),
    "lists": lambda n: Transform(
        shift=(torch.linspace(-1, 1, n).double(), torch.linspace(2, 1, n).double()),
        scale=(torch.linspace(0.5, 3, n).double(), 1.0),
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_a_row_equals_its_single_run(name: str, mode: str) -> None:
    loss = COLUMNS[name](40).of(Rosenbrock(b=torch.linspace(1, 50, 40).double()))
    batch = make_batch(loss, Adam(), np.geomspace(1e-3, 0.5, 40), steps=150)
    batch = replace(batch, mode=mode)
    together = finish(batch)
    for row in (0, 17, 39):
        (alone,) = finish(rows_of(batch, [row]))
        assert alone.outcome.mode == mode
        assert_same_bits(together[row], alone)


def test_a_column_gives_the_results_of_its_numbers() -> None:
    shift, scale = point([-1.0, 0.0, 2.5]), point([1.0, 0.5, 3.0])
    loss = transformed(Transform(shift=shift, scale=(scale, scale)), Himmelblau())
    assert loss.start.shape == (3, 2)
    assert loss.tensor(loss.minimizers).shape == (3, 4, 2)
    assert loss.window is not None
    x = point(POINTS)[:, None, :].expand(20, 3, 2)
    distance = loss.distance(x)
    assert distance is not None
    for row in range(3):
        alone = transformed(
            Transform(shift=float(shift[row]), scale=float(scale[row])), Himmelblau()
        )
        assert torch.equal(loss(x)[:, row], alone(point(POINTS)))
        assert torch.equal(loss.start[row], alone.start)
        assert torch.equal(loss.tensor(loss.minimizers)[row], alone.tensor(alone.minimizers))
        assert torch.equal(loss.window[row], alone.tensor(alone.window))
        assert torch.equal(distance[:, row], alone.tensor(alone.distance(point(POINTS))))


@pytest.mark.parametrize("loss", [Rosenbrock(dim=5), Waves(), Quadratic(dim=8)], ids=repr)
def test_compiled_steps_equal_eager_ones(loss: Loss) -> None:
    turned = Transform(rotation=3, shift=0.2, scale=1.5).of(loss)
    batch = make_batch(turned, Adam(), np.geomspace(1e-4, 1e-2, 5), steps=10)
    assert why_eager(batch) is None
    for one, other in zip(finish(batch), finish(replace(batch, mode="compiled")), strict=True):
        assert other.outcome.mode == "compiled"
        np.testing.assert_allclose(other.history.x, one.history.x, rtol=1e-12)  # observed 4e-16
        np.testing.assert_allclose(other.history.loss, one.history.loss, rtol=1e-12)


def test_another_dtype_moves_everything() -> None:
    column = point([1.0, 2.0])
    base = Quadratic(center=point([1.0, 3.0]))
    loss = Transform(rotation=1, shift=column, scale=(2.0, 3.0)).of(base)
    moved = loss.to(torch.float32, torch.device("cpu"))
    start = torch.as_tensor(moved.start)
    assert start.dtype == moved(start).dtype == moved.tensor(moved.window).dtype == torch.float32
    assert moved.tensor(moved.minimizers).dtype == torch.float32
    taken = moved.with_columns(lambda value: value[:1] if isinstance(value, Tensor) else value)
    assert taken(start[:1]).dtype == torch.float32
    assert torch.as_tensor(loss.start).dtype == torch.float64


# From Python and on the command line.


def test_a_sweep_is_one_batch_and_each_run_is_its_own() -> None:
    shifts, scales = [[0.0, 0.0], [1.5, 1.5]], [[1.0, 1.0], [2.0, 2.0]]
    axes = {"transform.shift": shifts, "transform.scale": scales, "start.0": [0.5, 2.0]}
    swept = gdlab.sweep("rosenbrock", lr=1e-3, steps=20, start=[0.0, 1.0], **axes)  # type: ignore[arg-type]
    assert len(swept.results) == 8
    for row in swept.results.to_dict("records"):
        shift, scale = (json.loads(row[f"transform.{name}"]) for name in ("shift", "scale"))
        transform = gdlab.Transform(shift=shift, scale=scale)
        start = [row["start.0"], 1.0]
        alone = gdlab.run("rosenbrock", lr=1e-3, steps=20, start=start, transform=transform)
        assert row["final_loss"] == alone.outcome.final_loss
        assert row["distance"] == alone.outcome.distance
    several = [gdlab.Transform(rotation=1), gdlab.Transform(shift=2.0)]
    found = gdlab.sweep("quadratic", lr=0.1, steps=5, transform=several).results
    runs = [gdlab.run("quadratic", lr=0.1, steps=5, transform=each) for each in several]
    assert found["final_loss"].tolist() == [run.outcome.final_loss for run in runs]


def test_a_custom_function_is_transformed() -> None:
    def bowl(x: Tensor) -> Tensor:
        return (x**2).sum()

    run = gdlab.run(bowl, start=[1.0, 2.0], transform=Transform(shift=(4.0, 5.0)), lr=0.1)
    np.testing.assert_allclose(run.outcome.x, [4.0, 5.0], atol=1e-7)  # observed 5e-9
    with pytest.raises(SettingError, match=r"transform.shift=\[1.0\]: must be one number or 2"):
        gdlab.run(bowl, start=[1.0, 2.0], transform=Transform(shift=(1.0,)))


def test_a_command_is_resumed_with_its_transformation(gd: Callable[..., Done], here: Any) -> None:
    words = (
        "-m",
        "loss=rosenbrock",
        "transform.shift=0,1",
        "transform.rotation=null,3",
        "noise=0.1",
    )
    further = ("noise.kind=student_t", "steps=7", "lr=1e-3", *QUIET, "hydra.sweep.dir=s")
    assert gd(*words, *further).code == 0
    before = (here / "s" / "results.csv").read_text()
    assert before.count("\n") == 5
    assert "transform.shift" in before.splitlines()[0]
    (here / "s" / "results.parquet").unlink()
    assert gd("resume=s", "transform.shift=0,1", "noise=0.1").code == 0
    assert (here / "s" / "results.csv").read_text() == before
    (here / "s" / "results.parquet").unlink()
    done = gd("resume=s", "transform.scale=2")
    assert done.code == 2
    assert "transform.scale=2: the sweep in s had transform.scale=1.0" in done.err


def test_pictures_are_of_the_transformed_loss(gd: Callable[..., Done], here: Any) -> None:
    done = gd("loss=rosenbrock", "transform.rotation=1", "transform.shift=9", "steps=20",
              "lr=1e-3", "record.events=false", "hydra.run.dir=run")  # fmt: skip
    assert done.code == 0
    assert (here / "run" / "trajectory.png").stat().st_size > 10_000
    assert "the loss at y = Qᵀ(x - 9.0), Q from seed 1" in done.out


REFUSED = [
    (
        "transform.shift=[1,2,3]",
        "transform.shift=[1.0,2.0,3.0]: must be one number or 2, one per dim",
    ),
    ("transform.shift=[0,0,0]", "transform.shift=[0.0,0.0,0.0]: must be one number or 2"),
    ("transform.shift=[]", "transform.shift=[]: must be one number or 2"),
    ("transform.shift=nan", "transform.shift=nan: must be a finite number"),
    ("transform.scale=0", "transform.scale=0: must be a finite number > 0"),
    ("transform.scale=[1,-1]", "transform.scale[1]=-1: must be a finite number > 0"),
    ("transform.rotation=-1", "transform.rotation=-1: must be a whole number ≥ 0"),
    ("transform.turn=1", "transform.turn=1: no such setting"),
    ("transform=3", "transform=3: must be a mapping with the keys rotation, shift, scale"),
]


@pytest.mark.parametrize(("word", "message"), REFUSED)
def test_bad_settings_are_refused_in_one_line(
    word: str, message: str, gd: Callable[..., Done]
) -> None:
    done = gd(word, *QUIET, "hydra.run.dir=run")
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_a_loss_too_large_to_rotate_is_refused() -> None:
    with pytest.raises(SettingError, match="a loss of 5000 dimensions is too large; at most 4096"):
        Transform(rotation=1).of(Quadratic(dim=5000))
