"""The tab of TensorBoard: where it is found, what it serves, and how."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from helpers.files import ROOT
from tensorboard.plugins.base_plugin import TBContext
from werkzeug.test import Client, TestResponse

from gdlab.board.late_service import LateService
from gdlab.board.plugin import ENTRY, PAGE, TrajectoriesLoader, TrajectoriesPlugin
from gdlab.viewer.format import decode


def plugin_of(logdir: Path | None) -> TrajectoriesPlugin:
    return TrajectoriesPlugin(TBContext(logdir=None if logdir is None else str(logdir)))


def ask(plugin: TrajectoriesPlugin, name: str) -> TestResponse:
    apps = plugin.get_plugin_apps()
    path = f"/{name.partition('?')[0]}"
    return Client(apps.get(path, apps["/*"])).get(f"/data/plugin/trajectories/{name}")


def test_the_entry_point_names_the_plugin():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (target,) = project["entry-points"]["tensorboard_plugins"].values()
    module, _, name = target.partition(":")
    assert getattr(import_module(module), name) is TrajectoriesPlugin


def test_the_tab_has_a_name_and_a_module_that_is_served():
    plugin = plugin_of(None)
    metadata = plugin.frontend_metadata()
    assert (plugin.plugin_name, metadata.tab_name) == ("trajectories", "Trajectories")
    assert metadata.es_module_path == ENTRY
    answer = ask(plugin, ENTRY.removeprefix("/"))
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.text.rstrip().endswith("export const { render } = $plugin;")
    assert "import {" not in answer.text


def test_the_tab_is_active_where_there_are_runs(runs, tmp_path):
    assert plugin_of(runs).is_active()
    assert not any(plugin_of(place).is_active() for place in (tmp_path, tmp_path / "absent", None))
    assert not plugin_of(Path("gs://bucket")).is_active()


@pytest.mark.parametrize("path", sorted(PAGE.iterdir()), ids=lambda path: path.name)
def test_each_file_of_the_page_is_served(path):
    answer = ask(plugin_of(None), path.name)
    kind = {".js": "text/javascript", ".css": "text/css"}[path.suffix]
    assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
    assert answer.data == path.read_bytes()


def test_messages_are_served_and_nothing_is_guessed(runs):
    answer = ask(plugin_of(runs), "catalogue")
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert len(decode(answer.data)["problems"]) == 6


@pytest.mark.parametrize(
    "name",
    ["scene?problem=<b>", "../../../etc/passwd", "..%2f..%2fpyproject.toml", "page/x.js", ""],
)
def test_an_error_is_one_line_of_text(name, runs):
    answer = ask(plugin_of(runs), name)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text.count("\n") == 1


def test_a_loader_shows_the_directory_behind_a_link(runs, tmp_path):
    (tmp_path / "link").symlink_to(runs, target_is_directory=True)
    assert not plugin_of(tmp_path).is_active()
    plugin = TrajectoriesLoader(LateService(runs)).load(TBContext(logdir=str(tmp_path)))
    assert plugin.is_active()
    assert len(decode(ask(plugin, "catalogue").data)["problems"]) == 6
