"""Scenes: the plane, the view, the landscape and the paths, compared with independent answers."""

import numpy as np
import pytest
import torch
from scipy.optimize import rosen, rosen_der, rosen_hess

import gdlab
from gdlab.errors import SettingError
from gdlab.plots.projection import Plane
from gdlab.viewer.format import decode, encode
from gdlab.viewer.grids import Scale, grid_of, point_of
from gdlab.viewer.marks import critical_marks
from gdlab.viewer.planes import choose_plane, parse_pair
from gdlab.viewer.problems import problems_of
from gdlab.viewer.reading import Reader
from gdlab.viewer.records import read_records
from gdlab.viewer.scene import Scene, make_scene, marks_message, run_message, scene_message
from gdlab.viewer.visible_points import visible_points


@pytest.fixture(scope="module")
def scenes(runs) -> dict[str, Scene]:
    problems = problems_of(Reader(runs).read().runs, trust=True)
    return {problem.title: make_scene(problem) for problem in problems}


def message_of(scene: Scene) -> dict:
    return decode(encode(scene_message(scene)))


# The landscape


def test_the_grid_is_the_loss(scenes):
    """Compared with scipy's Rosenbrock function."""
    grid = message_of(scenes["rosenbrock"])["grid"]
    assert (grid["scale"], grid["base"], grid["shape"]) == ("log", 0.0, [256, 256])
    x, y = (np.linspace(low, high, 256) for low, high in grid["view"])
    expected = rosen(np.stack(np.meshgrid(x, y)))
    # Observed: 5.9e-8, half a unit in the last place of float32.
    np.testing.assert_allclose(grid["values"], expected, rtol=1e-7)


def test_a_finer_grid_keeps_the_scale(scenes):
    scene = scenes["rosenbrock"]
    view = np.array([[0.9, 1.1], [0.9, 1.1]])
    assert scene.grid is not None
    finer = grid_of(scene.landscape, scene.shown.plane, view, 8, scene.grid.scale)
    assert finer.scale == scene.grid.scale
    lower = grid_of(scene.landscape, scene.shown.plane, view, 8, Scale(False, 5.0))
    assert lower.scale == Scale(False, finer.values.min())


def test_where_the_loss_is_undefined_the_grid_is_missing():
    made = gdlab.losses.Expression("log(x) + y**2")
    landscape = gdlab.recording.run_plots.landscape_of(made, "")
    plane = Plane(np.zeros(2), np.eye(2))
    grid = grid_of(landscape, plane, np.array([[-1.0, 1.0], [-1.0, 1.0]]), 5)
    assert np.isnan(grid.values).sum(axis=0).tolist() == [5, 5, 5, 0, 0]
    heights = grid.head()["values"]
    np.testing.assert_allclose(heights[:, 4] + grid.scale.base, grid.values[:, 4], rtol=1e-14)


def test_the_curve_of_a_line_is_fine_and_linear(scenes):
    grid = message_of(scenes["x**4 - 3*x**2 + x"])["grid"]
    assert (grid["scale"], grid["shape"]) == ("linear", [2001])
    low, high = grid["view"][0]
    x = np.linspace(low, high, 2001)
    # Observed: 6e-8 of the largest height, that of float32.
    np.testing.assert_allclose(grid["values"] + grid["base"], x**4 - 3 * x**2 + x, atol=2e-7 * 20)


@pytest.mark.parametrize("at", [(1.0, 1.0), (-0.3, 2.5)])
def test_derivatives_at_a_point(at):
    """Compared with those of scipy."""
    point = point_of(gdlab.losses.Rosenbrock(), Plane(np.zeros(2), np.eye(2)), np.array(at))
    np.testing.assert_allclose(point["value"], rosen(at), rtol=1e-14)
    np.testing.assert_allclose(point["gradient"], rosen_der(np.array(at)), rtol=1e-13, atol=1e-12)
    hessian = rosen_hess(np.array(at))
    np.testing.assert_allclose(point["hessian"], hessian, rtol=1e-13)
    np.testing.assert_allclose(point["eigenvalues"], np.linalg.eigvalsh(hessian), rtol=1e-9)


def test_derivatives_in_a_plane_are_those_of_the_restricted_loss():
    """Compared with central differences, exact for a quadratic but for rounding."""
    loss = gdlab.losses.Ellipsoid(dim=5)
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 2)))[0].T
    plane, at, eye = Plane(np.arange(5.0), axes, np.ones(2)), np.array([0.5, -2.0]), np.eye(2)

    def value(shift: np.ndarray) -> float:
        return float(loss(torch.from_numpy(plane.points(at + shift))))

    point = point_of(loss, plane, at)
    slopes = [(value(e) - value(-e)) / 2 for e in eye]
    bends = [
        [(value(a + b) - value(a - b) - value(b - a) + value(-a - b)) / 4 for b in eye] for a in eye
    ]
    np.testing.assert_allclose(point["gradient"], slopes, rtol=1e-13)  # observed: 1e-15
    np.testing.assert_allclose(point["hessian"], bends, rtol=1e-13)


# The plane


def test_the_principal_plane_is_that_of_the_singular_vectors(scenes):
    """Compared with numpy's SVD of the centered path."""
    scene = scenes["ellipsoid"]
    path = gdlab.load(scene.problem.runs[0].path).history.x
    _, powers, vectors = np.linalg.svd(path - path.mean(axis=0), full_matrices=False)
    plane = scene.shown.plane
    assert scene.shown.kind == scene.shown.key == "principal"
    np.testing.assert_allclose(np.abs(plane.axes @ vectors[:2].T), np.eye(2), atol=1e-6)
    assert plane.variance is not None
    np.testing.assert_allclose(plane.variance, (powers**2 / (powers**2).sum())[:2], atol=1e-12)
    np.testing.assert_array_equal(plane.origin, path[-1])
    message = message_of(scene)
    shown = message["runs"][0]["path"].astype(float) + message["origin"]
    steps = message["runs"][0]["step"].astype(int)
    np.testing.assert_allclose(shown, ((path - path[-1]) @ plane.axes.T)[steps], atol=1e-6)


def test_two_coordinates_hold_the_others_at_the_best_end(scenes):
    scene = make_scene(scenes["ellipsoid"].problem, "1,3")
    end = scene.records[0].x[-1]
    assert scene.shown.labels == ("x1", "x3")
    assert "end of the best run" in scene.shown.note
    point = scene.shown.plane.points(np.array([7.0, 8.0]))
    np.testing.assert_array_equal(point, [end[0], 7.0, end[2], 8.0, end[4]])
    (row,) = scene.shown.plane.coordinates(scene.records[0].x[:1])
    np.testing.assert_array_equal(row, scene.records[0].x[0, [1, 3]])
    keys = [key for key, _ in scene.shown.choices]
    assert keys[:3] == ["principal", "0,1", "0,2"]
    assert len(keys) == 11


@pytest.mark.parametrize("key", ["0", "0,0", "0,5", "-1,2", "a,b", "²,1", "0,1,2", "9" * 99])
def test_no_other_plane(key):
    with pytest.raises(SettingError, match="must be principal or two of the coordinates 0 to 4"):
        parse_pair(key, 5)


def test_a_loss_of_two_dimensions_has_one_plane(scenes):
    scene = scenes["rosenbrock"]
    with pytest.raises(SettingError, match="has one plane"):
        choose_plane("0,1", scene.landscape, [scene.records[0].x], 0)


def test_a_run_that_diverged_does_not_widen_the_view(scenes):
    scene = scenes["rosenbrock"]
    assert [run.result.get("status") for run in scene.problem.runs].count("diverged") == 1
    assert np.diff(scene.view, axis=1).max() <= 4


# The paths


def test_paths_are_the_recorded_ones(scenes):
    message = message_of(scenes["quadratic, condition=10"])
    problem = scenes["quadratic, condition=10"].problem
    for run in message["runs"]:
        history = gdlab.load(problem.runs[run["index"]].path).history
        rows = np.searchsorted(history.step, run["step"])
        np.testing.assert_array_equal(run["step"], history.step[rows])
        assert run["step"][0] == 0 and run["step"][-1] == 20 == run["steps"]
        assert run["recorded"] == 21
        # float32 relative to the origin of the view, 2 wide
        np.testing.assert_allclose(run["path"] + message["origin"], history.x[rows], atol=2e-7)
        for name in ("loss", "grad_norm", "lr"):
            np.testing.assert_allclose(run[name], getattr(history, name)[rows], rtol=1e-7)
        np.testing.assert_array_equal(run["suboptimality"], run["loss"])
        assert run["sharpness"] is None


def test_one_run_has_all_its_points(scenes):
    run = decode(encode(run_message(scenes["ellipsoid"], 0)))["run"]
    history = gdlab.load(scenes["ellipsoid"].problem.runs[0].path).history
    assert run["step"].tolist() == history.step.tolist()
    np.testing.assert_allclose(run["x"], history.x, rtol=1e-7)
    with pytest.raises(SettingError, match="run=9: has no point"):
        run_message(scenes["ellipsoid"], 9)


def test_what_is_recorded_now_and_then_is_kept(scenes):
    (run,) = message_of(scenes["ellipsoid"])["runs"]
    history = gdlab.load(scenes["ellipsoid"].problem.runs[0].path).history
    known = np.isfinite(history.metrics["sharpness"])
    assert known.sum() == 15  # steps 0, 3, …, 39, and the last one
    np.testing.assert_array_equal(run["step"][np.isfinite(run["sharpness"])], history.step[known])


def test_of_a_damaged_run_the_end_is_shown(scenes):
    scene = scenes["rosenbrock"]
    message = message_of(scene)
    names = [run["name"] for run in message["runs"]]
    assert "writing" not in names
    damaged = message["runs"][names.index("damaged")]
    assert (damaged["step"].tolist(), damaged["recorded"]) == ([60], 0)
    assert message["notes"] == [
        "writing: is still being written, so that its path is not shown",
        "damaged/history.parquet: missing or damaged (it differs from its digest); "
        "its end is shown",
    ]


def test_thinned_paths_are_off_by_less_than_half_a_pixel(scenes):
    scene = scenes["rosenbrock"]
    records = read_records(scene.problem.runs[1].path)
    rows = visible_points(scene.view, scene.shown.plane, [records], 0.0, 10_000)[0]
    assert len(rows) < len(records)
    drawn = [np.interp(records.step, records.step[rows], c[rows]) for c in records.x.T]
    pixels = np.abs(np.transpose(drawn) - records.x) / np.diff(scene.view)[:, 0] * 1280
    assert pixels.max() < 0.5


# The marks


def test_saddles_and_maxima_of_himmelblau_are_marked():
    """Four saddles and a maximum (Himmelblau, Applied Nonlinear Programming, 1972)."""
    loss = gdlab.losses.Himmelblau()
    landscape = gdlab.recording.run_plots.landscape_of(loss, "")
    marks = critical_marks(loss, landscape, np.array([[-5.0, 5.0], [-5.0, 5.0]]))
    assert sorted(mark["kind"] for mark in marks) == ["maximum", *["saddle"] * 4]
    (top,) = [mark["at"] for mark in marks if mark["kind"] == "maximum"]
    np.testing.assert_allclose(top, [-0.270845, -0.923039], atol=1e-6)  # published to six digits


def test_minimizers_are_marked_in_every_plane(scenes):
    labels = {name: [m["label"] for m in message_of(s)["marks"]] for name, s in scenes.items()}
    assert labels["rosenbrock"] == ["minimizer, loss 0"]
    assert labels["ellipsoid"] == ["minimizer, projected, loss 0"]
    assert labels["Mine"] == []
    kinds = [m["kind"] for m in marks_message(scenes["x**4 - 3*x**2 + x"])["marks"]]
    assert sorted(kinds) == ["maximum", "minimum", "minimum"]
