"""The pictures of derivatives, against closed forms.

Shapes: D dimensions, m points.
"""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver
from matplotlib.text import Annotation
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gdlab.derivatives import report
from gdlab.derivatives.plots import surface
from gdlab.derivatives.plots.curves import draw_curve, draw_sections
from gdlab.derivatives.plots.differences import draw_differences
from gdlab.derivatives.plots.looks import GRADIENT
from gdlab.derivatives.plots.maps import draw_contour, draw_neighborhood
from gdlab.derivatives.plots.output import draw_pictures, write_events, write_pictures
from gdlab.derivatives.plots.report import pictures_of
from gdlab.derivatives.plots.report import scene_of as scene_of_report
from gdlab.derivatives.plots.scene import Errors, Scene
from gdlab.derivatives.plots.surface import draw_surface, make_sheets
from gdlab.losses import Expression
from gdlab.plots.projection import Landscape
from gdlab.plots.style import draw_title, new_figure, render, style


def quadratic(
    hessian, at, *, minimum: float | None = 0.0, window=None, direction=None, scale=1.0
) -> Scene:
    """½ xᵀHx, its derivatives in closed form."""
    h, x = scale * np.asarray(hessian, dtype=float), np.asarray(at, dtype=float)
    dim = len(x)
    landscape = Landscape(
        value=lambda p: 0.5 * ((p @ h) * p).sum(axis=-1),
        gradient=lambda p: p @ h,
        names=tuple(f"x{i}" for i in range(dim)),
        title="bowl $1 _a",
        window=window,
        minimizers=np.zeros((1, dim)),
        minimum=minimum,
    )
    u = None if direction is None else np.asarray(direction, dtype=float)
    return Scene(landscape, x, float(0.5 * x @ h @ x), h @ x, h, u)


def scene_of(value, gradient, hessian, at, window=None) -> Scene:
    """A scene of any loss, from closed forms."""
    x = np.asarray(at, dtype=float)
    names = tuple("abcdefgh"[: len(x)])
    landscape = Landscape(value, gradient, names, "loss", window)
    with np.errstate(all="ignore"):
        return Scene(landscape, x, float(value(x)), gradient(x), np.asarray(hessian, dtype=float))


def cubic(at) -> Scene:
    """x³ + 2xy + y²: neither its tangent nor its Taylor model is exact."""
    return scene_of(
        lambda p: p[..., 0] ** 3 + 2 * p[..., 0] * p[..., 1] + p[..., 1] ** 2,
        lambda p: np.stack(
            [3 * p[..., 0] ** 2 + 2 * p[..., 1], 2 * p[..., 0] + 2 * p[..., 1]], axis=-1
        ),
        [[6 * at[0], 2.0], [2.0, 2.0]],
        at,
        np.array([[-2.0, 2.0], [-2.0, 2.0]]),
    )


TILTED = [[3.0, 1.0], [1.0, 1.0]]
UNLIKE = np.array([[-1.0, 1.0], [-200.0, 200.0]])


def find_arrow(figure: Figure, name: str) -> Annotation:
    (annotation,) = [a for a in figure.axes[0].texts if a.get_gid() == name]
    assert isinstance(annotation, Annotation)
    return annotation


def ends_on_page(figure: Figure, name: str) -> tuple[np.ndarray, np.ndarray]:
    drawn = find_arrow(figure, name)
    start, end = figure.axes[0].transData.transform([drawn.xyann, drawn.xy])
    return start, end


def line_points(figure: Figure, gid: str, panel=0) -> np.ndarray:
    """The points (m, 2) of the only line with an id."""
    (line,) = [line for line in figure.axes[panel].lines if line.get_gid() == gid]
    return np.asarray(line.get_xydata())


def curvature_curves(figure: Figure) -> list[np.ndarray]:
    """The points (m, 2) of the curves ½ dᵀHd = ±c."""
    lines = [line for line in figure.axes[0].lines if line.get_gid() == "curvature"]
    return [np.asarray(line.get_xydata()) for line in lines]


def rotate(eigenvalues) -> np.ndarray:
    q = np.array([[0.8, -0.6], [0.6, 0.8]])
    return q @ np.diag(eigenvalues) @ q.T


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def texts(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in figure.texts)


# Arrows and level curves


@pytest.mark.parametrize("draw", [draw_contour, draw_neighborhood])
@pytest.mark.parametrize(
    ("window", "scale"), [(None, 1.0), (UNLIKE, 1.0), (UNLIKE, 1e200), (None, 1e-200)]
)
def test_the_gradient_starts_at_the_point_and_crosses_its_level_curve_at_a_right_angle(
    draw, window, scale
):
    scene = quadratic(TILTED, [0.4, -0.3], window=window, scale=scale)
    figure = draw(scene)
    figure.canvas.draw()
    axes = figure.axes[0]
    start, end = ends_on_page(figure, "gradient")
    np.testing.assert_allclose(start, axes.transData.transform(scene.at), atol=1e-9)  # observed 0
    g = scene.gradient / scale
    along = axes.transData.transform(scene.at + np.array([-g[1], g[0]])) - start
    arrow_on_page = (end - start) / np.linalg.norm(end - start)
    cosine = arrow_on_page @ along / np.linalg.norm(along)
    np.testing.assert_allclose(cosine, 0.0, atol=1e-9)  # observed 5e-16
    uphill = scene.landscape.value(np.array([find_arrow(figure, "gradient").xy]))[0]
    assert uphill > scene.value


def test_descent_is_the_opposite_and_the_direction_is_the_given_one():
    scene = quadratic(TILTED, [0.4, -0.3], direction=[3, 4])
    figure = draw_neighborhood(scene)
    start, up = ends_on_page(figure, "gradient")
    _, down = ends_on_page(figure, "descent")
    np.testing.assert_allclose(down - start, start - up, atol=1e-9)  # observed 1e-13
    _, tip = ends_on_page(figure, "direction")  # equal aspect: the page shows true angles
    # Observed 0.
    np.testing.assert_allclose((tip - start) / np.linalg.norm(tip - start), [0.6, 0.8], atol=1e-12)
    slope = scene.gradient @ [0.6, 0.8]
    assert f"direction u, slope {slope:.4g}" in legend_texts(figure)
    whole = draw_contour(scene)
    start, tip = ends_on_page(whole, "direction")
    np.testing.assert_allclose((tip - start) / np.linalg.norm(tip - start), [0.6, 0.8], atol=1e-12)
    assert "direction u" in legend_texts(whole)


def test_the_field_is_perpendicular_to_level_curves_on_the_page():
    figure = draw_contour(quadratic(TILTED, [0.4, -0.3], window=UNLIKE))
    axes = figure.axes[0]
    (field,) = [c for c in axes.collections if c.get_gid() == "field"]
    points = np.asarray(field.get_offsets())
    gradients = points @ np.array(TILTED)
    scales = np.diag(axes.transData.get_matrix())[:2]
    tangents = gradients[:, ::-1] * [-1, 1] * scales
    assert isinstance(field, Quiver)
    arrows = np.stack([field.U, field.V], axis=1)
    dots = (arrows * tangents).sum(axis=1) / np.linalg.norm(tangents, axis=1)
    assert len(points) > 100
    np.testing.assert_allclose(dots, 0.0, atol=1e-12)  # observed 2e-18


@pytest.mark.parametrize("draw", [draw_contour, draw_neighborhood])
def test_the_level_curve_passes_through_the_point(draw):
    scene = cubic([0.5, 0.7])
    (level,) = [c for c in draw(scene).axes[0].collections if c.get_gid() == "level"]
    points = np.concatenate([path.vertices for path in level.get_paths()])
    heights = scene.landscape.value(points)
    # Linear in cells of 4 / 200: their curvature leaves 1e-3 at most.
    np.testing.assert_allclose(heights, scene.value, atol=2e-3)  # observed 6e-4
    assert np.linalg.norm(points - scene.at, axis=1).min() < 0.03


def test_a_minimum_has_neither_arrows_nor_a_level_curve():
    figure = draw_neighborhood(quadratic(TILTED, [0.0, 0.0]))
    assert [t for t in figure.axes[0].texts if t.get_gid() in ("gradient", "descent")] == []
    assert "level curve" not in legend_texts(figure)
    assert "|∇f| = 0" in texts(figure)


# The Hessian


@pytest.mark.parametrize("window", [None, UNLIKE])
def test_semi_axes_are_inverse_square_roots_of_eigenvalues(window):
    scene = quadratic(TILTED, [0.4, -0.3], window=window)
    assert scene.hessian is not None
    figure = draw_neighborhood(scene)
    axes = figure.axes[0]
    drawn = [np.asarray(a.get_xydata()) for a in axes.lines if a.get_gid() == "eigenvector"]
    bands = [a for a in axes.lines if a.get_gid() == "band"]  # seen beside arrows that cover axes
    assert [a.get_linewidth() > GRADIENT["linewidth"] for a in bands] == [True, True]
    powers, vectors = np.linalg.eigh(scene.hessian)
    halves = [(ends[1] - ends[0]) / 2 for ends in drawn]  # in the order of the report
    for half, power, vector in zip(halves, powers, vectors.T, strict=True):
        # Observed 2e-16.
        np.testing.assert_allclose(abs(half @ vector), np.linalg.norm(half), rtol=1e-12)
        np.testing.assert_allclose(scene.hessian @ half, power * half, rtol=1e-9)  # observed 6e-16
    ratio = np.linalg.norm(halves[0]) / np.linalg.norm(halves[1])
    expected = np.sqrt(powers[1] / powers[0])
    if window is None:
        np.testing.assert_allclose(ratio, expected, rtol=1e-12)  # observed 0
    # The curve passes through the ends: ½ dᵀHd is the same at all of them, and along it.
    d = curvature_curves(figure)[0] - scene.at
    heights = ((d @ scene.hessian) * d).sum(axis=1)
    # Observed 9e-16.
    np.testing.assert_allclose(heights, halves[0] @ scene.hessian @ halves[0], rtol=1e-12)


@pytest.mark.parametrize("low", [-2.0, -1e-3, 0.0])
def test_curves_of_an_indefinite_hessian_have_one_height_and_its_negative(low):
    scene = quadratic(rotate([5.0, low]), [0.4, -0.3], minimum=None)
    figure = draw_neighborhood(scene)
    drawn = curvature_curves(figure)
    assert len(drawn) == (2 if low else 1)
    heights = []
    for points in drawn:
        d = points[np.isfinite(points).all(axis=1)] - scene.at
        bends = ((d @ scene.hessian) * d).sum(axis=1)
        heights.append(bends[len(bends) // 4])  # the middle of a branch, near the point
        rounding = np.finfo(float).eps * 5.0 * (d**2).sum(axis=1)
        assert (np.abs(bends - heights[-1]) <= 30 * rounding).all()  # observed 7
    if low:
        assert heights[0] == pytest.approx(-heights[1], rel=1e-11, abs=0)  # observed 1e-13


@pytest.mark.parametrize(
    ("hessian", "said", "curves"),
    [
        ([[3.0, 0.0], [0.0, 1.0]], ["λ₁ = 1, curving up", "λ₂ = 3, curving up"], 1),
        ([[2.0, 0.0], [0.0, -2.0]], ["λ₁ = -2, curving down", "λ₂ = 2, curving up"], 2),
        ([[-3.0, 0.0], [0.0, -1.0]], ["λ₁ = -3, curving down", "λ₂ = -1, curving down"], 1),
        ([[2.0, 0.0], [0.0, 0.0]], ["λ₁ = 0, no curvature", "λ₂ = 2, curving up"], 1),
        ([[0.0, 0.0], [0.0, 0.0]], [], 0),
    ],
)
def test_eigenvalues_are_named_with_their_sign(hessian, said, curves):
    figure = draw_neighborhood(quadratic(hessian, [0.3, 0.2], minimum=None))
    assert [key for key in legend_texts(figure) if key.startswith("λ")] == said
    assert len(curvature_curves(figure)) == curves


@pytest.mark.parametrize(
    "scene",
    [
        quadratic(TILTED, [0.4, -0.3], direction=[3, 4]),
        quadratic([[2.0, 0.0], [0.0, -2.0]], [0.3, 0.2], minimum=None, direction=[1, 0]),
        quadratic([[1330.0, 480.0], [480.0, 200.0]], [-1.2, 1.0]),
        quadratic(np.eye(2), [0.0, 0.0], direction=[1, 0]),
        cubic([0.5, 0.7]),
    ],
)
def test_no_label_covers_another_or_leaves_the_panel(scene):
    figure = draw_neighborhood(scene)
    figure.canvas.draw()
    frame = figure.axes[0].bbox
    boxes = [t.get_window_extent() for t in figure.axes[0].texts if t.get_gid() == "label"]
    assert len(boxes) >= 2
    for i, box in enumerate(boxes):
        assert frame.x0 <= box.x0 <= box.x1 <= frame.x1
        assert frame.y0 <= box.y0 <= box.y1 <= frame.y1
        assert not any(box.overlaps(other) for other in boxes[:i])


# Critical points, and where there is no gradient


def test_critical_points_are_marked_by_kind():
    found = {"minimum": np.array([[0.0, 0.0], [1.0, 1.0]]), "saddle": np.array([[0.5, 0.4]])}
    scene = dataclasses.replace(quadratic(TILTED, [0.4, -0.3]), critical=found)
    figure = draw_contour(scene)
    assert {"minimum (2)", "saddle"} <= set(legend_texts(figure))
    assert "minimizer" not in legend_texts(figure)
    np.testing.assert_array_equal(line_points(figure, "minimum"), found["minimum"])
    np.testing.assert_array_equal(line_points(figure, "saddle"), found["saddle"])


@pytest.mark.parametrize(
    ("formula", "at", "contour", "surface"),
    [
        (
            "x**2 + y",
            [1, 2],
            "perpendicular to the level curves",
            "the loss, its tangent plane and",
        ),
        ("x**3 + y**3", [0, 0], "the gradient is 0 at the point, and elsewhere", "tangent plane"),
        ("sqrt(x**2 + y**2)", [0, 0], "not differentiable at the point", "no tangent plane"),
        ("where(x*y == 0, 0, 1)", [0, 0], "not differentiable at the point", "no tangent plane"),
    ],
)
def test_a_picture_says_whether_there_is_a_gradient(formula, at, contour, surface):
    scene = scene_of_report(report(Expression(formula), at=at))
    assert scene.title == f"{formula} at x = {at[0]}, y = {at[1]}"
    assert contour in texts(draw_contour(scene))
    assert surface in texts(draw_surface(scene))
    if formula.startswith("where"):  # its partial derivatives exist
        assert scene.slice_along([0]).gradient.tolist() == [0.0]


# names, and the title of the point (1/3, …, 1/3)
TITLES = [
    (["x", "y"], "loss at x = 0.333333, y = 0.333333"),
    (["a"] * 8, f"loss at {', '.join(['a = 0.333333'] * 5)}, …"),
    (["0.weight[1,2]"] * 8, f"loss at {', '.join(['0.weight[1,2] = 0.333333'] * 2)}, …"),
    ([200 * "W"] * 2, f"loss at {200 * 'W'} = 0.333333, …"),
]


@pytest.mark.parametrize(("names", "title"), TITLES)
def test_the_title_stays_on_the_page(names, title):
    scene = scene_of(lambda p: p.sum(-1), np.ones_like, np.eye(len(names)), [1 / 3] * len(names))
    scene = dataclasses.replace(
        scene, landscape=dataclasses.replace(scene.landscape, names=tuple(names))
    )
    assert scene.title == title
    figure = new_figure((6.4, 5.6))
    draw_title(figure, title, title)
    width, height = figure.get_size_inches() * figure.dpi
    for line in figure.texts:
        box = line.get_window_extent(FigureCanvasAgg(figure).get_renderer())
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height


# The chain rule


def test_a_curve_is_drawn_with_its_tangent_and_the_loss_along_it():
    asked = report(Expression("x**2*y + y"), path=["cos(t)", "sin(t)"], t=0.5)
    figure = pictures_of(asked, scene_of_report(asked))["path"]()
    assert "df/dt = ∇f · c'(t) = 1.15 at t = 0.5" in texts(figure)
    curve = line_points(figure, "path")
    np.testing.assert_allclose(np.hypot(*curve.T), 1.0, rtol=1e-12)  # observed 2e-16
    start, end = ends_on_page(figure, "velocity")
    np.testing.assert_allclose((end - start) @ [np.cos(0.5), np.sin(0.5)], 0.0, atol=1e-9)
    along = line_points(figure, "along", panel=1)
    t = along[:, 0]
    np.testing.assert_allclose(along[:, 1], np.cos(t) ** 2 * np.sin(t) + np.sin(t), atol=1e-12)


def test_an_inner_map_is_drawn_in_both_planes():
    asked = report(Expression("u**2*v"), inner=["x+y", "x-y"], at=[2, 1])
    figure = pictures_of(asked, scene_of_report(asked))["inner"]()
    left, right = figure.axes
    assert (left.get_xlabel(), right.get_xlabel()) == ("x", "u")
    pairs = [[a for a in axes.lines if a.get_gid() == "grid"] for axes in (left, right)]
    for line, image in zip(*pairs, strict=True):
        (x, y), (u, v) = np.asarray(line.get_xydata()).T, np.asarray(image.get_xydata()).T
        np.testing.assert_allclose(u, x + y, atol=1e-12)  # observed 0
        np.testing.assert_allclose(v, x - y, atol=1e-12)


def test_other_numbers_of_variables_have_the_pictures_that_fit():
    for inner, at, first in ((["s", "s**2"], [1], "path"), (["a*b", "c"], [1, 2, 3], "contour")):
        asked = report(Expression("x*y"), inner=inner, at=at)
        assert next(iter(pictures_of(asked, scene_of_report(asked)))) == first
    asked = report(Expression("x**2"), path=["sin(t)"], t=1)
    assert len(pictures_of(asked, scene_of_report(asked))["path"]().axes) == 1


# The surface and the sections


def test_the_sheets_are_the_loss_its_plane_and_its_taylor_model():
    scene = cubic([0.5, 0.7])
    assert scene.hessian is not None
    map_slice = scene.map_slice()
    drawn = make_sheets(map_slice, map_slice.neighborhood(0.3))
    dx, dy = drawn.x - 0.5, drawn.y - 0.7
    # By hand: f = 0.125 + 0.7 + 0.49, its gradient (0.75 + 1.4, 1 + 1.4), its Hessian (3, 2; 2, 2).
    plane = 1.315 + 2.15 * dx + 2.4 * dy
    np.testing.assert_allclose(drawn.plane, plane, atol=1e-14)  # observed 9e-16
    assert drawn.taylor is not None
    # Observed 2e-15.
    np.testing.assert_allclose(drawn.taylor, plane + 1.5 * dx**2 + 2 * dx * dy + dy**2, atol=1e-14)
    np.testing.assert_allclose(drawn.surface - drawn.taylor, dx**3, atol=1e-14)  # observed 2e-15
    middle = drawn.x.shape[0] // 2
    assert drawn.surface[middle, middle] == pytest.approx(1.315, abs=1e-14)


def test_the_surface_shows_three_sheets_and_the_point():
    figure = draw_surface(cubic([0.5, 0.7]))
    assert legend_texts(figure) == ["point", "loss", "tangent plane", "second-order Taylor model"]
    axes = figure.axes[0]
    assert [axes.get_xlabel(), axes.get_ylabel()] == ["a", "b"]
    kinds = {type(c).__name__ for c in axes.collections}
    assert kinds == {"Line3DCollection", "Poly3DCollection"}


def test_sheets_are_painted_from_the_back_and_from_below():
    """Of two cells over the same place the upper one comes later, and so does the nearer place."""
    map_slice = cubic([0.5, 0.7]).map_slice()
    drawn = make_sheets(map_slice, map_slice.neighborhood(0.3))
    axes = draw_surface(cubic([0.5, 0.7])).axes[0]
    (sheets,) = [c for c in axes.collections if type(c).__name__ == "Poly3DCollection"]
    cells = np.asarray(sheets._faces)  # type: ignore[attr-defined]
    rank = surface._painting_rank(axes, drawn, cells)  # type: ignore[arg-type]
    x, y, z = cells.mean(axis=1).T
    angle = np.deg2rad(axes.azim)  # type: ignore[attr-defined]
    near = np.cos(angle) * x / np.ptp(drawn.x) + np.sin(angle) * y / np.ptp(drawn.y)
    order = np.argsort(rank)
    assert (np.diff(near[order]) > -1e-8).all()  # observed -1e-10: places are equal up to 1e-9
    is_same_place = np.abs(np.diff(x[order])) + np.abs(np.diff(y[order])) == 0
    assert is_same_place.sum() > 1000
    assert (np.diff(z[order])[is_same_place] > 0).all()


def test_lines_below_the_loss_are_hidden_and_those_above_are_not():
    axes = draw_surface(quadratic(TILTED, [0.0, 0.0])).axes[0]
    map_slice = quadratic(TILTED, [0.0, 0.0]).map_slice()
    drawn = make_sheets(map_slice, map_slice.neighborhood(0.3))
    high = axes.get_zlim()[1]  # type: ignore[attr-defined]
    points = np.zeros((2, 2, 3))
    points[:, :, 2] = np.array([[-0.1], [0.1]]) * high
    hidden = surface._are_hidden(axes, drawn, points)  # type: ignore[arg-type]
    assert hidden.tolist() == [True, False]


def test_a_surface_of_one_dimension_is_refused():
    with pytest.raises(ValueError, match="two dimensions"):
        draw_surface(quadratic([[1.0]], [1.0]))


def test_without_a_gradient_neither_tangent_nor_plane_is_drawn():
    """Where only the derivative by b exists."""
    scene = Scene(cubic([0.0, 1.0]).landscape, np.array([0.0, 1.0]), 1.0, np.array([np.nan, 2.0]))
    surface, (left, right) = draw_surface(scene), draw_sections(scene).axes
    assert [text.get_text() for text in surface.legends[0].get_texts()] == ["point", "loss"]
    assert left.get_title() == "no ∂f/∂a here"
    assert right.get_title() == "∂f/∂b = 2"
    assert draw_neighborhood(scene).axes[0].lines


def test_sections_have_the_tangent_and_the_parabola_of_each_axis():
    at = np.array([0.5, 0.7])
    figure = draw_sections(cubic(at))
    assert [axes.get_xlabel() for axes in figure.axes] == ["a", "b"]
    for panel, (slope, bend) in enumerate([(2.15, 3.0), (2.4, 2.0)]):
        tangent = line_points(figure, "tangent", panel)
        taylor = line_points(figure, "taylor", panel)
        d = tangent[:, 0] - at[panel]
        inside = np.abs(d) < 0.5 * np.abs(d).max()  # far outside the panel lines are cut
        # Observed 0.
        np.testing.assert_allclose(tangent[inside, 1], (1.315 + slope * d)[inside], atol=1e-12)
        parabola = 1.315 + slope * d + bend * d**2 / 2
        # Observed 4e-16.
        np.testing.assert_allclose(taylor[inside, 1], parabola[inside], atol=1e-12)
        np.testing.assert_array_equal(line_points(figure, "point", panel), [[at[panel], 1.315]])
    assert figure.axes[0].get_title() == "∂f/∂a = 2.15   ∂²f/∂a² = 3"


def test_sections_of_many_dimensions_show_the_largest_partials():
    figure = draw_sections(quadratic(np.diag(np.arange(1.0, 11.0)), np.ones(10)))
    assert [axes.get_xlabel() for axes in figure.axes] == [f"x{i}" for i in range(4, 10)]
    assert "the 6 largest of 10" in texts(figure)


def test_maps_of_many_dimensions_show_the_two_largest_partials():
    scene = quadratic(np.diag([1.0, 5.0, 2.0, 4.0]), [1.0, 1.0, 1.0, -1.0])
    for figure in (draw_contour(scene), draw_neighborhood(scene)):
        assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("x1", "x3")
        assert "slice" in texts(figure)
        np.testing.assert_array_equal(find_arrow(figure, "gradient").xyann, [1.0, -1.0])
    map_slice = scene.map_slice()
    values = map_slice.values(np.array([[1.0, -1.0], [0.0, 0.0]]))
    np.testing.assert_allclose(values, [6.0, 1.5])


def test_a_hundred_thousand_dimensions_are_drawn_only_as_sections():
    weights = np.linspace(1.0, 2.0, 100_000)
    names = tuple(f"w{i}" for i in range(100_000))
    landscape = Landscape(lambda p: 0.5 * (weights * p * p).sum(-1), weights.__mul__, names, "net")
    at = np.ones(100_000)
    drawn = draw_pictures(Scene(landscape, at, float(landscape.value(at)), weights))
    assert list(drawn) == ["sections"]
    assert [axes.get_xlabel() for axes in drawn["sections"].axes] == list(names[-6:])


@pytest.mark.parametrize("near", [False, True])
def test_one_dimension_is_a_curve_with_tangent_and_parabola(near):
    landscape = Landscape(
        lambda p: np.sin(p[..., 0]), np.cos, ("t",), "sine", np.array([[-3.0, 3.0]])
    )
    scene = Scene(landscape, np.array([1.0]), np.sin(1.0), np.cos([1.0]), -np.sin([[1.0]]))
    figure = draw_curve(scene, near=near)
    x, y = line_points(figure, "loss").T
    np.testing.assert_allclose(y, np.sin(x), atol=1e-15)  # observed 0
    x, y = line_points(figure, "tangent").T
    np.testing.assert_allclose(y, np.sin(1) + np.cos(1) * (x - 1), atol=1e-14)  # observed 0
    assert (np.ptp(x) < 3.1) == near


# The errors of finite differences


def errors_of_exp(dim=1) -> list[Errors]:
    """The errors of exp at 0 in closed form, with rounding 1e-16 / h."""
    h = np.logspace(-10, 0, 41)
    rounding = 1e-16 / h
    central, forward = np.sinh(h) / h - 1, np.expm1(h) / h - 1
    return [Errors(f"x{i}", h, np.abs(central) + rounding, forward + rounding) for i in range(dim)]


def test_guides_have_their_slopes_and_lie_above_their_errors():
    scene = quadratic([[1.0]], [1.4])
    figure = draw_differences(scene, errors_of_exp())
    assert (figure.axes[0].get_xscale(), figure.axes[0].get_yscale()) == ("log", "log")
    # h²/6 and h/2, three times higher.
    for name, factor, order in [("slope 2", 1 / 6, 2), ("slope 1", 1 / 2, 1)]:
        h, guide = line_points(figure, name).T
        np.testing.assert_allclose(guide, 3 * factor * h**order, rtol=0.05)  # observed 0.002
    h, floor = line_points(figure, "floor").T
    np.testing.assert_allclose(floor, 2.0**-52 * scene.value / h)
    np.testing.assert_array_equal(line_points(figure, "central")[:, 1], errors_of_exp()[0].central)


def test_errors_of_zero_are_marked_and_have_no_guide():
    h = np.logspace(-8, 0, 9)
    exact = Errors("x0", h, np.zeros(9), h)
    figure = draw_differences(quadratic([[1.0]], [1.0]), [exact])
    assert len(line_points(figure, "central exact")) == 9
    assert "no error" in legend_texts(figure)
    assert "slope 2" not in legend_texts(figure)
    assert "slope 1" in legend_texts(figure)


def test_differences_without_errors_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        draw_differences(quadratic([[1.0]], [1.0]), [])


# What is hard to draw


def flat(p):
    return np.full(p.shape[:-1], 3.0)


def log_product(p):
    with np.errstate(all="ignore"):
        return np.log(p[..., 0]) + np.log(p[..., 1])


def reciprocal(p):
    with np.errstate(all="ignore"):
        return 1.0 / p


UNIT = np.array([[-1.0, 1.0], [-1.0, 1.0]])
HARD = {
    "constant": scene_of(flat, np.zeros_like, np.zeros((2, 2)), [0.3, 0.1]),
    "constant, 1-D": scene_of(flat, np.zeros_like, np.zeros((1, 1)), [0.3]),
    "constant but for rounding": scene_of(
        lambda p: 3.0 + 1e-15 * np.sin(1e3 * p.sum(-1)), np.zeros_like, np.zeros((2, 2)), [1, 1]
    ),
    "at a minimum": quadratic(TILTED, [0.0, 0.0], direction=[1, 2]),
    "at a minimum, 1-D": quadratic([[2.0]], [0.0]),
    "degenerate": quadratic([[1.0, 1.0], [1.0, 1.0]], [0.5, -0.5]),
    "saddle": quadratic([[2.0, 0.0], [0.0, -2.0]], [0.0, 0.0], minimum=None),
    "edge of its domain": scene_of(
        log_product, reciprocal, [[-1e4, 0.0], [0.0, -1.0]], [0.01, 1.0], UNIT * 2
    ),
    "nowhere finite": scene_of(lambda p: flat(p) * np.nan, np.ones_like, np.eye(2), [1, 1], UNIT),
    "derivatives not finite": scene_of(
        lambda p: np.abs(p).sum(-1), np.sign, np.full((2, 2), np.nan), [0, 1], UNIT
    ),
    "gradient not finite": scene_of(
        lambda p: np.abs(p).sum(-1), lambda p: p * np.nan, np.zeros((2, 2)), [0, 1], UNIT
    ),
    "huge": quadratic(TILTED, [0.4, -0.3], scale=1e290, direction=[1, 1]),
    "tiny": quadratic(TILTED, [0.4, -0.3], scale=1e-290),
    "kink": scene_of(lambda p: np.abs(p).sum(-1), np.sign, np.zeros((2, 2)), [0.0, 0.0], UNIT),
    "ill-conditioned": quadratic(np.diag([1e12, 1.0]), [1.0, 1.0]),
    "unlike axes": quadratic(np.diag([1.0, 1e-8]), [0.1, 5e3], window=UNIT * [[1.0], [1e4]]),
    "outside its window": quadratic(TILTED, [9.0, 30.0], window=UNIT, direction=[0, 1]),
    "far away": quadratic(TILTED, [1e8, -1e8], minimum=None),
    "40 dimensions": quadratic(np.diag(np.arange(40.0)), np.ones(40), direction=np.eye(40)[3]),
    "direction outside the slice": quadratic(np.eye(3), [1.0, 2.0, 3.0], direction=[1, 0, 0]),
    "without a Hessian": Scene(
        quadratic(TILTED, [1.0, 1.0]).landscape, np.ones(2), 3.0, np.array([4.0, 2.0])
    ),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_cases_draw_without_a_warning(name):
    scene = HARD[name]
    drawn = draw_pictures(scene)
    if scene.dim == 1:
        assert list(drawn) == ["curve", "local"]
    else:
        assert list(drawn) == ["contour", "local", "surface", "sections"]
    for figure in drawn.values():
        with style():
            figure.draw_without_rendering()  # lays everything out, and takes half as long


def test_what_is_outside_the_domain_stays_blank():
    scene = HARD["edge of its domain"]
    values = scene.map_slice().values(np.array([[-0.5, 1.0], [0.5, 0.0], [0.5, 1.0]]))
    np.testing.assert_array_equal(np.isnan(values), [True, True, False])
    map_slice = scene.map_slice()
    assert np.isnan(make_sheets(map_slice, np.array([[-1.0, 1.0], [0.5, 1.0]])).surface[:, 0]).all()


def test_there_are_no_gradients_where_there_is_no_loss():
    axes = draw_contour(HARD["edge of its domain"]).axes[0]
    (field,) = [c for c in axes.collections if c.get_gid() == "field"]
    points = np.asarray(field.get_offsets())
    assert len(points) > 20
    assert (points > 0).all()


@pytest.mark.parametrize("window", [UNIT, UNIT * 9])
@pytest.mark.parametrize("at", [[9.0, 30.0], [-9.0, 9.0], [1.0, 1.0]])
def test_the_point_and_its_gradient_are_inside_the_picture(at, window):
    scene = quadratic(TILTED, at, window=window)
    figure = draw_contour(scene)
    start, end = ends_on_page(figure, "gradient")
    assert all(figure.axes[0].bbox.contains(*point) for point in (start, end))


@pytest.mark.parametrize(
    "wrong",
    [
        {"gradient": np.ones(3)},
        {"hessian": np.ones((2, 3))},
        {"direction": np.ones(1)},
        {"at": np.ones((1, 2))},
    ],
)
def test_wrong_shapes_are_refused(wrong):
    fit = quadratic(TILTED, [0.4, -0.3])
    parts = {"at": fit.at, "gradient": fit.gradient, "hessian": fit.hessian, **wrong}
    with pytest.raises(ValueError, match="shape"):
        Scene(fit.landscape, value=1.0, **parts)


# Files and TensorBoard


def test_pictures_are_written_as_png_and_svg_of_the_same_bytes(tmp_path):
    import matplotlib

    scene = cubic([0.5, 0.7])
    first = write_pictures(tmp_path / "new" / "one", draw_pictures(scene, errors_of_exp()))
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "svg.hashsalt": None}):
        second = write_pictures(tmp_path / "two", draw_pictures(scene, errors_of_exp()))
    names = ["contour", "local", "surface", "sections", "differences"]
    assert [p.name for p in first] == [f"{n}.{s}" for n in names for s in ("png", "svg")]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
    text = (tmp_path / "two" / "local.svg").read_text()
    assert "<svg" in text
    assert "dc:date" not in text
    assert "Matplotlib" not in text


def test_a_png_can_be_made_before_and_after_an_svg():
    figure = draw_neighborhood(cubic([0.5, 0.7]))
    before, drawn = render(figure, "png"), render(figure, "svg")
    assert render(figure, "png") == before
    assert render(figure, "svg") == drawn


def test_pictures_and_numbers_are_read_back_by_tensorboard(tmp_path):
    scene = quadratic(TILTED, [1.0, 1.0])
    drawn = draw_pictures(scene, errors_of_exp(2))
    path = write_events(tmp_path / "derivatives" / "bowl", scene, drawn, "# A report")
    assert path.parent == tmp_path / "derivatives" / "bowl"
    run = EventAccumulator(str(path.parent)).Reload()
    assert set(run.Tags()["images"]) == {f"pictures/{name}" for name in drawn}
    for name, figure in drawn.items():
        (image,) = run.Images(f"pictures/{name}")
        assert image.encoded_image_string == render(figure, "png")
        size = figure.get_size_inches() * 100
        assert (image.width, image.height) == tuple(size.round().astype(int))
        assert image.step == 0
    # By hand: ½ (3 + 2 + 1), |(4, 2)|, 2 + √2.
    expected = {"value": 3.0, "grad_norm": 20**0.5, "lambda_max": 2 + 2**0.5}
    assert set(run.Tags()["scalars"]) == {f"report/{name}" for name in expected}
    for name, number in expected.items():
        assert run.Scalars(f"report/{name}")[0].value == pytest.approx(number, rel=1e-7)  # float32
    (text,) = run.Tensors("report")
    assert text.tensor_proto.string_val[0] == b"# A report"


def test_no_figure_is_left_in_pyplot_and_names_are_no_mathematics():
    import matplotlib.pyplot as plt

    drawn = draw_pictures(quadratic(TILTED, [1.0, 1.0]), errors_of_exp())
    assert plt.get_fignums() == []
    assert all("bowl $1 _a at x0 = 1, x1 = 1" in texts(figure) for figure in drawn.values())


def test_importing_the_modules_does_not_import_matplotlib():
    code = (
        "import sys, gdlab.derivatives.plots; before = set(sys.modules); "
        "import gdlab.derivatives.plots.maps; new = set(sys.modules) - before; "
        "sys.exit(bool({'matplotlib', 'PIL'} & new))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_rows_of_the_legend_lie_below_each_other_and_the_axis():
    saddle = quadratic([[-178.2, 3.0], [3.0, 870.2]], [1.0, 2.0], minimum=None, direction=[3, 4])
    figure = draw_neighborhood(saddle)
    figure.canvas.draw()
    boxes = (legend.get_window_extent() for legend in figure.legends)
    lower, upper = sorted(boxes, key=lambda box: box.y0)
    assert lower.y1 <= upper.y0 + 6  # the frames, which are not drawn, may touch
    assert upper.y1 <= figure.axes[0].xaxis.label.get_window_extent().y0 + 6
