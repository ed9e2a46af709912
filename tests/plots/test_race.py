"""The frames of a moving picture: what moves is where it was recorded, what does not stays.

Shapes: n records, D dimensions.
"""

import numpy as np
import pytest
from matplotlib.lines import Line2D
from matplotlib.text import Text

from gdlab.plots.colors import CATEGORIES, Palette
from gdlab.plots.projection import Plane
from gdlab.plots.race import Track
from gdlab.plots.racers import Look, Racer, Scenery, entries_of
from gdlab.plots.relief import relief
from plots.landscapes import bowl, points_of

NAMES = ("$\\frac{1}{2} <b>_a", "_hidden")
LOOK = Look("$1 _title <script>", "loss", "a note of $1", (4.0, 3.0))


def racer(start, rate, steps, value, **end):
    """Gradient descent on a bowl with curvatures 1 and 2, and its losses."""
    points = np.asarray(start) * np.power(
        1 - rate * np.array([1.0, 2.0]), np.arange(steps + 1)[:, None]
    )
    return Racer(points, np.arange(steps + 1), bowl([1, 2]).value(points), value, value, **end)


@pytest.fixture(scope="module")
def track():
    """Of a run that converges after 40 steps, and one that diverges after 9."""
    landscape = bowl([1, 2], window=2)
    plane, box = Plane(np.zeros(2), np.eye(2)), np.array([[-2.0, 2.0], [-2.0, 2.0]])
    scenery = Scenery(landscape, plane, box, ("a", "b"), relief(landscape, plane, box))
    racers = [
        racer([1.0, 1.5], 0.2, 40, NAMES[0], mark="ring", end="converged"),
        racer([-1.0, -0.2], 2.5, 9, NAMES[1], mark="cross", end="diverged"),
    ]
    return Track(scenery, racers, Palette.of("", NAMES), LOOK)


def lines(track, step, color):
    """The points (n, 2) of the lines and marks of one color, the longest first."""
    drawn = [a for a in track.artists(step) if isinstance(a, Line2D)]
    of_color = [a for a in drawn if color in (a.get_color(), a.get_markeredgecolor())]
    return sorted((points_of(a).T for a in of_color), key=len, reverse=True)


def said(track, step):
    return [a.get_text() for a in track.artists(step) if isinstance(a, Text)]


def test_a_path_grows_through_the_recorded_points(track):
    for step in (0, 1, 7, 40):
        on_land, on_chart, *_ = lines(track, step, CATEGORIES[0][0])
        np.testing.assert_array_equal(on_land, track.racers[0].points[: step + 1])
        np.testing.assert_array_equal(on_chart[:, 0], np.arange(step + 1))
        np.testing.assert_array_equal(on_chart[:, 1], track.racers[0].values[: step + 1])


def test_a_run_that_has_ended_stays_where_it_ended(track):
    before, after = (lines(track, step, CATEGORIES[1][0]) for step in (9, 40))
    assert len(before) == len(after) == 5
    for first, second in zip(before, after, strict=True):
        np.testing.assert_array_equal(first, second)


def test_an_end_outside_the_view_is_marked_at_its_edge(track):
    marks = [points for points in lines(track, 40, CATEGORIES[1][0]) if len(points) == 1]
    assert any((np.abs(at) < 2).all() and (np.abs(at) > 1.9).any() for at in marks)


def test_marks_and_words_say_how_a_run_ended(track):
    def markers(step):
        drawn = [a for a in track.artists(step) if isinstance(a, Line2D)]
        return {str(a.get_marker()) for a in drawn} - {"None", ""}

    assert (markers(8), markers(9), markers(40)) == ({"o", "s"}, {"o", "x"}, {"o", "x"})
    assert said(track, 0) == ["step 0", "2.8", "0.54"]
    assert said(track, 40)[0] == "step 40"
    assert [text.split(",")[0] for text in said(track, 40)[1:]] == ["converged", "diverged"]


def test_the_page_says_who_runs_as_text(track):
    written = [a for a in track._page.figure.findobj(Text) if a.get_text()]
    texts = {a.get_text() for a in written}
    assert {*NAMES, LOOK.title, LOOK.note, "a", "b", "loss", "step"} <= texts
    ours = [a for a in written if a.get_text() in (*NAMES, LOOK.title, LOOK.note)]
    assert not any(a.get_parse_math() for a in ours)


def test_only_what_moves_differs_between_frames(track):
    first, second, again = (np.asarray(track.frame(step)) for step in (0, 40, 0))
    assert first.shape == (300, 400, 3)
    np.testing.assert_array_equal(first, again)
    changed = (first != second).any(axis=2)
    assert 0.01 < changed.mean() < 0.2  # observed: 0.06
    assert not changed[:40, :190].any()  # the title


def test_a_curve_of_one_variable_carries_its_points():
    landscape = bowl([2.0])
    plane, box = Plane(np.zeros(1), np.eye(1)), np.array([[-2.0, 2.0]])
    points = np.array([[1.5], [-0.5], [0.25]])
    run = Racer(points, np.arange(3), landscape.value(points), "", "sgd")
    track = Track(Scenery(landscape, plane, box, ("x",)), [run], Palette.of("", [""]), LOOK)
    np.testing.assert_array_equal(track.paths[0], np.column_stack([points, points**2]))


def test_the_legend_of_many_runs_is_that_of_their_colors():
    racers = [racer([1, 1], 0.1, 3, name, end="converged") for name in ["sgd", "adam"] * 6]
    first, second = entries_of(racers, Palette.of("optimizer", [r.value for r in racers]))
    assert (first.name, len(first.members), second.name) == ("sgd", 6, "adam")
    assert first.said(racers, 2) == "6 runs"
    assert first.said(racers, 3) == "6 runs, 6 converged"
    numbers = [racer([1, 1], 0.1, 3, float(k)) for k in range(20)]
    bar = entries_of(numbers, Palette.of("lr", [r.value for r in numbers]))
    assert [entry.name for entry in bar] == ["lr = 0", "lr = 9", "lr = 19"]
    texts = [racer([1, 1], 0.1, 3, f"run {k}") for k in range(20)]
    assert entries_of(texts, Palette.of("", [r.value for r in texts])) == []
