"""The viewer as one HTML text: its script, its policy, its size; views in notebooks."""

import base64
import hashlib
import html
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.recorded import Mine
from helpers.scripts import NODE, with_node

import gdlab
from gdlab.errors import SettingError
from gdlab.viewer import embedding
from gdlab.viewer.format import decode, encode
from gdlab.viewer.messages import messages_of
from gdlab.viewer.scene import REPORT_POINTS

QUIET = {"record.figures": False, "record.events": False}
HOSTILE = "</script><script>alert(1)</script><!--"


def test_modules_come_after_what_they_import() -> None:
    script = embedding.script()
    seen: set[str] = set()
    for name, body in re.findall(
        r"^const \$(\w+) = \(\(\) => \{\n(.*?)^\}\)\(\);$", script, re.M | re.S
    ):
        imported = set(re.findall(r"^const \{[^}]+\} = \$(\w+);$", body, re.M))
        assert imported <= seen, name
        seen.add(name)
    assert {path.stem for path in embedding.PAGE.glob("*.js")} - seen == {"plugin"}


@with_node
def test_the_script_is_javascript(tmp_path: Path) -> None:
    path = tmp_path / "page.mjs"
    path.write_text(embedding.script())
    assert NODE is not None
    assert subprocess.run([NODE, "--check", str(path)], check=False).returncode == 0


def test_the_policy_allows_only_this_script() -> None:
    page = embedding.html_page({"catalogue": b"x"}, title="t")
    (script,) = re.findall(r'<script type="module">(.*?)</script>', page, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'"


def test_text_of_messages_and_titles_ends_no_element() -> None:
    page = embedding.html_page({HOSTILE: encode({"notes": [HOSTILE]})}, title=HOSTILE)
    assert page.count("</script>") == 2  # of the messages, and of the modules
    (data,) = re.findall(r'<script type="application/json" id="messages">(.*?)</script>', page)
    ((key, text),) = json.loads(data).items()
    assert key == HOSTILE
    assert decode(base64.b64decode(text)) == {"notes": [HOSTILE]}


def test_messages_hold_each_problem_and_what_is_damaged(runs: Path) -> None:
    messages = messages_of([runs])
    catalogue = decode(messages.pop("catalogue"))
    assert [f"scene?problem={p['id']}" for p in catalogue["problems"]] == [*messages]
    assert not any(problem["live"] for problem in catalogue["problems"])
    scenes = [decode(message) for message in messages.values()]
    assert all(len(scene["plane"]["choices"]) == 1 for scene in scenes)
    notes = [note for scene in scenes for note in scene["notes"]]
    assert any(note.startswith("damaged") for note in notes), notes


def test_runs_of_several_folders_are_told_apart(runs: Path) -> None:
    scenes = messages_of([runs / "single", runs / "damaged"])
    names = {run["name"] for run in decode(scenes["scene?problem=p0"])["runs"]}
    assert names == {"single/adam", "single/away", "damaged"}
    assert messages_of([runs / "missing"]) == {}


def test_a_page_of_200_runs_has_at_most_3_megabytes(tmp_path: Path) -> None:
    gdlab.run("himmelblau", lr=1e-3, steps=20, directory=tmp_path / "run", **QUIET)
    messages = messages_of([tmp_path])
    scene = decode(messages["scene?problem=p0"])
    (run,) = scene["runs"]
    count = REPORT_POINTS // 200  # the most that paths are thinned to
    long = {
        key: np.resize(value, (count, *value.shape[1:])) if isinstance(value, np.ndarray) else value
        for key, value in run.items()
    }
    messages["scene?problem=p0"] = encode({**scene, "runs": [long] * 200})
    size = len(embedding.html_page(messages, title="200 runs").encode())
    assert size < 3e6  # 2,574,600


def test_a_run_is_viewed_in_a_frame_of_its_own(tmp_path: Path) -> None:
    view = gdlab.run("rosenbrock", "adam", lr=0.05, steps=5).view()
    shown = view._repr_html_()
    assert shown.startswith("<iframe ") and 'sandbox="allow-scripts"' in shown
    (page,) = re.findall(r'srcdoc="([^"]+)"', shown)
    assert html.unescape(page) == view.html
    assert view.save(tmp_path / "run.html").read_text("utf-8") == view.html
    scene = decode(view.messages["scene?problem=p0"])
    assert scene["grid"] is not None
    assert [run["label"] for run in scene["runs"]] == ["adam, lr=0.05"]


def test_a_run_on_a_loss_that_no_file_can_name_is_viewed_on_it() -> None:
    view = gdlab.run(Mine(), lr=0.1, steps=3).view()
    assert decode(view.messages["scene?problem=p0"])["grid"] is not None


def test_a_sweep_is_viewed_where_its_paths_are_kept(runs: Path) -> None:
    view = gdlab.load(runs / "sweep").view()
    assert len(decode(view.messages["scene?problem=p0"])["runs"]) == 4
    with pytest.raises(SettingError, match=r"^directory=None: the viewer shows paths"):
        gdlab.sweep("sphere", lr=[0.1, 0.2], steps=1).view()
