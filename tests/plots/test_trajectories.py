"""The pictures of a sweep, read back and compared with their input.

Shapes: M paths, n points of a path, D dimensions.
"""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from gdlab.plots.basins import basins_png
from gdlab.plots.colors import CATEGORIES, Colors, ramp, round_ticks
from gdlab.plots.projection import Landscape
from gdlab.plots.sensitivity import Band, sensitivity_png
from gdlab.plots.trajectories import Path, _Sweep, overview_png
from plots.landscapes import bowl, pixels


def geometric(start, factors, steps):
    """Gradient descent on a bowl in closed form, while finite: at most (steps + 1, D)."""
    with np.errstate(over="ignore"):
        points = np.asarray(start) * np.power(factors, np.arange(steps + 1)[:, None])
    return points[np.isfinite(points).all(axis=1)]


def sweep_of(curvatures, rates, steps=60, start=1.0):
    h = np.asarray(curvatures, dtype=float)
    return [Path(geometric(np.full(len(h), start), 1 - lr * h, steps), lr) for lr in rates]


def near_color(png, color, tolerance=0.08):
    return np.abs(pixels(png) - np.array(to_rgb(color))).max(axis=-1) < tolerance


def lightness(colors):
    """CIE L* of sRGB colors (..., 3)."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


# Colors


def test_the_ramp_grows_lighter_throughout_and_stays_darker_than_most_of_the_surface():
    light = lightness(ramp()(np.linspace(0, 1, 64))[:, :3])
    assert (np.diff(light) > 0).all()
    assert np.ptp(light) > 60
    assert light[-1] < 72  # the surface goes from 62 to 97


def test_the_ramp_is_never_the_blue_of_the_surface():
    red, _, blue = ramp()(np.linspace(0, 1, 200))[:, :3].T
    assert (blue - red < 0.25).all()


def test_numbers_are_spaced_by_logarithm_where_asked():
    values = [1e-4, 1e-2, 1.0]
    middle = [Colors.of(values, is_log=is_log).color(1) for is_log in (True, False)]
    np.testing.assert_allclose(middle[0], ramp()(0.5))
    np.testing.assert_allclose(middle[1], ramp()(0.0099))


@pytest.mark.parametrize("values", [[0.0, 0.5, 0.9], [-1.0, 1.0]])
def test_numbers_without_a_logarithm_are_spaced_linearly(values):
    assert not Colors.of(values, is_log=True).is_log


def test_texts_are_categories_with_their_own_color_and_marker():
    colors = Colors.of(["adam", "sgd", "adam"], is_log=False)
    looks = [(colors.color(i), colors.marker(i)) for i in range(3)]
    assert looks == [CATEGORIES[0], CATEGORIES[1], CATEGORIES[0]]
    assert len({marker for _, marker in CATEGORIES}) == len(CATEGORIES) == 8


def test_the_ninth_category_is_other():
    colors = Colors.of([f"o{i}" for i in range(10)], is_log=False)
    assert len(colors.categories) == 8
    assert colors.color(8) == colors.color(9)
    assert colors.color(8) not in dict(CATEGORIES)


@pytest.mark.parametrize(
    ("low", "high", "is_log", "expected"),
    [
        (1e-4, 1.0, True, [1e-4, 1e-3, 1e-2, 1e-1, 1]),
        (0.02, 0.3, True, [0.02, 0.05, 0.1, 0.2]),
        (0.11, 0.12, True, [0.11, 0.12]),
        (0.0, 1.0, False, [0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9]),
        (1e-16, 1e10, True, [1e-16, 1e-13, 1e-10, 1e-7, 1e-4, 1e-1, 1e2, 1e5, 1e8]),
    ],
)
def test_ticks_are_round_and_few(low, high, is_log, expected):
    np.testing.assert_allclose(round_ticks(low, high, is_log=is_log), expected, atol=1e-15)


# The view and the plane


def test_the_view_holds_every_path_that_settles_and_none_that_does_not():
    landscape, paths = bowl([1, 15]), sweep_of([1, 15], [0.01, 0.05, 0.1, 0.14])
    sweep = _Sweep.of(landscape, paths)
    low, high = sweep.box.T
    for path in paths[:3]:
        assert ((low < path.points) & (path.points < high)).all()
    assert (high - low).max() < 10  # the last one reaches 300
    assert sweep.project()[1] == 1
    assert sweep.notes(1) == "1 of 4 paths leave the view"
    assert sweep.best == 2


def test_where_all_diverge_their_early_steps_are_shown():
    paths = sweep_of([1, 15], [0.14, 0.15, 0.2], steps=900)
    sweep = _Sweep.of(bowl([1, 15], window=2), paths)
    assert (sweep.box[:, 1] - sweep.box[:, 0]).max() < 30
    assert sweep.project()[1] == 3


def test_a_run_that_rises_without_leaving_does_not_choose_the_view():
    paths = [*sweep_of([1, 1], [0.1]), Path(np.linspace([1.0, 1], [50, 50], 20), 0.2)]
    low, high = _Sweep.of(bowl([1, 1]), paths).box.T
    assert (high - low).max() < 5


def test_the_plane_is_that_of_all_settled_paths_through_the_lowest_end():
    h = np.arange(1, 6)
    rng = np.random.default_rng(0)
    paths = [Path(geometric(rng.standard_normal(5), 1 - lr * h, 40), lr) for lr in (0.3, 0.2, 0.1)]
    gone = Path(geometric(np.ones(5), 1 - 0.6 * h, 400), 0.6)
    plane = _Sweep.of(bowl(h), [*paths, gone]).plane
    powers, vectors = np.linalg.eigh(np.cov(np.concatenate([p.points for p in paths]).T))
    assert plane.variance is not None
    np.testing.assert_allclose(plane.variance, powers[::-1][:2] / powers.sum(), rtol=1e-9)
    overlap = np.abs((plane.axes * vectors[:, ::-1][:, :2].T).sum(axis=1))
    np.testing.assert_allclose(overlap, 1.0, rtol=1e-9)
    ends = [0.5 * (h * p.points[-1] ** 2).sum() for p in paths]
    np.testing.assert_array_equal(plane.origin, paths[int(np.argmin(ends))].points[-1])


def test_one_dimension_is_drawn_against_the_step():
    paths = [Path(geometric([1.0], [0.9], 20), 0.1, np.arange(21) * 5)]
    sweep = _Sweep.of(bowl([1]), paths)
    (trace,), _ = sweep.project()
    np.testing.assert_allclose(trace[:, 0], np.arange(21) * 5)
    np.testing.assert_allclose(trace[:, 1], 0.9 ** np.arange(21))
    assert sweep.box[0, 1] > 100


def test_the_subtitle_says_which_run_ended_lowest():
    paths = sweep_of([1, 15], [0.01, 0.1])
    lowest = 0.5 * (0.9**120 + 15 * 0.5**120)
    words = f"2 paths   ·   lowest last loss {lowest:.4g} at lr = 0.1"
    assert _Sweep.of(bowl([1, 15]), paths).subtitle("lr") == words


# The picture


def test_each_path_has_the_color_of_its_value_where_it_lies():
    landscape = bowl([1, 1], window=1, minimizers=False)
    rows = {}
    # Each path ends lower than it starts.
    heights = {"below": -0.6, "middle": 0.0, "above": 0.6}
    paths = [Path(np.array([[-0.8, y], [0.7, y]]), name) for name, y in heights.items()]
    png = overview_png(landscape, paths, "name", is_log=False)
    assert pixels(png).shape == (620, 640, 3)
    for (name, _), (color, _) in zip(heights.items(), CATEGORIES, strict=False):
        there = np.nonzero(near_color(png, color, 0.35)[70:450, 130:510])
        counts = np.bincount(there[0])
        assert counts.max() > 200  # a long horizontal line
        rows[name] = counts.argmax()
    assert rows["above"] + 80 < rows["middle"] < rows["below"] - 80


def test_the_same_input_gives_the_same_bytes_whatever_the_style():
    import matplotlib

    paths = sweep_of([1, 15], [0.01, 0.1])
    first = overview_png(bowl([1, 15]), paths, "lr", is_log=True)
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "lines.linewidth": 9}):
        assert overview_png(bowl([1, 15]), paths, "lr", is_log=True) == first
    assert b"Software" not in first


RNG = np.random.default_rng(0)
NAN = Landscape(lambda x: np.full(x.shape[:-1], np.nan), lambda x: x * np.nan, ("a", "b"), "t")
FLAT = Landscape(lambda x: np.ones(x.shape[:-1]), lambda x: 0 * x, ("a", "b"), "t")
HARD = {
    "one point": (bowl([1, 2]), [Path(np.ones((1, 2)), 0.1)]),
    "one point, 1-D": (bowl([1]), [Path(np.ones((1, 1)), 0.1)]),
    "equal values, 5-D": (bowl(np.ones(5)), [Path(np.ones((1, 5)), 0.1)] * 2),
    "values rounding apart": (bowl([1, 2]), sweep_of([1, 2], [0.1, np.nextafter(0.1, 1)])),
    "value without a number": (bowl([1, 2]), sweep_of([1, 2], [0.1, np.nan, np.inf])),
    "huge values": (bowl([1, 2]), [Path(np.ones((2, 2)), v) for v in (-1e308, 1e308)]),
    "constant loss": (FLAT, [Path(np.ones((3, 2)), v) for v in (1.0, 2.0)]),
    "nowhere finite": (NAN, [Path(RNG.standard_normal((9, 2)), v) for v in (1.0, 2.0)]),
    "all diverged": (bowl([1, 15]), sweep_of([1, 15], [0.2, 0.3], 800)),
    "all diverged, 1-D": (bowl([1], window=2), sweep_of([1], [2.2, 3], 800)),
    "all diverged, 6-D": (bowl(np.arange(1, 7)), sweep_of(np.arange(1, 7), [0.4, 0.6], 800)),
    "huge points": (bowl([1, 2]), [Path(np.array([[1.0, 1], [1e308, -1e308]]), 0.1)]),
    "tiny points": (bowl([1, 2]), [Path(1e-200 * RNG.standard_normal((9, 2)), v) for v in (1, 2)]),
    "many paths": (bowl([1, 2]), [Path(RNG.standard_normal((20, 2)), v) for v in range(22)]),
    "long path": (bowl([1, 2]), [Path(RNG.standard_normal((10_000, 2)), 1.0)]),
    "6,000 dimensions": (
        bowl(np.ones(6000), minimizers=False),
        [Path(RNG.standard_normal((5, 6000)), v) for v in (1, 2)],
    ),
    "long names": (bowl([1, 2]), [Path(np.ones((2, 2)), "$" + 50 * "n" + str(i)) for i in "ab"]),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_cases_draw_without_a_warning(name):
    landscape, paths = HARD[name]
    warnings.simplefilter("error")
    png = overview_png(landscape, paths, "lr_$x", is_log=True)
    assert pixels(png).std() > 0.05


@pytest.mark.parametrize("shapes", [[], [(0, 2)], [(3, 2), (3, 1)], [(3,)]])
def test_paths_of_different_dimensions_are_refused(shapes):
    with pytest.raises(ValueError, match="paths"):
        overview_png(bowl([1, 2]), [Path(np.zeros(s), 1.0) for s in shapes], "lr", is_log=True)


# Sensitivity

RATES = np.geomspace(1e-3, 1, 13)
CLIFF = np.where(RATES < 0.1, 1 / RATES, np.inf)


def band(median, spread=2.0):
    return Band(RATES[: len(median)], median, median / spread, median * spread)


def test_diverged_settings_are_triangles_at_the_top_and_only_they():
    png = sensitivity_png({"a": band(CLIFF)}, xlabel="lr")
    drawn = near_color(png, CATEGORIES[0][0], 0.15)[44:425, 78:697]  # inside the panel
    rows, columns = np.nonzero(drawn)
    at_top = columns[rows < 20]
    # The axis runs from 10^-3.09 to 10^0.09: 0.03 of its 3 decades beyond each end.
    places = 10 ** (np.array([at_top.min(), at_top.max()]) / 619 * 3.18 - 3.09)
    np.testing.assert_allclose(places, [RATES[8], RATES[-1]], rtol=0.06)  # 0.1 and 1
    assert columns[rows > 30].max() < at_top.min()


def test_lines_of_theory_are_at_their_values():
    plain = sensitivity_png({"a": band(CLIFF)}, xlabel="lr")
    lined = sensitivity_png({"a": band(CLIFF)}, xlabel="lr", lines={"a": 0.01, "b": 0.3})
    changed = np.abs(pixels(plain) - pixels(lined)).max(axis=-1)[44:425, 78:697] > 0.2
    for half, x in (slice(0, 300), 0.01), (slice(300, 619), 0.3):
        column = half.start + changed[:, half].sum(axis=0).argmax()
        assert abs(10 ** (column / 619 * 3.18 - 3.09) / x - 1) < 0.03


def test_a_line_for_each_series_has_its_color():
    series = {"a": band(CLIFF), "b": band(CLIFF * 3)}
    png = sensitivity_png(series, xlabel="lr", lines={"2/L": [0.02, 0.5]})
    for (color, _), x in zip(CATEGORIES, [0.02, 0.5], strict=False):
        column = 78 + round((np.log10(x) + 3.09) / 3.18 * 619)
        drawn = near_color(png, color, 0.3)[44:425, column - 2 : column + 3].any(axis=1)
        assert drawn.mean() > 0.4  # dashes


@pytest.mark.parametrize(
    "median",
    [
        np.full(13, np.inf),
        np.zeros(13),
        np.ones(1),
        np.full(13, -2.0),
        np.geomspace(1e-300, 1e290, 13),
    ],
)
def test_hard_bands_draw_without_a_warning(median):
    warnings.simplefilter("error")
    lines = {"$a_": 0.1, "beyond": 1e9, "none": np.nan}
    sensitivity_png({"_a$": band(median)}, xlabel="_lr$", lines=lines)


def test_a_setting_of_zero_is_drawn_on_a_linear_axis():
    x = np.array([0.0, 0.5, 0.9])
    warnings.simplefilter("error")
    sensitivity_png({"a": Band(x, x + 1, x + 1, x + 2)}, xlabel="momentum")


@pytest.mark.parametrize("series", [{}, {"a": Band(RATES, CLIFF[1:], CLIFF, CLIFF)}])
def test_series_of_different_lengths_are_refused(series):
    with pytest.raises(ValueError, match="series"):
        sensitivity_png(series, xlabel="lr")


# Basins


def test_basins_lie_where_their_starts_do_and_the_first_row_is_at_the_bottom():
    axis = np.linspace(-1, 1, 40)
    labels = np.zeros((40, 40), dtype=int)
    labels[:, 20:] = 1  # right
    labels[20:, :20] = -1  # top left
    png = basins_png(axis, axis, labels, ("x", "y"), np.array([[-0.5, -0.5], [0.5, 0.5]]))
    panel = pixels(png)[60:460, 120:520]
    quarters = [panel[300, 40], panel[300, 360], panel[40, 360], panel[40, 40]]
    low, right, high, none = (np.round(255 * q).astype(int) for q in quarters)
    np.testing.assert_array_equal(right, high)
    np.testing.assert_array_equal(none, [207, 207, 207])
    assert np.abs(low - right).max() > 50
    assert pixels(png).shape == (560, 640, 3)


@pytest.mark.parametrize(("shape", "many"), [((1, 1), 0), ((1, 7), 1), ((30, 20), 40)])
def test_any_grid_and_any_number_of_minimizers_draw_without_a_warning(shape, many):
    warnings.simplefilter("error")
    labels = np.arange(np.prod(shape)).reshape(shape) % (many + 1) - 1
    places = RNG.standard_normal((many, 2))
    axes = np.arange(shape[1]) * 1.0, np.geomspace(1, 9, shape[0])
    png = basins_png(*axes, labels, ("_a", "$b"), places)
    assert png == basins_png(*axes, labels, ("_a", "$b"), places)


@pytest.mark.parametrize("labels", [np.zeros((2, 3), int), np.full((3, 2), 5), np.full((3, 2), -2)])
def test_invalid_labels_are_refused(labels):
    with pytest.raises(ValueError, match="labels"):
        basins_png(np.arange(2.0), np.arange(3.0), labels, ("x", "y"), np.zeros((1, 2)))


def test_importing_the_modules_imports_neither_matplotlib_nor_torch():
    code = (
        "import sys, gdlab.recording; before = set(sys.modules); "
        "import gdlab.plots.trajectories, gdlab.plots.sensitivity, gdlab.plots.basins; "
        "new = set(sys.modules) - before; sys.exit(bool({'matplotlib', 'torch', 'PIL'} & new))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
