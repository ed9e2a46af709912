"""The pictures of a run, read back and compared with closed forms.

Shapes: n points of a path, D dimensions.
"""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from matplotlib.text import Text

from gdlab.plots.background import Background, View
from gdlab.plots.landscape import descent_field, draw_surface, relief_of
from gdlab.plots.projection import Landscape, Plane, drawing_plane, nearby, principal_plane, view
from gdlab.plots.relief import refined, spaced_levels
from gdlab.plots.trajectory import draw_trajectory, frame_rows, trajectory_frames, trajectory_png
from plots.landscapes import bowl, pixels

RED = np.array([200, 16, 46]) / 255


def descent(landscape, start, lr, steps):
    path = [np.asarray(start, dtype=float)]
    with np.errstate(all="ignore"):
        for _ in range(steps):
            path.append(path[-1] - lr * landscape.gradient(path[-1]))
    return np.array(path)


def redness(png):
    """Return the share of the panel (without the legend) that has the color of the path."""
    return int((np.abs(pixels(png)[:470] - RED).max(axis=-1) < 0.1).sum())


def frames_of(landscape, path, frames=10):
    return trajectory_frames(landscape, np.arange(len(path)), path, frames=frames)


# Which steps


@pytest.mark.parametrize("n", [1, 2, 3, 9, 10, 11, 12, 50, 2001, 10_001])
@pytest.mark.parametrize("frames", [1, 2, 3, 10])
@pytest.mark.parametrize("every", [1, 7])
def test_frames_are_few_and_increasing_with_the_first_and_the_last(n, frames, every):
    steps = np.append(np.arange(n - 1) * every, max(0, (n - 1) * every - every // 2))
    rows = frame_rows(steps, frames)
    assert 1 <= len(rows) <= frames
    assert (np.diff(rows) > 0).all()
    assert rows[-1] == n - 1
    assert rows[0] == 0 or frames == 1


def test_frames_are_geometric():
    steps = frame_rows(np.arange(10_001), 10)[1:]
    ratios = steps[1:] / steps[:-1]
    # 10_000 ** (1/8) is 3.162; the first steps are rounded to whole ones.
    np.testing.assert_allclose(ratios[3:], 10**0.5, rtol=0.02)


def test_frames_of_a_thinned_path_are_rows_nearest_to_geometric_steps():
    assert frame_rows(np.array([0, 10, 20, 30, 40, 100, 1000]), 4).tolist() == [0, 1, 5, 6]


@pytest.mark.parametrize("frames", [0, -3])
def test_no_frames_is_refused(frames):
    with pytest.raises(ValueError, match="frames"):
        frame_rows(np.arange(3), frames)


@pytest.mark.parametrize("path", [np.zeros((0, 2)), np.zeros((3, 2)), np.zeros(2)])
def test_mismatched_steps_and_path_are_refused(path):
    with pytest.raises(ValueError, match="path"):
        trajectory_png(bowl([1, 2]), np.arange(2), path)


# The plane


@pytest.mark.parametrize(("n", "dim"), [(200, 5), (5, 200), (40, 40), (3, 3)])
def test_principal_plane_agrees_with_the_covariance(n, dim):
    rng = np.random.default_rng(n)
    path = rng.standard_normal((n, dim)) * 0.7 ** np.arange(dim) + 3.0
    powers, vectors = np.linalg.eigh(np.cov(path.T))
    plane = principal_plane(path)
    assert plane.variance is not None
    np.testing.assert_allclose(plane.variance, powers[::-1][:2] / powers.sum(), rtol=1e-10)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-12)
    overlap = np.abs((plane.axes * vectors[:, ::-1][:, :2].T).sum(axis=1))
    np.testing.assert_allclose(overlap, 1.0, rtol=1e-9)
    np.testing.assert_array_equal(plane.origin, path[-1])


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e99])
def test_variance_shares_do_not_depend_on_scale(scale):
    path = np.random.default_rng(0).standard_normal((30, 4))
    np.testing.assert_allclose(
        np.asarray(principal_plane(path * scale).variance),
        np.asarray(principal_plane(path).variance),
        rtol=1e-9,
    )


@pytest.mark.parametrize("dim", [3, 10, 300])
def test_a_straight_path_gets_an_orthogonal_direction_with_no_variance(dim):
    direction = np.random.default_rng(dim).standard_normal(dim)
    plane = principal_plane(0.9 ** np.arange(50)[:, None] * direction)
    np.testing.assert_allclose(np.asarray(plane.variance), [1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(
        np.abs(plane.axes[0] @ direction), np.linalg.norm(direction), rtol=1e-12
    )


def test_coordinates_and_points_are_inverse_on_the_plane():
    plane = principal_plane(np.random.default_rng(1).standard_normal((20, 6)))
    there = np.random.default_rng(2).standard_normal((7, 2))
    np.testing.assert_allclose(plane.coordinates(plane.points(there)), there, atol=1e-12)


def test_large_dimensions_are_evaluated_in_bounded_blocks():
    dim, sizes = 5000, []

    def value(x):
        sizes.append(x.nbytes)
        return (x * x).sum(axis=-1)

    plane = principal_plane(np.random.default_rng(0).standard_normal((4, dim)))
    grid = np.random.default_rng(1).standard_normal((1700, 2))
    values = plane.evaluate(value, grid)
    assert max(sizes) <= 32 * 2**20
    assert len(sizes) == 3
    np.testing.assert_allclose(values, (plane.points(grid) ** 2).sum(axis=1), rtol=1e-12)


# The view


def test_the_view_holds_the_path_and_the_nearest_minimizer():
    landscape = bowl([1, 15])
    path = descent(landscape, [1, 1], 0.1, 30)
    low, high = view(landscape, path, drawing_plane(landscape, path)).T
    assert (path > low).all()
    assert (path < high).all()
    assert (low < 0).all()
    assert (high > 0).all()


@pytest.mark.parametrize(
    ("start", "lr", "steps", "expected"),
    [
        pytest.param([1, 1], 0.1, 50, [[-2, 2], [-2, 2]], id="a normal run shows the window"),
        pytest.param([1, 1], 0.1, 0, [[-2, 2], [-2, 2]], id="one point shows the window"),
        pytest.param([0, 0], 0.1, 9, [[-2, 2], [-2, 2]], id="a run at rest shows the window"),
    ],
)
def test_the_window_is_shown_whole(start, lr, steps, expected):
    landscape = bowl([1, 15], window=2)
    path = descent(landscape, start, lr, steps)
    np.testing.assert_allclose(view(landscape, path, drawing_plane(landscape, path)), expected)


@pytest.mark.parametrize(
    ("start", "lr", "steps", "shows_minimizer"),
    [([0.01, 0.01], 0.05, 50, True), ([1.0, 1.0], 1e-6, 50, False)],
)
def test_a_tiny_path_is_zoomed_in_on(start, lr, steps, shows_minimizer):
    landscape = bowl([1, 15], window=2)
    path = descent(landscape, start, lr, steps)
    low, high = view(landscape, path, drawing_plane(landscape, path)).T
    assert ((low < path) & (path < high)).all()
    assert (high - low).max() <= 3 * np.ptp(path, axis=0).max()
    assert ((low < 0) & (high > 0)).all() == shows_minimizer


@pytest.mark.parametrize("window", [2, None])
@pytest.mark.parametrize("minimizers", [True, False])
def test_a_diverged_run_shows_its_early_steps(window, minimizers):
    landscape = bowl([1, 15], window=window, minimizers=minimizers)
    path = descent(landscape, [1, 1], 0.14, 3000)  # the second coordinate grows by 1.1 a step
    assert np.abs(path).max() > 1e120
    low, high = view(landscape, path, drawing_plane(landscape, path)).T
    assert (high - low).max() < 100
    assert ((low < path[:15]) & (path[:15] < high)).all()
    assert not nearby(landscape, path)[60:].any()


def test_a_long_steady_run_without_a_window_is_shown_whole():
    path = np.linspace([0, 0], [5000, 100], 4000)
    assert nearby(bowl([1, 1], minimizers=False), path).all()


def test_a_view_never_has_an_axis_without_extent():
    for path in (np.ones((5, 2)), np.array([[0.0, 1.0], [1.0, 1.0]]), np.full((2, 2), 1e30)):
        landscape = bowl([1, 1], minimizers=False)
        low, high = view(landscape, path, drawing_plane(landscape, path)).T
        assert (high > low).all()
        assert (high - low).max() <= 3 * (high - low).min()


def test_a_straight_path_in_many_dimensions_gets_a_square_view():
    landscape = bowl([1, 1, 1])
    path = descent(landscape, [1, 2, 3], 0.1, 20)
    low, high = view(landscape, path, drawing_plane(landscape, path)).T
    np.testing.assert_allclose(*(high - low))


@pytest.mark.parametrize("window", [2, 3.7, None])
def test_runs_that_differ_little_share_a_view(window):
    landscape = bowl([1, 15], window=window, minimizers=False)
    views = []
    for lr in np.geomspace(1e-5, 1e-3, 60):
        path = descent(landscape, [1, 1], lr, 50)
        box = view(landscape, path, drawing_plane(landscape, path))
        assert ((box[:, 0] < path) & (path < box[:, 1])).all()
        # A margin of 12 % to both sides, and then at most twice that.
        assert (box[:, 1] - box[:, 0]).max() <= 2 * 1.24 * np.ptp(path, axis=0).max()
        unit = 1 if window is None else 2 * window
        steps = (box - (0 if window is None else -window)) / unit * 2**20
        np.testing.assert_allclose(steps, steps.round())
        views.append(box.tobytes())
    # Observed 31 at most; each path has a view of its own where nothing is rounded.
    assert len(set(views)) <= 35


def test_a_bent_path_much_longer_than_wide_fills_the_view_in_both_directions():
    path = np.stack([100 * 0.98 ** np.arange(50), (-0.98) ** np.arange(50)], axis=1)
    for window in (None, 300):
        scene = bowl([1, 100], window=window)
        low, high = view(scene, path, drawing_plane(scene, path)).T
        np.testing.assert_allclose(high - low, 1.24 * np.ptp([*path, [0, 0]], axis=0), rtol=1e-12)
    figure = draw_trajectory(scene, np.arange(50), path)
    assert any("the vertical axis is stretched" in t.get_text() for t in figure.findobj(Text))
    straight = np.linspace([100.0, 1.0], [1.0, 0.01], 50)
    low, high = view(scene, straight, drawing_plane(scene, straight)).T
    assert (high - low)[1] > 0.5 * (high - low)[0]


# The scenery


@pytest.mark.parametrize("dim", [2, 7])
def test_arrows_are_the_negative_gradient_and_unit(dim):
    landscape = bowl(np.arange(1, dim + 1) ** 2)
    path = descent(landscape, np.ones(dim), 0.01, 40)
    plane = drawing_plane(landscape, path)
    grid = np.random.default_rng(0).standard_normal((30, 2))
    points, directions = descent_field(landscape, plane, grid)
    np.testing.assert_array_equal(points, grid)
    # Central differences of the loss along the paper's own axes.
    step = 1e-6 * np.eye(2)
    slopes = np.stack(
        [
            landscape.value(plane.points(grid + e)) - landscape.value(plane.points(grid - e))
            for e in step
        ],
        axis=-1,
    )
    expected = -slopes / np.linalg.norm(slopes, axis=1, keepdims=True)
    np.testing.assert_allclose(directions, expected, atol=1e-7)


def test_points_without_a_direction_have_no_arrow():
    landscape = bowl([1, 1])
    points, directions = descent_field(
        landscape,
        Plane(np.zeros(2), np.eye(2)),
        np.array([[0.0, 0.0], [np.inf, 1.0], [3e200, -4e200], [np.nan, 0.0]]),
    )
    np.testing.assert_array_equal(points, [[3e200, -4e200]])
    np.testing.assert_allclose(directions, [[-0.6, 0.8]])


@pytest.mark.parametrize(
    ("window", "aspect"), [([1, 1], 1.0), ([1, 2.9], 1.0), ([1, 50], "auto"), ([50, 1], "auto")]
)
def test_equal_aspect_within_one_to_three(window, aspect):
    from matplotlib.figure import Figure

    landscape = bowl([1, 2])
    axes = Figure().add_axes((0.1, 0.1, 0.8, 0.8))
    box = np.array([[-w, w] for w in window], dtype=float)
    draw_surface(axes, landscape, Plane(np.zeros(2), np.eye(2)), box, None)
    assert axes.get_aspect() == aspect
    np.testing.assert_array_equal([axes.get_xlim(), axes.get_ylim()], box)


def test_axis_labels_carry_the_shares_of_variance():
    from matplotlib.figure import Figure

    path = np.random.default_rng(0).standard_normal((50, 4)) * [4, 2, 1, 0.1]
    powers = np.linalg.eigvalsh(np.cov(path.T))[::-1]
    axes = Figure().add_axes((0.1, 0.1, 0.8, 0.8))
    landscape = bowl([1, 1, 1, 1])
    draw_surface(axes, landscape, principal_plane(path), np.array([[-5.0, 5.0], [-5.0, 5.0]]), None)
    for k, label in enumerate([axes.get_xlabel(), axes.get_ylabel()]):
        share = 100 * powers[k] / powers.sum()
        assert label == f"principal component {k + 1} ({share:.1f}% of variance)"


@pytest.mark.parametrize(
    ("values", "log"),
    [(np.linspace(1.0, 3.0, 100), False), (np.logspace(-3, 3, 100), True)],
)
def test_levels_are_logarithmic_where_the_loss_spans_decades(values, log):
    spaced = spaced_levels(values, 0.0)
    assert spaced is not None
    heights, levels, was_log = spaced
    assert was_log == log
    assert 5 <= len(levels) <= 15
    np.testing.assert_allclose(np.diff(levels), levels[1] - levels[0])
    inner = (heights > levels[0]) & (heights < levels[-1])
    expected = np.log10(values) if log else values
    np.testing.assert_allclose(heights[inner], expected[inner])


def test_levels_leave_blank_what_cannot_be_drawn():
    spaced = spaced_levels(np.array([np.nan, np.inf, -np.inf, 1e305, 1e-9, 1.0, 10.0]), None)
    assert spaced is not None
    np.testing.assert_array_equal(np.isnan(spaced[0]), [1, 1, 1, 1, 0, 0, 0])


def test_levels_follow_the_heights_that_a_path_visits():
    levels = np.arange(0.0, 13.0)
    followed = refined(levels, np.linspace(2.2, 2.9, 64))
    assert (np.diff(followed) > 0).all()
    assert ((followed > 2.2) & (followed < 2.9)).sum() >= 3
    assert set(levels[4:]) <= set(followed)
    np.testing.assert_array_equal(refined(levels, np.linspace(1.0, 9.0, 64)), levels)
    np.testing.assert_array_equal(refined(levels, np.full(64, np.nan)), levels)


@pytest.mark.parametrize("values", [np.ones(9), np.full(9, np.nan), np.full(9, np.inf)])
def test_equal_values_have_no_levels(values):
    assert spaced_levels(values, None) is None


# The frames


def test_frames_grow_the_path_and_the_last_shows_the_whole_run():
    landscape = bowl([1, 15], window=1.5)
    path = descent(landscape, [1, 1], 0.1, 60)
    drawn = frames_of(landscape, path, 5)
    assert drawn[0][0] == 0
    assert drawn[-1][0] == 60
    assert len({png for _, png in drawn}) == len(drawn)
    assert all(pixels(png).shape == (560, 640, 3) for _, png in drawn)
    reds = [redness(png) for _, png in drawn]
    assert reds[0] < reds[2] < reds[-1]
    assert trajectory_png(landscape, np.arange(61), path) == drawn[-1][1]


@pytest.mark.parametrize("curvatures", [[1], [1, 15]])
def test_runs_on_a_shared_background_are_drawn_as_if_alone(curvatures):
    one = bowl(curvatures, window=1.5, title="one")
    other = bowl(curvatures, window=1.5, title="a much longer title")
    box = np.tile([-1.5, 1.5], (len(curvatures), 1))
    plane = Plane(np.zeros(len(box)), np.eye(len(box)))
    levels = relief_of(one, plane, box) if len(box) == 2 else None
    background = Background(one, View(plane, box, levels))
    drawn, steps = {}, np.arange(31)
    for name, scene, lr in [("one", one, 0.1), ("other", other, 0.02), ("again", one, 0.1)]:
        path = descent(scene, np.ones(len(box)), lr, 30)
        np.testing.assert_array_equal(view(scene, path, plane), box)
        drawn[name] = trajectory_frames(scene, steps, path, frames=3, background=background)
        assert drawn[name] == trajectory_frames(scene, steps, path, frames=3)
    assert drawn["one"] == drawn["again"] != drawn["other"]


def test_the_path_is_drawn_where_it_is():
    landscape = bowl([1, 1], window=1)  # the window fills a square panel
    path = np.array([[-0.8, -0.8], [0.8, -0.8]])
    red = np.abs(pixels(frames_of(landscape, path)[-1][1]) - RED).max(axis=-1) < 0.1
    rows, columns = np.nonzero(red[60:460])  # the panel, without the legend
    assert np.ptp(rows) < 20
    assert np.ptp(columns) > 250
    assert rows.mean() > 200  # near the bottom


def test_the_same_input_gives_the_same_bytes_whatever_the_style():
    import matplotlib

    landscape = bowl([1, 5], window=2)
    path = descent(landscape, [1, 1], 0.1, 20)
    first = frames_of(landscape, path, 3)
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "lines.linewidth": 9}):
        assert frames_of(landscape, path, 3) == first
        assert matplotlib.rcParams["font.size"] == 20
    assert b"Software" not in first[0][1]


def flat(x):
    return np.full(x.shape[:-1], 3.0)


def holes(x):
    out = np.log(x[..., 0]) + 1.0 / (x[..., 1] - 0.5)
    return np.where(x[..., 1] > 1, np.inf, out)


def _landscape(value, dim, window=None):
    # One-sided differences: wrong at the kinks, which no picture can show.
    def gradient(x):
        eps = 1e-6
        return np.stack([(value(x + eps * e) - value(x)) / eps for e in np.eye(dim)], axis=-1)

    return Landscape(value, gradient, tuple("abcdefgh"[:dim]), "t $x$ _y", window)


UNIT = np.array([[-1.0, 1.0], [-1.0, 1.0]])
RNG = np.random.default_rng(0)
HARD = {
    "one point": (bowl([1, 2]), np.array([[1.0, 1.0]])),
    "one point, 1-D": (bowl([1]), np.array([[1.0]])),
    "one point, 5-D": (bowl(np.ones(5)), np.ones((1, 5))),
    "identical points": (bowl([1, 2]), np.ones((20, 2))),
    "identical points, 4-D": (bowl(np.ones(4), minimizers=False), np.ones((20, 4))),
    "constant loss": (_landscape(flat, 2), RNG.standard_normal((9, 2))),
    "constant loss, 1-D": (_landscape(flat, 1), RNG.standard_normal((9, 1))),
    "holes in the loss": (_landscape(holes, 2, UNIT), RNG.uniform(0, 1, (9, 2))),
    "nowhere finite": (_landscape(lambda x: flat(x) * np.nan, 2), RNG.standard_normal((9, 2))),
    "nowhere finite, 1-D": (_landscape(lambda x: flat(x) * np.inf, 1), np.ones((9, 1))),
    "huge loss": (_landscape(lambda x: 1e307 * (x * x).sum(-1), 2), RNG.standard_normal((9, 2))),
    "loss across the floats": (
        _landscape(lambda x: np.exp(600 * x.sum(-1)), 2, UNIT),
        RNG.uniform(-1, 1, (9, 2)),
    ),
    "huge points": (bowl([1, 2], window=2), np.array([[1.0, 1.0], [1e150, -1e150], [1e308, 1]])),
    "huge points, no window": (bowl([1, 2]), 1e150 * RNG.standard_normal((9, 2))),
    "huge start": (bowl([1, 2], window=1), np.array([[1e150, 1e150], [1.0, 1.0]])),
    "diverged": (bowl([1, 15], window=2), descent(bowl([1, 15]), [1, 1], 0.14, 3000)),
    "diverged, 1-D": (bowl([1], window=2), descent(bowl([1]), [1.0], 2.2, 800)),
    "diverged, 6-D": (bowl(np.arange(1, 7)), descent(bowl(np.arange(1, 7)), np.ones(6), 0.4, 800)),
    "tiny points": (bowl([1, 2]), 1e-200 * RNG.standard_normal((9, 2))),
    "rounding apart": (bowl([1, 2], minimizers=False), 1 + 1e-16 * np.arange(8).reshape(4, 2)),
    "straight, 3-D": (bowl([1, 1, 1]), descent(bowl([1, 1, 1]), [1, 2, 3], 0.1, 20)),
    "narrow window": (
        Landscape(
            lambda x: (x * x).sum(-1),
            lambda x: 2 * x,
            ("a", "b"),
            "t",
            np.array([[-1.0, 1.0], [-1e4, 1e4]]),
        ),
        np.array([[1.0, 5e3], [0.5, -5e3]]),
    ),
    "4,000 dimensions": (bowl(np.ones(4000)), RNG.standard_normal((6, 4000))),
    "20,000 dimensions": (bowl(np.ones(20_000)), RNG.standard_normal((6, 20_000))),
    "10,000 points": (bowl([1, 2]), RNG.standard_normal((10_000, 2))),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_cases_draw_without_a_warning(name):
    landscape, path = HARD[name]
    warnings.simplefilter("error")
    png = trajectory_png(landscape, np.arange(len(path)), path)
    # The path is there to be seen, unless its points have no height on the curve.
    assert (redness(png) > 10) == (name != "nowhere finite, 1-D")


def test_no_figure_is_left_in_pyplot():
    import matplotlib.pyplot as plt

    frames_of(bowl([1, 2]), np.ones((3, 2)), 2)
    assert plt.get_fignums() == []


def test_importing_the_module_imports_neither_matplotlib_nor_torch():
    code = (
        "import sys, gdlab.recording; before = set(sys.modules); "
        "import gdlab.plots.trajectory; new = set(sys.modules) - before; "
        "sys.exit(bool({'matplotlib', 'torch', 'PIL'} & new))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
