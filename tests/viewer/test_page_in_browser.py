"""The page of the viewer in a real browser: landscape, paths, list, scrubber, 3-D, keys."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest
from helpers.browsing import browsing, in_a_browser, patch, serving, state, wait_for, wait_until
from playwright.sync_api import Page, expect

import gdlab
from gdlab.viewer.embedding import html_page
from gdlab.viewer.messages import messages_of

pytestmark = [in_a_browser, pytest.mark.xdist_group("browser")]

QUIET: dict[str, Any] = {"record.figures": False, "record.events": False}
STEPS = 40


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs on three losses, one of ten dimensions, one of one; a run that is damaged."""
    runs = tmp_path_factory.mktemp("runs")
    for name, lr in (("adam", 0.05), ("sgd", 0.001), ("momentum", 0.02)):
        gdlab.run("rosenbrock", name, lr=lr, steps=STEPS, directory=runs / name, **QUIET)
    ten: dict[str, Any] = {"loss.dim": 10, "loss.condition": 50.0, **QUIET}
    gdlab.run("quadratic", "sgd", lr=0.03, steps=STEPS, directory=runs / "ten", **ten)
    formula: dict[str, Any] = {"loss.formula": "x**4 - 3*x**2 + x", **QUIET}
    gdlab.run("expression", lr=0.02, start=[2], steps=20, directory=runs / "line", **formula)
    damaged = Path(shutil.copytree(runs / "adam", runs / "damaged"))
    history = damaged / "history.parquet"
    history.write_bytes(history.read_bytes()[:200])
    return runs


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """The addresses that the page asked for."""
    return []


@pytest.fixture(scope="module")
def opened(
    directory: Path, tmp_path_factory: pytest.TempPathFactory, asked: list[str]
) -> Iterator[tuple[Page, str]]:
    """A page and the address of the viewer; what the browser complains of fails the tests."""
    with serving(directory) as address, browsing(tmp_path_factory.mktemp("profile")) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        wait_for(page, "s.status === ''")
        yield page, address


@pytest.fixture
def page(opened: tuple[Page, str]) -> Page:
    """The viewer on the runs of Rosenbrock's function, as at first."""
    page, _ = opened
    show(page, "rosenbrock")
    patch(page, "{mode: '2d', followed: null, filterText: '', filterSettings: {}}")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("0")
    return page


def show(page: Page, title: str) -> None:
    """Choose a problem by a part of its title."""
    if title not in state(page, "s.scene.problem.title"):
        label = page.get_by_label("Problem").locator("option", has_text=title).text_content()
        page.get_by_label("Problem").select_option(label=label)
        wait_for(page, f"s.scene.problem.title.includes('{title}') && s.status === ''")


def frame(page: Page) -> dict[str, float]:
    """The rectangle of the view on the screen."""
    box = page.locator(".overlay").bounding_box()
    assert box is not None
    inner = page.evaluate("document.querySelector('.viewer').viewer.stage.frame()")
    return {**inner, "left": inner["left"] + box["x"], "top": inner["top"] + box["y"]}


def pixel_of(page: Page, point: np.ndarray) -> tuple[float, float]:
    """Where a point of the plane lies on the screen."""
    box, ((xlow, xhigh), (ylow, yhigh)) = frame(page), state(page, "s.view")
    x, y = point
    left = box["left"] + (x - xlow) / (xhigh - xlow) * box["width"]
    return left, box["top"] + (yhigh - y) / (yhigh - ylow) * box["height"]


def picture(page: Page) -> np.ndarray:
    """The screen, (height, width, 3), from 0 to 1."""
    settle(page)
    return matplotlib.image.imread(io.BytesIO(page.screenshot()))[..., :3]


def settle(page: Page) -> None:
    """Wait until the page has drawn what the state says."""
    page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def rosenbrock(x: Any, y: Any) -> Any:
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def test_runs_are_listed_and_a_damaged_one_is_noted(page: Page) -> None:
    rows = page.locator(".list .row")
    expect(rows).to_have_count(4)  # of the damaged one, the end is known
    assert {"adam", "sgd", "momentum"} <= {text.split(",")[0] for text in labels(page)}
    expect(page.locator(".notes")).to_contain_text("damaged")


def test_the_notes_are_one_press_away(page: Page) -> None:
    page.get_by_role("button", name="1 note").click()
    expect(page.locator(".notes")).to_be_focused()
    expect(page.locator(".notes")).to_be_in_viewport()
    page.evaluate("scrollTo(0, 0)")


def labels(page: Page) -> list[str]:
    settle(page)
    return page.locator(".list .label").all_text_contents()


def test_a_mark_under_the_cursor_says_what_it_is(page: Page) -> None:
    page.mouse.move(*pixel_of(page, np.array([1.0, 1.0])))
    expect(page.locator(".card")).to_have_text("minimizer, loss 0at (1, 1)")


def test_a_run_that_is_filtered_away_is_no_longer_followed(page: Page) -> None:
    row = state(page, "s.scene.runs.findIndex((run) => run.label.startsWith('adam'))")
    patch(page, f"{{followed: {row}}}")
    patch(page, "{filterText: 'sgd'}")
    assert state(page, "s.followed") is None


def test_the_landscape_stays_in_sight_beside_the_panels(page: Page) -> None:
    """From a phone to a desktop, the live bench and the landscape are seen at once."""
    for width, height in ((390, 844), (1000, 800), (1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.locator(".live").scroll_into_view_if_needed()
        expect(page.get_by_role("button", name="Compute live")).to_be_in_viewport()
        expect(page.locator(".overlay")).to_be_in_viewport(ratio=0.8)
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate("scrollTo(0, 0)")


def test_the_value_under_the_cursor_is_the_loss(page: Page) -> None:
    box, grid = frame(page), state(page, "s.grid.view")
    corners = [rosenbrock(x, y) for x in grid[0] for y in grid[1]]
    spread = max(corners)
    rng = np.random.default_rng(0)
    worst = 0.0
    for across, up in rng.uniform(0.02, 0.98, (20, 2)):
        page.mouse.move(box["left"] + across * box["width"], box["top"] + up * box["height"])
        settle(page)
        cursor = state(page, "s.cursor")
        worst = max(worst, abs(cursor["value"] - rosenbrock(*cursor["at"])) / spread)
        assert cursor["at"] == pytest.approx(at_place(page, across, 1 - up), abs=0.01)
    assert worst < 1e-3
    expect(page.locator(".readout")).to_contain_text("loss")


def at_place(page: Page, across: float, up: float) -> list[float]:
    (xlow, xhigh), (ylow, yhigh) = state(page, "s.view")
    return [xlow + across * (xhigh - xlow), ylow + up * (yhigh - ylow)]


@pytest.mark.parametrize("step", [3, 17, 31])
def test_the_scrubber_moves_the_marker_to_the_recorded_point(
    page: Page, directory: Path, step: int
) -> None:
    page.locator(".list .row", has_text="adam").first.click()
    page.get_by_role("slider", name="Step").fill(str(step))
    expect(page.locator(".step")).to_have_text(f"step {step} / {STEPS}")
    recorded: Any = gdlab.load(directory / "adam").history.to_frame()
    x, y = pixel_of(page, recorded[["x0", "x1"]].to_numpy()[step])
    wanted = np.array(matplotlib.colors.to_rgb(state(page, "s.colors[s.followed]")))
    # The dot is 11 pixels wide, the path 3: only around the recorded point all four have its color.
    # While something moves, pixels are coarser.
    around = [
        (round(y - 0.5) + dy, round(x - 0.5) + dx) for dy, dx in ((0, 3), (0, -3), (3, 0), (-3, 0))
    ]

    def is_there() -> bool:
        shown = picture(page)
        return all(np.abs(shown[place] - wanted).max() < 0.02 for place in around)

    wait_until(is_there, "the marker at the recorded point")


def test_runs_are_filtered_by_text_and_by_settings(page: Page) -> None:
    field = page.get_by_role("searchbox")
    field.fill("momentum")
    assert len(labels(page)) == 1
    field.fill("")
    page.get_by_role("button", name="optimizer sgd").click()
    assert all(label.startswith("sgd") for label in labels(page))
    assert state(page, "s.runs.length") == 1
    before = picture(page)
    page.get_by_role("button", name="optimizer sgd").click()
    assert state(page, "s.runs.length") == 4
    assert np.abs(picture(page) - before).max() > 0.2


def test_the_surface_is_drawn_and_turns(page: Page) -> None:
    page.get_by_role("button", name="3-D").click()
    first = picture(page)
    box = page.locator(".stage").bounding_box()
    assert box is not None
    top, left = round(box["y"]), round(box["x"])
    stage = first[top : top + round(box["height"]), left : left + round(box["width"])]
    assert len(np.unique((stage.reshape(-1, 3) * 255).astype(int), axis=0)) > 200
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 120, middle[1] + 20, steps=3)
    page.mouse.up()
    assert np.mean(np.abs(picture(page) - first).max(axis=-1) > 0.05) > 0.05


def test_ten_dimensions_are_shown_on_their_principal_plane(page: Page) -> None:
    show(page, "quadratic")
    assert state(page, "s.scene.plane.kind") == "principal"
    assert state(page, "s.scene.plane.labels.length") == 2
    assert state(page, "s.grid.values.values.every(Number.isFinite)")
    page.get_by_label("Plane").select_option(index=1)
    wait_for(page, "s.scene.plane.kind === 'coordinates' && s.status === ''")
    show(page, "rosenbrock")


def test_a_loss_of_one_variable_is_a_curve_with_the_points_of_the_path(page: Page) -> None:
    show(page, "x**4")
    page.get_by_role("slider", name="Step").fill("0")
    line = state(page, "[s.colors[0], 2, 2**4 - 3 * 2**2 + 2]")
    x, y = pixel_of(page, np.array(line[1:]))
    found = picture(page)[round(y - 0.5), round(x - 0.5)]
    assert np.abs(found - matplotlib.colors.to_rgb(line[0])).max() < 0.02
    expect(page.get_by_role("button", name="3-D")).to_be_hidden()


def test_dark_follows_the_system_and_the_switch(page: Page) -> None:
    box = frame(page)
    place = (round(box["top"] + 5), round(box["left"] + box["width"] / 2))
    page.emulate_media(color_scheme="dark")
    wait_for(page, "s.dark")
    assert picture(page)[place].mean() < 0.5
    page.get_by_role("button", name="Theme").click()
    wait_for(page, "s.theme === 'light'")
    assert picture(page)[place].mean() > 0.5
    patch(page, "{theme: 'auto'}")
    page.emulate_media(color_scheme="light")


def test_keys_alone_do_all(page: Page) -> None:
    keys = page.keyboard
    keys.press("Home")
    keys.press("ArrowRight")
    keys.press("Shift+ArrowRight")
    assert state(page, "s.step") == 11
    keys.press(" ")
    wait_for(page, "s.playing && s.step > 11")
    keys.press(" ")
    assert not state(page, "s.playing")
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    assert state(page, "s.followed") == 1
    whole = state(page, "s.view")
    keys.press("+")
    wait_for(page, "s.grid !== s.scene.grid")  # a finer one of what is seen
    assert state(page, "s.grid.view") == state(page, "s.view") != whole
    keys.press("Alt+ArrowUp")
    keys.press("0")
    assert state(page, "s.view") == whole
    keys.press("f")
    keys.press("3")
    assert state(page, "[s.showField, s.mode]") == [True, "3d"]
    keys.press("f")
    keys.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    keys.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("searchbox").press("Escape")
    keys.press("Escape")
    assert state(page, "s.followed") is None


def test_a_phone_shows_all_in_one_column(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.set_viewport_size({"width": 1280, "height": 900})


def test_only_its_server_was_asked(opened: tuple[Page, str], asked: list[str]) -> None:
    _, address = opened
    assert asked
    assert [url for url in asked if not url.startswith(f"{address}/")] == []


def test_a_page_that_holds_its_messages_asks_nothing(
    opened: tuple[Page, str], asked: list[str], directory: Path, tmp_path: Path
) -> None:
    page, _ = opened
    path = tmp_path / "page.html"
    hostile = "</title><script>alert(1)</script>"
    path.write_text(html_page(messages_of([directory]), title=hostile))
    asked.clear()
    page.goto(path.as_uri())
    wait_for(page, "s.status === ''")
    assert page.title() == hostile
    assert state(page, "s.catalogue.problems.length") == 3
    show(page, "quadratic")
    assert asked == [path.as_uri()]
