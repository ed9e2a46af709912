"""The viewer's page in a real browser, for `viewer.py`: opening, frames and live runs.

Chromium draws WebGL by software, which costs most where there are most pixels.
"""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Frame, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SIZES = ((1280, 900), (1920, 1080))
FRAMES = 60
OPTIMIZERS = ("sgd", "momentum", "adam", "newton")
DRAGS = 25
PATIENCE = 60_000.0  # milliseconds

# Draws a frame for each of the positions k of something that moves, one after the other, and
# returns the milliseconds from one to the next.
_FRAMES = """
const frames = (count, move) => new Promise((done) => {
  const times = [];
  const tick = (time) => {
    times.push(time);
    if (times.length > count + 1) return done(times.slice(2).map((t, k) => t - times[k + 1]));
    move(times.length);
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
});
"""

# Drags the scrubber there and back.
SCRUB = f"""(count) => {{
  {_FRAMES}
  const scrubber = document.querySelector("[aria-label=Step]");
  return frames(count, (k) => {{
    scrubber.value = Math.round(scrubber.max * (0.5 + 0.45 * Math.sin(k / 7)));
    scrubber.dispatchEvent(new Event("input", {{ bubbles: true }}));
  }});
}}"""

# Moves the mouse, whose button is down, over the landscape from where it is.
PAN = f"""([count, x, y]) => {{
  {_FRAMES}
  const canvas = document.querySelector("canvas.overlay");
  return frames(count, (k) => {{
    const [clientX, clientY] = [x + 40 * Math.sin(k / 5), y + 30 * Math.sin(k / 8)];
    const about = {{ clientX, clientY, pointerId: 1, buttons: 1, bubbles: true }};
    canvas.dispatchEvent(new PointerEvent("pointermove", {{ pointerType: "mouse", ...about }}));
  }});
}}"""

# Moves the slider of lr, and waits until the new path is in the picture. Returns, for each move,
# the milliseconds to the picture, and those of them that the server computed.
LIVE = """async (count) => {
  const { store, root } = document.querySelector(".viewer").viewer;
  const slider = root.querySelector(".live [aria-label=lr]");
  const gl = root.querySelector("canvas.drawing").getContext("webgl2");
  const pixel = new Uint8Array(4);
  const move = (position) => new Promise((done) => {
    const [before, began] = [store.get().live.run, performance.now()];
    const end = store.on(["live"], ({ live }) => {
      if (live.run === before || live.run === null) return;
      end();
      requestAnimationFrame(() => {
        gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel); // waits for what is drawn
        done([performance.now() - began, 1000 * live.seconds]);
      });
    });
    slider.value = position;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const found = [];
  for (let k = 0; k < count; k++) {
    found.push(await move(200 - 2 * k));
    await new Promise((done) => setTimeout(done, 30));
  }
  return found.slice(3);
}"""

STATE = "document.querySelector('.viewer')?.viewer?.store.get()"
SHOWN = f"() => {STATE}?.scene && Number(document.querySelector('.stage').dataset.frames) > 0"
CALM = 2_000.0  # milliseconds after which what was begun at first is done


def measure(directory: str) -> Iterator[str]:
    """Yield what the page takes in TensorBoard on the runs of a directory, one line each."""
    with viewing(directory) as (address, process), browsing() as page:
        seconds, frame = opened(page, address)
        yield f"open: {seconds:.1f} s until paths are shown (goal: <= 3 s)"
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(CALM)
            times = frame.evaluate(SCRUB, FRAMES)
            yield frame_line(f"scrub, {width} wide", times)
            page.wait_for_timeout(CALM)
            yield frame_line(f"pan, {width} wide", panned(page, frame))
        page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
        for optimizer in OPTIMIZERS:
            whole, server = live(frame, optimizer)
            shares = f"{whole:.0f} ms, of which {server:.0f} ms in the server"
            yield f"live, {optimizer}: {shares} (goal: <= 50 ms)"
        yield f"open again: {opened(page, address)[0]:.1f} s (goal: <= 3 s)"
        memory = peak_memory(process.pid) / 2**20
        yield f"memory of TensorBoard: {memory:.0f} MiB at its peak (goal: <= 500 MiB)"


def frame_line(what: str, milliseconds: list[float]) -> str:
    """Return what is printed of frames."""
    return f"{what}: {statistics.median(milliseconds):.0f} ms a frame (goal: <= 50 ms)"


@contextmanager
def viewing(directory: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start TensorBoard on a directory; yield its address, once it answers, and its process."""
    command = [sys.executable, "-m", "gdlab.view", directory, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if found := re.search(r"http://localhost:\d+", line):
                    yield found.group(), process
                    return
            raise RuntimeError("TensorBoard did not start")
        finally:
            process.terminate()


@contextmanager
def browsing() -> Iterator[Page]:
    """Open a page in a browser that draws WebGL by software."""
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        width, height = SIZES[0]
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            args=FLAGS,
            viewport={"width": width, "height": height},
        )
        context.set_default_timeout(PATIENCE)
        yield context.pages[0]
        context.close()


def opened(page: Page, address: str) -> tuple[float, Frame]:
    """Open the tab; return the seconds until paths are shown, and its frame."""
    page.goto("about:blank")
    began = time.perf_counter()
    page.goto(f"{address}/#trajectories", wait_until="commit")
    while not (frames := [f for f in page.frames if "name=trajectories" in f.url]):
        page.wait_for_timeout(10)
    frames[0].wait_for_function(SHOWN)
    return time.perf_counter() - began, frames[0]


def panned(page: Page, frame: Frame) -> list[float]:
    """Drag the landscape; return the milliseconds of frames."""
    canvas = frame.locator("canvas.overlay")
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    middle = canvas.evaluate(
        "e => { const b = e.getBoundingClientRect();"
        " return [b.left + b.width / 2, b.top + b.height / 2]; }"
    )
    times = frame.evaluate(PAN, [FRAMES, *middle])
    page.mouse.up()
    frame.locator("body").press("0")
    return times


def live(frame: Frame, optimizer: str) -> tuple[float, float]:
    """Drag lr on the live bench; return the milliseconds to the path, and those of the server."""
    switch = frame.get_by_role("button", name="Compute live")
    if switch.get_attribute("aria-pressed") != "true":
        switch.click()
    frame.locator(".live").get_by_label("Optimizer").select_option(optimizer)
    arrived = f"() => {STATE}.live.run?.label.startsWith('{optimizer},')"
    frame.wait_for_function(arrived)
    found = frame.evaluate(LIVE, DRAGS)
    whole, server = zip(*found, strict=True)
    return statistics.median(whole), statistics.median(server)


def peak_memory(pid: int) -> int:
    """Return the bytes of memory that a process has had at most."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return 1024 * int(status.read().partition("VmHWM:")[2].split()[0])
