"""The whole page of TensorBoard in a real browser, with the tab *Trajectories* in its frame."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from helpers.browsing import STATE, browsing, in_a_browser
from playwright.sync_api import expect

from gdlab.board.late_service import LateService
from gdlab.board.plugin import ENTRY
from gdlab.view import board_arguments, board_plugins

pytestmark = [
    in_a_browser,
    pytest.mark.xdist_group("browser"),
    # The HTML sanitizer inside TensorBoard warns of itself at its first import.
    pytest.mark.filterwarnings("ignore:html5lib's sanitizer is deprecated"),
]

OF_TENSORBOARD = ["WARNING: Multiple instances of Three.js being imported."]
FRAMES = "document.querySelector('.stage').dataset.frames"


@pytest.fixture(scope="module")
def address(runs: Path) -> Iterator[str]:
    """The address of TensorBoard on recorded runs."""
    from tensorboard import program

    servers: list[program.WerkzeugServer] = []

    class Kept(program.WerkzeugServer):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            servers.append(self)

    board = program.TensorBoard(plugins=board_plugins(LateService(runs)), server_class=Kept)
    # Its own reader of event files would be a process.
    board.configure(["", *board_arguments(runs, ["--port=0", "--load_fast=false"])])
    yield board.launch()
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_tab_shows_the_runs_in_its_frame(address: str, tmp_path: Path) -> None:
    asked: list[str] = []
    with browsing(tmp_path, OF_TENSORBOARD) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}#trajectories")
        tab = page.wait_for_selector("iframe[src*='name=trajectories']", state="attached")
        frame = tab.content_frame() if tab else None
        assert frame is not None
        frame.wait_for_function(f"() => {STATE}?.scene && {FRAMES} > 0")
        count = frame.evaluate(f"() => {STATE}.scene.runs.length")
        expect(frame.get_by_role("listbox", name="Runs").get_by_role("option")).to_have_count(count)
        assert count > 1
    own = urlsplit(address).netloc
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {own}
    assert any(url.endswith(ENTRY) for url in asked)
