"""The pictures of a sweep, read back and compared with their input.

Shapes: M paths, n points of a path, D dimensions.
"""

import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest

from gdlab.plots.basins import draw_basins
from gdlab.plots.best_points import BestPoint
from gdlab.plots.colors import ALONE, CATEGORIES, Palette, ramp
from gdlab.plots.paths import Path, Paths
from gdlab.plots.projection import Landscape
from gdlab.plots.sensitivity import Band, draw_sensitivity
from gdlab.plots.style import render
from gdlab.plots.trajectories import draw_overview
from plots.landscapes import bowl, pixels, png_of, points_of

basins_png = png_of(draw_basins)


def overview_png(landscape, paths, setting):
    palette = Palette.of(setting, [path.value for path in paths])
    return png_of(draw_overview)(landscape, paths, palette)


def sensitivity(series, xlabel, lines=None):
    """The picture, and its panel."""
    labels = xlabel, "final loss"
    figure = draw_sensitivity(series, Palette.of("", series), labels=labels, lines=lines)
    return figure, figure.axes[0]


def geometric(start, factors, steps):
    """Gradient descent on a bowl in closed form, while finite: at most (steps + 1, D)."""
    with np.errstate(over="ignore"):
        points = np.asarray(start) * np.power(factors, np.arange(steps + 1)[:, None])
    return points[np.isfinite(points).all(axis=1)]


def sweep_of(curvatures, rates, steps=60, start=1.0):
    h = np.asarray(curvatures, dtype=float)
    return [Path(geometric(np.full(len(h), start), 1 - lr * h, steps), lr) for lr in rates]


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


def test_numbers_are_spaced_by_rank_so_that_no_two_have_one_color():
    values = [0.9, 0.0, 0.99, 0.999, 0.5]
    palette = Palette.of("momentum", values)
    colors = [palette.color(value) for value in sorted(values)]
    np.testing.assert_allclose(colors, [ramp()(rank) for rank in np.linspace(0, 1, 5)])
    assert palette.name(0.5) == "momentum = 0.5"
    assert not palette.has_bar
    assert Palette.of("lr", np.geomspace(1e-3, 1, 9).tolist()).has_bar


def test_texts_are_categories_with_their_own_color_and_marker():
    palette = Palette.of("optimizer", ["adam", "sgd", "adam"])
    looks = [(palette.color(name), palette.marker(name)) for name in ("adam", "sgd")]
    assert looks == [CATEGORIES[0], CATEGORIES[1]]
    assert len({marker for _, marker in CATEGORIES}) == len(CATEGORIES) == 8


@pytest.mark.parametrize(("count", "is_split"), [(8, False), (9, True)])
def test_more_texts_than_colors_get_panels(count, is_split):
    assert Palette.of("optimizer", [f"o{i}" for i in range(count)]).is_split == is_split


# The view and the plane


def test_the_view_holds_every_path_that_settles_and_none_that_does_not():
    landscape, paths = bowl([1, 15]), sweep_of([1, 15], [0.01, 0.05, 0.1, 0.14])
    sweep = Paths.of(landscape, paths)
    low, high = sweep.box.T
    for path in paths[:3]:
        assert ((low < path.points) & (path.points < high)).all()
    assert (high - low).max() < 10  # the last one reaches 300
    assert sweep.project()[1] == 1
    assert sweep.notes(1) == "1 of 4 paths leave the view"
    assert sweep.best == 2


def test_where_all_diverge_their_early_steps_are_shown():
    paths = sweep_of([1, 15], [0.14, 0.15, 0.2], steps=900)
    sweep = Paths.of(bowl([1, 15], window=2), paths)
    assert (sweep.box[:, 1] - sweep.box[:, 0]).max() < 30
    assert sweep.project()[1] == 3


def test_a_run_that_rises_without_leaving_does_not_choose_the_view():
    paths = [*sweep_of([1, 1], [0.1]), Path(np.linspace([1.0, 1], [50, 50], 20), 0.2)]
    low, high = Paths.of(bowl([1, 1]), paths).box.T
    assert (high - low).max() < 5


def test_the_plane_is_that_of_all_settled_paths_through_the_lowest_end():
    h = np.arange(1, 6)
    rng = np.random.default_rng(0)
    paths = [Path(geometric(rng.standard_normal(5), 1 - lr * h, 40), lr) for lr in (0.3, 0.2, 0.1)]
    gone = Path(geometric(np.ones(5), 1 - 0.6 * h, 400), 0.6)
    plane = Paths.of(bowl(h), [*paths, gone]).plane
    powers, vectors = np.linalg.eigh(np.cov(np.concatenate([p.points for p in paths]).T))
    assert plane.variance is not None
    np.testing.assert_allclose(plane.variance, powers[::-1][:2] / powers.sum(), rtol=1e-9)
    overlap = np.abs((plane.axes * vectors[:, ::-1][:, :2].T).sum(axis=1))
    np.testing.assert_allclose(overlap, 1.0, rtol=1e-9)
    ends = [0.5 * (h * p.points[-1] ** 2).sum() for p in paths]
    np.testing.assert_array_equal(plane.origin, paths[int(np.argmin(ends))].points[-1])


def test_one_dimension_is_drawn_against_the_step():
    paths = [Path(geometric([1.0], [0.9], 20), 0.1, np.arange(21) * 5)]
    sweep = Paths.of(bowl([1]), paths)
    (trace,), _ = sweep.project()
    np.testing.assert_allclose(trace[:, 0], np.arange(21) * 5)
    np.testing.assert_allclose(trace[:, 1], 0.9 ** np.arange(21))
    assert sweep.box[0, 1] > 100


def test_the_subtitle_says_which_run_ended_lowest():
    paths = sweep_of([1, 15], [0.01, 0.1])
    lowest = 0.5 * (0.9**120 + 15 * 0.5**120)
    words = f"2 paths   ·   lowest last loss {lowest:.4g} at lr = 0.1"
    palette, sweep = Palette.of("lr", [0.01, 0.1]), Paths.of(bowl([1, 15]), paths)
    assert sweep.subtitle(palette) == words
    named = Paths.of(bowl([1, 15]), [paths[0], replace(paths[1], name="lr=0.1,seed=3")])
    words = f"2 of 600 runs   ·   lowest last loss {lowest:.4g} at lr=0.1,seed=3"
    assert named.subtitle(palette, 600) == words


# The picture


def test_each_path_has_the_color_of_its_value_where_it_lies():
    # Each path ends lower than it starts.
    heights = {"below": -0.6, "middle": 0.0, "above": 0.6}
    paths = [Path(np.array([[-0.8, y], [0.7, y]]), name) for name, y in heights.items()]
    palette = Palette.of("name", heights)
    figure = draw_overview(bowl([1, 1], window=1, minimizers=False), paths, palette)
    drawn = {line.get_color(): line.get_ydata() for line in figure.axes[0].lines}
    for (color, _), y in zip(CATEGORIES, heights.values(), strict=False):
        assert (np.asarray(drawn[color]) == y).all()


def test_past_eight_names_each_has_a_panel_on_the_same_loss():
    names = [f"o{i}" for i in range(10)]
    paths = [Path(np.array([[-0.8, i / 20], [0.7, 0.0]]), name) for i, name in enumerate(names)]
    figure = draw_overview(bowl([1, 1], window=1), paths, Palette.of("optimizer", names))
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == names
    for i, axes in enumerate(panels):
        (path,) = (
            each for each in axes.lines if each.get_color() == ALONE and points_of(each).size > 2
        )
        assert points_of(path)[1, 0] == i / 20


def test_the_same_input_gives_the_same_bytes_whatever_the_style():
    import matplotlib

    paths = sweep_of([1, 15], [0.01, 0.1])
    first = overview_png(bowl([1, 15]), paths, "lr")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "lines.linewidth": 9}):
        assert overview_png(bowl([1, 15]), paths, "lr") == first
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
    png = overview_png(landscape, paths, "lr_$x")
    assert pixels(png).std() > 0.05


@pytest.mark.parametrize("shapes", [[], [(0, 2)], [(3, 2), (3, 1)], [(3,)]])
def test_paths_of_different_dimensions_are_refused(shapes):
    with pytest.raises(ValueError, match="paths"):
        overview_png(bowl([1, 2]), [Path(np.zeros(s), 1.0) for s in shapes], "lr")


# Sensitivity

RATES = np.geomspace(1e-3, 1, 13)
CLIFF = np.where(RATES < 0.1, 1 / RATES, np.inf)


def band(median, spread=2.0):
    return Band(RATES[: len(median)], median, median / spread, median * spread)


def markers(axes, marker):
    """The places (m, 2) of the points of a marker."""
    drawn = [line for line in axes.lines if line.get_marker() == marker]
    return np.concatenate([points_of(line).T for line in drawn])


def test_lost_settings_are_crosses_at_the_top_and_only_they():
    _, axes = sensitivity({"a": band(CLIFF)}, "lr")
    np.testing.assert_array_equal(markers(axes, "X")[:, 0], RATES[RATES >= 0.1])
    assert (markers(axes, "X")[:, 1] > 0.9).all()  # as a fraction of the panel
    assert len(markers(axes, "^")) == 0


def test_a_low_series_leaves_no_other_out_of_the_view():
    """A quasi-Newton method at 1e-23 made all of rmsprop look diverged."""
    low, high = np.geomspace(1e-23, 1e-17, 13), np.geomspace(15, 7e-4, 13)
    for began in (np.nan, 20.0):
        series = {"low": band(low)._replace(began=began), "high": band(high)}
        _, axes = sensitivity(series, "lr")
        for marker in "X^v":
            assert len(markers(axes, marker)) == 0
        bottom, top = axes.get_ylim()
        assert bottom < low[0]
        assert top > high[0]


def test_medians_beyond_the_view_are_triangles_and_not_called_lost():
    median = np.array([2.0, 1.0, 1e-60, 1e6, 1e200, np.inf])
    figure, axes = sensitivity({"a": band(median)._replace(began=2.0)}, "lr")
    places = {marker: markers(axes, marker)[:, 0].tolist() for marker in "v^X"}
    assert places == {"v": [RATES[2]], "^": [RATES[4]], "X": [RATES[5]]}
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["diverged or failed", "above the view", "below the view"]


def test_a_median_of_which_some_runs_are_lost_is_an_open_marker():
    lost = np.clip(np.arange(13) / 6, 0, 1)
    figure, axes = sensitivity({"a": band(CLIFF)._replace(lost=lost)}, "lr")
    (opened,) = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    np.testing.assert_array_equal(points_of(opened)[0], RATES[1:6])
    assert figure.legends[0].get_texts()[0].get_text() == "some runs lost"


def test_the_best_settings_have_a_mark_that_tells_what_decided():
    below, above = BestPoint(RATES[2], 1e-60, True), BestPoint(RATES[4], 1e200, False)
    best = (BestPoint(RATES[3], CLIFF[3], True), BestPoint(RATES[5], 9.0, False), below, above)
    figure, axes = sensitivity({"a": band(CLIFF)._replace(best=best, began=1e3)}, "lr")
    drawn = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert [line.get_marker() for line in drawn] == ["o", "s", "o", "s"]
    places = [points_of(line)[:, 0].tolist() for line in drawn]
    assert places[:2] == [[RATES[3], CLIFF[3]], [RATES[5], 9.0]]
    assert places[2:] == [[RATES[2], 0.02], [RATES[4], 0.975]]  # as fractions of the panel
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[-2:] == ["best, by evaluations", "best, by final loss"]


def test_negative_losses_are_a_line():
    _, axes = sensitivity({"a": Band(RATES, -RATES, -RATES - 1, -RATES)}, "lr")
    np.testing.assert_array_equal(points_of(axes.lines[0])[1], -RATES)
    assert len(markers(axes, "^")) == 0


def test_lines_of_theory_are_at_their_values():
    _, axes = sensitivity({"a": band(CLIFF)}, "lr", lines={"a": 0.01, "b": 0.3})
    named = {text.get_text(): text.get_position()[0] for text in axes.texts}
    assert named == {"a": 0.01, "b": 0.3}
    vertical = [points_of(line)[0, 0] for line in axes.lines if len(set(points_of(line)[0])) == 1]
    assert {0.01, 0.3} <= set(vertical)


def test_a_line_for_each_series_has_its_color():
    series = {"a": band(CLIFF), "b": band(CLIFF * 3)}
    _, axes = sensitivity(series, "lr", lines={"2/L": [0.02, 0.5]})
    colors = {
        points_of(line)[0, 0]: line.get_color()
        for line in axes.lines
        if line.get_linestyle() == "--"
    }
    assert colors == {0.02: CATEGORIES[0][0], 0.5: CATEGORIES[1][0]}


def test_past_eight_series_each_has_a_panel_with_the_others_in_gray():
    series = {f"o{i}": band(CLIFF * (i + 1)) for i in range(12)}
    figure, _ = sensitivity(series, "lr", lines={"2/L": np.geomspace(0.01, 0.1, 12)})
    assert [axes.get_title() for axes in figure.axes] == list(series)
    for axes in figure.axes:
        assert [line.get_color() for line in axes.lines].count("#cccccc") == 12


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
    render(sensitivity({"_a$": band(median)}, "_lr$", lines)[0], "png")


def test_a_setting_of_zero_is_drawn_on_a_linear_axis():
    x = np.array([0.0, 0.5, 0.9])
    warnings.simplefilter("error")
    sensitivity({"a": Band(x, x + 1, x + 1, x + 2)}, "momentum")


@pytest.mark.parametrize("series", [{}, {"a": Band(RATES, CLIFF[1:], CLIFF, CLIFF)}])
def test_series_of_different_lengths_are_refused(series):
    with pytest.raises(ValueError, match="series"):
        sensitivity(series, "lr")


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
