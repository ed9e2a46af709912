"""What a person sees of runs: TensorBoard on a real port, asked over HTTP and by a real browser."""

import io
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure
from playwright.sync_api import Locator, Page, expect, sync_playwright

from gdlab.recording.tensorboard import EventWriter

STEPS = 200
FRAMES = (0, 20, STEPS)
HPARAMS: dict[str, dict[str, Any]] = {
    "lr=0.02": {"lr": 0.02, "optimizer": "adam", "nesterov": False},
    "lr=0.1": {"lr": 0.1, "optimizer": "sgd", "nesterov": True},
}
FINAL_LOSS = {"lr=0.02": 0.0762817, "lr=0.1": 8.24461e-9}
PATIENCE = 60.0

CHROMIUM = shutil.which("chromium")
CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no `chromium` on PATH")

# Starts with Python's own handling of Ctrl-C, which a shell turns off for what it runs behind.
VIEW = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from gdlab.view import main
sys.exit(main())
"""


def picture(x: np.ndarray) -> bytes:
    figure = Figure(figsize=(4, 3))
    figure.subplots().plot(x[:, 0], x[:, 1], "o-")
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def write_run(directory: Path, name: str) -> None:
    """Gradient flow on x0² + x1²/2, as recorded by a run."""
    settings = HPARAMS[name]
    steps = np.arange(STEPS + 1)
    x = np.exp(-settings["lr"] * steps[:, None] * [1.0, 0.5]) * [3.0, 2.0]
    loss = np.sum(x**2, axis=1)
    values = {
        "loss": loss,
        "grad_norm": np.sqrt(loss),
        "lr": np.full(STEPS + 1, settings["lr"]),
        "x/0": x[:, 0],
        "x/1": x[:, 1],
    }
    with EventWriter(directory / name) as writer:
        writer.hparams(name, settings)
        writer.text("config", f"```yaml\n{settings}\n```")
        writer.scalars(steps, values)
        for step in FRAMES:
            writer.image("trajectory", step, picture(x[: step + 1]))
        writer.end_session(ok=True)


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs")
    for name in HPARAMS:
        write_run(directory, name)
    return directory


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    # A proxy of the environment must not be asked for this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with opener.open(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def session_groups(url: str) -> list[dict[str, Any]]:
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    body = {"allowedStatuses": statuses, "startIndex": 0, "sliceSize": 100}
    return post(f"{url}/data/plugin/hparams/session_groups", body).get("sessionGroups", [])


def wait_until(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


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
        finally:
            # Not killed: TensorBoard then removes the note by which others find it.
            process.terminate()


@pytest.fixture(scope="module")
def url(run_directory: Path) -> Iterator[str]:
    """TensorBoard with all of the runs loaded."""

    def loaded() -> bool:
        sessions = [s for group in session_groups(address) for s in group["sessions"]]
        # A run's end is the last that its file tells.
        return len([s for s in sessions if s["status"] == "STATUS_SUCCESS"]) == len(HPARAMS)

    with viewing(run_directory) as (address, _):
        wait_until(loaded, "TensorBoard to load the runs")
        yield address


# Over HTTP


def test_the_table_has_one_row_per_run_with_its_settings_and_metrics(url):
    groups = {group["name"]: group for group in session_groups(url)}
    assert {name: group["hparams"] for name, group in groups.items()} == HPARAMS
    for name, group in groups.items():
        metrics = {m["name"]["tag"]: m for m in group["metricValues"]}
        assert set(metrics) == {"loss", "grad_norm", "lr", "x/0", "x/1"}
        assert metrics["loss"]["trainingStep"] == STEPS
        assert metrics["loss"]["value"] == pytest.approx(FINAL_LOSS[name], rel=1e-5)
        assert [s["name"] for s in group["sessions"]] == [name]


def test_the_tables_columns_are_all_settings_and_all_tags(url):
    experiment = post(f"{url}/data/plugin/hparams/experiment", {})
    assert {h["name"] for h in experiment["hparamInfos"]} == {"lr", "optimizer", "nesterov"}
    tags = {m["name"]["tag"] for m in experiment["metricInfos"]}
    assert tags == {"loss", "grad_norm", "lr", "x/0", "x/1"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_ctrl_c_ends_it_quietly(run_directory):
    with viewing(run_directory) as (_, process):
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) in (0, 130)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


# In a browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"),
            executable_path=CHROMIUM,
            args=CHROMIUM_ARGUMENTS,
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
def test_the_loss_is_drawn_in_time_series(page, url):
    page.goto(f"{url}/#timeseries")
    card = page.locator("scalar-card").filter(has=page.get_by_text("loss", exact=True))
    card.scroll_into_view_if_needed()
    rows = card.locator("tb-data-table-content-row")
    expect(rows).to_have_count(len(HPARAMS))
    slow = rows.filter(has_text="lr=0.02")
    expect(slow).to_contain_text("0.0763")
    expect(slow).to_contain_text(str(STEPS))
    chart = card.locator("line-chart")
    wait_until(lambda: coloured_pixels(chart) > 200, "the curves")


@in_a_browser
def test_the_trajectory_steps_through_its_frames_in_images(page, url):
    page.goto(f"{url}/#images")
    loader = page.locator("tf-image-loader").filter(has_text="trajectory").first
    picture = loader.locator("img")
    expect(picture).to_be_visible()
    wait_until(lambda: picture.evaluate("e => e.naturalWidth") == 400, "the picture")
    expect(loader).to_contain_text(re.compile(rf"step\s+{STEPS}\b"))
    slider = loader.locator("paper-slider")
    assert slider.evaluate("e => e.max") == len(FRAMES) - 1
    slider.press("ArrowLeft")
    expect(loader).to_contain_text(re.compile(r"step\s+20\b"))


@in_a_browser
def test_every_run_is_a_row_in_hparams(page, url):
    page.goto(f"{url}/#hparams")
    grid = page.locator("vaadin-grid")
    expect(grid).to_be_visible()
    wait_until(lambda: grid.evaluate("e => e.size") == len(HPARAMS), "the rows")
    cells = page.locator("vaadin-grid-cell-content")
    for name in HPARAMS:
        expect(cells.get_by_text(name, exact=True)).to_have_count(1)
    for value in ("adam", "sgd", "true", "false"):
        expect(cells.get_by_text(value, exact=True)).to_have_count(1)
    # Once as a setting and once as a metric.
    expect(cells.get_by_text("0.020000", exact=True)).to_have_count(2)
    expect(cells.get_by_text("0.076282", exact=True)).to_have_count(1)
