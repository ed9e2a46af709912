"""The viewer in a real browser, served as by TensorBoard but without TensorBoard around it."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from tensorboard.plugins.base_plugin import TBContext
from werkzeug import Response
from werkzeug.serving import WSGIRequestHandler, make_server

from gdlab.board.plugin import POLICY, TrajectoriesPlugin

PATIENCE = 30_000.0  # milliseconds
CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# WebGL without a graphics card.
SOFTWARE_WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no `chromium` on PATH")

_INDEX = b"""<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width"><script type="module" src="start.js"></script>"""
_START = b'import { render } from "./plugin.js"; render();'


class _Quiet(WSGIRequestHandler):
    """Logs no requests."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """Serve the files of the page and the messages of the runs below a directory on a free port."""
    apps = TrajectoriesPlugin(TBContext(logdir=str(directory))).get_plugin_apps()
    own = {"/": _answer(_INDEX, "text/html"), "/start.js": _answer(_START, "text/javascript")}

    def app(environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        return (own | dict(apps)).get(path, apps["/*"])(environ, start_response)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(content: bytes, content_type: str) -> Callable[..., Any]:
    return Response(content, 200, {"Content-Security-Policy": POLICY}, content_type=content_type)


@contextmanager
def browsing(profile: Path, usual: Sequence[str] = ()) -> Iterator[Page]:
    """Open a page in a browser that draws WebGL by software; what it complains of fails the test.

    Args:
        profile: an empty directory for the browser's files.
        usual: what it says whatever gdlab does.
    """
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            args=[*ARGUMENTS, *SOFTWARE_WEBGL],
            viewport={"width": 1280, "height": 900},
        )
        context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page = context.pages[0]
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        context.close()
        complaints = [message for message in said if message not in usual]
        assert not complaints, complaints


STATE = "document.querySelector('.viewer')?.viewer?.store.get()"


def state(page: Page, expression: str) -> Any:
    """Return what an expression is of the page's state, `s`."""
    return page.evaluate(f"() => {{ const s = {STATE}; return {expression}; }}")


def wait_until(ready: Callable[[], bool], what: str) -> None:
    """Wait until something is so; fail if it takes too long."""
    deadline = time.monotonic() + 2 * PATIENCE / 1000
    while not ready():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def wait_for(page: Page, expression: str) -> None:
    """Wait until an expression of the page's state `s` is true."""
    page.wait_for_function(f"() => {{ const s = {STATE}; return s?.scene && ({expression}); }}")


def patch(page: Page, changes: str) -> None:
    """Set keys of the page's state, given as an object of JavaScript."""
    page.evaluate(f"() => document.querySelector('.viewer').viewer.store.set({changes})")
