"""What a person sees of runs: TensorBoard on a real port, asked over HTTP and by a real browser."""

import io
import itertools
import json
import re
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib.image
import numpy as np
import pytest
from helpers.browsing import ARGUMENTS, CHROMIUM, in_a_browser, wait_until
from playwright.sync_api import Locator, Page, expect, sync_playwright

import gdlab
from gdlab.__main__ import main
from gdlab.derivatives import __main__ as derivatives
from gdlab.plots.profiles import draw_profiles
from gdlab.report.content import Document, Figure, Section, Table, Text
from gdlab.report.html import html_of

STEPS = 100
RUNS = {
    "adam,lr=0.02": ["optimizer=adam", "lr=0.02"],
    "nesterov,lr=0.05": ["optimizer=nesterov", "lr=0.05"],
}
SETTINGS: dict[str, dict[str, Any]] = {
    "adam,lr=0.02": {"lr": 0.02, "optimizer": "adam", "optimizer.amsgrad": False},
    "nesterov,lr=0.05": {"lr": 0.05, "optimizer": "nesterov", "optimizer.nesterov": True},
}
LAST = {
    "loss": "final_loss",
    "step/grad_norm": "grad_norm",
    "x/distance_to_minimizer": "distance",
    "x/x0": "x0",
    "x/x1": "x1",
}
TAGS = {*LAST, "loss/log10_suboptimality"}
BOUND = "theory/log10_suboptimality_bound"


def tags_of(name: str) -> set[str]:
    """The tags of a run; theory has a bound for constant rates without adam's scaling."""
    if "cosine" in name:
        return {*TAGS, "step/lr"}
    return TAGS if "adam" in name else {*TAGS, BOUND}


def rows(groups: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows of the HParams table by what was run, without where."""
    return {group["name"].split(" · ")[0]: group for group in groups}


PATIENCE = 60.0


# Starts with Python's own handling of Ctrl-C, which a shell turns off for what it runs behind.
VIEW = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from gdlab.view import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the command line."""
    directory = tmp_path_factory.mktemp("runs")
    for name, arguments in RUNS.items():
        with pytest.raises(SystemExit) as exit_:
            main([*arguments, f"steps={STEPS}", f"hydra.run.dir='{directory / name}'"])
        assert exit_.value.code == 0
    return directory


def fetched(url: str, body: bytes | None = None, kind: str = "application/json") -> Any:
    # A proxy of the environment must not be asked for this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, body, {"Content-Type": kind})
    with opener.open(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def post(url: str, body: dict[str, Any]) -> Any:
    return fetched(url, json.dumps(body).encode())


def session_groups(url: str) -> list[dict[str, Any]]:
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    body = {"allowedStatuses": statuses, "startIndex": 0, "sliceSize": 1_000}
    return post(f"{url}/data/plugin/hparams/session_groups", body).get("sessionGroups", [])


@contextmanager
def viewing(directory: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """TensorBoard's address and process, on a free port that it chooses."""
    command = [sys.executable, "-c", VIEW, str(directory), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = ""
            for line in process.stderr:
                said += line
                if address := re.search(r"http://localhost:\d+", line):
                    break
            else:
                pytest.fail(f"TensorBoard did not start: {said}")
            yield address.group(), process
            # Not killed: TensorBoard then removes the note by which others find it. Where it cannot
            # write its last words, the server may take that for an error of a request and go on.
            process.terminate()
            process.communicate(timeout=PATIENCE)
        finally:
            process.kill()


def wait_until_loaded(url: str, runs: int) -> None:
    def loaded() -> bool:
        sessions = [s for group in session_groups(url) for s in group["sessions"]]
        # A run's end is the last that its file tells.
        return len([s for s in sessions if s["status"] == "STATUS_SUCCESS"]) == runs

    wait_until(loaded, "TensorBoard to load the runs")


@pytest.fixture(scope="module")
def url(run_directory: Path) -> Iterator[str]:
    """TensorBoard with all of the runs loaded."""
    with viewing(run_directory) as (address, _):
        wait_until_loaded(address, len(RUNS))
        yield address


# Over HTTP


def test_the_table_has_one_row_per_run_with_its_settings_and_metrics(
    url: str, run_directory: Path
) -> None:
    groups = rows(session_groups(url))
    assert set(groups) == set(RUNS)
    for name, group in groups.items():
        assert SETTINGS[name].items() <= group["hparams"].items()
        metrics = {m["name"]["tag"]: m for m in group["metricValues"]}
        assert set(metrics) == tags_of(name)
        assert metrics["loss"]["trainingStep"] == STEPS
        assert metrics["loss"]["value"] == pytest.approx(final_loss(run_directory / name), rel=1e-7)
        assert [s["name"] for s in group["sessions"]] == [name]


def final_loss(directory: Path) -> float:
    return float(gdlab.load(directory).results["final_loss"].iloc[0])


def test_the_tables_columns_are_all_settings_and_all_tags(url: str) -> None:
    experiment = post(f"{url}/data/plugin/hparams/experiment", {})
    columns = {h["name"] for h in experiment["hparamInfos"]}
    assert {"loss", "loss.condition", "optimizer", "optimizer.betas", "lr", "seed"} <= columns
    assert {m["name"]["tag"] for m in experiment["metricInfos"]} == {*TAGS, BOUND}


def test_a_report_of_derivatives_is_shown_as_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        derivatives.main(["loss=beale", "at=[1,2]"])
    assert exit_.value.code == 0
    (name,) = (path.name for path in (tmp_path / "runs" / "derivatives").iterdir())
    with viewing(tmp_path / "runs") as (url, _):
        wait_until(lambda: fetched(f"{url}/data/runs") != [], "TensorBoard to load the report")
        tags = {
            kind: fetched(f"{url}/data/plugin/{kind}/tags").get(f"derivatives/{name}")
            for kind in ("images", "scalars", "text")
        }
    drawn = {"contour", "local", "surface", "sections", "differences"}
    assert set(tags["images"]) == {f"pictures/{name}" for name in drawn}
    assert set(tags["scalars"]) == {"report/value", "report/grad_norm", "report/lambda_max"}
    assert list(tags["text"]) == ["report"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_ctrl_c_ends_it_quietly(run_directory: Path) -> None:
    with viewing(run_directory) as (_, process):
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) in (0, 130)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


# A sweep of 200 runs, over HTTP

AXES: dict[str, list[Any]] = {
    "optimizer": ["momentum", "adam"],
    "schedule": ["constant", "cosine"],
    "lr": [0.001, 0.003, 0.01, 0.02, 0.05],
    "loss.condition": [2.0, 30.0],
    "seed": [0, 1, 2, 3, 4],
}
SWEPT: dict[str, dict[str, Any]] = {
    "{},{},lr={},condition={},seed={}".format(*values): dict(zip(AXES, values, strict=True))
    for values in itertools.product(*AXES.values())
}
SWEEP_STEPS = 12


@pytest.fixture(scope="module")
def sweep_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of the command line over structure and numbers."""
    directory = tmp_path_factory.mktemp("sweep") / "s"
    axes = [f"{key}={','.join(map(str, values))}" for key, values in AXES.items()]
    fixed = ["start=random", f"steps={SWEEP_STEPS}", "record.max_figures=3"]
    with pytest.raises(SystemExit) as exit_:
        main(["-m", *axes, *fixed, f"hydra.sweep.dir={directory}"])
    assert exit_.value.code == 0
    return directory


@pytest.fixture(scope="module")
def sweep_url(sweep_directory: Path) -> Iterator[str]:
    """TensorBoard with all of the sweep loaded."""
    with viewing(sweep_directory) as (address, _):
        wait_until_loaded(address, len(SWEPT))
        yield address


def test_each_run_of_a_sweep_is_a_row_with_what_it_was_swept_over(
    sweep_url: str, sweep_directory: Path
) -> None:
    assert len(SWEPT) == 200
    found = session_groups(sweep_url)
    groups = rows(found)
    assert len(found) == len(groups) == 200
    assert groups.keys() == SWEPT.keys()
    swept = gdlab.load(sweep_directory)
    results: Any = swept.results.set_index(list(AXES))
    for name, settings in SWEPT.items():
        hparams = groups[name]["hparams"]
        assert {key: hparams.get(key) for key in AXES} == settings
        assert (hparams["start"], hparams["steps"]) == ("random", SWEEP_STEPS)
        row = results.loc[tuple(settings.values())]
        metrics = {m["name"]["tag"]: m for m in groups[name]["metricValues"]}
        assert metrics.keys() == tags_of(name)
        assert {m["name"].get("group", "") for m in metrics.values()} == {""}
        for tag, column in LAST.items():
            assert metrics[tag]["trainingStep"] == SWEEP_STEPS
            assert metrics[tag]["value"] == pytest.approx(row[column], rel=1e-7), (name, tag)
    infos = post(f"{sweep_url}/data/plugin/hparams/experiment", {})["hparamInfos"]
    assert {info["name"] for info in infos if info["differs"]} == AXES.keys()
    first = [info["name"] for info in infos if not info["differs"]][:3]
    assert first == ["Diagnosis", "Status", "Steps"]


def test_each_run_of_a_sweep_has_its_own_scalars(sweep_url: str, sweep_directory: Path) -> None:
    tags = fetched(f"{sweep_url}/data/plugin/scalars/tags")
    assert {run: set(found) for run, found in tags.items() if found} == {
        run: tags_of(run) for run in SWEPT
    }
    names, runs = list(SWEPT), range(0, 200, 7)
    swept = gdlab.load(sweep_directory)
    for tag, column in (("loss", "loss"), ("x/x1", "x1")):
        wanted = urllib.parse.urlencode({"tag": tag, "runs": names}, doseq=True).encode()
        url = f"{sweep_url}/data/plugin/scalars/scalars_multirun"
        shown = fetched(url, wanted, "application/x-www-form-urlencoded")
        assert shown.keys() == SWEPT.keys()
        for run in runs:
            steps, values = np.array(shown[names[run]])[:, 1:].T
            assert steps.tolist() == list(range(SWEEP_STEPS + 1))
            history: Any = swept.history(run)[column]
            assert values.tolist() == history.to_numpy(np.float32).tolist()


# In a browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"),
            executable_path=CHROMIUM,
            args=[*ARGUMENTS, "--disable-gpu"],
            viewport={"width": 1400, "height": 1000},
        )
        context.set_default_timeout(1000 * PATIENCE)
        expect.set_options(timeout=1000 * PATIENCE)
        yield context.pages[0]
        context.close()


def coloured_pixels(chart: Locator) -> int:
    """How many pixels are no grey: the curves, as the grid and the axes are grey."""
    rgb = matplotlib.image.imread(io.BytesIO(chart.screenshot()))[..., :3]
    return int(np.sum(np.ptp(rgb, axis=-1) > 0.3))


@in_a_browser
def test_the_loss_is_drawn_in_time_series(page: Page, url: str) -> None:
    # The page draws only the cards in sight, and this one is not the first.
    page.goto(f"{url}/?tagFilter=%5Eloss%24#timeseries")
    card = page.locator("scalar-card").filter(has=page.get_by_text("loss", exact=True))
    card.scroll_into_view_if_needed()
    rows = card.locator("tb-data-table-content-row")
    expect(rows).to_have_count(len(RUNS))
    for name in RUNS:
        expect(rows.filter(has_text=name)).to_contain_text(str(STEPS))
    chart = card.locator("line-chart")
    wait_until(lambda: coloured_pixels(chart) > 200, "the curves")


@in_a_browser
def test_the_trajectory_steps_through_its_frames_in_images(page: Page, url: str) -> None:
    page.goto(f"{url}/#images")
    expect(page.locator("tf-image-loader").get_by_text("trajectory", exact=True)).to_have_count(
        len(RUNS)
    )
    loader = page.locator("tf-image-loader").filter(has_text="trajectory").first
    picture = loader.locator("img")
    expect(picture).to_be_visible()
    wait_until(lambda: picture.evaluate("e => e.naturalWidth") > 300, "the picture")
    expect(loader).to_contain_text(re.compile(rf"step\s+{STEPS}\b"))
    slider = loader.locator("paper-slider")
    assert 5 <= slider.evaluate("e => e.max") <= 9
    slider.press("ArrowLeft")
    expect(loader).not_to_contain_text(re.compile(rf"step\s+{STEPS}\b"))


@in_a_browser
def test_every_run_is_a_row_in_hparams(page: Page, url: str) -> None:
    page.goto(f"{url}/#hparams")
    grid = page.locator("vaadin-grid")
    expect(grid).to_be_visible()
    wait_until(lambda: grid.evaluate("e => e.size") == len(RUNS), "the rows")
    cells = page.locator("vaadin-grid-cell-content")
    for name in RUNS:
        expect(cells.get_by_text(f"{name} · ")).to_have_count(1)


# The texts of a table as it is drawn, row by row: cells are slotted into rows of a shadow tree.
DRAWN = """(grid, part) => [...grid.shadowRoot.querySelectorAll(`#${part} tr:not([hidden])`)].map(
    row => [...row.querySelectorAll('slot')].map(
        slot => slot.assignedNodes().map(node => node.textContent.trim()).join('')))"""


@in_a_browser
def test_the_table_in_hparams_shows_every_run_of_a_sweep(page: Page, sweep_url: str) -> None:
    page.goto(f"{sweep_url}/#hparams")
    grid = page.locator("vaadin-grid")
    expect(grid).to_be_visible()
    wait_until(lambda: grid.evaluate("e => e.size") == 100, "the first of two pages")
    field = page.get_by_label("Max # of session groups per page")
    field.fill("200")
    field.press("Enter")
    wait_until(lambda: grid.evaluate("e => e.size") == 200, "the rows of both pages")
    titles = grid.evaluate(DRAWN, "header")[-1]
    columns = {key: titles.index(key) for key in AXES}  # the axes are left of the metrics
    shown: dict[str, dict[str, str]] = {}

    def look() -> bool:
        grid.evaluate("(e, row) => e.scrollToIndex(row)", min(len(shown), 199))
        for cells in grid.evaluate(DRAWN, "items"):
            name = cells[titles.index("Trial ID")].split(" · ")[0]
            shown[name] = {key: cells[at] for key, at in columns.items()}
        return shown.keys() >= SWEPT.keys()

    wait_until(look, "all rows to be drawn")
    for name, settings in SWEPT.items():
        for key, value in settings.items():
            text = shown[name][key]
            assert text == value if isinstance(value, str) else float(text) == value, (name, key)


@in_a_browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1920)])
def test_a_report_opens_without_a_network(
    page: Page, tmp_path: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    hostile = "<img src=http://localhost/x onerror=alert(1)>"
    drawing = draw_profiles(
        np.logspace(0, 2, 5), np.ones((2, 5)), [hostile, "b"], title=hostile, xlabel="x"
    )
    rows = [(hostile, "x" * 400)] * 3
    blocks = [Text(hostile), Table("t", hostile, ("a", "b"), rows), Figure("f", hostile, drawing)]
    path = tmp_path / "report.html"
    path.write_text(html_of(Document(hostile, hostile, [Section(hostile, blocks)])))
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    assert said == []
    assert page.get_by_text(hostile, exact=True).count() >= 5
    assert page.evaluate("document.images.length") == 0
    across = "document.documentElement.scrollWidth <= window.innerWidth"
    assert page.evaluate(across)
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == {"light": "rgb(255, 255, 255)"}.get(
        scheme, "rgb(23, 25, 28)"
    )
    page.emulate_media(media="print", color_scheme="light")
    assert page.evaluate(across)
