"""The pictures of howto/viewer.md: runs its commands, opens TensorBoard, takes pictures of it.

Needs `chromium` on PATH and playwright. Each browser draws letters in its own way, so no test
compares these pictures: look at them before you commit them.

python docs/viewer_pictures.py NAME …  take these pictures, by default all
"""

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from examples import Block, empty_directory, read_items, run_line
from PIL import Image

try:
    from playwright.sync_api import FloatRect, Locator, Page, sync_playwright
except ImportError:
    sys.exit("docs/viewer_pictures.py: needs playwright: pip install playwright")

PAGE = Path(__file__).parent / "howto" / "viewer.md"
PICTURES = Path(__file__).parent / "pictures"
BROWSER = [
    *("--headless", "--no-sandbox", "--disable-background-networking", "--disable-sync"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),  # WebGL without a graphics card
]
SMALL, NARROW, USUAL, WIDE = (750, 800), (1000, 800), (1280, 800), (1640, 900)  # of the window
MARGIN = 6  # around a part of the page
PATIENCE = 60_000  # milliseconds
QUALITY = 88  # letters stay crisp; a picture takes 40 to 90 kB


def main(names: Sequence[str]) -> int:
    """Take pictures, by default all; return 1 where there is no browser."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("docs/viewer_pictures.py: needs `chromium` on PATH", file=sys.stderr)
        return 1
    with empty_directory(), sync_playwright() as playwright:
        for line in runs_of_page():
            run_line(line, draw=False)
        context = playwright.chromium.launch_persistent_context(
            "profile", executable_path=chromium, args=BROWSER, color_scheme="dark"
        )
        context.set_default_timeout(PATIENCE)
        with viewing() as address:
            for name in names or TAKES:
                keep(TAKES[name](context.pages[0], address), PICTURES / f"{name}.webp")
        context.close()
    return 0


def runs_of_page() -> list[str]:
    """Return the commands of the page that run or sweep."""
    blocks = [item for item in read_items(PAGE.read_text("utf-8")) if isinstance(item, Block)]
    text = "".join(block.text for block in blocks if block.language == "sh")
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("python -m gdlab ")]


@contextmanager
def viewing() -> Iterator[str]:
    """Yield TensorBoard's address, which ends in a slash, on a free port."""
    command = [sys.executable, "-m", "gdlab.view", "runs", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            found = (re.search(r"http://localhost:\d+/", line) for line in process.stderr or ())
            yield next(filter(None, found)).group()
        finally:
            process.terminate()


def keep(shot: bytes, path: Path) -> None:
    """Write a picture and print its size."""
    with Image.open(io.BytesIO(shot)) as picture:
        picture.convert("RGB").save(path, quality=QUALITY, method=6)
    print(path.name, f"{path.stat().st_size / 1000:.0f} kB")


def take_tab(page: Page, address: str) -> bytes:
    """The tab in TensorBoard: runs of small learning rates, a while after their start."""
    resize(page, USUAL)
    page.goto(f"{address}#trajectories")
    page.frame_locator("iframe").locator(".runs [role=option]").first.wait_for()
    (frame,) = (frame for frame in page.frames if frame.locator(".viewer").count())
    for lr in ("0.001", "0.002"):
        frame.get_by_role("button", name=f"lr {lr}", exact=True).click()
    press(frame.locator("body"), "+", times=2)
    press(frame.locator("body"), "Shift+ArrowLeft", times=16)
    settle(page)
    return page.screenshot()


def take_surface(page: Page, address: str) -> bytes:
    """The landscape as a surface, and the plane that touches it under the cursor."""
    open_alone(page, address, NARROW)
    page.get_by_role("button", name="lr 0.002", exact=True).click()
    press(page.locator("body"), "+", times=2)
    page.get_by_role("button", name="3-D").click()
    page.locator(".stage").hover(position={"x": 345, "y": 120})
    settle(page)
    return page.locator(".stage").screenshot()


def take_sweep(page: Page, address: str) -> bytes:
    """The panel of the sweep, where its sliders were moved."""
    open_alone(page, address, SMALL)
    sweep = page.locator(".sweep")
    sweep.get_by_role("radio", name="sgd").check()
    for name, position in {"lr": 3, "seed": 5}.items():
        slider = sweep.get_by_role("slider", name=name, exact=True)
        slider.press("Home")
        press(slider, "ArrowRight", times=position)
        slider.blur()
    settle(page)
    return page.screenshot(clip=around(sweep), full_page=True)


def take_live(page: Page, address: str) -> bytes:
    """The live bench: a run from where the landscape was clicked."""
    open_alone(page, address, WIDE)
    page.get_by_label("Problem").select_option(label="rosenbrock (1 run)")
    page.get_by_role("button", name="Compute live").click()
    page.locator(".live").get_by_role("combobox").first.wait_for()
    page.locator(".stage").click(position={"x": 200, "y": 120})
    page.locator(".live .command:not(:empty)").wait_for()
    settle(page)
    parts = (page.locator(name) for name in (".stage", ".transport", ".live"))
    return page.screenshot(clip=around(*parts))


TAKES = {
    "viewer": take_tab,
    "viewer_surface": take_surface,
    "viewer_sweep": take_sweep,
    "viewer_live": take_live,
}


def open_alone(page: Page, address: str, size: tuple[int, int]) -> None:
    """Open the tab without TensorBoard around it, in a window of a size."""
    resize(page, size)
    page.goto(f"{address}data/plugin_entry.html?name=trajectories")
    page.locator(".runs [role=option]").first.wait_for()


def resize(page: Page, size: tuple[int, int]) -> None:
    """Give the window a size, in pixels, and take the pointer away."""
    page.mouse.move(0, 0)
    page.set_viewport_size({"width": size[0], "height": size[1]})


def press(target: Locator, key: str, *, times: int) -> None:
    """Press a key some times."""
    for _ in range(times):
        target.press(key)


def settle(page: Page) -> None:
    """Wait until what was asked for is there and drawn."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(5_000)  # what moves is drawn coarser
    page.evaluate("scrollTo(0, 0)")


def around(*parts: Locator) -> FloatRect:
    """Return the rectangle that holds parts of the page, with a margin."""
    boxes = [box for part in parts if (box := part.bounding_box())]
    left, top = (min(box[key] for box in boxes) - MARGIN for key in ("x", "y"))
    right = max(box["x"] + box["width"] for box in boxes) + MARGIN
    bottom = max(box["y"] + box["height"] for box in boxes) + MARGIN
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
